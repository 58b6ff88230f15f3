//! MO SMS charge (contracts, section 3): the request, the notification, the check.

use fleet_domain::{MoAccount, Money, Order, Private, kept};
use schemars::JsonSchema;
use serde_json::json;

use super::{Differs, MO_CHARGED, MO_FACT, NOTIFICATION_BYTES_MAX, alike, compare, is_amount};
use crate::told::{FromTold, Told, Unreadable};
use crate::{REFERENCE_CHARS_MAX, Rejection, plain};

/// The query of `POST {base}/v2.2/mo/charge`; our reference is the correlator, and the account is the
/// one of the order's product.
#[must_use]
pub fn charge_query(order: &Order, mo: &MoAccount) -> Vec<(&'static str, String)> {
    vec![
        ("msisdn", order.source.expose().to_owned()),
        ("campaign", mo.campaign.clone()),
        ("merchant", mo.merchant.clone()),
        ("amount", order.reserved().to_string()),
        ("currency", order.currency.code().to_owned()),
        ("correlator", order.id.to_string()),
        ("description", mo.description.clone()),
    ]
}

/// The query of `POST {base}/external/v1/merchant/check_transaction`.
#[must_use]
pub fn check_query(mo: &MoAccount, transaction_id: &str) -> Vec<(&'static str, String)> {
    vec![("merchant", mo.merchant.clone()), ("transaction_id", transaction_id.to_owned())]
}

/// What a charge is answered: `true` means that the SMS was sent, and nothing more.
#[derive(Debug, Clone, Copy)]
pub struct ChargeReply {
    /// Whether the SMS was sent.
    pub success: bool,
}

impl FromTold for ChargeReply {
    fn from_told(told: &Told) -> Result<Self, Unreadable> {
        Ok(Self { success: told.yes_or_no("success")? })
    }
}

/// What a notification says happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoStatus {
    /// The buyer was charged, to be confirmed by a check.
    Charged,
    /// The PIN had been used: without a charge before it, no proof of anything.
    PinUsed,
    /// Not charged.
    PinExpired,
    /// A reply of nobody known.
    PinNotFound,
    /// The charge failed, in the operator's own word.
    Failed,
    /// Neither of these: a word of success that the document does not have.
    Unclear,
}

/// A notification to us, POST JSON.
#[derive(Clone)]
pub struct MoNotification {
    /// What happened.
    pub status: MoStatus,
    /// The word for it, ≤ 64 characters.
    pub word: String,
    /// Our reference; `PIN_NOT_FOUND` has none.
    pub correlator: String,
    /// The operator's reference of a charge; errors have none.
    pub transaction_id: String,
    /// What the buyer sent instead of a PIN of ours.
    pub pin: Private,
    /// The operator's time, as it came.
    pub timestamp: String,
    /// Whose charge it is.
    pub merchant: String,
    /// The service.
    pub campaign: String,
    /// `production` or `test`.
    pub environment: String,
    /// Whom it names.
    pub msisdn: Private,
    /// ISO 4217; errors have none.
    pub currency: String,
    amount: Option<String>,
}

impl std::fmt::Debug for MoNotification {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MoNotification").field("status", &self.status).finish_non_exhaustive()
    }
}

/// The body of a notification. Unknown fields are ignored.
#[derive(JsonSchema)]
#[schemars(
    title = "MO charge notification, version 1",
    extend("oneOf" = [{ "required": ["success"] }, { "required": ["error"] }])
)]
#[expect(missing_debug_implementations, dead_code, reason = "it is the document's schema only")]
pub struct MoNotificationBody {
    /// The buyer was charged.
    #[schemars(with = "MoCharge")]
    #[serde(default)]
    success: Option<MoCharge>,
    /// The buyer was not charged by this reply.
    #[schemars(with = "MoCharge")]
    #[serde(default)]
    error: Option<MoCharge>,
}

/// A word that is there.
const FILLED: &str = "^[ -~]*[A-Za-z0-9][ -~]*$";
/// Any text that is more than blanks and control characters, which are taken out.
const SHOWN: &str = "[^\\s\\x00-\\x1f\\x7f-\\x9f]";

