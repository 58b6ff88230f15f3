//! What is data, not code: clients, products, connectors, lanes and retry plans, as one snapshot.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Adapter, Authentication, ClientId, Currency, DeskAdapter, DeskRules, FailureReason,
    FundingType, Inquiry, LaneId, MoAccount, MoOfProduct, NotifyChannel, NotifyEvent, NotifyRules,
    Numbering, Party, Private, ProductId, SourceAdapter, SupplierAdapter, TaskKind, Terms,
};

/// A client of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// `clientId`.
    pub id: ClientId,
    /// For operators.
    pub name: String,
    /// Refused when false.
    pub active: bool,
    /// Served by connectors of the sandbox only, and no other client by those.
    pub sandbox: bool,
    /// SHA-256 of each valid API key (two during a rotation).
    pub api_key_hashes: Vec<Vec<u8>>,
    /// The shared secret of `Signature`, if the client signs and wants signed results.
    pub signature_secret: Option<Private>,
    /// Refuse requests of this client without a `Signature`.
    pub signature_required: bool,
    /// SHA-256 of each secret that gets an access token (two during a rotation).
    pub oauth_secret_hashes: Vec<Vec<u8>>,
    /// Refuse requests of this client without a bearer token.
    pub token_required: bool,
    /// Access tokens made up to then are refused.
    pub tokens_valid_from: Option<DateTime<Utc>>,
    /// Refuse a purchase while a similar one of this client is in flight.
    pub refuse_similar: bool,
    /// Its references are numbers of its own, and never card numbers: it says so.
    pub references_are_numbers: bool,
    /// The broker users that may enqueue for this client.
    pub broker_users: Vec<String>,
    /// How long Reserve and Transact may wait for the bank.
    pub answer_within: Duration,
    /// How long after acceptance a purchase may still be started.
    pub start_within: Duration,
    /// The connector that funds scenario B when the request names none.
    pub default_funding_source: Option<String>,
    /// Where results go: channel name to URL (`transact_result`, `ipn`).
    pub channels: BTreeMap<String, String>,
    /// What an IPN says and is signed with; the channel `ipn` needs it.
    pub ipn: Option<IpnAccount>,
    /// What it sells by card payment, if it may.
    pub card: Option<CardAccount>,
    /// What goes to buyers and recipients, and by whom.
    pub notify: NotifyRules,
    /// The fraud desk of its purchases, where it has one of its own.
    pub desk: Option<String>,
}

/// A client's account for card payments (contracts, section 2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardAccount {
    /// `account_id`.
    pub account_id: String,
    /// What is sold; its limits and its terms hold.
    pub product_id: i64,
    /// The connector at whose page buyers pay.
    pub funding_source: String,
}

/// A client's account for IPN (contracts, section 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpnAccount {
    /// `accountID`.
    pub account_id: String,
    /// The pre-shared key of `verifysign`, 16 bytes.
    pub key: Private,
    /// What is encrypted into `verifysign`.
    pub form: SignedForm,
    /// Tell of failed payments too, with an added `status`.
    pub failures: bool,
}

/// The form of the text inside `verifysign`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignedForm {
    /// A string as PHP serialises it (`s:3:"foo";`): what the document's sample holds.
    Serialised,
    /// The text itself.
    Raw,
}

impl SignedForm {
    /// The word in tables and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Serialised => "serialised",
            Self::Raw => "raw",
        }
    }
}

/// What can be bought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// `productId`.
    pub id: ProductId,
    /// For people.
    pub name: String,
    /// A [`ProductType`](crate::ProductType)'s word (`productTypeName`); of an old row perhaps another.
    pub product_type: String,
    /// `productTypeId`.
    pub product_type_id: i64,
    /// For buyers.
    pub description: String,
    /// For small screens.
    pub short_description: String,
    /// `vendorId`: whose goods they are.
    pub vendor_id: i64,
    /// `vendorName`.
    pub vendor: String,
    /// The channels (`channelId`) on which it is sold; empty = all.
    pub channels: Vec<i32>,
    /// The connector that dispenses it.
    pub supplier: String,
    /// Its currency.
    pub currency: Currency,
    /// Minor units.
    pub min_amount: i64,
    /// Minor units.
    pub max_amount: i64,
    /// The fee that a request must carry.
    pub fee: FeeRule,
    /// What an SMS charge says of it, where that is not the connector's.
    pub mo: MoOfProduct,
    /// The fraud desk of its purchases, whoever the client is.
    pub desk: Option<String>,
    /// Refused when false.
    pub active: bool,
}

