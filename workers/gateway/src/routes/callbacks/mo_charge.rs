//! An operator's notification about an SMS charge. Nobody signs it: what it says of a charge counts
//! only once the operator confirms it. What does not fit what was asked for is kept without a
//! purchase, for a person.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use fleet_contracts::openapi::{Content, Document, Operation, Parameter};
use fleet_contracts::{MO_FACT, MoNotification, MoNotificationBody, text_of};
use fleet_domain::{Connector, NewFact, Private, TaskKey, told_by};
use serde_json::json;

use super::{funded_by, keep, teller, told_of};
use crate::Gateway;
use crate::problem::{Problem, fails, whole};

/// What an operator's notification is.
pub(crate) fn describe(document: &mut Document) -> Operation {
    let charged = json!({ "success": {
        "type": "mo_charge", "operator": "zain-kw", "environment": "production",
        "merchant": "partner:02c76113-0ca7-4aed-88e2-75267bf85e82",
        "campaign": "campaign:940d351138df895e8dedf51e5d7b90788cdc23d0",
        "msisdn": "96526925482", "currency": "KWD", "amount": "0.5",
        "correlator": "0198f000-0000-7000-8000-000000000000",
        "transaction": {
            "status": "CHARGED", "timestamp": "2015-08-26T10:58:12.026+08:00",
            "transaction_id": "1910173",
        },
    } });
    let body = Content::json(document.read::<MoNotificationBody>()).example("charged", charged);
    let operation = Operation::new("moChargeNotification", "An operator's notification (Alacrity)")
        .about(
            "With one of `success` and `error`. A charge is believed once `check_transaction` \
             confirms it; what has no correlator, or does not fit what was asked for, is kept for a \
             person. The same again changes nothing.",
        )
        .tag("callbacks")
        .parameters([Parameter::path("connector", "the funding source's name")])
        .body(body)
        .empty(200, "stored");
    let problems = [
        Problem::of_field("body", "must have one of success and error"),
        Problem::NotFound,
        Problem::Unavailable,
    ];
    fails(operation, document, &problems)
}

/// POST `/callbacks/mo-charge/{connector}`.
pub(crate) async fn notification(
    State(gateway): State<Gateway>,
    name: Result<Path<String>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    let directory = gateway.directory.current();
    let connector = teller(&directory, name, |connector| connector.mo.is_some())?;
    let pass = gateway.doors.callback(&connector.name).await?;
    let body = whole(body)?;
    let told = MoNotification::from_bytes(&body, connector.mo.as_ref())?;
    let source = told_by(MO_FACT, &connector.name);
    let fact = NewFact {
        task: task_of(&gateway, connector, &source, &told).await?,
        source,
        kind: MO_FACT.to_owned(),
        meaning: told.meaning(),
        external_id: told.transaction_id,
        reference: told.correlator,
        status: told.word,
        body: Private::new(text_of(&body)),
    };
    keep(&gateway, &fact, pass).await
}

/// The task of the purchase that it names, if it speaks of what was asked for.
async fn task_of(
    gateway: &Gateway,
    connector: &Connector,
    source: &str,
    told: &MoNotification,
) -> Result<Option<TaskKey>, Problem> {
    let part = funded_by(&told.correlator);
    let found = told_of(gateway, source, part).await?;
    let Some(purchase) = found else { return Ok(None) };
    let Some(mo) = connector.mo_account(&purchase.order) else { return Ok(None) };
    if let Err(differs) = told.is_about(&purchase.order, &mo) {
        tracing::warn!(
            connector = connector.name,
            purchase = %purchase.order.id,
            field = differs.field,
            "a notification is not about what was asked for"
        );
        return Ok(None);
    }
    Ok(part)
}
