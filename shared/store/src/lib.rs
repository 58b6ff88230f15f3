//! Postgres, the truth of the fleet: purchases, tasks, facts, the books and the directory.
//!
//! It runs statements and seals what is personal; it decides nothing about a purchase. What a task
//! may become is decided in the database's functions (`schemas/database`), one round trip each,
//! under the fence of the claim. It never hands out an open transaction.

mod directory;
mod error;
mod operations;
mod pool;
mod purchases;
mod schema;
mod seal;
mod tasks;
mod verify;

pub use directory::{
    ClientRow, ConnectorRow, DeskRow, DirectoryImport, ImportError, ImportMode, ImportReport,
    IpnRow, PlanRow, ProductRow, ReasonRow, SourceRow,
};
pub use error::StoreError;
pub use operations::{
    BacklogRow, Count, DeadLetterFilter, DeadLetterRow, DeadLetterState, DeadLetterView,
    DeliveryFilter, DeliveryRow, DeliveryView, FactView, FailingEndpoint, FleetSummary, HoldWatch,
    JournalView, LedgerView, MoneyRow, NewDeadLetter, ParkedCause, ParkedFilter, ParkedTask,
    PurchaseCount, PurchaseView, Recorded, ReportView, Resend, StageTime, TaskView, TokenView,
    Transaction, TransactionHold,
};
pub use pool::{Store, StoreSettings};
pub use purchases::{Accepted, NewPurchase, Reference, StatementOf, Stored};
pub use schema::schema_fingerprint;
pub use seal::{Keyring, SealError};
pub use tasks::CommitOutcome;
pub use verify::{Holds, Invariant, Violation, invariants};
