//! Transact Result (contracts, section 1): the same body for the client and for the bank.

use chrono::{DateTime, SecondsFormat, Utc};
use fleet_domain::{
    Directory, DispenseState, FollowUp, FundingType, INVALID_TOKEN, LaneId, NewDelivery, Order,
    Private, Progress, Purchase, PurchaseStatus, ResultChannel, TaskKind, later,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CardCompletion, FrozenIpn, IPN, listener};

/// The channel of Transact Result in a client's settings and in delivery rows.
pub const TRANSACT_RESULT: &str = ResultChannel::TransactResult.name();

/// The channel of a card payment's end in a client's settings and in delivery rows.
pub const CARD_GET: &str = ResultChannel::CardGet.name();

/// How a purchase ended, for the one whose task ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// `0000`, or why not.
    pub code: String,
    /// Minor units that were vended; `None` when nothing was.
    pub vend_amount: Option<i64>,
    /// The voucher.
    pub voucher: Option<Private>,
    /// The reservation's reference, when this very task learnt it.
    pub reservation: Option<String>,
}

impl Outcome {
    /// Nothing was vended, and this code says why.
    #[must_use]
    pub fn failed(code: &str) -> Self {
        Self { code: code.to_owned(), vend_amount: None, voucher: None, reservation: None }
    }
}

/// Amounts are minor units.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the document's own")]
pub struct TransactResult {
    pub client_txn_ref: String,
    pub raas_txn_ref: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve_funds_txn_ref: Option<String>,
    pub response_code: String,
    pub timestamp: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    pub reserve_amount: i64,
    pub fee_amount: i64,
    pub settlement_amount: i64,
    pub vend_amount: i64,
    pub client_share_amount: i64,
    pub vendor_share_amount: i64,
}

impl std::fmt::Debug for TransactResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TransactResult")
            .field("raas_txn_ref", &self.raas_txn_ref)
            .field("response_code", &self.response_code)
            .finish_non_exhaustive()
    }
}

impl TransactResult {
    /// The result of a purchase. Settlement and shares are those of the terms that held when it was
    /// accepted, whatever was agreed since.
    #[must_use]
    pub fn of(purchase: &Purchase, outcome: &Outcome, now: DateTime<Utc>) -> Self {
        let order = &purchase.order;
        let done = outcome.code == crate::codes::OK;
        let if_done = |amount: i64| if done { amount } else { 0 };
        let agreed = order.agreed();
        Self {
            client_txn_ref: order.client_txn_ref.clone(),
            raas_txn_ref: order.id.to_string(),
            reserve_funds_txn_ref: outcome
                .reservation
                .clone()
                .or_else(|| purchase.reservation().map(str::to_owned)),
            response_code: outcome.code.clone(),
            timestamp: now.to_rfc3339_opts(SecondsFormat::Millis, true),
            token: outcome.voucher.as_ref().map(|voucher| voucher.expose().to_owned()),
            reserve_amount: order.reserve_amount(),
            fee_amount: order.fee_amount,
            settlement_amount: if_done(agreed.settlement_amount),
            vend_amount: outcome.vend_amount.unwrap_or(0),
            client_share_amount: if_done(agreed.client_share_amount),
            vendor_share_amount: if_done(agreed.vendor_share_amount),
        }
    }

    /// The result of a purchase whose goods are decided, for the bank: read from what is stored, so
    /// that each repetition says the same.
    #[must_use]
    pub fn for_bank(purchase: &Purchase, now: DateTime<Utc>) -> Self {
        let progress = &purchase.progress;
        let dispensed = progress.dispense == DispenseState::Dispensed;
        let code = if dispensed {
            crate::codes::OK.to_owned()
        } else {
            let code = progress.dispense_code.clone();
            code.filter(|code| code != crate::codes::OK)
                .unwrap_or_else(|| crate::codes::SUPPLIER_COULD_NOT.to_owned())
        };
        let outcome =
            Outcome { code, vend_amount: progress.vend_amount, voucher: None, reservation: None };
        Self::of(purchase, &outcome, now)
    }

    /// The result of a purchase that has ended, read from what is stored; `None` while it has not.
    #[must_use]
    pub fn of_ended(purchase: &Purchase, ended_at: DateTime<Utc>) -> Option<Self> {
        let progress = &purchase.progress;
        let code = match progress.status() {
            PurchaseStatus::Pending => return None,
            PurchaseStatus::Success => crate::codes::OK,
            PurchaseStatus::Failed => progress.failure_code().unwrap_or(crate::codes::UNKNOWN),
        };
        let outcome = Outcome {
            code: code.to_owned(),
            vend_amount: progress.vend_amount,
            voucher: progress.voucher.clone(),
            reservation: None,
        };
        Some(Self::of(purchase, &outcome, ended_at))
    }

