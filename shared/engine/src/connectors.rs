//! What every step looks up alike before it speaks to a connector.

use std::time::Duration;

use fleet_domain::{Connector, Directory};

use crate::CallError;

/// The connector of this name.
///
/// # Errors
/// `NotSent` when it is not in the directory.
pub fn connector<'d>(directory: &'d Directory, name: &str) -> Result<&'d Connector, CallError> {
    directory.connectors.get(name).ok_or_else(|| CallError::NotSent {
        cause: format!("connector {name} is not in the directory"),
        retry_after: None,
    })
}

/// The adapter of a connector's party.
///
/// # Errors
/// `NotSent` when this build does not know the one that the connector's row names.
pub fn adapter<A>(known: Option<A>, connector: &Connector) -> Result<A, CallError> {
    known.ok_or_else(|| CallError::NotSent {
        cause: format!("connector {} names an unknown adapter", connector.name),
        retry_after: None,
    })
}

/// How long one call may take; no time at all while the connector is missing.
#[must_use]
pub fn call_deadline(connector: Result<&Connector, CallError>) -> Duration {
    connector.map_or(Duration::ZERO, |connector| connector.call_deadline)
}
