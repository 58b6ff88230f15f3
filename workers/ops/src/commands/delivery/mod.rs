//! `fleet delivery`

use clap::builder::PossibleValuesParser;
use fleet_domain::{ClientId, DeliveryState, PurchaseId, TaskKind, delivery_kind};
use fleet_store::{
    DeliveryFilter, DeliveryRow, DeliveryView, FailingEndpoint, JournalView, PurchaseView, Resend,
    Store, TransactionHold,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::purchase::{hidden_json, hidden_text, unreadable};
use super::why::Why;
use crate::Failure;
use crate::output::{Output, merged, page, table};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Results on their way to clients and messages to people, of the newest purchases first
    List(List),
    /// The results and messages of one purchase, with every attempt
    Show {
        /// The raasTxnRef, which is the IPN's transactionid
        id: Uuid,
    },
    /// Endpoints that do not acknowledge what they get
    Failing,
    /// Send a purchase's results and messages once more, now, byte for byte
    Resend(ResendArguments),
    /// Keep a transaction from being shown by Transaction Query (403, or 410 when removed)
    Hold(Hold),
    /// Show a transaction again
    Release {
        /// The transactionid
        id: Uuid,
        #[command(flatten)]
        why: Why,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Only of this client
    #[arg(long)]
    client: Option<i64>,
    /// Only by this channel
    #[arg(long)]
    channel: Option<String>,
    /// Only in this state
    #[arg(long, value_parser = PossibleValuesParser::new(
        ["queued", "retrying", "sent", "failed", "disabled"]))]
    state: Option<String>,
    /// Rows at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Only behind this row, PURCHASE.SLOT: `next` of the page before
    #[arg(long, value_name = "ROW", value_parser = place)]
    after: Option<(PurchaseId, i32)>,
}

/// Where a page ended.
fn place(text: &str) -> Result<(PurchaseId, i32), &'static str> {
    let wrong = "is not PURCHASE.SLOT";
    let (purchase, slot) = text.split_once('.').ok_or(wrong)?;
    let purchase = purchase.parse().map_err(|_error| wrong)?;
    Ok((purchase, slot.parse().map_err(|_error| wrong)?))
}