/// The fee of a product: a fixed part and a share, rounded half up to the minor unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeeRule {
    /// Minor units.
    pub fixed: i64,
    /// Hundredths of a percent of the purchase amount.
    pub basis_points: i64,
}

impl FeeRule {
    /// The fee of an amount; `None` when it does not fit.
    #[must_use]
    pub fn fee_of(self, purchase_amount: i64) -> Option<i64> {
        let share = purchase_amount.checked_mul(self.basis_points)?.checked_add(5_000)?;
        self.fixed.checked_add(share.checked_div(10_000)?)
    }
}

/// One outside party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connector {
    /// Its name in orders, lanes and commands.
    pub name: String,
    /// What it is.
    pub party: Party,
    /// What speaks to it.
    pub adapter: Adapter,
    /// Where it is.
    pub base_url: String,
    /// It may be called in plain http though it is not on a network of our own.
    pub plain_http: bool,
    /// How an unknown outcome is cleared up.
    pub inquiry: Inquiry,
    /// How long after the last possible send a "not found" is trusted.
    pub settle_time: Duration,
    /// One call, from connect to the last byte.
    pub call_deadline: Duration,
    /// How long a callback is waited for before a person is asked.
    pub callback_wait: Duration,
    /// How long a bank holds reserved funds.
    pub hold: Option<Duration>,
    /// How long before a hold's end, besides a call's lease, the last vend on it may begin.
    pub hold_margin: Duration,
    /// How our calls show who we are.
    pub authentication: Authentication,
    /// What the adapter's document and the party's callbacks take.
    pub secret: Option<Private>,
    /// Codes beyond the contract's tables, mapped to one that is in them.
    pub codes: BTreeMap<String, String>,
    /// What a desk is told and asked; `None` means as a desk without a row of its own.
    pub desk: Option<DeskRules>,
    /// What an SMS charge says of us; only with the adapter `mo-charge`.
    pub mo: Option<MoAccount>,
    /// Our account where buyers pay by card; with the adapter `card-sale` our endpoint there. Only
    /// with the adapters `card-payment` and `card-sale`.
    pub account: Option<String>,
    /// Who may call us as this party; only with the adapter `card-sale`, and `None` = nobody.
    pub callers: Option<crate::Callers>,
    /// No new purchases when false.
    pub active: bool,
    /// No real money, no real goods: for clients of the sandbox only.
    pub sandbox: bool,
}

impl Connector {
    /// The adapter of a funding source, if this build knows it.
    #[must_use]
    pub const fn source(&self) -> Option<SourceAdapter> {
        if let Adapter::Source(adapter) = self.adapter { Some(adapter) } else { None }
    }

    /// The adapter of a supplier, if this build knows it.
    #[must_use]
    pub const fn supplier(&self) -> Option<SupplierAdapter> {
        if let Adapter::Supplier(adapter) = self.adapter { Some(adapter) } else { None }
    }

    /// The adapter of a fraud desk, if this build knows it.
    #[must_use]
    pub const fn desk_adapter(&self) -> Option<DeskAdapter> {
        if let Adapter::Desk(adapter) = self.adapter { Some(adapter) } else { None }
    }

    /// What messages go by, if it is a provider of them.
    #[must_use]
    pub const fn channel(&self) -> Option<NotifyChannel> {
        if let Adapter::Channel(adapter) = self.adapter { Some(adapter) } else { None }
    }

    /// Whether apps pay there.
    #[must_use]
    pub const fn sells_on_devices(&self) -> bool {
        matches!(self.adapter, Adapter::Source(SourceAdapter::CardSale))
    }

