//! The settle task: capture or cancel the hold, as the dispense track decided. It never changes
//! fulfilment and never ends while a hold may exist.

use std::time::Duration;

use fleet_boot::Exchange;
use fleet_contracts::{BankReply, codes};
use fleet_domain::{
    Answer, Change, Decision, Directory, Fact, Job, LedgerEntry, Next, ParkClass, PlanClass,
    Private, SettleAs, SettleEvent, SettleState, TaskKind, Tries,
};
use fleet_engine::waiting::{at_risk, may_be_out, next_wait, unknown_outcome};
use fleet_engine::{Attempt, CallError, Learnt, LookUp, Step};

use crate::sources;

/// Settles at the purchase's funding source.
#[derive(Debug, Clone)]
pub struct Settle {
    exchange: Exchange,
}

impl Settle {
    /// A step that speaks through this exchange.
    #[must_use]
    pub const fn new(exchange: Exchange) -> Self {
        Self { exchange }
    }
}

impl Step for Settle {
    const KIND: TaskKind = TaskKind::Settle;
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
        if job.purchase.progress.settle_as.is_none() {
            let cause = "nothing says whether to capture or to cancel".to_owned();
            return Err(CallError::NotSent { cause, retry_after: None });
        }
        let connector = sources::connector(directory, job)?;
        sources::settle(&self.exchange, connector, job, attempt).await
    }

    /// The bank answers the same result again with its first answer, so asking is telling it again.
    async fn look_up(
        &self,
        directory: &Directory,
        job: &Job,
        attempt: Attempt,
    ) -> Result<LookUp<BankReply>, CallError> {
        LookUp::from_repeated(self.call(directory, job, attempt).await)
    }

    fn read_fact(&self, _: &Directory, job: &Job, fact: &Fact) -> Option<Learnt<BankReply>> {
        if fact.kind != "settle" || fact.reference != job.purchase.order.id.to_string() {
            return None;
        }
        let reply: BankReply = serde_json::from_str(fact.body.expose()).ok()?;
        match codes::bank_meaning(&reply.response_code) {
            codes::BankMeaning::Done => Some(Learnt::Done(reply)),
            codes::BankMeaning::Refused => Some(Learnt::Refused(sources::refusal(&reply))),
            codes::BankMeaning::Again => None,
        }
    }

    fn decide(&self, directory: &Directory, job: &Job, learnt: Learnt<BankReply>) -> Decision {
        match learnt {
            Learnt::Done(_) => settled(job),
            Learnt::Refused(refusal) if !refusal.retryable => refused(job, &refusal.code),
            Learnt::Refused(refusal) => again(directory, job, refusal.code, refusal.retry_after),
            Learnt::NotSent { cause, retry_after, .. } if !may_be_out(job) => {
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
            kind: "settle",
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

fn settled(job: &Job) -> Decision {
    let money = job.purchase.order.reserved();
    let (state, ledger, outcome) = match job.purchase.progress.settle_as {
        Some(SettleAs::Capture) => (
            SettleState::Captured,
            vec![(LedgerEntry::Captured, money), (LedgerEntry::Kept, money)],
            "captured",
        ),
        Some(SettleAs::Cancel) => {
            (SettleState::Cancelled, vec![(LedgerEntry::Cancelled, money)], "cancelled")
        }
        None => return refused(job, "nothing says whether to capture or to cancel"),
    };
    Decision {
        change: Change::Settle { state },
        ledger,
        ..Decision::only(Next::Finish, Tries::Count, outcome)
    }
}

/// The bank refuses to settle: the money is at risk and a person must look.
fn refused(job: &Job, code: &str) -> Decision {
    let cause = match job.purchase.progress.settle_as {
        Some(SettleAs::Capture) => {
            format!("capture refused with {code}: goods out, money not taken")
        }
        Some(SettleAs::Cancel) | None => format!("cancel refused with {code}: the hold may stay"),
    };
    let park = Next::Park { class: ParkClass::SupplierFault, cause, at_risk: Some(at_risk(job)) };
    Decision {
        change: track(job, SettleEvent::Refused),
        detail: code.to_owned(),
        ..Decision::only(park, Tries::Count, "settle_refused")
    }
}

fn again(directory: &Directory, job: &Job, cause: String, asked: Option<Duration>) -> Decision {
    let owner = &job.purchase.order.funding_source;
    let next = next_wait(directory, job, owner, PlanClass::NotDone, asked).map_or_else(
        || Next::Park {
            class: ParkClass::SupplierFault,
            cause: format!("the hold is not settled after all tries: {cause}"),
            at_risk: Some(at_risk(job)),
        },
        Next::Wait,
    );
    Decision { detail: cause, ..Decision::only(next, Tries::Count, "not_settled_yet") }
}

fn lost(directory: &Directory, job: &Job, cause: &str) -> Decision {
    let owner = &job.purchase.order.funding_source;
    unknown_outcome(directory, job, owner, cause, track(job, SettleEvent::Lost))
}
