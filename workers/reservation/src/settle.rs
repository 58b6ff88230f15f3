//! The settle task: capture or cancel the hold, as the dispense track decided. It never changes
//! fulfilment and never ends while a hold may exist.

use std::time::Duration;

use fleet_boot::Exchange;
use fleet_contracts::BankReply;
use fleet_domain::{
    Answer, Change, Decision, Directory, Fact, Job, LaneId, LedgerEntry, Next, ParkClass, SettleAs,
    SettleEvent, SettleState, TaskKind, Tries,
};
use fleet_engine::waiting::at_risk;
use fleet_engine::{Attempt, CallError, Learnt, LookUp, Step};

use crate::funds::{self, Ends, track};
use crate::sources;

const ENDS: Ends = Ends { done: settled, refused, used_up, not_yet: "not_settled_yet" };

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
        funds::read_fact("settle", job, fact)
    }

    fn decide(&self, directory: &Directory, job: &Job, learnt: Learnt<BankReply>) -> Decision {
        ENDS.decide(directory, job, learnt)
    }

    fn as_fact(&self, job: &Job, learnt: &Learnt<BankReply>) -> Option<Answer> {
        funds::done_as_fact("settle", job, learnt)
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

fn used_up(job: &Job, cause: &str) -> Decision {
    let park = Next::Park {
        class: ParkClass::SupplierFault,
        cause: format!("the hold is not settled after all tries: {cause}"),
        at_risk: Some(at_risk(job)),
    };
    let only = Decision::only(park, Tries::Count, ENDS.not_yet);
    Decision { detail: cause.to_owned(), ..only }
}
