//! What an import changes: only rows that differ are written, so that the same import again changes
//! nothing.

use std::time::Duration;

use fleet_contracts::{CARD_GET, IPN};
use fleet_domain::{
    Client, ClientId, Directory, IpnAccount, Lane, NotifyChannel, NotifyRules, Party, Private,
    TaskKind, endpoint, kept,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::connectors::{connector_json, connector_secrets, wanted_connector};
use super::export;
use super::load::{CLIENT_IPN_KEY, CLIENT_SECRET, Loaded, client_row};
use super::products::{product_json, wanted_product};
use super::rows::{
    ClientRow, ConnectorRow, DirectoryImport, NotifyRow, PlanRow, ProductRow, ReasonRow, SourceRow,
    TemplateRow,
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
    templates: Vec<Value>,
    pub(super) terms: Vec<Value>,
    pub(super) countries: Vec<Value>,
    pub(super) operators: Vec<Value>,
    pub(super) prefixes: Vec<Value>,
    pub(super) ported: Vec<Value>,
    history: Vec<Value>,
}

/// One row's change, for the history.
pub(super) struct Entry {
    pub(super) section: &'static str,
    pub(super) key: String,
    /// As an export says it; `None` = it was not there.
    pub(super) before: Option<Value>,
    pub(super) after: Value,
    /// Secrets that changed: their names only.
    pub(super) secrets: Vec<&'static str>,
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
            difference.connector(keyring, row, loaded)?;
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
        for row in &import.terms {
            super::terms::difference(&mut difference, row, loaded);
        }
        super::numbering::difference(&mut difference, import, loaded);
        for row in &import.reasons {
            difference.reason(row, loaded);
        }
        for row in &import.templates {
            difference.template(row, loaded);
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
            "reasons": self.reasons, "terms": self.terms, "countries": self.countries,
            "operators": self.operators, "prefixes": self.prefixes, "ported": self.ported,
            "templates": self.templates, "history": self.history,
        })
    }

    /// Remembers which fields changed, from what to what.
    pub(super) fn record(&mut self, entry: Entry) {
        let mut fields = serde_json::Map::new();
        let before = entry.before.as_ref().and_then(Value::as_object);
        let after = entry.after.as_object();
        let names = before.into_iter().chain(after).flat_map(serde_json::Map::keys);
        for name in names {
            let of = |row: Option<&serde_json::Map<String, Value>>| {
                row.and_then(|row| row.get(name)).cloned().unwrap_or(Value::Null)
            };
            let (old, new) = (of(before), of(after));
            if old != new {
                fields.insert(name.clone(), json!({ "before": old, "after": new }));
            }
        }
        for name in entry.secrets {
            fields.insert(name.to_owned(), json!("changed"));
        }
        if !fields.is_empty() {
            let kind = if entry.before.is_none() { "added" } else { "changed" };
            self.history.push(json!({
                "section": entry.section, "key": entry.key, "change_kind": kind, "fields": fields,
            }));
        }
    }

    pub(super) fn change(&mut self, what: &str, is_new: bool) {
        self.changes.push(format!("{what} {}", if is_new { "added" } else { "changed" }));
    }

    fn client(&mut self, keyring: &Keyring, row: &ClientRow, loaded: &Loaded) {
        let id = ClientId(row.client_id);
        let before = loaded.directory.clients.get(&id);
        let wanted = wanted_client(row, before);
        self.record(Entry {
            section: "client",
            key: id.to_string(),
            before: before.map(|before| json!(export::client(&loaded.directory, before))),
            after: json!(row),
            secrets: client_secrets(before, &wanted),
        });
        if before != Some(&wanted) {
            self.change(&format!("client {id}"), before.is_none());
            self.clients.push(client_json(keyring, &wanted));
        }
        let limits = (row.concurrency, row.rate_per_second);
        self.lanes_of(&[TaskKind::Deliver], &id.to_string(), limits, loaded);
        for channel in [IPN, CARD_GET].iter().filter(|name| row.channels.contains_key(**name)) {
            self.lanes_of(&[TaskKind::Deliver], &endpoint(id, channel), limits, loaded);
        }
    }

    /// A client's new API keys.
    pub(super) fn keys(&mut self, keyring: &Keyring, directory: &Directory, wanted: &Client) {
        let before = directory.clients.get(&wanted.id);
        self.change(&format!("client {}", wanted.id), false);
        let row = json!(export::client(directory, wanted));
        self.record(Entry {
            section: "client",
            key: wanted.id.to_string(),
            before: Some(row.clone()),
            after: row,
            secrets: client_secrets(before, wanted),
        });
        self.clients.push(client_json(keyring, wanted));
    }

    fn connector(
        &mut self,
        keyring: &Keyring,
        row: &ConnectorRow,
        loaded: &Loaded,
    ) -> Result<(), StoreError> {
        let before = loaded.directory.connectors.get(&row.name);
        let wanted = wanted_connector(row, before)?;
        self.record(Entry {
            section: "connector",
            key: row.name.clone(),
            before: before.map(|before| json!(export::connector(&loaded.directory, before))),
            after: json!(row),
            secrets: connector_secrets(before, &wanted),
        });
        if before != Some(&wanted) {
            self.change(&format!("connector {}", row.name), before.is_none());
            self.connectors.push(connector_json(keyring, row, &wanted));
        }
        let kinds: &[TaskKind] = match row.party {
            Party::Bank => &[TaskKind::Reserve, TaskKind::Settle, TaskKind::Refund],
            Party::Supplier => &[TaskKind::Dispense],
            Party::Desk => &[TaskKind::Report, TaskKind::Validate],
            Party::Channel => &[TaskKind::Notify],
        };
        self.lanes_of(kinds, &row.name, (row.concurrency, row.rate_per_second), loaded);
        Ok(())
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
            self.record(Entry {
                section: "product",
                key: row.product_id.to_string(),
                before: before.map(|before| json!(export::product(before))),
                after: json!(row),
                secrets: Vec::new(),
            });
            self.products.push(product_json(row));
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
        let delays = |delays: &Value| json!({ "delays_seconds": delays });
        self.record(Entry {
            section: "plan",
            key: super::check::plan_name(row),
            before: before.map(|before| delays(&json!(before.delays_seconds))),
            after: delays(&json!(row.delays_seconds)),
            secrets: Vec::new(),
        });
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
            self.record(Entry {
                section: "reason",
                key: format!("{} {}", row.connector, row.code),
                before: before.map(|before| json!({ "reason": before })),
                after: json!({ "reason": row.reason }),
                secrets: Vec::new(),
            });
            self.reasons.push(json!({
                "connector": row.connector, "code": row.code, "reason": row.reason,
            }));
        }
    }

    fn template(&mut self, row: &TemplateRow, loaded: &Loaded) {
        let id = ClientId(row.client_id);
        let before = loaded.directory.templates.get(&(id, row.event, row.language.clone()));
        if before != Some(&row.text) {
            self.change(&super::check::template_name(row), before.is_none());
            self.record(Entry {
                section: "template",
                key: super::check::template_name(row),
                before: before.map(|before| json!({ "text": before })),
                after: json!({ "text": row.text }),
                secrets: Vec::new(),
            });
            self.templates.push(json!({
                "client_id": row.client_id, "event": row.event, "language": row.language,
                "text": row.text,
            }));
        }
    }

    fn source(&mut self, keyring: &Keyring, row: &SourceRow, loaded: &Loaded) {
        let hash = keyring.lookup_hash("source", &kept(row.source.expose_secret()));
        let before = loaded.reasons.get(&hash);
        if before != Some(&row.reason) {
            self.change("a blacklisted source", before.is_none());
            self.record(Entry {
                section: "source",
                // The buyer's identifier is personal data, and its hash leads to it.
                key: "a source".to_owned(),
                before: before.map(|before| json!({ "reason": before })),
                after: json!({ "reason": row.reason }),
                secrets: Vec::new(),
            });
            self.sources.push(json!({ "source_hash": hex::encode(&hash), "reason": row.reason }));
        }
    }
}

