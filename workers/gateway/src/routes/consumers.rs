//! What a client's server asks for its consumers: access tokens for their apps, and the cards that may
//! pay again.

use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use fleet_contracts::openapi::{Content, Document, Operation, Parameter};
use fleet_contracts::{
    AccessTokenReply, AccessTokenRequest, CardsReply, CheckedBody, KeptCard, PurchaseBody,
    Rejection, accept, read_body,
};
use fleet_domain::{Client, FundingType, Money, Private, Scenario};
use fleet_store::NewAccess;
use serde::Serialize;
use serde_json::{Value, json};

use crate::Gateway;
use crate::api::by_client;
use crate::caller::{caller, check_signature};
use crate::client_body::ClientBody;
use crate::present::Present;
use crate::problem::whole;
use crate::problem_json::{ProblemJson, fails_as_problem};
use crate::routes::sale::new_secret;

/// How long a sale may be begun with a token.
const VALID_FOR: Duration = Duration::from_secs(15 * 60);
const CONSUMER: &str = "must be 1 to 64 letters, digits, dots, dashes or underscores";

/// What an access token is.
pub(crate) fn describe_access_token(document: &mut Document) -> Operation {
    let example = json!({
        "purchase": {
            "clientId": 1001, "clientTxnRef": "order-43", "productId": 101, "purchaseAmount": 1500,
            "currencyCode": "ZAR", "channelId": 3, "sourceIdentifier": "27821234567",
            "targetIdentifier": "27821234567", "fundingSourceId": "billblend-sample",
        },
        "email": "ada@example.test",
    });
    let body = Content::json(document.read::<AccessTokenRequest>()).example("airtime", example);
    let reply = Content::json(document.written::<AccessTokenReply>());
    let operation = Operation::new("accessToken", "An access token for a consumer's app")
        .about(
            "For one purchase, which the app pays by a device sale: it is taken in when the app \
             initiates the sale, within 15 minutes, and costs what it costs now. Cards that were \
             kept with another `email` pay no more.",
        )
        .tag("device sales")
        .parameters([consumer(), Parameter::signature()])
        .body(body)
        .reply(200, "a token", reply)
        .header(200, "Cache-Control", "`no-store`");
    let field = "purchase.clientTxnRef is missing".to_owned();
    fails_as_problem(
        by_client(operation),
        document,
        &[
            ProblemJson::Parameter("id", CONSUMER),
            ProblemJson::Rejected(field),
            ProblemJson::NotAuthorised,
            ProblemJson::Unavailable,
        ],
    )
}

/// What a consumer's cards are.
pub(crate) fn describe_cards(document: &mut Document) -> Operation {
    let reply = Content::json(document.written::<CardsReply>());
    let operation = Operation::new("consumerCards", "A consumer's cards")
        .about("Those that may pay again, the newest first; never more of a number than its start.")
        .tag("device sales")
        .parameters([consumer()])
        .reply(200, "the cards", reply)
        .header(200, "Cache-Control", "`no-store`");
    fails_as_problem(
        by_client(operation),
        document,
        &[
            ProblemJson::Parameter("id", CONSUMER),
            ProblemJson::NotAuthorised,
            ProblemJson::Unavailable,
        ],
    )
}

fn consumer() -> Parameter {
    Parameter::path_word("id", "the client's own name of its consumer")
}

/// POST `/consumers/{id}/access-tokens`.
pub(crate) async fn access_token(
    State(gateway): State<Gateway>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    ClientBody(body): ClientBody,
) -> Result<Response, ProblemJson> {
    let directory = gateway.directory.current();
    let client = caller(&directory, &headers).map_err(|_refused| ProblemJson::NotAuthorised)?;
    let _pass = gateway.doors.client(client.id).await?;
    let body = whole(body)?;
    check_signature(client, &headers, &body).map_err(|_refused| ProblemJson::NotAuthorised)?;
    let consumer = consumer_of(id)?;
    let asked: AccessTokenRequest = read_body(&body)?;
    let email = asked.email.map(|email| email_of(&email)).transpose()?;
    let purchase = Value::Object(asked.purchase).to_string();
    let now = gateway.store.now().await?;
    let money = money_of(&gateway, &directory, client, &purchase, now).map_err(|rejection| {
        let message = format!("purchase.{}", rejection.message);
        ProblemJson::Rejected(message)
    })?;
    let token = new_secret();
    let new = NewAccess {
        token: Private::new(token.clone()),
        client: client.id,
        consumer,
        purchase: Private::new(purchase),
        email,
        money,
        valid_for: VALID_FOR,
    };
    let expires_at = gateway.store.allow_sale(&new).await?;
    Ok(told(&AccessTokenReply { access_token: token, expires_at }))
}

/// What the purchase costs now, all told. Whatever would refuse it later refuses it here.
fn money_of(
    gateway: &Gateway,
    directory: &Present,
    client: &Client,
    purchase: &str,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Money, Rejection> {
    let mut body = PurchaseBody::from_http(purchase.as_bytes())?;
    if body.client_id != client.id.0 {
        return Err(Rejection::field("clientId", "is not the client of this API key"));
    }
    body.paid_by = Some(FundingType::CardSale);
    let keyring = gateway.store.keyring();
    let is_blacklisted =
        |source: &str| directory.blacklist.contains(&keyring.lookup_hash("source", source));
    let checked = CheckedBody::of(body, Scenario::WeReserve)?;
    let accepted = accept(directory, &checked, now, &is_blacklisted)?;
    Ok(accepted.order.reserved())
}

/// GET `/consumers/{id}/cards`.
pub(crate) async fn cards(
    State(gateway): State<Gateway>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ProblemJson> {
    let directory = gateway.directory.current();
    let client = caller(&directory, &headers).map_err(|_refused| ProblemJson::NotAuthorised)?;
    let _pass = gateway.doors.client(client.id).await?;
    let consumer = consumer_of(id)?;
    let kept = gateway.store.cards(client.id, consumer.expose()).await?;
    let cards = kept.into_iter().map(|card| KeptCard {
        client_card_id: card.id.to_string(),
        masked: KeptCard::masked(&card.bin),
        created_at: card.created_at,
    });
    Ok(told(&CardsReply { cards: cards.collect() }))
}

fn consumer_of(id: Result<Path<String>, PathRejection>) -> Result<Private, ProblemJson> {
    let id = id.map(|Path(id)| id).unwrap_or_default();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if (1..=64).contains(&id.len()) && id.bytes().all(is_plain) {
        return Ok(Private::new(id));
    }
    Err(ProblemJson::Parameter("id", CONSUMER))
}

fn email_of(email: &str) -> Result<Private, ProblemJson> {
    let is_plain = email.chars().all(|c| !c.is_control() && !c.is_whitespace());
    if is_plain && email.contains('@') && email.chars().count() <= 254 {
        return Ok(Private::new(email));
    }
    Err(ProblemJson::Parameter("email", "must be an e-mail address of at most 254 characters"))
}

fn told(body: &impl Serialize) -> Response {
    let mut response = axum::Json(body).into_response();
    let value = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, value);
    response
}
