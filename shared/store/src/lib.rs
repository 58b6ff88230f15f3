//! Postgres, the truth of the fleet: purchases, tasks, facts, the books and the directory.
//!
//! It runs statements and seals what is personal; it decides nothing about a purchase. What a task
//! may become is decided in the database's functions (`schemas/database`), one round trip each,
//! under the fence of the claim. It never hands out an open transaction.

mod connections;
mod directory;
mod error;
mod fitness;
mod hosts;
mod notifications;
mod operations;
mod pool;
mod purchases;
mod sales;
mod schema;
mod seal;
mod tasks;
mod verify;

pub use directory::{
    By, CallerRulesRow, CallersRow, ClientRow, ConnectorRow, CountryRow, DeskRow, DirectoryImport,
    HistoryFilter, HistoryRow, ImportError, ImportMode, ImportReport, IpnRow, KeyOutcome,
    Maintenance, NotifyRow, OperatorRow, PlanRow, PortedRow, PrefixRow, ProductRow, ReasonRow,
    RowProblem, SourceRow, TemplateRow, TermsRow, exported,
};
pub use error::StoreError;
pub use notifications::Notified;
pub use operations::{
    AtRisk, BacklogRow, Candidate, CandidateAsk, Count, Covers, DeadLetterFilter, DeadLetterRow,
    DeadLetterState, DeadLetterView, DeliveryFilter, DeliveryRow, DeliveryView, Discarded,
    FactDecision, FactMatch, FactView, FailingEndpoint, FleetSummary, HiddenView, HoldWatch,
    JournalView, LaneUse, LedgerView, LetterDecision, LetterOutcome, Matched, MoneyRow, NewCase,
    NewDeadLetter, NewReplay, ParkedCause, ParkedFilter, ParkedTask, ParkedTotals, PurchaseCount,
    PurchaseView, REPLAY_LETTERS_MAX, Recorded, ReplayEnd, ReplayLetter, ReplayView, Replayable,
    ReportView, Resend, StageTime, TaskView, TokenView, Transaction, TransactionHold,
    UnfinishedRow, Unfit, UnmatchedFact, UnmatchedFilter, WaitsFor,
};
pub use pool::{Store, StoreSettings, check_database_url};
pub use purchases::{
    Accepted, Earlier, NewPurchase, OfBuyer, OpenStep, PaymentPage, Reference, Similar,
    StatementOf, Stored,
};
pub use sales::{Access, CardKept, ConsumerCard, DeviceSale, NewAccess, SaleSession};
pub use schema::schema_fingerprint;
pub use seal::{Keyring, SealError};
pub use tasks::CommitOutcome;
pub use verify::{Holds, Invariant, Violation, invariants};
