//! What a worker decides after an exchange: plain data that one commit writes.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::{
    ClaimToken, DeliveryState, DispenseState, INVALID_TOKEN, LaneId, Money, ParkClass, Private,
    ReportState, ReserveState, SentUntil, SettleAs, SettleState, TaskKey, TaskKind,
};

/// What becomes of the task itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// It is done; its row goes.
    Finish,
    /// Queued at once (the same reference again, or a look-up).
    Now,
    /// It waits that long, from the commit on.
    Wait(Duration),
    /// It waits until this instant, whenever the commit comes.
    At(DateTime<Utc>),
    /// It waits for a person.
    Park {
        /// Whose fault.
        class: ParkClass,
        /// One line for the operator; no personal data.
        cause: String,
        /// Money at risk, for the case.
        at_risk: Option<Money>,
    },
}

/// What becomes of the index into the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tries {
    /// Nothing was tried (a busy token).
    Keep,
    /// One more exchange finished.
    Count,
    /// Another plan begins.
    Restart,
}

/// What a task writes on its own track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// The reserve track.
    Reserve {
        /// The new state.
        state: ReserveState,
        /// The funding source's code.
        code: Option<String>,
        /// Its reference.
        reservation: Option<String>,
        /// How long it holds the funds, from the commit on.
        hold: Option<Duration>,
        /// Where the buyer pays.
        page: Option<Private>,
    },
    /// The dispense track. `settle_as` is written here, once, by the commit that decides it.
    Dispense {
        /// The new state.
        state: DispenseState,
        /// The result's code.
        code: Option<String>,
        /// The supplier's own word, where its connector maps it to the code.
        supplier_code: Option<String>,
        /// The supplier's reference.
        supplier_ref: Option<String>,
        /// Minor units that were vended.
        vend_amount: Option<i64>,
        /// The voucher.
        voucher: Option<Private>,
        /// What becomes of the hold, once decided.
        settle_as: Option<SettleAs>,
    },
    /// The settle track.
    Settle {
        /// The new state.
        state: SettleState,
    },
    /// The delivery row of the task's slot.
    Deliver {
        /// The new state.
        state: DeliveryState,
        /// The HTTP status that came back, if one did.
        http_status: Option<i32>,
        /// When the first byte left in this claim; `None` when none did.
        sent_at: Option<DateTime<Utc>>,
    },
    /// The report row of the purchase.
    Report {
        /// The new state.
        state: ReportState,
        /// What was reported as `activation_successful`, if anything was.
        success: Option<bool>,
    },
    /// The reserve track before there is a reserve task, and what the desk said about the token.
    Validate {
        /// The new state.
        state: ReserveState,
        /// The code that the client is told, when the purchase ends here.
        code: Option<String>,
        /// The desk's answer, if there was one.
        verdict: Option<TokenVerdict>,
    },
}

/// What a fraud desk says about a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenVerdict {
    /// `is_valid`; a purchase on another token is not charged.
    pub is_valid: bool,
    /// The bits of `threat_code`.
    pub threat_code: i64,
    /// `threat_flags`, their names joined by `#!|`; ≤ 500 characters are kept.
    pub threat_flags: String,
}

impl TokenVerdict {
    /// What a purchase that ends by it is remembered by.
    #[must_use]
    pub const fn word(&self) -> Option<&'static str> {
        if self.is_valid { None } else { Some(INVALID_TOKEN) }
    }
}

impl Change {
    /// The reserve track in this state, and nothing more told.
    #[must_use]
    pub const fn reserve(state: ReserveState) -> Self {
        Self::Reserve { state, code: None, reservation: None, hold: None, page: None }
    }

    /// The dispense track in this state, and nothing more told.
    #[must_use]
    pub const fn dispense(state: DispenseState) -> Self {
        Self::Dispense {
            state,
            code: None,
            supplier_code: None,
            supplier_ref: None,
            vend_amount: None,
            voucher: None,
            settle_as: None,
        }
    }
}

