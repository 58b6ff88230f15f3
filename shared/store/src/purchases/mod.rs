//! Purchases: taken in, looked up, read.

mod accept;
mod buyer;
mod charges;
mod find;
mod results;
mod row;

pub use accept::{Accepted, Earlier, NewPurchase, Stored};
pub use buyer::{OfBuyer, Similar};
pub use charges::PaymentPage;
pub use find::{OpenStep, Reference};
pub use results::StatementOf;
pub(crate) use row::{read_purchase, read_purchase_partly};
