//! Card payment (contracts, section 2): the same shapes towards our clients and towards the page where
//! the buyer pays. No field anywhere holds a card.

use fleet_domain::{
    ClientId, Currency, FundingType, Money, Order, Private, PurchaseStatus, holds_a_card_number,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CARD_NOT_PAID, CARD_PAID, Differs, compare, is_amount};
use crate::told::{FromTold, Told, Unreadable};
use crate::{PURCHASE_AMOUNT_MAX, PurchaseBody, REFERENCE_CHARS_MAX, Rejection, plain};

/// The most bytes of a page's URL.
pub const PAYMENT_PAGE_BYTES_MAX: usize = 2_048;
/// `channelId` of the Internet.
const INTERNET: i64 = 2;
/// Characters of a message that are kept.
const MESSAGE_CHARS_MAX: usize = 256;
/// What a completion says of itself.
const CARD_PAYMENT: &str = "cardpayment";

/// What a payment URL is asked for with.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Card payment, version 1")]
pub struct CardPayment {
    /// The account.
    #[schemars(length(min = 1, max = 64))]
    pub account_id: String,
    /// Major units: `2`, `2.50`.
    #[schemars(regex(pattern = "^[0-9]{1,12}(\\.[0-9]{1,4})?$"))]
    pub amount: String,
    /// The caller's reference, unique for the account.
    #[schemars(length(min = 1, max = 64), regex(pattern = crate::plain::PLAIN))]
    pub order_info: String,
    /// ISO 4217.
    #[schemars(regex(pattern = "^[A-Z]{3}$"))]
    pub currency: String,
}

impl CardPayment {
    /// What the source is asked for: our reference is the `order_info`.
    #[must_use]
    pub fn of(order: &Order, account: &str) -> Self {
        Self {
            account_id: account.to_owned(),
            amount: order.reserved().to_string(),
            order_info: order.id.to_string(),
            currency: order.currency.code().to_owned(),
        }
    }

    /// The amount.
    ///
    /// # Errors
    /// [`Rejection`] that names the field.
    pub fn money(&self) -> Result<Money, Rejection> {
        let currency = Currency::from_code(&self.currency)
            .map_err(|error| Rejection::field("currency", &error.to_string()))?;
        let money = Money::from_major(&self.amount, currency)
            .map_err(|error| Rejection::field("amount", &error.to_string()))?;
        if (1..=PURCHASE_AMOUNT_MAX).contains(&money.minor) {
            return Ok(money);
        }
        let [least, most] = [1, PURCHASE_AMOUNT_MAX].map(|minor| Money::new(minor, currency));
        let problem = format!("must be {} to {}", least.for_people(), most.for_people());
        Err(Rejection::field("amount", &problem))
    }
}

impl PurchaseBody {
    /// The purchase that a client's card payment is: the goods are the client's own, the buyer is
    /// nobody that we know. What is sold, and at whose page it is paid, the client's row tells: its
    /// content is what was sent.
    #[must_use]
    pub fn by_card(client: ClientId, payment: &CardPayment, money: Money) -> Self {
        Self {
            v: None,
            scenario: None,
            client_id: client.0,
            client_txn_ref: payment.order_info.clone(),
            product_id: 0,
            purchase_amount: money.minor,
            fee_amount: None,
            currency_code: payment.currency.clone(),
            channel_id: INTERNET,
            channel_name: None,
            channel_session_id: None,
            source_identifier: payment.account_id.clone(),
            target_identifier: payment.account_id.clone(),
            account_identifier: None,
            auth_code: None,
            reserve_funds_txn_ref: None,
            timestamp: None,
            funding_source_id: None,
            funding_source: None,
            deliver: None,
            notify: None,
            notify_email: None,
            fraud: None,
            additional_data: None,
            paid_by: Some(FundingType::CardPayment),
        }
    }
}

/// Where the buyer is sent to.
#[derive(Clone, Serialize, JsonSchema)]
#[schemars(title = "Card payment's reply, version 1")]
pub struct CardPaymentUrl {
    /// Where the buyer pays.
    pub payment_url: String,
}

impl std::fmt::Debug for CardPaymentUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CardPaymentUrl([private])")
    }
}

/// What a source answers that was asked for a page.
#[derive(Clone)]
pub enum CardPage {
    /// It is there.
    Made(CardPaymentUrl),
    /// It says that there is none.
    NotMade,
}

impl FromTold for CardPage {
    fn from_told(told: &Told) -> Result<Self, Unreadable> {
        match told.text("payment_url")? {
            Some(payment_url) => Ok(Self::Made(CardPaymentUrl { payment_url })),
            None if told.yes_or_no("success") == Ok(false) => Ok(Self::NotMade),
            None => told.required("payment_url").map(|_url| Self::NotMade),
        }
    }
}

impl std::fmt::Debug for CardPage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CardPage([private])")
    }
}

/// The page's URL, if it is one that a browser may be sent to.
#[must_use]
pub fn payment_page(url: &str) -> Option<Private> {
    let read = url::Url::parse(url).ok()?;
    let is_web = matches!(read.scheme(), "http" | "https") && read.has_host();
    let is_plain = url.bytes().all(|byte| byte.is_ascii_graphic());
    (is_web && is_plain && url.len() <= PAYMENT_PAGE_BYTES_MAX).then(|| Private::new(url))
}

