//! What operators look at and decide, and the upkeep of the database.

mod dead_letters;
mod deliveries;
mod holds;
mod parked;
mod replays;
mod show;
mod summary;
mod unmatched;
mod upkeep;

pub use dead_letters::{
    DeadLetterFilter, DeadLetterRow, DeadLetterState, DeadLetterView, NewDeadLetter,
};
pub use deliveries::{
    DeliveryFilter, DeliveryRow, FailingEndpoint, Resend, Transaction, TransactionHold,
};
pub use holds::{HoldWatch, NewCase};
pub use parked::{
    AtRisk, BacklogRow, ParkedFilter, ParkedTask, ParkedTotals, UnfinishedRow, WaitsFor,
};
pub use replays::{
    LetterDecision, LetterOutcome, NewReplay, REPLAY_LETTERS_MAX, ReplayEnd, ReplayLetter,
    ReplayView, Replayable, Unfit,
};
pub use show::{
    DeliveryView, FactView, HiddenView, JournalView, LaneUse, LedgerView, PurchaseView, ReportView,
    TaskView, TokenView,
};
pub use summary::{
    Count, Covers, FleetSummary, MoneyRow, ParkedCause, PurchaseCount, Recorded, StageTime,
};
pub use unmatched::{
    Candidate, CandidateAsk, Discarded, FactDecision, FactMatch, Matched, UnmatchedFact,
    UnmatchedFilter,
};
