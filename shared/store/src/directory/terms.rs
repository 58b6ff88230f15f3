//! Financial terms in an import and in the directory.

use fleet_domain::{ClientId, Directory, FeeRule, ProductId, Settlement, ShareRule, Terms};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::check::{Check, MONEY};
use super::difference::{Difference, Entry};
use super::load::Loaded;
use super::rows::{DirectoryImport, all, yes};
use super::words::text_or_number;

/// What a client and we agreed on for a product. Another content is a new version; the old ones
/// stay, and purchases keep those that held when they were accepted.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TermsRow {
    /// A client's number, or `*` for every client without terms of its own.
    #[serde(default = "all", deserialize_with = "text_or_number")]
    pub client: String,
    /// `productId`.
    pub product_id: i64,
    /// The fee in place of the product's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee: Option<FeeRule>,
    /// What the client gets: the whole fee, and nothing of the amount, when absent.
    #[serde(default)]
    pub client_share: ShareRule,
    /// `gross`: the client settles everything and gets its share back; `net`: it keeps its share.
    #[serde(default)]
    pub settlement: Settlement,
    /// False = as if there were none.
    #[serde(default = "yes")]
    pub active: bool,
}

impl TermsRow {
    /// Its key; `01001` is client 1001.
    pub(super) fn name(&self) -> String {
        let (client, product) = self.key();
        let client = client.map_or_else(|| self.client.clone(), |client| client.to_string());
        format!("{client} {product}")
    }

    fn key(&self) -> (Option<ClientId>, ProductId) {
        (self.client.parse().ok().map(ClientId), ProductId(self.product_id))
    }

    fn with_version(&self, version: i32) -> Terms {
        let (client, product) = self.key();
        Terms {
            client,
            product,
            version,
            fee: self.fee,
            client_share: self.client_share,
            settlement: self.settlement,
            active: self.active,
        }
    }
}

impl From<&Terms> for TermsRow {
    fn from(terms: &Terms) -> Self {
        Self {
            client: terms.owner(),
            product_id: terms.product.0,
            fee: terms.fee,
            client_share: terms.client_share,
            settlement: terms.settlement,
            active: terms.active,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct StoredTerms {
    client: String,
    product_id: i64,
    version: i32,
    fee_fixed: Option<i64>,
    fee_basis_points: Option<i64>,
    share_fixed: i64,
    share_basis_points: i64,
    share_fee_basis_points: i64,
    settlement: Settlement,
    active: bool,
}

impl StoredTerms {
    pub(super) fn into_terms(self) -> Terms {
        let fee = self.fee_fixed.zip(self.fee_basis_points);
        Terms {
            client: self.client.parse().ok().map(ClientId),
            product: ProductId(self.product_id),
            version: self.version,
            fee: fee.map(|(fixed, basis_points)| FeeRule { fixed, basis_points }),
            client_share: ShareRule {
                fixed: self.share_fixed,
                basis_points: self.share_basis_points,
                fee_basis_points: self.share_fee_basis_points,
            },
            settlement: self.settlement,
            active: self.active,
        }
    }
}

pub(super) fn check(check: &mut Check, import: &DirectoryImport, current: &Directory) {
    check.each_once("terms", "terms of", import.terms.iter().map(TermsRow::name));
    for (index, row) in import.terms.iter().enumerate() {
        check.at("terms", index);
        let name = format!("terms of {}", row.name());
        let known = match row.client.parse::<i64>().map(ClientId) {
            Ok(id) => {
                current.clients.contains_key(&id)
                    || import.clients.iter().any(|client| client.client_id == id.0)
            }
            Err(_) => row.client == "*",
        };
        if !known {
            check.say(&name, "client must be a client's number or *");
        }
        let product = current.products.contains_key(&ProductId(row.product_id))
            || import.products.iter().any(|product| product.product_id == row.product_id);
        if !product {
            check.say(&name, "product_id must be a product's");
        }
        if let Some(fee) = row.fee {
            check.range(&name, "fee.fixed", fee.fixed, 0..=MONEY);
            check.range(&name, "fee.basis_points", fee.basis_points, 0..=10_000);
        }
        let share = row.client_share;
        check.range(&name, "client_share.fixed", share.fixed, 0..=MONEY);
        check.range(&name, "client_share.basis_points", share.basis_points, 0..=10_000);
        check.range(&name, "client_share.fee_basis_points", share.fee_basis_points, 0..=10_000);
    }
}

pub(super) fn difference(difference: &mut Difference, row: &TermsRow, loaded: &Loaded) {
    let before = loaded.directory.terms.get(&row.key());
    let version = before.map_or(1, |terms| terms.version.saturating_add(1));
    let wanted = row.with_version(version);
    if before.is_some_and(|before| Terms { version, ..before.clone() } == wanted) {
        return;
    }
    difference.change(&format!("terms of {} version {version}", row.name()), true);
    difference.record(Entry {
        section: "terms",
        key: row.name(),
        before: before.map(|before| json!(TermsRow::from(before))),
        after: json!(row),
        secrets: Vec::new(),
    });
    let share = row.client_share;
    difference.terms.push(json!({
        "client": wanted.owner(), "product_id": row.product_id, "version": version,
        "fee_fixed": row.fee.map(|fee| fee.fixed),
        "fee_basis_points": row.fee.map(|fee| fee.basis_points),
        "share_fixed": share.fixed, "share_basis_points": share.basis_points,
        "share_fee_basis_points": share.fee_basis_points,
        "settlement": row.settlement.name(), "active": row.active,
    }));
}
