//! Tasks: one unit of unfinished work each, keyed by purchase, kind and slot.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{ClaimToken, LaneId, PurchaseId};

/// What a task does. The number is what Postgres and job messages carry; it never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// Reserve the buyer's funds at the funding source.
    Reserve,
    /// Have the supplier dispense.
    Dispense,
    /// Capture or cancel the reservation.
    Settle,
    /// Give charged money back.
    Refund,
    /// Tell the client one result.
    Deliver,
    /// Send a message to buyer or recipient.
    Notify,
    /// Report the outcome to the fraud desk.
    Report,
    /// A late or contrary fact that a person must look at.
    Case,
    /// Ask the fraud desk about the purchase's token before any charge.
    Validate,
}

impl TaskKind {
    /// Every kind, in the order of its code.
    pub const ALL: [Self; 9] = [
        Self::Reserve,
        Self::Dispense,
        Self::Settle,
        Self::Refund,
        Self::Deliver,
        Self::Notify,
        Self::Report,
        Self::Case,
        Self::Validate,
    ];

    /// The number in tables and job messages.
    #[must_use]
    pub const fn code(self) -> i16 {
        match self {
            Self::Reserve => 1,
            Self::Dispense => 2,
            Self::Settle => 3,
            Self::Refund => 4,
            Self::Deliver => 5,
            Self::Notify => 6,
            Self::Report => 7,
            Self::Case => 8,
            Self::Validate => 9,
        }
    }

    /// The kind of a number, if it is one.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The word in metrics, logs and commands.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reserve => "reserve",
            Self::Dispense => "dispense",
            Self::Settle => "settle",
            Self::Refund => "refund",
            Self::Deliver => "deliver",
            Self::Notify => "notify",
            Self::Report => "report",
            Self::Case => "case",
            Self::Validate => "validate",
        }
    }
}

impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The key of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskKey {
    /// The purchase it works for.
    pub purchase: PurchaseId,
    /// What it does.
    pub kind: TaskKind,
    /// 0, or the number of the delivery row.
    pub slot: i32,
}

impl fmt::Display for TaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.purchase, self.kind, self.slot)
    }
}

/// Where a task stands. Finished tasks have no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// To be claimed by whoever reads its hint.
    Queued,
    /// Claimed; its lease says until when.
    Running,
    /// Waits for its due time or for a fact.
    Waiting,
    /// Waits for a person.
    Parked,
}

impl TaskState {
    /// Every state, in the order of its code.
    pub const ALL: [Self; 4] = [Self::Queued, Self::Running, Self::Waiting, Self::Parked];

    /// The number in the table.
    #[must_use]
    pub const fn code(self) -> i16 {
        match self {
            Self::Queued => 1,
            Self::Running => 2,
            Self::Waiting => 3,
            Self::Parked => 4,
        }
    }

    /// The state of a number, if it is one.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// The word in commands and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Parked => "parked",
        }
    }
}

/// Whose fault it is that a task stands in front of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParkClass {
    /// The client's data or endpoint.
    ClientFault,
    /// The supplier's, bank's or desk's answer.
    SupplierFault,
    /// A row that we cannot read or write.
    OurFault,
    /// Nobody can tell whether the effect happened.
    UnknownOutcome,
    /// It took its process down again and again.
    Poison,
    /// Money was taken and nothing given.
    OwedToBuyer,
}

impl ParkClass {
    /// Every class.
    pub const ALL: [Self; 6] = [
        Self::ClientFault,
        Self::SupplierFault,
        Self::OurFault,
        Self::UnknownOutcome,
        Self::Poison,
        Self::OwedToBuyer,
    ];

    /// The word in tables, commands and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientFault => "client_fault",
            Self::SupplierFault => "supplier_fault",
            Self::OurFault => "our_fault",
            Self::UnknownOutcome => "unknown_outcome",
            Self::Poison => "poison",
            Self::OwedToBuyer => "owed_to_buyer",
        }
    }
}

