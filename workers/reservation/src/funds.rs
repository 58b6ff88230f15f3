//! What settle and refund have in common: one call at the funding source that is safe to repeat, and
//! whose answer is asked for until it is definite. Reserve reads its facts alike.

use std::time::Duration;

use fleet_contracts::{BankReply, codes};
use fleet_domain::{
    Answer, Change, Decision, Directory, Fact, Job, Next, PlanClass, Private, SettleEvent, Tries,
};
use fleet_engine::Learnt;
use fleet_engine::waiting::{may_be_out, next_wait, unknown_outcome};

use crate::sources;

/// How such a task ends.
pub(crate) struct Ends {
    /// The source did it.
    pub(crate) done: fn(&Job) -> Decision,
    /// It refused for good, with this code.
    pub(crate) refused: fn(&Job, &str) -> Decision,
    /// Known not done after all tries, the last one for this cause.
    pub(crate) used_up: fn(&Job, &str) -> Decision,
    /// The journal's word until then.
    pub(crate) not_yet: &'static str,
}

impl Ends {
    /// What follows from what was learnt.
    pub(crate) fn decide(
        &self,
        directory: &Directory,
        job: &Job,
        learnt: Learnt<BankReply>,
    ) -> Decision {
        match learnt {
            Learnt::Done(_) => (self.done)(job),
            Learnt::Refused(refusal) if !refusal.retryable => (self.refused)(job, &refusal.code),
            Learnt::Refused(refusal) => {
                self.again(directory, job, refusal.code, refusal.retry_after)
            }
            Learnt::NotSent { cause, retry_after } if !may_be_out(job) => {
                self.again(directory, job, cause, retry_after)
            }
            Learnt::NotSent { cause, .. } | Learnt::Unknown { cause } => {
                lost(directory, job, &cause)
            }
            Learnt::Pending | Learnt::Asked { .. } => {
                lost(directory, job, "the funding source works on it")
            }
            Learnt::CannotTell => lost(directory, job, "the funding source cannot tell"),
            Learnt::NotDone | Learnt::Ended(_) => {
                Decision::only(Next::Wait(Duration::from_secs(1)), Tries::Count, "not_found")
            }
        }
    }

    fn again(
        &self,
        directory: &Directory,
        job: &Job,
        cause: String,
        asked: Option<Duration>,
    ) -> Decision {
        let owner = &job.purchase.order.funding_source;
        match next_wait(directory, job, owner, PlanClass::NotDone, asked) {
            Some(wait) => Decision {
                detail: cause,
                ..Decision::only(Next::Wait(wait), Tries::Count, self.not_yet)
            },
            None => (self.used_up)(job, &cause),
        }
    }
}

/// The settle track after an event; a contradiction leaves it alone.
pub(crate) fn track(job: &Job, event: SettleEvent) -> Change {
    match job.purchase.progress.settle.on(event) {
        Ok(state) => Change::Settle { state },
        Err(_) => Change::None,
    }
}

fn lost(directory: &Directory, job: &Job, cause: &str) -> Decision {
    let owner = &job.purchase.order.funding_source;
    unknown_outcome(directory, job, owner, cause, track(job, SettleEvent::Lost))
}

/// What a fact of this kind about the job's purchase tells.
pub(crate) fn read_fact(kind: &str, job: &Job, fact: &Fact) -> Option<Learnt<BankReply>> {
    if fact.kind != kind || fact.reference != job.purchase.order.id.to_string() {
        return None;
    }
    let reply: BankReply = serde_json::from_str(fact.body.expose()).ok()?;
    match codes::bank_meaning(&reply.response_code) {
        codes::BankMeaning::Done => Some(Learnt::Done(reply)),
        codes::BankMeaning::Refused => Some(Learnt::Refused(sources::refusal(&reply))),
        codes::BankMeaning::Again => None,
    }
}

/// A success that came too late for its commit, as a fact.
pub(crate) fn done_as_fact(
    kind: &'static str,
    job: &Job,
    learnt: &Learnt<BankReply>,
) -> Option<Answer> {
    let Learnt::Done(reply) = learnt else { return None };
    Some(Answer {
        kind,
        reference: job.purchase.order.id.to_string(),
        status: reply.response_code.clone(),
        body: Private::new(serde_json::to_string(reply).unwrap_or_default()),
    })
}
