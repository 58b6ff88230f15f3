//! Transaction Lookup: one of three references, the caller's own purchases, the last 30 days.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use fleet_contracts::{LookupReply, Rejection};
use fleet_domain::Purchase;
use fleet_store::Reference;
use serde::Deserialize;

use crate::Gateway;
use crate::caller::caller;
use crate::problem::Problem;

/// The query of the Transaction Lookup; unknown parameters are ignored.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Parameters {
    client_id: Option<String>,
    raas_txn_ref: Option<String>,
    client_transaction_reference: Option<String>,
    reserve_funds_txn_ref: Option<String>,
}

/// GET `/lookup-api/2.0`.
pub(crate) async fn transaction(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Result<Json<LookupReply>, Problem> {
    let directory = gateway.directory.current();
    let client = caller(&directory, &headers)?;
    let Query(parameters) =
        parameters.map_err(|_error| Rejection::field("query", "is not readable"))?;
    let sent = parameters.client_id.as_deref().unwrap_or_default();
    match sent.parse::<i64>() {
        Ok(id) if id == client.id.0 => {}
        Ok(_) => return Err(Problem::NotFound),
        Err(_) => return Err(Rejection::field("clientId", "is missing or no number").into()),
    }
    let Some(reference) = reference(&parameters)? else { return Err(Problem::NotFound) };
    let found: Option<Purchase> = gateway.store.find_purchase(client.id, &reference).await?;
    found.map(|purchase| Json(LookupReply::from(&purchase))).ok_or(Problem::NotFound)
}

/// Exactly one reference; `None` when it is well-formed and cannot exist.
fn reference(parameters: &Parameters) -> Result<Option<Reference>, Problem> {
    let all = [
        &parameters.raas_txn_ref,
        &parameters.client_transaction_reference,
        &parameters.reserve_funds_txn_ref,
    ];
    if all.iter().filter(|sent| sent.is_some()).count() != 1 {
        let problem = "or clientTransactionReference or reserveFundsTxnRef: exactly one is needed";
        return Err(Rejection::field("raasTxnRef", problem).into());
    }
    if let Some(text) = &parameters.raas_txn_ref {
        return Ok(text.parse().ok().map(Reference::Ours));
    }
    // No reference with control characters was ever accepted, and Postgres takes no NUL.
    let short = |text: &String| {
        (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control)
    };
    let clients = parameters.client_transaction_reference.clone().filter(short);
    let reservation = parameters.reserve_funds_txn_ref.clone().filter(short);
    Ok(clients.map(Reference::Client).or_else(|| reservation.map(Reference::Reservation)))
}
