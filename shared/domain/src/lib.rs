//! What a purchase is: ids, money, personal data, the state machines of its tracks, and what a
//! worker may decide. No input or output, no clock, no async: everything here is a plain value.

mod ids;
mod money;
mod personal;

pub use ids::{ClaimToken, ClientId, LaneId, ProductId, PurchaseId};
pub use money::{Currency, Money, MoneyError};
pub use personal::{Private, looks_like_a_card_number, masked};
