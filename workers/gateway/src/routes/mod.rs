//! The gateway's paths (contracts, section 6): one file a resource.

mod account;
mod buyer;
mod callbacks;
mod card_payments;
mod catalogue;
mod consumers;
mod lookup;
mod notification;
mod numbers;
mod results;
mod sale;
mod token;
mod transact;
mod transactions;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use fleet_contracts::BODY_BYTES_MAX;
use serde_json::Value;

use crate::Gateway;
use crate::api::Api;
use crate::closed::closed;
use crate::halved::halved;
use crate::measured::measured;

pub(crate) use card_payments::Page;
pub(crate) use transactions::{QueryProblem, describe_problems};

/// Every path that clients and suppliers call: its handler, and beside it what it is.
pub(crate) fn api() -> Api {
    Api::new()
        .post("/transact/4.0", transact::transact, transact::describe_transact)
        .post(
            "/reserveAndTransact/4.0",
            transact::reserve_and_transact,
            transact::describe_reserve_and_transact,
        )
        .post("/oauth/token", token::token, token::describe)
        .get("/lookup-api/2.0", lookup::transaction, lookup::describe)
        .post("/in-flight-transaction-check/1.0", buyer::in_flight, buyer::describe_in_flight)
        .post("/customerAccountValidation/1.0", account::validate, account::describe)
        .get("/userTransactionLookup/1.0", buyer::transactions, buyer::describe_transactions)
        .get("/tokenLookup/1.0", buyer::tokens, buyer::describe_tokens)
        .post("/notification/1.0", notification::notify, notification::describe)
        .get(
            "/financial-terms/1.0",
            catalogue::financial_terms,
            catalogue::describe_financial_terms,
        )
        .get("/productLookup/2.0", catalogue::products, catalogue::describe_products)
        .get("/mnoLookup/1.0", numbers::operator, numbers::describe_operator)
        .get(
            "/lookupCountryPrefix/1.0",
            numbers::country_prefixes,
            numbers::describe_country_prefixes,
        )
        .get("/api/transactions/{id}", transactions::query, transactions::describe)
        .get("/results", results::since, results::describe_since)
        .get("/statements/{date}", results::statement, results::describe_statement)
        .post("/api/card-payments", card_payments::payment, card_payments::describe)
        .get("/pay/{id}", card_payments::page, card_payments::describe_page)
        .post(
            "/consumers/{id}/access-tokens",
            consumers::access_token,
            consumers::describe_access_token,
        )
        .get("/consumers/{id}/cards", consumers::cards, consumers::describe_cards)
        .post("/sale/initiate-sale", sale::initiate::initiate, sale::initiate::describe)
        .post("/sale/{invoiceId}/check", sale::check::check, sale::check::describe)
        .post("/sale/notification", sale::mapping::notification, sale::mapping::describe)
        .post(
            "/callbacks/suppliers/{connector}",
            callbacks::supplier::supplier,
            callbacks::supplier::describe,
        )
        .post(
            "/callbacks/mo-charge/{connector}",
            callbacks::mo_charge::notification,
            callbacks::mo_charge::describe,
        )
        .get(
            "/callbacks/card-payments/{connector}",
            callbacks::card_payment::completion,
            callbacks::card_payment::describe,
        )
        .get(
            "/callbacks/card-sale/{connector}",
            callbacks::card_sale::callback,
            callbacks::card_sale::describe,
        )
}

/// The served router.
pub fn router(gateway: Gateway) -> Router {
    let (_, router) = api().finish();
    // One byte more than allowed, so that the handler itself can name what is too long.
    let limit = DefaultBodyLimit::max(BODY_BYTES_MAX.saturating_add(1));
    let maintenance = axum::middleware::from_fn_with_state(gateway.clone(), closed);
    let measure = axum::middleware::from_fn(measured);
    let router = router.layer(limit).layer(maintenance).layer(measure).with_state(gateway);
    if fleet_telemetry::is_armed("gateway", "answer.middle") {
        return router.layer(axum::middleware::map_response(halved));
    }
    router
}

/// The document that GET `/openapi.json` tells.
#[must_use]
pub fn document() -> Value {
    api().finish().0
}