/// A task that this decision makes. An existing one is left as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowUp {
    /// What it does.
    pub kind: TaskKind,
    /// 0, or the number of the delivery.
    pub slot: i32,
    /// Its lane.
    pub lane: LaneId,
    /// No new attempt may leave after this.
    pub start_by: Option<DateTime<Utc>>,
    /// The end of its plan.
    pub deadline_at: Option<DateTime<Utc>>,
}

/// A result that this decision freezes; its deliver task is among the follow-ups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// Its number within the purchase.
    pub slot: i32,
    /// The channel's name.
    pub channel: String,
    /// The exact bytes to send.
    pub body: Private,
}

/// One line of the books. Each step is written at most once per purchase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LedgerEntry {
    /// Funds are held (or were taken at once).
    Reserved,
    /// The hold became money.
    Captured,
    /// The hold was given free.
    Cancelled,
    /// The money stays: the goods are out.
    Kept,
    /// The money went back.
    Refunded,
    /// The money is owed to the buyer.
    Owed,
    /// What was owed went back after all.
    Repaid,
}

impl LedgerEntry {
    /// 1 the hold, 2 its resolution, 3 the money's end, 4 the end of what was owed: one entry of
    /// each at most, by primary key.
    #[must_use]
    pub const fn step(self) -> i16 {
        match self {
            Self::Reserved => 1,
            Self::Captured | Self::Cancelled => 2,
            Self::Kept | Self::Refunded | Self::Owed => 3,
            Self::Repaid => 4,
        }
    }

    /// The word in the books.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Captured => "captured",
            Self::Cancelled => "cancelled",
            Self::Kept => "kept",
            Self::Refunded => "refunded",
            Self::Owed => "owed",
            Self::Repaid => "repaid",
        }
    }
}

/// What a step decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What becomes of the task.
    pub next: Next,
    /// What becomes of its index into the plan.
    pub tries: Tries,
    /// True when the other side refused this very reference: the next call carries a new one.
    pub new_reference: bool,
    /// What is written on the task's own track.
    pub change: Change,
    /// The transaction that this exchange asked the source about, and that it did not confirm.
    pub asked: Option<String>,
    /// New tasks.
    pub follow_ups: Vec<FollowUp>,
    /// New results.
    pub deliveries: Vec<NewDelivery>,
    /// New lines of the books, all of the purchase's reserved amount.
    pub ledger: Vec<(LedgerEntry, Money)>,
    /// The journal's word for what happened (`dispensed`, `refused`, `answer_lost`, …).
    pub outcome: &'static str,
    /// What a person must look at although the task goes on or ends by itself: one case of this cause.
    pub case: Option<String>,
    /// The journal's detail: a code or a cause, never personal data; ≤ 500 characters.
    pub detail: String,
}

impl Decision {
    /// A decision that changes nothing but the task.
    #[must_use]
    pub fn only(next: Next, tries: Tries, outcome: &'static str) -> Self {
        Self {
            next,
            tries,
            new_reference: false,
            change: Change::None,
            asked: None,
            follow_ups: Vec::new(),
            deliveries: Vec::new(),
            ledger: Vec::new(),
            outcome,
            case: None,
            detail: String::new(),
        }
    }
}

/// A decision with the fence it is written under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Which task.
    pub key: TaskKey,
    /// The claim's fence.
    pub token: ClaimToken,
    /// The claim's count of facts: when it moved, no wait, failure or expiry is applied.
    pub signals: i32,
    /// What was learnt of an attempt that may be out.
    pub sent: SentUntil,
    /// True when the decision rests on a definite answer (done or refused by the other side); such
    /// an answer is applied even when a fact came in between.
    pub definite: bool,
    /// The answer in the form of a fact, for when the fence fails: (reference, status, sealed body).
    pub answer: Option<Answer>,
    /// What was decided.
    pub decision: Decision,
}

/// The answer of a call, kept as a fact (source `call`) when its commit comes too late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What kind of fact (`reserve`, `vend`, `settle`).
    pub kind: &'static str,
    /// The outside reference.
    pub reference: String,
    /// The code it told, or `unknown`.
    pub status: String,
    /// The document itself.
    pub body: Private,
}
