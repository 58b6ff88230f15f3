//! The form of an import, as the files of a set-up hold it. Every section is optional.

use std::collections::BTreeMap;

use fleet_domain::{
    FailureReason, FeeRule, Inquiry, MsisdnForm, OnUnavailable, Party, PlanClass, SignedForm,
    TaskKind, ValidateWhen,
};
use secrecy::SecretString;
use serde::Deserialize;

/// Rows to write; what is not named stays as it is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DirectoryImport {
    /// `[[client]]`.
    #[serde(rename = "client")]
    pub clients: Vec<ClientRow>,
    /// `[[connector]]`.
    #[serde(rename = "connector")]
    pub connectors: Vec<ConnectorRow>,
    /// `[[product]]`.
    #[serde(rename = "product")]
    pub products: Vec<ProductRow>,
    /// `[[plan]]`.
    #[serde(rename = "plan")]
    pub plans: Vec<PlanRow>,
    /// `[[source]]`: blacklisted buyers.
    #[serde(rename = "source")]
    pub sources: Vec<SourceRow>,
    /// `[[reason]]`: the fraud desk's reasons.
    #[serde(rename = "reason")]
    pub reasons: Vec<ReasonRow>,
}

impl DirectoryImport {
    /// All rows of both, for an import of several files.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.clients.extend(other.clients);
        self.connectors.extend(other.connectors);
        self.products.extend(other.products);
        self.plans.extend(other.plans);
        self.sources.extend(other.sources);
        self.reasons.extend(other.reasons);
        self
    }
}

/// A client and its lanes (deliver, notify, and one for each channel with an endpoint of its own).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientRow {
    /// `clientId`.
    pub client_id: i64,
    /// For operators.
    pub name: String,
    /// Refused when false.
    #[serde(default = "yes")]
    pub active: bool,
    /// Valid API keys, at most four; stored as hashes.
    #[serde(default)]
    pub api_keys: Vec<SecretString>,
    /// The shared secret of `Signature`.
    #[serde(default)]
    pub signature_secret: Option<SecretString>,
    /// Refuse requests without a `Signature`.
    #[serde(default)]
    pub signature_required: bool,
    /// Broker users that may enqueue for it.
    #[serde(default)]
    pub broker_users: Vec<String>,
    /// How long Reserve and Transact may wait for the bank.
    #[serde(default = "five_thousand")]
    pub answer_within_ms: i64,
    /// How long after acceptance a purchase may still be started.
    #[serde(default = "six_hundred")]
    pub start_within_seconds: i64,
    /// The bank of scenario B when a request names none.
    #[serde(default)]
    pub default_funding_source: Option<String>,
    /// Deliveries at the same time.
    #[serde(default = "sixty_four")]
    pub concurrency: i64,
    /// Deliveries a second; 0 = no limit.
    #[serde(default)]
    pub rate_per_second: i64,
    /// Where results go: channel name to URL.
    #[serde(default)]
    pub channels: BTreeMap<String, String>,
    /// What an IPN says and is signed with; the channel `ipn` needs it.
    #[serde(default)]
    pub ipn: Option<IpnRow>,
}

/// A client's account for IPN.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IpnRow {
    /// `accountID`.
    pub account_id: String,
    /// The pre-shared key of `verifysign`, 16 characters; stored under seal.
    pub key: SecretString,
    /// What is encrypted into `verifysign`.
    #[serde(default = "serialised")]
    pub form: SignedForm,
}

