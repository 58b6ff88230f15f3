//! Customer Account Validation (contracts, section 1): what a client asks, what a supplier is asked,
//! and what is told of its answer. A supplier's words are cleaned before they go any further.

use std::collections::BTreeMap;

use fleet_domain::{holds_a_card_number, masked};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::identifier::{ACCOUNT, IDENTIFIER};
use crate::told::{FromTold, Told, Unreadable};
use crate::{codes, number, plain};

/// Entries of `customerInfo` and of `accountInfo` that are passed on.
const ENTRIES_MAX: usize = 32;
/// Characters of an entry's name; one with a longer name is left out.
const NAME_CHARS_MAX: usize = 64;
/// Characters of a text that are passed on.
const TEXT_CHARS_MAX: usize = 256;
/// Codes of the contract that a supplier may answer with; any other is told as `2090`.
const CODES: [&str; 16] = [
    codes::OK,
    codes::UNEXPECTED,
    codes::ABOVE_MAX,
    codes::BELOW_MIN,
    codes::INTERNAL_TIMEOUT,
    codes::SOURCE_BLACKLISTED,
    "2080",
    codes::UNKNOWN,
    codes::SUPPLIER_COULD_NOT,
    "2210",
    "2213",
    "2214",
    codes::VOLUMES_EXCEEDED,
    "2226",
    codes::TOO_MANY_TRANSACTIONS,
    codes::SERVICE_NOT_FOUND,
];

/// The body of the Customer Account Validation.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountValidation {
    /// The client.
    #[serde(deserialize_with = "number::required")]
    #[schemars(schema_with = "number::schema")]
    pub client_id: i64,
    /// Minor units, without the fee.
    #[serde(deserialize_with = "number::required")]
    #[schemars(schema_with = "number::amount_schema")]
    pub purchase_amount: i64,
    /// What is to be bought.
    #[serde(deserialize_with = "number::required")]
    #[schemars(schema_with = "number::schema")]
    pub product_id: i64,
    /// The account, meter or smart card, as it is; of a product for phones an MSISDN.
    #[schemars(length(min = 1, max = 32), regex(pattern = ACCOUNT))]
    pub target_identifier: String,
    /// The buyer; some suppliers find the account by it.
    #[schemars(length(min = 1, max = 32), regex(pattern = IDENTIFIER))]
    pub source_identifier: Option<String>,
}

impl std::fmt::Debug for AccountValidation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountValidation")
            .field("client_id", &self.client_id)
            .field("product_id", &self.product_id)
            .finish_non_exhaustive()
    }
}

/// What a supplier is asked (contracts, section 1, "Supplier interface").
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the contract's own")]
pub struct AccountQuery<'a> {
    pub product_id: i64,
    pub target_identifier: &'a str,
    pub amount: i64,
    pub currency_code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_identifier: Option<&'a str>,
}

impl std::fmt::Debug for AccountQuery<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountQuery").field("product_id", &self.product_id).finish_non_exhaustive()
    }
}

/// What a supplier answers, and what the client is told: the supplier's own code is mapped before.
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountReply {
    /// `0000`: the account is there. `4010`: the supplier has no such service.
    pub response_code: String,
    /// For people.
    #[serde(default)]
    pub response_message: String,
    /// Whose account it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_name: Option<String>,
    /// What else the supplier tells of the customer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub customer_info: BTreeMap<String, Value>,
    /// `amount`, `minimumAmount`, `arrears` in minor units, and what else the supplier tells.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub account_info: BTreeMap<String, Value>,
}

impl std::fmt::Debug for AccountReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountReply")
            .field("response_code", &self.response_code)
            .finish_non_exhaustive()
    }
}

impl AccountReply {
    /// An answer of our own.
    #[must_use]
    pub fn code(code: &str, message: &str) -> Self {
        Self {
            response_code: code.to_owned(),
            response_message: message.to_owned(),
            customer_name: None,
            customer_info: BTreeMap::new(),
            account_info: BTreeMap::new(),
        }
    }

    /// What the client is told of a supplier's answer, whose code means this in the contract's
    /// terms. Only of an account that is there anything else is told.
    #[must_use]
    pub fn told(self, code: &str) -> Self {
        let known = CODES.iter().find(|known| **known == code).copied();
        match known.unwrap_or(codes::UNKNOWN) {
            codes::OK => Self { response_code: codes::OK.to_owned(), ..self },
            other => Self::code(other, &self.response_message),
        }
    }
}

