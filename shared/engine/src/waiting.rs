//! What every step does alike when nothing is decided yet: wait by plan, or ask a person. Pure.

use std::time::Duration;

use fleet_domain::{
    Change, Connector, Decision, Directory, Inquiry, Job, Money, Next, ParkClass, PlanClass, Tries,
    between,
};

/// The next wait of a plan, at least what the other side asked for, at most a day.
#[must_use]
pub fn next_wait(
    directory: &Directory,
    job: &Job,
    owner: &str,
    class: PlanClass,
    asked: Option<Duration>,
) -> Option<Duration> {
    let asked = asked.unwrap_or_default().min(Duration::from_secs(86_400));
    directory.wait(job.task.key.kind, owner, class, job.task.tries).map(|wait| wait.max(asked))
}

/// True when an earlier attempt may have left and was never answered.
#[must_use]
pub const fn may_be_out(job: &Job) -> bool {
    job.task.former_sent_until.is_some()
}

/// True once no new attempt may leave.
#[must_use]
pub fn start_is_over(job: &Job) -> bool {
    job.task.start_by.is_some_and(|start_by| job.task.now >= start_by)
}

/// True when "not found" may be believed: the settle time since the last possible send is over.
#[must_use]
pub fn settled(connector: &Connector, job: &Job) -> bool {
    job.task.former_sent_until.is_none_or(|sent_until| {
        between(sent_until, job.task.now) >= connector.settle_time && job.task.now >= sent_until
    })
}

/// The next look-up by this class's plan, or a person once it is over.
#[must_use]
pub fn look_up_again(
    directory: &Directory,
    job: &Job,
    owner: &str,
    class: PlanClass,
    cause: &str,
) -> Next {
    next_wait(directory, job, owner, class, None).map_or_else(
        || Next::Park {
            class: ParkClass::UnknownOutcome,
            cause: format!("outcome unknown after all look-ups: {cause}"),
            at_risk: Some(at_risk(job)),
        },
        Next::Wait,
    )
}

/// The decision on an outcome that nobody can tell yet: look up by plan, then ask a person. The
/// hold stays whatever happens.
#[must_use]
pub fn unknown_outcome(
    directory: &Directory,
    job: &Job,
    owner: &str,
    cause: &str,
    change: Change,
) -> Decision {
    let next = look_up_again(directory, job, owner, PlanClass::Unknown, cause);
    Decision {
        change,
        detail: cause.to_owned(),
        ..Decision::only(next, Tries::Count, "answer_lost")
    }
}

/// The decision for a party that answers no look-ups: wait for its callback if it sends any, then
/// ask a person.
#[must_use]
pub fn cannot_tell(connector: &Connector, job: &Job, change: Change) -> Decision {
    let waited = job
        .task
        .former_sent_until
        .map_or(Duration::ZERO, |sent_until| between(sent_until, job.task.now));
    let left = connector.callback_wait.saturating_sub(waited);
    let next = if connector.inquiry == Inquiry::Callback && !left.is_zero() {
        Next::Wait(left)
    } else {
        Next::Park {
            class: ParkClass::UnknownOutcome,
            cause: format!("{} answers no look-ups: ask it for this reference", connector.name),
            at_risk: Some(at_risk(job)),
        }
    };
    Decision { change, ..Decision::only(next, Tries::Keep, "cannot_be_looked_up") }
}

/// What a purchase puts at risk: the reserved amount.
#[must_use]
pub const fn at_risk(job: &Job) -> Money {
    job.purchase.order.reserved()
}
