//! What this program is made of.

use crate::{Deliver, Notify};
use fleet_boot::{Program, Worker};
use fleet_contracts::Queue;
use fleet_domain::Party;
use std::time::Duration;

/// How it is named and explained.
pub const PROGRAM: Program = Program {
    name: "result-delivery",
    about: "Tells clients how their purchases ended, for up to four days; sends messages to people",
    needs_broker: true,
    reads: &[Queue::Deliver, Queue::Notify],
    calls: Party::Channel,
};

/// Adds its parts to a worker.
///
/// # Errors
/// When a setting cannot be used.
pub async fn compose(mut worker: Worker) -> anyhow::Result<Worker> {
    let exchange = worker.exchange()?;
    let deadline = Duration::from_millis(worker.settings.outbound.deliver_deadline_ms);
    let jitter_percent = worker.settings.outbound.deliver_jitter_percent;
    worker.engine(Deliver::new(exchange.clone(), deadline, jitter_percent));
    worker.engine(Notify::new(exchange));
    Ok(worker)
}
