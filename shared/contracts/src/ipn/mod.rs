//! IPN and Transaction Query (contracts, section 2).

mod verifysign;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use fleet_domain::{Client, FundingType, IpnAccount, Purchase, PurchaseStatus, SignedForm};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use verifysign::{SignError, SignKey, check_verifysign, open, verifysign};

/// The channel of IPN in a client's settings and in delivery rows.
pub const IPN: &str = fleet_domain::ResultChannel::Ipn.name();

/// What is frozen of an IPN when its payment completes: everything but `verifysign`, which follows
/// from it, the client's present key and the kept iv. The same key gives the same bytes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenIpn {
    url: String,
    #[serde(rename = "accountID")]
    account_id: String,
    transactionid: String,
    /// The shortest decimal, as it is signed.
    amount: String,
    msisdn: String,
    /// 16 random bytes, base64.
    iv: String,
    /// Of a payment that was not completed: its status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<PurchaseStatus>,
}

impl std::fmt::Debug for FrozenIpn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrozenIpn")
            .field("transactionid", &self.transactionid)
            .finish_non_exhaustive()
    }
}

/// The body that a listener gets.
#[derive(Serialize, JsonSchema)]
#[expect(missing_debug_implementations, reason = "it holds personal data and lives for one line")]
#[schemars(title = "IPN, version 1", rename = "Ipn")]
pub struct IpnBody<'f> {
    /// The listener's registered URL when the payment completed.
    url: &'f str,
    /// The client's account.
    #[serde(rename = "accountID")]
    account_id: &'f str,
    /// Exactly the `{id}` of Transaction Query.
    transactionid: &'f str,
    /// What the buyer paid, the fee included, in major units.
    #[schemars(with = "f64")]
    amount: Box<RawValue>,
    /// The buyer.
    msisdn: &'f str,
    /// Over url, accountID, amount and msisdn.
    verifysign: String,
    /// Only of a payment that failed, to clients that want those too: `FAILED`. Absent = completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("enum" = ["FAILED"]))]
    status: Option<PurchaseStatus>,
}

/// Where a client's IPNs go and for which account, where it has a listener.
#[must_use]
pub fn listener(client: &Client) -> Option<(&str, &IpnAccount)> {
    Some((client.channels.get(IPN)?.as_str(), client.ipn.as_ref()?))
}

impl FrozenIpn {
    /// The IPN of a completed payment, or of one that ended with this status; its iv is drawn here,
    /// once.
    #[must_use]
    pub fn of(
        purchase: &Purchase,
        url: &str,
        account_id: &str,
        status: Option<PurchaseStatus>,
    ) -> Self {
        let order = &purchase.order;
        Self {
            url: url.to_owned(),
            account_id: account_id.to_owned(),
            transactionid: order.id.to_string(),
            amount: order.reserved().to_string(),
            msisdn: order.source.expose().to_owned(),
            iv: BASE64_STANDARD.encode(rand::random::<[u8; 16]>()),
            status,
        }
    }

    /// The text to freeze.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What was frozen; `None` for anything else.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// What `verifysign` covers.
    #[must_use]
    pub fn signed_text(&self) -> String {
        format!("{}{}{}{}", self.url, self.account_id, self.amount, self.msisdn)
    }

    /// `verifysign`; `None` when the kept iv is none.
    #[must_use]
    pub fn verifysign(&self, key: &SignKey, form: SignedForm) -> Option<String> {
        let iv = BASE64_STANDARD.decode(&self.iv).ok()?.try_into().ok()?;
        Some(verifysign(key, &iv, form, &self.signed_text()))
    }

    /// The bytes to send; `None` when what was frozen cannot be sent.
    #[must_use]
    pub fn body(&self, key: &SignKey, form: SignedForm) -> Option<String> {
        let body = IpnBody {
            url: &self.url,
            account_id: &self.account_id,
            transactionid: &self.transactionid,
            amount: RawValue::from_string(self.amount.clone()).ok()?,
            msisdn: &self.msisdn,
            verifysign: self.verifysign(key, form)?,
            status: self.status,
        };
        serde_json::to_string(&body).ok()
    }
}

/// Whether a 2xx answer's body acknowledges an IPN: `Success` in any case, bare or as a JSON string.
#[must_use]
pub fn acknowledges_ipn(body: &[u8]) -> bool {
    let body = crate::text_of(body);
    let inner: Option<String> = serde_json::from_str(&body).ok();
    let word = inner.map_or(body, |inner| crate::text_of(inner.as_bytes()));
    word.eq_ignore_ascii_case("success")
}

/// The reply of Transaction Query: the IPN's fields and the status.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "Transaction Query reply, version 1")]
pub struct TransactionReply {
    /// As in the IPN, and before there is one what it would say; empty where none is ever sent: of a
    /// card payment, or to a client without a listener.
    pub url: String,
    /// The client's account, alike; its number where it has none.
    #[serde(rename = "accountID")]
    pub account_id: String,
    /// The `{id}` that was asked for.
    pub transactionid: String,
    /// What the buyer pays, the fee included, in major units.
    #[schemars(with = "f64")]
    pub amount: Box<RawValue>,
    /// The buyer.
    pub msisdn: String,
    /// As in the IPN; absent when none is sent (not completed, or no listener).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verifysign: Option<String>,
    /// The caller's own reference; card payments only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_info: Option<String>,
    /// `PENDING`, `SUCCESS` or `FAILED`.
    #[schemars(with = "String", extend("enum" = ["PENDING", "SUCCESS", "FAILED"]))]
    pub status: PurchaseStatus,
}

