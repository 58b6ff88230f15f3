//! A purchase as it is asked for: the body of Transact, of Reserve and Transact, and of the message
//! `purchase.requested` (contracts, section 1).

use chrono::{DateTime, Utc};
use fleet_domain::{Currency, FraudDetails, FundingType, Money, Scenario};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::identifier::{ACCOUNT, IDENTIFIER};
use crate::plain::PLAIN;
use crate::{number, object, strict};

/// The most bytes that a request or a message may have.
pub const BODY_BYTES_MAX: usize = 65_536;
/// What only messages have at the top.
pub(crate) const NOT_OVER_HTTP: [&str; 7] =
    ["v", "scenario", "fundingSource", "deliver", "notify", "notifyEmail", "fraud"];

/// The fields of a purchase. Unknown ones are ignored; integers may be numeric strings.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "purchase.requested, version 1")]
pub struct PurchaseBody {
    /// The version of the message; absent means 1. HTTP requests carry none.
    #[serde(default, deserialize_with = "number::optional")]
    #[schemars(schema_with = "number::optional_schema")]
    pub v: Option<i64>,
    /// `client_reserved` or `we_reserve`; only in messages, HTTP tells it by the path.
    #[schemars(extend("enum" = ["client_reserved", "we_reserve", null]))]
    pub scenario: Option<String>,
    /// The client.
    #[serde(deserialize_with = "number::required")]
    #[schemars(schema_with = "number::schema")]
    pub client_id: i64,
    /// The client's unique reference: the identity of the purchase.
    #[schemars(length(min = 1, max = 64), regex(pattern = PLAIN))]
    pub client_txn_ref: String,
    /// What is bought.
    #[serde(deserialize_with = "number::required")]
    #[schemars(schema_with = "number::schema")]
    pub product_id: i64,
    /// Minor units, without the fee; at most 12 digits.
    #[serde(deserialize_with = "number::required")]
    #[schemars(schema_with = "number::amount_schema")]
    pub purchase_amount: i64,
    /// Minor units; absent means the product's fee.
    #[serde(default, deserialize_with = "number::optional")]
    #[schemars(schema_with = "number::optional_schema")]
    pub fee_amount: Option<i64>,
    /// ISO 4217.
    #[schemars(regex(pattern = "^[A-Z]{3}$"))]
    pub currency_code: String,
    /// 1 POS, 2 Internet, 3 Mobile, 4 ATM, 6 SMS, 7 USSD, 8 `WhatsApp`; any other is refused, but in a
    /// retry of what was taken before.
    #[serde(deserialize_with = "number::required")]
    #[schemars(schema_with = "number::channel_schema")]
    pub channel_id: i64,
    /// ≤ 64 characters.
    #[schemars(length(max = 64), regex(pattern = PLAIN))]
    pub channel_name: Option<String>,
    /// ≤ 64 characters.
    #[schemars(length(max = 64), regex(pattern = PLAIN))]
    pub channel_session_id: Option<String>,
    /// The buyer, usually an MSISDN, which is the same with `+`, with `00` and bare; another name stays
    /// as it is.
    #[schemars(length(min = 1, max = 32), regex(pattern = IDENTIFIER))]
    pub source_identifier: String,
    /// The recipient, meter or account. Of a product for phones an MSISDN as above; an account's name
    /// stays as it is.
    #[schemars(length(min = 1, max = 32), regex(pattern = ACCOUNT))]
    pub target_identifier: String,
    /// ≤ 64 characters.
    #[schemars(length(max = 64), regex(pattern = PLAIN))]
    pub account_identifier: Option<String>,
    /// ≤ 64 characters.
    #[schemars(length(max = 64), regex(pattern = PLAIN))]
    pub auth_code: Option<String>,
    /// The reservation that the client already holds.
    #[schemars(length(max = 64), regex(pattern = PLAIN))]
    pub reserve_funds_txn_ref: Option<String>,
    /// RFC 3339; other forms of ISO 8601 are read too.
    #[schemars(length(max = 64), extend("format" = "date-time"))]
    pub timestamp: Option<String>,
    /// The funding source's name; absent means the client's configured one.
    pub funding_source_id: Option<TextOrNumber>,
    /// The funding source, in messages.
    #[serde(default, deserialize_with = "object::optional")]
    #[schemars(schema_with = "object::schema::<FundingSource>")]
    pub funding_source: Option<FundingSource>,
    /// Channels of the result besides the configured ones.
    #[serde(default)]
    #[schemars(
        length(max = 8),
        extend("items" = { "type": "string", "enum": ["transact_result", "ipn", "card_get"] })
    )]
    pub deliver: Option<Vec<String>>,
    /// Channels of messages to buyer and recipient: `sms`, `email`, which needs `notifyEmail`.
    #[serde(default)]
    #[schemars(
        length(max = 8),
        extend("items" = { "type": "string", "enum": ["sms", "email"] })
    )]
    pub notify: Option<Vec<String>>,
    /// Where the e-mail goes, of success (with the voucher) as of failure.
    #[schemars(length(min = 5, max = 254), extend("format" = "email"))]
    pub notify_email: Option<String>,
    /// What the fraud desk needs.
    #[serde(default, deserialize_with = "object::optional")]
    #[schemars(schema_with = "object::schema::<FraudBlock>")]
    pub fraud: Option<FraudBlock>,
    /// Over HTTP: `fundingSource`, `deliver`, `notify`, `notifyEmail` and `fraud` sit in here.
    #[serde(default, deserialize_with = "object::optional")]
    #[schemars(schema_with = "object::schema::<serde_json::Map<String, serde_json::Value>>")]
    pub additional_data: Option<serde_json::Map<String, serde_json::Value>>,
    /// How the buyer pays, where the path tells it: never told by a body.
    #[serde(skip)]
    pub paid_by: Option<FundingType>,
}

