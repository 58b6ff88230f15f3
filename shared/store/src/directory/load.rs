//! The directory as one snapshot, its secrets unsealed.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use fleet_domain::{
    Adapter, Authentication, CardAccount, Client, ClientId, Connector, Country, Currency,
    DeskRules, Directory, FailureReason, FeeRule, Inquiry, IpnAccount, Lane, LaneId, MoAccount,
    MoOfProduct, MsisdnForm, NotifyChannel, NotifyEvent, NotifyRules, OnUnavailable, Operator,
    Party, PlanClass, Private, Product, ProductId, RetryPlan, SignedForm, TaskKind, ValidateWhen,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::authenticate::Stored;
use super::callers;
use super::numbering::{StoredCountry, StoredOperator};
use super::terms::StoredTerms;
use crate::pool::{get, no_row};
use crate::{Store, StoreError};

/// Table and column of a connector's secret.
pub(super) const CONNECTOR_SECRET: &str = "connector.secret";
/// Table and column of the key of our certificate for a connector.
pub(super) const CERTIFICATE_KEY: &str = "connector.certificate_key";
/// Table and column of a client's key for `verifysign`.
pub(super) const CLIENT_IPN_KEY: &str = "client.ipn_key";
/// Table and column of the key of a desk's MSISDNs.
pub(super) const DESK_KEY: &str = "connector.desk_msisdn_key";
/// Table and column of a client's secret.
pub(super) const CLIENT_SECRET: &str = "client.signature_secret";

#[derive(Deserialize)]
struct StoredClient {
    client_id: i64,
    name: String,
    active: bool,
    sandbox: bool,
    api_key_hashes: Vec<String>,
    signature_secret_sealed: Option<String>,
    signature_required: bool,
    oauth_secret_hashes: Vec<String>,
    token_required: bool,
    tokens_valid_from: Option<DateTime<Utc>>,
    refuse_similar: bool,
    references_are_numbers: bool,
    broker_users: Vec<String>,
    answer_within_ms: u64,
    start_within_seconds: u64,
    default_funding_source: Option<String>,
    channels: BTreeMap<String, String>,
    ipn_account_id: Option<String>,
    ipn_key_sealed: Option<String>,
    ipn_form: Option<SignedForm>,
    ipn_failures: bool,
    card: Option<CardAccount>,
    notify: Option<StoredNotify>,
    desk: Option<String>,
}

#[derive(Deserialize)]
struct StoredNotify {
    sms: Option<String>,
    email: Option<String>,
    language: Option<String>,
}

#[derive(Deserialize)]
struct StoredTemplate {
    client_id: i64,
    event: NotifyEvent,
    language: String,
    text: String,
}

#[derive(Deserialize)]
struct StoredConnector {
    name: String,
    party: Party,
    adapter: String,
    base_url: String,
    plain_http: bool,
    inquiry: Inquiry,
    settle_time_seconds: u64,
    call_deadline_ms: u64,
    callback_wait_seconds: u64,
    hold_seconds: Option<u64>,
    hold_margin_seconds: u64,
    secret_sealed: Option<String>,
    authenticate: Option<Stored>,
    certificate_key_sealed: Option<String>,
    codes: BTreeMap<String, String>,
    active: bool,
    sandbox: bool,
    desk: Option<StoredDesk>,
    desk_msisdn_key_sealed: Option<String>,
    mo: Option<MoAccount>,
    account: Option<String>,
    callers_sealed: Option<String>,
}

#[derive(Deserialize)]
struct StoredDesk {
    msisdn: MsisdnForm,
    validate: ValidateWhen,
    on_unavailable: OnUnavailable,
    validate_within_seconds: u64,
    #[serde(default)]
    later: Vec<String>,
}

#[derive(Deserialize)]
struct StoredReason {
    connector: String,
    code: String,
    reason: FailureReason,
}

#[derive(Deserialize)]
struct StoredProduct {
    product_id: i64,
    name: String,
    product_type: String,
    product_type_id: i64,
    description: String,
    short_description: String,
    vendor_id: i64,
    vendor: String,
    channels: Vec<i32>,
    supplier: String,
    currency: Currency,
    min_amount: i64,
    max_amount: i64,
    fee_fixed: i64,
    fee_basis_points: i64,
    mo: MoOfProduct,
    desk: Option<String>,
    active: bool,
}

