//! The dispense task: one vend at a time, each under its own reference, never guessed.

use std::time::Duration;

use fleet_boot::Exchange;
use fleet_contracts::{Outcome, VendReply, codes, conclude};
use fleet_domain::{
    Answer, Change, Connector, Decision, Directory, DispenseEvent, DispenseState, Fact, FollowUp,
    Inquiry, Job, LaneId, LedgerEntry, Money, Next, ParkClass, Party, PlanClass, Private,
    ReserveState, Scenario, SettleAs, TaskKind, Tries,
};
use fleet_engine::waiting::{at_risk, cannot_tell, may_be_out, next_wait, unknown_outcome};
use fleet_engine::{Attempt, CallError, Learnt, LookUp, Refusal, Step, connectors};

use crate::suppliers;

/// Dispenses at the purchase's supplier.
#[derive(Debug, Clone)]
pub struct Dispense {
    exchange: Exchange,
}

impl Dispense {
    /// A step that speaks through this exchange.
    #[must_use]
    pub const fn new(exchange: Exchange) -> Self {
        Self { exchange }
    }
}

impl Step for Dispense {
    const KIND: TaskKind = TaskKind::Dispense;
    type Reply = VendReply;

    fn longest_call(&self, directory: &Directory) -> Duration {
        directory.longest_call(Party::Supplier)
    }

    fn longest_call_of(&self, directory: &Directory, lane: LaneId) -> Duration {
        directory.longest_call_of(lane, Party::Supplier)
    }

    fn call_deadline(&self, directory: &Directory, job: &Job) -> Duration {
        connectors::call_deadline(suppliers::connector(directory, job))
    }

    async fn call(
        &self,
        directory: &Directory,
        job: &Job,
        attempt: Attempt,
    ) -> Result<VendReply, CallError> {
        let connector = suppliers::connector(directory, job)?;
        suppliers::vend(&self.exchange, connector, job, attempt).await
    }

    async fn look_up(
        &self,
        directory: &Directory,
        job: &Job,
        attempt: Attempt,
    ) -> Result<LookUp<VendReply>, CallError> {
        let connector = suppliers::connector(directory, job)?;
        suppliers::look_up(&self.exchange, connector, job, attempt).await
    }

    fn read_fact(
        &self,
        directory: &Directory,
        job: &Job,
        fact: &Fact,
    ) -> Option<Learnt<VendReply>> {
        let order = &job.purchase.order;
        let is_ours = (0..=job.task.ref_no).any(|number| fact.reference == order.vend_ref(number));
        if fact.kind != "vend" || !is_ours || !order.is_told_by(Self::KIND, &fact.source) {
            return None;
        }
        let reply = VendReply::from_bytes(fact.body.expose().as_bytes()).ok()?;
        let connector = suppliers::connector(directory, job).ok()?;
        let learnt = suppliers::learnt(connector, reply);
        let is_current = fact.reference == order.vend_ref(job.task.ref_no);
        match learnt {
            // Goods that are out are out, whichever vend they came from.
            Learnt::Done(_) => Some(learnt),
            Learnt::Refused(_) if is_current => Some(learnt),
            Learnt::Refused(_)
            | Learnt::Unknown { .. }
            | Learnt::Pending
            | Learnt::Asked { .. }
            | Learnt::NotSent { .. }
            | Learnt::NotDone
            | Learnt::CannotTell
            | Learnt::Ended(_) => None,
        }
    }