pub(super) fn sealed(
    keyring: &Keyring,
    column: &str,
    row: uuid::Uuid,
    secret: &Option<Private>,
) -> Option<String> {
    secret.as_ref().map(|secret| hex::encode(keyring.seal(column, row, secret.expose())))
}

/// What a row says of a secret: nothing = the stored one stays, an empty text = none any more.
pub(super) fn secret_of(said: Option<&SecretString>, stored: Option<&Private>) -> Option<Private> {
    match said.map(ExposeSecret::expose_secret) {
        None => stored.cloned(),
        Some("") => None,
        Some(secret) => Some(Private::new(secret)),
    }
}

pub(super) fn changed(names: &[(&'static str, bool)]) -> Vec<&'static str> {
    names.iter().filter(|(_, changed)| *changed).map(|(name, _)| *name).collect()
}

fn client_secrets(before: Option<&Client>, wanted: &Client) -> Vec<&'static str> {
    let ipn = |client: &Client| client.ipn.as_ref().map(|ipn| ipn.key.clone());
    let keys = before.map(|before| before.api_key_hashes.as_slice()).unwrap_or_default();
    let secrets = before.map(|before| before.oauth_secret_hashes.as_slice()).unwrap_or_default();
    changed(&[
        ("api_keys", keys != wanted.api_key_hashes),
        ("oauth_secrets", secrets != wanted.oauth_secret_hashes),
        (
            "signature_secret",
            before.and_then(|before| before.signature_secret.clone()) != wanted.signature_secret,
        ),
        ("ipn.key", before.and_then(ipn) != ipn(wanted)),
    ])
}

fn notify_json(rules: &NotifyRules) -> Value {
    json!(export::notify(rules))
}

fn wanted_notify(row: &NotifyRow) -> NotifyRules {
    let named = [(NotifyChannel::Sms, &row.sms), (NotifyChannel::Email, &row.email)];
    let connectors = named.into_iter().filter_map(|(channel, name)| Some((channel, name.clone()?)));
    NotifyRules { connectors: connectors.collect(), language: row.language.clone() }
}

/// A client as the import function wants it.
fn client_json(keyring: &Keyring, client: &Client) -> Value {
    let row = client_row(client.id);
    let ipn = client.ipn.as_ref();
    let key = ipn.map(|ipn| ipn.key.clone());
    let hashes: Vec<String> = client.api_key_hashes.iter().map(hex::encode).collect();
    let secrets: Vec<String> = client.oauth_secret_hashes.iter().map(hex::encode).collect();
    json!({
        "client_id": client.id.0, "name": client.name, "active": client.active,
        "sandbox": client.sandbox, "api_key_hashes": hashes,
        "signature_secret_sealed": sealed(keyring, CLIENT_SECRET, row, &client.signature_secret),
        "signature_required": client.signature_required, "broker_users": client.broker_users,
        "answer_within_ms": export::milliseconds(client.answer_within),
        "start_within_seconds": export::seconds(client.start_within),
        "default_funding_source": client.default_funding_source, "channels": client.channels,
        "ipn_account_id": ipn.map(|ipn| &ipn.account_id),
        "ipn_key_sealed": sealed(keyring, CLIENT_IPN_KEY, row, &key),
        "ipn_form": ipn.map(|ipn| ipn.form.name()),
        "ipn_failures": ipn.is_some_and(|ipn| ipn.failures), "card": client.card,
        "oauth_secret_hashes": secrets, "token_required": client.token_required,
        "refuse_similar": client.refuse_similar,
        "references_are_numbers": client.references_are_numbers, "notify": notify_json(&client.notify),
        "desk": client.desk,
    })
}

pub(super) fn number(checked: i64) -> u64 {
    u64::try_from(checked).unwrap_or(0)
}

fn wanted_client(row: &ClientRow, before: Option<&Client>) -> Client {
    let hash = |key: &SecretString| Sha256::digest(key.expose_secret()).to_vec();
    let hashes = row.api_keys.as_ref().map(|keys| keys.iter().map(hash).collect());
    let stored = before.map(|before| before.api_key_hashes.clone());
    let secrets = row.oauth_secrets.as_ref().map(|secrets| secrets.iter().map(hash).collect());
    let stored_secrets = before.map(|before| before.oauth_secret_hashes.clone());
    let ipn_key = before.and_then(|before| before.ipn.as_ref()).map(|ipn| &ipn.key);
    Client {
        id: ClientId(row.client_id),
        name: row.name.clone(),
        active: row.active,
        sandbox: row.sandbox,
        api_key_hashes: hashes.or(stored).unwrap_or_default(),
        signature_secret: secret_of(
            row.signature_secret.as_ref(),
            before.and_then(|before| before.signature_secret.as_ref()),
        ),
        signature_required: row.signature_required,
        oauth_secret_hashes: secrets.or(stored_secrets).unwrap_or_default(),
        token_required: row.token_required,
        // What was revoked stays revoked, whatever is imported.
        tokens_valid_from: before.and_then(|before| before.tokens_valid_from),
        refuse_similar: row.refuse_similar,
        references_are_numbers: row.references_are_numbers,
        broker_users: row.broker_users.clone(),
        answer_within: Duration::from_millis(number(row.answer_within_ms)),
        start_within: Duration::from_secs(number(row.start_within_seconds)),
        default_funding_source: row.default_funding_source.clone(),
        channels: row.channels.clone(),
        ipn: row.ipn.as_ref().map(|ipn| IpnAccount {
            account_id: ipn.account_id.clone(),
            key: secret_of(ipn.key.as_ref(), ipn_key).unwrap_or_else(|| Private::new("")),
            form: ipn.form,
            failures: ipn.failures,
        }),
        card: row.card.clone(),
        notify: row.notify.as_ref().map(wanted_notify).unwrap_or_default(),
        desk: row.desk.clone(),
    }
}
