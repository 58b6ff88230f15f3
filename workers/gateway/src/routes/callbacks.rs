//! A supplier's confirmation: verified, stored as a fact, answered 200 only then. It never moves a
//! purchase; the dispense task decides over all facts.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use fleet_contracts::{BODY_BYTES_MAX, REFERENCE_CHARS_MAX, Rejection, VendReply, plain};
use fleet_domain::{FactOutcome, NewFact, Party, Private, PurchaseId, TaskKey, TaskKind};
use fleet_outbound::verify_signature;

use crate::Gateway;
use crate::problem::Problem;

/// POST `/callbacks/suppliers/{connector}`.
pub(crate) async fn supplier(
    State(gateway): State<Gateway>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    let directory = gateway.directory.current();
    let body = body.map_err(|_too_long| Rejection::field("body", "is longer than 65536 bytes"))?;
    if body.len() > BODY_BYTES_MAX {
        return Err(Rejection::field("body", "is longer than 65536 bytes").into());
    }
    let connector = directory.connectors.get(&name).filter(|c| c.party == Party::Supplier);
    let secret = connector.and_then(|connector| connector.secret.as_ref());
    let sent = headers.get("signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    // An unknown connector and a wrong signature get the same answer.
    let verified = secret.is_some_and(|secret| verify_signature(secret.expose(), &body, sent));
    if !verified {
        return Err(Problem::NotAuthorised);
    }
    let reply: VendReply = serde_json::from_slice(&body)
        .map_err(|_error| Rejection::field("body", "is no vend reply of the contract"))?;
    let vend_ref = reply.vend_ref.clone().unwrap_or_default();
    let fact = NewFact {
        source: format!("supplier_callback:{name}"),
        kind: "vend".to_owned(),
        task: task_of(&vend_ref),
        reference: plain(&vend_ref, REFERENCE_CHARS_MAX),
        // The contract's code: what is compared with the track later knows no other.
        status: connector
            .map_or(&*reply.response_code, |c| c.code(&reply.response_code))
            .to_owned(),
        external_id: reply.supplier_ref.unwrap_or_default(),
        body: Private::new(String::from_utf8_lossy(&body).into_owned()),
    };
    let stored = gateway.store.store_fact(&fact).await?;
    if let FactOutcome::Stored { woken: Some(woken) } = stored {
        let now = gateway.store.now().await?;
        gateway.hints.publish_one(woken.key, woken.lane, now).await;
    }
    Ok(StatusCode::OK)
}

/// The dispense task that a vend reference (`<raasTxnRef>-0000`) speaks of. A reference of nobody is
/// stored all the same, for a person.
fn task_of(vend_ref: &str) -> Option<TaskKey> {
    let (purchase, number) = vend_ref.rsplit_once('-')?;
    let _number: u32 = number.parse().ok()?;
    let purchase: PurchaseId = purchase.parse().ok()?;
    Some(TaskKey { purchase, kind: TaskKind::Dispense, slot: 0 })
}
