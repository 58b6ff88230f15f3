//! The refund task: money that was taken at once goes back, because nothing was dispensed. It never
//! ends in silence: what cannot go back is owed, and a person must look.

use std::time::Duration;

use fleet_boot::Exchange;
use fleet_contracts::BankReply;
use fleet_domain::{
    Answer, Decision, Directory, Fact, Job, LaneId, LedgerEntry, Next, ParkClass, SettleEvent,
    SettleState, TaskKind, Tries,
};
use fleet_engine::waiting::at_risk;
use fleet_engine::{Attempt, CallError, Learnt, LookUp, Step};

use crate::funds::{self, Ends, track};
use crate::sources;

const ENDS: Ends = Ends { done: refunded, refused: owed, used_up, not_yet: "not_refunded_yet" };

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
        funds::read_fact("refund", job, fact)
    }

    fn decide(&self, directory: &Directory, job: &Job, learnt: Learnt<BankReply>) -> Decision {
        ENDS.decide(directory, job, learnt)
    }

    fn as_fact(&self, job: &Job, learnt: &Learnt<BankReply>) -> Option<Answer> {
        funds::done_as_fact("refund", job, learnt)
    }
}

fn is_owed(job: &Job) -> bool {
    job.purchase.progress.settle == SettleState::Owed
}

fn refunded(job: &Job) -> Decision {
    let entry = if is_owed(job) { LedgerEntry::Repaid } else { LedgerEntry::Refunded };
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
    let owed = (!is_owed(job)).then(|| (LedgerEntry::Owed, job.purchase.order.reserved()));
    Decision {
        change: track(job, SettleEvent::Owed),
        ledger: owed.into_iter().collect(),
        detail: code.to_owned(),
        ..Decision::only(park, Tries::Count, "owed_to_buyer")
    }
}

fn used_up(job: &Job, _: &str) -> Decision {
    owed(job, "all tries used up")
}
