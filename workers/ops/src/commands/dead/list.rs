//! `fleet dead list`

use clap::builder::PossibleValuesParser;
use fleet_domain::{ClientId, ParkClass, PurchaseId, TaskKey, TaskKind};
use fleet_store::{
    DeadLetterFilter, DeadLetterRow, DeadLetterState, ParkedFilter, ParkedTask, ParkedTotals, Store,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::output::{Output, merged, page, table};
use crate::{Failure, money};

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Only parked tasks of this kind; leaves dead letters out
    #[arg(long, value_parser = PossibleValuesParser::new(TaskKind::ALL.map(TaskKind::name)))]
    kind: Option<String>,
    /// Only parked tasks of this class; leaves dead letters out
    #[arg(long, value_parser = PossibleValuesParser::new(ParkClass::ALL.map(ParkClass::name)))]
    class: Option<String>,
    /// Only parked tasks of this client; leaves dead letters out, which are nobody's yet
    #[arg(long)]
    client: Option<i64>,
    /// Only dead letters in this state, instead of new ones; leaves parked tasks out
    #[arg(long, value_parser = ["new", "discarded", "stored"],
          conflicts_with_all = ["kind", "class", "client"])]
    state: Option<String>,
    /// Only dead letters with this cause, and parked tasks with these words in theirs
    #[arg(long)]
    cause: Option<String>,
    /// Rows of each at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Go on behind this row, with the same filters: `next` of the page before
    #[arg(long, value_name = "ROW")]
    after: Option<After>,
}

/// The last row of a page: `PURCHASE.KIND.SLOT` of a parked task, or a letter.
#[derive(Debug, Clone, Copy)]
enum After {
    Task(TaskKey),
    Letter(Uuid),
}

impl std::str::FromStr for After {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "is neither PURCHASE.KIND.SLOT nor a letter's id";
        let Some((purchase, rest)) = text.split_once('.') else {
            return text.parse().map(Self::Letter).map_err(|_error| wrong);
        };
        let (word, slot) = rest.split_once('.').ok_or(wrong)?;
        let kind = TaskKind::ALL.into_iter().find(|kind| kind.name() == word).ok_or(wrong)?;
        let purchase: PurchaseId = purchase.parse().map_err(|_error| wrong)?;
        Ok(Self::Task(TaskKey { purchase, kind, slot: slot.parse().map_err(|_error| wrong)? }))
    }
}

/// One page of each half, as far as it is asked for.
struct Found {
    parked: Option<(Vec<ParkedTask>, Option<String>, ParkedTotals)>,
    letters: Option<(Vec<DeadLetterRow>, Option<String>, Option<i64>)>,
}

pub(super) async fn run(list: &List, store: &Store, output: Output) -> Result<(), Failure> {
    let (task, letter) = match list.after {
        None => (None, None),
        Some(After::Task(key)) => (Some(key), None),
        Some(After::Letter(id)) => (None, Some(id)),
    };
    let of_tasks = list.kind.is_some() || list.class.is_some() || list.client.is_some();
    let found = Found {
        parked: match list.state.is_none() && letter.is_none() {
            true => Some(parked(list, task, store).await?),
            false => None,
        },
        letters: match !of_tasks && task.is_none() {
            true => Some(letters(list, letter, store).await?),
            false => None,
        },
    };
    output.print(&to_json(&found), || to_text(list, &found));
    Ok(())
}

async fn parked(
    list: &List,
    after: Option<TaskKey>,
    store: &Store,
) -> Result<(Vec<ParkedTask>, Option<String>, ParkedTotals), Failure> {
    let kind = |word: &String| TaskKind::ALL.into_iter().find(|kind| kind.name() == word);
    let class = |word: &String| ParkClass::ALL.into_iter().find(|class| class.name() == word);
    let filter = ParkedFilter {
        kind: list.kind.as_ref().and_then(kind),
        class: list.class.as_ref().and_then(class),
        client: list.client.map(ClientId),
        cause: list.cause.clone(),
        limit: list.limit.saturating_add(1),
        after,
    };
    let totals = store.parked_totals(&filter).await?;
    let (rows, next) = page(store.parked(&filter).await?, list.limit, |row| {
        let TaskKey { purchase, kind, slot } = row.key;
        format!("{purchase}.{kind}.{slot}")
    });
    Ok((rows, next, totals))
}

async fn letters(
    list: &List,
    before: Option<Uuid>,
    store: &Store,
) -> Result<(Vec<DeadLetterRow>, Option<String>, Option<i64>), Failure> {
    let state = list.state.as_deref().unwrap_or("new");
    let filter = DeadLetterFilter {
        state: DeadLetterState::from_name(state),
        cause: list.cause.clone(),
        queue: None,
        limit: list.limit.saturating_add(1),
        before,
    };
    let count = store.dead_letter_count(&filter).await?;
    let rows = store.dead_letters(&filter).await?;
    let (rows, next) = page(rows, list.limit, |row| row.id.to_string());
    Ok((rows, next, count))
}

