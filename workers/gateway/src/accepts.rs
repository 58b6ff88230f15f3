//! Purchases on their way into the store: one task stores them in groups of whatever is at hand, as
//! the broker's intake does, and fills each group from one client after the other.
//!
//! A request holds a place from here until its purchase is stored or refused; it waits for a bank, if
//! it does, without one. Who finds no place, or is not taken into a group in time, is told to come
//! again, and nothing of it is stored. Once it is in a group only the store's answer counts: a caller
//! that hangs up cuts nothing in two.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fleet_boot::{Intake, IntakeOutcome, Turns};
use fleet_contracts::PurchaseBody;
use fleet_domain::{ClientId, Scenario, WayIn};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use crate::PresentDirectory;
use crate::places::{Limits, Place, Places, Shed};

/// Batches of first hints that may be on their way to the broker; those of the next are left to the
/// clock, so that a slow broker keeps nobody's answer back.
const HINTS_AT_ONCE: usize = 16;

/// The purchases that wait.
#[derive(Debug)]
pub struct Accepts {
    places: Arc<Places<ClientId>>,
    waiting: Mutex<Waiting>,
    somebody: Notify,
    wait: Duration,
    group_max: usize,
    groups: Arc<Semaphore>,
    hints: Arc<Semaphore>,
    groups_at_once: u32,
}

#[derive(Debug, Default)]
struct Waiting {
    turns: Turns<ClientId, Pending>,
    newest: u64,
}

/// A request whose purchase is in no group yet.
#[derive(Debug)]
struct Pending {
    number: u64,
    body: PurchaseBody,
    scenario: Scenario,
    tell: oneshot::Sender<IntakeOutcome>,
    _place: Place<ClientId>,
}

impl Accepts {
    pub(crate) fn new(limits: Limits, group_max: usize, groups_at_once: usize) -> Self {
        Self {
            places: Places::new("purchase", limits.all, limits.each),
            waiting: Mutex::default(),
            somebody: Notify::new(),
            wait: limits.wait,
            group_max,
            groups: Arc::new(Semaphore::new(groups_at_once)),
            hints: Arc::new(Semaphore::new(HINTS_AT_ONCE)),
            groups_at_once: u32::try_from(groups_at_once).unwrap_or(u32::MAX),
        }
    }

    /// Takes a client's purchase in.
    pub(crate) async fn take_in(
        &self,
        client: ClientId,
        body: PurchaseBody,
        scenario: Scenario,
    ) -> Result<IntakeOutcome, Shed> {
        let place = self.places.take(client)?;
        let (tell, mut told) = oneshot::channel();
        let number =
            self.queue(client, |number| Pending { number, body, scenario, tell, _place: place });
        self.somebody.notify_one();
        let outcome = tokio::select! {
            outcome = &mut told => outcome,
            () = tokio::time::sleep(self.wait) => {
                if self.withdraw(client, number) {
                    return Err(self.places.shed(&client));
                }
                told.await
            }
        };
        // Dropped untold: whether it was stored is not known.
        Ok(outcome.unwrap_or(IntakeOutcome::Unavailable))
    }

    fn queue(&self, client: ClientId, pending: impl FnOnce(u64) -> Pending) -> u64 {
        let mut waiting = self.lock();
        waiting.newest = waiting.newest.wrapping_add(1);
        let number = waiting.newest;
        waiting.turns.push(client, pending(number));
        number
    }

    /// True when it is in no group, and now will be in none.
    fn withdraw(&self, client: ClientId, number: u64) -> bool {
        let withdrawn = self.lock().turns.withdraw(&client, |pending| pending.number == number);
        withdrawn.is_some()
    }

    /// Stores groups until nobody asks any more, which `unserved` says, and nothing is left.
    pub(crate) async fn run(
        &self,
        intake: &Intake,
        directory: &PresentDirectory,
        unserved: &CancellationToken,
    ) {
        loop {
            // It is never closed.
            let Ok(slot) = Arc::clone(&self.groups).acquire_owned().await else { return };
            let group = self.next_group(unserved).await;
            if group.is_empty() {
                drop(slot);
                break;
            }
            let (intake, directory) = (intake.clone(), directory.clone());
            let hints = Arc::clone(&self.hints);
            tokio::spawn(store(group, intake, directory, hints, slot));
        }
        drop(self.groups.acquire_many(self.groups_at_once).await);
        let all_hints = u32::try_from(HINTS_AT_ONCE).unwrap_or(u32::MAX);
        drop(self.hints.acquire_many(all_hints).await);
    }

    /// What is at hand, as soon as there is anything; nothing once nothing more can come.
    async fn next_group(&self, unserved: &CancellationToken) -> Vec<Pending> {
        loop {
            let group = self.lock().turns.take(self.group_max);
            if !group.is_empty() || unserved.is_cancelled() {
                return group;
            }
            tokio::select! {
                () = self.somebody.notified() => {}
                () = unserved.cancelled() => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn store(
    group: Vec<Pending>,
    intake: Intake,
    directory: PresentDirectory,
    hints: Arc<Semaphore>,
    slot: OwnedSemaphorePermit,
) {
    let mut callers = Vec::with_capacity(group.len());
    let mut bodies = Vec::with_capacity(group.len());
    for pending in group {
        let Pending { body, scenario, tell, _place: place, number: _ } = pending;
        bodies.push((body, scenario));
        callers.push((tell, place));
    }
    let present = directory.current();
    let (outcomes, first) = intake.take_in_only(&present, bodies, WayIn::Http).await;
    for ((tell, place), outcome) in callers.into_iter().zip(outcomes) {
        drop(place);
        // Who has hung up asks again, and is told then.
        drop(tell.send(outcome));
    }
    drop(slot);
    if let Ok(_way) = hints.try_acquire() {
        first.publish().await;
    }
}
