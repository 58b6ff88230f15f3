//! The refund task: money that was taken at once goes back, because nothing was dispensed. It never
//! ends in silence: what cannot go back is owed, and a person must look.

use std::time::Duration;

use fleet_boot::Exchange;
use fleet_contracts::{BankReply, codes};
use fleet_domain::{
    Answer, Change, Decision, Directory, Fact, Job, LedgerEntry, Next, ParkClass, PlanClass,
    Private, SettleEvent, SettleState, TaskKind, Tries,
};
use fleet_engine::waiting::{at_risk, may_be_out, next_wait, unknown_outcome};
use fleet_engine::{Attempt, CallError, Learnt, LookUp, Step};

use crate::sources;

/// Refunds at the purchase's funding source.
#[derive(Debug, Clone)]
pub struct Refund {
    exchange: Exchange,
}

impl Refund {
    /// A step that speaks through this exchange.
    #[must_use]
    pub const fn new(exchange: Exchange) -> Self {
        Self { exchange }
    }
}

impl Step for Refund {
    const KIND: TaskKind = TaskKind::Refund;
    type Reply = BankReply;

    fn longest_call(&self, directory: &Directory) -> Duration {
        sources::longest_call(directory)
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
        sources::refund(&self.exchange, connector, job, attempt).await
    }

    /// The source answers the same refund again with its first answer.
    async fn look_up(
        &self,
        directory: &Directory,
        job: &Job,
        attempt: Attempt,
    ) -> Result<LookUp<BankReply>, CallError> {
        LookUp::from_repeated(self.call(directory, job, attempt).await)
    }

    fn read_fact(&self, _: &Directory, job: &Job, fact: &Fact) -> Option<Learnt<BankReply>> {
        if fact.kind != "refund" || fact.reference != job.purchase.order.id.to_string() {
            return None;
        }
        let reply: BankReply = serde_json::from_str(fact.body.expose()).ok()?;
        (codes::bank_meaning(&reply.response_code) == codes::BankMeaning::Done)
            .then_some(Learnt::Done(reply))
    }

    fn decide(&self, directory: &Directory, job: &Job, learnt: Learnt<BankReply>) -> Decision {
        match learnt {
            Learnt::Done(_) => refunded(job),
            Learnt::Refused(refusal) if !refusal.retryable => owed(job, &refusal.code),
            Learnt::Refused(refusal) => again(directory, job, refusal.code, refusal.retry_after),
            Learnt::NotSent { cause, retry_after } if !may_be_out(job) => {
                again(directory, job, cause, retry_after)
            }
            Learnt::NotSent { cause, .. } | Learnt::Unknown { cause } => {
                lost(directory, job, &cause)
            }
            Learnt::Pending => lost(directory, job, "the funding source works on it"),
            Learnt::CannotTell => lost(directory, job, "the funding source cannot tell"),
            Learnt::NotDone | Learnt::Ended(_) => {
                Decision::only(Next::Wait(Duration::from_secs(1)), Tries::Count, "not_found")
            }
        }
    }

    fn as_fact(&self, job: &Job, learnt: &Learnt<BankReply>) -> Option<Answer> {
        let Learnt::Done(reply) = learnt else { return None };
        Some(Answer {
            kind: "refund",
            reference: job.purchase.order.id.to_string(),
            status: reply.response_code.clone(),
            body: Private::new(serde_json::to_string(reply).unwrap_or_default()),
        })
    }
}

fn track(job: &Job, event: SettleEvent) -> Change {
    match job.purchase.progress.settle.on(event) {
        Ok(state) => Change::Settle { state },
        Err(_) => Change::None,
    }
}

fn refunded(job: &Job) -> Decision {
    let entry = match job.purchase.progress.settle {
        SettleState::Owed => LedgerEntry::Repaid,
        SettleState::NotStarted
        | SettleState::Unknown
        | SettleState::Captured
        | SettleState::Cancelled
        | SettleState::Refused
        | SettleState::Refunded => LedgerEntry::Refunded,
    };
    Decision {
        change: track(job, SettleEvent::Refunded),
        ledger: vec![(entry, job.purchase.order.reserved())],
        ..Decision::only(Next::Finish, Tries::Count, "refunded")
    }
}

/// Known not to have gone back, and it will not by itself.
fn owed(job: &Job, code: &str) -> Decision {
    let park = Next::Park {
        class: ParkClass::OwedToBuyer,
        cause: format!("paid and not dispensed; the refund is refused with {code}: pay it back"),
        at_risk: Some(at_risk(job)),
    };
    // A case that is tried again stands in the books already.
    let ledger = match job.purchase.progress.settle {
        SettleState::Owed => Vec::new(),
        SettleState::NotStarted
        | SettleState::Unknown
        | SettleState::Captured
        | SettleState::Cancelled
        | SettleState::Refused
        | SettleState::Refunded => vec![(LedgerEntry::Owed, job.purchase.order.reserved())],
    };
    Decision {
        change: track(job, SettleEvent::Owed),
        ledger,
        detail: code.to_owned(),
        ..Decision::only(park, Tries::Count, "owed_to_buyer")
    }
}

fn again(directory: &Directory, job: &Job, cause: String, asked: Option<Duration>) -> Decision {
    let owner = &job.purchase.order.funding_source;
    match next_wait(directory, job, owner, PlanClass::NotDone, asked) {
        Some(wait) => Decision {
            detail: cause,
            ..Decision::only(Next::Wait(wait), Tries::Count, "not_refunded_yet")
        },
        None => owed(job, "all tries used up"),
    }
}

fn lost(directory: &Directory, job: &Job, cause: &str) -> Decision {
    let owner = &job.purchase.order.funding_source;
    unknown_outcome(directory, job, owner, cause, track(job, SettleEvent::Lost))
}
