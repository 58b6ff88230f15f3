//! `fleet dead replay`, `continue`, `stop` and `replays`: which letters, and what the batches are.

use std::collections::BTreeMap;

use fleet_contracts::{DeadCause, Queue};
use fleet_store::{NewReplay, REPLAY_LETTERS_MAX, ReplayEnd, ReplayView, Store, Unfit};
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::why::Why;
use super::batch::take_in;
use crate::Failure;
use crate::output::{Output, page, table};

/// How many letters of a list are named in an error.
const NAMED_MAX: usize = 20;

#[derive(Debug, clap::Args)]
pub(crate) struct Replay {
    /// The letters; all new ones of the filter when none is named
    #[arg(value_name = "LETTER", conflicts_with_all = ["cause", "queue", "limit"])]
    letters: Vec<Uuid>,
    /// Only letters with this cause
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(
        DeadCause::ALL.map(DeadCause::name)))]
    cause: Option<String>,
    /// Only letters from this queue; only those of fleet.requested can be replayed
    #[arg(long)]
    queue: Option<String>,
    /// Letters at most, the oldest first
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: Option<u32>,
    #[command(flatten)]
    why: Why,
    /// Letters a second at most
    #[arg(long, default_value_t = 100, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// Stop when so many percent of the letters come back, after 20 of them at the earliest
    #[arg(long, default_value_t = 20, value_name = "PERCENT",
          value_parser = clap::value_parser!(u32).range(1..=100))]
    stop_at: u32,
    /// Say which letters it would be, change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Letters to replay, and how many there are of each cause.
struct Chosen {
    letters: Vec<Uuid>,
    causes: Option<BTreeMap<String, usize>>,
    criteria: Value,
}

pub(super) async fn replay(replay: &Replay, store: &Store, output: Output) -> Result<(), Failure> {
    let (reason, actor) = (replay.why.reason()?, replay.why.actor()?);
    let chosen = choose(replay, store).await?;
    if chosen.letters.is_empty() {
        let value = json!({ "replay": null, "letters": 0 });
        output.print(&value, || "no letters to replay".to_owned());
        return Ok(());
    }
    if replay.dry_run {
        let count = chosen.letters.len();
        let value = json!({ "replay": null, "letters": count, "causes": chosen.causes });
        output.print(&value, || {
            let causes = chosen.causes.iter().flatten();
            let lines: String = causes.map(|(cause, n)| format!("  {n} {cause}\n")).collect();
            format!("{count} letters would be replayed\n{lines}")
        });
        return Ok(());
    }
    let id = Uuid::now_v7();
    let unfit = store
        .begin_replay(&NewReplay {
            id,
            letters: &chosen.letters,
            criteria: &chosen.criteria,
            rate: replay.rate,
            stop_at: replay.stop_at,
            reason,
            actor: &actor,
        })
        .await?;
    fit(&unfit)?;
    go_on(id, store, output).await
}

/// Everything that can be refused is refused here, before anything is done.
async fn choose(replay: &Replay, store: &Store) -> Result<Chosen, Failure> {
    if let Some(queue) = replay.queue.as_ref().filter(|name| *name != Queue::Requested.name()) {
        let text = format!(
            "letters of {} have nothing to replay: a hint's task is in its table",
            fleet_contracts::plain(queue, fleet_contracts::REFERENCE_CHARS_MAX)
        );
        return Err(Failure::Refused(text));
    }
    if !replay.letters.is_empty() {
        let mut letters = replay.letters.clone();
        letters.sort_unstable();
        letters.dedup();
        if letters.len() > REPLAY_LETTERS_MAX {
            return Err(too_many(letters.len()));
        }
        // Otherwise the beginning says so.
        if replay.dry_run {
            fit(&store.unfit_letters(&letters).await?)?;
        }
        let criteria = json!({ "named": letters.len() });
        return Ok(Chosen { letters, causes: None, criteria });
    }
    if replay.cause.is_none() && replay.queue.is_none() && replay.limit.is_none() {
        let text = "name letters, or say which: --cause, --queue fleet.requested, --limit";
        return Err(Failure::Refused(text.to_owned()));
    }
    let max = u32::try_from(REPLAY_LETTERS_MAX).unwrap_or(u32::MAX);
    let limit = replay.limit.unwrap_or(max);
    let found = store.replayable(replay.cause.as_deref(), limit).await?;
    let matching = usize::try_from(found.matching).unwrap_or(usize::MAX);
    if replay.limit.is_none() && matching > REPLAY_LETTERS_MAX {
        return Err(too_many(matching));
    }
    let mut causes = BTreeMap::new();
    for (_, cause) in &found.letters {
        let count: &mut usize = causes.entry(cause.clone()).or_default();
        *count = count.saturating_add(1);
    }
    let criteria = json!({ "cause": replay.cause, "queue": replay.queue, "limit": replay.limit });
    let letters = found.letters.into_iter().map(|(letter, _)| letter).collect();
    Ok(Chosen { letters, causes: Some(causes), criteria })
}