#[derive(Debug, clap::Args)]
pub(crate) struct ResendArguments {
    /// The raasTxnRef, which is the IPN's transactionid
    id: Uuid,
    /// Only by this channel; all of its results otherwise
    #[arg(long)]
    channel: Option<String>,
    #[command(flatten)]
    why: Why,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Hold {
    /// The transactionid
    id: Uuid,
    #[command(flatten)]
    why: Why,
    /// Say that it was removed (410)
    #[arg(long)]
    removed: bool,
}

pub(crate) async fn run(command: &Command, store: &Store, output: Output) -> Result<(), Failure> {
    match command {
        Command::List(list) => self::list(list, store, output).await,
        Command::Show { id } => show(*id, store, output).await,
        Command::Failing => failing(store, output).await,
        Command::Resend(arguments) => resend(arguments, store, output).await,
        Command::Hold(arguments) => hold(arguments, store, output).await,
        Command::Release { id, why } => {
            let (reason, actor) = (why.reason()?, why.actor()?);
            if !store.release_transaction(PurchaseId(*id), reason, &actor).await? {
                return Err(Failure::No(format!("transaction {id} is not held")));
            }
            output.print(&json!({ "released": id }), || format!("{id} is shown again"));
            Ok(())
        }
    }
}

async fn list(list: &List, store: &Store, output: Output) -> Result<(), Failure> {
    let filter = DeliveryFilter {
        client: list.client.map(ClientId),
        channel: list.channel.clone(),
        state: list.state.as_deref().and_then(DeliveryState::from_name),
        limit: list.limit.saturating_add(1),
        before: list.after,
    };
    let (rows, next) = page(store.deliveries(&filter).await?, list.limit, |row| {
        format!("{}.{}", row.purchase, row.view.slot)
    });
    let deliveries: Vec<Value> = rows.iter().map(row_json).collect();
    let value = json!({ "deliveries": deliveries, "next": next });
    output.print(&value, || {
        let head = ["purchase", "client", "channel", "state", "attempts", "last", "next try"];
        if rows.is_empty() {
            "no deliveries\n".to_owned()
        } else {
            let more = next.map_or_else(String::new, |next| {
                format!("more, with the same filters: --after {next}\n")
            });
            format!("{}{more}", table(&head, rows.iter().map(cells)))
        }
    });
    Ok(())
}

fn cells(row: &DeliveryRow) -> Vec<String> {
    vec![
        row.purchase.to_string(),
        row.client.to_string(),
        row.view.channel.clone(),
        row.view.state.clone(),
        row.view.attempts.to_string(),
        row.view.last_status.map_or_else(|| "-".to_owned(), |status| status.to_string()),
        time(row.due_at),
    ]
}

fn row_json(row: &DeliveryRow) -> Value {
    let more = json!({
        "raas_txn_ref": row.purchase, "client_id": row.client, "created_at": row.created_at,
        "due_at": row.due_at,
    });
    merged(delivery_json(&row.view), more)
}

pub(super) fn delivery_json(row: &DeliveryView) -> Value {
    json!({
        "slot": row.slot, "channel": row.channel, "state": row.state, "attempts": row.attempts,
        "first_sent_at": row.first_sent_at, "last_sent_at": row.last_sent_at,
        "last_status": row.last_status,
    })
}

async fn view(id: Uuid, store: &Store) -> Result<PurchaseView, Failure> {
    let view = store.show_purchase(PurchaseId(id)).await?;
    let view = view.filter(|view| !view.deliveries.is_empty());
    view.ok_or_else(|| Failure::No(format!("there are no results of a purchase {id}")))
}

async fn show(id: Uuid, store: &Store, output: Output) -> Result<(), Failure> {
    let view = view(id, store).await?;
    let is_due = |slot: i32| {
        let key = |task: &&fleet_store::TaskView| {
            task.key.kind == delivery_kind(slot) && task.key.slot == slot
        };
        view.tasks.iter().find(key).map(|task| task.due_at)
    };
    let deliveries: Vec<Value> = view
        .deliveries
        .iter()
        .map(|row| merged(delivery_json(row), json!({ "due_at": is_due(row.slot) })))
        .collect();
    let attempts: Vec<Value> = attempts(&view)
        .map(|row| {
            json!({
                "at": row.at, "slot": row.slot, "outcome": row.outcome, "detail": row.detail,
                "actor": row.actor,
            })
        })
        .collect();
    let value = json!({
        "raas_txn_ref": id, "deliveries": deliveries, "attempts": attempts,
        "hidden": hidden_json(&view), "unreadable": unreadable(&view.unreadable),
        "older_rows_left_out": view.is_cut,
    });
    output.print(&value, || show_text(&view, is_due));
    Ok(())
}

/// What was tried to deliver a purchase's results and messages.
fn attempts(view: &PurchaseView) -> impl Iterator<Item = &JournalView> {
    let kinds = [TaskKind::Deliver, TaskKind::Notify];
    view.journal.iter().filter(move |row| kinds.contains(&row.kind))
}

fn show_text(
    view: &PurchaseView,
    is_due: impl Fn(i32) -> Option<chrono::DateTime<chrono::Utc>>,
) -> String {
    let head =
        ["slot", "channel", "state", "attempts", "first sent", "last HTTP status", "next try"];
    let results = view.deliveries.iter().map(|row| {
        vec![
            row.slot.to_string(),
            row.channel.clone(),
            row.state.clone(),
            row.attempts.to_string(),
            time(row.first_sent_at),
            row.last_status.map_or_else(|| "-".to_owned(), |status| status.to_string()),
            time(is_due(row.slot)),
        ]
    });
    let attempts = attempts(view).map(|row| {
        let actor = row.actor.clone().unwrap_or_default();
        let at = row.at.format("%F %T%.3f").to_string();
        vec![at, row.slot.to_string(), row.outcome.clone(), row.detail.clone(), actor]
    });
    let attempts = table(&["at", "slot", "outcome", "detail", "by"], attempts);
    let hidden = hidden_text(view);
    let cut = if view.is_cut { "older rows are left out\n" } else { "" };
    format!("{hidden}{}\nattempts\n{attempts}{cut}", table(&head, results))
}

fn time(at: Option<chrono::DateTime<chrono::Utc>>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| at.format("%F %T").to_string())
}

