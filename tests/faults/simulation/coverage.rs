//! Which branches histories have gone through.

use std::collections::BTreeMap;

/// Counts by the name of a branch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage(BTreeMap<String, u64>);

impl Coverage {
    pub(super) fn reach(&mut self, branch: &str) {
        match self.0.get_mut(branch) {
            Some(count) => *count = count.saturating_add(1),
            None => drop(self.0.insert(branch.to_owned(), 1)),
        }
    }

    /// How often a branch was reached.
    #[must_use]
    pub fn count(&self, branch: &str) -> u64 {
        self.0.get(branch).copied().unwrap_or(0)
    }

    /// Adds another history's counts.
    pub fn add(&mut self, other: &Self) {
        for (branch, count) in &other.0 {
            let sum = self.0.entry(branch.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
    }

    /// Every branch with its count, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(branch, count)| (branch.as_str(), *count))
    }

    /// What must be reached by enough histories, and was not.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        MUST_BE_REACHED.iter().copied().filter(|branch| self.count(branch) == 0).collect()
    }
}

/// Verdicts of claims and commits, outcomes in the journal, what becomes of facts, and every fault.
pub const MUST_BE_REACHED: &[&str] = &[
    "claim started",
    "claim resumed",
    "claim expired",
    "claim busy",
    "claim not_due",
    "claim parked",
    "claim gone",
    "claim held",
    "commit done",
    "commit already",
    "commit fact_first",
    "commit late",
    "commit late_gone",
    "fact stored",
    "fact woke",
    "fact duplicate",
    "fact unmatched",
    "clock due",
    "clock lost",
    "put_back",
    "free",
    "fault crash",
    "fault freeze",
    "fault stop",
    "fault statement not written",
    "fault statement answer lost",
    "fault statement late",
    "fault statement after its time-out",
    "fault hint lost",
    "fault hint doubled",
    "fault hint overtaken",
    "fault broker blocked",
    "fault not connected",
    "fault call lost before its effect",
    "fault answer lost",
    "fault late effect",
    "fault answer unreadable",
    "fault time jumps",
    "operator resends",
    "reserve reserved",
    "reserve charged",
    "reserve refused",
    "reserve answer_lost",
    "reserve not_found",
    "reserve expired",
    "reserve buyer_asked",
    "reserve buyer_silent",
    "reserve not_ended",
    "reserve not_confirmed",
    "sale not vouched for",
    "asked for a buyer, and said no",
    "asked once more, and said no",
    "paid at operator",
    "paid at page",
    "paid at app",
    "reserve fact_first",
    "dispense dispensed",
    "dispense refused",
    "dispense refused_for_now",
    "dispense gave_up",
    "dispense answer_lost",
    "dispense not_found",
    "dispense pending",
    "dispense expired",
    "dispense cannot_be_looked_up",
    "dispense fact_first",
    "settle captured",
    "settle cancelled",
    "settle answer_lost",
    "settle settle_refused",
    "refund refunded",
    "refund owed_to_buyer",
    "refund answer_lost",
    "deliver acknowledged",
    "deliver not_acknowledged",
    "notify message_taken",
    "notify answer_lost",
    "report reported",
    "report superseded_by_success",
    "report not_reported_yet",
    "validate token_valid",
    "validate token_invalid",
    "case case_opened",
    "poison",
];
