//! The reserve task: hold the buyer's funds, or say why not.

use std::time::Duration;

use fleet_boot::Exchange;
use fleet_contracts::{BankReply, Outcome, codes, conclude};
use fleet_domain::{
    Answer, Change, Decision, Directory, Fact, FollowUp, Job, LaneId, LedgerEntry, Next, PlanClass,
    Private, ReserveEvent, ReserveState, TaskKind, Tries, between, later,
};
use fleet_engine::waiting::{cannot_tell, may_be_out, next_wait, unknown_outcome};
use fleet_engine::{Attempt, CallError, LEASE_EXTRA, Learnt, LookUp, Refusal, Step};

use crate::asked::{self, Wait};
use crate::{funds, sources};

/// Reserves funds at the purchase's funding source.
#[derive(Debug, Clone)]
pub struct Reserve {
    exchange: Exchange,
}

impl Reserve {
    /// A step that speaks through this exchange.
    #[must_use]
    pub const fn new(exchange: Exchange) -> Self {
        Self { exchange }
    }
}

impl Step for Reserve {
    const KIND: TaskKind = TaskKind::Reserve;
    type Reply = BankReply;

    fn longest_call(&self, directory: &Directory) -> Duration {
        sources::longest_call(directory)
    }

    fn longest_call_of(&self, directory: &Directory, lane: LaneId) -> Duration {
        sources::longest_call_of(directory, lane)
    }

    fn call_deadline(&self, directory: &Directory, job: &Job) -> Duration {
        sources::call_deadline(directory, job)
    }

    async fn call(
        &self,
        directory: &Directory,
        job: &Job,
        attempt: Attempt,
    ) -> Result<BankReply, CallError> {
        let connector = sources::connector(directory, job)?;
        sources::reserve(&self.exchange, connector, job, attempt).await
    }

    async fn look_up(
        &self,
        directory: &Directory,
        job: &Job,
        attempt: Attempt,
    ) -> Result<LookUp<BankReply>, CallError> {
        sources::look_up_reservation(&self.exchange, directory, job, attempt).await
    }

    fn read_fact(
        &self,
        directory: &Directory,
        job: &Job,
        fact: &Fact,
    ) -> Option<Learnt<BankReply>> {
        let connector = sources::connector(directory, job).ok();
        let told = || sources::read_notification(connector?, job, fact);
        match funds::read_fact("reserve", job, fact) {
            // A no that came too late says nothing of what another call has sent since, nor of what was
            // told meanwhile: who asks the buyer is asked again, or has the next word.
            Some(Learnt::Refused(_)) if connector.is_some_and(sources::asks_the_buyer) => None,
            learnt => learnt.or_else(told),
        }
    }

    fn decide(&self, directory: &Directory, job: &Job, learnt: Learnt<BankReply>) -> Decision {
        let owner = job.purchase.order.funding_source.as_str();
        match learnt {
            Learnt::Done(reply) => reserved(directory, job, reply),
            Learnt::Refused(refusal) => refused(directory, job, refusal),
            Learnt::Unknown { cause } => lost(directory, job, &cause),
            Learnt::Pending if sources::can_be_polled(directory, job) => {
                let change = track(job, ReserveEvent::Asked, None);
                asked::polls(directory, job, "the funding source works on it", change)
            }
            Learnt::Pending => lost(directory, job, "the funding source works on it"),
            Learnt::Asked { page } => asked(directory, job, page),
            Learnt::NotSent { cause, .. } if may_be_out(job) => lost(directory, job, &cause),
            Learnt::NotSent { cause, retry_after } => {
                let class = PlanClass::NotDone;
                match next_wait(directory, job, owner, class, retry_after) {
                    Some(wait) => {
                        let only = Decision::only(Next::Wait(wait), Tries::Count, "not_sent");
                        Decision { detail: cause, ..only }
                    }
                    None => gave_up(directory, job, codes::INTERNAL_TIMEOUT, "gave_up"),
                }
            }
            Learnt::NotDone => Decision {
                change: track(job, ReserveEvent::NotDone, None),
                ..Decision::only(Next::Wait(Duration::from_secs(1)), Tries::Restart, "not_found")
            },
            Learnt::CannotTell => match sources::connector(directory, job) {
                Ok(connector) if sources::is_given_back(connector, job) => {
                    asked::asks_somebody(&connector.name, job, None)
                }
                Ok(connector) => cannot_tell(connector, job, track(job, ReserveEvent::Lost, None)),
                Err(_) => lost(directory, job, "its connector is gone"),
            },
            Learnt::Ended(_) => gave_up(directory, job, codes::INTERNAL_TIMEOUT, "expired"),
        }
    }