#[derive(Deserialize)]
struct StoredLane {
    lane: i32,
    kind: i16,
    owner: String,
    concurrency: u32,
    rate_per_second: u32,
}

#[derive(Deserialize)]
struct StoredPlan {
    kind: i16,
    owner: String,
    class: PlanClass,
    version: i32,
    delays_seconds: Vec<u32>,
}

#[derive(Deserialize)]
struct StoredSource {
    source_hash: String,
    reason: String,
}

/// The directory, and what only imports look at.
pub(super) struct Loaded {
    pub(super) directory: Directory,
    pub(super) reasons: BTreeMap<Vec<u8>, String>,
}

impl Store {
    /// The present directory.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away, or when a secret cannot be unsealed.
    pub async fn load_directory(&self) -> Result<Directory, StoreError> {
        Ok(self.load_all().await?.directory)
    }

    /// The present directory for people: a secret that cannot be unsealed is an empty one, and named.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn load_directory_partly(&self) -> Result<(Directory, Vec<String>), StoreError> {
        let mut unreadable = Vec::new();
        let mut unseal = |owner: &str, column: &str, row: Uuid, sealed: &[u8]| {
            let unsealed = self.keyring().unseal(column, row, sealed);
            Ok(unsealed.unwrap_or_else(|error| {
                unreadable.push(format!("{owner}: {error}"));
                Private::new(String::new())
            }))
        };
        let directory = self.load_with(&mut unseal).await?.directory;
        Ok((directory, unreadable))
    }

    /// The number of the present directory, which grows with each change of it, and the database's
    /// time.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn directory_version(&self) -> Result<(i64, DateTime<Utc>), StoreError> {
        let query = sqlx::query("select version, fleet_now() from directory_version");
        let row = self.row(query).await?.ok_or_else(no_row)?;
        Ok((get(&row, 0)?, get(&row, 1)?))
    }

    pub(super) async fn load_all(&self) -> Result<Loaded, StoreError> {
        let unseal = &mut |owner: &str, column: &str, row: Uuid, sealed: &[u8]| {
            let unsealed = self.keyring().unseal(column, row, sealed);
            unsealed.map_err(|error| StoreError::Unreadable(format!("{owner}: {error}")))
        };
        self.load_with(unseal).await
    }

    async fn load_with(&self, unseal: Unseal<'_>) -> Result<Loaded, StoreError> {
        let row = self.row(sqlx::query(include_str!("load.sql"))).await?.ok_or_else(no_row)?;
        let mut directory = Directory {
            version: get(&row, "version")?,
            maintenance: get(&row, "maintenance")?,
            ..Directory::default()
        };
        for stored in list::<StoredClient>(&row, "clients")? {
            let client = client(unseal, stored)?;
            directory.clients.insert(client.id, client);
        }
        for stored in list::<StoredConnector>(&row, "connectors")? {
            let connector = connector(unseal, stored)?;
            directory.connectors.insert(connector.name.clone(), connector);
        }
        for stored in list::<StoredProduct>(&row, "products")? {
            directory.products.insert(ProductId(stored.product_id), product(stored));
        }
        for stored in list::<StoredLane>(&row, "lanes")? {
            let lane = Lane {
                id: LaneId(stored.lane),
                kind: kind(stored.kind)?,
                owner: stored.owner,
                concurrency: stored.concurrency,
                rate_per_second: stored.rate_per_second,
            };
            directory.lanes.insert(lane.id, lane);
        }
        for stored in list::<StoredPlan>(&row, "plans")? {
            directory.plans.push(RetryPlan {
                kind: kind(stored.kind)?,
                owner: stored.owner,
                class: stored.class,
                version: stored.version,
                delays_seconds: stored.delays_seconds,
            });
        }
        for stored in list::<StoredReason>(&row, "reasons")? {
            directory.reasons.insert((stored.connector, stored.code), stored.reason);
        }
        for stored in list::<StoredTemplate>(&row, "templates")? {
            let key = (ClientId(stored.client_id), stored.event, stored.language);
            directory.templates.insert(key, stored.text);
        }
        catalogue(&row, &mut directory)?;
        let mut reasons = BTreeMap::new();
        for stored in list::<StoredSource>(&row, "sources")? {
            let hash = bytes(&stored.source_hash, "source_blacklist.source_hash")?;
            directory.blacklist.insert(hash.clone());
            reasons.insert(hash, stored.reason);
        }
        Ok(Loaded { directory, reasons })
    }
}

