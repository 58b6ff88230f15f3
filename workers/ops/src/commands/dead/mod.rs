//! `fleet dead`

mod batch;
mod list;
mod replay;

use fleet_domain::PurchaseId;
use fleet_store::{DeadLetterView, LetterDecision, Store};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use self::list::letter_json;
use super::purchase::unreadable;
use super::why::Why;
use crate::choices::{choices, is_confirmed};
use crate::output::{Output, merged};
use crate::{Failure, money};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// What waits for a person: parked tasks by purchase, then dead letters, newest first
    List(list::List),
    /// One dead letter with its headers and decisions, or the parked tasks of one purchase
    Show {
        /// The letter's id, or a raasTxnRef
        id: Uuid,
    },
    /// Take letters of purchases in again, with the checks of today; those that are refused again stay
    ///
    /// Nothing is published: the clock finds the new purchases' tasks, and who published a letter is
    /// not answered. Letters that this batch holds cannot be decided otherwise until it ends. Exit code
    /// 1 when letters came back.
    Replay(Box<replay::Replay>),
    /// Go on with a replay whose process died or that was stopped
    Continue {
        /// The replay's id
        replay: Uuid,
    },
    /// End a replay: a process that works on it stops after its chunk; letters that no process has read
    /// may be decided otherwise
    Stop {
        /// The replay's id
        replay: Uuid,
    },
    /// Replays and what became of their letters, newest first
    Replays {
        /// Rows at most
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Only older ones than this: the last of the page before
        #[arg(long, value_name = "REPLAY")]
        before: Option<Uuid>,
    },
    /// Decide that nothing follows from letters; they are kept
    Discard {
        /// The letters' ids
        #[arg(required = true, value_name = "LETTER")]
        letters: Vec<Uuid>,
        #[command(flatten)]
        why: Why,
    },
}

pub(crate) async fn run(command: &Command, store: &Store, output: Output) -> Result<(), Failure> {
    match command {
        Command::List(list) => list::run(list, store, output).await,
        Command::Show { id } => show(*id, store, output).await,
        Command::Replay(replay) => replay::replay(replay, store, output).await,
        Command::Continue { replay } => replay::go_on_with(*replay, store, output).await,
        Command::Stop { replay } => replay::stop(*replay, store, output).await,
        Command::Replays { limit, before } => replay::list(*limit, *before, store, output).await,
        Command::Discard { letters, why } => discard(letters, why, store, output).await,
    }
}

async fn discard(
    letters: &[Uuid],
    why: &Why,
    store: &Store,
    output: Output,
) -> Result<(), Failure> {
    let unfit = store.discard_letters(letters, why.reason()?, &why.actor()?).await?;
    replay::fit(&unfit)?;
    output.print(&json!({ "discarded": letters }), || match letters {
        [letter] => format!("nothing follows from letter {letter}"),
        _ => format!("nothing follows from {} letters", letters.len()),
    });
    Ok(())
}

async fn show(id: Uuid, store: &Store, output: Output) -> Result<(), Failure> {
    if let Some(letter) = store.dead_letter(id).await? {
        let decisions = store.letter_decisions(id).await?;
        let value = letter_view(&letter, &decisions);
        output.print(&value, || format!("{value:#}"));
        return Ok(());
    }
    let Some(view) = store.show_purchase(PurchaseId(id)).await? else {
        return Err(Failure::No(format!("there is no dead letter and no purchase {id}")));
    };
    let is_confirmed = is_confirmed(&view, store).await?;
    let parked: Vec<Value> = view
        .tasks
        .iter()
        .filter_map(|task| {
            let class = task.park_class?;
            let value = json!({
                "kind": task.key.kind.name(), "slot": task.key.slot, "class": class.name(),
                "cause": task.park_cause, "parked_at": task.parked_at, "tries": task.tries,
                "ref_no": task.ref_no, "sent_until": task.sent_until,
                "choices": choices(task, is_confirmed),
            });
            Some(merged(value, money::at_risk(task.at_risk)))
        })
        .collect();
    if parked.is_empty() {
        return Err(Failure::No(format!("nothing of purchase {id} is parked")));
    }
    // The purchase has one hold, whatever number of its tasks is parked.
    let value = json!({
        "raas_txn_ref": id, "parked": parked, "unreadable": unreadable(&view.unreadable),
    });
    let value = merged(value, money::at_risk(view.at_risk()));
    output.print(&value, || format!("{value:#}"));
    Ok(())
}

/// A body may hold personal data: its size and hash are shown, never its text.
fn letter_view(letter: &DeadLetterView, decisions: &[LetterDecision]) -> Value {
    let mut value = letter_json(&letter.row);
    if let Some(fields) = value.as_object_mut() {
        fields.insert("headers".to_owned(), letter.headers.clone());
        let hash = letter.body.as_ref().map(|body| hex::encode(Sha256::digest(body)));
        let unreadable: Vec<String> =
            hash.as_ref().err().map(ToString::to_string).into_iter().collect();
        fields.insert("body_sha256".to_owned(), hash.ok().into());
        fields.insert("unreadable".to_owned(), unreadable.into());
        let decisions: Vec<Value> = decisions.iter().map(decision_json).collect();
        fields.insert("decisions".to_owned(), decisions.into());
    }
    value
}

fn decision_json(decision: &LetterDecision) -> Value {
    json!({
        "action": if decision.replay.is_some() { "replay" } else { "discard" },
        "replay": decision.replay, "outcome": decision.outcome, "cause": decision.cause,
        "detail": decision.detail, "raas_txn_ref": decision.purchase, "actor": decision.actor,
        "reason": decision.reason, "decided_at": decision.decided_at,
    })
}
