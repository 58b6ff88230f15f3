//! A card payment's end: a GET with the document's parameters. Any 2xx acknowledges it.

use fleet_boot::{Exchange, Request};
use fleet_domain::Delivery;
use fleet_engine::{Attempt, CallError};

use super::refused;
use crate::Acknowledged;

pub(super) async fn send(
    exchange: &Exchange,
    url: &str,
    delivery: &Delivery,
    attempt: Attempt,
) -> Result<Acknowledged, CallError> {
    let request = Request::get_of_client(url).raw_query(delivery.body.expose());
    let request = request.told_by_status();
    let answer = exchange.send(request, attempt).await?;
    match answer.status {
        200..300 => Ok(Acknowledged(answer.status)),
        _ => Err(refused(&answer)),
    }
}
