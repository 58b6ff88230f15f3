//! What an import must fulfil across rows and with what is stored: a key opens one client's door, the
//! sandbox stays apart, and a party's codes lead to ones that mean something.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use fleet_contracts::codes;
use fleet_domain::{ClientId, Directory};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::check::Check;
use super::rows::{ClientRow, ConnectorRow, DirectoryImport};

/// Who has which keys and secrets, by their hash.
type Owners = HashMap<Vec<u8>, BTreeSet<i64>>;

impl Check {
    /// No key and no secret may open two clients' doors.
    pub(super) fn credentials(&mut self, import: &DirectoryImport, current: &Directory) {
        let owners = owners_after(import, current);
        for (index, row) in import.clients.iter().enumerate() {
            self.at("client", index);
            let name = format!("client {}", row.client_id);
            for (field, given) in given(row) {
                let mut seen = HashSet::new();
                for hash in given.iter().flat_map(|list| list.iter()).map(hash) {
                    if !seen.insert(hash.clone()) {
                        self.say(&name, &format!("{field}: one of them stands twice"));
                    }
                    let others = owners.get(&hash).into_iter().flatten();
                    if let Some(other) = others.copied().find(|other| *other != row.client_id) {
                        let problem = format!(
                            "{field}: one of them is client {other}'s too, and would open the \
                             doors of both: give one of the two another"
                        );
                        self.say(&name, &problem);
                    }
                }
            }
        }
    }

    /// Products that a client of one side could never buy at its own terms or by card.
    pub(super) fn sides(&mut self, import: &DirectoryImport, current: &Directory) {
        let mut clients: BTreeMap<i64, bool> =
            current.clients.values().map(|client| (client.id.0, client.sandbox)).collect();
        clients.extend(import.clients.iter().map(|row| (row.client_id, row.sandbox)));
        let mut connectors: BTreeMap<&str, bool> =
            current.connectors.values().map(|c| (c.name.as_str(), c.sandbox)).collect();
        connectors.extend(import.connectors.iter().map(|row| (row.name.as_str(), row.sandbox)));
        let mut suppliers: BTreeMap<i64, &str> =
            current.products.values().map(|p| (p.id.0, p.supplier.as_str())).collect();
        suppliers.extend(import.products.iter().map(|row| (row.product_id, row.supplier.as_str())));
        let meet = |client: i64, product: i64| {
            let supplier = suppliers.get(&product).and_then(|name| connectors.get(name));
            clients.get(&client).zip(supplier).is_none_or(|(client, supplier)| client == supplier)
        };
        for (index, row) in import.clients.iter().enumerate() {
            self.at("client", index);
            if row.card.as_ref().is_some_and(|card| !meet(row.client_id, card.product_id)) {
                let problem = "card.product_id must be a product of the client's side: its supplier \
                               is in the sandbox iff the client is";
                self.say(&format!("client {}", row.client_id), problem);
            }
        }
        for (index, row) in import.terms.iter().enumerate() {
            self.at("terms", index);
            let client = row.client.parse::<i64>();
            if client.is_ok_and(|client| !meet(client, row.product_id)) {
                let problem = "product_id must be a product of the client's side: its supplier is \
                               in the sandbox iff the client is";
                self.say(&format!("terms of {}", row.name()), problem);
            }
        }
    }

    /// What a party's own words mean must be a code that its worker reads.
    pub(super) fn codes(&mut self, name: &str, row: &ConnectorRow) {
        for (own, code) in &row.codes {
            self.text(name, "a code's name in codes", own);
            if !codes::is_read_from(row.party, code) {
                let party = row.party.name();
                let problem = format!(
                    "codes.{own} must be a code that a {party} answers by the contract's tables"
                );
                self.say(name, &problem);
            }
        }
    }
}

fn hash(secret: &SecretString) -> Vec<u8> {
    Sha256::digest(secret.expose_secret()).to_vec()
}

/// The keys and secrets that a row brings; absent ones stay as they are stored.
fn given(row: &ClientRow) -> [(&'static str, Option<&Vec<SecretString>>); 2] {
    [("api_keys", row.api_keys.as_ref()), ("oauth_secrets", row.oauth_secrets.as_ref())]
}

fn owners_after(import: &DirectoryImport, current: &Directory) -> Owners {
    let rows: HashMap<i64, &ClientRow> =
        import.clients.iter().map(|row| (row.client_id, row)).collect();
    let mut owners = Owners::new();
    for client in current.clients.values() {
        let row = rows.get(&client.id.0);
        let keeps = |brings: fn(&ClientRow) -> bool| row.is_none_or(|row| !brings(row));
        let stored = [
            (keeps(|row| row.api_keys.is_some()), &client.api_key_hashes),
            (keeps(|row| row.oauth_secrets.is_some()), &client.oauth_secret_hashes),
        ];
        for (_, hashes) in stored.into_iter().filter(|(stays, _)| *stays) {
            for hash in hashes {
                owners.entry(hash.clone()).or_default().insert(client.id.0);
            }
        }
    }
    for row in &import.clients {
        for secret in given(row).into_iter().filter_map(|(_, list)| list).flatten() {
            owners.entry(hash(secret)).or_default().insert(row.client_id);
        }
    }
    owners
}

/// Another client that has this key or secret.
pub(super) fn another_owner(
    directory: &Directory,
    client: ClientId,
    hash: &[u8],
) -> Option<ClientId> {
    directory.holders_of(hash).into_iter().find(|holder| *holder != client)
}
