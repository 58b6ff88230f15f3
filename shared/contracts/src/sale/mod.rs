//! Mobile device sale (contracts, section 5). The app talks to the card gateway itself: no card number
//! has a field here, and none of these bodies is ever logged.
#![expect(
    missing_debug_implementations,
    missing_docs,
    reason = "the bodies are private, and the names are the document's own"
)]

mod signature;
mod told;

use fleet_domain::{Money, Private};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::charge::alike;
use crate::plain::PLAIN;
use crate::{TextOrNumber, number, object, openapi::TransactBody};

pub use signature::{ControlKey, Signed, same_signature};

/// Characters of an access token and of a nonce.
pub const SESSION_CHARACTERS: usize = 64;
/// The word of facts about a sale.
pub const SALE_FACT: &str = "card_sale";
/// Such a fact's status once a sale was checked; its body is a [`StatusRequest`]. What the card gateway
/// tells has a colon in its status.
pub const SALE_CHECKED: &str = "checked";
/// Such a fact's status once a card was told of a sale that is not known to be paid: a reason to ask.
pub const SALE_MAPPED: &str = "mapped";
/// What a callback calls a sale that was not made.
pub const SALE_NOT_MADE: [&str; 3] = ["sale:declined", "sale:filtered", "sale:error"];

/// The app's device.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    #[schemars(length(min = 1, max = 50), regex(pattern = PLAIN))]
    pub serial_number: String,
}

/// Whose app it is.
#[derive(Clone, Deserialize, JsonSchema)]
pub struct SaleConsumer {
    pub device: Device,
}

/// What is paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SaleTransaction {
    /// Minor units.
    #[serde(deserialize_with = "number::required")]
    #[schemars(schema_with = "number::amount_schema")]
    pub amount_centis: i64,
    /// ISO 4217.
    #[schemars(regex(pattern = "^[A-Z]{3}$"))]
    pub currency: String,
}

/// A session, as far as the app has it.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppSession {
    /// Made by `POST /consumers/{id}/access-tokens`.
    #[schemars(length(min = 32, max = 128), regex(pattern = PLAIN))]
    pub access_token: String,
}

/// Initiate sale, from the app. `imei`, `ipAddresses` and `location` are not kept.
#[derive(Clone, Deserialize, JsonSchema)]
#[schemars(title = "Initiate sale, version 1")]
pub struct InitiateSale {
    pub consumer: SaleConsumer,
    pub transaction: SaleTransaction,
    pub session: AppSession,
}

/// What the app begins its sale with.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Initiate sale's reply, version 1")]
pub struct InitiateReply {
    /// The endpoint at the card gateway.
    pub endpoint_id: String,
    /// Our `raasTxnRef`.
    pub invoice_id: String,
    /// The one-time session.
    pub session: InitiatedSession,
}

/// The one-time session of a sale.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct InitiatedSession {
    pub nonce: String,
    pub signature: String,
}

/// A session, as the card gateway has it.
#[derive(Clone, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckSession {
    #[schemars(length(min = 1))]
    pub access_token: String,
    #[schemars(length(min = 1))]
    pub nonce: String,
    #[schemars(length(min = 1))]
    pub signature: String,
    #[schemars(length(min = 1, max = 128), regex(pattern = PLAIN))]
    pub token: String,
}

/// A card by its references.
#[derive(Clone, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CardReference {
    #[schemars(length(min = 1))]
    pub client_card_id: String,
}

/// Which card pays.
#[derive(Clone, JsonSchema)]
pub struct SourceOfFunds {
    #[serde(default)]
    #[schemars(schema_with = "object::schema::<CardReference>")]
    pub reference: Option<CardReference>,
}

/// Check sale, from the card gateway.
#[derive(Clone, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Check sale, version 1")]
pub struct CheckSale {
    pub consumer: SaleConsumer,
    pub session: CheckSession,
    #[serde(default)]
    #[schemars(schema_with = "object::schema::<SourceOfFunds>")]
    pub source_of_funds: Option<SourceOfFunds>,
}

impl CheckSale {
    /// The card of a repeat sale.
    #[must_use]
    pub fn client_card_id(&self) -> Option<&str> {
        let reference = self.source_of_funds.as_ref()?.reference.as_ref()?;
        Some(reference.client_card_id.as_str())
    }
}

/// What we stand by.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Check sale's reply, version 1")]
pub struct CheckReply {
    pub invoice_id: String,
    pub session: CheckedSession,
    pub transaction: SaleTransaction,
    /// Only of a repeat sale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_of_funds: Option<CheckedFunds>,
    /// Only where the card's mapping was made with an e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer: Option<CheckedConsumer>,
}

/// The session, signed.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckedSession {
    pub check_signature: String,
    pub nonce: String,
    pub token: String,
}

/// The card at the gateway.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct CheckedFunds {
    pub reference: CheckedReference,
}

/// Its reference.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckedReference {
    pub server_card_id: String,
}

/// The consumer, as the mapping was made.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct CheckedConsumer {
    pub email: String,
}

/// A card mapping notification, from the card gateway.
#[derive(Clone, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Card mapping, version 1")]
pub struct CardMapping {
    pub consumer: SaleConsumer,
    pub session: MappingSession,
    pub source_card: SourceCard,
}

/// The session that it belongs to.
#[derive(Clone, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MappingSession {
    #[schemars(length(min = 1))]
    pub access_token: String,
    #[schemars(length(min = 1))]
    pub token: String,
}

/// The card, by what may be known of it.
#[derive(Clone, JsonSchema)]
pub struct SourceCard {
    /// The first digits: whose card it is, not which.
    #[serde(default)]
    #[schemars(regex(pattern = "^[0-9]{0,8}$"))]
    pub bin: String,
    /// The gateway's references.
    pub reference: MappedReference,
}

