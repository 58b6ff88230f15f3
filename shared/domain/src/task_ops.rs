//! What is asked of the task table, and what it answers: one round trip each.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::{ClaimAsk, ClaimToken, LaneId, TaskKey, TaskKind};

/// One group of claims, all of one kind.
#[derive(Debug, Clone)]
pub struct ClaimGroup {
    /// The kind.
    pub kind: TaskKind,
    /// Each key once.
    pub asks: Vec<ClaimAsk>,
    /// How long the claims hold: the longest call + 10 s.
    pub lease: Duration,
    /// Skip locked rows (`Locked`) instead of waiting for them.
    pub skip_locked: bool,
}

/// A claim given back: nothing of it has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Free {
    /// Which task.
    pub key: TaskKey,
    /// The fence of the claim.
    pub token: ClaimToken,
}

/// One look of the clock at one kind.
#[derive(Debug, Clone)]
pub struct Tick {
    /// The kind.
    pub kind: TaskKind,
    /// How many tasks may be taken of one lane in this tick.
    pub take_max: u32,
    /// What each lane has room for; a lane that is not named is not looked at.
    pub lane_room: Vec<(LaneId, u32)>,
    /// Messages that are ready in the kind's queue, if the broker told.
    pub queue_ready: Option<u64>,
}

/// A task that the clock queued and that must be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueTask {
    /// Which task.
    pub key: TaskKey,
    /// Its lane.
    pub lane: LaneId,
}

/// What a tick found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TickReport {
    /// False when another process holds the clock of this kind.
    pub ours: bool,
    /// The database's time of the tick.
    pub now: DateTime<Utc>,
    /// To be published.
    pub due: Vec<DueTask>,
    /// Of these, how many were queued already: their hint was lost.
    pub lost: u32,
    /// Parked tasks whose reminder came up.
    pub reminded: u32,
}

/// What a live process tells the others.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    /// The kind.
    pub kind: TaskKind,
    /// The newest `published_at` received.
    pub watermark: Option<DateTime<Utc>>,
    /// Tasks received and not claimed yet.
    pub unclaimed: u32,
}

/// What became of one fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactOutcome {
    /// Stored. A task that waited or was parked is queued now and to be published.
    Stored {
        /// The task that was woken, and its lane.
        woken: Option<DueTask>,
    },
    /// The second copy: a no-op.
    Duplicate,
    /// Stored for a person: it speaks of no purchase of ours.
    Unmatched,
}