fn catalogue(row: &PgRow, directory: &mut Directory) -> Result<(), StoreError> {
    for stored in list::<StoredTerms>(row, "terms")? {
        let terms = stored.into_terms();
        directory.terms.insert((terms.client, terms.product), terms);
    }
    for stored in list::<StoredCountry>(row, "countries")? {
        let country = Country::from(stored);
        directory.numbering.countries.insert(country.code.clone(), country);
    }
    for stored in list::<StoredOperator>(row, "operators")? {
        let operator = Operator::from(stored);
        directory.numbering.operators.insert(operator.code.clone(), operator);
    }
    let prefixes: serde_json::Value = get(row, "prefixes")?;
    directory.numbering.prefixes = serde_json::from_value(prefixes)
        .map_err(|_error| StoreError::Unreadable("directory: prefixes".to_owned()))?;
    Ok(())
}

/// The row id that a connector's secret is bound to.
pub(super) fn connector_row(name: &str) -> Uuid {
    row_id("connector", name)
}

/// The row id that a client's secret is bound to.
pub(super) fn client_row(id: ClientId) -> Uuid {
    row_id("client", &id.to_string())
}

/// Rows without a UUID of their own get one that follows from their key.
fn row_id(table: &str, key: &str) -> Uuid {
    let hash = Sha256::digest(format!("{table}:{key}"));
    let id = hash.first_chunk::<16>().copied().unwrap_or_default();
    Uuid::from_bytes(id)
}

fn list<T: DeserializeOwned>(row: &PgRow, column: &str) -> Result<Vec<T>, StoreError> {
    let value: serde_json::Value = get(row, column)?;
    serde_json::from_value(value)
        .map_err(|_error| StoreError::Unreadable(format!("directory: {column}")))
}

fn kind(code: i16) -> Result<TaskKind, StoreError> {
    TaskKind::from_code(code)
        .ok_or_else(|| StoreError::Unreadable("directory: kind of task".to_owned()))
}

/// Bytes as Postgres writes them into JSON (`\x…`), or plain hexadecimal.
fn bytes(text: &str, column: &str) -> Result<Vec<u8>, StoreError> {
    hex::decode(text.strip_prefix("\\x").unwrap_or(text))
        .map_err(|_error| StoreError::Unreadable(column.to_owned()))
}

/// How a secret is read: whose, its column, the row that it is bound to, and the sealed bytes.
type Unseal<'a> =
    &'a mut (dyn FnMut(&str, &str, Uuid, &[u8]) -> Result<Private, StoreError> + Send);

fn secret(
    unseal: Unseal<'_>,
    owner: &str,
    column: &str,
    row: Uuid,
    sealed: Option<String>,
) -> Result<Option<Private>, StoreError> {
    let Some(sealed) = sealed else { return Ok(None) };
    unseal(owner, column, row, &bytes(&sealed, column)?).map(Some)
}

