//! What sources have in common that ask the buyer first, and then tell us what nobody signs, or not all
//! of it: what they say counts only once they confirm it when asked.

use std::time::Duration;

use chrono::{DateTime, Utc};
use fleet_boot::PlainNo;
use fleet_contracts::{SALE_CHECKED, SALE_FACT, SALE_MAPPED, SALE_NOT_MADE, codes};
use fleet_domain::{
    Change, Connector, Decision, Directory, Fact, Job, Next, ParkClass, PlanClass, ReserveEvent,
    ReserveState, Tries, between, later,
};
use fleet_engine::waiting::{at_risk, look_up_again, start_is_over};
use fleet_engine::{LookUp, Refusal};

/// The transactions that notifications speak of, the newest first. Anybody may have told them.
pub(crate) fn told<'j>(job: &'j Job, kind: &str, word: &str) -> Vec<&'j str> {
    let told = job.facts.iter().filter(|fact| is_notification(job, fact, kind));
    let told = told.filter(|fact| fact.status == word);
    told.map(|fact| fact.external_id.as_str()).collect()
}

/// A transaction that the source has not confirmed, and how often it was asked about it.
#[derive(Debug, Clone)]
pub(crate) struct Told<'j> {
    id: &'j str,
    asks: i32,
    asked_at: Option<DateTime<Utc>>,
}

/// The transactions that such notifications speak of, each once, the newest first.
pub(crate) fn transactions(job: &Job, speaks: impl Fn(&Fact) -> bool) -> Vec<Told<'_>> {
    let mut told: Vec<Told<'_>> = Vec::new();
    for fact in &job.facts {
        let is_new = told.iter().all(|one| one.id != fact.external_id);
        if is_new && speaks(fact) {
            told.push(Told { id: &fact.external_id, asks: fact.asks, asked_at: fact.asked_at });
        }
    }
    told
}

/// A source is asked once in this time about what was told of one purchase, twenty times a minute,
/// however much is told.
const ASKED_EVERY: Duration = Duration::from_secs(3);

/// What comes next about the transactions that were told.
enum Turn<'j> {
    /// Ask about this one.
    Ask(&'j str),
    /// None is to be asked about before so much time has passed.
    In(Duration),
    /// The source did not confirm any of them, however often it was asked.
    StruckOff,
}

/// Whose turn it is.
///
/// What was never asked about comes first, the newest and the oldest by turns, so that
/// a flood before or after the real one hides it from nobody; every third time it is one that the
/// source did not know when it was asked, and may know by now. Each is asked about by the plan of
/// lost answers, counted for itself; after that it is struck off.
fn turn<'j>(directory: &Directory, job: &Job, told: &[Told<'j>]) -> Turn<'j> {
    let now = job.task.now;
    let owner = &job.purchase.order.funding_source;
    let due_at = |one: &Told<'_>| {
        let Some(at) = one.asked_at else { return Some(now) };
        let asks = one.asks.saturating_sub(1);
        let wait = directory.wait(job.task.key.kind, owner, PlanClass::Unknown, asks)?;
        Some(later(at, wait))
    };
    let free_at = told.iter().filter_map(|one| one.asked_at).max();
    let free_at = free_at.map_or(now, |at| later(at, ASKED_EVERY));
    let open = || told.iter().filter_map(|one| due_at(one).map(|at| (at, one)));
    let Some(first_due) = open().map(|(at, _)| at).min() else { return Turn::StruckOff };
    let next_at = first_due.max(free_at);
    if next_at > now {
        return Turn::In(between(now, next_at));
    }
    let mut fresh = told.iter().filter(|one| one.asked_at.is_none());
    let known = open().filter(|(at, one)| one.asked_at.is_some() && *at <= now);
    let overdue = known.min_by_key(|(at, _)| *at).map(|(_, one)| one);
    let asks: i64 = told.iter().map(|one| i64::from(one.asks)).sum();
    let chosen = match asks.rem_euclid(3) {
        0 => fresh.next().or(overdue),
        1 => fresh.next_back().or(overdue),
        _ => overdue.or_else(|| fresh.next()),
    };
    chosen.map_or(Turn::StruckOff, |one| Turn::Ask(one.id))
}

/// Whether a fact is the source's own notification of this kind.
pub(crate) fn is_notification(job: &Job, fact: &Fact, kind: &str) -> bool {
    fact.kind == kind && job.purchase.order.is_told_by(job.task.key.kind, &fact.source)
}

