//! `fleet callback show`

use fleet_domain::masked;
use fleet_store::{Candidate, Store, UnmatchedFact};
use serde_json::{Value, json};

use super::super::purchase::unreadable;
use super::told::{Told, reference};
use super::{age, age_seconds, decision_json, no_callback};
use crate::output::{Output, table};
use crate::{Failure, money};

pub(super) async fn run(id: i64, store: &Store, output: Output) -> Result<(), Failure> {
    let found = store.unmatched_fact(id).await?;
    let found = found.ok_or_else(|| no_callback(id))?;
    let told = Told::read(&found);
    let (directory, _secrets) = store.load_directory_partly().await?;
    let paid_for = match told.transaction() {
        Some(transaction) => store.paid_for(found.fact.connector(), transaction).await?,
        None => None,
    };
    let mut candidates = Vec::new();
    for candidate in store.candidates(&told.ask(&found.fact)).await? {
        let why_not = told.why_not(&found.fact, &directory, &candidate);
        candidates.push(candidate_json(&told, &candidate, &why_not));
    }
    let value = json!({
        "id": found.id, "received_at": found.fact.received_at,
        "age_seconds": age_seconds(&found), "source": found.fact.source,
        "connector": found.fact.connector(), "type": found.fact.fact_type,
        "status": found.fact.status, "reference": reference(&found.fact.reference),
        "external_id": found.fact.external_id, "told": told.to_json(),
        "paid_for": paid_for, "decision": decision_json(&found),
        "candidates": candidates,
    });
    output.print(&value, || text(&found, &value, &candidates));
    Ok(())
}

fn candidate_json(told: &Told, candidate: &Candidate, why_not: &str) -> Value {
    let (order, progress) = (&candidate.purchase.order, &candidate.purchase.progress);
    json!({
        "raas_txn_ref": order.id, "by": if candidate.by_reference { "reference" } else { "buyer" },
        "why": told.why(candidate), "why_not": why_not, "amount_fits": told.amount_fits(order),
        "reserved": money::text(order.reserved()),
        "client_id": order.client, "source": masked(order.source.expose()),
        "created_at": progress.created_at, "status": candidate.purchase.status().name(),
        "reserve": progress.reserve, "dispense": progress.dispense,
        "unreadable": unreadable(&candidate.unreadable),
    })
}

fn text(found: &UnmatchedFact, value: &Value, candidates: &[Value]) -> String {
    let mut text = format!(
        "callback   {}, {} old\nsource     {}  {} {}\nreference  {}\n",
        found.id,
        age(age_seconds(found)),
        found.fact.source,
        found.fact.fact_type,
        found.fact.status,
        reference(&found.fact.reference),
    );
    match value.get("told").and_then(Value::as_object) {
        Some(told) => {
            for (name, value) in told.iter().filter(|(_, value)| !value.is_null()) {
                text.push_str(&format!("  {name}: {}\n", word(value)));
            }
        }
        None => text.push_str("  what was told cannot be read\n"),
    }
    if let Some(paid_for) = value.get("paid_for").and_then(Value::as_str) {
        text.push_str(&format!("its transaction paid for {paid_for} already\n"));
    }
    if let Some(decision) = &found.decision {
        let word = decision
            .purchase
            .map_or_else(|| "discarded".to_owned(), |id| format!("matched to {id}"));
        let at = decision.decided_at.format("%F %T");
        text.push_str(&format!("{word} by {} at {at}: {}\n", decision.actor, decision.reason));
    }
    if candidates.is_empty() {
        text.push_str("\nno purchase fits\n");
        return text;
    }
    let fields = [
        "raas_txn_ref",
        "why",
        "why_not",
        "reserved",
        "amount_fits",
        "status",
        "reserve",
        "dispense",
        "unreadable",
    ];
    let head = [
        "purchase",
        "why",
        "why not",
        "reserved",
        "amount fits",
        "status",
        "reserve",
        "dispense",
        "cannot be read",
    ];
    let cells = |row: &Value| {
        fields.iter().map(|field| row.get(field).map(word).unwrap_or_default()).collect()
    };
    text.push_str(&format!("\ncandidates\n{}", table(&head, candidates.iter().map(cells))));
    text
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        Value::Array(all) => all.iter().map(word).collect::<Vec<_>>().join("; "),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}