    /// The bytes to freeze.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What the end of a purchase makes.
///
/// A result for each of the client's channels, an IPN if it was completed (or the client wants those
/// of failures too), the messages to buyer or recipient that the order asks for, and the report to the fraud desk. A result's slot is its
/// channel's number.
#[must_use]
pub fn conclude(
    directory: &Directory,
    purchase: &Purchase,
    outcome: &Outcome,
    now: DateTime<Utc>,
) -> (Vec<NewDelivery>, Vec<FollowUp>) {
    let order = &purchase.order;
    let mut deliveries = Vec::new();
    let mut follow_ups = Vec::new();
    for (slot, channel, body) in bodies(directory, purchase, outcome, now) {
        let Some(lane) = directory.deliver_lane(order.client, channel) else { continue };
        deliveries.push(NewDelivery {
            slot,
            channel: channel.to_owned(),
            body: Private::new(body),
        });
        let kind = TaskKind::Deliver;
        follow_ups.push(FollowUp { kind, slot, lane, start_by: None, deadline_at: None });
    }
    for (message, send) in crate::notify::messages(directory, purchase, outcome, now) {
        deliveries.push(message);
        follow_ups.push(send);
    }
    if let Some(lane) = desk_lane(directory, order) {
        let fraud = order.details.fraud.as_ref();
        let accepted_at = purchase.progress.created_at;
        let made_at = fraud.and_then(|fraud| fraud.token_created_at).unwrap_or(accepted_at);
        let deadline = later(made_at.min(accepted_at), REPORT_WEEK);
        follow_ups.push(FollowUp {
            kind: TaskKind::Report,
            slot: 0,
            lane,
            start_by: None,
            deadline_at: Some(deadline),
        });
    }
    (deliveries, follow_ups)
}

/// The frozen text of each result, with the channel's number.
fn bodies(
    directory: &Directory,
    purchase: &Purchase,
    outcome: &Outcome,
    now: DateTime<Utc>,
) -> Vec<(i32, &'static str, String)> {
    let mut bodies = Vec::new();
    let Some(client) = directory.clients.get(&purchase.order.client) else { return bodies };
    let is_success = outcome.code == crate::codes::OK;
    // Who asked for a card payment knows nothing of purchases: it is told as the document says.
    if purchase.order.funding == FundingType::CardPayment {
        if client.channels.contains_key(CARD_GET) {
            let told = CardCompletion::of(&purchase.order, is_success);
            bodies.push((3, CARD_GET, told.query()));
        }
        return bodies;
    }
    if client.channels.contains_key(TRANSACT_RESULT) {
        bodies.push((1, TRANSACT_RESULT, TransactResult::of(purchase, outcome, now).to_text()));
    }
    // Without a status its body tells of completed payments only.
    if let Some((url, account)) = listener(client)
        && (is_success || account.failures)
    {
        let status = (!is_success).then_some(PurchaseStatus::Failed);
        let frozen = FrozenIpn::of(purchase, url, &account.account_id, status);
        bodies.push((2, IPN, frozen.to_text()));
    }
    bodies
}

/// A token may be updated for one week after it was made.
pub const REPORT_WEEK: std::time::Duration = std::time::Duration::from_secs(7 * 24 * 3600);

/// The lane of the desk that the token belongs to; without a token, of the present desk, where the
/// report task writes down that there was nothing to report.
fn desk_lane(directory: &Directory, order: &Order) -> Option<LaneId> {
    let desk = order.fraud_token().and_then(|(fraud, _)| fraud.desk.as_deref());
    let present = || directory.desk_of(order.client, order.product).map(|desk| desk.name.as_str());
    let desk = desk.or_else(present)?;
    directory.lane_of(TaskKind::Report, desk)
}

/// The message of a reply for people.
#[must_use]
pub fn message_of(progress: &Progress) -> &'static str {
    match progress.status() {
        PurchaseStatus::Pending => "Processing Request",
        PurchaseStatus::Success => "Success",
        // Its code is a blacklisted source's too.
        PurchaseStatus::Failed if progress.reserve_word.as_deref() == Some(INVALID_TOKEN) => {
            "Failed: the fraud desk says that fraud.token is not valid"
        }
        PurchaseStatus::Failed => "Failed",
    }
}