/// How a card payment ended, as our client is told: the parameters of a GET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardCompletion {
    /// For people.
    pub message: String,
    /// The caller's reference.
    pub order_info: String,
    /// The transaction; only a success has one.
    pub transaction_id: Option<String>,
}

impl CardCompletion {
    /// What our client is told.
    #[must_use]
    pub fn of(order: &Order, is_success: bool) -> Self {
        Self {
            message: if is_success { "Transaction successful" } else { "Transaction failed" }
                .into(),
            order_info: order.client_txn_ref.clone(),
            transaction_id: is_success.then(|| order.id.to_string()),
        }
    }

    /// The word of `status`.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        if self.transaction_id.is_some() { CARD_PAID } else { CARD_NOT_PAID }
    }

    /// The query of the GET.
    #[must_use]
    pub fn query(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("type", CARD_PAYMENT);
        query.append_pair("status", self.status());
        query.append_pair("message", &self.message);
        query.append_pair("order_info", &self.order_info);
        if let Some(id) = &self.transaction_id {
            query.append_pair("transaction_id", id);
        }
        query.finish()
    }
}

/// How a card payment went on, as we are told: the parameters of a GET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardTold {
    /// What it says, in one word: [`CARD_PAID`], [`CARD_NOT_PAID`], or as it was told, with any other
    /// type before it.
    pub word: String,
    /// For people.
    pub message: String,
    /// Our reference.
    pub order_info: String,
    /// The transaction, where it names one that can be asked about; a payment that was not made is none.
    pub transaction_id: Option<String>,
}

impl CardTold {
    /// Reads it; values may stand in quotation marks. A success is one only together with a
    /// `transaction_id`: the document's unsuccessful block says `success` too. Any other status or type
    /// is kept as it was told.
    ///
    /// # Errors
    /// [`Rejection`] that names the parameter.
    pub fn from_query(query: &str) -> Result<Self, Rejection> {
        let one = |name: &str| {
            let mut found =
                url::form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
            let first = found.next().map(|(_, text)| text.into_owned());
            if found.next().is_some() {
                return Err(Rejection::field(name, "stands there twice"));
            }
            let text = first.unwrap_or_default();
            let text = text.trim().trim_matches('"');
            Ok(plain(text, MESSAGE_CHARS_MAX))
        };
        let order_info = one("order_info")?;
        if order_info.is_empty() || order_info.chars().count() > REFERENCE_CHARS_MAX {
            return Err(Rejection::field("order_info", "must have 1 to 64 characters"));
        }
        let transaction_id = one("transaction_id")?;
        // It becomes part of a path.
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if transaction_id.len() > REFERENCE_CHARS_MAX || !transaction_id.chars().all(is_word) {
            let problem = "must be at most 64 letters, digits, - or _";
            return Err(Rejection::field("transaction_id", problem));
        }
        let transaction_id = Some(transaction_id).filter(|id| !id.is_empty());
        let word = card_word(&one("type")?, &one("status")?, transaction_id.is_some());
        let transaction_id = transaction_id.filter(|_| word != CARD_NOT_PAID);
        Ok(Self { word, message: one("message")?, order_info, transaction_id })
    }
}

/// What a completion says in one word. The document's two words mean what they say in its own type
/// only.
fn card_word(kind: &str, status: &str, names_transaction: bool) -> String {
    let word = match (kind, status) {
        (CARD_PAYMENT, CARD_PAID) if names_transaction => CARD_PAID.to_owned(),
        (CARD_PAYMENT, CARD_PAID | CARD_NOT_PAID) => CARD_NOT_PAID.to_owned(),
        (CARD_PAYMENT, "") => "?".to_owned(),
        (CARD_PAYMENT, other) => plain(other, REFERENCE_CHARS_MAX),
        (kind, status) => plain(&format!("{kind}:{status}"), REFERENCE_CHARS_MAX),
    };
    // Anybody may have sent it, and operators are shown it.
    if holds_a_card_number(&word) { "?".to_owned() } else { word }
}

/// What the source's Transaction Query says of a payment.
#[derive(Clone)]
pub struct CardTransaction {
    account_id: String,
    transactionid: String,
    amount: Option<String>,
    order_info: Option<String>,
    /// How it stands.
    pub status: PurchaseStatus,
}

impl FromTold for CardTransaction {
    fn from_told(told: &Told) -> Result<Self, Unreadable> {
        let word = told.required("status")?;
        let problem = "is no status of a transaction";
        let status = serde_json::from_value(word.into())
            .map_err(|_error| Unreadable { field: "status".to_owned(), problem })?;
        Ok(Self {
            account_id: told.identifier("accountID")?.unwrap_or_default(),
            transactionid: told.identifier("transactionid")?.unwrap_or_default(),
            amount: told.major("amount")?,
            order_info: told.identifier("order_info")?,
            status,
        })
    }
}

impl std::fmt::Debug for CardTransaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CardTransaction").field("status", &self.status).finish_non_exhaustive()
    }
}

impl CardTransaction {
    /// Whether it is the payment that this order asked for.
    ///
    /// # Errors
    /// [`Differs`] with the first field that is not as it was asked for.
    pub fn is_of(&self, order: &Order, account: &str, transaction_id: &str) -> Result<(), Differs> {
        let named = self.order_info.as_ref();
        compare(&[
            ("transactionid", self.transactionid == transaction_id),
            ("accountID", self.account_id == account),
            ("amount", is_amount(self.amount.as_deref(), order.reserved())),
            ("order_info", named.is_none_or(|named| *named == order.id.to_string())),
        ])
    }
}
