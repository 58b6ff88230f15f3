//! Transact Result: a JSON POST, signed when the client has a secret; any 2xx acknowledges it.

use fleet_boot::{Exchange, Request};
use fleet_domain::{Client, Delivery};
use fleet_engine::{Attempt, CallError};

use super::refused;
use crate::Acknowledged;

pub(super) async fn send(
    exchange: &Exchange,
    client: &Client,
    url: &str,
    delivery: &Delivery,
    attempt: Attempt,
) -> Result<Acknowledged, CallError> {
    let request = Request::to_client(url)
        .body(delivery.body.expose().as_bytes().to_vec())
        .signed_by(client.signature_secret.as_ref())
        .told_by_status();
    let answer = exchange.send(request, attempt).await?;
    if (200..300).contains(&answer.status) {
        return Ok(Acknowledged(answer.status));
    }
    Err(refused(&answer))
}
