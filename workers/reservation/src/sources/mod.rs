//! Funding sources. A new one is one file here, one row in [`ADAPTERS`] and its arm below.

mod bank;

use std::time::Duration;

use fleet_boot::Exchange;
use fleet_contracts::BankReply;
use fleet_domain::{Connector, Directory, Job, Party};
use fleet_engine::{Attempt, CallError, LookUp, Refusal};

/// Every adapter, by its name in the connector's row.
pub const ADAPTERS: &[(&str, Adapter)] = &[("bank", Adapter::Bank)];

/// How a funding source is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adapter {
    /// The bank interface of the contract.
    Bank,
}

fn adapter(connector: &Connector) -> Result<Adapter, CallError> {
    let row = ADAPTERS.iter().find(|(name, _)| *name == connector.adapter);
    row.map(|(_, adapter)| *adapter).ok_or_else(|| CallError::NotSent {
        cause: format!("connector {} names an unknown adapter", connector.name),
        retry_after: None,
    })
}

/// The funding source of a job.
///
/// # Errors
/// `NotSent` when it is not in the directory.
pub fn connector<'d>(directory: &'d Directory, job: &Job) -> Result<&'d Connector, CallError> {
    let name = &job.purchase.order.funding_source;
    directory.connectors.get(name).ok_or_else(|| CallError::NotSent {
        cause: format!("connector {name} is not in the directory"),
        retry_after: None,
    })
}

/// How long a call of this job may take; no time at all while its connector is missing.
#[must_use]
pub fn call_deadline(directory: &Directory, job: &Job) -> Duration {
    connector(directory, job).map_or(Duration::ZERO, |connector| connector.call_deadline)
}

/// The longest call of any funding source.
#[must_use]
pub fn longest_call(directory: &Directory) -> Duration {
    directory.longest_call(Party::Bank)
}

/// Reserves.
///
/// # Errors
/// As [`fleet_engine::Step::call`].
pub async fn reserve(
    exchange: &Exchange,
    connector: &Connector,
    job: &Job,
    attempt: Attempt,
) -> Result<BankReply, CallError> {
    match adapter(connector)? {
        Adapter::Bank => bank::reserve(exchange, connector, job, attempt).await,
    }
}

/// Asks what became of a reservation.
///
/// # Errors
/// As [`fleet_engine::Step::look_up`].
pub async fn look_up_reservation(
    exchange: &Exchange,
    connector: &Connector,
    job: &Job,
    attempt: Attempt,
) -> Result<LookUp<BankReply>, CallError> {
    match adapter(connector)? {
        Adapter::Bank => bank::look_up_reservation(exchange, connector, job, attempt).await,
    }
}

/// Captures or cancels, as the purchase says. The same once more is safe.
///
/// # Errors
/// As [`fleet_engine::Step::call`].
pub async fn settle(
    exchange: &Exchange,
    connector: &Connector,
    job: &Job,
    attempt: Attempt,
) -> Result<BankReply, CallError> {
    match adapter(connector)? {
        Adapter::Bank => bank::settle(exchange, connector, job, attempt).await,
    }
}

/// A final refusal with the source's code.
#[must_use]
pub fn refusal(reply: &BankReply) -> Refusal {
    Refusal {
        code: reply.response_code.clone(),
        retryable: false,
        reference_used: true,
        retry_after: None,
    }
}