fn too_many(count: usize) -> Failure {
    let text = format!(
        "{count} letters are more than the {REPLAY_LETTERS_MAX} of one replay: take the oldest with \
         --limit"
    );
    Failure::Refused(text)
}

/// Refused, with the letters that it is about.
pub(super) fn fit(unfit: &[(Uuid, Unfit)]) -> Result<(), Failure> {
    if unfit.is_empty() {
        return Ok(());
    }
    let lines = unfit.iter().take(NAMED_MAX).map(|(letter, why)| match why {
        Unfit::NoLetter => format!("\n  there is no dead letter {letter}"),
        Unfit::Decided => format!("\n  letter {letter} is decided: fleet dead show {letter}"),
        Unfit::OtherQueue => format!("\n  letter {letter} is a hint's: its task is in its table"),
        Unfit::InReplay(replay) => {
            format!("\n  letter {letter} is in replay {replay}: fleet dead continue {replay}")
        }
    });
    let lines: String = lines.collect();
    let more = match unfit.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!("\n  and {more} more"),
    };
    Err(Failure::Refused(format!("nothing was done:{lines}{more}")))
}

pub(super) async fn go_on_with(id: Uuid, store: &Store, output: Output) -> Result<(), Failure> {
    if !store.continue_replay(id).await? {
        return Err(no_replay(id));
    }
    go_on(id, store, output).await
}

fn no_replay(id: Uuid) -> Failure {
    Failure::No(format!("there is no replay {id}"))
}

/// Takes in what is left of a batch, and tells what became of all of it.
async fn go_on(id: Uuid, store: &Store, output: Output) -> Result<(), Failure> {
    let before = store.replay(id).await?.ok_or_else(|| no_replay(id))?;
    take_in(&before, store).await?;
    let view = store.replay(id).await?.ok_or_else(|| no_replay(id))?;
    let was_left = before.left;
    output.print(&replay_json(&view), || match was_left {
        0 => format!("nothing is left of replay {id}\n{}", one(&view)),
        _ => one(&view),
    });
    if view.ended == Some(ReplayEnd::Stopped) && view.left > 0 {
        let text = format!(
            "stopped: {} of {} letters came back, {} are left; mend the cause, then \
             fleet dead continue {id}",
            view.refused, view.letters, view.left
        );
        return Err(Failure::No(text));
    }
    let refused = view.refused;
    if refused > before.refused {
        let text =
            format!("{refused} letters came back and are new, with their cause as it is now");
        return Err(Failure::No(text));
    }
    Ok(())
}

fn one(view: &ReplayView) -> String {
    replays_text(std::slice::from_ref(view))
}

pub(super) async fn stop(id: Uuid, store: &Store, output: Output) -> Result<(), Failure> {
    let stopped = store.end_replay(id, ReplayEnd::Stopped).await?;
    let view = store.replay(id).await?.ok_or_else(|| no_replay(id))?;
    if !stopped {
        return Err(Failure::Refused(format!("replay {id} has ended already")));
    }
    output.print(&replay_json(&view), || format!("stopped\n{}", one(&view)));
    Ok(())
}

pub(super) async fn list(
    limit: u32,
    before: Option<Uuid>,
    store: &Store,
    output: Output,
) -> Result<(), Failure> {
    let replays = store.replays(limit.saturating_add(1), before).await?;
    let (replays, next) = page(replays, limit, |view| view.id);
    let rows: Vec<Value> = replays.iter().map(replay_json).collect();
    output.print(&json!({ "replays": rows, "next": next }), || match replays.len() {
        0 => "no replays".to_owned(),
        _ => {
            let older = |next| format!("older ones: --before {next}\n");
            format!("{}{}", replays_text(&replays), next.map_or_else(String::new, older))
        }
    });
    Ok(())
}

fn state(view: &ReplayView) -> &'static str {
    view.ended.map_or("open", ReplayEnd::name)
}

fn replays_text(replays: &[ReplayView]) -> String {
    let head = [
        "replay",
        "began",
        "state",
        "letters",
        "stored",
        "already",
        "came back",
        "decided before",
        "left",
        "who",
        "why",
    ];
    let rows = replays.iter().map(|view| {
        vec![
            view.id.to_string(),
            view.created_at.format("%F %T").to_string(),
            state(view).to_owned(),
            view.letters.to_string(),
            view.stored.to_string(),
            view.already_stored.to_string(),
            view.refused.to_string(),
            view.decided_before.to_string(),
            view.left.to_string(),
            view.actor.clone(),
            view.reason.clone(),
        ]
    });
    table(&head, rows)
}

fn replay_json(view: &ReplayView) -> Value {
    json!({
        "replay": view.id, "state": state(view), "letters": view.letters, "stored": view.stored,
        "already_stored": view.already_stored, "refused": view.refused,
        "decided_before": view.decided_before, "left": view.left, "criteria": view.criteria,
        "rate": view.rate, "stop_at": view.stop_at, "actor": view.actor, "reason": view.reason,
        "created_at": view.created_at, "ended_at": view.ended_at,
    })
}