impl std::fmt::Debug for PurchaseBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PurchaseBody")
            .field("client_id", &self.client_id)
            .field("product_id", &self.product_id)
            .finish_non_exhaustive()
    }
}

/// A name that some clients send as a number.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum TextOrNumber {
    /// A name.
    Text(String),
    /// A number.
    Number(i64),
}

impl TextOrNumber {
    /// As text.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
        }
    }
}

/// Which funding source pays.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FundingSource {
    /// `client`, `bank`, `mo_charge` or `card_sale`.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["client", "bank", "mo_charge", "card_sale"]))]
    pub funding_type: String,
    /// The connector's name; absent means the client's configured one.
    pub name: Option<String>,
}

/// The `fraud` block (contracts, section 4).
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the document's own")]
pub struct FraudBlock {
    #[schemars(length(max = 512), regex(pattern = PLAIN))]
    pub token: Option<String>,
    pub token_created_at: Option<DateTime<Utc>>,
    #[schemars(length(max = 64), regex(pattern = PLAIN))]
    pub user_ip: Option<String>,
    #[schemars(length(max = 1024), regex(pattern = PLAIN))]
    pub user_agent: Option<String>,
    #[schemars(length(max = 64), regex(pattern = PLAIN))]
    pub validate_timestamp: Option<String>,
    #[schemars(length(max = 64), regex(pattern = PLAIN))]
    pub price_point: Option<String>,
    #[schemars(length(max = 64), regex(pattern = PLAIN))]
    pub billing_frequency: Option<String>,
    #[schemars(length(max = 64), regex(pattern = PLAIN))]
    pub shortcode: Option<String>,
    #[schemars(length(max = 128), regex(pattern = PLAIN))]
    pub external_user_id: Option<String>,
    #[schemars(length(max = 128), regex(pattern = PLAIN))]
    pub external_product_id: Option<String>,
}

impl std::fmt::Debug for FraudBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FraudBlock([private])")
    }
}

impl From<FraudBlock> for FraudDetails {
    fn from(block: FraudBlock) -> Self {
        Self {
            desk: None,
            token: block.token,
            token_created_at: block.token_created_at,
            user_ip: block.user_ip,
            user_agent: block.user_agent,
            validate_timestamp: block.validate_timestamp,
            price_point: block.price_point,
            billing_frequency: block.billing_frequency,
            shortcode: block.shortcode,
            external_user_id: block.external_user_id,
            external_product_id: block.external_product_id,
        }
    }
}

/// What is wrong with a field that holds card data.
const CARD_NUMBER: &str = "looks like a card number, which is not allowed";

/// Why a body is no purchase: the code, the field, and what to do about it. Never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Rejection {
    /// A code of the contract.
    pub code: &'static str,
    /// The field in the sender's own spelling, if it is one field.
    pub field: Option<String>,
    /// For people.
    pub message: String,
    /// The minor units that the message ends with, if it does: some documents speak of major units.
    pub minor_units: Option<i64>,
}

impl Rejection {
    /// A malformed field (`4000`).
    #[must_use]
    pub fn field(field: &str, problem: &str) -> Self {
        Self {
            code: crate::codes::BAD_FORMAT,
            field: Some(field.to_owned()),
            message: format!("{field} {problem}"),
            minor_units: None,
        }
    }

    /// An amount beyond what is allowed: `problem` ends where the limit stands.
    #[must_use]
    pub fn amount(code: &'static str, field: &str, problem: &str, minor_units: i64) -> Self {
        let told = Self::code(code, field, &format!("{problem} {minor_units}"));
        Self { minor_units: Some(minor_units), ..told }
    }

