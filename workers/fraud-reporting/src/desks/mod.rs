//! Fraud desks. A new one is one file here, one row in [`ADAPTERS`] and its arm below.

mod fraudstop;

use fleet_boot::Exchange;
use fleet_domain::{Connector, Directory, Job, Party};
use fleet_engine::{Attempt, CallError};

/// Every adapter, by its name in the connector's row.
pub const ADAPTERS: &[(&str, Adapter)] = &[("fraudstop", Adapter::FraudStop)];

/// How a desk is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adapter {
    /// The transaction report of the contract's section 4.
    FraudStop,
}

/// The name of a job's desk: the owner of its lane.
#[must_use]
pub fn name(directory: &Directory, job: &Job) -> String {
    directory.lanes.get(&job.task.lane).map(|lane| lane.owner.clone()).unwrap_or_default()
}

/// The desk of a job.
///
/// # Errors
/// `NotSent` when it is not in the directory.
pub fn connector<'d>(directory: &'d Directory, job: &Job) -> Result<&'d Connector, CallError> {
    let name = name(directory, job);
    let found = directory.connectors.get(&name).filter(|connector| connector.party == Party::Desk);
    found.ok_or_else(|| CallError::NotSent {
        cause: format!("connector {name} is not a fraud desk in the directory"),
        retry_after: None,
    })
}

/// Reports.
///
/// # Errors
/// `Refused` for a definite refusal, retryable for 5xx and 429.
pub async fn report(
    exchange: &Exchange,
    connector: &Connector,
    fields: Vec<(&'static str, String)>,
    attempt: Attempt,
) -> Result<(), CallError> {
    let row = ADAPTERS.iter().find(|(name, _)| *name == connector.adapter);
    match row {
        Some((_, Adapter::FraudStop)) => {
            fraudstop::report(exchange, connector, fields, attempt).await
        }
        None => Err(CallError::NotSent {
            cause: format!("connector {} names an unknown adapter", connector.name),
            retry_after: None,
        }),
    }
}
