//! What a client asks about one buyer's purchases: In-Flight Check, User Transaction Lookup and
//! Token Lookup (contracts, section 1, "Lookups").

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::identifier::{ACCOUNT, IDENTIFIER};
use crate::number;

/// The body of the In-Flight Transaction Check: all five fields must match.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InFlightCheck {
    /// The buyer.
    #[schemars(length(min = 1, max = 32), regex(pattern = IDENTIFIER))]
    pub source_identifier: String,
    /// The recipient, meter or account.
    #[schemars(length(min = 1, max = 32), regex(pattern = ACCOUNT))]
    pub target_identifier: String,
    /// The client.
    #[serde(deserialize_with = "number::required")]
    #[schemars(schema_with = "number::schema")]
    pub client_id: i64,
    /// What is to be bought.
    #[serde(deserialize_with = "number::required")]
    #[schemars(schema_with = "number::schema")]
    pub product_id: i64,
    /// Minor units, without the fee.
    #[serde(deserialize_with = "number::required")]
    #[schemars(schema_with = "number::amount_schema")]
    pub purchase_amount: i64,
}

impl std::fmt::Debug for InFlightCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InFlightCheck")
            .field("client_id", &self.client_id)
            .field("product_id", &self.product_id)
            .finish_non_exhaustive()
    }
}

/// The reply of the In-Flight Transaction Check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InFlightReply {
    /// Whether any is in flight.
    pub has_pending_transactions: bool,
    /// Those in flight, the newest first, at most 100.
    pub transactions: Vec<InFlight>,
}

/// A purchase in flight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InFlight {
    /// Our reference.
    pub raas_txn_ref: String,
    /// When it was accepted.
    pub created: DateTime<Utc>,
}

/// The reply of the User Transaction Lookup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserTransactionsReply {
    /// The newest first, the latest of each product.
    pub transactions: Vec<UserTransaction>,
}

/// One of a buyer's recent purchases.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the document's own")]
pub struct UserTransaction {
    pub channel_id: i32,
    pub client_id: i64,
    pub raas_txn_ref: String,
    pub transaction_date: DateTime<Utc>,
    pub product_id: i64,
    pub description: String,
    pub purchase_amount: i64,
    pub target_identifier: String,
}

impl std::fmt::Debug for UserTransaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserTransaction")
            .field("raas_txn_ref", &self.raas_txn_ref)
            .finish_non_exhaustive()
    }
}

/// The reply of the Token Lookup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokensReply {
    /// The newest first.
    pub tokens: Vec<BoughtToken>,
}

/// A token (voucher) that a buyer bought.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the document's own")]
pub struct BoughtToken {
    pub client_id: i64,
    pub channel_id: i32,
    pub product_id: i64,
    pub product_type_id: i64,
    pub description: String,
    pub attributes: Vec<Attribute>,
    pub raas_txn_ref: String,
    pub transaction_date: DateTime<Utc>,
    pub purchase_amount: i64,
    pub token: String,
}

impl std::fmt::Debug for BoughtToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BoughtToken")
            .field("raas_txn_ref", &self.raas_txn_ref)
            .finish_non_exhaustive()
    }
}

/// Something else about a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attribute {
    /// `currencyCode`, `supplierRef`.
    pub name: String,
    /// Its value.
    pub value: String,
}
