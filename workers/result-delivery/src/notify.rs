//! The notify task: one frozen message to one person, the same under the same reference each time. A
//! provider that forgot the first one may send it twice, which harms nobody as much as a voucher that
//! never came; so a lost answer is a reason to send again, by plan, for a day at most.

use std::time::Duration;

use fleet_boot::Exchange;
use fleet_domain::{
    Answer, Change, Decision, DeliveryState, Directory, Fact, Job, LaneId, Next, Party, PlanClass,
    TaskKind, Tries,
};
use fleet_engine::waiting::{next_wait, start_is_over};
use fleet_engine::{Attempt, CallError, Learnt, LookUp, Step, connectors};

use crate::Acknowledged;
use crate::channels;
use crate::plan::DETAIL_CHARACTERS_MAX;

/// Sends messages.
#[derive(Debug, Clone)]
pub struct Notify {
    exchange: Exchange,
}

impl Notify {
    /// A step that speaks through this exchange.
    #[must_use]
    pub const fn new(exchange: Exchange) -> Self {
        Self { exchange }
    }
}

impl Step for Notify {
    const KIND: TaskKind = TaskKind::Notify;
    type Reply = Acknowledged;

    fn longest_call(&self, directory: &Directory) -> Duration {
        directory.longest_call(Party::Channel)
    }

    /// A message goes to the provider that its client has now, whoever owned the lane when it was
    /// made.
    fn longest_call_of(&self, directory: &Directory, _: LaneId) -> Duration {
        directory.longest_call(Party::Channel)
    }

    fn call_deadline(&self, directory: &Directory, job: &Job) -> Duration {
        connectors::call_deadline(channels::provider(directory, job))
    }

    async fn call(
        &self,
        directory: &Directory,
        job: &Job,
        attempt: Attempt,
    ) -> Result<Acknowledged, CallError> {
        channels::notify(&self.exchange, directory, job, attempt).await
    }

    /// Asks by sending the same again, while a message may still leave.
    async fn look_up(
        &self,
        directory: &Directory,
        job: &Job,
        attempt: Attempt,
    ) -> Result<LookUp<Acknowledged>, CallError> {
        if start_is_over(job) {
            return Ok(LookUp::Unsupported);
        }
        LookUp::from_harmless(self.call(directory, job, attempt).await)
    }

    fn read_fact(&self, _: &Directory, _: &Job, _: &Fact) -> Option<Learnt<Acknowledged>> {
        None
    }

    fn decide(&self, directory: &Directory, job: &Job, learnt: Learnt<Acknowledged>) -> Decision {
        match learnt {
            Learnt::Done(Acknowledged(status)) => {
                ends(job, DeliveryState::Sent, Some(status), "message_taken")
            }
            Learnt::Refused(refusal) if refusal.retryable => {
                again(directory, job, &refusal.code, refusal.retry_after, "refused_for_now")
            }
            Learnt::Refused(refusal) => Decision {
                detail: refusal.code.clone(),
                ..ends(job, DeliveryState::Failed, refusal.code.parse().ok(), "message_refused")
            },
            Learnt::NotSent { cause, retry_after } => {
                again(directory, job, &cause, retry_after, "not_sent")
            }
            Learnt::Unknown { cause } => again(directory, job, &cause, None, "answer_lost"),
            Learnt::Ended(_) | Learnt::CannotTell => {
                ends(job, DeliveryState::Failed, None, "gave_up")
            }
            Learnt::Pending | Learnt::Asked { .. } | Learnt::NotDone => {
                Decision::only(Next::Wait(Duration::from_secs(1)), Tries::Keep, "nothing_learnt")
            }
        }
    }

    fn as_fact(&self, _: &Job, _: &Learnt<Acknowledged>) -> Option<Answer> {
        None
    }
}

/// The message is where it stays.
fn ends(job: &Job, state: DeliveryState, status: Option<u16>, word: &'static str) -> Decision {
    Decision {
        change: change(job, state, status),
        ..Decision::only(Next::Finish, Tries::Count, word)
    }
}

/// Not taken: the next try by plan, or the end. `cause` is an HTTP status or why there is none.
fn again(
    directory: &Directory,
    job: &Job,
    cause: &str,
    asked: Option<Duration>,
    word: &'static str,
) -> Decision {
    let owner = channels::provider_name(directory, job);
    let wait = next_wait(directory, job, owner, PlanClass::NotDone, asked);
    let status = cause.parse().ok();
    let decision = match wait {
        Some(wait) => Decision {
            change: change(job, DeliveryState::Retrying, status),
            ..Decision::only(Next::Wait(wait), Tries::Count, word)
        },
        None => ends(job, DeliveryState::Failed, status, "gave_up"),
    };
    Decision { detail: cause.chars().take(DETAIL_CHARACTERS_MAX).collect(), ..decision }
}

fn change(job: &Job, state: DeliveryState, status: Option<u16>) -> Change {
    let sent_at = job.task.exchange.sent_at;
    Change::Deliver { state, http_status: status.map(i32::from), sent_at }
}
