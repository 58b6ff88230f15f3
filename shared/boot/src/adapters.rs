//! Store and broker as the engine wants them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use fleet_broker::{Outgoing, Publisher, Target};
use fleet_contracts::{JobHint, Queue};
use fleet_domain::{
    ClaimGroup, ClaimVerdict, Commit, FactOutcome, FollowUp, Free, Heartbeat, Job, LaneId,
    LaneLease, NewFact, PurchaseId, TaskKey, TaskKind, Tick, TickReport,
};
use fleet_engine::{
    Committed, HintSink, Published, StoreFault, TaskStore, hints_of, publish_or_put_back,
};
use fleet_store::{Store, StoreError};
use uuid::Uuid;

/// The task table in Postgres, for one process.
#[derive(Debug, Clone)]
pub struct StoreTasks {
    store: Store,
    process: Uuid,
}

impl StoreTasks {
    /// A new process' view of the table.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, process: Uuid::now_v7() }
    }
}

fn fault(error: &StoreError) -> StoreFault {
    match error {
        StoreError::Refused { .. } => StoreFault::Refused(error.to_string()),
        StoreError::Retry { .. }
        | StoreError::Unfit { .. }
        | StoreError::Unreadable(_)
        | StoreError::Schema(_) => StoreFault::Retry(error.to_string()),
    }
}

impl TaskStore for StoreTasks {
    async fn claim(&self, group: &ClaimGroup) -> Result<Vec<ClaimVerdict<Box<Job>>>, StoreFault> {
        self.store.claim(group).await.map_err(|error| fault(&error))
    }

    async fn commit(&self, kind: TaskKind, group: &[Commit]) -> Result<Committed, StoreFault> {
        let written = self.store.commit(kind, group).await.map_err(|error| fault(&error))?;
        Ok(Committed { verdicts: written.verdicts, now: written.now })
    }

    async fn store_fact(&self, fact: &NewFact) -> Result<FactOutcome, StoreFault> {
        self.store.store_fact(fact).await.map_err(|error| fault(&error))
    }

    async fn put_back(&self, keys: &[TaskKey]) -> Result<(), StoreFault> {
        self.store.put_back(keys).await.map_err(|error| fault(&error))
    }

    async fn free(&self, frees: &[Free]) -> Result<(), StoreFault> {
        self.store.free(frees).await.map_err(|error| fault(&error))
    }

    async fn tick(&self, tick: &Tick) -> Result<TickReport, StoreFault> {
        self.store.tick(tick).await.map_err(|error| fault(&error))
    }

    async fn beat(&self, beat: &Heartbeat) -> Result<Vec<LaneLease>, StoreFault> {
        self.store.beat(self.process, beat).await.map_err(|error| fault(&error))
    }
}

/// Publishes hints.
#[derive(Debug, Clone)]
pub struct HintPublisher {
    publisher: Publisher,
    tasks: Arc<StoreTasks>,
}

impl HintPublisher {
    /// Through this publisher; what it cannot publish goes back into this table.
    #[must_use]
    pub const fn new(publisher: Publisher, tasks: Arc<StoreTasks>) -> Self {
        Self { publisher, tasks }
    }

    /// The first hints of purchases that were just stored.
    pub async fn publish_first(&self, tasks: Vec<(PurchaseId, FollowUp)>, now: DateTime<Utc>) {
        let tasks: Vec<_> = tasks
            .into_iter()
            .map(|(purchase, task)| {
                (TaskKey { purchase, kind: task.kind, slot: task.slot }, task.lane)
            })
            .collect();
        self.tell(hints_of(&tasks, now)).await;
    }

    /// The hint of a task that a fact woke.
    pub async fn publish_one(&self, key: TaskKey, lane: LaneId, now: DateTime<Utc>) {
        self.tell(hints_of(&[(key, lane)], now)).await;
    }

    async fn tell(&self, hints: Vec<JobHint>) {
        publish_or_put_back(&*self.tasks, self, hints).await;
    }
}

impl HintSink for HintPublisher {
    async fn publish(&self, hints: Vec<JobHint>) -> Published {
        let outgoing = hints.iter().filter_map(|hint| {
            Some(Outgoing {
                target: Target::Hint(Queue::of(hint.kind)?),
                body: hint.to_bytes(),
                message_id: Uuid::now_v7().to_string(),
                correlation_id: None,
                headers: Vec::new(),
            })
        });
        let results = self.publisher.publish(outgoing.collect()).await;
        let confirmed = results.iter().filter(|confirmed| **confirmed).count();
        Published { confirmed, left_to_clock: results.len().saturating_sub(confirmed) }
    }

    fn usable(&self) -> bool {
        self.publisher.usable()
    }

    async fn ready(&self, kind: TaskKind) -> Option<u64> {
        self.publisher.ready(Queue::of(kind)?).await
    }
}
