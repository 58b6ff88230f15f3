//! `fleet purchase`

use fleet_domain::{PurchaseId, TaskKind, masked};
use fleet_store::{JournalView, PurchaseView, ReportView, Store};
use serde_json::{Value, json};

use crate::Failure;
use crate::choices::choices;
use crate::output::{Output, table};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Everything about one purchase; personal data masked, vouchers never
    Show {
        /// raasTxnRef
        id: PurchaseId,
    },
}

pub(crate) async fn run(command: &Command, store: &Store, output: Output) -> Result<(), Failure> {
    let Command::Show { id } = command;
    let view = store.show_purchase(*id).await?;
    let view = view.ok_or_else(|| Failure::No(format!("there is no purchase {id}")))?;
    output.print(&to_json(&view), || to_text(&view));
    Ok(())
}

fn to_json(view: &PurchaseView) -> Value {
    let (order, progress) = (&view.purchase.order, &view.purchase.progress);
    let tasks = view.tasks.iter().map(|task| {
        json!({
            "kind": task.key.kind.name(), "slot": task.key.slot, "state": task.state.name(),
            "due_at": task.due_at, "lane": task.lane, "claims": task.claims, "tries": task.tries,
            "ref_no": task.ref_no, "sent_until": task.sent_until, "signals": task.signals,
            "lease": task.lease, "hinted_at": task.hinted_at, "start_by": task.start_by,
            "deadline_at": task.deadline_at, "park_class": task.park_class.map(fleet_domain::ParkClass::name),
            "park_cause": task.park_cause, "parked_at": task.parked_at,
            "choices": choices(task),
            "at_risk_minor": task.at_risk.map(|m| m.minor),
            "at_risk_currency": task.at_risk.map(|m| m.currency.code()),
        })
    });
    let journal = view.journal.iter().map(|row| {
        json!({
            "at": row.at, "kind": row.kind.name(), "slot": row.slot, "ref_no": row.ref_no,
            "outcome": row.outcome, "detail": row.detail, "actor": row.actor,
        })
    });
    let ledger = view.ledger.iter().map(|row| {
        json!({
            "step": row.step, "entry": row.entry, "currency": row.currency, "amount": row.amount,
        })
    });
    let deliveries = view.deliveries.iter().map(super::delivery::delivery_json);
    let facts = view.facts.iter().map(|fact| {
        json!({
            "source": fact.source, "type": fact.fact_type, "reference": fact.reference,
            "status": fact.status, "external_id": fact.external_id,
            "received_at": fact.received_at,
        })
    });
    json!({
        "raas_txn_ref": order.id, "client_id": order.client, "client_txn_ref": order.client_txn_ref,
        "way_in": view.way_in, "scenario": order.scenario, "funding": order.funding,
        "funding_source": order.funding_source, "product_id": order.product,
        "supplier": order.supplier, "currency": order.currency,
        "purchase_amount": order.purchase_amount, "fee_amount": order.fee_amount,
        "source": masked(order.source.expose()), "target": masked(order.target.expose()),
        "status": view.purchase.status().name(), "created_at": progress.created_at,
        "start_by": order.start_by,
        "reserve": { "state": progress.reserve, "code": progress.reserve_code,
            "reservation": view.purchase.reservation(),
            "hold_expires_at": progress.hold_expires_at },
        "dispense": { "state": progress.dispense, "code": progress.dispense_code,
            "supplier_code": progress.supplier_code,
            "supplier_ref": progress.supplier_ref, "vend_amount": progress.vend_amount,
            "has_voucher": progress.voucher.is_some() },
        "settle": { "state": progress.settle, "as": progress.settle_as },
        "tasks": tasks.collect::<Vec<_>>(), "journal": journal.collect::<Vec<_>>(),
        "ledger": ledger.collect::<Vec<_>>(), "deliveries": deliveries.collect::<Vec<_>>(),
        "facts": facts.collect::<Vec<_>>(), "report": view.report.as_ref().map(|r| report(view, r)),
    })
}

