//! Facts, and what they mean for a task that is gone.

use std::time::Duration;

use fleet_domain::{
    DispenseState, DueTask, Fact, FactOutcome, NewFact, ParkClass, Progress, PurchaseId,
    ReserveState, TaskKey, TaskKind, TaskState, UNMATCHED_KEPT, UNSIGNED_KEPT, is_signed, later,
};

use super::model::{FactKey, Model, Parked, REMINDER, StoredFact, Task};

/// What was asked within this time counts for the source's budget.
const ASKED_JUST_NOW: Duration = Duration::from_secs(60);

impl Model {
    pub(super) fn store_fact(&mut self, new: &NewFact) -> FactOutcome {
        let about = new.task.filter(|key| self.may_tell(*key, &new.source));
        if !self.knows_fact(about.is_some(), new) {
            return FactOutcome::Duplicate;
        }
        let Some(key) = about else {
            self.bound_unmatched(new);
            return FactOutcome::Unmatched;
        };
        let fact = Fact {
            source: new.source.clone(),
            kind: new.kind.clone(),
            reference: new.reference.clone(),
            status: new.status.clone(),
            external_id: new.external_id.clone(),
            body: new.body.clone(),
            received_at: self.now,
            asks: 0,
            asked_at: None,
        };
        self.keep_fact(key, fact.clone(), new.meaning.expose());
        if !is_signed(&new.source) {
            self.bound_unsigned(key);
        }
        let now = self.now;
        if let Some(task) = self.tasks.get_mut(&key) {
            task.signals = task.signals.saturating_add(1);
            let wakes = matches!(task.state, TaskState::Waiting | TaskState::Parked);
            let lane = task.lane;
            if wakes {
                task.queue(now);
            }
            return FactOutcome::Stored { woken: wakes.then_some(DueTask { key, lane }) };
        }
        if let Some(cause) = self.contradiction(key.purchase, &fact) {
            self.open_case(key.purchase, cause);
        }
        FactOutcome::Stored { woken: None }
    }

    fn may_tell(&self, key: TaskKey, source: &str) -> bool {
        let row = self.purchases.get(&key.purchase);
        row.is_some_and(|row| row.purchase.order.is_told_by(key.kind, source))
    }

    /// Marks a fact as known; false when it was so already. One of nobody that names a purchase by now
    /// is new to that.
    fn knows_fact(&mut self, has_purchase: bool, new: &NewFact) -> bool {
        let key = key_of(new);
        match self.fact_keys.get_mut(&key) {
            Some(known) if *known || !has_purchase => return false,
            Some(known) => {
                *known = true;
                if let Some(unmatched) = self.unmatched.get_mut(&new.source) {
                    unmatched.retain(|one| *one != key);
                }
            }
            None => {
                self.fact_keys.insert(key, has_purchase);
            }
        }
        true
    }

    /// As `fleet_bound_unmatched`.
    fn bound_unmatched(&mut self, new: &NewFact) {
        let unmatched = self.unmatched.entry(new.source.clone()).or_default();
        unmatched.push_back(key_of(new));
        if unmatched.len() > UNMATCHED_KEPT
            && let Some(oldest) = unmatched.pop_front()
        {
            self.fact_keys.remove(&oldest);
        }
    }

    /// As `fleet_bound_unsigned`. No person matches facts here.
    fn bound_unsigned(&mut self, key: TaskKey) {
        let now = self.now;
        let Some(row) = self.purchases.get_mut(&key.purchase) else { return };
        let paid = row.purchase.progress.reservation.clone();
        let is_bound = |stored: &StoredFact| {
            let fact = &stored.fact;
            let is_paid = !fact.external_id.is_empty() && Some(&fact.external_id) == paid.as_ref();
            stored.about == key && !is_signed(&fact.source) && !is_paid
        };
        let (mut places, mut fresh) = (Vec::new(), 0_usize);
        for (place, stored) in row.facts.iter().enumerate().filter(|(_, one)| is_bound(one)) {
            let rank = match stored.fact.asked_at {
                Some(at) if later(at, ASKED_JUST_NOW) < now => 0,
                Some(_) => 2,
                None => {
                    fresh = fresh.saturating_add(1);
                    if fresh > UNSIGNED_KEPT / 2 { 1 } else { 3 }
                }
            };
            places.push((rank, place));
        }
        if places.len() <= UNSIGNED_KEPT {
            return;
        }
        // The one that has just come stays.
        let newest = row.facts.len().saturating_sub(1);
        places.retain(|(_, place)| *place != newest);
        if let Some((_, place)) = places.into_iter().min() {
            let StoredFact { meaning, fact, .. } = row.facts.remove(place);
            let Fact { source, kind, reference, status, external_id, .. } = fact;
            let key = [source, kind, reference, status, external_id, meaning];
            self.fact_keys.remove(&key);
        }
    }

