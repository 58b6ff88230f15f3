//! Commits: the whole group is checked before anything of it is written.

use std::collections::HashSet;

use fleet_domain::{
    CALL, Change, Commit, CommitVerdict, Decision, DeliveryState, DispenseState, Fact, FundingType,
    NewFact, Next, Private, Progress, Purchase, ReportState, ReserveState, SentUntil, SettleState,
    TaskKey, TaskKind, TaskState, Tries, later,
};
use fleet_engine::{Committed, StoreFault};
use fleet_store::ReportView;

use super::facts::is_other_word;
use super::model::{DeliveryRow, Model, Parked, REMINDER, StoredFact, Task};

/// A commit with what its fence said.
struct Fenced<'c> {
    commit: &'c Commit,
    verdict: CommitVerdict,
    /// Facts came in since the claim.
    moved: bool,
}

impl Model {
    pub(super) fn commit(
        &mut self,
        kind: TaskKind,
        group: &[Commit],
    ) -> Result<Committed, StoreFault> {
        let mut seen = HashSet::new();
        if !group.iter().all(|commit| commit.key.kind == kind && seen.insert(commit.key)) {
            return Err(StoreFault::Refused("a task stands twice in one group".to_owned()));
        }
        let fenced: Vec<Fenced<'_>> = group.iter().map(|commit| self.fence(commit)).collect();
        for one in fenced.iter().filter(|one| one.verdict == CommitVerdict::Done) {
            self.refuse(one.commit)?;
        }
        for one in &fenced {
            self.apply(one);
        }
        let verdicts = fenced.iter().map(|one| one.verdict).collect();
        Ok(Committed { verdicts, now: self.now })
    }

