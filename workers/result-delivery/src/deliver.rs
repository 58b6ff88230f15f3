//! The deliver task: one frozen result to one target, byte for byte the same each time, until it is
//! acknowledged or its four days are used up.

use std::time::Duration;

use fleet_boot::Exchange;
use fleet_domain::{
    Answer, Change, Decision, Delivery, DeliveryState, Directory, Fact, Job, Next, PlanClass,
    TaskKind, Tries, between, later,
};
use fleet_engine::{Attempt, CallError, Learnt, LookUp, Refusal, Step};

use crate::channels;

/// How long a result is tried after its first byte was sent.
pub const DELIVER_FOR: Duration = Duration::from_secs(345_600);

/// Delivers results.
#[derive(Debug, Clone)]
pub struct Deliver {
    exchange: Exchange,
    call_deadline: Duration,
}

impl Deliver {
    /// A step that speaks through this exchange; a listener has `call_deadline` to answer.
    #[must_use]
    pub const fn new(exchange: Exchange, call_deadline: Duration) -> Self {
        Self { exchange, call_deadline }
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

    fn call_deadline(&self, _: &Directory, _: &Job) -> Duration {
        self.call_deadline
    }

    async fn call(
        &self,
        directory: &Directory,
        job: &Job,
        attempt: Attempt,
    ) -> Result<Acknowledged, CallError> {
        let delivery = row(job)?;
        let client = directory.clients.get(&job.purchase.order.client);
        let client = client.ok_or_else(|| not_sent("the client is not in the directory"))?;
        channels::send(&self.exchange, client, delivery, attempt).await
    }

    /// A result may arrive twice, so an attempt whose answer got lost is simply made again.
    async fn look_up(
        &self,
        directory: &Directory,
        job: &Job,
        attempt: Attempt,
    ) -> Result<LookUp<Acknowledged>, CallError> {
        match self.call(directory, job, attempt).await {
            Ok(reply) => Ok(LookUp::Done(reply)),
            Err(CallError::Refused { refusal }) => Ok(LookUp::Refused(refusal)),
            Err(error) => Err(error),
        }
    }

    fn read_fact(&self, _: &Directory, _: &Job, _: &Fact) -> Option<Learnt<Acknowledged>> {
        None
    }

    fn decide(&self, directory: &Directory, job: &Job, learnt: Learnt<Acknowledged>) -> Decision {
        match learnt {
            Learnt::Done(Acknowledged(status)) => Decision {
                change: row_change(DeliveryState::Sent, Some(i32::from(status)), true),
                ..Decision::only(Next::Finish, Tries::Count, "acknowledged")
            },
            Learnt::Refused(refusal) if refusal.code == "410" => Decision {
                change: row_change(DeliveryState::Disabled, Some(410), true),
                ..Decision::only(Next::Finish, Tries::Count, "endpoint_gone")
            },
            Learnt::Refused(refusal) => not_acknowledged(directory, job, &refusal, true),
            Learnt::NotSent { cause, retry_after } => {
                not_acknowledged(directory, job, &no_answer(cause, retry_after), false)
            }
            Learnt::Unknown { cause } => {
                not_acknowledged(directory, job, &no_answer(cause, None), true)
            }
            Learnt::Pending | Learnt::NotDone | Learnt::CannotTell | Learnt::Ended(_) => {
                Decision::only(Next::Wait(Duration::from_secs(1)), Tries::Keep, "nothing_learnt")
            }
        }
    }

    fn as_fact(&self, _: &Job, _: &Learnt<Acknowledged>) -> Option<Answer> {
        None
    }
}

fn not_sent(cause: &str) -> CallError {
    CallError::NotSent { cause: cause.to_owned(), retry_after: None }
}

fn row(job: &Job) -> Result<&Delivery, CallError> {
    job.delivery.as_ref().ok_or_else(|| not_sent("the delivery row is missing"))
}

const fn row_change(state: DeliveryState, http_status: Option<i32>, sent: bool) -> Change {
    Change::Deliver { state, http_status, sent }
}

fn no_answer(cause: String, retry_after: Option<Duration>) -> Refusal {
    Refusal { code: cause, retryable: true, reference_used: false, retry_after }
}

/// The next attempt of the plan. Its offsets count from the first send, so that a slow listener or
/// a restart never shifts later ones; a last attempt is owed when the deadline passes through our
/// own fault.
fn not_acknowledged(directory: &Directory, job: &Job, refusal: &Refusal, sent: bool) -> Decision {
    let status = refusal.code.parse().ok();
    let now = job.task.now;
    let first = job.delivery.as_ref().and_then(|row| row.first_sent_at).unwrap_or(now);
    let owner = job.purchase.order.client.to_string();
    let gaps = (0..=job.task.tries)
        .map(|tries| directory.wait(TaskKind::Deliver, &owner, PlanClass::NotDone, tries));
    let offset: Option<Duration> = gaps.sum();
    let deadline = later(first, DELIVER_FOR);
    let (state, next, outcome) = match offset {
        Some(offset) if offset < DELIVER_FOR && now < deadline => {
            let planned = between(now, later(first, offset));
            let asked = refusal.retry_after.unwrap_or_default();
            let wait = planned.max(asked).min(between(now, deadline));
            (DeliveryState::Retrying, Next::Wait(wait), "not_acknowledged")
        }
        // The plan is at its end: `failed` exactly at the deadline, not before.
        _ if now < deadline => {
            (DeliveryState::Retrying, Next::Wait(between(now, deadline)), "last_wait")
        }
        _ => (DeliveryState::Failed, Next::Finish, "gave_up"),
    };
    Decision {
        change: row_change(state, status, sent),
        detail: refusal.code.chars().take(200).collect(),
        ..Decision::only(next, Tries::Count, outcome)
    }
}