    fn as_fact(&self, job: &Job, learnt: &Learnt<BankReply>) -> Option<Answer> {
        let reference = job.purchase.order.id.to_string();
        let (status, body) = match learnt {
            Learnt::Done(reply) => {
                (reply.response_code.clone(), serde_json::to_string(reply).unwrap_or_default())
            }
            Learnt::Refused(refusal) if !refusal.retryable => {
                let body = serde_json::json!({ "responseCode": refusal.code });
                (refusal.code.clone(), body.to_string())
            }
            Learnt::Refused(_)
            | Learnt::Unknown { .. }
            | Learnt::Pending
            | Learnt::Asked { .. }
            | Learnt::NotSent { .. }
            | Learnt::NotDone
            | Learnt::CannotTell
            | Learnt::Ended(_) => return None,
        };
        Some(Answer { kind: "reserve", reference, status, body: Private::new(body) })
    }
}

/// The track after an event; a contradiction leaves it alone (the store keeps the fact as a case).
fn track(job: &Job, event: ReserveEvent, code: Option<String>) -> Change {
    match job.purchase.progress.reserve.on(event) {
        Ok(state) => Change::Reserve { state, code, reservation: None, hold: None, page: None },
        Err(_) => Change::None,
    }
}

fn reserved(directory: &Directory, job: &Job, reply: BankReply) -> Decision {
    let order = &job.purchase.order;
    let Some(lane) = directory.lane_of(TaskKind::Dispense, &order.supplier) else {
        return lost(directory, job, "the supplier's lane is missing");
    };
    let source = directory.connectors.get(&order.funding_source);
    let charged = source.is_some_and(sources::charges_at_once);
    let hold = source.filter(|_| !charged).and_then(|c| c.hold);
    let margin = source.map_or(Duration::ZERO, |c| c.hold_margin);
    let hold = hold.map(|hold| hold.saturating_sub(hold_age(job)));
    let supplier = directory.connectors.get(&order.supplier);
    let lease = supplier.map_or(LEASE_EXTRA, |c| c.call_deadline.saturating_add(LEASE_EXTRA));
    let start_by = match hold {
        Some(hold) => later(job.task.now, hold.saturating_sub(lease).saturating_sub(margin)),
        // The purchase's time went by while the buyer thought it over: it begins anew.
        None if source.is_some_and(sources::asks_the_buyer) => {
            later(job.task.now, between(job.purchase.progress.created_at, order.start_by))
        }
        None => order.start_by,
    };
    let follow_up = FollowUp {
        kind: TaskKind::Dispense,
        slot: 0,
        lane,
        start_by: Some(start_by),
        deadline_at: None,
    };
    let (entries, outcome): (&[LedgerEntry], _) = if charged {
        (&[LedgerEntry::Reserved, LedgerEntry::Captured], "charged")
    } else {
        (&[LedgerEntry::Reserved], "reserved")
    };
    Decision {
        change: Change::Reserve {
            state: if charged { ReserveState::Charged } else { ReserveState::Reserved },
            code: Some(reply.response_code),
            reservation: reply.reserve_funds_txn_ref,
            hold,
            page: None,
        },
        follow_ups: vec![follow_up],
        ledger: entries.iter().map(|entry| (*entry, order.reserved())).collect(),
        ..Decision::only(Next::Finish, Tries::Count, outcome)
    }
}

