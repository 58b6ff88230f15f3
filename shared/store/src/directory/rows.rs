//! The form of an import, as the files of a set-up hold it. Every section is optional.

use std::collections::BTreeMap;

use fleet_domain::{
    AddressPolicy, AuthenticateBy, CardAccount, FailureReason, FeeRule, Inquiry, MoAccount,
    MoOfProduct, MsisdnForm, NotifyEvent, OnUnavailable, Party, PlanClass, SignedForm, TaskKind,
    ValidateWhen,
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::callers::CallersRow;
use super::numbering::{CountryRow, OperatorRow, PortedRow, PrefixRow};
use super::terms::TermsRow;

/// Rows to write; what is not named stays as it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DirectoryImport {
    /// Who imports, for the history.
    #[serde(skip)]
    pub actor: String,
    /// Why, for the history; at most 200 characters.
    #[serde(skip)]
    pub reason: Option<String>,
    /// Where clients' endpoints may be: what the senders' settings say.
    #[serde(skip)]
    pub to_clients: AddressPolicy,
    /// `[[client]]`.
    #[serde(rename = "client", skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<ClientRow>,
    /// `[[connector]]`.
    #[serde(rename = "connector", skip_serializing_if = "Vec::is_empty")]
    pub connectors: Vec<ConnectorRow>,
    /// `[[product]]`.
    #[serde(rename = "product", skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<ProductRow>,
    /// `[[plan]]`.
    #[serde(rename = "plan", skip_serializing)]
    pub plans: Vec<PlanRow>,
    /// `[[source]]`: blacklisted buyers.
    #[serde(rename = "source", skip_serializing)]
    pub sources: Vec<SourceRow>,
    /// `[[reason]]`: the fraud desk's reasons.
    #[serde(rename = "reason", skip_serializing)]
    pub reasons: Vec<ReasonRow>,
    /// `[[template]]`: clients' own texts of messages.
    #[serde(rename = "template", skip_serializing)]
    pub templates: Vec<TemplateRow>,
    /// `[[terms]]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub terms: Vec<TermsRow>,
    /// `[[country]]`.
    #[serde(rename = "country", skip_serializing_if = "Vec::is_empty")]
    pub countries: Vec<CountryRow>,
    /// `[[operator]]`.
    #[serde(rename = "operator", skip_serializing_if = "Vec::is_empty")]
    pub operators: Vec<OperatorRow>,
    /// `[[prefix]]`.
    #[serde(rename = "prefix", skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<PrefixRow>,
    /// `[[ported]]`: numbers that moved to another operator.
    #[serde(skip_serializing)]
    pub ported: Vec<PortedRow>,
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
        self.templates.extend(other.templates);
        self.terms.extend(other.terms);
        self.countries.extend(other.countries);
        self.operators.extend(other.operators);
        self.prefixes.extend(other.prefixes);
        self.ported.extend(other.ported);
        self
    }
}

/// A client and its lanes (deliver, and one for each channel with an endpoint of its own).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientRow {
    /// `clientId`.
    pub client_id: i64,
    /// For operators.
    pub name: String,
    /// Refused when false.
    #[serde(default = "yes")]
    pub active: bool,
    /// Served by connectors of the sandbox only, and no other client by those.
    #[serde(default)]
    pub sandbox: bool,
    /// Valid API keys, at most four; stored as hashes. Absent = those that are there.
    #[serde(default, skip_serializing)]
    pub api_keys: Option<Vec<SecretString>>,
    /// The shared secret of `Signature`; absent = the stored one, empty = none any more.
    #[serde(default, skip_serializing)]
    pub signature_secret: Option<SecretString>,
    /// Refuse requests without a `Signature`.
    #[serde(default)]
    pub signature_required: bool,
    /// Secrets that get an access token, at most four; stored as hashes. Absent = those that are
    /// there.
    #[serde(default, skip_serializing)]
    pub oauth_secrets: Option<Vec<SecretString>>,
    /// Refuse requests without a bearer token.
    #[serde(default)]
    pub token_required: bool,
    /// Refuse a purchase while a similar one (source, target, product, amount) is in flight.
    #[serde(default)]
    pub refuse_similar: bool,
    /// Its references are numbers of its own, never card numbers: then none is taken for one.
    #[serde(default)]
    pub references_are_numbers: bool,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipn: Option<IpnRow>,
    /// What it sells by card payment; the channel `card_get` tells how one ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<CardAccount>,
    /// Who sends messages to its buyers and recipients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<NotifyRow>,
    /// The fraud desk of its purchases; needed where there are two, and no product names another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desk: Option<String>,
}

/// A client's account for IPN.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IpnRow {
    /// `accountID`.
    pub account_id: String,
    /// The pre-shared key of `verifysign`, 16 characters; stored under seal. Absent = the stored one.
    #[serde(default, skip_serializing)]
    pub key: Option<SecretString>,
    /// What is encrypted into `verifysign`.
    #[serde(default = "serialised")]
    pub form: SignedForm,
    /// Tell of failed payments too, with an added `status`.
    #[serde(default)]
    pub failures: bool,
}

