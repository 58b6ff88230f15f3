//! Channels of results. A new one is one file here, one row in [`CHANNELS`] and its arm below.

mod transact_result;

use fleet_boot::Exchange;
use fleet_contracts::TRANSACT_RESULT;
use fleet_domain::{Client, Delivery};
use fleet_engine::{Attempt, CallError};

use crate::Acknowledged;

/// Every channel, by its name in delivery rows and clients' settings.
pub const CHANNELS: &[(&str, Channel)] = &[(TRANSACT_RESULT, Channel::TransactResult)];

/// How a result is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Transact Result of the contract.
    TransactResult,
}

/// Sends one result.
///
/// # Errors
/// `Refused` with the HTTP status when the listener did not acknowledge; it may be sent again.
pub async fn send(
    exchange: &Exchange,
    client: &Client,
    delivery: &Delivery,
    attempt: Attempt,
) -> Result<Acknowledged, CallError> {
    let not_sent = |cause: String| CallError::NotSent { cause, retry_after: None };
    let row = CHANNELS.iter().find(|(name, _)| *name == delivery.channel);
    let (_, channel) =
        row.ok_or_else(|| not_sent(format!("channel {} is unknown", delivery.channel)))?;
    let url = client.channels.get(&delivery.channel);
    let url = url.ok_or_else(|| not_sent(format!("no URL for channel {}", delivery.channel)))?;
    match channel {
        Channel::TransactResult => {
            transact_result::send(exchange, client, url, delivery, attempt).await
        }
    }
}