/// An outside party and its lanes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectorRow {
    /// Its name in orders, lanes and commands.
    pub name: String,
    /// What it is.
    pub party: Party,
    /// The adapter that speaks to it.
    pub adapter: String,
    /// Where it is.
    pub base_url: String,
    /// How an unknown outcome is cleared up.
    pub inquiry: Inquiry,
    /// How long after the last possible send a "not found" is trusted.
    #[serde(default)]
    pub settle_time_seconds: i64,
    /// One call, from connect to the last byte.
    pub call_deadline_ms: i64,
    /// How long a callback is waited for.
    #[serde(default)]
    pub callback_wait_seconds: i64,
    /// How long a bank holds reserved funds.
    #[serde(default)]
    pub hold_seconds: Option<i64>,
    /// How long before a hold's end, besides a call's lease, the last vend on it may begin.
    #[serde(default = "sixty")]
    pub hold_margin_seconds: i64,
    /// Its key, password or callback secret.
    #[serde(default)]
    pub secret: Option<SecretString>,
    /// Codes beyond the contract's tables, mapped to one that is in them.
    #[serde(default)]
    pub codes: BTreeMap<String, String>,
    /// `[connector.desk]`, for fraud desks only.
    #[serde(default)]
    pub desk: Option<DeskRow>,
    /// No new purchases when false.
    #[serde(default = "yes")]
    pub active: bool,
    /// Calls at the same time, over all processes.
    #[serde(default = "sixty_four")]
    pub concurrency: i64,
    /// Calls a second; 0 = no limit.
    #[serde(default)]
    pub rate_per_second: i64,
}

/// What a fraud desk is told and asked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeskRow {
    /// The buyer's MSISDN in reports: `omitted`, `plain` or `encrypted`.
    #[serde(default)]
    pub msisdn: MsisdnForm,
    /// 64 hex digits: the AES-256 key of the encrypted form.
    #[serde(default)]
    pub msisdn_key: Option<SecretString>,
    /// Whose tokens are validated before any charge: `never`, `we_reserve` or `always`.
    #[serde(default)]
    pub validate: ValidateWhen,
    /// When the desk does not answer in time: `refuse` or `proceed`.
    #[serde(default)]
    pub on_unavailable: OnUnavailable,
    /// How long after acceptance the desk is asked again.
    #[serde(default = "sixty")]
    pub validate_within_seconds: i64,
}

/// The fraud desk's reason for a code.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReasonRow {
    /// The connector whose code it is; `*` = any.
    #[serde(default = "all")]
    pub connector: String,
    /// A code of the contract, or the connector's own word.
    pub code: String,
    /// One of the desk's seven.
    pub reason: FailureReason,
}

/// A product.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductRow {
    /// `productId`.
    pub product_id: i64,
    /// For people.
    pub name: String,
    /// `airtime`, `electricity`, `bill`, `lotto`, `data`.
    pub product_type: String,
    /// The connector that dispenses it.
    pub supplier: String,
    /// ISO 4217.
    pub currency: String,
    /// Minor units.
    pub min_amount: i64,
    /// Minor units.
    pub max_amount: i64,
    /// The fee that a request must carry; none when absent.
    #[serde(default = "no_fee")]
    pub fee: FeeRule,
    /// Refused when false.
    #[serde(default = "yes")]
    pub active: bool,
}

/// A retry plan.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRow {
    /// The kind of task.
    pub kind: TaskKind,
    /// A connector's name, a client's number, or `*`.
    #[serde(default = "all")]
    pub owner: String,
    /// Which of its plans.
    pub class: PlanClass,
    /// The waits; after the last the plan is exhausted.
    pub delays_seconds: Vec<i64>,
}

/// A blacklisted buyer; stored as a keyed hash.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceRow {
    /// The buyer's identifier.
    pub source: SecretString,
    /// For operators.
    pub reason: String,
}

const fn serialised() -> SignedForm {
    SignedForm::Serialised
}

const fn yes() -> bool {
    true
}

const fn five_thousand() -> i64 {
    5_000
}

const fn six_hundred() -> i64 {
    600
}

const fn sixty() -> i64 {
    60
}

const fn sixty_four() -> i64 {
    64
}

const fn no_fee() -> FeeRule {
    FeeRule { fixed: 0, basis_points: 0 }
}

fn all() -> String {
    "*".to_owned()
}