impl TransactionReply {
    /// The reply about a purchase of this client; with its IPN, when one was made. Who asks again gets
    /// the same but for the status: what no IPN has frozen yet is what one made now would freeze.
    /// `None` when the amount cannot be written as a number, which no amount is.
    #[must_use]
    pub fn of(purchase: &Purchase, client: &Client, ipn: Option<&FrozenIpn>) -> Option<Self> {
        let order = &purchase.order;
        let by_card = order.funding == FundingType::CardPayment;
        let account = client.ipn.as_ref();
        let (url, account_id) = match ipn {
            Some(ipn) => (ipn.url.as_str(), Some(ipn.account_id.as_str())),
            None if by_card => ("", Some(order.source.expose())),
            None => {
                let url = listener(client).map(|(url, _)| url).unwrap_or_default();
                (url, account.map(|account| account.account_id.as_str()))
            }
        };
        let sign = |ipn: &FrozenIpn| {
            let account = account?;
            ipn.verifysign(&SignKey::of(&account.key)?, account.form)
        };
        Some(Self {
            url: url.to_owned(),
            account_id: account_id.map_or_else(|| order.client.to_string(), str::to_owned),
            transactionid: order.id.to_string(),
            amount: RawValue::from_string(order.reserved().to_string()).ok()?,
            // A card payment's buyer has no number that we know.
            msisdn: if by_card { String::new() } else { order.source.expose().to_owned() },
            verifysign: ipn.and_then(sign),
            order_info: by_card.then(|| order.client_txn_ref.clone()),
            status: purchase.status(),
        })
    }
}

#[cfg(test)]
mod tests {
    use fleet_domain::Private;

    use super::*;

    fn frozen(amount: &str) -> FrozenIpn {
        FrozenIpn {
            url: "http://0.0.0.0:8080/receive/".to_owned(),
            account_id: "1".to_owned(),
            transactionid: "12".to_owned(),
            amount: amount.to_owned(),
            msisdn: "255713XXXXXX".to_owned(),
            iv: "AAECAwQFBgcICQoLDA0ODw==".to_owned(),
            status: None,
        }
    }

    fn key(text: &str) -> SignKey {
        SignKey::of(&Private::new(text)).unwrap()
    }

    #[test]
    fn the_body_is_the_documents_and_its_signature_the_contracts() {
        let body = frozen("34").body(&key("0123456789abcdef"), SignedForm::Serialised).unwrap();
        let begin = r#"{"url":"http://0.0.0.0:8080/receive/","accountID":"1","transactionid":"12","amount":34,"msisdn":"255713XXXXXX","verifysign":""#;
        assert!(body.starts_with(begin), "{body}");
        assert_eq!(frozen("34").signed_text(), "http://0.0.0.0:8080/receive/134255713XXXXXX");
        let amount = |text: &str| {
            let body = frozen(text).body(&key("0123456789abcdef"), SignedForm::Raw).unwrap();
            serde_json::from_str::<serde_json::Value>(&body).unwrap()["amount"].clone()
        };
        assert_eq!(amount("34.5"), 34.5);
        assert_eq!(amount("0.005"), 0.005, "three minor digits");
        assert_eq!(amount("7"), 7, "no minor digits");
    }

    #[test]
    fn the_same_bytes_come_each_time_and_another_key_changes_only_the_signature() {
        let thawed = FrozenIpn::from_text(&frozen("34.5").to_text()).unwrap();
        let body = |key: &SignKey| thawed.body(key, SignedForm::Serialised).unwrap();
        let (old, new) = (key("0123456789abcdef"), key("fedcba9876543210"));
        assert_eq!(body(&old), frozen("34.5").body(&old, SignedForm::Serialised).unwrap());
        let without = |body: &str| body.split_once("\"verifysign\"").unwrap().0.to_owned();
        assert_ne!(body(&old), body(&new));
        assert_eq!(without(&body(&old)), without(&body(&new)));
    }

    #[test]
    fn the_status_of_a_failure_stands_behind_the_documents_fields_and_is_thawed() {
        let failed = FrozenIpn { status: Some(PurchaseStatus::Failed), ..frozen("34") };
        let thawed = FrozenIpn::from_text(&failed.to_text()).unwrap();
        let body = |frozen: &FrozenIpn| {
            frozen.body(&key("0123456789abcdef"), SignedForm::Serialised).unwrap()
        };
        let (told, completed) = (body(&thawed), body(&frozen("34")));
        let bare = completed.strip_suffix('}').unwrap();
        assert_eq!(told, format!("{bare},\"status\":\"FAILED\"}}"));
        assert!(!frozen("34").to_text().contains("status"));
    }

    #[test]
    fn success_acknowledges_in_any_case_bare_or_as_a_json_string() {
        let marked =
            ["\u{feff}Success", "\u{feff}\"success\"", "\"\u{feff}Success\"", "\u{200b}Success"];
        let plain = ["Success", "success", " SUCCESS\r\n", "\"Success\"", " \"success\" \n"];
        for yes in plain.into_iter().chain(marked) {
            assert!(acknowledges_ipn(yes.as_bytes()), "{yes:?}");
        }
        let utf16: Vec<u8> = "\u{feff}Success".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(acknowledges_ipn(&utf16));
        assert!(!acknowledges_ipn(b"Success\xff"), "another word");
        for no in [
            "",
            "Fail",
            "Successful",
            "\"Fail\"",
            "Success!",
            "{\"Success\":true}",
            "[\"Success\"]",
            "'Success'",
            "0",
            "\"\"Success\"\"",
        ] {
            assert!(!acknowledges_ipn(no.as_bytes()), "{no:?}");
        }
    }
}