/// The report's state, its token's, and what was tried.
fn report(view: &PurchaseView, report: &ReportView) -> Value {
    let token = report.token.as_ref().map(|token| {
        json!({
            "desk": token.desk, "told": token.told, "success_due": token.success_due,
            "expires_at": token.expires_at, "busy_until": token.busy_until,
            "is_valid": token.is_valid, "threat_code": token.threat_code,
            "threat_flags": token.threat_flags, "validated_at": token.validated_at,
        })
    });
    let history = reported(view).map(|row| {
        json!({ "at": row.at, "kind": row.kind.name(), "outcome": row.outcome, "detail": row.detail })
    });
    json!({
        "state": report.state, "success": report.success, "reported_at": report.reported_at,
        "waits_since": report.waits_since, "token": token, "history": history.collect::<Vec<_>>(),
    })
}

fn reported(view: &PurchaseView) -> impl Iterator<Item = &JournalView> {
    let kinds = [TaskKind::Report, TaskKind::Validate];
    view.journal.iter().filter(move |row| kinds.contains(&row.kind))
}

fn report_text(view: &PurchaseView, report: &ReportView) -> String {
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
    text.push_str(&table(
        &["at", "kind", "outcome", "detail"],
        reported(view).map(|row| {
            let at = row.at.format("%F %T%.3f").to_string();
            vec![at, row.kind.to_string(), row.outcome.clone(), row.detail.clone()]
        }),
    ));
    text
}

fn to_text(view: &PurchaseView) -> String {
    let mut text = head_text(view);
    text.push_str(&tasks_text(view));
    text.push_str("\nwhat happened\n");
    text.push_str(&table(
        &["at", "kind", "outcome", "detail"],
        view.journal.iter().map(|row| {
            let at = row.at.format("%F %T%.3f").to_string();
            vec![at, row.kind.to_string(), row.outcome.clone(), row.detail.clone()]
        }),
    ));
    if let Some(report) = &view.report {
        text.push_str(&report_text(view, report));
    }
    text.push_str("\nbooks\n");
    text.push_str(&table(
        &["entry", "amount", "currency"],
        view.ledger
            .iter()
            .map(|row| vec![row.entry.clone(), row.amount.to_string(), row.currency.clone()]),
    ));
    text.push_str(&results_text(view));
    text
}

fn results_text(view: &PurchaseView) -> String {
    let mut text = String::new();
    if !view.deliveries.is_empty() {
        text.push_str("\nresults\n");
        text.push_str(&table(
            &["channel", "state", "attempts", "last HTTP status"],
            view.deliveries.iter().map(|row| {
                let status = row.last_status.map_or_else(|| "-".to_owned(), |s| s.to_string());
                vec![row.channel.clone(), row.state.clone(), row.attempts.to_string(), status]
            }),
        ));
    }
    text
}

fn head_text(view: &PurchaseView) -> String {
    let (order, progress) = (&view.purchase.order, &view.purchase.progress);
    format!(
        "purchase   {}  {}\nclient     {} / {}  ({}, {})\nproduct    {} at {}\n\
         amount     {} + {} fee, {} minor units\nsource     {}   target {}\n\
         reserve    {} (code {}) at {}\ndispense   {} (code {})\nsettle     {}\n",
        order.id,
        view.purchase.status(),
        order.client,
        order.client_txn_ref,
        order.scenario,
        view.way_in,
        order.product,
        order.supplier,
        order.purchase_amount,
        order.fee_amount,
        order.currency,
        masked(order.source.expose()),
        masked(order.target.expose()),
        progress.reserve,
        or_dash(progress.reserve_code.as_ref()),
        if order.funding_source.is_empty() { "the client" } else { &order.funding_source },
        progress.dispense,
        or_dash(progress.dispense_code.as_ref()),
        progress.settle,
    )
}

fn or_dash(text: Option<&String>) -> String {
    text.map_or_else(|| "-".to_owned(), Clone::clone)
}

fn tasks_text(view: &PurchaseView) -> String {
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
            task.park_class.map_or("-", fleet_domain::ParkClass::name).to_owned(),
            task.at_risk.map_or_else(|| "-".to_owned(), at_risk),
            or_dash(task.park_cause.as_ref()),
        ]
    });
    let mut text = format!("\nunfinished tasks\n{}", table(&head, rows));
    for task in &view.tasks {
        for choice in choices(task) {
            text.push_str(&format!("{} {}: {choice}\n", task.key.kind, task.key.slot));
        }
    }
    text
}
fn at_risk(money: fleet_domain::Money) -> String {
    format!("{} {}", money.minor, money.currency.code())
}
