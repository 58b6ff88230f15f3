//! Reading what the card gateway tells and answers.

use super::{
    CardMapping, CardReference, CheckSale, CheckSession, Device, MappedReference, MappingSession,
    SaleConsumer, SaleStatus, SaleTransaction, SourceCard, SourceOfFunds,
};
use crate::told::{FromTold, Told, Unreadable, read_told, text_of};
use crate::{Rejection, TextOrNumber, strict};

impl CheckSale {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Rejection`] that names the field and never repeats a value.
    pub fn from_bytes(body: &[u8]) -> Result<Self, Rejection> {
        read(body)
    }
}

impl CardMapping {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Rejection`] that names the field and never repeats a value.
    pub fn from_bytes(body: &[u8]) -> Result<Self, Rejection> {
        read(body)
    }
}

/// As leniently as is safe; a key twice and a card's data are refused all the same.
fn read<T: FromTold>(body: &[u8]) -> Result<T, Rejection> {
    strict::check(text_of(body).as_bytes())?;
    Ok(read_told(body)?)
}

impl FromTold for CheckSale {
    fn from_told(told: &Told) -> Result<Self, Unreadable> {
        let session = told.required_object("session")?;
        let funds = told.object("sourceOfFunds")?;
        let reference = funds.as_ref().map(|funds| funds.object("reference")).transpose()?;
        // An optional object that is empty is as if absent.
        let reference = reference.flatten().filter(|of| of.names().next().is_some());
        let reference = reference.map(|reference| {
            Ok(CardReference { client_card_id: reference.required("clientCardId")? })
        });
        let reference = reference.transpose()?;
        Ok(Self {
            consumer: consumer(told)?,
            session: CheckSession {
                access_token: session.required("accessToken")?,
                nonce: session.required("nonce")?,
                signature: session.required("signature")?,
                token: session.required("token")?,
            },
            source_of_funds: funds.map(|_funds| SourceOfFunds { reference }),
        })
    }
}

impl FromTold for CardMapping {
    fn from_told(told: &Told) -> Result<Self, Unreadable> {
        let session = told.required_object("session")?;
        let card = told.required_object("sourceCard")?;
        let reference = card.required_object("reference")?;
        Ok(Self {
            consumer: consumer(told)?,
            session: MappingSession {
                access_token: session.required("accessToken")?,
                token: session.required("token")?,
            },
            source_card: SourceCard {
                bin: card.text("bin")?.unwrap_or_default(),
                reference: MappedReference {
                    server_card_id: reference.required("serverCardId")?,
                    unique_reference_card_id: reference.words("uniqueReferenceCardId"),
                },
            },
        })
    }
}

fn consumer(told: &Told) -> Result<SaleConsumer, Unreadable> {
    let device = told.required_object("consumer")?.required_object("device")?;
    Ok(SaleConsumer { device: Device { serial_number: device.required("serialNumber")? } })
}

impl FromTold for SaleStatus {
    fn from_told(told: &Told) -> Result<Self, Unreadable> {
        let transaction = match told.object("transaction") {
            Ok(Some(transaction)) => of(&transaction)?,
            Ok(None) | Err(_) => None,
        };
        Ok(Self {
            state: told.text("state")?.unwrap_or_default(),
            order_id: told.identifier("orderId")?.map(TextOrNumber::Text),
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
