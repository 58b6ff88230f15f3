//! Transaction Lookup: one of three references, the caller's own purchases, the last 30 days.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use fleet_contracts::openapi::{Content, Document, Operation};
use fleet_contracts::{LookupReply, PendingReason, Rejection};
use fleet_domain::{Purchase, PurchaseStatus, TaskKind, TaskState, later};
use fleet_store::{OpenStep, Reference};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::api::by_client;
use crate::caller::caller;
use crate::parameters::{Sent, own_number};
use crate::problem::{Problem, fails};
use crate::{Gateway, Present};

/// The query of the Transaction Lookup; unknown parameters are ignored.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Parameters {
    /// The client of the key.
    #[schemars(required, with = "i64", extend("minimum" = 1, "maximum" = i64::MAX))]
    client_id: Option<String>,
    /// Our reference.
    #[schemars(length(min = 1))]
    raas_txn_ref: Option<String>,
    /// The client's own reference, `clientTxnRef` of the purchase.
    #[schemars(length(min = 1))]
    client_transaction_reference: Option<String>,
    /// The reservation's reference: the client's, or the bank's.
    #[schemars(length(min = 1))]
    reserve_funds_txn_ref: Option<String>,
}

/// What Transaction Lookup is.
pub(crate) fn describe(document: &mut Document) -> Operation {
    let query = document.query::<Parameters>();
    let reply = Content::json(document.written::<LookupReply>());
    let operation = Operation::new("transactionLookup", "Transaction Lookup")
        .about(
            "By exactly one of the three references; the caller's own purchases, the last 30 days.",
        )
        .tag("look-ups")
        .parameters(query)
        .reply(200, "found", reply);
    let problems = [
        Problem::of_field("clientId", "is missing or no number"),
        Problem::NotAuthorised,
        Problem::NotFound,
        Problem::Unavailable,
    ];
    fails(by_client(operation), document, &problems)
}

/// GET `/lookup-api/2.0`.
pub(crate) async fn transaction(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    parameters: Result<Sent<Parameters>, Problem>,
) -> Result<Json<LookupReply>, Problem> {
    let directory = gateway.directory.current();
    let client = caller(&directory, &headers)?;
    let Sent(parameters) = parameters?;
    own_number(client, parameters.client_id.as_deref())?;
    let Some(reference) = reference(&parameters)? else { return Err(Problem::NotFound) };
    let found = gateway.store.find_purchase(client.id, &reference).await?;
    let purchase = found.ok_or(Problem::NotFound)?;
    let mut reply = LookupReply::from(&purchase);
    if purchase.status() == PurchaseStatus::Pending
        && let Some(step) = gateway.store.open_step(purchase.order.id).await?
    {
        match step.state {
            TaskState::Parked => reply.pending_reason = Some(PendingReason::HeldByOperator),
            TaskState::Queued | TaskState::Waiting | TaskState::Running => {
                reply.expected_by = Some(expected_by(&directory, &purchase, &step));
            }
        }
    }
    Ok(Json(reply))
}

/// When the call or the wait that is under way has ended. What is not under way yet still takes a
/// call.
fn expected_by(directory: &Present, purchase: &Purchase, step: &OpenStep) -> DateTime<Utc> {
    if step.state == TaskState::Running {
        return step.due_at;
    }
    let order = &purchase.order;
    let asked = match step.kind {
        TaskKind::Reserve => Some(&order.funding_source),
        TaskKind::Validate => order.fraud_token().and_then(|(fraud, _)| fraud.desk.as_ref()),
        TaskKind::Dispense
        | TaskKind::Settle
        | TaskKind::Refund
        | TaskKind::Deliver
        | TaskKind::Notify
        | TaskKind::Report
        | TaskKind::Case => Some(&order.supplier),
    };
    let connector = asked.and_then(|name| directory.connectors.get(name));
    let call = connector.map(|connector| connector.call_deadline).unwrap_or_default();
    later(step.due_at.max(directory.now()), call)
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
