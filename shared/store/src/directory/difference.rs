//! What an import changes: only rows that differ are written, so that the same import again changes
//! nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use fleet_domain::{
    Client, ClientId, Connector, Currency, DeskRules, IpnAccount, Lane, Party, Private, Product,
    ProductId, TaskKind, endpoint,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::check::bare;
use super::load::{
    CLIENT_IPN_KEY, CLIENT_SECRET, CONNECTOR_SECRET, DESK_KEY, Loaded, client_row, connector_row,
};
use super::rows::{
    ClientRow, ConnectorRow, DeskRow, DirectoryImport, PlanRow, ProductRow, ReasonRow, SourceRow,
};
use crate::{Keyring, StoreError};

/// Rows to write, and what they change in words.
#[derive(Default)]
pub(super) struct Difference {
    pub(super) changes: Vec<String>,
    clients: Vec<Value>,
    connectors: Vec<Value>,
    products: Vec<Value>,
    lanes: Vec<Value>,
    plans: Vec<Value>,
    sources: Vec<Value>,
    reasons: Vec<Value>,
}

impl Difference {
    /// The difference between a checked import and what is there.
    pub(super) fn of(
        keyring: &Keyring,
        import: &DirectoryImport,
        loaded: &Loaded,
    ) -> Result<Self, StoreError> {
        let mut difference = Self::default();
        for row in &import.connectors {
            difference.connector(keyring, row, loaded);
        }
        for row in &import.clients {
            difference.client(keyring, row, loaded);
        }
        for row in &import.products {
            difference.product(row, loaded)?;
        }
        for row in &import.plans {
            difference.plan(row, loaded);
        }
        for row in &import.reasons {
            difference.reason(row, loaded);
        }
        for row in &import.sources {
            difference.source(keyring, row, loaded);
        }
        Ok(difference)
    }

    /// The rows, for the import function.
    pub(super) fn rows(&self) -> Value {
        json!({
            "clients": self.clients, "connectors": self.connectors, "products": self.products,
            "lanes": self.lanes, "plans": self.plans, "sources": self.sources,
            "reasons": self.reasons,
        })
    }

    fn change(&mut self, what: &str, is_new: bool) {
        self.changes.push(format!("{what} {}", if is_new { "added" } else { "changed" }));
    }

    fn client(&mut self, keyring: &Keyring, row: &ClientRow, loaded: &Loaded) {
        let id = ClientId(row.client_id);
        let wanted = wanted_client(row);
        let before = loaded.directory.clients.get(&id);
        if before != Some(&wanted) {
            self.change(&format!("client {id}"), before.is_none());
            let secret = sealed(keyring, CLIENT_SECRET, client_row(id), &wanted.signature_secret);
            let ipn = wanted.ipn.as_ref();
            let key = ipn.map(|ipn| ipn.key.clone());
            let key = sealed(keyring, CLIENT_IPN_KEY, client_row(id), &key);
            let hashes: Vec<String> = wanted.api_key_hashes.iter().map(hex::encode).collect();
            self.clients.push(json!({
                "client_id": row.client_id, "name": row.name, "active": row.active,
                "api_key_hashes": hashes, "signature_secret_sealed": secret,
                "signature_required": row.signature_required, "broker_users": row.broker_users,
                "answer_within_ms": row.answer_within_ms,
                "start_within_seconds": row.start_within_seconds,
                "default_funding_source": row.default_funding_source, "channels": row.channels,
                "ipn_account_id": ipn.map(|ipn| &ipn.account_id), "ipn_key_sealed": key,
                "ipn_form": ipn.map(|ipn| ipn.form.name()),
            }));
        }
        let limits = (row.concurrency, row.rate_per_second);
        self.lanes_of(&[TaskKind::Deliver, TaskKind::Notify], &id.to_string(), limits, loaded);
        if row.channels.contains_key("ipn") {
            self.lanes_of(&[TaskKind::Deliver], &endpoint(id, "ipn"), limits, loaded);
        }
    }

