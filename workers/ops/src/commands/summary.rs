//! `fleet summary`

use std::time::Duration;

use fleet_domain::{PurchaseStatus, TaskKind, TaskState};
use fleet_store::{BacklogRow, FleetSummary, Store};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::output::{Output, table};
use crate::{Failure, money};

/// A summary begins so long ago at most.
const TIME_MAX_SECONDS: u64 = 100 * 365 * 86_400;
/// Facts of nobody in the text; the JSON has up to 1000.
const UNMATCHED_SHOWN: usize = 20;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Count purchases that were accepted within this time, such as 90m, 6h, 1d; those with unfinished
    /// work count however old they are
    #[arg(long, default_value = "1d", value_name = "TIME", value_parser = time)]
    since: Duration,
    /// Fail unless every purchase has ended or is parked, and the books agree
    #[arg(long)]
    check: bool,
    /// With --check: how long work under way may still take
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    wait_seconds: u64,
}

/// A whole number and its unit.
fn time(text: &str) -> Result<Duration, &'static str> {
    let wrong = "is not a time such as 90m, 6h or 1d";
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or(wrong)?;
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong),
    };
    let number: u32 = number.parse().map_err(|_error| wrong)?;
    Ok(Duration::from_secs(seconds.saturating_mul(u64::from(number)).clamp(1, TIME_MAX_SECONDS)))
}

