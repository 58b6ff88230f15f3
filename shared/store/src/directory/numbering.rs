//! Countries, operators, their prefixes and ported numbers in an import and in the directory.

use std::collections::{BTreeSet, HashMap};

use fleet_domain::{Country, Directory, NUMBER_DIGITS_MAX, Operator, kept};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::check::Check;
use super::difference::{Difference, Entry};
use super::load::Loaded;
use super::rows::DirectoryImport;
use super::words::{secret_number, text_or_number};
use crate::pool::get;
use crate::{Keyring, Store, StoreError};

/// Hashes compared in one query.
const PORTED_MAX: usize = 10_000;

/// A country.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountryRow {
    /// ISO 3166-1 alpha-2.
    pub code: String,
    /// For people.
    pub name: String,
    /// 1 to 999.
    pub calling_code: i64,
}

/// A mobile network operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorRow {
    /// `operatorCode`.
    #[serde(deserialize_with = "text_or_number")]
    pub code: String,
    /// `operatorName`.
    pub name: String,
    /// Its country's code.
    pub country: String,
}

/// The numbers that an operator was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrefixRow {
    /// First digits, the calling code included.
    #[serde(deserialize_with = "text_or_number")]
    pub prefix: String,
    /// The operator's code.
    #[serde(deserialize_with = "text_or_number")]
    pub operator: String,
}

/// A number that moved to another operator; stored as a keyed hash, and never exported.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortedRow {
    /// The whole number, the calling code included.
    #[serde(deserialize_with = "secret_number")]
    pub number: SecretString,
    /// The operator's code.
    #[serde(deserialize_with = "text_or_number")]
    pub operator: String,
}

#[derive(Deserialize)]
pub(super) struct StoredCountry {
    country_code: String,
    name: String,
    calling_code: i32,
}

#[derive(Deserialize)]
pub(super) struct StoredOperator {
    operator_code: String,
    name: String,
    country_code: String,
}

impl From<StoredCountry> for Country {
    fn from(stored: StoredCountry) -> Self {
        let StoredCountry { country_code: code, name, calling_code } = stored;
        Self { code, name, calling_code }
    }
}

impl From<StoredOperator> for Operator {
    fn from(stored: StoredOperator) -> Self {
        let StoredOperator { operator_code: code, name, country_code: country } = stored;
        Self { code, name, country }
    }
}

impl From<&Country> for CountryRow {
    fn from(country: &Country) -> Self {
        let Country { code, name, calling_code } = country.clone();
        Self { code, name, calling_code: i64::from(calling_code) }
    }
}

impl From<&Operator> for OperatorRow {
    fn from(operator: &Operator) -> Self {
        let Operator { code, name, country } = operator.clone();
        Self { code, name, country }
    }
}

pub(super) fn check(check: &mut Check, import: &DirectoryImport, current: &Directory) {
    let known = &current.numbering;
    check.each_once("country", "country", import.countries.iter().map(|row| row.code.clone()));
    check.each_once("operator", "operator", import.operators.iter().map(|row| row.code.clone()));
    check.each_once("prefix", "prefix", import.prefixes.iter().map(|row| row.prefix.clone()));
    for (index, row) in import.countries.iter().enumerate() {
        check.at("country", index);
        let name = format!("country {}", row.code);
        if row.code.len() != 2 || !row.code.bytes().all(|byte| byte.is_ascii_uppercase()) {
            check.say(&name, "code must be two capitals (ISO 3166-1 alpha-2)");
        }
        check.text(&name, "name", &row.name);
        check.range(&name, "calling_code", row.calling_code, 1..=999);
    }
    let mut countries: BTreeSet<&str> = known.countries.keys().map(String::as_str).collect();
    countries.extend(import.countries.iter().map(|row| row.code.as_str()));
    for (index, row) in import.operators.iter().enumerate() {
        check.at("operator", index);
        let name = format!("operator {}", row.code);
        if row.code.is_empty() || row.code.len() > 32 || row.code.chars().any(char::is_control) {
            check.say(&name, "code must be 1 to 32 characters");
        }
        check.text(&name, "name", &row.name);
        if !countries.contains(row.country.as_str()) {
            check.say(&name, "country must be a country's code");
        }
    }
    let mut operators: BTreeSet<&str> = known.operators.keys().map(String::as_str).collect();
    operators.extend(import.operators.iter().map(|row| row.code.as_str()));
    for (index, row) in import.prefixes.iter().enumerate() {
        check.at("prefix", index);
        let name = format!("prefix {}", row.prefix);
        if !is_number(&row.prefix, 1) {
            check.say(&name, "prefix must be 1 to 15 digits, the calling code first");
        }
        if !operators.contains(row.operator.as_str()) {
            check.say(&name, "operator must be an operator's code");
        }
    }
    let mut seen = BTreeSet::new();
    for (index, row) in import.ported.iter().enumerate() {
        check.at("ported", index);
        let name = format!("ported {}", index.saturating_add(1));
        if !seen.insert(kept(row.number.expose_secret())) {
            check.say(&name, "stands twice");
        }
        if !is_number(&kept(row.number.expose_secret()), 7) {
            check.say(&name, "number must be 7 to 15 digits, the calling code first");
        }
        if !operators.contains(row.operator.as_str()) {
            check.say(&name, "operator must be an operator's code");
        }
    }
}