    /// The type of a funding source.
    #[must_use]
    pub const fn funding(&self) -> FundingType {
        match self.adapter {
            Adapter::Source(SourceAdapter::MoCharge) => FundingType::MoCharge,
            Adapter::Source(SourceAdapter::CardSale) => FundingType::CardSale,
            Adapter::Source(SourceAdapter::CardPayment) => FundingType::CardPayment,
            Adapter::Source(
                SourceAdapter::Bank | SourceAdapter::Charge | SourceAdapter::ChargeOnly,
            )
            | Adapter::Supplier(_)
            | Adapter::Desk(_)
            | Adapter::Channel(_)
            | Adapter::Unknown(_) => FundingType::Bank,
        }
    }

    /// The secret that verifies this party's callbacks; `None` = nothing that it tells is believed.
    #[must_use]
    pub fn callback_secret(&self) -> Option<&Private> {
        let by = self.authentication.by()?;
        let verifies = by.verifies_callbacks(self.party, self.inquiry);
        self.secret.as_ref().filter(|_| verifies)
    }

    /// Whether a vend's confirmation by callback is taken: a supplier's that can prove who it is.
    #[must_use]
    pub fn takes_confirmations(&self) -> bool {
        self.callback_secret().is_some()
    }

    /// The contract's code for a code of this party: its own map first, then the code itself.
    #[must_use]
    pub fn code<'c>(&'c self, code: &'c str) -> &'c str {
        self.codes.get(code).map_or(code, String::as_str)
    }
}

/// The unit of concurrency, rate and circuit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// Its number in tasks and hints.
    pub id: LaneId,
    /// The kind of task that runs on it.
    pub kind: TaskKind,
    /// The connector's name; for deliver tasks the client's number, with the channel behind a slash
    /// where the channel has a lane of its own (`1001/ipn`).
    pub owner: String,
    /// Calls at the same time, over all processes.
    pub concurrency: u32,
    /// Calls a second, over all processes; 0 = no limit.
    pub rate_per_second: u32,
}

/// Which of a task's plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanClass {
    /// Known not done: try again.
    NotDone,
    /// Outcome unknown: look up again.
    Unknown,
    /// The other side works on it: look up again.
    Pending,
}

/// A retry plan: one version of the waits of a kind, connector and error class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPlan {
    /// The kind of task.
    pub kind: TaskKind,
    /// A connector's name, or `*`.
    pub owner: String,
    /// Which of its plans.
    pub class: PlanClass,
    /// Grows with each change.
    pub version: i32,
    /// The waits in seconds; after the last the plan is exhausted.
    pub delays_seconds: Vec<u32>,
}

/// A snapshot of all of it.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    /// Grows with each import.
    pub version: i64,
    /// An operator has closed the gateways to clients.
    pub maintenance: bool,
    /// By `clientId`.
    pub clients: HashMap<ClientId, Client>,
    /// By `productId`.
    pub products: HashMap<ProductId, Product>,
    /// By name.
    pub connectors: HashMap<String, Connector>,
    /// By number.
    pub lanes: HashMap<LaneId, Lane>,
    /// Newest versions only.
    pub plans: Vec<RetryPlan>,
    /// Keyed hashes of blacklisted sources.
    pub blacklist: HashSet<Vec<u8>>,
    /// The fraud desk's reasons by connector (or `*`) and code.
    pub reasons: HashMap<(String, String), FailureReason>,
    /// Clients' own texts of messages, by event and language (empty = of any).
    pub templates: HashMap<(ClientId, NotifyEvent, String), String>,
    /// Newest versions only, by client (`None` = everybody) and product.
    pub terms: HashMap<(Option<ClientId>, ProductId), Terms>,
    /// Countries and operators.
    pub numbering: Numbering,
}

/// Longer API keys are refused without a look.
pub const API_KEY_BYTES_MAX: usize = 128;

impl Client {
    /// The hashes of everything that opens this client's door.
    pub fn credentials(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.api_key_hashes.iter().chain(&self.oauth_secret_hashes)
    }
}

impl Directory {
    /// The clients whose door this key or secret opens: more than one is nobody's.
    #[must_use]
    pub fn holders_of(&self, hash: &[u8]) -> Vec<ClientId> {
        let has = |client: &&Client| client.credentials().any(|stored| stored == hash);
        self.clients.values().filter(has).map(|client| client.id).collect()
    }

