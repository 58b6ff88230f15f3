//! The bank interface (contracts, section 1, "Bank interface").

use fleet_domain::Purchase;
use schemars::JsonSchema;
use serde::Serialize;

use crate::told::{FromTold, Told, Unreadable};

/// The body of *reserve funds*.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the document's own")]
pub struct ReserveFunds<'a> {
    pub client_txn_ref: &'a str,
    pub raas_txn_ref: String,
    pub product_id: i64,
    pub purchase_amount: i64,
    pub reserve_amount: i64,
    pub fee_amount: i64,
    pub currency_code: &'static str,
    pub source_identifier: &'a str,
    pub target_identifier: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_identifier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_code: Option<&'a str>,
    pub channel_id: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_session_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<&'a str>,
}

impl std::fmt::Debug for ReserveFunds<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReserveFunds")
            .field("raas_txn_ref", &self.raas_txn_ref)
            .finish_non_exhaustive()
    }
}

impl<'a> ReserveFunds<'a> {
    /// The request for a purchase.
    #[must_use]
    pub fn of(purchase: &'a Purchase) -> Self {
        let order = &purchase.order;
        Self {
            client_txn_ref: &order.client_txn_ref,
            raas_txn_ref: order.id.to_string(),
            product_id: order.product.0,
            purchase_amount: order.purchase_amount,
            reserve_amount: order.reserve_amount(),
            fee_amount: order.fee_amount,
            currency_code: order.currency.code(),
            source_identifier: order.source.expose(),
            target_identifier: order.target.expose(),
            account_identifier: order.account.as_ref().map(fleet_domain::Private::expose),
            auth_code: order.details.auth_code.as_deref(),
            channel_id: order.channel_id,
            channel_name: order.details.channel_name.as_deref(),
            channel_session_id: order.details.channel_session_id.as_deref(),
            timestamp: order.details.timestamp.as_deref(),
        }
    }
}

/// The body of a refund, for funding sources that take money at once.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the bank interface's own")]
pub struct RefundFunds<'a> {
    pub client_txn_ref: &'a str,
    pub raas_txn_ref: String,
    /// The charge, as the source named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserve_funds_txn_ref: Option<&'a str>,
    /// Minor units: all that was taken.
    pub refund_amount: i64,
    pub currency_code: &'static str,
}

impl<'a> RefundFunds<'a> {
    /// The request for a purchase: the same bytes however often it is asked for.
    #[must_use]
    pub fn of(purchase: &'a Purchase) -> Self {
        let order = &purchase.order;
        Self {
            client_txn_ref: &order.client_txn_ref,
            raas_txn_ref: order.id.to_string(),
            reserve_funds_txn_ref: purchase.progress.reservation.as_deref(),
            refund_amount: order.reserve_amount(),
            currency_code: order.currency.code(),
        }
    }
}

/// A bank's answer to *reserve funds*, to the result, and to a look-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BankReply {
    /// `0000`, or why not.
    pub response_code: String,
    /// For people; never logged.
    #[serde(default)]
    pub response_message: String,
    /// The reservation's reference.
    #[serde(default)]
    pub reserve_funds_txn_ref: Option<String>,
    /// Only in a look-up: what became of the reservation (`deducted`, `cancelled`).
    #[serde(default)]
    pub resolution: Option<String>,
}

impl FromTold for BankReply {
    fn from_told(told: &Told) -> Result<Self, Unreadable> {
        Ok(Self {
            response_code: told.code("responseCode")?,
            response_message: told.words("responseMessage"),
            reserve_funds_txn_ref: told.reference("reserveFundsTxnRef"),
            resolution: told.reference("resolution"),
        })
    }
}

impl BankReply {
    /// What a confirmed charge comes to: its transaction is the reservation.
    #[must_use]
    pub fn charged(transaction_id: &str) -> Self {
        Self {
            response_code: crate::codes::OK.to_owned(),
            response_message: String::new(),
            reserve_funds_txn_ref: Some(transaction_id.to_owned()),
            resolution: None,
        }
    }
}
