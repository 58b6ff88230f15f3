//! Reading what the card gateway says of a sale.

use super::{SaleStatus, SaleTransaction};
use crate::TextOrNumber;
use crate::told::{FromTold, Told, Unreadable};

impl FromTold for SaleStatus {
    fn from_told(told: &Told) -> Result<Self, Unreadable> {
        let transaction = match told.object("transaction") {
            Ok(Some(transaction)) => of(&transaction)?,
            Ok(None) | Err(_) => None,
        };
        Ok(Self {
            state: told.text("state")?.unwrap_or_default(),
            order_id: told.text("orderId")?.map(TextOrNumber::Text),
            transaction,
            error_code: told.reference("errorCode").map(TextOrNumber::Text),
        })
    }
}

/// Its money, where that can be told.
fn of(transaction: &Told) -> Result<Option<SaleTransaction>, Unreadable> {
    let amount = transaction.minor("amountCentis").unwrap_or_default();
    let currency = transaction.text("currency")?;
    Ok(amount
        .zip(currency)
        .map(|(amount_centis, currency)| SaleTransaction { amount_centis, currency }))
}