/// What a look-up does at a source that asks the buyer.
pub(crate) enum Ask<'j> {
    /// Ask it about this transaction, which was told.
    About(&'j str),
    /// Nothing to do before somebody tells us something, or before it may be asked again.
    Nothing,
    /// Nobody knows whether it has, and it may not be asked to do so any more.
    NotAnyMore,
    /// Nobody knows whether it has: have it do so, under the same reference.
    Again,
}

/// What comes next, with what was told so far.
pub(crate) fn next<'j>(directory: &Directory, job: &Job, told: &[Told<'j>]) -> Ask<'j> {
    if !told.is_empty() {
        return match turn(directory, job, told) {
            Turn::Ask(transaction) => Ask::About(transaction),
            Turn::In(_) | Turn::StruckOff => Ask::Nothing,
        };
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

/// A refusal of the whole request by its status, which the connector may map to a code.
pub(crate) fn refused_at_once(connector: &Connector, no: &PlainNo) -> Refusal {
    if matches!(no.status, 401 | 403) {
        tracing::warn!(
            connector = connector.name,
            status = no.status,
            "a funding source does not accept how we authenticate"
        );
    }
    refused_in_a_word(connector, &no.status.to_string(), no.text.clone())
}

/// The same by a word of its own, and what that word was, for the journal.
pub(crate) fn refused_in_a_word(connector: &Connector, word: &str, text: String) -> Refusal {
    Refusal { own_code: Some(text), ..refusal(connector, word, codes::INTERNAL_TIMEOUT) }
}

/// What was learnt about one transaction is no end while another one was told: that may have been paid.
pub(crate) fn unless_another<T>(told: &[Told<'_>], answer: LookUp<T>) -> LookUp<T> {
    let LookUp::Refused(refusal) = &answer else { return answer };
    if told.len() <= 1 {
        return answer;
    }
    let said = refusal.own_code.as_ref().unwrap_or(&refusal.code);
    LookUp::Unvouched { cause: format!("it was not charged ({said}), and others were told") }
}

/// The decision while a source has not confirmed what was told of it. When this exchange asked it about
/// one of these, it is struck off until its plan says otherwise.
pub(crate) fn unconfirmed(
    directory: &Directory,
    job: &Job,
    mut told: Vec<Told<'_>>,
    cause: Option<&str>,
    change: Change,
) -> Option<Decision> {
    if told.is_empty() {
        return None;
    }
    let mut asked = None;
    if let (Some(_), Turn::Ask(transaction)) = (cause, turn(directory, job, &told)) {
        asked = Some(transaction.to_owned());
        for one in told.iter_mut().filter(|one| one.id == transaction) {
            one.asks = one.asks.saturating_add(1);
            one.asked_at = Some(job.task.now);
        }
    }
    let wait = match turn(directory, job, &told) {
        Turn::Ask(_) => Duration::ZERO,
        Turn::In(wait) => wait,
        Turn::StruckOff => {
            let owner = &job.purchase.order.funding_source;
            let only = asks_somebody(owner, job, cause);
            return Some(Decision { asked, change, ..only });
        }
    };
    let only = Decision::only(Next::Wait(wait), Tries::Keep, "not_confirmed");
    Some(Decision { asked, change, detail: cause.unwrap_or_default().to_owned(), ..only })
}

/// The decision while the buyer has not answered: no call is made until somebody tells us something,
/// or the time is over.
pub(crate) fn waits(left: Duration, change: Change) -> Decision {
    let decision = Decision::only(Next::Wait(left), Tries::Restart, "buyer_asked");
    Decision { change, ..decision }
}

/// The decision when the time is over and something that was told stays unexplained: a used PIN
/// without a charge, say. The buyer may have paid.
pub(crate) fn asks_somebody(source: &str, job: &Job, why: Option<&str>) -> Decision {
    let why = why.unwrap_or_default();
    let last = if why.is_empty() { String::new() } else { format!(" ({why})") };
    let park = Next::Park {
        class: ParkClass::UnknownOutcome,
        cause: format!("{source} told something, and no charge is confirmed: ask it{last}"),
        at_risk: Some(at_risk(job)),
    };
    let only = Decision::only(park, Tries::Keep, "not_confirmed");
    Decision { detail: why.to_owned(), ..only }
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