/// The gateway's references of a card.
#[derive(Clone, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MappedReference {
    #[schemars(length(min = 1, max = 128), regex(pattern = PLAIN))]
    pub server_card_id: String,
    #[serde(default)]
    pub unique_reference_card_id: String,
}

/// That the mapping is kept.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Card mapping's reply, version 1")]
pub struct MappingReply {
    pub invoice_id: String,
    pub session: CheckedSession,
}

/// What the card gateway says of a sale when it is asked.
#[derive(Clone)]
pub struct SaleStatus {
    pub state: String,
    pub order_id: Option<TextOrNumber>,
    pub transaction: Option<SaleTransaction>,
    pub error_code: Option<TextOrNumber>,
}

/// The session of a status request.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusSession {
    /// The app's.
    pub access_token: String,
    /// The card gateway's.
    pub token: String,
}

/// A status request to the card gateway; kept as a fact once a sale was checked.
#[derive(Clone, Serialize, Deserialize)]
pub struct StatusRequest {
    /// The session.
    pub session: StatusSession,
}

/// How a request of a sale fails.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SaleError {
    /// Why.
    pub error: SaleErrorDetail,
    /// Of which sale, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice_id: Option<String>,
}

/// Why a request of a sale fails.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SaleErrorDetail {
    /// `FILTERED`, `INVALID_REQUEST`, `SERVER_FAILED` or `SERVER_UNAVAILABLE`.
    pub cause: String,
    /// The HTTP status.
    pub code: String,
    /// For people; names the field, never a value.
    pub message: String,
}

/// What a client's server asks an access token for: one purchase of one consumer, which its app pays.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Access token request, version 1")]
pub struct AccessTokenRequest {
    /// The purchase, as Reserve and Transact has it; `fundingSourceId` names the card gateway.
    #[schemars(with = "TransactBody")]
    pub purchase: serde_json::Map<String, serde_json::Value>,
    /// The consumer's e-mail address, if the client has one; cards that were kept with another one
    /// are not used any more.
    #[schemars(length(max = 254), regex(pattern = "^[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+$"))]
    pub email: Option<String>,
}

/// The access token for the app.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Access token reply, version 1")]
pub struct AccessTokenReply {
    /// 64 random characters.
    pub access_token: String,
    /// No sale may be initiated after this.
    pub expires_at: chrono::DateTime<chrono::Utc>,
}

/// A consumer's cards.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Cards, version 1")]
pub struct CardsReply {
    /// Those that may pay again, the newest first; at most 100.
    pub cards: Vec<KeptCard>,
}

/// A card that may pay again.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeptCard {
    /// `sourceOfFunds.reference.clientCardId` of a repeat sale.
    pub client_card_id: String,
    /// Its first digits, then dots.
    pub masked: String,
    /// Since when.
    pub created_at: chrono::DateTime<chrono::Utc>,
}

impl KeptCard {
    /// What is shown of a card: at most six digits.
    #[must_use]
    pub fn masked(bin: &str) -> String {
        let digits: String = bin.chars().filter(char::is_ascii_digit).take(6).collect();
        format!("{digits}…")
    }
}

/// The callback's parameters.
#[derive(Debug, Clone)]
pub struct SaleCallback {
    /// `sale`, `reversal` or `chargeback`.
    pub kind: String,
    /// `approved`, `declined`, `filtered`, `error`, `processing`, `unknown`, …
    pub status: String,
    /// The gateway's order.
    pub order_id: String,
    /// Our invoice.
    pub client_order_id: String,
    /// Major units.
    pub amount: String,
    /// What proves it.
    pub control: Private,
}

impl SaleCallback {
    /// Whether it tells this amount.
    #[must_use]
    pub fn is_of(&self, money: Money) -> bool {
        Money::from_major(&self.amount, money.currency) == Ok(money)
    }

    /// What it tells besides the words that its fact is found by.
    #[must_use]
    pub fn meaning(&self) -> Private {
        Private::new(alike(Some(&self.amount)))
    }

    /// The status of its fact.
    #[must_use]
    pub fn word(&self) -> String {
        format!("{}:{}", self.kind, self.status)
    }

    /// Reads a callback's query.
    ///
    /// # Errors
    /// [`crate::Rejection`] that names the parameter.
    pub fn from_query(query: &str) -> Result<Self, crate::Rejection> {
        let one = |name: &str, needed: bool| {
            let mut found =
                url::form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
            let text = found.next().map(|(_, text)| text.into_owned()).unwrap_or_default();
            if found.next().is_some() {
                return Err(crate::Rejection::field(name, "stands there twice"));
            }
            if text.chars().count() > 128 || text.chars().any(char::is_control) {
                return Err(crate::Rejection::field(name, "is no plain text of 128 characters"));
            }
            if needed && text.is_empty() {
                return Err(crate::Rejection::field(name, "is missing"));
            }
            Ok(text)
        };
        let kind = one("type", false)?;
        Ok(Self {
            kind: if kind.is_empty() { "sale".to_owned() } else { kind },
            status: one("status", true)?,
            order_id: one("orderid", true)?,
            client_order_id: one("client_orderid", true)?,
            amount: one("amount", false)?,
            control: Private::new(one("control", true)?),
        })
    }

    /// Whether it comes from whoever knows the key.
    #[must_use]
    pub fn is_signed(&self, key: &ControlKey) -> bool {
        let ours = key.control(&self.status, &self.order_id, &self.client_order_id);
        same_signature(self.control.expose(), &ours)
    }
}