    fn fence<'c>(&self, commit: &'c Commit) -> Fenced<'c> {
        let task = self.tasks.get(&commit.key);
        let moved = task.is_some_and(|task| task.signals != commit.signals);
        let holds =
            |task: &&Task| task.state == TaskState::Running && task.token == Some(commit.token);
        let journal = self.purchases.get(&commit.key.purchase).map(|row| &row.journal);
        let verdict = if task.filter(holds).is_some() {
            if moved && !commit.definite { CommitVerdict::FactFirst } else { CommitVerdict::Done }
        } else if journal
            .is_some_and(|journal| journal.iter().any(|entry| entry.token == Some(commit.token)))
        {
            CommitVerdict::Already
        } else if task.is_some() {
            CommitVerdict::Late
        } else {
            CommitVerdict::LateGone
        };
        Fenced { commit, verdict, moved }
    }

    /// What the tables would refuse.
    fn refuse(&self, commit: &Commit) -> Result<(), StoreFault> {
        let id = commit.key.purchase;
        let mut steps = HashSet::new();
        for (entry, money) in &commit.decision.ledger {
            let taken =
                self.ledger.contains_key(&(id, entry.step())) || !steps.insert(entry.step());
            if taken || money.minor <= 0 {
                return Err(StoreFault::Refused("a step of the books is written twice".to_owned()));
            }
        }
        if let Change::Reserve { state: ReserveState::Charged, reservation: Some(charge), .. } =
            &commit.decision.change
            && self.pays_already(id, charge)
        {
            return Err(StoreFault::Refused("a charge pays for two purchases".to_owned()));
        }
        if let Change::Dispense { settle_as: Some(wanted), .. } = &commit.decision.change
            && let Some(row) = self.purchases.get(&id)
            && row.purchase.progress.settle_as.is_some_and(|decided| decided != *wanted)
        {
            let cause = "a settlement was decided before and is contradicted now";
            return Err(StoreFault::Refused(cause.to_owned()));
        }
        Ok(())
    }

    /// True when another purchase stands on this charge of the same source.
    fn pays_already(&self, id: fleet_domain::PurchaseId, charge: &str) -> bool {
        let Some(own) = self.purchases.get(&id).map(|row| &row.purchase.order) else {
            return false;
        };
        own.funding != FundingType::Bank
            && self.purchases.values().any(|row| {
                let Purchase { order, progress } = &row.purchase;
                order.id != id
                    && order.funding_source == own.funding_source
                    && progress.reserve == ReserveState::Charged
                    && progress.reservation.as_deref() == Some(charge)
            })
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "only one change tells the desk something")]
    fn apply(&mut self, one: &Fenced<'_>) {
        self.apply_verdict(one);
        if one.commit.key.kind == TaskKind::Report {
            let told = match &one.commit.decision.change {
                Change::Report { state: ReportState::Reported, success } => *success,
                _ => None,
            };
            let told = told.filter(|_| one.verdict == CommitVerdict::Done);
            self.give_token(one.commit.key.purchase, one.commit.token, told);
        }
    }

    fn apply_verdict(&mut self, one: &Fenced<'_>) {
        let (commit, key) = (one.commit, one.commit.key);
        let ref_no = self.tasks.get(&key).map_or(0, |task| task.ref_no);
        // A fact that came in between changes nothing about what was asked.
        let is_told = matches!(one.verdict, CommitVerdict::Done | CommitVerdict::FactFirst);
        if let Some(asked) = commit.decision.asked.as_deref().filter(|_| is_told) {
            self.mark_asked(key, asked);
        }
        match one.verdict {
            CommitVerdict::Done => {
                self.write_track(commit);
                self.write_made(commit);
                self.write_task(commit, one.moved);
                let decision = &commit.decision;
                let words = (decision.outcome, decision.detail.as_str());
                self.write_journal(key, Some(commit.token), ref_no, words);
                if let Some(cause) = &decision.case {
                    self.open_case(key.purchase, cause);
                }
                if (one.moved || commit.signals > 0) && decision.next == Next::Finish {
                    self.compare_facts(key);
                }
            }
            CommitVerdict::FactFirst => {
                self.write_unknown(commit);
                self.requeue(commit);
                let words = ("fact_first", commit.decision.detail.as_str());
                self.write_journal(key, Some(commit.token), ref_no, words);
                if let Some(answer) = &commit.answer {
                    let fact = Fact {
                        source: CALL.to_owned(),
                        kind: answer.kind.to_owned(),
                        reference: answer.reference.clone(),
                        status: answer.status.clone(),
                        external_id: commit.token.0.to_string(),
                        body: answer.body.clone(),
                        received_at: self.now,
                        asks: 0,
                        asked_at: None,
                    };
                    self.keep_fact(key, fact, "");
                    if let Some(task) = self.tasks.get_mut(&key) {
                        task.signals = task.signals.saturating_add(1);
                    }
                }
            }
            CommitVerdict::Late | CommitVerdict::LateGone => {
                if one.verdict == CommitVerdict::Late {
                    self.write_unknown(commit);
                }
                if let Some(answer) = &commit.answer {
                    self.store_fact(&NewFact {
                        source: CALL.to_owned(),
                        kind: answer.kind.to_owned(),
                        task: Some(key),
                        reference: answer.reference.clone(),
                        status: answer.status.clone(),
                        external_id: commit.token.0.to_string(),
                        meaning: Private::new(""),
                        body: answer.body.clone(),
                    });
                }
            }
            CommitVerdict::Already => {}
        }
    }

    /// Facts that came in before the task ended, most of all while a definite answer ended it.
    fn compare_facts(&mut self, key: TaskKey) {
        let Some(row) = self.purchases.get(&key.purchase) else { return };
        // What was told in other words before it ended was asked about.
        let Progress { reserve, reservation, .. } = &row.purchase.progress;
        let ended = matches!(reserve, ReserveState::Refused | ReserveState::Failed);
        let is_news = |stored: &&StoredFact| {
            let id = &stored.fact.external_id;
            let is_own = ended || id.is_empty() || Some(id) == reservation.as_ref();
            !(is_own && is_other_word(&stored.fact))
        };
        let mut causes: Vec<&'static str> = row
            .facts
            .iter()
            .filter(|stored| stored.about == key)
            .filter(is_news)
            .filter_map(|stored| self.contradiction(key.purchase, &stored.fact))
            .collect();
        causes.sort_unstable();
        causes.dedup();
        for cause in causes {
            self.open_case(key.purchase, cause);
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the tracks of a purchase go one way")]
    fn write_track(&mut self, commit: &Commit) {
        let now = self.now;
        let TaskKey { purchase: id, slot, .. } = commit.key;
        match commit.decision.change.clone() {
            Change::Deliver { state, http_status, sent_at } => {
                if let Some(row) = self.deliveries.get_mut(&(id, slot)) {
                    write_delivery(row, state, http_status, sent_at);
                }
            }
            Change::Report { state, success } => self.write_report(id, state, success),
            Change::Validate { state, code, verdict } => {
                if let Some(row) = self.purchases.get_mut(&id)
                    && row.purchase.progress.reserve == ReserveState::Validating
                {
                    let progress = &mut row.purchase.progress;
                    progress.reserve = state;
                    progress.reserve_code = code.or_else(|| progress.reserve_code.take());
                    let word = verdict.as_ref().and_then(fleet_domain::TokenVerdict::word);
                    let word = word.map(str::to_owned);
                    progress.reserve_word = word.or_else(|| progress.reserve_word.take());
                }
                if let Some(verdict) = verdict {
                    self.token_validated(commit, verdict);
                }
            }
            change => {
                if let Some(row) = self.purchases.get_mut(&id) {
                    write_progress(&mut row.purchase.progress, change, now);
                }
            }
        }
    }

    fn write_report(
        &mut self,
        id: fleet_domain::PurchaseId,
        state: ReportState,
        success: Option<bool>,
    ) {
        let now = self.now;
        let fresh = ReportView {
            state: String::new(),
            success: None,
            reported_at: None,
            waits_since: None,
            token: None,
        };
        let row = self.reports.entry(id).or_insert(fresh);
        state.name().clone_into(&mut row.state);
        row.success = success.or(row.success);
        if state == ReportState::Reported {
            row.reported_at = Some(now);
        }
    }

    /// The track of an answer that is not applied: "unknown" is told, and never takes back what is
    /// decided.
    #[expect(clippy::wildcard_enum_match_arm, reason = "only three changes say unknown")]
    fn write_unknown(&mut self, commit: &Commit) {
        let Some(row) = self.purchases.get_mut(&commit.key.purchase) else { return };
        let progress = &mut row.purchase.progress;
        let moves = match &commit.decision.change {
            Change::Reserve { state: ReserveState::Unknown, .. } => {
                matches!(progress.reserve, ReserveState::Pending | ReserveState::Asked)
            }
            Change::Dispense { state: DispenseState::Unknown, .. } => {
                matches!(progress.dispense, DispenseState::NotStarted | DispenseState::Pending)
            }
            Change::Settle { state: SettleState::Unknown } => {
                matches!(progress.settle, SettleState::NotStarted | SettleState::Refused)
            }
            _ => false,
        };
        if moves {
            write_progress(progress, commit.decision.change.clone(), self.now);
        }
    }

    fn write_made(&mut self, commit: &Commit) {
        let id = commit.key.purchase;
        for (entry, money) in &commit.decision.ledger {
            self.ledger.insert((id, entry.step()), (*entry, *money));
        }
        for new in &commit.decision.deliveries {
            let row = || DeliveryRow::new(new.slot, &new.channel, &new.body);
            self.deliveries.entry((id, new.slot)).or_insert_with(row);
        }
        for task in &commit.decision.follow_ups {
            let key = TaskKey { purchase: id, kind: task.kind, slot: task.slot };
            self.tasks.entry(key).or_insert_with(|| Task::queued(task, self.now));
        }
    }

    fn write_task(&mut self, commit: &Commit, moved: bool) {
        let now = self.now;
        let Decision { next, tries, new_reference, .. } = &commit.decision;
        if *next == Next::Finish {
            self.tasks.remove(&commit.key);
            return;
        }
        let Some(task) = self.tasks.get_mut(&commit.key) else { return };
        end_claim(task);
        match commit.sent {
            SentUntil::Clear => task.sent_until = None,
            SentUntil::Keep => keep_sent(task, now),
            SentUntil::Restore(value) => task.sent_until = value,
        }
        task.tries = match tries {
            Tries::Keep => task.tries,
            Tries::Count => task.tries.saturating_add(1),
            Tries::Restart => 0,
        };
        task.ref_no = task.ref_no.saturating_add(i32::from(*new_reference));
        match next {
            Next::Now | Next::Finish => task.queue(now),
            // The facts that came in between may say more than the answer knew.
            Next::Wait(_) | Next::At(_) | Next::Park { .. } if moved => {
                task.state = TaskState::Waiting;
                task.due_at = now;
            }
            Next::Wait(wait) => {
                task.state = TaskState::Waiting;
                task.due_at = later(now, *wait);
            }
            Next::At(at) => {
                task.state = TaskState::Waiting;
                task.due_at = whole_milliseconds(*at);
            }
            Next::Park { class, cause, at_risk } => {
                task.state = TaskState::Parked;
                task.due_at = later(now, REMINDER);
                let cause = cause.chars().take(500).collect();
                task.parked = Some(Parked { class: *class, cause, at_risk: *at_risk, at: now });
            }
        }
    }

    /// The task of an answer that a fact overtook: nothing of the decision is applied.
    fn requeue(&mut self, commit: &Commit) {
        let now = self.now;
        let Some(task) = self.tasks.get_mut(&commit.key) else { return };
        match commit.sent {
            SentUntil::Clear => task.sent_until = task.former_sent_until.or(task.sent_until),
            SentUntil::Keep => keep_sent(task, now),
            SentUntil::Restore(value) => task.sent_until = value,
        }
        end_claim(task);
        task.queue(now);
    }
}

/// The exchange is over, so nothing of it leaves after its commit.
fn keep_sent(task: &mut Task, now: chrono::DateTime<chrono::Utc>) {
    task.sent_until = task.sent_until.map(|until| until.min(now));
}

fn end_claim(task: &mut Task) {
    task.token = None;
    task.claims = 0;
    task.lease = None;
    task.former_sent_until = None;
}

/// Instants travel to the table in milliseconds, rounded up.
fn whole_milliseconds(at: chrono::DateTime<chrono::Utc>) -> chrono::DateTime<chrono::Utc> {
    let milliseconds = at.timestamp_micros().saturating_add(999).div_euclid(1_000);
    chrono::DateTime::from_timestamp_millis(milliseconds).unwrap_or(at)
}

fn write_delivery(
    row: &mut DeliveryRow,
    state: DeliveryState,
    http_status: Option<i32>,
    sent_at: Option<chrono::DateTime<chrono::Utc>>,
) {
    row.delivery.state = state;
    row.last_status = http_status.or(row.last_status);
    if let Some(sent_at) = sent_at.map(whole_milliseconds) {
        row.delivery.attempts = row.delivery.attempts.saturating_add(1);
        row.delivery.first_sent_at = row.delivery.first_sent_at.or(Some(sent_at));
        row.last_sent_at = Some(sent_at);
    }
}

fn write_progress(progress: &mut Progress, change: Change, now: chrono::DateTime<chrono::Utc>) {
    match change {
        Change::Reserve { state, code, reservation, hold, page: _ } => {
            progress.reserve = state;
            progress.reserve_code = code.or_else(|| progress.reserve_code.take());
            progress.reservation = reservation.or_else(|| progress.reservation.take());
            let until = hold.map(|hold| later(now, hold));
            progress.hold_expires_at = until.or(progress.hold_expires_at);
        }
        Change::Dispense {
            state,
            code,
            supplier_code,
            supplier_ref,
            vend_amount,
            voucher,
            settle_as,
        } => {
            progress.dispense = state;
            progress.supplier_code = supplier_code.or_else(|| progress.supplier_code.take());
            progress.dispense_code = code.or_else(|| progress.dispense_code.take());
            progress.supplier_ref = supplier_ref.or_else(|| progress.supplier_ref.take());
            progress.vend_amount = vend_amount.or(progress.vend_amount);
            progress.voucher = voucher.or_else(|| progress.voucher.take());
            progress.settle_as = settle_as.or(progress.settle_as);
        }
        Change::Settle { state } => progress.settle = state,
        Change::None | Change::Deliver { .. } | Change::Report { .. } | Change::Validate { .. } => {
        }
    }
}
