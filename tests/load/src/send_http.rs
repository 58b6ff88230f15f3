//! Sending by HTTP, as a client does: the same reference again until there is an answer.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::Utc;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;
use tokio::time::{Instant, sleep};

use crate::mix::Payer;
use crate::order::Order;
use crate::run::{Answer, Sent};
use crate::send_sale::Shop;

/// How often one purchase is sent at most, and how long apart.
const TRIES_MAX: u32 = 8;
const TRIES_APART: Duration = Duration::from_millis(750);
/// One try may take this long.
const TRY_DEADLINE: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    #[serde(default)]
    response_code: String,
    #[serde(default)]
    response_message: String,
    #[serde(default)]
    raas_txn_ref: Option<String>,
}

/// The answer to a card payment.
#[derive(Deserialize)]
struct CardReply {
    #[serde(default)]
    payment_url: Option<String>,
    #[serde(default)]
    error: Option<CardError>,
}

#[derive(Deserialize)]
struct CardError {
    code: u16,
    message: String,
}

impl CardReply {
    /// Our reference is the last part of the page's URL.
    fn answer(self) -> Answer {
        let error = self.error.unwrap_or(CardError { code: 0, message: String::new() });
        let id = self.payment_url.as_deref().and_then(|url| url.rsplit('/').next());
        match id {
            Some(id) => Answer::Accepted { code: "0000".to_owned(), raas_txn_ref: id.to_owned() },
            None => Answer::Rejected { code: error.code.to_string(), cause: error.message },
        }
    }
}

/// Sends one purchase.
pub(crate) async fn send(shop: &Shop<'_>, order: &Order) -> Sent {
    let url = format!("{}/{}", shop.gateway, order.path());
    let body = order.http_body();
    let (at, began) = (Utc::now(), Instant::now());
    let mut cause = String::new();
    let mut answer = None;
    for number in 0..TRIES_MAX {
        if number > 0 {
            sleep(TRIES_APART).await;
        }
        let sent = match order.case.payer {
            Payer::Device => shop.sell(order).await,
            Payer::Held | Payer::Sms | Payer::Card => once(shop.http, &url, order, &body).await,
        };
        match sent {
            Ok(found) => {
                answer = Some(found);
                break;
            }
            Err(error) => cause = error,
        }
    }
    let answer = answer.unwrap_or(Answer::None { cause });
    Sent { at, took: began.elapsed(), answer }
}

/// One try; an error may be tried again.
async fn once(
    http: &reqwest::Client,
    url: &str,
    order: &Order,
    body: &str,
) -> Result<Answer, String> {
    let by_card = order.case.payer == Payer::Card;
    let mut request = http
        .post(url)
        .timeout(TRY_DEADLINE)
        .header("content-type", "application/json")
        .header(if by_card { "authorization" } else { "x-api-key" }, order.client.api_key);
    if let Some(secret) = order.client.secret {
        request = request.header("signature", signature(secret, body.as_bytes()));
    }
    let response = request.body(body.to_owned()).send().await.map_err(|error| chain(&error))?;
    let status = response.status();
    if status.is_server_error() || status.as_u16() == 429 {
        return Err(format!("HTTP status {status}"));
    }
    if by_card {
        let reply: CardReply = response.json().await.map_err(|error| chain(&error))?;
        return Ok(reply.answer());
    }
    let reply: Reply = response.json().await.map_err(|error| chain(&error))?;
    Ok(match reply.raas_txn_ref {
        Some(raas_txn_ref) => Answer::Accepted { code: reply.response_code, raas_txn_ref },
        None => Answer::Rejected {
            code: reply.response_code,
            cause: format!("HTTP status {status}: {}", reply.response_message),
        },
    })
}

pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

pub(crate) fn signature(secret: &str, body: &[u8]) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(body);
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}
