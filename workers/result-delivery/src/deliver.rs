//! The deliver task: one frozen result to one target, byte for byte the same each time, until it is
//! acknowledged or its four days are used up.

use std::time::Duration;

use fleet_boot::Exchange;
use fleet_domain::{
    Answer, Decision, DeliveryState, Directory, Fact, Job, LaneId, Next, TaskKind, Tries,
};
use fleet_engine::{Attempt, CallError, Learnt, LookUp, Step};

use crate::channels;
use crate::plan::Plan;

/// Delivers results.
#[derive(Debug, Clone)]
pub struct Deliver {
    exchange: Exchange,
    pub(crate) call_deadline: Duration,
    pub(crate) jitter_percent: u32,
}

impl Deliver {
    /// A step that speaks through this exchange; a listener has `call_deadline` to answer, and a try
    /// comes up to `jitter_percent` of its gap later than planned.
    #[must_use]
    pub const fn new(exchange: Exchange, call_deadline: Duration, jitter_percent: u32) -> Self {
        Self { exchange, call_deadline, jitter_percent }
    }
}

/// The HTTP status of an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledged(pub u16);

impl Step for Deliver {
    const KIND: TaskKind = TaskKind::Deliver;
    type Reply = Acknowledged;

    fn longest_call(&self, _: &Directory) -> Duration {
        self.call_deadline
    }

    fn longest_call_of(&self, _: &Directory, _: LaneId) -> Duration {
        self.call_deadline
    }

    fn call_deadline(&self, _: &Directory, _: &Job) -> Duration {
        self.call_deadline
    }

    async fn call(
        &self,
        directory: &Directory,
        job: &Job,
        attempt: Attempt,
    ) -> Result<Acknowledged, CallError> {
        let delivery = channels::row(job)?;
        let client = directory.clients.get(&job.purchase.order.client);
        let client =
            client.ok_or_else(|| channels::not_sent("the client is not in the directory"))?;
        channels::send(&self.exchange, client, delivery, attempt).await
    }

    /// A result may arrive twice, so an attempt whose answer got lost is simply made again.
    async fn look_up(
        &self,
        directory: &Directory,
        job: &Job,
        attempt: Attempt,
    ) -> Result<LookUp<Acknowledged>, CallError> {
        LookUp::from_harmless(self.call(directory, job, attempt).await)
    }

    fn read_fact(&self, _: &Directory, _: &Job, _: &Fact) -> Option<Learnt<Acknowledged>> {
        None
    }

    fn decide(&self, directory: &Directory, job: &Job, learnt: Learnt<Acknowledged>) -> Decision {
        let plan = Plan::of(self, directory, job);
        match learnt {
            Learnt::Done(Acknowledged(status)) => {
                plan.ends(DeliveryState::Sent, Some(status), "acknowledged")
            }
            Learnt::Refused(refusal) if refusal.code == "410" => {
                plan.ends(DeliveryState::Disabled, Some(410), "endpoint_gone")
            }
            Learnt::Refused(refusal) => plan.again(&refusal.code, refusal.retry_after),
            Learnt::NotSent { cause, retry_after } => plan.again(&cause, retry_after),
            Learnt::Unknown { cause } => plan.again(&cause, None),
            Learnt::Ended(_) => plan.ends(DeliveryState::Failed, None, "gave_up"),
            Learnt::Pending | Learnt::Asked { .. } | Learnt::NotDone | Learnt::CannotTell => {
                Decision::only(Next::Wait(Duration::from_secs(1)), Tries::Keep, "nothing_learnt")
            }
        }
    }

    fn as_fact(&self, _: &Job, _: &Learnt<Acknowledged>) -> Option<Answer> {
        None
    }
}
