//! What this program is made of.

use crate::{ReportOutcome, ValidateToken};
use fleet_boot::{Program, Worker};
use fleet_contracts::Queue;
use fleet_domain::Party;

/// How it is named and explained.
pub const PROGRAM: Program = Program {
    name: "fraud-reporting",
    about: "Validates tokens before any charge, and reports how purchases ended",
    needs_broker: true,
    reads: &[Queue::Report],
    calls: Party::Desk,
};

/// Adds its parts to a worker.
///
/// # Errors
/// When a setting cannot be used.
pub async fn compose(mut worker: Worker) -> anyhow::Result<Worker> {
    let exchange = worker.exchange()?;
    worker.engine(ReportOutcome::new(exchange.clone()));
    worker.engine(ValidateToken::new(exchange));
    Ok(worker)
}
