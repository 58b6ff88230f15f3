//! A supplier's confirmation, signed with the connector's secret.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use fleet_contracts::openapi::{Content, Document, Operation, Parameter, SIGNATURE};
use fleet_contracts::{REFERENCE_CHARS_MAX, Rejection, VendReply, plain, text_of};
use fleet_domain::{
    Connector, NewFact, Private, PurchaseId, SUPPLIER_CALLBACK, TaskKey, TaskKind, told_by,
};
use fleet_outbound::verify_signature;
use serde_json::json;

use super::{keep, told_of};
use crate::Gateway;
use crate::caller::only;
use crate::problem::{Problem, fails, whole};

/// What a supplier's confirmation is.
pub(crate) fn describe(document: &mut Document) -> Operation {
    let example = json!({
        "vendRef": "0198f000-0000-7000-8000-000000000000-0000", "responseCode": "0000",
        "responseMessage": "", "supplierRef": "s-1", "vendAmount": 1500,
    });
    let body = Content::json(document.read::<VendReply>()).example("done", example);
    let operation = Operation::new("supplierConfirmation", "A supplier's confirmation")
        .about(
            "Signed with the connector's secret. It may come before the vend's own answer, later, \
             and more than once.",
        )
        .tag("callbacks")
        .allowed_by(&[SIGNATURE])
        .parameters([Parameter::path("connector", "the supplier's name")])
        .body(body)
        .empty(200, "stored");
    let problems = [
        Problem::of_field("body", "is no vend reply of the contract"),
        Problem::NotAuthorised,
        Problem::Unavailable,
    ];
    fails(operation, document, &problems)
}

/// POST `/callbacks/suppliers/{connector}`.
pub(crate) async fn supplier(
    State(gateway): State<Gateway>,
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    let directory = gateway.directory.current();
    let body = whole(body)?;
    // A name that cannot be read is nobody's.
    let name = name.map(|Path(name)| name).unwrap_or_default();
    let connector = directory.connectors.get(&name).filter(|c| c.takes_confirmations());
    let secret = connector.and_then(Connector::callback_secret);
    let sent =
        only(&headers, "signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    // An unknown connector and a wrong signature get the same answer.
    let verified = secret.is_some_and(|secret| verify_signature(secret.expose(), &body, sent));
    if !verified {
        return Err(Problem::NotAuthorised);
    }
    let reply = VendReply::from_bytes(&body)
        .map_err(|_error| Rejection::field("body", "is no vend reply of the contract"))?;
    let pass = gateway.doors.callback(&name).await?;
    let vend_ref = reply.vend_ref.clone().unwrap_or_default();
    let source = told_by(SUPPLIER_CALLBACK, &name);
    let part = task_of(&vend_ref);
    let purchase = told_of(&gateway, &source, part).await?;
    let fact = NewFact {
        source,
        kind: "vend".to_owned(),
        task: part.filter(|_part| purchase.is_some()),
        reference: plain(&vend_ref, REFERENCE_CHARS_MAX),
        // The contract's code: what is compared with the track later knows no other.
        status: connector
            .map_or(&*reply.response_code, |c| c.code(&reply.response_code))
            .to_owned(),
        meaning: reply.meaning(),
        external_id: reply.supplier_ref.unwrap_or_default(),
        body: Private::new(text_of(&body)),
    };
    keep(&gateway, &fact, pass).await
}

/// The dispense task that a vend reference (`<raasTxnRef>-0000`) speaks of. A reference of nobody is
/// stored all the same, for a person.
fn task_of(vend_ref: &str) -> Option<TaskKey> {
    let (purchase, number) = vend_ref.rsplit_once('-')?;
    let _number: u32 = number.parse().ok()?;
    let purchase: PurchaseId = purchase.parse().ok()?;
    Some(TaskKey { purchase, kind: TaskKind::Dispense, slot: 0 })
}
