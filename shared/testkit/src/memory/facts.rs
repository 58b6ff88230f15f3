//! Facts, and what they mean for a task that is gone.

use fleet_domain::{
    DispenseState, DueTask, Fact, FactOutcome, NewFact, ParkClass, Progress, PurchaseId,
    ReserveState, TaskKey, TaskKind, TaskState, later,
};

use super::model::{Model, Parked, REMINDER, StoredFact, Task};

impl Model {
    pub(super) fn store_fact(&mut self, new: &NewFact) -> FactOutcome {
        let fact = Fact {
            source: new.source.clone(),
            kind: new.kind.clone(),
            reference: new.reference.clone(),
            status: new.status.clone(),
            external_id: new.external_id.clone(),
            body: new.body.clone(),
            received_at: self.now,
        };
        if !self.keep_fact(new.task, fact.clone()) {
            return FactOutcome::Duplicate;
        }
        let now = self.now;
        let Some(key) = new.task else { return FactOutcome::Unmatched };
        if let Some(task) = self.tasks.get_mut(&key) {
            task.signals = task.signals.saturating_add(1);
            let wakes = matches!(task.state, TaskState::Waiting | TaskState::Parked);
            let lane = task.lane;
            if wakes {
                task.queue(now);
            }
            return FactOutcome::Stored { woken: wakes.then_some(DueTask { key, lane }) };
        }
        if !self.purchases.contains_key(&key.purchase) {
            return FactOutcome::Unmatched;
        }
        if let Some(cause) = self.contradiction(key.purchase, &fact) {
            self.open_case(key.purchase, cause);
        }
        FactOutcome::Stored { woken: None }
    }

    /// Keeps a fact; false when it was there already.
    pub(super) fn keep_fact(&mut self, about: Option<TaskKey>, fact: Fact) -> bool {
        let key = (
            fact.source.clone(),
            fact.kind.clone(),
            fact.reference.clone(),
            fact.status.clone(),
            fact.external_id.clone(),
        );
        if !self.fact_keys.insert(key) {
            return false;
        }
        if let Some(row) = about.and_then(|key| self.purchases.get_mut(&key.purchase)) {
            row.facts.push(StoredFact { about, fact });
        }
        true
    }

    /// What a contrary fact means for a track that has ended; `None` when it says nothing new.
    pub(super) fn contradiction(&self, id: PurchaseId, fact: &Fact) -> Option<&'static str> {
        let row = self.purchases.get(&id)?;
        let progress = &row.purchase.progress;
        let vend = row
            .journal
            .iter()
            .rev()
            .find(|entry| {
                entry.view.kind == TaskKind::Dispense && entry.view.outcome == "dispensed"
            })
            .map(|entry| row.purchase.order.vend_ref(entry.view.ref_no));
        let same_vend = vend.map(|vend| vend == fact.reference);
        let refusals = ["2201", "2210", "2213", "2214", "2225", "2242"];
        let refused = refusals.contains(&fact.status.as_str());
        // The answer of a call carries its claim's token there, not the supplier's reference.
        let other_goods = fact.source != "call"
            && !fact.external_id.is_empty()
            && progress.supplier_ref.as_ref().is_some_and(|known| *known != fact.external_id);
        match (fact.kind.as_str(), fact.status.as_str()) {
            ("vend", "0000") if progress.dispense == DispenseState::Failed => {
                Some("the supplier says dispensed, but the purchase had failed")
            }
            ("vend", "0000")
                if progress.dispense == DispenseState::Dispensed && same_vend == Some(false) =>
            {
                Some("the supplier says dispensed under a second vend reference")
            }
            ("vend", "0000") if progress.dispense == DispenseState::Dispensed && other_goods => {
                Some("the supplier says dispensed twice under one vend reference")
            }
            ("vend", _)
                if refused
                    && progress.dispense == DispenseState::Dispensed
                    && same_vend == Some(true) =>
            {
                Some("the supplier says refused, but the purchase had been dispensed")
            }
            ("reserve", "0000")
                if matches!(progress.reserve, ReserveState::Refused | ReserveState::Failed) =>
            {
                Some("the funding source says reserved, but the purchase had ended without funds")
            }
            ("mo_charge" | "card_payment", status) => charge_contradiction(fact, status, progress),
            ("card_sale", status) => sale_contradiction(fact, status, progress),
            _ => None,
        }
    }

    pub(super) fn open_case(&mut self, id: PurchaseId, cause: &str) {
        let Some(row) = self.purchases.get(&id) else { return };
        let at_risk = Some(row.purchase.order.reserved());
        let slots =
            self.tasks.keys().filter(|key| key.purchase == id && key.kind == TaskKind::Case);
        let slot = slots.map(|key| key.slot).max().map_or(0, |slot| slot.saturating_add(1));
        let key = TaskKey { purchase: id, kind: TaskKind::Case, slot };
        let lane = fleet_domain::LaneId(0);
        let made = fleet_domain::FollowUp {
            kind: TaskKind::Case,
            slot,
            lane,
            start_by: None,
            deadline_at: None,
        };
        let parked = Parked {
            class: ParkClass::UnknownOutcome,
            cause: cause.to_owned(),
            at_risk,
            at: self.now,
        };
        let task = Task {
            state: TaskState::Parked,
            due_at: later(self.now, REMINDER),
            hinted_at: None,
            parked: Some(parked),
            ..Task::queued(&made, self.now)
        };
        self.tasks.insert(key, task);
        let key = TaskKey { slot: 0, ..key };
        self.write_journal(key, None, 0, ("case_opened", cause));
    }
}

/// What a notification about a charge means once the purchase has its funds, or never gets any.
fn charge_contradiction(fact: &Fact, status: &str, progress: &Progress) -> Option<&'static str> {
    let charged = matches!(status, "CHARGED" | "success");
    let no_news = matches!(status, "PIN_USED" | "PIN_EXPIRED" | "PIN_NOT_FOUND");
    let ended = matches!(progress.reserve, ReserveState::Refused | ReserveState::Failed);
    let paid = progress.reserve == ReserveState::Charged;
    if charged && ended {
        return Some("the buyer was charged, they say, but the purchase had ended without funds");
    }
    if charged && paid && progress.reservation.as_ref().is_some_and(|id| *id != fact.external_id) {
        return Some("the buyer was charged twice, they say");
    }
    if !charged && !no_news && paid {
        return Some("the charge failed, they say, but the funding source had confirmed it");
    }
    None
}

/// The same of a card gateway, which proves the status that it tells, not the type.
fn sale_contradiction(fact: &Fact, status: &str, progress: &Progress) -> Option<&'static str> {
    let ended = matches!(progress.reserve, ReserveState::Refused | ReserveState::Failed);
    let paid = progress.reserve == ReserveState::Charged;
    let is_another = progress.reservation.as_ref().is_some_and(|id| *id != fact.external_id);
    match status {
        "sale:approved" if ended => {
            Some("the card was charged, but the purchase had ended without funds")
        }
        "sale:approved" if paid && is_another => Some("the card was charged twice"),
        "reversal:approved" | "chargeback:approved" if paid => {
            Some("the card payment was taken back (reversal or chargeback)")
        }
        "sale:declined" | "sale:filtered" | "sale:error" if paid => {
            Some("the sale failed, but the funding source had approved it")
        }
        _ => None,
    }
}