fn client(unseal: Unseal<'_>, stored: StoredClient) -> Result<Client, StoreError> {
    let id = ClientId(stored.client_id);
    let owner = format!("client {id}");
    let hashes = stored.api_key_hashes.iter().map(|hash| bytes(hash, "client.api_key_hashes"));
    let secrets = stored.oauth_secret_hashes.iter();
    let secrets = secrets.map(|hash| bytes(hash, "client.oauth_secret_hashes"));
    let key = secret(unseal, &owner, CLIENT_IPN_KEY, client_row(id), stored.ipn_key_sealed)?;
    let ipn = stored.ipn_account_id.zip(key).zip(stored.ipn_form);
    Ok(Client {
        id,
        name: stored.name,
        active: stored.active,
        sandbox: stored.sandbox,
        api_key_hashes: hashes.collect::<Result<_, _>>()?,
        signature_secret: secret(
            unseal,
            &owner,
            CLIENT_SECRET,
            client_row(id),
            stored.signature_secret_sealed,
        )?,
        signature_required: stored.signature_required,
        oauth_secret_hashes: secrets.collect::<Result<_, _>>()?,
        token_required: stored.token_required,
        tokens_valid_from: stored.tokens_valid_from,
        refuse_similar: stored.refuse_similar,
        references_are_numbers: stored.references_are_numbers,
        broker_users: stored.broker_users,
        answer_within: Duration::from_millis(stored.answer_within_ms),
        start_within: Duration::from_secs(stored.start_within_seconds),
        default_funding_source: stored.default_funding_source,
        channels: stored.channels,
        ipn: ipn.map(|((account_id, key), form)| {
            let failures = stored.ipn_failures;
            IpnAccount { account_id, key, form, failures }
        }),
        card: stored.card,
        notify: stored.notify.map(notify).unwrap_or_default(),
        desk: stored.desk,
    })
}

fn notify(stored: StoredNotify) -> NotifyRules {
    let named = [(NotifyChannel::Sms, stored.sms), (NotifyChannel::Email, stored.email)];
    let connectors = named.into_iter().filter_map(|(channel, name)| Some((channel, name?)));
    NotifyRules { connectors: connectors.collect(), language: stored.language }
}

fn connector(unseal: Unseal<'_>, stored: StoredConnector) -> Result<Connector, StoreError> {
    let owner = format!("connector {}", stored.name);
    let row = connector_row(&stored.name);
    let key = secret(unseal, &owner, DESK_KEY, row, stored.desk_msisdn_key_sealed)?;
    let own = secret(unseal, &owner, CONNECTOR_SECRET, row, stored.secret_sealed)?;
    let certificate_key =
        secret(unseal, &owner, CERTIFICATE_KEY, row, stored.certificate_key_sealed)?;
    let authentication = match stored.authenticate {
        Some(how) => how.with(own.as_ref(), certificate_key),
        None => Some(Authentication::ByAdapter),
    };
    let incomplete = || StoreError::Unreadable(format!("{owner}: authenticate"));
    let callers = secret(unseal, &owner, callers::CALLERS, row, stored.callers_sealed)?;
    Ok(Connector {
        authentication: authentication.ok_or_else(incomplete)?,
        desk: stored.desk.map(|desk| DeskRules {
            msisdn: desk.msisdn,
            msisdn_key: key,
            validate: desk.validate,
            on_unavailable: desk.on_unavailable,
            validate_within: Duration::from_secs(desk.validate_within_seconds),
            later: desk.later,
        }),
        secret: own,
        name: stored.name,
        party: stored.party,
        adapter: Adapter::of(stored.party, &stored.adapter),
        base_url: stored.base_url,
        plain_http: stored.plain_http,
        inquiry: stored.inquiry,
        settle_time: Duration::from_secs(stored.settle_time_seconds),
        call_deadline: Duration::from_millis(stored.call_deadline_ms),
        callback_wait: Duration::from_secs(stored.callback_wait_seconds),
        hold: stored.hold_seconds.map(Duration::from_secs),
        hold_margin: Duration::from_secs(stored.hold_margin_seconds),
        codes: stored.codes,
        mo: stored.mo,
        account: stored.account,
        // Where it cannot be read, nobody is let in.
        callers: callers.as_ref().and_then(callers::from_stored),
        active: stored.active,
        sandbox: stored.sandbox,
    })
}

fn product(stored: StoredProduct) -> Product {
    Product {
        id: ProductId(stored.product_id),
        name: stored.name,
        product_type: stored.product_type,
        product_type_id: stored.product_type_id,
        description: stored.description,
        short_description: stored.short_description,
        vendor_id: stored.vendor_id,
        vendor: stored.vendor,
        channels: stored.channels,
        supplier: stored.supplier,
        currency: stored.currency,
        min_amount: stored.min_amount,
        max_amount: stored.max_amount,
        fee: FeeRule { fixed: stored.fee_fixed, basis_points: stored.fee_basis_points },
        mo: stored.mo,
        desk: stored.desk,
        active: stored.active,
    }
}