    fn decide(&self, directory: &Directory, job: &Job, learnt: Learnt<VendReply>) -> Decision {
        let owner = job.purchase.order.supplier.as_str();
        match learnt {
            Learnt::Done(reply) => dispensed(directory, job, &reply),
            Learnt::Refused(refusal) => refused(directory, job, refusal),
            Learnt::Unknown { cause } => lost(directory, job, &cause),
            Learnt::Pending | Learnt::Asked { .. } => pending(directory, job),
            Learnt::NotSent { cause, .. } if may_be_out(job) => lost(directory, job, &cause),
            Learnt::NotSent { cause, retry_after } => {
                match next_wait(directory, job, owner, PlanClass::NotDone, retry_after) {
                    Some(wait) => {
                        let only = Decision::only(Next::Wait(wait), Tries::Count, "not_sent");
                        Decision { detail: cause, ..only }
                    }
                    None => failed(directory, job, codes::SUPPLIER_COULD_NOT, None, "gave_up"),
                }
            }
            // The same reference again: the supplier does not know it, so nothing was dispensed.
            Learnt::NotDone => Decision {
                change: track(job, DispenseEvent::NotDone),
                ..Decision::only(Next::Wait(Duration::from_secs(1)), Tries::Restart, "not_found")
            },
            Learnt::CannotTell => match suppliers::connector(directory, job) {
                Ok(connector) => cannot_tell(connector, job, silent_state(connector, job)),
                Err(_) => lost(directory, job, "its connector is gone"),
            },
            Learnt::Ended(_) => failed(directory, job, codes::SUPPLIER_COULD_NOT, None, "expired"),
        }
    }