/// Who sends a client's messages, each a connector of the party `channel`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotifyRow {
    /// Short messages.
    #[serde(default)]
    pub sms: Option<String>,
    /// E-mails.
    #[serde(default)]
    pub email: Option<String>,
    /// Which of the client's templates are taken first.
    #[serde(default)]
    pub language: Option<String>,
}

/// A client's own text of a message.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateRow {
    /// Whose.
    pub client_id: i64,
    /// What it tells: `buyer_failed` or `recipient_success`.
    pub event: NotifyEvent,
    /// Its language; without one it is taken where none of the client's language is there.
    #[serde(default)]
    pub language: String,
    /// At most 600 characters, with placeholders such as `{{amount}}`.
    pub text: String,
}

/// An outside party and its lanes.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
    /// Plain http to a host that is not on a network of our own is meant.
    #[serde(default)]
    pub plain_http: bool,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_seconds: Option<i64>,
    /// How long before a hold's end, besides a call's lease, the last vend on it may begin.
    #[serde(default = "sixty")]
    pub hold_margin_seconds: i64,
    /// How our calls show who we are: `signature` (when absent), `api_key`, `basic`, `mtls` or
    /// `none`. Adapters whose document fixes it take none of these words.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub authenticate: Option<AuthenticateBy>,
    /// The secret, key or password of our calls and of the party's callbacks; absent = the stored
    /// one, empty = none any more.
    #[serde(default, skip_serializing)]
    pub secret: Option<SecretString>,
    /// With `api_key`: the header, `X-API-Key` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_header: Option<String>,
    /// With `basic`: the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// With `mtls`: the certificate and those that sign it, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// With `mtls`: the certificate's private key, PEM; absent = the stored one.
    #[serde(default, skip_serializing)]
    pub certificate_key: Option<SecretString>,
    /// Codes beyond the contract's tables, mapped to one that is in them.
    #[serde(default)]
    pub codes: BTreeMap<String, String>,
    /// `[connector.desk]`, for fraud desks only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desk: Option<DeskRow>,
    /// `[connector.mo]`, with the adapter `mo-charge` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mo: Option<MoAccount>,
    /// Our account, with the adapter `card-payment` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Who may call us as this party; with the adapter `card-sale` only, and must be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callers: Option<CallersRow>,
    /// No new purchases when false.
    #[serde(default = "yes")]
    pub active: bool,
    /// No real money, no real goods: for clients of the sandbox only.
    #[serde(default)]
    pub sandbox: bool,
    /// Calls at the same time, over all processes.
    #[serde(default = "sixty_four")]
    pub concurrency: i64,
    /// Calls a second; 0 = no limit.
    #[serde(default)]
    pub rate_per_second: i64,
}

/// What a fraud desk is told and asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeskRow {
    /// The buyer's MSISDN in reports: `omitted`, `plain` or `encrypted`.
    #[serde(default)]
    pub msisdn: MsisdnForm,
    /// 64 hex digits: the AES-256 key of the encrypted form; absent = the stored one.
    #[serde(default, skip_serializing)]
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
    /// Words of `status` or `message`, and HTTP statuses, by which the desk says that a report is to
    /// be made again later.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub later: Vec<String>,
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
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductRow {
    /// `productId`.
    pub product_id: i64,
    /// For people.
    pub name: String,
    /// A product type's word (`productTypeName`).
    pub product_type: String,
    /// `productTypeId`; 0 = none.
    #[serde(default)]
    pub product_type_id: i64,
    /// For buyers.
    #[serde(default)]
    pub description: String,
    /// For small screens.
    #[serde(default)]
    pub short_description: String,
    /// `vendorId`: whose goods they are; 0 = nobody's.
    #[serde(default)]
    pub vendor_id: i64,
    /// `vendorName`.
    #[serde(default)]
    pub vendor: String,
    /// The channels (`channelId`) on which it is sold; empty = all.
    #[serde(default)]
    pub channels: Vec<i32>,
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
    /// `[product.mo]`: what an SMS charge says of it, where that is not the connector's.
    #[serde(default, skip_serializing_if = "MoOfProduct::is_empty")]
    pub mo: MoOfProduct,
    /// The fraud desk of its purchases, whoever the client is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desk: Option<String>,
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

/// An export says only what differs from a signature.
fn is_usual(by: &Option<AuthenticateBy>) -> bool {
    by.unwrap_or_default() == AuthenticateBy::Signature
}

const fn serialised() -> SignedForm {
    SignedForm::Serialised
}

pub(super) const fn yes() -> bool {
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

pub(super) fn all() -> String {
    "*".to_owned()
}
