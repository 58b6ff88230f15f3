//! A purchase: what was ordered, and how far it is.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Agreed, ClientId, Currency, DeliveryState, DispenseState, FundingType, Money, Private,
    ProductId, PurchaseId, PurchaseStatus, ReserveState, Scenario, SettleAs, SettleState,
    TokenState, later,
};

/// What was ordered. Never changes once it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Our reference (`raasTxnRef`).
    pub id: PurchaseId,
    /// Whose purchase (`clientId`).
    pub client: ClientId,
    /// The client's reference (`clientTxnRef`), ≤ 64 characters; unique for the client.
    pub client_txn_ref: String,
    /// Who reserves the funds.
    pub scenario: Scenario,
    /// The kind of funding source.
    pub funding: FundingType,
    /// The funding source's connector; empty when the client holds the funds.
    pub funding_source: String,
    /// What is bought.
    pub product: ProductId,
    /// The supplier's connector.
    pub supplier: String,
    /// The currency of all amounts.
    pub currency: Currency,
    /// Minor units, without the fee.
    pub purchase_amount: i64,
    /// Minor units.
    pub fee_amount: i64,
    /// The reservation that the client already holds (`reserveFundsTxnRef`, Transact only).
    pub client_reservation: Option<String>,
    /// The buyer, usually an MSISDN (`sourceIdentifier`).
    pub source: Private,
    /// The recipient, meter or account (`targetIdentifier`).
    pub target: Private,
    /// `accountIdentifier`.
    pub account: Option<Private>,
    /// 1 POS, 2 Internet, 3 Mobile, 4 ATM, 6 SMS, 7 USSD, 8 `WhatsApp` (`channelId`).
    pub channel_id: i32,
    /// What else was sent along and must be kept under seal.
    pub details: OrderDetails,
    /// No reservation may be asked for after this (scenario B), no vend begun (scenario A).
    pub start_by: DateTime<Utc>,
}

impl Order {
    /// What is reserved: the amount and the fee.
    #[must_use]
    pub const fn reserve_amount(&self) -> i64 {
        self.purchase_amount.saturating_add(self.fee_amount)
    }

    /// How the money is shared: by the terms that held when the purchase was accepted.
    #[must_use]
    pub fn agreed(&self) -> Agreed {
        let without = || Agreed::without_terms(self.product, self.purchase_amount, self.fee_amount);
        self.details.agreed.clone().unwrap_or_else(without)
    }

    /// The fraud block, when it names a desk's token.
    #[must_use]
    pub fn fraud_token(&self) -> Option<(&FraudDetails, &str)> {
        let fraud = self.details.fraud.as_ref()?;
        let token = fraud.token.as_deref().filter(|token| !token.is_empty())?;
        Some((fraud, token))
    }

    /// The reserved amount as money.
    #[must_use]
    pub const fn reserved(&self) -> Money {
        Money::new(self.reserve_amount(), self.currency)
    }

    /// The supplier's reference of one vend: the purchase's reference and the vend number.
    #[must_use]
    pub fn vend_ref(&self, vend_number: i32) -> String {
        format!("{}-{vend_number:04}", self.id)
    }
}

/// Fields that only connectors read; stored as one sealed document.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OrderDetails {
    /// `authCode`.
    pub auth_code: Option<String>,
    /// `channelName`.
    pub channel_name: Option<String>,
    /// `channelSessionId`.
    pub channel_session_id: Option<String>,
    /// The client's `timestamp`, as it was sent.
    pub timestamp: Option<String>,
    /// Channels of the result besides the client's configured ones.
    pub deliver: Vec<String>,
    /// Channels of messages to buyer and recipient.
    pub notify: Vec<String>,
    /// Where e-mails of them go.
    pub notify_email: Option<String>,
    /// What the fraud desk needs.
    pub fraud: Option<FraudDetails>,
    /// How the money is shared, by the terms that held at acceptance.
    pub agreed: Option<Agreed>,
    /// What its SMS charge says, by the set-up at acceptance.
    pub mo: Option<crate::MoOfProduct>,
}

impl std::fmt::Debug for OrderDetails {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OrderDetails([private])")
    }
}

/// The `fraud` block of a purchase (contracts, section 4).
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct FraudDetails {
    /// The connector of the desk that the token belongs to, chosen at acceptance.
    pub desk: Option<String>,
    /// The desk's token; absent means that nothing is reported.
    pub token: Option<String>,
    /// When the token was made; absent means the time of the purchase.
    pub token_created_at: Option<DateTime<Utc>>,
    /// The buyer's address.
    pub user_ip: Option<String>,
    /// The buyer's browser.
    pub user_agent: Option<String>,
    /// The timestamp of the token's validation; a repeat carries the same.
    pub validate_timestamp: Option<String>,
    /// `10.00GBP`.
    pub price_point: Option<String>,
    /// `Weekly`, `Daily`.
    pub billing_frequency: Option<String>,
    /// The short code that bills.
    pub shortcode: Option<String>,
    /// ≤ 128 characters.
    pub external_user_id: Option<String>,
    /// ≤ 128 characters.
    pub external_product_id: Option<String>,
}

impl std::fmt::Debug for FraudDetails {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FraudDetails([private])")
    }
}

