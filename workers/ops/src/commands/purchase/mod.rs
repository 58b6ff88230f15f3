//! `fleet purchase`

mod text;

use fleet_domain::{Directory, Money, ParkClass, PurchaseId, TaskKind, masked};
use fleet_store::{
    FactDecision, FactView, JournalView, PurchaseView, ReportView, SealError, Store, TaskView,
};
use serde_json::{Value, json};

use super::callback::reference;
use crate::choices::{choices, is_confirmed};
use crate::output::{Output, merged};
use crate::waits::waits_for;
use crate::{Failure, money};

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
    let is_confirmed = is_confirmed(&view, store).await?;
    let directory = store.load_directory().await?;
    let json = to_json(&directory, &view, is_confirmed);
    output.print(&json, || text::of(&directory, &view, is_confirmed));
    Ok(())
}

fn to_json(directory: &Directory, view: &PurchaseView, is_confirmed: bool) -> Value {
    let (order, progress) = (&view.purchase.order, &view.purchase.progress);
    let ledger = view.ledger.iter().map(|row| {
        json!({
            "step": row.step, "entry": row.entry, "currency": row.currency, "amount": row.amount,
            "text": money::of(row.amount, &row.currency),
        })
    });
    let deliveries = view.deliveries.iter().map(super::delivery::delivery_json);
    let tasks = view.tasks.iter().map(|task| {
        merged(
            task_json(task, is_confirmed),
            json!({ "waits_for": waits_for(directory, view, task) }),
        )
    });
    let value = json!({
        "raas_txn_ref": order.id, "client_id": order.client, "client_txn_ref": order.client_txn_ref,
        "way_in": view.way_in, "scenario": order.scenario, "funding": order.funding,
        "funding_source": order.funding_source, "product_id": order.product,
        "supplier": order.supplier, "currency": order.currency,
        "purchase_amount": order.purchase_amount, "fee_amount": order.fee_amount,
        "reserved": money::text(order.reserved()),
        "source": masked(order.source.expose()), "target": masked(order.target.expose()),
        "status": view.purchase.status().name(), "created_at": progress.created_at,
        "start_by": order.start_by,
        "reserve": { "state": progress.reserve, "code": progress.reserve_code,
            "word": progress.reserve_word,
            "reservation": view.purchase.reservation(),
            "hold_expires_at": progress.hold_expires_at },
        "dispense": { "state": progress.dispense, "code": progress.dispense_code,
            "supplier_code": progress.supplier_code,
            "supplier_ref": progress.supplier_ref, "vend_amount": progress.vend_amount,
            "has_voucher": view.has_voucher },
        "settle": { "state": progress.settle, "as": progress.settle_as },
        "tasks": tasks.collect::<Vec<_>>(),
        "journal": view.journal.iter().map(journal_json).collect::<Vec<_>>(),
        "ledger": ledger.collect::<Vec<_>>(), "deliveries": deliveries.collect::<Vec<_>>(),
        "facts": view.facts.iter().map(|fact| fact_json(view, fact)).collect::<Vec<_>>(),
        "report": view.report.as_ref().map(|r| report(view, r)),
        "hidden": hidden_json(view), "unreadable": unreadable(&view.unreadable),
        "older_rows_left_out": view.is_cut,
    });
    merged(value, money::at_risk(view.at_risk()))
}

fn task_json(task: &TaskView, is_confirmed: bool) -> Value {
    let value = json!({
        "kind": task.key.kind.name(), "slot": task.key.slot, "state": task.state.name(),
        "due_at": task.due_at, "lane": task.lane, "claims": task.claims, "tries": task.tries,
        "ref_no": task.ref_no, "sent_until": task.sent_until, "signals": task.signals,
        "lease": task.lease, "hinted_at": task.hinted_at, "start_by": task.start_by,
        "deadline_at": task.deadline_at, "park_class": task.park_class.map(ParkClass::name),
        "park_cause": task.park_cause, "parked_at": task.parked_at,
        "choices": choices(task, is_confirmed),
    });
    merged(value, money::at_risk(task.at_risk))
}

fn journal_json(row: &JournalView) -> Value {
    json!({
        "at": row.at, "kind": row.kind.name(), "slot": row.slot, "ref_no": row.ref_no,
        "outcome": row.outcome, "detail": row.detail, "actor": row.actor,
    })
}

fn fact_json(view: &PurchaseView, fact: &FactView) -> Value {
    let decision = view.matches.get(&fact.id);
    json!({
        "id": fact.id, "source": fact.source, "type": fact.fact_type,
        "reference": reference(&fact.reference), "status": fact.status,
        "external_id": fact.external_id, "received_at": fact.received_at, "task": about(fact),
        "matched_by": decision.map(|decision| &decision.actor),
        "match_reason": decision.map(|decision| &decision.reason),
    })
}

/// The task that a fact is about.
fn about(fact: &FactView) -> Option<String> {
    let kind = fact.kind.and_then(TaskKind::from_code)?;
    Some(match fact.slot {
        None | Some(0) => kind.to_string(),
        Some(slot) => format!("{kind} {slot}"),
    })
}

fn matched(decision: &FactDecision) -> String {
    format!("by {}: {}", decision.actor, decision.reason)
}

/// Why its client is not shown it.
pub(super) fn hidden_json(view: &PurchaseView) -> Value {
    view.hidden.as_ref().map_or(Value::Null, |hidden| {
        json!({
            "hold": if hidden.removed { "removed" } else { "held" }, "reason": hidden.reason,
            "actor": hidden.actor, "since": hidden.since,
        })
    })
}

pub(super) fn hidden_text(view: &PurchaseView) -> String {
    view.hidden.as_ref().map_or_else(String::new, |hidden| {
        let word = if hidden.removed { "removed" } else { "held" };
        let since = hidden.since.format("%F %T");
        format!("not shown  {word} by {} since {since}: {}\n", hidden.actor, hidden.reason)
    })
}

/// What cannot be unsealed, and why.
pub(super) fn unreadable(errors: &[SealError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

pub(super) fn unreadable_text(errors: &[SealError]) -> String {
    errors.iter().map(|error| format!("cannot be read: {error}\n")).collect()
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

/// The minor units of an order in its currency.
fn amount(view: &PurchaseView, minor: i64) -> String {
    Money::new(minor, view.purchase.order.currency).for_people()
}