    fn as_fact(&self, job: &Job, learnt: &Learnt<VendReply>) -> Option<Answer> {
        let reference = job.purchase.order.vend_ref(job.task.ref_no);
        let (status, body) = match learnt {
            // The contract's code, whatever word the supplier has for it.
            Learnt::Done(reply) => {
                (codes::OK.to_owned(), serde_json::to_string(reply).unwrap_or_default())
            }
            Learnt::Refused(refusal) if refusal.reference_used => {
                let own_code = refusal.own_code.as_ref().unwrap_or(&refusal.code);
                let body = serde_json::json!({ "responseCode": own_code });
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
        Some(Answer { kind: "vend", reference, status, body: Private::new(body) })
    }
}

fn track(job: &Job, event: DispenseEvent) -> Change {
    match job.purchase.progress.dispense.on(event) {
        Ok(state) => Change::dispense(state),
        Err(_) => Change::None,
    }
}

/// A supplier that confirms by callback and has accepted the vend is pending; any other that stays
/// silent is unknown.
fn silent_state(connector: &Connector, job: &Job) -> Change {
    let accepted = job.purchase.progress.dispense == DispenseState::Pending
        && connector.inquiry == Inquiry::Callback;
    track(job, if accepted { DispenseEvent::Accepted } else { DispenseEvent::Lost })
}

fn dispensed(directory: &Directory, job: &Job, reply: &VendReply) -> Decision {
    let order = &job.purchase.order;
    let odd = odd_amount(job, reply);
    let told = reply.vend_amount.filter(|_| odd.is_none());
    let vend_amount = told.or(Some(order.purchase_amount));
    let outcome = Outcome {
        code: codes::OK.to_owned(),
        vend_amount,
        voucher: reply.voucher(),
        reservation: None,
    };
    let mut decision = concluded(directory, job, &outcome, SettleAs::Capture);
    if decision.next != Next::Finish {
        return decision;
    }
    decision.change = Change::Dispense {
        state: DispenseState::Dispensed,
        code: Some(outcome.code),
        supplier_code: None,
        supplier_ref: reply.supplier_ref.clone(),
        vend_amount,
        voucher: outcome.voucher,
        settle_as: settle_as(job, SettleAs::Capture),
    };
    decision.outcome = "dispensed";
    if reply.odd_amount {
        "vendAmount is left out: it is no amount".clone_into(&mut decision.detail);
    }
    decision.case = odd.map(|odd| format!("{} told a vend amount {odd}", order.supplier));
    decision
}

/// What is wrong with the amount that the supplier says it vended. The goods are out all the same, but
/// neither client nor bank is told such an amount before a person has looked at it.
fn odd_amount(job: &Job, reply: &VendReply) -> Option<&'static str> {
    match reply.vend_amount {
        Some(amount) if amount < 0 => Some("below zero"),
        Some(amount) if amount > job.purchase.order.purchase_amount => {
            Some("above what was asked for")
        }
        Some(_) | None => None,
    }
}

fn refused(directory: &Directory, job: &Job, refusal: Refusal) -> Decision {
    if !refusal.retryable {
        return failed(directory, job, &refusal.code, refusal.own_code, "refused");
    }
    let owner = &job.purchase.order.supplier;
    match next_wait(directory, job, owner, PlanClass::NotDone, refusal.retry_after) {
        Some(wait) => Decision {
            new_reference: refusal.reference_used,
            change: track(job, DispenseEvent::NotDone),
            detail: refusal.code,
            ..Decision::only(Next::Wait(wait), Tries::Count, "refused_for_now")
        },
        None => failed(directory, job, &refusal.code, refusal.own_code, "gave_up"),
    }
}

fn pending(directory: &Directory, job: &Job) -> Decision {
    let owner = &job.purchase.order.supplier;
    let next = next_wait(directory, job, owner, PlanClass::Pending, None).map_or_else(
        || Next::Park {
            class: ParkClass::UnknownOutcome,
            cause: format!("{owner} still says pending after all look-ups"),
            at_risk: Some(at_risk(job)),
        },
        Next::Wait,
    );
    Decision {
        change: track(job, DispenseEvent::Accepted),
        ..Decision::only(next, Tries::Count, "pending")
    }
}

fn lost(directory: &Directory, job: &Job, cause: &str) -> Decision {
    let owner = &job.purchase.order.supplier;
    unknown_outcome(directory, job, owner, cause, track(job, DispenseEvent::Lost))
}

/// Known not to be dispensed, for good: the hold is cancelled and the client told.
fn failed(
    directory: &Directory,
    job: &Job,
    code: &str,
    own_code: Option<String>,
    word: &'static str,
) -> Decision {
    let told = codes::told_of_goods(code);
    let own_code = own_code.or_else(|| (told != code).then(|| code.to_owned()));
    let outcome = Outcome::failed(told);
    let mut decision = concluded(directory, job, &outcome, SettleAs::Cancel);
    if decision.next != Next::Finish {
        return decision;
    }
    decision.change = Change::Dispense {
        state: DispenseState::Failed,
        code: Some(told.to_owned()),
        supplier_code: own_code,
        supplier_ref: None,
        vend_amount: None,
        voucher: None,
        settle_as: settle_as(job, SettleAs::Cancel),
    };
    decision.outcome = word;
    decision.detail = code.to_owned();
    decision
}

/// In scenario A the client settles its own reservation; money that was taken at once is not
/// settled, it stays or goes back.
fn settle_as(job: &Job, settle_as: SettleAs) -> Option<SettleAs> {
    match job.purchase.order.scenario {
        Scenario::WeReserve if !is_charged(job) => Some(settle_as),
        Scenario::WeReserve | Scenario::ClientReserved => None,
    }
}

fn is_charged(job: &Job) -> bool {
    job.purchase.progress.reserve == ReserveState::Charged
}

/// What happens to the money once the goods are out, or never will be: a task for the funding
/// source, or the end of a charge in the books.
fn money_task(job: &Job, wanted: SettleAs) -> (Option<TaskKind>, Vec<(LedgerEntry, Money)>) {
    match wanted {
        SettleAs::Capture if is_charged(job) => {
            (None, vec![(LedgerEntry::Kept, job.purchase.order.reserved())])
        }
        SettleAs::Cancel if is_charged(job) => (Some(TaskKind::Refund), Vec::new()),
        SettleAs::Capture | SettleAs::Cancel => {
            (settle_as(job, wanted).map(|_| TaskKind::Settle), Vec::new())
        }
    }
}

fn concluded(directory: &Directory, job: &Job, outcome: &Outcome, wanted: SettleAs) -> Decision {
    let order = &job.purchase.order;
    let (deliveries, mut follow_ups) = conclude(directory, &job.purchase, outcome, job.task.now);
    let (task, ledger) = money_task(job, wanted);
    if let Some(kind) = task {
        let Some(lane) = directory.lane_of(kind, &order.funding_source) else {
            let cause = format!("no lane for {}: import its connector", order.funding_source);
            let park =
                Next::Park { class: ParkClass::OurFault, cause, at_risk: Some(at_risk(job)) };
            return Decision::only(park, Tries::Keep, "no_lane");
        };
        follow_ups.push(FollowUp { kind, slot: 0, lane, start_by: None, deadline_at: None });
    }
    let only = Decision::only(Next::Finish, Tries::Count, "concluded");
    Decision { deliveries, follow_ups, ledger, ..only }
}