    /// Clients that have a key or secret in common, each pair of them once.
    #[must_use]
    pub fn sharing_a_credential(&self) -> BTreeSet<(ClientId, ClientId)> {
        let mut first: HashMap<&Vec<u8>, ClientId> = HashMap::new();
        let mut found = BTreeSet::new();
        let mut clients: Vec<&Client> = self.clients.values().collect();
        clients.sort_by_key(|client| client.id);
        for client in clients {
            for hash in client.credentials() {
                let holder = *first.entry(hash).or_insert(client.id);
                if holder != client.id {
                    found.insert((holder, client.id));
                }
            }
        }
        found
    }

    /// The lane of a kind for a connector's name or a client's number.
    #[must_use]
    pub fn lane_of(&self, kind: TaskKind, owner: &str) -> Option<LaneId> {
        self.lanes
            .values()
            .find(|lane| lane.kind == kind && lane.owner == owner)
            .map(|lane| lane.id)
    }

    /// The lane of one endpoint of a client: its own, or the client's.
    #[must_use]
    pub fn deliver_lane(&self, client: ClientId, channel: &str) -> Option<LaneId> {
        self.lane_of(TaskKind::Deliver, &endpoint(client, channel))
            .or_else(|| self.lane_of(TaskKind::Deliver, &client.to_string()))
    }

    /// The longest call of any connector of a party; 10 s when there is none.
    #[must_use]
    pub fn longest_call(&self, party: Party) -> Duration {
        let deadlines = self.connectors.values().filter(|c| c.party == party);
        deadlines.map(|c| c.call_deadline).max().unwrap_or(Duration::from_secs(10))
    }

    /// The longest call of a lane: that of the connector that owns it, or of any of the party.
    #[must_use]
    pub fn longest_call_of(&self, lane: LaneId, party: Party) -> Duration {
        let owner = self.lanes.get(&lane).map(|lane| &lane.owner);
        let connector = owner.and_then(|owner| self.connectors.get(owner));
        let of_party = connector.filter(|connector| connector.party == party);
        of_party.map_or_else(|| self.longest_call(party), |connector| connector.call_deadline)
    }

    /// The plan of a kind and class for an owner, or the one for everybody.
    #[must_use]
    pub fn plan(&self, kind: TaskKind, owner: &str, class: PlanClass) -> Option<&RetryPlan> {
        let of = |name: &str| {
            self.plans.iter().find(|p| p.kind == kind && p.class == class && p.owner == name)
        };
        of(owner).or_else(|| of("*"))
    }

    /// The fraud desk's reason for a connector's code: its own row, then that of `*`.
    #[must_use]
    pub fn reason(&self, connector: &str, code: &str) -> Option<FailureReason> {
        let of = |owner: &str| self.reasons.get(&(owner.to_owned(), code.to_owned())).copied();
        of(connector).or_else(|| of("*"))
    }

    /// The wait after `tries` finished exchanges; `None` when the plan is exhausted or missing.
    #[must_use]
    pub fn wait(
        &self,
        kind: TaskKind,
        owner: &str,
        class: PlanClass,
        tries: i32,
    ) -> Option<Duration> {
        let index = usize::try_from(tries).ok()?;
        let plan = self.plan(kind, owner, class)?;
        plan.delays_seconds.get(index).map(|seconds| Duration::from_secs(u64::from(*seconds)))
    }
}

/// The owner of an endpoint's own lane.
#[must_use]
pub fn endpoint(client: ClientId, channel: &str) -> String {
    format!("{client}/{channel}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fee_is_rounded_half_up_and_never_overflows() {
        let rule = FeeRule { fixed: 50, basis_points: 125 };
        assert_eq!(rule.fee_of(10_000), Some(175));
        assert_eq!(rule.fee_of(40), Some(51), "0.5 minor units round up");
        assert_eq!(rule.fee_of(39), Some(50));
        assert_eq!(rule.fee_of(i64::MAX), None);
    }
}
