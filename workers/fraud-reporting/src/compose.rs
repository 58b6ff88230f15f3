//! What this program is made of.

use crate::ReportOutcome;
use fleet_boot::{Program, Worker};

/// How it is named and explained.
pub const PROGRAM: Program = Program {
    name: "fraud-reporting",
    about: "Tells the fraud desk how purchases ended, for one week",
    needs_broker: true,
};

/// Adds its parts to a worker.
///
/// # Errors
/// When a setting cannot be used.
pub async fn compose(mut worker: Worker) -> anyhow::Result<Worker> {
    let exchange = worker.exchange()?;
    worker.engine(ReportOutcome::new(exchange));
    Ok(worker)
}