/// What is told.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it is the document's schema only")]
struct MoCharge {
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["mo_charge"]))]
    kind: String,
    #[schemars(regex(pattern = FILLED))]
    merchant: String,
    #[serde(default)]
    campaign: String,
    /// `production` or `test`.
    #[serde(default)]
    environment: String,
    #[schemars(regex(pattern = FILLED))]
    msisdn: String,
    /// ISO 4217; not among the errors.
    #[serde(default)]
    currency: String,
    /// Major units, as text or number; not among the errors.
    #[serde(default)]
    #[schemars(extend("type" = ["string", "number", "null"]))]
    amount: serde_json::Value,
    /// The charge's; `PIN_NOT_FOUND` has none.
    correlator: Option<String>,
    transaction: MoTransaction,
}

/// What happened to it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it is the document's schema only")]
struct MoTransaction {
    /// `CHARGED`, `PIN_USED`, `PIN_EXPIRED`, `PIN_NOT_FOUND`, or the operator's word for why not.
    #[schemars(regex(pattern = SHOWN))]
    status: String,
    /// RFC 3339.
    #[serde(default)]
    timestamp: String,
    /// The operator's reference; `CHARGED` needs it.
    transaction_id: Option<String>,
    /// What the buyer sent; only of `PIN_NOT_FOUND`.
    pin: Option<String>,
}

impl MoNotification {
    /// Reads a body; unknown fields are ignored. A charge may be told in any of the account's words for
    /// one (without an account, the usual ones), and is one in the document's word from here on.
    ///
    /// # Errors
    /// [`Rejection`] that names the field and never repeats a value.
    pub fn from_bytes(body: &[u8], mo: Option<&MoAccount>) -> Result<Self, Rejection> {
        if body.len() > NOTIFICATION_BYTES_MAX {
            return Err(Rejection::field("body", "is longer than 16384 bytes"));
        }
        let document = Told::from_bytes(body)?;
        let (told, is_success) = match (document.object("success")?, document.object("error")?) {
            (Some(told), None) => (told, true),
            (None, Some(told)) => (told, false),
            (None, None) | (Some(_), Some(_)) => {
                return Err(Rejection::field("body", "must have one of success and error"));
            }
        };
        if told.required("type")? != MO_FACT {
            return Err(Rejection::field("type", "must be mo_charge"));
        }
        let transaction = told.object("transaction")?;
        let transaction =
            transaction.ok_or_else(|| Rejection::field("transaction", "is missing"))?;
        let word = plain(&transaction.required("status")?, REFERENCE_CHARS_MAX);
        let one = |told: &Told, name: &str| -> Result<String, Unreadable> {
            Ok(plain(&told.identifier(name)?.unwrap_or_default(), REFERENCE_CHARS_MAX))
        };
        let transaction_id = one(&transaction, "transaction_id")?;
        let (status, word) = status(is_success, word, mo);
        if status == MoStatus::Charged && transaction_id.is_empty() {
            let problem = "is missing, and without it nothing can be confirmed";
            return Err(Rejection::field("transaction.transaction_id", problem));
        }
        Ok(Self {
            status,
            word,
            correlator: one(&told, "correlator")?,
            transaction_id,
            pin: Private::new(transaction.words("pin")),
            timestamp: plain(&transaction.words("timestamp"), REFERENCE_CHARS_MAX),
            merchant: told.required_identifier("merchant")?,
            campaign: told.words("campaign"),
            environment: told.words("environment"),
            msisdn: Private::new(kept(&told.required_identifier("msisdn")?)),
            amount: told.major("amount")?,
            currency: told.words("currency"),
        })
    }

    /// The amount in major units, as it was told; errors have none.
    #[must_use]
    pub fn amount(&self) -> Option<String> {
        self.amount.clone()
    }

    /// Whether it tells of a charge of this money; `None` when it tells of none.
    #[must_use]
    pub fn charges(&self, money: Money) -> Option<bool> {
        let tells = matches!(self.status, MoStatus::Charged | MoStatus::Unclear);
        let same =
            || self.currency == money.currency.code() && is_amount(self.amount.as_deref(), money);
        tells.then(same)
    }

    /// What it tells besides the words that its fact is found by. Without a correlator nothing but its
    /// time tells it from another buyer's reply of the same content.
    #[must_use]
    pub fn meaning(&self) -> Private {
        let time = if self.correlator.is_empty() { self.timestamp.as_str() } else { "" };
        let told = json!([
            self.merchant,
            self.campaign,
            self.environment,
            self.msisdn.expose(),
            self.currency,
            alike(self.amount.as_deref()),
            self.pin.expose(),
            time,
        ]);
        Private::new(told.to_string())
    }