/// One task that a worker asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimAsk {
    /// Which task.
    pub key: TaskKey,
    /// The lane whose permit the worker holds.
    pub lane: LaneId,
    /// The fence made for this claim.
    pub token: ClaimToken,
    /// How long the claim holds: the longest call of its lane + 10 s.
    pub lease: Duration,
    /// Nobody may be asked now: it is claimed only if it may end without that.
    pub only_ends: bool,
}

/// What a claim found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimVerdict<J> {
    /// Ours; nothing of it has ever left unanswered: a call may be made.
    Started(J),
    /// Ours; an earlier attempt may have left: look up, never call.
    Resumed(J),
    /// Ours, but past `start_by`: only look-ups may leave.
    Expired(J),
    /// Somebody else's lease is running.
    Busy,
    /// It waits for its due time.
    NotDue,
    /// It waits for a person.
    Parked,
    /// It is finished, or never was.
    Gone,
    /// It belongs to another lane; nothing was changed.
    OtherLane(LaneId),
    /// It would have to ask somebody, and nobody may be asked now; nothing was changed.
    Held,
    /// Its row is locked by another transaction; ask again in the next group.
    Locked,
    /// Ours, but its row cannot be decoded or unsealed: to be parked as our fault.
    Unreadable(String),
}

impl<J> ClaimVerdict<J> {
    /// The word in metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Started(_) => "started",
            Self::Resumed(_) => "resumed",
            Self::Expired(_) => "expired",
            Self::Busy => "busy",
            Self::NotDue => "not_due",
            Self::Parked => "parked",
            Self::Gone => "gone",
            Self::OtherLane(_) => "other_lane",
            Self::Held => "held",
            Self::Locked => "locked",
            Self::Unreadable(_) => "unreadable",
        }
    }
}

/// The counters and times of a claimed task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedTask {
    /// Which task.
    pub key: TaskKey,
    /// Its lane.
    pub lane: LaneId,
    /// The fence of this claim.
    pub token: ClaimToken,
    /// Claims since the last commit, this one included: more than 1 means a crash.
    pub claims: i32,
    /// Finished calls so far: the index into the plan.
    pub tries: i32,
    /// The number of the outside reference (vend number).
    pub ref_no: i32,
    /// The latest instant at which an earlier, unanswered attempt may have left.
    pub former_sent_until: Option<DateTime<Utc>>,
    /// Facts that had arrived when it was claimed.
    pub signals: i32,
    /// No new attempt may leave after this.
    pub start_by: Option<DateTime<Utc>>,
    /// The end of its plan.
    pub deadline_at: Option<DateTime<Utc>>,
    /// The database's time of the claim.
    pub now: DateTime<Utc>,
    /// How this claim's exchange went in time; the engine writes it before it asks for a decision.
    pub exchange: ExchangeTimes,
}

/// When a claim's exchange happened, by the database's clock and never earlier than it did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExchangeTimes {
    /// When the first byte left; `None` while none has.
    pub sent_at: Option<DateTime<Utc>>,
    /// When it ended, with an answer or without.
    pub ended_at: Option<DateTime<Utc>>,
}

/// What happens to `sent_until` with a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SentUntil {
    /// A definite answer: nothing is out any more.
    Clear,
    /// The attempt of this claim may be out. It has ended, so the commit's own time is the latest at
    /// which it may have left; a claim that never commits counts until its lease ends.
    Keep,
    /// Nothing left in this claim: what was out before it still is.
    Restore(Option<DateTime<Utc>>),
}

/// What became of one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommitVerdict {
    /// Written.
    Done,
    /// This token had committed before (an unknown commit run again).
    Already,
    /// A fact arrived in between: the answer was kept as a fact, the task is queued at once.
    FactFirst,
    /// The fence failed: the answer was kept as a fact for whoever holds the task now.
    Late,
    /// The fence failed and the task is finished: compared with the track, kept as a fact or case.
    LateGone,
}

impl CommitVerdict {
    /// The word in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Already => "already",
            Self::FactFirst => "fact_first",
            Self::Late => "late",
            Self::LateGone => "late_gone",
        }
    }
}
