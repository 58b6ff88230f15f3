//! The task table as a plain model in memory: the same verdicts as the functions in Postgres, on a
//! clock that only moves when it is told to. One mutex, no waits.

mod claim;
mod clock;
mod commit;
mod facts;
mod model;
mod notify;
mod permits;
mod tokens;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use fleet_contracts::NewNotification;
use fleet_domain::{
    ClaimGroup, ClaimVerdict, Commit, Directory, FactOutcome, Free, Heartbeat, Job, LaneId,
    LaneLease, NewFact, Progress, PurchaseId, TaskKey, TaskKind, TaskState, Tick, TickReport,
    later,
};
use fleet_engine::{Committed, StoreFault, TaskStore};
use fleet_store::{Accepted, NewPurchase, Notified, PurchaseView};
use uuid::Uuid;

use self::model::Model;

/// A store in memory, as one process sees it. Clones share everything.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    model: Arc<Mutex<Model>>,
    process: Uuid,
}

impl MemoryStore {
    /// An empty store whose clock stands at this instant.
    #[must_use]
    pub fn new(now: DateTime<Utc>) -> Self {
        Self { model: Arc::new(Mutex::new(Model::new(now))), process: Uuid::now_v7() }
    }

    /// The same store as another process sees it: its heartbeats are its own.
    #[must_use]
    pub fn another_process(&self) -> Self {
        Self { model: Arc::clone(&self.model), process: Uuid::now_v7() }
    }

    /// Its time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.lock().now
    }

    /// Moves its clock.
    pub fn advance(&self, by: Duration) {
        let mut model = self.lock();
        model.now = later(model.now, by);
    }

    /// Sets what a lane allows.
    pub fn set_lane(&self, lane: LaneId, kind: TaskKind, concurrency: u32, rate: u32) {
        self.lock().set_lane(lane, kind, concurrency, rate);
    }

    /// Sets what a directory's lanes allow.
    pub fn set_lanes(&self, directory: &Directory) {
        for lane in directory.lanes.values() {
            self.set_lane(lane.id, lane.kind, lane.concurrency, lane.rate_per_second);
        }
    }

    /// Takes purchases in.
    #[must_use]
    pub fn accept(&self, batch: &[NewPurchase]) -> Accepted {
        self.lock().accept(batch)
    }

    /// Stores a message that a client asks for.
    #[must_use]
    pub fn notify(&self, new: &NewNotification) -> Notified {
        self.lock().notify(new)
    }

    /// Everything about one purchase.
    #[must_use]
    pub fn show(&self, id: PurchaseId) -> Option<PurchaseView> {
        self.lock().show(id)
    }

    /// Keys of all unfinished tasks, in order.
    #[must_use]
    pub fn unfinished(&self) -> Vec<TaskKey> {
        self.lock().tasks.keys().copied().collect()
    }

    /// How many tasks have to be done without a person.
    #[must_use]
    pub fn open(&self) -> usize {
        let model = self.lock();
        model.tasks.values().filter(|task| task.state != TaskState::Parked).count()
    }

    /// How many tasks are claimed.
    #[must_use]
    pub fn running(&self) -> usize {
        let model = self.lock();
        model.tasks.values().filter(|task| task.state == TaskState::Running).count()
    }

    /// When the next task is due, while none runs and none is queued.
    #[must_use]
    pub fn idle_until(&self) -> Option<DateTime<Utc>> {
        let model = self.lock();
        let open = || model.tasks.values().filter(|task| task.state != TaskState::Parked);
        if open().any(|task| task.state != TaskState::Waiting) {
            return None;
        }
        open().map(|task| task.due_at).min()
    }

    /// How far a purchase is, and whether goods and money may have moved.
    #[must_use]
    pub fn progress(&self, id: PurchaseId) -> Option<Progress> {
        self.lock().purchases.get(&id).map(|row| row.purchase.progress.clone())
    }

    /// A result once more, by hand. False while it is being sent, or when there is none.
    pub fn resend(&self, id: PurchaseId, slot: i32) -> bool {
        self.lock().resend(id, slot)
    }

    fn lock(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TaskStore for MemoryStore {
    async fn claim(&self, group: &ClaimGroup) -> Result<Vec<ClaimVerdict<Box<Job>>>, StoreFault> {
        self.lock().claim(group)
    }

    async fn commit(&self, kind: TaskKind, group: &[Commit]) -> Result<Committed, StoreFault> {
        self.lock().commit(kind, group)
    }

    async fn store_fact(&self, fact: &NewFact) -> Result<FactOutcome, StoreFault> {
        Ok(self.lock().store_fact(fact))
    }

    async fn put_back(&self, keys: &[TaskKey]) -> Result<(), StoreFault> {
        self.lock().put_back(keys);
        Ok(())
    }

    async fn free(&self, frees: &[Free]) -> Result<(), StoreFault> {
        self.lock().free(frees);
        Ok(())
    }

    async fn tick(&self, tick: &Tick) -> Result<TickReport, StoreFault> {
        Ok(self.lock().tick(tick))
    }

    async fn beat(&self, beat: &Heartbeat) -> Result<Vec<LaneLease>, StoreFault> {
        Ok(self.lock().beat(self.process, beat))
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Ready, ready};

    use super::*;

    fn make() -> Ready<((), MemoryStore)> {
        ready(((), MemoryStore::new(DateTime::<Utc>::UNIX_EPOCH)))
    }

    crate::task_store_suite!(make);
}
