//! What `fleet purchase show` tells a person: all that its JSON has and a decision needs.

use fleet_domain::{Directory, ParkClass, masked};
use fleet_store::{JournalView, PurchaseView, ReportView};

use super::super::callback::reference;
use super::{about, amount, hidden_text, matched, reported, unreadable_text};
use crate::choices::choices;
use crate::money;
use crate::output::table;
use crate::waits::waits_for;

pub(super) fn of(directory: &Directory, view: &PurchaseView, is_confirmed: bool) -> String {
    let mut text = head(view);
    text.push_str(&hidden_text(view));
    text.push_str(&unreadable_text(&view.unreadable));
    text.push_str(&tasks(directory, view, is_confirmed));
    text.push_str("\nwhat happened\n");
    text.push_str(&journal(&view.journal.iter().collect::<Vec<_>>()));
    text.push_str(&facts(view));
    if view.is_cut {
        text.push_str("older rows are left out: the newest 1000 are shown\n");
    }
    if let Some(of) = &view.report {
        text.push_str(&report(view, of));
    }
    text.push_str("\nbooks\n");
    text.push_str(&table(
        &["entry", "amount"],
        view.ledger.iter().map(|row| vec![row.entry.clone(), money::of(row.amount, &row.currency)]),
    ));
    text.push_str(&results(view));
    text
}

fn head(view: &PurchaseView) -> String {
    let (order, progress) = (&view.purchase.order, &view.purchase.progress);
    let hold = progress
        .hold_expires_at
        .map_or_else(String::new, |until| format!(", held until {}", until.format("%F %T")));
    let goods = if view.has_voucher { ", with a voucher" } else { "" };
    format!(
        "purchase   {}  {}\naccepted   {}, to be begun by {}\nclient     {} / {}  ({}, {})\n\
         product    {} at {}\namount     {} + {} fee = {}\nsource     {}   target {}\n\
         reserve    {} (code {}) at {}, reservation {}{hold}\n\
         dispense   {} (code {}), reference {}{goods}\nsettle     {}\n",
        order.id,
        view.purchase.status(),
        progress.created_at.format("%F %T"),
        order.start_by.format("%F %T"),
        order.client,
        order.client_txn_ref,
        order.scenario,
        view.way_in,
        order.product,
        order.supplier,
        amount(view, order.purchase_amount),
        amount(view, order.fee_amount),
        money::text(order.reserved()),
        person(order.source.expose()),
        person(order.target.expose()),
        progress.reserve,
        or_dash(progress.reserve_code.as_ref()),
        if order.funding_source.is_empty() { "the client" } else { &order.funding_source },
        view.purchase.reservation().unwrap_or("-"),
        progress.dispense,
        or_dash(progress.dispense_code.as_ref()),
        or_dash(progress.supplier_ref.as_ref()),
        progress.settle,
    )
}

/// A person's number, masked; what cannot be read is empty, and named elsewhere.
fn person(number: &str) -> String {
    if number.is_empty() { "?".to_owned() } else { masked(number) }
}

fn or_dash(text: Option<&String>) -> String {
    text.map_or_else(|| "-".to_owned(), Clone::clone)
}

fn tasks(directory: &Directory, view: &PurchaseView, is_confirmed: bool) -> String {
    if view.tasks.is_empty() {
        return String::new();
    }
    let head = ["kind", "slot", "state", "due", "tries", "claims", "parked as", "at risk", "cause"];
    let rows = view.tasks.iter().map(|task| {
        vec![
            task.key.kind.to_string(),
            task.key.slot.to_string(),
            task.state.name().to_owned(),
            task.due_at.format("%F %T").to_string(),
            task.tries.to_string(),
            task.claims.to_string(),
            task.park_class.map_or("-", ParkClass::name).to_owned(),
            money::at_risk_cell(task.at_risk),
            or_dash(task.park_cause.as_ref()),
        ]
    });
    let mut text = format!("\nunfinished tasks\n{}", table(&head, rows));
    if let Some(risk) = view.at_risk() {
        text.push_str(&format!("at risk: {}, one hold\n", money::text(risk)));
    }
    for task in &view.tasks {
        for cause in waits_for(directory, view, task) {
            text.push_str(&format!("{} {}: {cause}\n", task.key.kind, task.key.slot));
        }
        for choice in choices(task, is_confirmed) {
            text.push_str(&format!("{} {}: {choice}\n", task.key.kind, task.key.slot));
        }
    }
    text
}

fn journal(rows: &[&JournalView]) -> String {
    table(
        &["at", "kind", "outcome", "detail", "by"],
        rows.iter().map(|row| {
            let at = row.at.format("%F %T%.3f").to_string();
            let by = row.actor.clone().unwrap_or_default();
            vec![at, row.kind.to_string(), row.outcome.clone(), row.detail.clone(), by]
        }),
    )
}

fn facts(view: &PurchaseView) -> String {
    if view.facts.is_empty() {
        return String::new();
    }
    let rows = view.facts.iter().map(|fact| {
        vec![
            fact.received_at.format("%F %T").to_string(),
            fact.source.clone(),
            fact.fact_type.clone(),
            fact.status.clone(),
            reference(&fact.reference),
            about(fact).unwrap_or_else(|| "-".to_owned()),
            view.matches.get(&fact.id).map_or_else(|| "by itself".to_owned(), matched),
        ]
    });
    let head = ["at", "source", "type", "status", "reference", "task", "matched"];
    format!("\nwhat others told\n{}", table(&head, rows))
}

fn report(view: &PurchaseView, report: &ReportView) -> String {
    let told = report.success.map_or("nothing", |success| if success { "True" } else { "False" });
    let mut text = format!("\nfraud report\n{}, told {told}", report.state);
    if let Some(token) = &report.token {
        let until = token.expires_at.format("%F %T");
        text.push_str(&format!("; token at {}: {}, until {until}", token.desk, token.told));
        if let Some(is_valid) = token.is_valid {
            let word = if is_valid { "valid" } else { "invalid" };
            let flags = token.threat_flags.as_deref().unwrap_or_default();
            let threat = token.threat_code.unwrap_or(0);
            text.push_str(&format!(", {word}, threat code {threat} {flags}"));
        }
    }
    text.push('\n');
    text.push_str(&journal(&reported(view).collect::<Vec<_>>()));
    text
}

fn results(view: &PurchaseView) -> String {
    if view.deliveries.is_empty() {
        return String::new();
    }
    let rows = view.deliveries.iter().map(|row| {
        let status = row.last_status.map_or_else(|| "-".to_owned(), |s| s.to_string());
        vec![row.channel.clone(), row.state.clone(), row.attempts.to_string(), status]
    });
    let head = ["channel", "state", "attempts", "last HTTP status"];
    format!("\nresults\n{}", table(&head, rows))
}
