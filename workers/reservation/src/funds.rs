//! What settle and refund have in common: one call at the funding source that is safe to repeat, and
//! whose answer is asked for until it is definite. Reserve reads its facts alike.

use std::time::Duration;

use fleet_contracts::{BankReply, codes, read_told};
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
    let order = &job.purchase.order;
    let is_told = order.is_told_by(job.task.key.kind, &fact.source);
    if fact.kind != kind || fact.reference != order.id.to_string() || !is_told {
        return None;
    }
    let reply: BankReply = read_told(fact.body.expose().as_bytes()).ok()?;
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

#[cfg(test)]
mod tests {
    use fleet_domain::{
        CALL, ClaimToken, ClaimedTask, ExchangeTimes, LaneId, Progress, Purchase, ReserveState,
        Scenario, TaskKey, TaskKind,
    };
    use fleet_testkit::samples::new_purchase;

    use super::*;

    fn job(kind: TaskKind) -> Job {
        let now = chrono::DateTime::UNIX_EPOCH;
        let order = new_purchase("r", Scenario::WeReserve, now).unwrap().order.order;
        let key = TaskKey { purchase: order.id, kind, slot: 0 };
        Job {
            task: ClaimedTask {
                key,
                lane: LaneId(1),
                token: ClaimToken::generate(),
                claims: 1,
                tries: 0,
                ref_no: 0,
                former_sent_until: None,
                signals: 1,
                start_by: None,
                deadline_at: None,
                now,
                exchange: ExchangeTimes::default(),
            },
            purchase: Purchase { order, progress: Progress::new(ReserveState::Pending, now) },
            delivery: None,
            facts: Vec::new(),
            token: None,
        }
    }

    #[test]
    fn only_our_own_late_answer_and_the_purchases_source_say_what_became_of_the_funds() {
        for (kind, word) in [
            (TaskKind::Reserve, "reserve"),
            (TaskKind::Settle, "settle"),
            (TaskKind::Refund, "refund"),
        ] {
            let job = job(kind);
            let learnt = |source: &str| {
                let fact = Fact {
                    source: source.to_owned(),
                    kind: word.to_owned(),
                    reference: job.purchase.order.id.to_string(),
                    status: codes::OK.to_owned(),
                    external_id: "x".to_owned(),
                    body: Private::new(r#"{"responseCode":"0000","responseMessage":""}"#),
                    received_at: job.task.now,
                    asks: 0,
                    asked_at: None,
                };
                read_fact(word, &job, &fact)
            };
            for source in [CALL, "bank:sample-bank"] {
                assert!(matches!(learnt(source), Some(Learnt::Done(_))), "{kind}: {source}");
            }
            for source in [
                "bank:another-bank",
                "supplier_callback:supplier-lookup",
                "mo_charge:sample-bank",
                "bank:",
                "",
            ] {
                assert_eq!(learnt(source), None, "{kind}: {source}");
            }
        }
    }
}
