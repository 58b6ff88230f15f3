//! Channels of results. A new one is one file here, one row in [`CHANNELS`] and its arm below.

mod ipn;
mod transact_result;

use fleet_boot::{Answer, Exchange};
use fleet_contracts::{IPN, TRANSACT_RESULT};
use fleet_domain::{Client, Delivery};
use fleet_engine::{Attempt, CallError, Refusal};

use crate::Acknowledged;

/// Every channel, by its name in delivery rows and clients' settings.
pub const CHANNELS: &[(&str, Channel)] =
    &[(TRANSACT_RESULT, Channel::TransactResult), (IPN, Channel::Ipn)];

/// How a result is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Transact Result of the contract.
    TransactResult,
    /// IPN of the contract.
    Ipn,
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
    let row = CHANNELS.iter().find(|(name, _)| *name == delivery.channel);
    let (_, channel) =
        row.ok_or_else(|| not_sent(format!("channel {} is unknown", delivery.channel)))?;
    let url = client.channels.get(&delivery.channel);
    let url = url.ok_or_else(|| not_sent(format!("no URL for channel {}", delivery.channel)))?;
    match channel {
        Channel::TransactResult => {
            transact_result::send(exchange, client, url, delivery, attempt).await
        }
        Channel::Ipn => ipn::send(exchange, client, url, delivery, attempt).await,
    }
}

fn not_sent(cause: impl Into<String>) -> CallError {
    CallError::NotSent { cause: cause.into(), retry_after: None }
}

/// An answer that acknowledges nothing; the same is sent again later.
fn refused(answer: &Answer) -> CallError {
    let refusal = Refusal {
        code: answer.status.to_string(),
        own_code: None,
        retryable: true,
        reference_used: false,
        retry_after: answer.retry_after,
    };
    CallError::Refused { refusal }
}
