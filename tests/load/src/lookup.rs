//! The Transaction Lookup: how the fleet itself says that a purchase ended.

use std::time::Duration;

use futures_util::StreamExt;
use serde::Deserialize;
use tokio::time::sleep;

use crate::order::Order;
use crate::send_http::chain;

const TRIES_MAX: u32 = 5;
const TRIES_APART: Duration = Duration::from_millis(500);
const DEADLINE: Duration = Duration::from_secs(10);
/// Look-ups at the same time.
const AT_ONCE: usize = 16;

/// What the fleet says of a purchase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// It knows it, with this `transactionStatus`.
    Status(String),
    /// It does not know it.
    Unknown,
    /// It did not say.
    NoAnswer(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    transaction_status: String,
}

/// Looks all orders up, in their order.
pub(crate) async fn all(http: &reqwest::Client, gateway: &str, orders: &[Order]) -> Vec<Found> {
    let looks = orders.iter().map(|order| one(http, gateway, order));
    futures_util::stream::iter(looks).buffered(AT_ONCE).collect().await
}

async fn one(http: &reqwest::Client, gateway: &str, order: &Order) -> Found {
    let url = format!("{gateway}/lookup-api/2.0");
    let mut cause = String::new();
    for number in 0..TRIES_MAX {
        if number > 0 {
            sleep(TRIES_APART).await;
        }
        let query = [
            ("clientId", order.client.id.to_string()),
            ("clientTransactionReference", order.client_ref.clone()),
        ];
        let request = http.get(&url).query(&query).header("x-api-key", order.client.api_key);
        match request.timeout(DEADLINE).send().await {
            Ok(response) if response.status().is_success() => match response.json().await {
                Ok(Reply { transaction_status }) => return Found::Status(transaction_status),
                Err(error) => cause = chain(&error),
            },
            Ok(response) if response.status().as_u16() == 404 => return Found::Unknown,
            Ok(response) => cause = format!("HTTP status {}", response.status()),
            Err(error) => cause = chain(&error),
        }
    }
    Found::NoAnswer(cause)
}
