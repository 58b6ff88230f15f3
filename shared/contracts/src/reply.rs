//! What we answer: to HTTP callers, to publishers, and to a look-up.

use fleet_domain::{DispenseState, Progress, Purchase, PurchaseStatus, ReserveState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The reply of Transact and of Reserve and Transact, and of everything that fails there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransactReply {
    /// A code of the contract.
    #[schemars(length(min = 1, max = 32))]
    pub response_code: String,
    /// For people; a malformed field is named.
    pub response_message: String,
    /// Our reference, once the purchase is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raas_txn_ref: Option<String>,
}

/// What a publisher with `reply_to` is told, version 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "purchase.requested reply, version 1")]
pub struct RequestedReply {
    /// Always 1.
    pub v: u16,
    /// What became of the message.
    pub outcome: RequestedOutcome,
    /// Our reference, when accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raas_txn_ref: Option<String>,
    /// A code of the contract.
    pub response_code: String,
    /// For people; names the field.
    pub response_message: String,
    /// The field, if it is one field's fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// What became of a `purchase.requested` message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RequestedOutcome {
    /// Stored, now or before, with this content.
    Accepted,
    /// The client's reference is taken by another content.
    Conflict,
    /// Not a purchase; dead-lettered with its cause.
    Invalid,
}

/// The reply of the Transaction Lookup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the document's own")]
pub struct LookupReply {
    pub client_id: i64,
    pub client_txn_ref: String,
    pub raas_txn_ref: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve_funds_txn_ref: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve_funds_response_code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transact_result_response_code: Option<String>,
    #[schemars(with = "String", extend("enum" = ["PENDING", "SUCCESS", "FAILED"]))]
    pub transaction_status: PurchaseStatus,
    /// Only while it is `PENDING`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_reason: Option<PendingReason>,
    /// When the call or wait that is under way has ended at the latest; absent while a person has
    /// to decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_by: Option<chrono::DateTime<chrono::Utc>>,
    pub product_id: i64,
    pub purchase_amount: i64,
    pub fee_amount: i64,
    pub currency_code: String,
    pub created: chrono::DateTime<chrono::Utc>,
}

/// What a pending purchase waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PendingReason {
    /// The fraud desk's word on the purchase's token.
    WaitingForFraudDesk,
    /// The funding source's decision.
    WaitingForFundingSource,
    /// The buyer's agreement, by SMS or on the funding source's page.
    WaitingForBuyer,
    /// The supplier's decision.
    WaitingForSupplier,
    /// An answer got lost, and it is found out what became of the request.
    OutcomeUnknown,
    /// Nobody but a person can tell what became of it.
    HeldByOperator,
}

impl PendingReason {
    /// What its tracks say that a purchase waits for; `None` once it is decided.
    #[must_use]
    pub const fn of(progress: &Progress) -> Option<Self> {
        match PurchaseStatus::of(progress.reserve, progress.dispense) {
            PurchaseStatus::Success | PurchaseStatus::Failed => return None,
            PurchaseStatus::Pending => {}
        }
        Some(match (progress.reserve, progress.dispense) {
            (ReserveState::Unknown, _) | (_, DispenseState::Unknown) => Self::OutcomeUnknown,
            (ReserveState::Validating, _) => Self::WaitingForFraudDesk,
            (ReserveState::Pending, _) => Self::WaitingForFundingSource,
            (ReserveState::Asked, _) => Self::WaitingForBuyer,
            (
                ReserveState::NotNeeded
                | ReserveState::Reserved
                | ReserveState::Charged
                | ReserveState::Refused
                | ReserveState::Failed,
                DispenseState::NotStarted
                | DispenseState::Pending
                | DispenseState::Dispensed
                | DispenseState::Failed,
            ) => Self::WaitingForSupplier,
        })
    }
}

impl From<&Purchase> for LookupReply {
    fn from(purchase: &Purchase) -> Self {
        let (order, progress) = (&purchase.order, &purchase.progress);
        Self {
            client_id: order.client.0,
            client_txn_ref: order.client_txn_ref.clone(),
            raas_txn_ref: order.id.to_string(),
            reserve_funds_txn_ref: purchase.reservation().map(str::to_owned),
            reserve_funds_response_code: progress.reserve_code.clone(),
            transact_result_response_code: progress.dispense_code.clone(),
            transaction_status: purchase.status(),
            pending_reason: PendingReason::of(&purchase.progress),
            expected_by: None,
            product_id: order.product.0,
            purchase_amount: order.purchase_amount,
            fee_amount: order.fee_amount,
            currency_code: order.currency.code().to_owned(),
            created: progress.created_at,
        }
    }
}