    /// The same where a document speaks of major units.
    #[must_use]
    pub fn in_major_units(mut self, currency: Currency) -> Self {
        let Some(minor) = self.minor_units.take() else { return self };
        if let Some(begin) = self.message.strip_suffix(&minor.to_string()) {
            self.message = format!("{begin}{}", Money::new(minor, currency).for_people());
        }
        self
    }

    /// A card number where none may be. Whoever keeps what it stood in keeps that without its content.
    #[must_use]
    pub fn card(field: &str) -> Self {
        Self::field(field, CARD_NUMBER)
    }

    /// Whether what was refused holds card data.
    #[must_use]
    pub fn is_of_a_card(&self) -> bool {
        self.message.ends_with(CARD_NUMBER)
    }

    /// Another code.
    #[must_use]
    pub fn code(code: &'static str, field: &str, problem: &str) -> Self {
        Self { code, ..Self::field(field, problem) }
    }
}

impl PurchaseBody {
    /// The version that a message says it has, readable or not otherwise: a later version may look
    /// different in everything else.
    #[must_use]
    pub fn version_of(body: &[u8]) -> Option<i64> {
        #[derive(Deserialize)]
        struct Version {
            #[serde(default, deserialize_with = "number::optional")]
            v: Option<i64>,
        }
        serde_json::from_slice::<Version>(body).ok()?.v
    }

    /// Reads a message's body of at most [`BODY_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// [`Rejection`] with `4000` that names the field and never repeats a value.
    pub fn from_bytes(body: &[u8]) -> Result<Self, Rejection> {
        read(&[], body)
    }

    /// Reads a body of at most [`BODY_BYTES_MAX`] bytes that came over HTTP, where the extras sit in
    /// `additionalData` and a message's own fields are unknown ones.
    ///
    /// # Errors
    /// As [`Self::from_bytes`].
    pub fn from_http(body: &[u8]) -> Result<Self, Rejection> {
        read::<Self>(&NOT_OVER_HTTP, body)?.extras_from_additional_data()
    }

    /// Takes the extras out of `additionalData`; [`Rejection`] names the field inside it.
    fn extras_from_additional_data(mut self) -> Result<Self, Rejection> {
        let data = self.additional_data.take().unwrap_or_default();
        let extras: Result<Extras, _> =
            serde_path_to_error::deserialize(serde_json::Value::Object(data));
        let extras = extras.map_err(|error| {
            Rejection::field(&format!("additionalData.{}", error.path()), "has the wrong type")
        })?;
        self.funding_source = extras.funding_source;
        self.deliver = extras.deliver;
        self.notify = extras.notify;
        self.notify_email = extras.notify_email;
        self.fraud = extras.fraud;
        Ok(self)
    }

    /// The funding type that the body names.
    ///
    /// # Errors
    /// [`Rejection`] for a word that is none.
    pub fn funding_type(&self, scenario: Scenario) -> Result<FundingType, Rejection> {
        if let Some(paid_by) = self.paid_by {
            return Ok(paid_by);
        }
        match (&self.funding_source, scenario) {
            (None, Scenario::ClientReserved) => Ok(FundingType::Client),
            (None, Scenario::WeReserve) => Ok(FundingType::Bank),
            (Some(source), _) => FundingType::from_name(&source.funding_type)
                .filter(|funding| *funding != FundingType::CardPayment)
                .ok_or_else(|| {
                    let problem = "must be one of client, bank, mo_charge, card_sale";
                    Rejection::field("fundingSource.type", problem)
                }),
        }
    }
}

/// Reads a JSON object of at most [`BODY_BYTES_MAX`] bytes.
///
/// # Errors
/// [`Rejection`] with `4000` that names the field and never repeats a value.
pub fn read_body<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Rejection> {
    read(&[], body)
}

/// The same as if it had no fields of these names.
fn read<T: serde::de::DeserializeOwned>(
    names: &'static [&'static str],
    body: &[u8],
) -> Result<T, Rejection> {
    if body.len() > BODY_BYTES_MAX {
        return Err(Rejection::field("body", "is longer than 65536 bytes"));
    }
    strict::check(body)?;
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut deserializer, &mut track);
    let parsed = object::without(names, tracked)
        .map_err(|e| unreadable(&serde_path_to_error::Error::new(track.path(), e)))?;
    deserializer.end().map_err(|_error| Rejection::field("body", "has text after its end"))?;
    Ok(parsed)
}

/// What `additionalData` holds for us.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Extras {
    #[serde(default, deserialize_with = "object::optional")]
    funding_source: Option<FundingSource>,
    deliver: Option<Vec<String>>,
    notify: Option<Vec<String>>,
    notify_email: Option<String>,
    #[serde(default, deserialize_with = "object::optional")]
    fraud: Option<FraudBlock>,
}