/// A text without control characters, cut, and hidden when it looks like a card number.
fn clean(text: &str) -> String {
    let text = plain(text, TEXT_CHARS_MAX);
    if holds_a_card_number(&text) { masked(&text) } else { text }
}

impl FromTold for AccountReply {
    fn from_told(told: &Told) -> Result<Self, Unreadable> {
        let name = told.scalar("customerName");
        let name = name.as_ref().and_then(Value::as_str).map(clean);
        Ok(Self {
            response_code: told.code("responseCode")?,
            response_message: clean(&told.words("responseMessage")),
            customer_name: name.filter(|name| !name.is_empty()),
            customer_info: entries(told, "customerInfo"),
            account_info: entries(told, "accountInfo"),
        })
    }
}

/// The first plain entries of an object; anything else is none.
fn entries(told: &Told, name: &str) -> BTreeMap<String, Value> {
    let Ok(Some(sent)) = told.object(name) else { return BTreeMap::new() };
    let is_name = |name: &&str| {
        name.len() <= NAME_CHARS_MAX && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let mut names: Vec<&str> = sent.names().filter(is_name).collect();
    names.sort_unstable();
    let entry = |name: &str| Some((name.to_owned(), scalar(sent.scalar(name)?)?));
    names.into_iter().filter_map(entry).take(ENTRIES_MAX).collect()
}

fn scalar(value: Value) -> Option<Value> {
    match value {
        Value::String(text) => Some(clean(&text).into()),
        Value::Number(number) => {
            let text = number.to_string();
            Some(if holds_a_card_number(&text) { masked(&text).into() } else { number.into() })
        }
        Value::Bool(_) => Some(value),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> AccountReply {
        crate::told::read_told(value.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_suppliers_words_are_cleaned_and_bounded() {
        let card = 4_111_111_111_111_111_u64;
        let many: BTreeMap<String, u32> = (0..100).map(|n| (format!("entry{n:03}"), n)).collect();
        let reply = read(&json!({
            "responseCode": "0000", "responseMessage": "pay with 4111 1111 1111 1111",
            "customerName": format!("A\u{7}da\r\n{}", "x".repeat(1_000)),
            "customerInfo": {
                "card": card.to_string(), "number": card, "bad name": 1, "<b>": 1, "deep": { "a": 1 },
                "list": [1], "none": null, "isActive": true, "road": "1 Sample Road\u{1b}[31m",
            },
            "accountInfo": many, "other": "ignored",
        }));
        assert_eq!(reply.response_code, "0000");
        assert!(!reply.response_message.contains("4111"), "{}", reply.response_message);
        let name = reply.customer_name.unwrap();
        assert!(name.starts_with("Adax") && name.chars().count() == 256, "{name}");
        let info: Vec<_> = reply.customer_info.keys().map(String::as_str).collect();
        assert_eq!(info, ["card", "isActive", "number", "road"]);
        assert!(!format!("{:?}", reply.customer_info).contains("41111111"), "no card number");
        assert_eq!(reply.customer_info["road"], "1 Sample Road[31m");
        assert_eq!(reply.account_info.len(), ENTRIES_MAX);
    }

    #[test]
    fn what_is_of_another_type_is_left_out_and_a_missing_code_is_no_answer() {
        let reply = read(&json!({
            "responseCode": "0000", "customerName": 7, "customerInfo": "x", "accountInfo": [1],
        }));
        assert_eq!(reply, AccountReply::code("0000", ""));
        let damaged = read(&json!({ "responseCode": "00\u{0}00" }));
        assert_ne!(damaged.response_code, "0000", "cleaned into another code");
        let codeless = crate::told::read_told::<AccountReply>(br#"{"customerName":"A"}"#);
        assert!(codeless.is_err());
    }

    #[test]
    fn a_code_of_no_table_is_told_as_unknown_and_with_it_nothing_of_the_customer() {
        let told = |code: &str| {
            let reply = json!({ "responseCode": code, "customerName": "Ada" });
            read(&reply).told(code)
        };
        assert_eq!(told("0000").customer_name.as_deref(), Some("Ada"));
        for (code, expected) in [("2210", "2210"), ("7777", "2090"), ("", "2090"), ("0", "2090")] {
            assert_eq!(told(code), AccountReply::code(expected, ""), "{code}");
        }
    }
}