    fn connector(&mut self, keyring: &Keyring, row: &ConnectorRow, loaded: &Loaded) {
        let wanted = wanted_connector(row);
        let before = loaded.directory.connectors.get(&row.name);
        if before != Some(&wanted) {
            self.change(&format!("connector {}", row.name), before.is_none());
            let id = connector_row(&row.name);
            let key = wanted.desk.as_ref().and_then(|desk| desk.msisdn_key.clone());
            self.connectors.push(json!({
                "name": row.name, "party": row.party, "adapter": row.adapter,
                "base_url": row.base_url, "inquiry": row.inquiry,
                "settle_time_seconds": row.settle_time_seconds,
                "call_deadline_ms": row.call_deadline_ms,
                "callback_wait_seconds": row.callback_wait_seconds,
                "hold_seconds": row.hold_seconds,
                "hold_margin_seconds": row.hold_margin_seconds,
                "secret_sealed": sealed(keyring, CONNECTOR_SECRET, id, &wanted.secret),
                "codes": row.codes, "active": row.active, "desk": row.desk.as_ref().map(desk),
                "desk_msisdn_key_sealed": sealed(keyring, DESK_KEY, id, &key),
            }));
        }
        let kinds: &[TaskKind] = match row.party {
            Party::Bank => &[TaskKind::Reserve, TaskKind::Settle, TaskKind::Refund],
            Party::Supplier => &[TaskKind::Dispense],
            Party::Desk => &[TaskKind::Report, TaskKind::Validate],
        };
        self.lanes_of(kinds, &row.name, (row.concurrency, row.rate_per_second), loaded);
    }

    fn lanes_of(&mut self, kinds: &[TaskKind], owner: &str, limits: (i64, i64), loaded: &Loaded) {
        for kind in kinds {
            let before: Option<&Lane> = loaded
                .directory
                .lanes
                .values()
                .find(|lane| lane.kind == *kind && lane.owner == owner);
            let same = before.is_some_and(|lane| {
                (i64::from(lane.concurrency), i64::from(lane.rate_per_second)) == limits
            });
            if same {
                continue;
            }
            self.change(&format!("lane {kind} {owner}"), before.is_none());
            self.lanes.push(json!({
                "kind": kind.code(), "owner": owner, "concurrency": limits.0,
                "rate_per_second": limits.1,
            }));
        }
    }

    fn product(&mut self, row: &ProductRow, loaded: &Loaded) -> Result<(), StoreError> {
        let wanted = wanted_product(row)?;
        let before = loaded.directory.products.get(&wanted.id);
        if before != Some(&wanted) {
            self.change(&format!("product {}", wanted.id), before.is_none());
            self.products.push(json!({
                "product_id": row.product_id, "name": row.name, "product_type": row.product_type,
                "supplier": row.supplier, "currency": row.currency, "min_amount": row.min_amount,
                "max_amount": row.max_amount, "fee_fixed": row.fee.fixed,
                "fee_basis_points": row.fee.basis_points, "active": row.active,
            }));
        }
        Ok(())
    }

    /// Plans are versioned: another list of delays is a new version, and the old one stays.
    fn plan(&mut self, row: &PlanRow, loaded: &Loaded) {
        let before = loaded.directory.plans.iter().find(|plan| {
            plan.kind == row.kind && plan.owner == row.owner && plan.class == row.class
        });
        let same = before.is_some_and(|plan| {
            plan.delays_seconds
                .iter()
                .copied()
                .map(i64::from)
                .eq(row.delays_seconds.iter().copied())
        });
        if same {
            return;
        }
        let version = before.map_or(1, |plan| plan.version.saturating_add(1));
        let what = format!("plan {} version {version}", super::check::plan_name(row));
        self.change(&what, true);
        self.plans.push(json!({
            "kind": row.kind.code(), "owner": row.owner, "class": row.class, "version": version,
            "delays_seconds": row.delays_seconds,
        }));
    }

