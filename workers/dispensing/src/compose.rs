//! What this program is made of.

use crate::Dispense;
use fleet_boot::{Program, Worker};
use fleet_contracts::Queue;
use fleet_domain::Party;

/// How it is named and explained.
pub const PROGRAM: Program = Program {
    name: "dispensing",
    about: "Has suppliers dispense, and clears up what got lost",
    needs_broker: true,
    reads: &[Queue::Dispense],
    calls: Party::Supplier,
};

/// Adds its parts to a worker.
///
/// # Errors
/// When a setting cannot be used.
pub async fn compose(mut worker: Worker) -> anyhow::Result<Worker> {
    let exchange = worker.exchange()?;
    worker.engine(Dispense::new(exchange));
    Ok(worker)
}
