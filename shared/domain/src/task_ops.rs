//! What is asked of the task table, and what it answers: one round trip each.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::{ClaimAsk, ClaimToken, ClientId, LaneId, TaskKey, TaskKind};

/// One group of claims, all of one kind.
#[derive(Debug, Clone)]
pub struct ClaimGroup {
    /// The kind.
    pub kind: TaskKind,
    /// Each key once.
    pub asks: Vec<ClaimAsk>,
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
    /// What each lane has room for, in the order of the lanes; one that is not named is not looked at,
    /// and one without room is only asked whether more is due.
    pub lanes: Vec<LaneRoom>,
    /// Where the look before this one was cut short, if it was.
    pub from: Option<(LaneId, ClientId)>,
    /// Messages that are ready in the kind's queue, if the broker told.
    pub queue_ready: Option<u64>,
    /// Hints cannot be published: those of the last ten seconds were the last.
    pub unpublished: bool,
}

/// What one lane has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneRoom {
    /// The lane.
    pub lane: LaneId,
    /// Tasks.
    pub room: u32,
    /// The client that had the last turn: those behind it are the next.
    pub after: ClientId,
}

impl LaneRoom {
    /// Of a lane in which nobody has had a turn yet.
    #[must_use]
    pub const fn new(lane: LaneId, room: u32) -> Self {
        Self { lane, room, after: ClientId(0) }
    }
}

/// A task that is queued, and to be published or handed to an engine.
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
    /// For the engine of the process that looked.
    pub due: Vec<DueTask>,
    /// Of these, how many were queued already: their hint was lost.
    pub lost: u32,
    /// Parked tasks whose reminder came up.
    pub reminded: u32,
    /// Lanes of which more is due than they had room for.
    pub more: Vec<LaneId>,
    /// The client that had the last turn in each lane that was taken from.
    pub turns: Vec<(LaneId, ClientId)>,
    /// Where the next look goes on, when this one was cut short.
    pub goes_on: Option<(LaneId, ClientId)>,
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
    /// Beats of a process and kind are numbered: one that comes in late is nothing.
    pub number: u64,
    /// How long calls may be under way that begin before this beat's lease ends.
    pub calls_for: Duration,
    /// Every lane of which it holds or needs permits; what it does not name is given back.
    pub lanes: Vec<LaneAsk>,
}

/// What a process asks of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneAsk {
    /// The lane.
    pub lane: LaneId,
    /// Permits that it may be using until it is answered.
    pub held: u32,
    /// Permits that it could use.
    pub need: u32,
    /// Permits that it would keep at hand beside.
    pub spare: u32,
    /// Calls that it could begin by the lane's rate.
    pub calls: u32,
    /// Its circuit is open: of such processes one gets a permit at a time, and no more than one.
    pub probe: bool,
}

/// What a process gets of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneLease {
    /// The lane.
    pub lane: LaneId,
    /// Calls that it may have under way, until its lease ends.
    pub permits: u32,
    /// The lane's rate; 0 = no limit, and no call is booked.
    pub rate_per_second: u32,
    /// Calls that are booked for it, one after the other at the lane's rate.
    pub calls: u32,
    /// When the first of them may begin, from the answer on.
    pub first_call: Duration,
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
