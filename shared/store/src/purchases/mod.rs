//! Purchases: taken in, looked up, read.

mod accept;
mod find;
mod results;
mod row;

pub use accept::{Accepted, NewPurchase, Stored};
pub use find::Reference;
pub use results::StatementOf;
pub(crate) use row::read_purchase;
