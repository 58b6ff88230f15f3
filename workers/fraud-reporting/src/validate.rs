//! The validate task: the fraud desk is asked about the purchase's token before anything is reserved
//! or dispensed. Asking changes nothing outside, so a lost answer is asked for again.

use std::time::Duration;

use fleet_boot::Exchange;
use fleet_contracts::{Outcome, codes, conclude, first_task, validate_fields};
use fleet_domain::{
    Answer, Change, Decision, Directory, Fact, Job, LaneId, Next, OnUnavailable, ParkClass, Party,
    PlanClass, ReserveEvent, Scenario, TaskKind, TokenVerdict, Tries, between,
};
use fleet_engine::waiting::{next_wait, start_is_over};
use fleet_engine::{Attempt, CallError, Learnt, LookUp, Step, connectors};

use crate::desks;

/// How long after an unanswered question the next follows when no plan says so.
const AGAIN: Duration = Duration::from_secs(5);

/// Validates tokens.
#[derive(Debug, Clone)]
pub struct ValidateToken {
    exchange: Exchange,
}

impl ValidateToken {
    /// A step that speaks through this exchange.
    #[must_use]
    pub const fn new(exchange: Exchange) -> Self {
        Self { exchange }
    }
}

impl Step for ValidateToken {
    const KIND: TaskKind = TaskKind::Validate;
    type Reply = TokenVerdict;

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
    ) -> Result<TokenVerdict, CallError> {
        let named = job.purchase.order.fraud_token().zip(job.token.as_ref());
        let Some(((fraud, _), token)) = named else {
            let cause = "the purchase's token is not known".to_owned();
            return Err(CallError::NotSent { cause, retry_after: None });
        };
        let connector = desks::connector(directory, job)?;
        let fields = validate_fields(token, fraud);
        let reply = desks::validate(&self.exchange, connector, fields, attempt).await?;
        Ok(reply.into())
    }

    async fn look_up(
        &self,
        directory: &Directory,
        job: &Job,
        attempt: Attempt,
    ) -> Result<LookUp<TokenVerdict>, CallError> {
        if start_is_over(job) {
            return Ok(LookUp::Unsupported);
        }
        LookUp::from_harmless(self.call(directory, job, attempt).await)
    }

    fn read_fact(&self, _: &Directory, _: &Job, _: &Fact) -> Option<Learnt<TokenVerdict>> {
        None
    }

    fn decide(&self, directory: &Directory, job: &Job, learnt: Learnt<TokenVerdict>) -> Decision {
        match learnt {
            Learnt::Done(verdict) if verdict.is_valid => {
                admitted(directory, job, Some(verdict), "token_valid")
            }
            Learnt::Done(verdict) => {
                let code = codes::SOURCE_BLACKLISTED;
                ended(directory, job, code, Some(verdict), ReserveEvent::Refused)
            }
            Learnt::Refused(refusal) => again(directory, job, refusal.code, refusal.retry_after),
            Learnt::NotSent { cause, retry_after } => again(directory, job, cause, retry_after),
            Learnt::Unknown { cause } => again(directory, job, cause, None),
            Learnt::Pending
            | Learnt::Asked { .. }
            | Learnt::NotDone
            | Learnt::CannotTell
            | Learnt::Ended(_) => {
                again(directory, job, "the desk was not asked in time".to_owned(), None)
            }
        }
    }

    fn as_fact(&self, _: &Job, _: &Learnt<TokenVerdict>) -> Option<Answer> {
        None
    }
}

fn change(
    job: &Job,
    event: ReserveEvent,
    code: Option<&str>,
    verdict: Option<TokenVerdict>,
) -> Change {
    match job.purchase.progress.reserve.on(event) {
        Ok(state) => Change::Validate { state, code: code.map(str::to_owned), verdict },
        Err(_) => Change::None,
    }
}

/// The desk has nothing against the token, or the rules say to go on without its word.
fn admitted(
    directory: &Directory,
    job: &Job,
    verdict: Option<TokenVerdict>,
    word: &'static str,
) -> Decision {
    let order = &job.purchase.order;
    let Some(follow_up) = first_task(directory, order) else {
        let cause = "no lane for what follows: import its connector".to_owned();
        let park = Next::Park { class: ParkClass::OurFault, cause, at_risk: None };
        return Decision::only(park, Tries::Keep, "no_lane");
    };
    let event = match order.scenario {
        Scenario::WeReserve => ReserveEvent::Admitted,
        Scenario::ClientReserved => ReserveEvent::AdmittedHeld,
    };
    Decision {
        change: change(job, event, None, verdict),
        follow_ups: vec![follow_up],
        ..Decision::only(Next::Finish, Tries::Count, word)
    }
}

/// Nothing is charged: the purchase ends here, and the client is told.
fn ended(
    directory: &Directory,
    job: &Job,
    code: &str,
    verdict: Option<TokenVerdict>,
    event: ReserveEvent,
) -> Decision {
    let outcome = Outcome::failed(code);
    let (deliveries, follow_ups) = conclude(directory, &job.purchase, &outcome, job.task.now);
    let threat = verdict.as_ref().map(|verdict| format!("threat code {}", verdict.threat_code));
    let word = if verdict.is_some() { "token_invalid" } else { "desk_unavailable_refused" };
    Decision {
        change: change(job, event, Some(code), verdict),
        deliveries,
        follow_ups,
        detail: threat.unwrap_or_else(|| code.to_owned()),
        ..Decision::only(Next::Finish, Tries::Count, word)
    }
}

/// Asks again until the time for it is over; then the desk's rules decide.
fn again(directory: &Directory, job: &Job, cause: String, asked: Option<Duration>) -> Decision {
    let left = job.task.deadline_at.map_or(Duration::ZERO, |until| between(job.task.now, until));
    let owner = desks::name(directory, job);
    if !left.is_zero() {
        let wait = next_wait(directory, job, &owner, PlanClass::NotDone, asked).unwrap_or(AGAIN);
        let next = Next::Wait(wait.min(left));
        return Decision {
            detail: cause,
            ..Decision::only(next, Tries::Count, "not_validated_yet")
        };
    }
    let rules = directory.connectors.get(&owner).and_then(|desk| desk.desk.as_ref());
    match rules.map(|rules| rules.on_unavailable).unwrap_or_default() {
        OnUnavailable::Refuse => {
            ended(directory, job, codes::INTERNAL_TIMEOUT, None, ReserveEvent::GaveUp)
        }
        OnUnavailable::Proceed => admitted(directory, job, None, "desk_unavailable_proceeded"),
    }
}