fn is_number(digits: &str, least: usize) -> bool {
    (least..=NUMBER_DIGITS_MAX).contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|byte| byte.is_ascii_digit())
}

pub(super) fn difference(difference: &mut Difference, import: &DirectoryImport, loaded: &Loaded) {
    let known = &loaded.directory.numbering;
    for row in &import.countries {
        let before = known.countries.get(&row.code).map(CountryRow::from);
        if before.as_ref() != Some(row) {
            difference.put("country", &row.code, before.map(|before| json!(before)), json!(row));
            difference.countries.push(json!({
                "country_code": row.code, "name": row.name, "calling_code": row.calling_code,
            }));
        }
    }
    for row in &import.operators {
        let before = known.operators.get(&row.code).map(OperatorRow::from);
        if before.as_ref() != Some(row) {
            difference.put("operator", &row.code, before.map(|before| json!(before)), json!(row));
            difference.operators.push(json!({
                "operator_code": row.code, "name": row.name, "country_code": row.country,
            }));
        }
    }
    for row in &import.prefixes {
        let before = known.prefixes.get(&row.prefix);
        if before != Some(&row.operator) {
            let before = before.map(|operator| {
                json!(PrefixRow { prefix: row.prefix.clone(), operator: operator.clone() })
            });
            difference.put("prefix", &row.prefix, before, json!(row));
            difference.prefixes.push(json!({
                "prefix": row.prefix, "operator_code": row.operator,
            }));
        }
    }
}

impl Difference {
    fn put(
        &mut self,
        section: &'static str,
        key: &str,
        before: Option<serde_json::Value>,
        after: serde_json::Value,
    ) {
        self.change(&format!("{section} {key}"), before.is_none());
        self.record(Entry { section, key: key.to_owned(), before, after, secrets: Vec::new() });
    }

    /// Ported numbers are compared with those that are stored. The history tells how many: a number is personal data, and its hash leads to it.
    pub(super) fn ported(
        &mut self,
        keyring: &Keyring,
        import: &DirectoryImport,
        stored: &HashMap<Vec<u8>, String>,
    ) {
        let (mut added, mut changed) = (0_usize, 0_usize);
        for (hash, operator) in hashed(keyring, import) {
            let count = match stored.get(&hash) {
                Some(before) if *before == operator => continue,
                Some(_) => &mut changed,
                None => &mut added,
            };
            *count = count.saturating_add(1);
            self.ported
                .push(json!({ "number_hash": hex::encode(&hash), "operator_code": operator }));
        }
        for (count, kind, is_new) in [(added, "added", true), (changed, "changed", false)] {
            if count > 0 {
                self.change(&format!("{count} ported numbers"), is_new);
                self.record(Entry {
                    section: "ported",
                    key: "numbers".to_owned(),
                    before: (!is_new).then(|| json!({})),
                    after: json!({ kind: count }),
                    secrets: Vec::new(),
                });
            }
        }
    }
}

fn hashed(keyring: &Keyring, import: &DirectoryImport) -> HashMap<Vec<u8>, String> {
    let hash = |number: &str| keyring.lookup_hash("ported_number", number);
    let rows = import.ported.iter();
    rows.map(|row| (hash(&kept(row.number.expose_secret())), row.operator.clone())).collect()
}

impl Store {
    /// The stored operators of the ported numbers that an import names.
    pub(super) async fn ported_of(
        &self,
        import: &DirectoryImport,
    ) -> Result<HashMap<Vec<u8>, String>, StoreError> {
        let hashes: Vec<Vec<u8>> = hashed(self.keyring(), import).into_keys().collect();
        let mut stored = HashMap::new();
        for chunk in hashes.chunks(PORTED_MAX) {
            let sql = include_str!("ported.sql");
            for row in self.rows(sqlx::query(sql).bind(chunk.to_vec())).await? {
                stored.insert(get(&row, "number_hash")?, get(&row, "operator_code")?);
            }
        }
        Ok(stored)
    }

    /// The code of the operator that a number moved to; `digits` begin with the calling code.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn ported_to(&self, digits: &str) -> Result<Option<String>, StoreError> {
        let hash = self.keyring().lookup_hash("ported_number", digits);
        let row = self.row(sqlx::query(include_str!("ported.sql")).bind(vec![hash])).await?;
        row.map(|row| get(&row, "operator_code")).transpose()
    }
}
