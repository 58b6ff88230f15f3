//! One claim is one exchange: decide over the facts at hand, or call, or look up.

use std::time::Duration;

use fleet_domain::{
    Change, Commit, Decision, Directory, Hindrance, Job, Next, ParkClass, SentUntil, Tries,
};
use tokio::time::Instant;

use crate::waiting::at_risk;
use crate::{Attempt, CallError, Ended, Learnt, LookUp, Step, sent};

/// A task that took its process down this often is put in front of a person.
pub(crate) const POISON_CLAIMS: i32 = 6;

/// The journal's word for a decision that the store refused.
pub(crate) const REFUSED_BY_STORE: &str = "refused_by_store";

/// What a claim allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// A call: nothing is out.
    Call,
    /// A look-up: something may be out.
    LookUp,
    /// A look-up if something is out, otherwise nothing: the time to start is over.
    OnlyLookUp,
}

/// How an exchange went for the lane's circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    /// The other side answered.
    Answered,
    /// It could not be reached when it was asked in time, or its answer got lost.
    Failed,
    /// It was not spoken to: what stood in the way is ours (the directory, time lost here).
    NotAsked,
}

/// What came of an exchange.
pub(crate) struct Exchanged<T> {
    pub(crate) learnt: Learnt<T>,
    pub(crate) sent: SentUntil,
    pub(crate) health: Health,
}

impl<T> Exchanged<T> {
    fn new(learnt: Learnt<T>, sent: SentUntil, health: Health) -> Self {
        Self { learnt, sent, health }
    }

    /// Why nothing was learnt.
    pub(crate) fn cause(&self) -> Option<&str> {
        match &self.learnt {
            Learnt::Unknown { cause } | Learnt::NotSent { cause, .. } => Some(cause),
            Learnt::Done(_)
            | Learnt::Refused(_)
            | Learnt::Pending
            | Learnt::Asked { .. }
            | Learnt::NotDone
            | Learnt::CannotTell
            | Learnt::Ended(_) => None,
        }
    }

    /// The word in metrics.
    pub(crate) const fn word(&self) -> &'static str {
        match &self.learnt {
            Learnt::Done(_) => "done",
            Learnt::Refused(_) => "refused",
            Learnt::Unknown { .. } => "unknown",
            Learnt::Pending => "pending",
            Learnt::Asked { .. } => "asked",
            Learnt::NotSent { .. } => "not_sent",
            Learnt::NotDone => "not_done",
            Learnt::CannotTell => "cannot_tell",
            Learnt::Ended(_) => "ended",
        }
    }
}

/// What facts at hand tell: goods or money that moved first, then the first that tells anything, which
/// is the newest of the most trusted.
pub(crate) fn from_facts<S: Step>(
    step: &S,
    directory: &Directory,
    job: &Job,
) -> Option<Exchanged<S::Reply>> {
    let mut best = None;
    for fact in &job.facts {
        let learnt = step.read_fact(directory, job, fact);
        match learnt {
            Some(Learnt::Done(_)) => {
                best = learnt;
                break;
            }
            Some(_) if best.is_none() => best = learnt,
            Some(_) | None => {}
        }
    }
    let definite = matches!(best, Some(Learnt::Done(_) | Learnt::Refused(_)));
    let sent = if definite { SentUntil::Clear } else { restored(job) };
    best.map(|learnt| Exchanged::new(learnt, sent, Health::NotAsked))
}

/// The end of a task that asks nobody any more.
pub(crate) fn end<T>() -> Exchanged<T> {
    Exchanged::new(Learnt::Ended(Ended::Expired), SentUntil::Clear, Health::NotAsked)
}

/// Calls or looks up, as the claim allows.
pub(crate) async fn exchange<S: Step>(
    step: &S,
    directory: &Directory,
    job: &Job,
    allowed: Allowed,
    attempt: Attempt,
) -> Exchanged<S::Reply> {
    let is_out = job.task.former_sent_until.is_some();
    let only_ends = allowed == Allowed::OnlyLookUp && !is_out;
    if let Some(cause) = set_up_wrong(directory, job).filter(|_| !only_ends) {
        // Nobody was asked: that says nothing about the connector's health.
        let learnt = match allowed {
            Allowed::Call => Learnt::NotSent { cause, retry_after: None },
            Allowed::LookUp | Allowed::OnlyLookUp => Learnt::Unknown { cause },
        };
        return Exchanged::new(learnt, restored(job), Health::NotAsked);
    }
    match allowed {
        Allowed::Call => called(step.call(directory, job, attempt).await, job),
        Allowed::OnlyLookUp if !is_out => end(),
        Allowed::LookUp | Allowed::OnlyLookUp => {
            looked_up(step.look_up(directory, job, attempt).await, job)
        }
    }
}

/// What the directory itself says against any call.
fn set_up_wrong(directory: &Directory, job: &Job) -> Option<String> {
    let hindrance = directory.hindrance(job.task.key.kind, job.task.lane)?;
    matches!(hindrance, Hindrance::UnknownAdapter { .. }).then(|| hindrance.to_string())
}

/// Nothing was sent: the other side's doing only if it was tried.
fn unreached() -> Health {
    if sent::was_tried() { Health::Failed } else { Health::NotAsked }
}

const fn restored(job: &Job) -> SentUntil {
    SentUntil::Restore(job.task.former_sent_until)
}

