//! What sources have in common that ask the buyer first, and then tell us what nobody signs, or not all
//! of it: what they say counts only once they confirm it when asked.

use std::time::Duration;

use fleet_contracts::{SALE_CHECKED, SALE_FACT, SALE_MAPPED, SALE_NOT_MADE, codes, told_by};
use fleet_domain::{
    Change, Connector, Decision, Directory, Fact, Job, Next, ParkClass, PlanClass, ReserveEvent,
    ReserveState, Tries, between,
};
use fleet_engine::Refusal;
use fleet_engine::waiting::{at_risk, look_up_again, start_is_over};

/// The transactions that notifications speak of, the oldest first. Anybody may have told them.
pub(crate) fn told<'j>(job: &'j Job, kind: &str, word: &str) -> Vec<&'j str> {
    let told = job.facts.iter().filter(|fact| fact.kind == kind && fact.status == word);
    told.map(|fact| fact.external_id.as_str()).collect()
}

/// The one to ask about in this exchange: each in its turn.
fn in_turn<'j>(told: &[&'j str], job: &Job) -> Option<&'j str> {
    let tries = usize::try_from(job.task.tries).unwrap_or(0);
    told.get(tries.checked_rem(told.len())?).copied()
}

/// Whether a fact is this source's own notification.
pub(crate) fn is_notification(connector: &Connector, fact: &Fact, kind: &str) -> bool {
    fact.kind == kind && fact.source == told_by(kind, &connector.name)
}

/// What a look-up does at a source that asks the buyer.
pub(crate) enum Ask<'j> {
    /// Ask it about this transaction, which was told.
    About(&'j str),
    /// It has asked the buyer: nothing to do before somebody tells us something.
    Nothing,
    /// Nobody knows whether it has, and it may not be asked to do so any more.
    NotAnyMore,
    /// Nobody knows whether it has: have it do so, under the same reference.
    Again,
}

/// What comes next, with what was told so far.
pub(crate) fn next<'j>(told: &[&'j str], job: &Job) -> Ask<'j> {
    if let Some(transaction) = in_turn(told, job) {
        return Ask::About(transaction);
    }
    let was_asked = job.purchase.progress.reserve == ReserveState::Asked;
    if was_asked || !job.facts.is_empty() {
        return Ask::Nothing;
    }
    if start_is_over(job) { Ask::NotAnyMore } else { Ask::Again }
}

/// A final refusal with the contract's code for the source's own word.
pub(crate) fn refusal(connector: &Connector, word: &str, code: &str) -> Refusal {
    Refusal {
        code: connector.codes.get(word).map_or(code, String::as_str).to_owned(),
        own_code: Some(word.to_owned()),
        retryable: false,
        reference_used: true,
        retry_after: None,
    }
}

/// How the wait for the buyer goes on.
pub(crate) enum Wait {
    /// The buyer may still answer.
    For(Duration),
    /// The time is over, and nothing says that anything was charged.
    IsOver,
    /// The time is over, and something was told that nobody has explained.
    AskSomebody,
}

/// How long the buyer is waited for, counted from when the source was asked.
pub(crate) fn wait(connector: &Connector, job: &Job) -> Wait {
    let since = job.task.former_sent_until.unwrap_or(job.task.now);
    let left = connector.callback_wait.saturating_sub(between(since, job.task.now));
    if !left.is_zero() {
        return Wait::For(left);
    }
    if is_unexplained(job) { Wait::AskSomebody } else { Wait::IsOver }
}

/// The decision while the buyer has not answered: no call is made until somebody tells us something,
/// or the time is over.
pub(crate) fn waits(left: Duration, change: Change) -> Decision {
    let decision = Decision::only(Next::Wait(left), Tries::Restart, "buyer_asked");
    Decision { change, ..decision }
}

/// The decision when the time is over and something that was told stays unexplained: a used PIN
/// without a charge, say. The buyer may have paid.
pub(crate) fn asks_somebody(connector: &Connector, job: &Job) -> Decision {
    let park = Next::Park {
        class: ParkClass::UnknownOutcome,
        cause: format!("{} told something, and no charge is confirmed: ask it", connector.name),
        at_risk: Some(at_risk(job)),
    };
    Decision::only(park, Tries::Keep, "not_confirmed")
}

/// The code for a buyer who never answered.
pub(crate) const SILENT: &str = codes::INTERNAL_TIMEOUT;

/// The state of a purchase whose buyer was asked: unknown once something was told that is no charge
/// and no end.
pub(crate) fn event(job: &Job) -> ReserveEvent {
    if is_unexplained(job) { ReserveEvent::Lost } else { ReserveEvent::Asked }
}

/// Something was told that speaks of a charge, or may. That we vouched for a device sale, that its card
/// is to be kept, and that it was not made, do not.
fn is_unexplained(job: &Job) -> bool {
    job.facts.iter().any(|fact| {
        let word = fact.status.as_str();
        let is_explained =
            matches!(word, SALE_CHECKED | SALE_MAPPED) || SALE_NOT_MADE.contains(&word);
        fact.kind != SALE_FACT || !is_explained
    })
}

/// The decision while a source can be asked how the buyer's payment ended: by its own plan, whatever
/// the answers were so far, then a person. Its callback may come first.
pub(crate) fn polls(directory: &Directory, job: &Job, cause: &str, change: Change) -> Decision {
    let owner = &job.purchase.order.funding_source;
    let next = look_up_again(directory, job, owner, PlanClass::Pending, cause);
    let only = Decision::only(next, Tries::Count, "not_ended");
    Decision { change, detail: cause.to_owned(), ..only }
}