    /// Whether it speaks of the charge that this order asked for. Errors carry no amount.
    ///
    /// # Errors
    /// [`Differs`] with the first field that is not as it was asked for.
    pub fn is_about(&self, order: &Order, mo: &MoAccount) -> Result<(), Differs> {
        let with_amount = matches!(self.status, MoStatus::Charged | MoStatus::Unclear);
        let money = order.reserved();
        compare(&[
            ("correlator", self.correlator == order.id.to_string()),
            ("merchant", self.merchant == mo.merchant),
            ("campaign", self.campaign == mo.campaign),
            ("environment", self.environment == mo.environment),
            ("msisdn", self.msisdn == order.source),
            ("currency", !with_amount || self.currency == money.currency.code()),
            ("amount", !with_amount || is_amount(self.amount.as_deref(), money)),
        ])
    }
}

fn status(is_success: bool, word: String, mo: Option<&MoAccount>) -> (MoStatus, String) {
    let is_charge = mo.map_or_else(|| MoAccount::usually_accepts(&word), |mo| mo.accepts(&word));
    let status = match (is_success, word.as_str()) {
        (true, _) if is_charge => return (MoStatus::Charged, MO_CHARGED.to_owned()),
        // A success of another kind, or a charge among the errors.
        (true, _) => return (MoStatus::Unclear, format!("success:{word}")),
        (false, _) if is_charge => return (MoStatus::Unclear, format!("error:{word}")),
        (false, "PIN_USED") => MoStatus::PinUsed,
        (false, "PIN_EXPIRED") => MoStatus::PinExpired,
        (false, "PIN_NOT_FOUND") => MoStatus::PinNotFound,
        (false, _) => MoStatus::Failed,
    };
    (status, word)
}

/// What the operator says of a transaction when it is asked.
#[derive(Clone)]
pub struct ChargeCheck {
    campaign: String,
    merchant: String,
    msisdn: String,
    status: String,
    amount: Option<String>,
    currency: String,
    environment: String,
}

impl FromTold for ChargeCheck {
    fn from_told(told: &Told) -> Result<Self, Unreadable> {
        let text = |name: &str| -> Result<String, Unreadable> {
            Ok(told.identifier(name)?.unwrap_or_default())
        };
        Ok(Self {
            campaign: text("campaign")?,
            merchant: text("merchant")?,
            msisdn: kept(&text("msisdn")?),
            status: text("status")?,
            amount: told.major("amount")?,
            currency: text("currency")?,
            environment: text("environment")?,
        })
    }
}

impl std::fmt::Debug for ChargeCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChargeCheck([private])")
    }
}

/// What an operator's answer says of a charge that was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// The buyer was charged what this order asked for.
    Charged,
    /// It is this order's, and the buyer was not charged: in this word of its own.
    NotCharged(String),
    /// It vouches for nothing, for this reason.
    Open(String),
}

impl ChargeCheck {
    /// What it says of this order. A word that the account does not list says nothing; a refusal has
    /// to name whose charge it is, since an error may be one of the question.
    #[must_use]
    pub fn of(&self, order: &Order, mo: &MoAccount) -> Checked {
        let refuses = mo.refuses(&self.status);
        if !refuses && !mo.accepts(&self.status) {
            return Checked::Open(format!(
                "its status{} is none of the words",
                quoted(&self.status)
            ));
        }
        let money = order.reserved();
        let same = compare(&[
            ("merchant", self.merchant == mo.merchant),
            ("campaign", self.campaign == mo.campaign),
            ("msisdn", self.msisdn == order.source.expose()),
            // Of a charge that failed nothing need be told of the money.
            (
                "amount",
                is_amount(self.amount.as_deref(), money) || refuses && self.amount.is_none(),
            ),
            (
                "currency",
                self.currency == money.currency.code() || refuses && self.currency.is_empty(),
            ),
            ("environment", self.environment == mo.environment),
        ]);
        match same {
            Err(differs) => Checked::Open(format!("its {differs}")),
            Ok(()) if refuses => Checked::NotCharged(self.status.clone()),
            Ok(()) => Checked::Charged,
        }
    }
}

/// A word of others as it may stand in the journal; nothing of what is no plain word.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '-' | ' ');
    if word.is_empty() || word.len() > 32 || !word.chars().all(is_plain) {
        return String::new();
    }
    format!(" {word}")
}