fn called<T>(reply: Result<T, CallError>, job: &Job) -> Exchanged<T> {
    let (learnt, sent, health) = match reply {
        Ok(reply) => (Learnt::Done(reply), SentUntil::Clear, Health::Answered),
        Err(CallError::Refused { refusal }) => {
            (Learnt::Refused(refusal), SentUntil::Clear, Health::Answered)
        }
        Err(CallError::Pending) => (Learnt::Pending, SentUntil::Keep, Health::Answered),
        Err(CallError::Asked { page }) => {
            (Learnt::Asked { page }, SentUntil::Keep, Health::Answered)
        }
        Err(CallError::NotSent { cause, retry_after }) => {
            (Learnt::NotSent { cause, retry_after }, restored(job), unreached())
        }
        Err(CallError::Unknown { cause }) => {
            (Learnt::Unknown { cause }, SentUntil::Keep, Health::Failed)
        }
    };
    Exchanged::new(learnt, sent, health)
}

fn looked_up<T>(answer: Result<LookUp<T>, CallError>, job: &Job) -> Exchanged<T> {
    let (learnt, sent, health) = match answer {
        Ok(LookUp::Done(reply)) => (Learnt::Done(reply), SentUntil::Clear, Health::Answered),
        Ok(LookUp::Refused(refusal)) => {
            (Learnt::Refused(refusal), SentUntil::Clear, Health::Answered)
        }
        Ok(LookUp::NotDone) => (Learnt::NotDone, SentUntil::Clear, Health::Answered),
        Ok(LookUp::Pending) | Err(CallError::Pending) => {
            (Learnt::Pending, restored(job), Health::Answered)
        }
        Ok(LookUp::Asked { page }) | Err(CallError::Asked { page }) => {
            (Learnt::Asked { page }, restored(job), Health::NotAsked)
        }
        Ok(LookUp::Unclear) => {
            let cause = "the look-up is not clear yet".to_owned();
            (Learnt::Unknown { cause }, restored(job), Health::Answered)
        }
        Ok(LookUp::Unvouched { cause }) => {
            (Learnt::Unknown { cause }, restored(job), Health::Answered)
        }
        Ok(LookUp::Unsupported) => (Learnt::CannotTell, restored(job), Health::NotAsked),
        // A refused look-up says nothing about the call that it asks for.
        Err(CallError::Refused { refusal }) => {
            let cause = format!("the look-up was refused with {}", refusal.code);
            (Learnt::Unknown { cause }, restored(job), Health::Answered)
        }
        Err(CallError::NotSent { cause, .. }) => {
            (Learnt::Unknown { cause }, restored(job), unreached())
        }
        // Where asking means sending the same again, that may have left as well.
        Err(CallError::Unknown { cause }) => {
            (Learnt::Unknown { cause }, SentUntil::Keep, Health::Failed)
        }
    };
    Exchanged::new(learnt, sent, health)
}

/// The commit of what was learnt.
pub(crate) fn commit_of<S: Step>(
    step: &S,
    directory: &Directory,
    job: &Job,
    exchanged: Exchanged<S::Reply>,
) -> Commit {
    let answer = step.as_fact(job, &exchanged.learnt);
    // Only what took effect is applied over a fact that came in between; a refusal is kept as a
    // fact itself, and the next claim decides over all of them.
    let definite = matches!(exchanged.learnt, Learnt::Done(_));
    let decision = step.decide(directory, job, exchanged.learnt);
    commit(job, exchanged.sent, definite, answer, decision)
}

/// The commit of a task that took its process down again and again.
pub(crate) fn poison(job: &Job) -> Commit {
    let next = Next::Park {
        class: ParkClass::Poison,
        cause: format!("it was claimed {} times and never finished", job.task.claims),
        at_risk: Some(at_risk(job)),
    };
    let decision = Decision::only(next, Tries::Keep, "poison");
    commit(job, restored(job), false, None, decision)
}

/// The commit that stands for one which the store refuses: the task is parked, the answer is kept.
pub(crate) fn refused_by_store(refused: &Commit, cause: &str) -> Commit {
    let next = Next::Park {
        class: ParkClass::OurFault,
        cause: format!("the store refused what was decided: {cause}"),
        at_risk: None,
    };
    let mut decision = Decision::only(next, Tries::Keep, REFUSED_BY_STORE);
    decision.change = Change::None;
    decision.detail = refused.decision.outcome.to_owned();
    Commit { sent: SentUntil::Keep, definite: true, decision, ..refused.clone() }
}

fn commit(
    job: &Job,
    sent: SentUntil,
    definite: bool,
    answer: Option<fleet_domain::Answer>,
    decision: Decision,
) -> Commit {
    Commit {
        key: job.task.key,
        token: job.task.token,
        signals: job.task.signals,
        sent,
        definite,
        answer,
        decision,
    }
}

/// The frame of a call: nothing leaves once it could outlive its lease.
pub(crate) fn attempt(claim_began: Instant, lease: Duration, call_deadline: Duration) -> Attempt {
    let send_before = claim_began + lease.saturating_sub(call_deadline);
    Attempt { send_before, deadline: Instant::now() + call_deadline }
}

/// The commit of a task whose rows cannot be decoded or unsealed.
pub(crate) fn unreadable(ask: &fleet_domain::ClaimAsk, cause: &str) -> Commit {
    let next = Next::Park {
        class: ParkClass::OurFault,
        cause: format!("its rows cannot be read: {cause}"),
        at_risk: None,
    };
    Commit {
        key: ask.key,
        token: ask.token,
        signals: 0,
        sent: SentUntil::Keep,
        definite: true,
        answer: None,
        decision: Decision::only(next, Tries::Keep, "unreadable"),
    }
}
