//! How a card payment ended, told by a GET of the page's owner. Nobody signs it: a success counts only
//! once Transaction Query there agrees.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use fleet_contracts::openapi::{Document, Operation, Parameter};
use fleet_contracts::{CARD_FACT, CardTold};
use fleet_domain::{NewFact, Private, told_by};
use serde_json::{Value, json};

use super::{funded_by, keep, teller, told_of};
use crate::Gateway;
use crate::problem::{Problem, fails};

/// What a completion is.
pub(crate) fn describe(document: &mut Document) -> Operation {
    let operation = Operation::new(
        "cardPaymentCompletion",
        "A card payment's end (ClickPayAfrica)",
    )
    .about(
        "A success is one only with a `transaction_id`, and is believed once Transaction Query \
             there agrees. Any other `status` or `type` is kept as it was told, and its \
             `transaction_id` is asked about. Values may stand in quotation marks. The same again \
             changes nothing.",
    )
    .tag("callbacks")
    .parameters([
        Parameter::path("connector", "the funding source's name"),
        Parameter::query("type", false, any("`cardpayment`, or another")),
        Parameter::query("status", false, any("`success`, `failed`, or another")),
        Parameter::query("order_info", true, word(1, "our reference")),
        Parameter::query("message", false, json!({ "type": "string", "maxLength": 256 })),
        Parameter::query("transaction_id", false, word(0, "theirs; a failed payment has none")),
    ])
    .empty(200, "stored");
    let problems = [
        Problem::of_field("order_info", "must have 1 to 64 characters"),
        Problem::NotFound,
        Problem::Unavailable,
    ];
    fails(operation, document, &problems)
}

fn any(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn word(least: u32, description: &str) -> Value {
    let pattern = format!("^[A-Za-z0-9_-]{{{least},64}}$");
    json!({ "type": "string", "pattern": pattern, "description": description })
}

/// GET `/callbacks/card-payments/{connector}`.
pub(crate) async fn completion(
    State(gateway): State<Gateway>,
    name: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, Problem> {
    let directory = gateway.directory.current();
    let connector = teller(&directory, name, |connector| connector.account.is_some())?;
    let pass = gateway.doors.callback(&connector.name).await?;
    let query = query.unwrap_or_default();
    let told = CardTold::from_query(&query)?;
    let source = told_by(CARD_FACT, &connector.name);
    let part = funded_by(&told.order_info);
    let purchase = told_of(&gateway, &source, part).await?;
    let fact = NewFact {
        source,
        kind: CARD_FACT.to_owned(),
        task: part.filter(|_part| purchase.is_some()),
        status: told.word,
        reference: told.order_info,
        external_id: told.transaction_id.unwrap_or_default(),
        // Its other words are for people.
        meaning: Private::new(""),
        body: Private::new(query),
    };
    keep(&gateway, &fact, pass).await
}
