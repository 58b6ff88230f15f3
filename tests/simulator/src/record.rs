//! What the simulator remembers.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::behaviour::Action;

/// What took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectKind {
    /// A bank holds funds.
    Reserve,
    /// A bank has taken held funds.
    Capture,
    /// A bank has given held funds back.
    Cancel,
    /// Money that was taken at once has gone back.
    Refund,
    /// A supplier's goods are out.
    Vend,
    /// A client has a result.
    Result,
    /// A client has an IPN.
    Ipn,
    /// The fraud desk has a report.
    Report,
    /// A person has a message.
    Message,
    /// A buyer has been asked for money: by SMS, or by a page for a card payment.
    Prompt,
    /// A client has a card payment's completion.
    Completion,
    /// A card gateway gave a sale's money back, by a reversal or a chargeback.
    Reversal,
}

impl EffectKind {
    /// Whether a second one for the same purchase is a loss for somebody. Results are sent at
    /// least once, and reports may be updated.
    #[must_use]
    pub const fn happens_once(self) -> bool {
        match self {
            Self::Reserve | Self::Capture | Self::Cancel | Self::Refund | Self::Vend => true,
            Self::Prompt => true,
            Self::Result | Self::Ipn | Self::Report | Self::Message | Self::Completion => false,
            Self::Reversal => true,
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        let money = [Self::Reserve, Self::Capture, Self::Cancel, Self::Refund, Self::Vend];
        let told = [Self::Result, Self::Ipn, Self::Report, Self::Message];
        let paid = [Self::Prompt, Self::Completion, Self::Reversal];
        money
            .into_iter()
            .chain(told)
            .chain(paid)
            .find(|kind| format!("{kind:?}").eq_ignore_ascii_case(name))
    }
}

/// Something that took effect at a party.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Effect {
    /// Its number: effects, calls and violations are counted together, in order of time.
    pub n: u64,
    /// The party: the path's part that names it (`client-1001` for a listener).
    pub party: Arc<str>,
    /// What took effect.
    pub kind: EffectKind,
    /// The reference it was asked for under (`raasTxnRef`, `vendRef` or the desk's token).
    pub reference: Arc<str>,
    /// The purchase's `raasTxnRef`; the token for reports, which name no purchase.
    pub purchase: Arc<str>,
    /// Minor units; 0 where there is no amount.
    pub amount: i64,
    /// The `clientTxnRef`, once any party was told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_ref: Option<Arc<str>>,
    /// The response code that a result told, or a report's `activation_successful`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<Arc<str>>,
    /// When.
    pub at: DateTime<Utc>,
}

/// One call of somebody at a party.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// Its number, as [`Effect::n`].
    pub n: u64,
    /// The party.
    pub party: Arc<str>,
    /// What was asked.
    pub action: Action,
    /// As [`Effect::reference`].
    pub reference: Arc<str>,
    /// As [`Effect::purchase`].
    pub purchase: Arc<str>,
    /// Whether it came over a connection that an earlier call had left open.
    pub reused: bool,
    /// When it arrived.
    pub at: DateTime<Utc>,
}

/// Something that must never happen, and did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// Its number, as [`Effect::n`].
    pub n: u64,
    /// The party that saw it.
    pub party: Arc<str>,
    /// Which rule, in one word.
    pub rule: &'static str,
    /// The purchase, as [`Effect::purchase`].
    pub purchase: Arc<str>,
    /// For people.
    pub detail: String,
}

/// One party's figures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PartyCount {
    /// Calls by what was asked.
    pub calls: BTreeMap<Action, u64>,
    /// Effects by kind.
    pub effects: BTreeMap<EffectKind, u64>,
    /// Minor units that effects moved, by kind.
    pub amounts: BTreeMap<EffectKind, i64>,
    /// Calls being served now.
    pub concurrency: u64,
    /// The most calls that were served at the same time.
    pub concurrency_max: u64,
}

/// The figures of the whole world.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// By party.
    pub parties: BTreeMap<String, PartyCount>,
    /// Purchases seen by any party.
    pub purchases: u64,
    /// Holds that are neither captured nor cancelled.
    pub holds_open: u64,
    /// Second effects of a kind that may happen once in a purchase, by kind.
    pub duplicates: BTreeMap<EffectKind, u64>,
    /// Second effects of the other kinds, by kind.
    pub repeats: BTreeMap<EffectKind, u64>,
    /// Callbacks that the gateway has taken.
    pub confirmations_taken: u64,
    /// Callbacks that were given up.
    pub confirmations_given_up: u64,
    /// How many violations there were, by rule.
    pub violations_by_rule: BTreeMap<&'static str, u64>,
    /// The first hundred violations.
    pub violations: Vec<Violation>,
    /// The number of the newest record.
    pub newest: u64,
}

impl Summary {
    /// All second effects of kinds that may happen once.
    #[must_use]
    pub fn duplicate_count(&self) -> u64 {
        self.duplicates.values().sum()
    }

    /// All violations.
    #[must_use]
    pub fn violation_count(&self) -> u64 {
        self.violations_by_rule.values().sum()
    }

    /// Effects of a kind at all parties.
    #[must_use]
    pub fn effect_count(&self, kind: EffectKind) -> u64 {
        self.parties.values().filter_map(|party| party.effects.get(&kind)).sum()
    }
}

/// The amounts of a result as a bank or a client got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultSeen {
    /// Our reference.
    pub purchase: String,
    /// `bank` or `client`.
    pub whose: &'static str,
    /// `feeAmount`.
    pub fee: i64,
    /// `settlementAmount`.
    pub settlement: i64,
    /// `clientShareAmount`.
    pub client_share: i64,
    /// `vendorShareAmount`.
    pub vendor_share: i64,
}