async fn failing(store: &Store, output: Output) -> Result<(), Failure> {
    let rows = store.failing_endpoints().await?;
    let value = json!({ "failing": rows.iter().map(failing_json).collect::<Vec<_>>() });
    output.print(&value, || {
        if rows.is_empty() {
            "every endpoint acknowledges; of results that have failed, 30 days count\n".to_owned()
        } else {
            failing_text(&rows)
        }
    });
    Ok(())
}

pub(super) fn failing_json(row: &FailingEndpoint) -> Value {
    json!({
        "client_id": row.client, "channel": row.channel, "retrying": row.retrying,
        "failed": row.failed, "disabled": row.disabled, "oldest": row.oldest,
        "last_status": row.last_status,
    })
}

pub(super) fn failing_text(rows: &[FailingEndpoint]) -> String {
    let head =
        ["client", "channel", "retrying", "failed", "disabled", "oldest", "last HTTP status"];
    let cells = |row: &FailingEndpoint| {
        vec![
            row.client.to_string(),
            row.channel.clone(),
            row.retrying.to_string(),
            row.failed.to_string(),
            row.disabled.to_string(),
            row.oldest.format("%F %T").to_string(),
            row.last_status.map_or_else(|| "no answer".to_owned(), |status| status.to_string()),
        ]
    };
    table(&head, rows.iter().map(cells))
}

async fn resend(arguments: &ResendArguments, store: &Store, output: Output) -> Result<(), Failure> {
    let (reason, actor) = (arguments.why.reason()?, arguments.why.actor()?);
    let view = view(arguments.id, store).await?;
    let wanted = |channel: &str| arguments.channel.as_deref().is_none_or(|only| only == channel);
    let rows = view.deliveries.iter().filter(|row| wanted(&row.channel));
    let mut told = Vec::new();
    for row in rows {
        let id = PurchaseId(arguments.id);
        let word = match store.resend_delivery(id, row.slot, reason, &actor).await? {
            Resend::Due => "due now",
            Resend::UnderWay => "being sent at this moment",
            Resend::NotFound => "without a lane: import its client",
        };
        told.push((row.channel.clone(), word));
    }
    if told.is_empty() {
        return Err(Failure::No(format!("purchase {} has no such result", arguments.id)));
    }
    let value: serde_json::Map<String, Value> =
        told.iter().map(|(channel, word)| (channel.clone(), json!(word))).collect();
    output.print(&Value::Object(value), || {
        told.iter().map(|(channel, word)| format!("{channel} is {word}\n")).collect()
    });
    Ok(())
}

async fn hold(arguments: &Hold, store: &Store, output: Output) -> Result<(), Failure> {
    let (reason, actor) = (arguments.why.reason()?, arguments.why.actor()?);
    let hold = if arguments.removed { TransactionHold::Removed } else { TransactionHold::Held };
    let id = PurchaseId(arguments.id);
    if !store.hold_transaction(id, hold, reason, &actor).await? {
        return Err(Failure::No(format!("there is no purchase {id}")));
    }
    let word = if arguments.removed { "removed" } else { "held" };
    output.print(&json!({ "raas_txn_ref": id, "hold": word }), || format!("{id} is {word}"));
    Ok(())
}
