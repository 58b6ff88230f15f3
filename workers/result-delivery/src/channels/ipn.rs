//! IPN: a JSON POST whose `verifysign` follows from the frozen text and the client's present key. A
//! 2xx acknowledges it only together with the word `Success`.

use fleet_boot::{Exchange, Request};
use fleet_contracts::{FrozenIpn, SignKey, acknowledges_ipn};
use fleet_domain::{Client, Delivery};
use fleet_engine::{Attempt, CallError};

use super::{not_sent, refused};
use crate::Acknowledged;

pub(super) async fn send(
    exchange: &Exchange,
    client: &Client,
    url: &str,
    delivery: &Delivery,
    attempt: Attempt,
) -> Result<Acknowledged, CallError> {
    let body = body(client, delivery).map_err(not_sent)?;
    let request = Request::to_client(url).body(body.into_bytes()).told_by_success();
    let answer = exchange.send(request, attempt).await?;
    let is_2xx = (200..300).contains(&answer.status);
    if is_2xx && acknowledges_ipn(answer.body()) {
        return Ok(Acknowledged(answer.status));
    }
    Err(refused(&answer))
}

fn body(client: &Client, delivery: &Delivery) -> Result<String, &'static str> {
    let account = client.ipn.as_ref().ok_or("the client has no account for IPN any more")?;
    let key = SignKey::of(&account.key).ok_or("the key of verifysign is not 16 bytes")?;
    let frozen =
        FrozenIpn::from_text(delivery.body.expose()).ok_or("the frozen IPN is unreadable")?;
    frozen.body(&key, account.form).ok_or("the frozen IPN cannot be signed")
}
