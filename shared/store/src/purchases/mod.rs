//! Purchases: taken in, looked up, read.

mod accept;
mod find;
mod row;

pub use accept::{Accepted, NewPurchase, Stored};
pub use find::Reference;
pub(crate) use row::read_purchase;
