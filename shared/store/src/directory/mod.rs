//! Clients, products, connectors, lanes and plans: read as one snapshot, written by imports.

mod across;
mod authenticate;
mod callers;
mod charges;
mod check;
mod connectors;
mod desks;
mod difference;
mod export;
mod history;
mod import;
mod keys;
mod load;
mod maintenance;
mod numbering;
mod products;
mod rows;
mod terms;
mod words;

pub use callers::{CallerRulesRow, CallersRow};
pub use check::RowProblem;
pub use export::exported;
pub use history::{HistoryFilter, HistoryRow};
pub use import::{By, ImportError, ImportMode, ImportReport};
pub use keys::KeyOutcome;
pub use maintenance::Maintenance;
pub use numbering::{CountryRow, OperatorRow, PortedRow, PrefixRow};
pub use rows::{
    ClientRow, ConnectorRow, DeskRow, DirectoryImport, IpnRow, NotifyRow, PlanRow, ProductRow,
    ReasonRow, SourceRow, TemplateRow,
};
pub use terms::TermsRow;
