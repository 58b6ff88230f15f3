//! Sources that take the money once the buyer agrees, and tell so without a signature: an operator's
//! SMS charge and a card payment's page.

mod card;
mod mo;

use fleet_domain::Money;
use serde_json::Value;

pub(crate) use card::order_info;
pub use card::{
    CardCompletion, CardPayment, CardPaymentUrl, CardTransaction, PAYMENT_PAGE_BYTES_MAX,
    payment_page,
};
pub use mo::{
    ChargeCheck, ChargeReply, MoNotification, MoNotificationBody, MoStatus, charge_query,
    check_query,
};

/// The most bytes of a notification: far more than a document's.
pub const NOTIFICATION_BYTES_MAX: usize = 16_384;

/// What a notification or an answer says of a payment that is not the one that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field} differs")]
pub struct Differs {
    /// The field in the sender's spelling.
    pub field: &'static str,
}

/// The first field that is not as it was asked for.
fn compare(fields: &[(&'static str, bool)]) -> Result<(), Differs> {
    let other = fields.iter().find(|(_, same)| !same);
    other.map_or(Ok(()), |(field, _)| Err(Differs { field }))
}

/// Whether an amount of major units, as text or number, is this money.
fn is_amount(sent: &Value, money: Money) -> bool {
    let text = match sent {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return false,
    };
    Money::from_major(&text, money.currency) == Ok(money)
}