pub(crate) async fn run(
    arguments: &Arguments,
    store: &Store,
    output: Output,
) -> Result<(), Failure> {
    let began = Instant::now();
    let patience = Duration::from_secs(arguments.wait_seconds);
    let (summary, backlog, broken) = loop {
        let backlog = store.backlog().await?;
        let summary = store.summary(arguments.since).await?;
        let broken = broken(&summary, &backlog);
        if broken.is_empty() || !arguments.check || began.elapsed() >= patience {
            break (summary, backlog, broken);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    output.print(&to_json(&summary, &backlog, &broken), || to_text(&summary, &backlog));
    if arguments.check && !broken.is_empty() {
        return Err(Failure::No(format!("not every promise held:\n  {}", broken.join("\n  "))));
    }
    if arguments.check && !output.is_json() {
        output.print(&Value::Null, || "every promise held".to_owned());
    }
    Ok(())
}

/// What a fleet at rest must not show.
fn broken(summary: &FleetSummary, backlog: &[BacklogRow]) -> Vec<String> {
    let mut broken = Vec::new();
    let moves_money = |kind| {
        matches!(
            kind,
            TaskKind::Validate | TaskKind::Reserve | TaskKind::Dispense | TaskKind::Settle
        )
    };
    for row in backlog {
        if moves_money(row.kind) && row.state != TaskState::Parked && row.tasks > 0 {
            broken.push(format!("{} {} tasks are {}", row.tasks, row.kind, row.state.name()));
        }
        if row.kind == TaskKind::Deliver && row.state == TaskState::Queued && row.tasks > 0 {
            broken.push(format!("{} results have not been tried", row.tasks));
        }
        if row.kind == TaskKind::Notify && row.state == TaskState::Queued && row.tasks > 0 {
            broken.push(format!("{} messages have not been tried", row.tasks));
        }
    }
    let parked: i64 = summary.parked.iter().map(|row| row.tasks).sum();
    let pending: i64 = summary
        .purchases
        .iter()
        .filter(|row| row.status == PurchaseStatus::Pending)
        .map(|row| row.purchases)
        .sum();
    if pending > parked {
        broken.push(format!("{pending} purchases are pending, but only {parked} tasks are parked"));
    }
    for row in &summary.money {
        let place = format!("{} client {} {}", row.currency, row.client_id, row.funding_source);
        if row.held != 0 && parked == 0 {
            broken.push(format!("{place}: {} minor units are still held", row.held));
        }
        if row.undecided != 0 {
            broken.push(format!("{place}: {} captured minor units are undecided", row.undecided));
        }
    }
    broken
}

fn to_json(summary: &FleetSummary, backlog: &[BacklogRow], broken: &[String]) -> Value {
    let counts = |rows: &[fleet_store::Count]| {
        rows.iter()
            .map(|row| (row.state.clone(), json!(row.count)))
            .collect::<serde_json::Map<_, _>>()
    };
    json!({
        "covers": { "since": summary.covers.since, "purchases": summary.covers.purchases,
            "is_cut": summary.covers.is_cut },
        "purchases": summary.purchases.iter().map(|row| json!({
            "scenario": row.scenario, "way_in": row.way_in, "status": row.status,
            "reserve": row.reserve_state, "dispense": row.dispense_state,
            "settle": row.settle_state, "purchases": row.purchases,
        })).collect::<Vec<_>>(),
        "money": summary.money.iter().map(|row| json!({
            "currency": row.currency, "client_id": row.client_id,
            "funding_source": row.funding_source, "reserved": row.reserved,
            "captured": row.captured, "cancelled": row.cancelled, "held": row.held,
            "kept": row.kept, "refunded": row.refunded, "owed": row.owed,
            "undecided": row.undecided,
        })).collect::<Vec<_>>(),
        "deliveries": counts(&summary.deliveries), "messages": counts(&summary.messages),
        "reports": counts(&summary.reports),
        "failing": summary.failing.iter().map(super::delivery::failing_json).collect::<Vec<_>>(),
        "parked": summary.parked.iter().map(|row| json!({
            "class": row.class.name(), "cause": row.cause, "tasks": row.tasks,
        })).collect::<Vec<_>>(),
        "at_risk": money::sums(&summary.at_risk),
        "undecided_callbacks": summary.unmatched_count,
        "unmatched_facts": summary.unmatched.iter().map(|fact| json!({
            "source": fact.source, "type": fact.fact_type, "reference": super::callback::reference(&fact.reference),
            "status": fact.status, "received_at": fact.received_at,
        })).collect::<Vec<_>>(),
        "stages": summary.stages.iter().map(|row| json!({
            "stage": row.stage, "purchases": row.purchases, "average_ms": row.average_ms,
            "p95_ms": row.p95_ms,
        })).collect::<Vec<_>>(),
        "unfinished": backlog.iter().map(|row| json!({
            "kind": row.kind.name(), "state": row.state.name(), "tasks": row.tasks,
        })).collect::<Vec<_>>(),
        "broken": broken,
    })
}

fn covers_text(summary: &FleetSummary) -> String {
    let covers = &summary.covers;
    let since = covers.since.format("%F %T");
    let cut = if covers.is_cut {
        "; only the newest 50000 of these, for all of them take a shorter --since"
    } else {
        ""
    };
    format!(
        "{} purchases: accepted since {since} (--since){cut}, and all with unfinished work\n",
        covers.purchases
    )
}

fn to_text(summary: &FleetSummary, backlog: &[BacklogRow]) -> String {
    let mut text = covers_text(summary);
    let head = ["scenario", "way in", "status", "reserve", "dispense", "settle", "purchases"];
    text.push_str(&table(
        &head,
        summary.purchases.iter().map(|row| {
            vec![
                row.scenario.clone(),
                row.way_in.clone(),
                row.status.to_string(),
                row.reserve_state.clone(),
                row.dispense_state.clone(),
                row.settle_state.clone(),
                row.purchases.to_string(),
            ]
        }),
    ));
    text.push_str(
        "\nmoney: reserved = captured + cancelled + held, \
         captured = undecided + kept + refunded + owed\n",
    );
    let head = [
        "currency",
        "client",
        "source",
        "reserved",
        "captured",
        "cancelled",
        "held",
        "undecided",
        "kept",
        "refunded",
        "owed",
    ];
    text.push_str(&table(&head, summary.money.iter().map(money_cells)));
    let counts = |rows: &[fleet_store::Count]| {
        let words: Vec<_> = rows.iter().map(|row| format!("{} {}", row.count, row.state)).collect();
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    };
    text.push_str(&format!("\nresults   {}\n", counts(&summary.deliveries)));
    text.push_str(&format!("messages  {}\n", counts(&summary.messages)));
    text.push_str(&format!("reports   {}\n", counts(&summary.reports)));
    let unfinished: Vec<_> = backlog
        .iter()
        .map(|row| format!("{} {} {}", row.tasks, row.kind, row.state.name()))
        .collect();
    let unfinished =
        if unfinished.is_empty() { "nothing".to_owned() } else { unfinished.join(", ") };
    text.push_str(&format!("unfinished {unfinished}\n"));
    text.push_str(&failing_text(summary));
    text.push_str(&cases_text(summary));
    text.push_str("\ntime per stage, of the newest 10000\n");
    let rows = summary.stages.iter().map(|row| {
        vec![
            row.stage.clone(),
            row.purchases.to_string(),
            format!("{:.0} ms", row.average_ms),
            format!("{:.0} ms", row.p95_ms),
        ]
    });
    text.push_str(&table(&["stage", "purchases", "average", "95 %"], rows));
    text
}
/// What a person has to look at.
fn cases_text(summary: &FleetSummary) -> String {
    let mut text = String::new();
    if !summary.parked.is_empty() {
        text.push_str("\nparked, for a person (fleet dead list)\n");
        let rows = summary
            .parked
            .iter()
            .map(|row| vec![row.class.name().to_owned(), row.cause.clone(), row.tasks.to_string()]);
        text.push_str(&table(&["class", "cause", "tasks"], rows));
        text.push_str(&money::sums_text(&summary.at_risk));
    }
    if !summary.unmatched.is_empty() {
        text.push_str(&format!(
            "\n{} callbacks that speak of no purchase, the newest first (fleet callback list)\n",
            summary.unmatched_count
        ));
        let rows = summary.unmatched.iter().take(UNMATCHED_SHOWN).map(|fact| {
            let at = fact.received_at.format("%F %T").to_string();
            vec![
                at,
                fact.source.clone(),
                super::callback::reference(&fact.reference),
                fact.status.clone(),
            ]
        });
        text.push_str(&table(&["at", "source", "reference", "status"], rows));
    }
    text
}

fn failing_text(summary: &FleetSummary) -> String {
    if summary.failing.is_empty() {
        return String::new();
    }
    let rows = super::delivery::failing_text(&summary.failing);
    format!("\nresults not delivered (fleet delivery list)\n{rows}")
}

fn money_cells(row: &fleet_store::MoneyRow) -> Vec<String> {
    let amounts = [
        row.reserved,
        row.captured,
        row.cancelled,
        row.held,
        row.undecided,
        row.kept,
        row.refunded,
        row.owed,
    ];
    let names = [row.currency.clone(), row.client_id.to_string(), row.funding_source.clone()];
    names.into_iter().chain(amounts.iter().map(|minor| money::of(*minor, &row.currency))).collect()
}
