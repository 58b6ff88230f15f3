//! What this program is made of.

use crate::{Refund, Reserve, Settle, keep_letters, take_requests, watch_holds};
use fleet_boot::{Intake, Program, Worker, watch_invariants, watch_money};
use fleet_contracts::Queue;
use fleet_domain::Party;

/// How it is named and explained.
pub const PROGRAM: Program = Program {
    name: "reservation",
    about: "Takes enqueued purchases in, reserves funds, captures, cancels or refunds them",
    needs_broker: true,
    reads: &[Queue::Requested, Queue::Reserve, Queue::Settle, Queue::Dead],
    calls: Party::Bank,
};

/// Letters are stored one by one.
const LETTERS_PREFETCH: u16 = 16;

/// Adds its parts to a worker.
///
/// # Errors
/// When a setting cannot be used.
pub async fn compose(mut worker: Worker) -> anyhow::Result<Worker> {
    let exchange = worker.exchange()?;
    worker.engine(Reserve::new(exchange.clone()));
    worker.engine(Settle::new(exchange.clone()));
    worker.engine(Refund::new(exchange));
    let prefetch = worker.settings.broker.requested_prefetch;
    worker.spawn(take_requests(
        worker.consume(Queue::Requested, prefetch),
        Intake::new(worker.store.clone(), worker.hints.clone()),
        worker.directory.clone(),
        worker.publisher.clone(),
        worker.stop.clone(),
    ));
    worker.spawn(watch_holds(worker.store.clone(), worker.stop.clone()));
    worker.spawn(watch_invariants(worker.store.clone(), worker.stop.clone()));
    worker.spawn(watch_money(worker.store.clone(), worker.stop.clone()));
    let letters = worker.consume(Queue::Dead, LETTERS_PREFETCH);
    worker.spawn(keep_letters(letters, worker.store.clone(), worker.stop.clone()));
    Ok(worker)
}
