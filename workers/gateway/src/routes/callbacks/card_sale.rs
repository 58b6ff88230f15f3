//! How a device sale ended, told by the card gateway with its control. What does not fit what was
//! asked for is kept without a purchase, for a person.

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use fleet_boot::Peer;
use fleet_contracts::openapi::{Document, Operation, Parameter};
use fleet_contracts::{ControlKey, REFERENCE_CHARS_MAX, SALE_FACT, SaleCallback, plain};
use fleet_domain::{Connector, NewFact, Private, TaskKey, told_by};
use serde_json::{Value, json};

use super::{funded_by, keep, teller, told_of};
use crate::Gateway;
use crate::party_call::PartyCall;
use crate::problem::{Problem, fails};

/// What a callback of a card gateway is.
pub(crate) fn describe(document: &mut Document) -> Operation {
    let kinds = json!({ "enum": ["sale", "reversal", "chargeback"] });
    let operation = Operation::new("cardSaleCallback", "A device sale's end (Billblend)")
        .about(
            "`control` is the lower-case hex SHA-1 of status, orderid, client_orderid and the \
             control key. What has another amount than the purchase is kept for a person. The same \
             again changes nothing.",
        )
        .tag("callbacks")
        .parameters([
            Parameter::path("connector", "the funding source's name"),
            Parameter::query("status", true, word(1, "`approved`, `declined`, …")),
            Parameter::query("type", false, kinds),
            Parameter::query("orderid", true, word(1, "theirs")),
            Parameter::query("client_orderid", true, word(1, "our invoice")),
            Parameter::query("merchant_order", false, word(0, "our invoice")),
            Parameter::query("amount", false, word(0, "major units")),
            Parameter::query("control", true, word(1, "what proves it")),
            Parameter::query("error_code", false, word(0, "why it was declined")),
            Parameter::query("error_message", false, word(0, "the same for people")),
        ])
        .empty(200, "stored");
    let problems =
        [Problem::of_field("status", "is missing"), Problem::NotAuthorised, Problem::Unavailable];
    fails(operation, document, &problems)
}

fn word(least: u32, description: &str) -> Value {
    let pattern = format!("^[A-Za-z0-9 ._-]{{{least},128}}$");
    json!({ "type": "string", "pattern": pattern, "description": description })
}

/// GET `/callbacks/card-sale/{connector}`.
pub(crate) async fn callback(
    State(gateway): State<Gateway>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    name: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, Problem> {
    let directory = gateway.directory.current();
    let query = query.unwrap_or_default();
    let told = SaleCallback::from_query(&query)?;
    // A name that cannot be read is nobody's, and nobody's get the same answer as a wrong control or
    // another caller than the card gateway.
    let call = PartyCall { peer, headers: &headers, signed: query.as_bytes() };
    let connector = teller(&directory, name, Connector::sells_on_devices).ok();
    let connector = connector.filter(|one| is_signed(&told, one) && call.is_from(one));
    let connector = connector.ok_or(Problem::NotAuthorised)?;
    let pass = gateway.doors.callback(&connector.name).await?;
    let source = told_by(SALE_FACT, &connector.name);
    let fact = NewFact {
        task: task_of(&gateway, connector, &source, &told).await?,
        source,
        kind: SALE_FACT.to_owned(),
        status: told.word(),
        reference: plain(&told.client_order_id, REFERENCE_CHARS_MAX),
        meaning: told.meaning(),
        external_id: told.order_id,
        body: Private::new(query),
    };
    keep(&gateway, &fact, pass).await
}

fn is_signed(told: &SaleCallback, connector: &Connector) -> bool {
    let key = connector.secret.as_ref().and_then(ControlKey::of);
    key.is_some_and(|key| told.is_signed(&key))
}

/// The task of the purchase that it names, if it speaks of its amount.
async fn task_of(
    gateway: &Gateway,
    connector: &Connector,
    source: &str,
    told: &SaleCallback,
) -> Result<Option<TaskKey>, Problem> {
    let part = funded_by(&told.client_order_id);
    let found = told_of(gateway, source, part).await?;
    let Some(purchase) = found else { return Ok(None) };
    if !told.is_of(purchase.order.reserved()) {
        tracing::warn!(
            connector = connector.name,
            purchase = %purchase.order.id,
            "a callback tells of another amount"
        );
        return Ok(None);
    }
    Ok(part)
}
