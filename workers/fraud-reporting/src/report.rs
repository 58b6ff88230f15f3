//! The report task: one report on the purchase's token, until the desk takes it or the token's week
//! is over.

use std::time::Duration;

use chrono::{DateTime, Utc};
use fleet_boot::Exchange;
use fleet_contracts::{REPORT_WEEK, Report};
use fleet_domain::{
    Answer, Change, Decision, Directory, Fact, Job, LaneId, Next, ParkClass, Party, PlanClass,
    ReportState, TaskKind, Tries, between, later,
};
use fleet_engine::waiting::next_wait;
use fleet_engine::{Attempt, CallError, Learnt, LookUp, Step, connectors};

use crate::desks;

/// How often the desk is tried once the plan has ended.
const DAY: Duration = Duration::from_secs(86_400);

/// Reports outcomes.
#[derive(Debug, Clone)]
pub struct ReportOutcome {
    exchange: Exchange,
}

impl ReportOutcome {
    /// A step that speaks through this exchange.
    #[must_use]
    pub const fn new(exchange: Exchange) -> Self {
        Self { exchange }
    }
}

/// What the desk was told, or that there was nothing to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Accepted, with this `activation_successful`.
    Reported(bool),
    /// The purchase has no token.
    NoToken,
    /// A failure that must not be told: a purchase on the same token was dispensed.
    Superseded,
    /// The token's week is over: nothing was sent.
    TooLate,
}

impl Step for ReportOutcome {
    const KIND: TaskKind = TaskKind::Report;
    type Reply = Told;

    fn longest_call(&self, directory: &Directory) -> Duration {
        directory.longest_call(Party::Desk)
    }

    fn longest_call_of(&self, directory: &Directory, lane: LaneId) -> Duration {
        directory.longest_call_of(lane, Party::Desk)
    }

    fn call_deadline(&self, directory: &Directory, job: &Job) -> Duration {
        connectors::call_deadline(desks::connector(directory, job))
    }

    async fn call(
        &self,
        directory: &Directory,
        job: &Job,
        attempt: Attempt,
    ) -> Result<Told, CallError> {
        let Some((fraud, _)) = job.purchase.order.fraud_token() else {
            return Ok(Told::NoToken);
        };
        if job.task.now >= week_ends(job) {
            return Ok(Told::TooLate);
        }
        let Some(report) = Report::of(directory, &job.purchase) else {
            let cause = "the purchase is not decided yet".to_owned();
            return Err(CallError::NotSent { cause, retry_after: None });
        };
        if !report.success && job.token.as_ref().is_some_and(|token| token.success_due) {
            return Ok(Told::Superseded);
        }
        let connector = desks::connector(directory, job)?;
        let fields = report.fields(&job.purchase, fraud);
        desks::report(&self.exchange, connector, job, fields, attempt).await?;
        Ok(Told::Reported(report.success))
    }

    /// The desk takes updates of a token, so a report whose answer got lost is made again.
    async fn look_up(
        &self,
        directory: &Directory,
        job: &Job,
        attempt: Attempt,
    ) -> Result<LookUp<Told>, CallError> {
        LookUp::from_harmless(self.call(directory, job, attempt).await)
    }

    fn read_fact(&self, _: &Directory, _: &Job, _: &Fact) -> Option<Learnt<Told>> {
        None
    }

    fn decide(&self, directory: &Directory, job: &Job, learnt: Learnt<Told>) -> Decision {
        match learnt {
            Learnt::Done(Told::Reported(success)) => Decision {
                change: Change::Report { state: ReportState::Reported, success: Some(success) },
                ..Decision::only(Next::Finish, Tries::Count, "reported")
            },
            Learnt::Done(Told::NoToken) => Decision {
                change: Change::Report { state: ReportState::NotNeeded, success: None },
                ..Decision::only(Next::Finish, Tries::Keep, "no_token")
            },
            Learnt::Done(Told::Superseded) => Decision {
                change: Change::Report { state: ReportState::Superseded, success: None },
                ..Decision::only(Next::Finish, Tries::Keep, "superseded_by_success")
            },
            Learnt::Done(Told::TooLate) => expired(String::new()),
            Learnt::Refused(refusal) if !refusal.retryable => {
                let cause = format!("the fraud desk refused the report: {}", refusal.code);
                let park = Next::Park { class: ParkClass::SupplierFault, cause, at_risk: None };
                Decision {
                    change: Change::Report { state: ReportState::Dead, success: None },
                    detail: refusal.code,
                    ..Decision::only(park, Tries::Count, "report_refused")
                }
            }
            Learnt::Refused(refusal) => {
                again(directory, job, refusal.code, refusal.retry_after, Tries::Count)
            }
            Learnt::NotSent { cause, retry_after } => {
                again(directory, job, cause, retry_after, Tries::Count)
            }
            Learnt::Unknown { cause } => again(directory, job, cause, None, Tries::Count),
            Learnt::Pending
            | Learnt::Asked { .. }
            | Learnt::NotDone
            | Learnt::CannotTell
            | Learnt::Ended(_) => {
                again(directory, job, "nothing learnt".to_owned(), None, Tries::Count)
            }
        }
    }

    fn as_fact(&self, _: &Job, _: &Learnt<Told>) -> Option<Answer> {
        None
    }
}

/// When the desk takes no word on the token any more.
fn week_ends(job: &Job) -> DateTime<Utc> {
    let stored = job.token.as_ref().map(|token| token.expires_at);
    let week = || later(job.purchase.progress.created_at, REPORT_WEEK);
    stored.or(job.task.deadline_at).unwrap_or_else(week)
}

/// The next try by plan, and daily after its end; the token's week ends them.
fn again(
    directory: &Directory,
    job: &Job,
    cause: String,
    asked: Option<Duration>,
    tries: Tries,
) -> Decision {
    let left = between(job.task.now, week_ends(job));
    if left.is_zero() {
        return expired(cause);
    }
    let owner = desks::name(directory, job);
    let wait = next_wait(directory, job, &owner, PlanClass::NotDone, asked).unwrap_or(DAY);
    Decision {
        detail: cause,
        ..Decision::only(Next::Wait(wait.min(left)), tries, "not_reported_yet")
    }
}

fn expired(cause: String) -> Decision {
    Decision {
        change: Change::Report { state: ReportState::Expired, success: None },
        detail: cause,
        ..Decision::only(Next::Finish, Tries::Count, "report_expired")
    }
}
