//! The report task: one report on the purchase's token, until the desk takes it or the token's week
//! is over.

use std::time::Duration;

use fleet_boot::Exchange;
use fleet_contracts::Report;
use fleet_domain::{
    Answer, Change, Decision, Directory, Fact, Job, Next, ParkClass, Party, PlanClass, ReportState,
    TaskKind, Tries,
};
use fleet_engine::waiting::next_wait;
use fleet_engine::{Attempt, CallError, Learnt, LookUp, Step};

use crate::desks;

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
}

impl Step for ReportOutcome {
    const KIND: TaskKind = TaskKind::Report;
    type Reply = Told;

    fn longest_call(&self, directory: &Directory) -> Duration {
        directory.longest_call(Party::Desk)
    }

    fn call_deadline(&self, directory: &Directory, job: &Job) -> Duration {
        let connector = desks::connector(directory, job);
        connector.map_or(Duration::ZERO, |connector| connector.call_deadline)
    }

    async fn call(
        &self,
        directory: &Directory,
        job: &Job,
        attempt: Attempt,
    ) -> Result<Told, CallError> {
        let fraud = job.purchase.order.details.fraud.as_ref();
        let Some(fraud) = fraud.filter(|fraud| fraud.token.as_ref().is_some_and(|t| !t.is_empty()))
        else {
            return Ok(Told::NoToken);
        };
        let Some(report) = Report::of(&job.purchase) else {
            let cause = "the purchase is not decided yet".to_owned();
            return Err(CallError::NotSent { cause, retry_after: None });
        };
        let connector = desks::connector(directory, job)?;
        let fields = report.fields(&job.purchase, fraud);
        desks::report(&self.exchange, connector, fields, attempt).await?;
        Ok(Told::Reported(report.success))
    }

    /// The desk takes updates of a token, so a report whose answer got lost is made again.
    async fn look_up(
        &self,
        directory: &Directory,
        job: &Job,
        attempt: Attempt,
    ) -> Result<LookUp<Told>, CallError> {
        match self.call(directory, job, attempt).await {
            Ok(told) => Ok(LookUp::Done(told)),
            Err(CallError::Refused { refusal }) => Ok(LookUp::Refused(refusal)),
            Err(error) => Err(error),
        }
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
            Learnt::Pending | Learnt::NotDone | Learnt::CannotTell | Learnt::Ended(_) => {
                again(directory, job, "nothing learnt".to_owned(), None, Tries::Count)
            }
        }
    }

    fn as_fact(&self, _: &Job, _: &Learnt<Told>) -> Option<Answer> {
        None
    }
}

fn again(
    directory: &Directory,
    job: &Job,
    cause: String,
    asked: Option<Duration>,
    tries: Tries,
) -> Decision {
    let in_time = job.task.deadline_at.is_none_or(|deadline| job.task.now < deadline);
    let owner = desks::name(directory, job);
    let wait = next_wait(directory, job, &owner, PlanClass::NotDone, asked);
    match wait {
        Some(wait) if in_time => Decision {
            detail: cause,
            ..Decision::only(Next::Wait(wait), tries, "not_reported_yet")
        },
        _ => Decision {
            change: Change::Report { state: ReportState::Expired, success: None },
            detail: cause,
            ..Decision::only(Next::Finish, Tries::Count, "report_expired")
        },
    }
}
