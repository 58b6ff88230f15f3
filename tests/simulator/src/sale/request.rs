//! What is asked of a card gateway.

use std::sync::Arc;

use serde::Deserialize;

use crate::bank::is_currency;
use crate::purchase::{Fingerprint, fingerprint};
use crate::sale::signature::{agrees, sign};
use crate::settings::luhn_sum;

/// The body of a sale.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SaleRequest {
    pub(crate) consumer: Consumer,
    pub(crate) session: Session,
    pub(crate) transaction: Asked,
    source_of_funds: SourceOfFunds,
}

/// Who pays, and with which device.
#[derive(Clone, Deserialize)]
pub(crate) struct Consumer {
    device: Device,
    #[serde(default)]
    pub(crate) email: Option<String>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Device {
    serial_number: String,
}

/// What the fleet gave to the app.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    pub(crate) access_token: String,
    pub(crate) nonce: String,
    pub(crate) signature: String,
}

/// How much.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Asked {
    pub(crate) amount_centis: i64,
    pub(crate) currency: String,
}

#[derive(Clone, Deserialize)]
struct SourceOfFunds {
    card: Option<Card>,
    reference: Option<Reference>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Card {
    number: String,
    holder: Holder,
    expiry: Expiry,
    security_code: String,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Holder {
    first_name: String,
    last_name: String,
}

#[derive(Clone, Deserialize)]
struct Expiry {
    month: String,
    year: String,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    client_card_id: String,
    security_code: String,
}

impl SaleRequest {
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let source = match (&self.source_of_funds.card, &self.source_of_funds.reference) {
            (Some(card), None) => card.problem(),
            (None, Some(reference)) => reference.problem(),
            (Some(_), Some(_)) | (None, None) => Some("sourceOfFunds has either card or reference"),
        };
        let Session { access_token, nonce, signature } = &self.session;
        let checks = [
            ((1..=50).contains(&self.serial().len()), "serialNumber must have 1 to 50 characters"),
            (
                (32..=128).contains(&access_token.len()),
                "accessToken must have 32 to 128 characters",
            ),
            (!nonce.is_empty() && !signature.is_empty(), "nonce or signature is missing"),
            (self.transaction.amount_centis > 0, "amountCentis must be positive"),
            (is_currency(&self.transaction.currency), "currency must be three capitals"),
        ];
        checks.into_iter().find(|(holds, _)| !holds).map(|(_, problem)| problem).or(source)
    }

    pub(crate) fn serial(&self) -> &str {
        &self.consumer.device.serial_number
    }

    /// On a repeat: by which reference the app knows the card.
    pub(crate) fn client_card(&self) -> Option<&str> {
        self.source_of_funds.reference.as_ref().map(|reference| &*reference.client_card_id)
    }

    /// Whether the session's signature is the fleet's.
    pub(crate) fn is_signed(&self, control_key: &str, endpoint: &str, invoice: &str) -> bool {
        let Session { access_token, nonce, signature } = &self.session;
        let Asked { amount_centis, currency } = &self.transaction;
        let amount = amount_centis.to_string();
        let texts = [access_token, self.serial(), endpoint, nonce, invoice, &amount, currency];
        agrees(signature, &sign(control_key, &texts))
    }

    pub(crate) fn print(&self) -> Fingerprint {
        let Session { nonce, .. } = &self.session;
        let Asked { amount_centis, currency } = &self.transaction;
        let amount = amount_centis.to_string();
        fingerprint([self.serial(), nonce, &amount, currency].join("\n").as_bytes())
    }

    /// What is kept of a card; its number is not.
    pub(crate) fn new_card(&self) -> Option<NewCard> {
        let number = &self.source_of_funds.card.as_ref()?.number;
        Some(NewCard {
            bin: Arc::from(number.get(..6)?),
            unique: Arc::from(hex::encode(fingerprint(number.as_bytes()).get(..16)?)),
            email: self.consumer.email.as_deref().map(Arc::from),
        })
    }
}

/// A card as it is told to the fleet.
#[derive(Clone)]
pub(crate) struct NewCard {
    pub(crate) bin: Arc<str>,
    pub(crate) unique: Arc<str>,
    pub(crate) email: Option<Arc<str>>,
}

impl Card {
    fn problem(&self) -> Option<&'static str> {
        let is_number = (13..=19).contains(&self.number.len()) && is_digits(&self.number);
        let Expiry { month, year } = &self.expiry;
        let is_month = month.parse().is_ok_and(|month: u8| (1..=12).contains(&month));
        let is_held = !self.holder.first_name.is_empty() && !self.holder.last_name.is_empty();
        let checks = [
            (is_number && luhn_sum(&self.number).is_multiple_of(10), "number is no card's"),
            (is_month && year.len() == 4 && is_digits(year), "expiry must be a month and a year"),
            (is_held, "holder must have two names"),
            (is_code(&self.security_code), "securityCode must have 3 or 4 digits"),
        ];
        checks.into_iter().find(|(holds, _)| !holds).map(|(_, problem)| problem)
    }
}

impl Reference {
    fn problem(&self) -> Option<&'static str> {
        let checks = [
            (!self.client_card_id.is_empty(), "clientCardId is missing"),
            (is_code(&self.security_code), "securityCode must have 3 or 4 digits"),
        ];
        checks.into_iter().find(|(holds, _)| !holds).map(|(_, problem)| problem)
    }
}

fn is_code(text: &str) -> bool {
    (3..=4).contains(&text.len()) && is_digits(text)
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The body of a status request.
#[derive(Deserialize)]
pub(crate) struct StatusRequest {
    pub(crate) session: StatusSession,
}

/// Opens one sale's status.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StatusSession {
    pub(crate) access_token: String,
    pub(crate) token: String,
}
