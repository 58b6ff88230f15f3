//! `fleet dead`

mod batch;
mod replay;

use clap::builder::PossibleValuesParser;
use fleet_domain::{ClientId, ParkClass, PurchaseId, TaskKind};
use fleet_store::{
    DeadLetterFilter, DeadLetterRow, DeadLetterState, DeadLetterView, LetterDecision, ParkedFilter,
    ParkedTask, Store,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::why::Why;
use crate::Failure;
use crate::output::{Output, table};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// What waits for a person: parked tasks, then dead letters, newest letters first
    List(List),
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

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Only parked tasks of this kind
    #[arg(long, value_parser = PossibleValuesParser::new(TaskKind::ALL.map(TaskKind::name)))]
    kind: Option<String>,
    /// Only parked tasks of this class
    #[arg(long, value_parser = PossibleValuesParser::new(ParkClass::ALL.map(ParkClass::name)))]
    class: Option<String>,
    /// Only parked tasks of this client
    #[arg(long)]
    client: Option<i64>,
    /// Only dead letters in this state
    #[arg(long, default_value = "new", value_parser = ["new", "discarded", "stored"])]
    state: String,
    /// Only dead letters with this cause
    #[arg(long)]
    cause: Option<String>,
    /// Rows of each at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

pub(crate) async fn run(command: &Command, store: &Store, output: Output) -> Result<(), Failure> {
    match command {
        Command::List(list) => self::list(list, store, output).await,
        Command::Show { id } => show(*id, store, output).await,
        Command::Replay(replay) => replay::replay(replay, store, output).await,
        Command::Continue { replay } => replay::go_on_with(*replay, store, output).await,
        Command::Stop { replay } => replay::stop(*replay, store, output).await,
        Command::Replays { limit } => replay::list(*limit, store, output).await,
        Command::Discard { letters, why } => discard(letters, why, store, output).await,
    }
}

async fn discard(
    letters: &[Uuid],
    why: &Why,
    store: &Store,
    output: Output,
) -> Result<(), Failure> {
    let unfit = store.discard_letters(letters, why.reason()?, &why.actor()).await?;
    replay::fit(&unfit)?;
    output.print(&json!({ "discarded": letters }), || match letters {
        [letter] => format!("nothing follows from letter {letter}"),
        _ => format!("nothing follows from {} letters", letters.len()),
    });
    Ok(())
}

async fn list(list: &List, store: &Store, output: Output) -> Result<(), Failure> {
    let kind = |word: &String| TaskKind::ALL.into_iter().find(|kind| kind.name() == word);
    let class = |word: &String| ParkClass::ALL.into_iter().find(|class| class.name() == word);
    let filter = ParkedFilter {
        kind: list.kind.as_ref().and_then(kind),
        class: list.class.as_ref().and_then(class),
        client: list.client.map(ClientId),
        limit: list.limit,
        after: None,
    };
    let parked = store.parked(filter).await?;
    let letters = DeadLetterFilter {
        state: DeadLetterState::from_name(&list.state),
        cause: list.cause.clone(),
        limit: list.limit,
        ..DeadLetterFilter::default()
    };
    let letters = store.dead_letters(&letters).await?;
    let value = json!({
        "parked": parked.iter().map(task_json).collect::<Vec<_>>(),
        "letters": letters.iter().map(letter_json).collect::<Vec<_>>(),
    });
    output.print(&value, || format!("{}\n{}", parked_text(&parked), letters_text(&letters)));
    Ok(())
}

fn parked_text(parked: &[ParkedTask]) -> String {
    if parked.is_empty() {
        return "no parked tasks\n".to_owned();
    }
    let rows = parked.iter().map(|task| {
        vec![
            task.key.purchase.to_string(),
            task.key.kind.to_string(),
            task.class.name().to_owned(),
            task.at_risk.map_or_else(|| "-".to_owned(), |m| format!("{m} {}", m.currency)),
            task.parked_at.map_or_else(String::new, |at| at.format("%F %T").to_string()),
            task.cause.clone(),
        ]
    });
    let head = ["purchase", "task", "class", "at risk", "since", "cause"];
    format!("parked tasks\n{}", table(&head, rows))
}

fn letters_text(letters: &[DeadLetterRow]) -> String {
    if letters.is_empty() {
        return "no dead letters\n".to_owned();
    }
    let rows = letters.iter().map(|letter| {
        vec![
            letter.id.to_string(),
            letter.received_at.format("%F %T").to_string(),
            letter.queue.clone(),
            letter.cause.clone(),
            letter.detail.clone(),
            letter.body_bytes.to_string(),
        ]
    });
    let head = ["letter", "received", "queue", "cause", "detail", "bytes"];
    format!("dead letters\n{}", table(&head, rows))
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
    let parked: Vec<Value> = view
        .tasks
        .iter()
        .filter_map(|task| {
            let class = task.park_class?;
            Some(json!({
                "kind": task.key.kind.name(), "slot": task.key.slot, "class": class.name(),
                "cause": task.park_cause, "parked_at": task.parked_at, "tries": task.tries,
                "ref_no": task.ref_no, "sent_until": task.sent_until,
                "at_risk": task.at_risk.map(|m| format!("{m} {}", m.currency)),
            }))
        })
        .collect();
    if parked.is_empty() {
        return Err(Failure::No(format!("nothing of purchase {id} is parked")));
    }
    let value = json!({ "raas_txn_ref": id, "parked": parked });
    output.print(&value, || format!("{value:#}"));
    Ok(())
}

/// A body may hold personal data: its size and hash are shown, never its text.
fn letter_view(letter: &DeadLetterView, decisions: &[LetterDecision]) -> Value {
    let mut value = letter_json(&letter.row);
    if let Some(fields) = value.as_object_mut() {
        fields.insert("headers".to_owned(), letter.headers.clone());
        let hash = hex::encode(Sha256::digest(&letter.body));
        fields.insert("body_sha256".to_owned(), hash.into());
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

fn letter_json(letter: &DeadLetterRow) -> Value {
    json!({
        "id": letter.id, "received_at": letter.received_at, "queue": letter.queue,
        "cause": letter.cause, "detail": letter.detail, "message_id": letter.message_id,
        "body_bytes": letter.body_bytes, "state": letter.state.name(), "actor": letter.actor,
        "decided_at": letter.decided_at,
    })
}

fn task_json(task: &ParkedTask) -> Value {
    json!({
        "raas_txn_ref": task.key.purchase, "kind": task.key.kind.name(), "slot": task.key.slot,
        "class": task.class.name(), "cause": task.cause, "parked_at": task.parked_at,
        "tries": task.tries, "ref_no": task.ref_no, "client_id": task.client,
        "client_txn_ref": task.client_txn_ref, "supplier": task.supplier,
        "funding_source": task.funding_source, "at_risk_minor": task.at_risk.map(|m| m.minor),
        "at_risk_currency": task.at_risk.map(|m| m.currency.code()),
    })
}