    fn reason(&mut self, row: &ReasonRow, loaded: &Loaded) {
        let key = (row.connector.clone(), row.code.clone());
        let before = loaded.directory.reasons.get(&key);
        if before != Some(&row.reason) {
            self.change(&format!("reason of {} {}", row.connector, row.code), before.is_none());
            self.reasons.push(json!({
                "connector": row.connector, "code": row.code, "reason": row.reason,
            }));
        }
    }

    fn source(&mut self, keyring: &Keyring, row: &SourceRow, loaded: &Loaded) {
        let hash = keyring.lookup_hash("source", &bare(row.source.expose_secret()));
        let before = loaded.reasons.get(&hash);
        if before != Some(&row.reason) {
            self.change("a blacklisted source", before.is_none());
            self.sources.push(json!({ "source_hash": hex::encode(&hash), "reason": row.reason }));
        }
    }
}

fn sealed(
    keyring: &Keyring,
    column: &str,
    row: uuid::Uuid,
    secret: &Option<Private>,
) -> Option<String> {
    secret.as_ref().map(|secret| hex::encode(keyring.seal(column, row, secret.expose())))
}

fn private(secret: &Option<SecretString>) -> Option<Private> {
    secret.as_ref().map(|secret| Private::new(secret.expose_secret()))
}

fn desk(row: &DeskRow) -> Value {
    json!({
        "msisdn": row.msisdn, "validate": row.validate, "on_unavailable": row.on_unavailable,
        "validate_within_seconds": row.validate_within_seconds,
    })
}

fn number(checked: i64) -> u64 {
    u64::try_from(checked).unwrap_or(0)
}

fn wanted_client(row: &ClientRow) -> Client {
    let hash = |key: &SecretString| Sha256::digest(key.expose_secret()).to_vec();
    Client {
        id: ClientId(row.client_id),
        name: row.name.clone(),
        active: row.active,
        api_key_hashes: row.api_keys.iter().map(hash).collect(),
        signature_secret: private(&row.signature_secret),
        signature_required: row.signature_required,
        broker_users: row.broker_users.clone(),
        answer_within: Duration::from_millis(number(row.answer_within_ms)),
        start_within: Duration::from_secs(number(row.start_within_seconds)),
        default_funding_source: row.default_funding_source.clone(),
        channels: row.channels.clone(),
        ipn: row.ipn.as_ref().map(|ipn| IpnAccount {
            account_id: ipn.account_id.clone(),
            key: Private::new(ipn.key.expose_secret()),
            form: ipn.form,
        }),
    }
}

fn wanted_connector(row: &ConnectorRow) -> Connector {
    let codes: BTreeMap<String, String> = row.codes.clone();
    Connector {
        name: row.name.clone(),
        party: row.party,
        adapter: row.adapter.clone(),
        base_url: row.base_url.clone(),
        inquiry: row.inquiry,
        settle_time: Duration::from_secs(number(row.settle_time_seconds)),
        call_deadline: Duration::from_millis(number(row.call_deadline_ms)),
        callback_wait: Duration::from_secs(number(row.callback_wait_seconds)),
        hold: row.hold_seconds.map(|hold| Duration::from_secs(number(hold))),
        hold_margin: Duration::from_secs(number(row.hold_margin_seconds)),
        secret: private(&row.secret),
        codes,
        desk: row.desk.as_ref().map(|desk| DeskRules {
            msisdn: desk.msisdn,
            msisdn_key: private(&desk.msisdn_key),
            validate: desk.validate,
            on_unavailable: desk.on_unavailable,
            validate_within: Duration::from_secs(number(desk.validate_within_seconds)),
        }),
        active: row.active,
    }
}

fn wanted_product(row: &ProductRow) -> Result<Product, StoreError> {
    Ok(Product {
        id: ProductId(row.product_id),
        name: row.name.clone(),
        product_type: row.product_type.clone(),
        supplier: row.supplier.clone(),
        currency: Currency::from_code(&row.currency)
            .map_err(|_error| StoreError::misuse("the import was not checked"))?,
        min_amount: row.min_amount,
        max_amount: row.max_amount,
        fee: row.fee,
        active: row.active,
    })
}
