//! What the engine needs from the world: tasks, hints and lanes. It never sees a broker or a
//! database; whoever composes a worker hands these in.

use std::future::Future;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use fleet_contracts::JobHint;
use fleet_domain::{
    ClaimGroup, ClaimVerdict, Commit, CommitVerdict, Directory, FactOutcome, Free, Heartbeat, Job,
    LaneLease, NewFact, TaskKey, TaskKind, Tick, TickReport,
};
use tokio::sync::watch;

/// Why the store could not do it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreFault {
    /// Locks, disk, fail-over, no connection, an unknown COMMIT: the whole group again.
    #[error("store is not available: {0}")]
    Retry(String),
    /// SQLSTATE class 22, 23 or P0: a row of the group is refused; split the group.
    #[error("store refused a row: {0}")]
    Refused(String),
}

/// A group of commits that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// One verdict per commit, in their order.
    pub verdicts: Vec<CommitVerdict>,
    /// The database's time of the commit: `published_at` of the hints that follow.
    pub now: DateTime<Utc>,
}

/// The store of tasks.
pub trait TaskStore: Send + Sync + 'static {
    /// Claims a group in one round trip; one verdict per ask, in the order of the asks.
    fn claim(
        &self,
        group: &ClaimGroup,
    ) -> impl Future<Output = Result<Vec<ClaimVerdict<Box<Job>>>, StoreFault>> + Send;

    /// Commits a group in one round trip; one verdict per commit, in their order. The same group
    /// again with the same tokens answers `Already` for what was written.
    fn commit(
        &self,
        kind: TaskKind,
        group: &[Commit],
    ) -> impl Future<Output = Result<Committed, StoreFault>> + Send;

    /// Stores a fact; the second copy is a no-op.
    fn store_fact(
        &self,
        fact: &NewFact,
    ) -> impl Future<Output = Result<FactOutcome, StoreFault>> + Send;

    /// Puts hints back: rows that are still queued become waiting, due now.
    fn put_back(&self, keys: &[TaskKey]) -> impl Future<Output = Result<(), StoreFault>> + Send;

    /// Gives claims back of which nothing has left.
    fn free(&self, frees: &[Free]) -> impl Future<Output = Result<(), StoreFault>> + Send;

    /// One look of the clock.
    fn tick(&self, tick: &Tick) -> impl Future<Output = Result<TickReport, StoreFault>> + Send;

    /// Tells the others what this process has seen, and leases permits: what it may use of each lane
    /// from then on.
    fn beat(
        &self,
        beat: &Heartbeat,
    ) -> impl Future<Output = Result<Vec<LaneLease>, StoreFault>> + Send;
}

/// A batch of hints that was published.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Published {
    /// Messages that the broker confirmed.
    pub confirmed: usize,
    /// Blocked, returned or unconfirmed: left to the clock.
    pub left_to_clock: usize,
}

/// Where hints go.
pub trait HintSink: Send + Sync + 'static {
    /// Publishes hints, pipelined; returns within a bounded time whatever the broker does.
    fn publish(&self, hints: Vec<JobHint>) -> impl Future<Output = Published> + Send;

    /// False while the connection is down or blocked.
    fn usable(&self) -> bool;

    /// Messages ready in the queue of a kind, if the broker tells in time.
    fn ready(&self, kind: TaskKind) -> impl Future<Output = Option<u64>> + Send;
}

/// A hint that came in. Dropping it without [`ReceivedHint::ack`] gives it back to the broker.
pub struct ReceivedHint {
    /// What it names.
    pub hint: JobHint,
    /// Acknowledges the message; called once every id got a verdict or was put back.
    pub ack: Box<dyn FnOnce() + Send>,
}

impl std::fmt::Debug for ReceivedHint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReceivedHint").field("hint", &self.hint).finish_non_exhaustive()
    }
}

/// The present directory, renewed while the process runs.
pub type DirectoryWatch = watch::Receiver<Arc<Directory>>;
