//! Clients, products, connectors, lanes and plans: read as one snapshot, written by imports.

mod check;
mod difference;
mod import;
mod load;
mod rows;

pub use import::{ImportError, ImportMode, ImportReport};
pub use rows::{
    ClientRow, ConnectorRow, DeskRow, DirectoryImport, IpnRow, PlanRow, ProductRow, ReasonRow,
    SourceRow,
};