/// Says what is wrong with a document without repeating any of it: serde's own text would quote
/// values.
fn unreadable(error: &serde_path_to_error::Error<serde_json::Error>) -> Rejection {
    let path = error.path().to_string();
    let cause = error.inner();
    if !cause.is_data() {
        let at = format!("line {}, column {}", cause.line(), cause.column());
        let text = if cause.to_string().starts_with("recursion limit") {
            format!("is nested too deeply ({at})")
        } else {
            format!("is not well-formed JSON ({at})")
        };
        return Rejection::field("body", &text);
    }
    let text = cause.to_string();
    for (start, problem) in
        [("missing field `", "is missing"), ("duplicate field `", "stands there twice")]
    {
        if let Some(name) = text.strip_prefix(start).and_then(|rest| rest.split('`').next()) {
            let parent = if path == "." { String::new() } else { format!("{path}.") };
            return Rejection::field(&format!("{parent}{name}"), problem);
        }
    }
    let field = if path == "." { "body" } else { path.as_str() };
    if text.starts_with("unknown field `") {
        return Rejection::field(field, "has an unknown field");
    }
    Rejection::field(field, "has the wrong type")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(change: impl Fn(&mut serde_json::Value)) -> Result<PurchaseBody, Rejection> {
        let mut value: serde_json::Value = serde_json::from_str(include_str!(
            "../../../schemas/messages/purchase.requested/v1.example.json"
        ))
        .unwrap();
        change(&mut value);
        PurchaseBody::from_bytes(&serde_json::to_vec(&value).unwrap())
    }

    #[test]
    fn integers_may_be_numeric_strings() {
        let read = body(|v| v["purchaseAmount"] = "1500".into()).unwrap();
        assert_eq!(read.purchase_amount, 1500);
    }

    #[test]
    fn an_error_names_the_field_and_never_its_value() {
        let secret = "4111111111111111x";
        let error = body(|v| v["purchaseAmount"] = secret.into()).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("purchaseAmount"));
        assert!(!error.message.contains("4111"), "{error}");
        let error = body(|v| v["fraud"]["token"] = 7.into()).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("fraud.token"));
        let error = body(|v| drop(v.as_object_mut().unwrap().remove("clientTxnRef"))).unwrap_err();
        assert_eq!(error.to_string(), "clientTxnRef is missing");
    }

    #[test]
    fn hostile_documents_are_refused_and_nothing_crashes() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(60_000), "");
        let twice = r#"{"clientId":1,"clientId":2}"#;
        for text in ["", "[]", "\u{feff}{}", "{", "nul", deep.as_str(), twice, "{} {}"] {
            let error = PurchaseBody::from_bytes(text.as_bytes()).unwrap_err();
            assert_eq!(error.code, crate::codes::BAD_FORMAT, "{error}");
        }
        // All fields in their order, as an array.
        let order = r#"[1,"we_reserve",1001,"a",101,1500,null,"ZAR",7,null,null,"1","1"]"#;
        let error = PurchaseBody::from_bytes(order.as_bytes()).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("body"));
        let error = body(|v| v["fraud"] = serde_json::json!(["a"])).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("fraud"));
        assert!(PurchaseBody::from_bytes(b"\xff\xfe").is_err());
        assert!(PurchaseBody::from_bytes(&vec![b' '; BODY_BYTES_MAX + 1]).is_err());
        assert_eq!(
            PurchaseBody::from_bytes(twice.as_bytes()).unwrap_err().field.as_deref(),
            Some("clientId")
        );
    }

    #[test]
    fn over_http_the_extras_sit_in_additional_data_and_nowhere_else() {
        let read = |extras: serde_json::Value| {
            let text = include_str!("../../../schemas/messages/purchase.requested/v1.example.json");
            let mut value: serde_json::Value = serde_json::from_str(text).unwrap();
            for name in NOT_OVER_HTTP {
                value[name] = serde_json::json!([7]);
            }
            value["additionalData"] = extras;
            PurchaseBody::from_http(&serde_json::to_vec(&value).unwrap())
        };
        let body = read(serde_json::json!({ "deliver": ["ipn"], "other": 1 })).unwrap();
        assert_eq!(body.deliver, Some(vec!["ipn".to_owned()]));
        assert!(body.fraud.is_none(), "top-level extras are not read over HTTP");
        for (extras, field) in [
            (serde_json::json!({ "fraud": { "token": 1 } }), "additionalData.fraud.token"),
            (serde_json::json!({ "fundingSource": ["bank"] }), "additionalData.fundingSource"),
        ] {
            let error = read(extras).unwrap_err();
            assert_eq!(error.field.as_deref(), Some(field));
        }
    }
}