/// The buyer decides; who never does has not paid.
fn asked(directory: &Directory, job: &Job, page: Option<Private>) -> Decision {
    let Ok(connector) = sources::connector(directory, job) else {
        return lost(directory, job, "its connector is gone");
    };
    if sources::can_be_polled(directory, job) {
        let change = track(job, ReserveEvent::Asked, None);
        return Decision { change, ..Decision::only(Next::Now, Tries::Restart, "buyer_asked") };
    }
    let told = sources::told(directory, job);
    let change = asked_change(job, page.clone());
    if let Some(decision) = asked::unconfirmed(directory, job, told, None, change) {
        return decision;
    }
    let left = match asked::wait(connector, job) {
        Wait::For(left) => left,
        Wait::IsOver => return gave_up(directory, job, asked::SILENT, "buyer_silent"),
        Wait::AskSomebody => return asked::asks_somebody(&connector.name, job, None),
    };
    asked::waits(left, asked_change(job, page))
}

fn asked_change(job: &Job, page: Option<Private>) -> Change {
    let mut change = track(job, asked::event(job), None);
    if let Change::Reserve { page: told, .. } = &mut change {
        *told = page;
    }
    change
}

/// How long the funds may have been held already: since this claim's call, or, when another attempt
/// brought them, since the purchase was accepted at the earliest.
fn hold_age(job: &Job) -> Duration {
    let by_this_call = !may_be_out(job) && job.facts.is_empty();
    if by_this_call {
        return Duration::ZERO;
    }
    between(job.purchase.progress.created_at, job.task.now)
}

fn refused(directory: &Directory, job: &Job, refusal: Refusal) -> Decision {
    if !refusal.retryable {
        let mut decision = ended(directory, job, &refusal.code, ReserveEvent::Refused);
        decision.outcome = "refused";
        if let Some(own_code) = refusal.own_code {
            decision.detail = format!("{} (the source said {own_code})", refusal.code);
        }
        return decision;
    }
    let owner = &job.purchase.order.funding_source;
    match next_wait(directory, job, owner, PlanClass::NotDone, refusal.retry_after) {
        Some(wait) => Decision {
            detail: refusal.code,
            ..Decision::only(Next::Wait(wait), Tries::Count, "refused_for_now")
        },
        None => gave_up(directory, job, &refusal.code, "gave_up"),
    }
}

fn lost(directory: &Directory, job: &Job, cause: &str) -> Decision {
    let change = track(job, ReserveEvent::Lost, None);
    if may_be_out(job) {
        let told = sources::told(directory, job);
        let change = change.clone();
        if let Some(decision) = asked::unconfirmed(directory, job, told, Some(cause), change) {
            return decision;
        }
    }
    if sources::can_be_polled(directory, job) {
        return asked::polls(directory, job, cause, change);
    }
    unknown_outcome(directory, job, &job.purchase.order.funding_source, cause, change)
}

fn gave_up(directory: &Directory, job: &Job, code: &str, outcome: &'static str) -> Decision {
    let mut decision = ended(directory, job, code, ReserveEvent::GaveUp);
    decision.outcome = outcome;
    decision
}

/// No funds, no goods: the purchase ends here and the client is told.
fn ended(directory: &Directory, job: &Job, code: &str, event: ReserveEvent) -> Decision {
    let code = codes::told_of_funds(code);
    let outcome = Outcome::failed(code);
    let (deliveries, follow_ups) = conclude(directory, &job.purchase, &outcome, job.task.now);
    Decision {
        change: track(job, event, Some(code.to_owned())),
        deliveries,
        follow_ups,
        detail: code.to_owned(),
        ..Decision::only(Next::Finish, Tries::Count, "ended")
    }
}