/// How far a purchase is. Each kind of task writes its own part only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The funds.
    pub reserve: ReserveState,
    /// The funding source's code (`reserveFundsResponseCode`).
    pub reserve_code: Option<String>,
    /// The own word behind that code, where it has one: [`INVALID_TOKEN`](crate::INVALID_TOKEN).
    pub reserve_word: Option<String>,
    /// The funding source's reference (`reserveFundsTxnRef`).
    pub reservation: Option<String>,
    /// When the hold lapses at the funding source.
    pub hold_expires_at: Option<DateTime<Utc>>,
    /// The goods.
    pub dispense: DispenseState,
    /// The result's code (`transactResultResponseCode`).
    pub dispense_code: Option<String>,
    /// The supplier's own word, where its connector maps it to that code.
    pub supplier_code: Option<String>,
    /// The supplier's reference.
    pub supplier_ref: Option<String>,
    /// Minor units that were vended.
    pub vend_amount: Option<i64>,
    /// The voucher (`token`).
    pub voucher: Option<Private>,
    /// What becomes of the hold.
    pub settle_as: Option<SettleAs>,
    /// The hold's end.
    pub settle: SettleState,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
}

impl Progress {
    /// Of a purchase that was accepted now, and nothing more.
    #[must_use]
    pub const fn new(reserve: ReserveState, created_at: DateTime<Utc>) -> Self {
        Self {
            reserve,
            reserve_code: None,
            reserve_word: None,
            reservation: None,
            hold_expires_at: None,
            dispense: DispenseState::NotStarted,
            dispense_code: None,
            supplier_code: None,
            supplier_ref: None,
            vend_amount: None,
            voucher: None,
            settle_as: None,
            settle: SettleState::NotStarted,
            created_at,
        }
    }
}

impl Progress {
    /// `transactionStatus`.
    #[must_use]
    pub const fn status(&self) -> PurchaseStatus {
        PurchaseStatus::of(self.reserve, self.dispense)
    }

    /// Why the purchase failed, in the word of whoever ended it; `None` while it has not failed.
    #[must_use]
    pub fn failure_code(&self) -> Option<&str> {
        match self.status() {
            PurchaseStatus::Pending | PurchaseStatus::Success => None,
            PurchaseStatus::Failed if self.dispense == DispenseState::Failed => {
                self.dispense_code.as_deref()
            }
            PurchaseStatus::Failed => self.reserve_code.as_deref(),
        }
    }
}

/// A purchase as workers and look-ups see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purchase {
    /// What was ordered.
    pub order: Order,
    /// How far it is.
    pub progress: Progress,
}

impl Purchase {
    /// `transactionStatus`.
    #[must_use]
    pub const fn status(&self) -> PurchaseStatus {
        self.progress.status()
    }

    /// The reservation's reference, whoever holds it.
    #[must_use]
    pub fn reservation(&self) -> Option<&str> {
        self.progress.reservation.as_deref().or(self.order.client_reservation.as_deref())
    }
}

/// One result on its way to one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its number within the purchase; the slot of its task.
    pub slot: i32,
    /// The channel's name (`transact_result`).
    pub channel: String,
    /// The exact bytes that are sent, each time.
    pub body: Private,
    /// Where it stands.
    pub state: DeliveryState,
    /// Attempts that were made.
    pub attempts: i32,
    /// When the first byte of the first attempt left, by the database's clock.
    pub first_sent_at: Option<DateTime<Utc>>,
}

/// How long a result is tried after its first byte was sent.
pub const DELIVER_FOR: Duration = Duration::from_secs(345_600);

impl Delivery {
    /// When it fails; `None` while nothing of it was sent.
    #[must_use]
    pub fn deadline(&self) -> Option<DateTime<Utc>> {
        self.first_sent_at.map(|first| later(first, DELIVER_FOR))
    }
}

/// Everything a step may know about its task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Counters and times.
    pub task: crate::ClaimedTask,
    /// The purchase as it stood at the claim.
    pub purchase: Purchase,
    /// The delivery row of a deliver task.
    pub delivery: Option<Delivery>,
    /// At most 100 facts about this task: those whose source proves who it is before the others, and of
    /// each the newest first.
    pub facts: Vec<crate::Fact>,
    /// The token of a report or validate task.
    pub token: Option<DeskToken>,
}

/// A fraud desk's token as its row stood at the claim, this claim included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeskToken {
    /// Nothing is told after this: one week after the token was made.
    pub expires_at: DateTime<Utc>,
    /// What the desk was told.
    pub told: TokenState,
    /// A purchase that names it was dispensed: no failure is told any more.
    pub success_due: bool,
    /// When a purchase first named it.
    pub known_at: DateTime<Utc>,
    /// What every validation of it carries, if the first purchase said so.
    pub validate_timestamp: Option<String>,
}

impl Job {
    /// True once a delivery's time is up.
    #[must_use]
    pub fn is_past_deadline(&self) -> bool {
        let deadline = self.delivery.as_ref().and_then(Delivery::deadline);
        deadline.is_some_and(|deadline| self.task.now >= deadline)
    }

    /// True when a delivery's time is up and no attempt is owed: nothing is sent any more. An index
    /// of 0 after a first send marks a plan that is used up and waits for its end only.
    #[must_use]
    pub fn only_ends(&self) -> bool {
        self.task.tries == 0 && self.is_past_deadline()
    }
}