fn to_json(found: &Found) -> Value {
    let mut left_out = Vec::new();
    let (tasks, next_task, totals) = found.parked.as_ref().map_or_else(
        || {
            left_out.push("parked");
            (Vec::new(), None, None)
        },
        |(rows, next, totals)| (rows.iter().map(task_json).collect(), next.clone(), Some(totals)),
    );
    let (letters, next_letter, count) = found.letters.as_ref().map_or_else(
        || {
            left_out.push("letters");
            (Vec::new(), None, None)
        },
        |(rows, next, count)| (rows.iter().map(letter_json).collect(), next.clone(), *count),
    );
    json!({
        "parked": tasks, "letters": letters, "left_out": left_out,
        "next": { "parked": next_task, "letters": next_letter },
        "matching": { "parked": totals.map(|all| all.tasks), "letters": count },
        "at_risk": totals.map(|all| money::sums(&all.at_risk)),
    })
}

fn to_text(list: &List, found: &Found) -> String {
    let parked = match &found.parked {
        Some((rows, next, totals)) => parked_text(rows, next.as_ref(), totals),
        None if list.state.is_some() => {
            "parked tasks are left out: --state is of letters\n".to_owned()
        }
        None => "parked tasks are left out: this page is of letters\n".to_owned(),
    };
    let letters = match &found.letters {
        Some((rows, next, count)) => letters_text(rows, next.as_ref(), *count),
        None if list.after.is_some() => {
            "dead letters are left out: this page is of parked tasks\n".to_owned()
        }
        None => "dead letters are left out: --kind, --class and --client are of parked tasks\n"
            .to_owned(),
    };
    format!("{parked}\n{letters}")
}

/// How many of how many these are, and how to go on.
fn last_line(shown: usize, all: &str, what: &str, next: Option<&String>) -> String {
    next.map_or_else(String::new, |next| {
        format!("{shown} of {all} {what}; more, with the same filters: --after {next}\n")
    })
}

fn parked_text(rows: &[ParkedTask], next: Option<&String>, totals: &ParkedTotals) -> String {
    if rows.is_empty() {
        return "no parked tasks\n".to_owned();
    }
    let cells = rows.iter().map(|task| {
        let risk = money::at_risk_cell(task.at_risk);
        let same = if task.at_risk.is_some() && !task.at_risk_counts { ", same hold" } else { "" };
        vec![
            task.key.purchase.to_string(),
            task.client.to_string(),
            task.key.kind.to_string(),
            task.class.name().to_owned(),
            format!("{risk}{same}"),
            task.parked_at.map_or_else(String::new, |at| at.format("%F %T").to_string()),
            task.cause.clone(),
        ]
    });
    let head = ["purchase", "client", "task", "class", "at risk", "since", "cause"];
    let more = last_line(rows.len(), &totals.tasks.to_string(), "parked tasks", next);
    let risk = money::sums_text(&totals.at_risk);
    format!("parked tasks\n{}{risk}{more}", table(&head, cells))
}

fn letters_text(rows: &[DeadLetterRow], next: Option<&String>, count: Option<i64>) -> String {
    if rows.is_empty() {
        return "no dead letters\n".to_owned();
    }
    let cells = rows.iter().map(|letter| {
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
    let all = count.map_or_else(|| "more than 10000".to_owned(), |count| count.to_string());
    let more = last_line(rows.len(), &all, "dead letters", next);
    format!("dead letters\n{}{more}", table(&head, cells))
}

pub(super) fn letter_json(letter: &DeadLetterRow) -> Value {
    json!({
        "id": letter.id, "received_at": letter.received_at, "queue": letter.queue,
        "cause": letter.cause, "detail": letter.detail, "message_id": letter.message_id,
        "body_bytes": letter.body_bytes, "state": letter.state.name(), "actor": letter.actor,
        "decided_at": letter.decided_at,
    })
}

fn task_json(task: &ParkedTask) -> Value {
    let value = json!({
        "raas_txn_ref": task.key.purchase, "kind": task.key.kind.name(), "slot": task.key.slot,
        "class": task.class.name(), "cause": task.cause, "parked_at": task.parked_at,
        "tries": task.tries, "ref_no": task.ref_no, "client_id": task.client,
        "client_txn_ref": task.client_txn_ref, "supplier": task.supplier,
        "funding_source": task.funding_source, "at_risk_counts": task.at_risk_counts,
    });
    merged(value, money::at_risk(task.at_risk))
}