    /// The source was asked about a transaction and did not confirm it.
    pub(super) fn mark_asked(&mut self, key: TaskKey, asked: &str) {
        let now = self.now;
        let Some(row) = self.purchases.get_mut(&key.purchase) else { return };
        let mut is_there = false;
        for stored in row.facts.iter_mut().filter(|stored| stored.about == key) {
            if stored.fact.external_id == asked {
                is_there = true;
                stored.fact.asks = stored.fact.asks.saturating_add(1);
                stored.fact.asked_at = Some(now);
            }
        }
        if is_there {
            return;
        }
        // It may have given way to others meanwhile: the source's budget is then counted by another.
        let unsigned = row.facts.iter_mut().filter(|one| one.about == key);
        let unsigned = unsigned.filter(|one| !is_signed(&one.fact.source));
        if let Some(other) = unsigned.max_by_key(|one| one.fact.asked_at.is_some()) {
            other.fact.asked_at = Some(now);
        }
    }

    /// Keeps a fact with its purchase.
    pub(super) fn keep_fact(&mut self, about: TaskKey, fact: Fact, meaning: &str) {
        if let Some(row) = self.purchases.get_mut(&about.purchase) {
            row.facts.push(StoredFact { about, meaning: meaning.to_owned(), fact });
        }
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
            ("mo_charge" | "card_payment", status) if is_other_word(fact) => {
                other_contradiction(fact, status, progress)
            }
            ("mo_charge" | "card_payment", status) => charge_contradiction(fact, status, progress),
            ("card_sale", status) => sale_contradiction(fact, status, progress),
            _ => None,
        }
    }

    pub(super) fn open_case(&mut self, id: PurchaseId, cause: &str) {
        let Some(row) = self.purchases.get(&id) else { return };
        let at_risk = Some(row.purchase.order.reserved());
        let is_open = |(key, task): (&TaskKey, &Task)| {
            key.purchase == id
                && key.kind == TaskKind::Case
                && task.parked.as_ref().is_some_and(|parked| parked.cause == cause)
        };
        if self.tasks.iter().any(is_open) {
            return;
        }
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

fn key_of(new: &NewFact) -> FactKey {
    let NewFact { source, kind, reference, status, external_id, meaning, .. } = new.clone();
    [source, kind, reference, status, external_id, meaning.expose().to_owned()]
}

/// As `fleet_is_other_word`.
pub(super) fn is_other_word(fact: &Fact) -> bool {
    let status = fact.status.as_str();
    match fact.kind.as_str() {
        "card_payment" => !matches!(status, "success" | "failed"),
        "mo_charge" => status.starts_with("success:") || status.starts_with("error:"),
        _ => false,
    }
}

/// What a word of no document means then: it may tell of a charge that nobody knows of, or that money
/// went back.
fn other_contradiction(fact: &Fact, status: &str, progress: &Progress) -> Option<&'static str> {
    let ended = matches!(progress.reserve, ReserveState::Refused | ReserveState::Failed);
    let is_another = !fact.external_id.is_empty()
        && progress.reservation.as_ref().is_some_and(|id| *id != fact.external_id);
    let is_another_type = fact.kind == "card_payment" && status.contains(':');
    let paid = progress.reserve == ReserveState::Charged;
    (ended || paid && (is_another || is_another_type))
        .then_some("they tell of a payment that has ended in a word of no document: ask the source")
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
        "reversal:approved" if paid => Some("the card payment was taken back by a reversal"),
        "chargeback:approved" if paid => Some("the card payment was taken back by a chargeback"),
        "sale:declined" | "sale:filtered" | "sale:error" if paid => {
            Some("the sale failed, but the funding source had approved it")
        }
        _ => None,
    }
}
