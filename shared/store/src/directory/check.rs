//! What an import must fulfil. All problems are told at once, each by row and field.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Display;
use std::ops::RangeInclusive;

use fleet_domain::{Currency, Directory, MsisdnForm, Party, TaskKind};
use secrecy::ExposeSecret;

use super::rows::{
    ClientRow, ConnectorRow, DeskRow, DirectoryImport, PlanRow, ProductRow, ReasonRow,
};

const CONCURRENCY: RangeInclusive<i64> = 1..=10_000;
const RATE: RangeInclusive<i64> = 0..=100_000;
const DAY_SECONDS: i64 = 86_400;

/// The problems of an import into this directory.
pub(super) fn problems(import: &DirectoryImport, current: &Directory) -> Vec<String> {
    let mut parties: BTreeMap<&str, Party> =
        current.connectors.values().map(|c| (c.name.as_str(), c.party)).collect();
    let mut check = Check { problems: Vec::new() };
    for row in &import.connectors {
        let before = parties.insert(&row.name, row.party);
        check.connector(row, before);
    }
    check.each_once("connector", import.connectors.iter().map(|row| row.name.clone()));
    check.each_once("client", import.clients.iter().map(|row| row.client_id));
    check.each_once("product", import.products.iter().map(|row| row.product_id));
    check.each_once("plan", import.plans.iter().map(plan_name));
    for row in &import.clients {
        check.client(row, &parties);
    }
    for row in &import.products {
        check.product(row, &parties);
    }
    for row in &import.plans {
        let owner = row.owner.as_str();
        let is_client = |id: i64| {
            current.clients.contains_key(&fleet_domain::ClientId(id))
                || import.clients.iter().any(|row| row.client_id == id)
        };
        let known =
            owner == "*" || parties.contains_key(owner) || owner.parse().is_ok_and(is_client);
        check.plan(row, known);
    }
    let reason_name = |row: &ReasonRow| format!("reason of {} {}", row.connector, row.code);
    check.each_once("reason", import.reasons.iter().map(reason_name));
    for row in &import.reasons {
        let name = reason_name(row);
        let length = i64::try_from(row.code.chars().count()).unwrap_or(i64::MAX);
        check.range(&name, "code's length", length, 1..=64);
        if row.connector != "*" && !parties.contains_key(row.connector.as_str()) {
            check.say(&name, "connector must be a connector or *");
        }
    }
    for (number, row) in (1_u32..).zip(&import.sources) {
        let name = format!("source {number}");
        let length = i64::try_from(bare(row.source.expose_secret()).chars().count());
        check.range(&name, "source's length", length.unwrap_or(i64::MAX), 1..=32);
        check.text(&name, "reason", &row.reason);
    }
    check.problems
}

/// A plan by what makes it one of its own.
pub(super) fn plan_name(row: &PlanRow) -> String {
    format!("{} {} {:?}", row.kind, row.owner, row.class)
}

/// A buyer's identifier in the form in which orders hold it.
pub(super) fn bare(source: &str) -> String {
    let source = source.trim();
    let source = source.strip_prefix('+').unwrap_or(source);
    source.chars().filter(|c| !matches!(c, ' ' | '-')).collect()
}

struct Check {
    problems: Vec<String>,
}

impl Check {
    fn say(&mut self, row: &str, problem: &str) {
        self.problems.push(format!("{row}: {problem}"));
    }

    fn range(&mut self, row: &str, field: &str, value: i64, range: RangeInclusive<i64>) {
        if !range.contains(&value) {
            let (least, most) = (range.start(), range.end());
            self.say(row, &format!("{field} must be {least} to {most}"));
        }
    }

    fn text(&mut self, row: &str, field: &str, text: &str) {
        if text.trim().is_empty() || text.chars().count() > 200 {
            self.say(row, &format!("{field} must be 1 to 200 characters"));
        }
    }

    fn url(&mut self, row: &str, field: &str, url: &str) {
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let has_host = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
        if !has_host
            || url.len() > 2_000
            || url.chars().any(|c| c.is_whitespace() || c.is_control())
        {
            self.say(row, &format!("{field} must be an http or https url"));
        }
    }

    fn each_once<K: Display>(&mut self, what: &str, keys: impl Iterator<Item = K>) {
        let mut seen = HashSet::new();
        for key in keys.map(|key| key.to_string()) {
            if !seen.insert(key.clone()) {
                self.say(&format!("{what} {key}"), "stands twice");
            }
        }
    }

    fn client(&mut self, row: &ClientRow, parties: &BTreeMap<&str, Party>) {
        let name = format!("client {}", row.client_id);
        self.range(&name, "client_id", row.client_id, 1..=i64::MAX);
        self.text(&name, "name", &row.name);
        if row.api_keys.len() > 4 {
            self.say(&name, "api_keys must be at most 4");
        }
        if row.api_keys.iter().any(|key| key.expose_secret().len() < 12) {
            self.say(&name, "api_keys must have 12 characters or more");
        }
        if row.signature_required && row.signature_secret.is_none() {
            self.say(&name, "signature_required needs signature_secret");
        }
        if row.signature_secret.as_ref().is_some_and(|s| s.expose_secret().is_empty()) {
            self.say(&name, "signature_secret is empty");
        }
        self.range(&name, "answer_within_ms", row.answer_within_ms, 100..=60_000);
        self.range(&name, "start_within_seconds", row.start_within_seconds, 1..=DAY_SECONDS);
        self.range(&name, "concurrency", row.concurrency, CONCURRENCY);
        self.range(&name, "rate_per_second", row.rate_per_second, RATE);
        if let Some(bank) = &row.default_funding_source
            && parties.get(bank.as_str()) != Some(&Party::Bank)
        {
            self.say(&name, "default_funding_source must be a bank among the connectors");
        }
        for (channel, url) in &row.channels {
            self.text(&name, "a channel's name", channel);
            self.url(&name, &format!("channels.{channel}"), url);
        }
        if row.channels.contains_key("ipn") && row.ipn.is_none() {
            self.say(&name, "channels.ipn needs ipn.account_id and ipn.key");
        }
        if let Some(ipn) = &row.ipn {
            self.text(&name, "ipn.account_id", &ipn.account_id);
            if ipn.key.expose_secret().len() != 16 {
                self.say(&name, "ipn.key must be 16 bytes");
            }
        }
    }

    fn connector(&mut self, row: &ConnectorRow, before: Option<Party>) {
        let name = format!("connector {}", row.name);
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if row.name.len() > 63
            || row.name.starts_with('-')
            || row.name.is_empty()
            || !row.name.chars().all(allowed)
        {
            self.say(&name, "name must be 1 to 63 of a-z, 0-9 and - and not begin with -");
        }
        if before.is_some_and(|party| party != row.party) {
            self.say(&name, "party must stay what it is");
        }
        self.text(&name, "adapter", &row.adapter);
        self.url(&name, "base_url", &row.base_url);
        self.range(&name, "settle_time_seconds", row.settle_time_seconds, 0..=DAY_SECONDS);
        self.range(&name, "call_deadline_ms", row.call_deadline_ms, 100..=120_000);
        self.range(&name, "callback_wait_seconds", row.callback_wait_seconds, 0..=604_800);
        if let Some(hold) = row.hold_seconds {
            // A vend needs the longest call, the lease's reserve and the margin before its end.
            self.range(&name, "hold_seconds", hold, 300..=31_536_000);
            let longest = hold.saturating_sub(240);
            self.range(&name, "hold_margin_seconds", row.hold_margin_seconds, 0..=longest);
        }
        if row.secret.as_ref().is_some_and(|s| s.expose_secret().is_empty()) {
            self.say(&name, "secret is empty");
        }
        self.range(&name, "concurrency", row.concurrency, CONCURRENCY);
        self.range(&name, "rate_per_second", row.rate_per_second, RATE);
        if let Some(desk) = &row.desk {
            self.desk(&name, desk, row.party);
        }
    }

    fn desk(&mut self, name: &str, row: &DeskRow, party: Party) {
        if party != Party::Desk {
            self.say(name, "desk goes with the party desk only");
        }
        let key = row.msisdn_key.as_ref().map(ExposeSecret::expose_secret);
        if key.is_none() && row.msisdn == MsisdnForm::Encrypted {
            self.say(name, "desk.msisdn encrypted needs desk.msisdn_key");
        }
        let is_key = |key: &str| key.len() == 64 && key.bytes().all(|b| b.is_ascii_hexdigit());
        if key.is_some_and(|key| !is_key(key)) {
            self.say(name, "desk.msisdn_key must be 64 hex digits");
        }
        let within = row.validate_within_seconds;
        self.range(name, "desk.validate_within_seconds", within, 1..=DAY_SECONDS);
    }

    fn product(&mut self, row: &ProductRow, parties: &BTreeMap<&str, Party>) {
        let name = format!("product {}", row.product_id);
        self.range(&name, "product_id", row.product_id, 1..=i64::MAX);
        self.text(&name, "name", &row.name);
        self.text(&name, "product_type", &row.product_type);
        if parties.get(row.supplier.as_str()) != Some(&Party::Supplier) {
            self.say(&name, "supplier must be a supplier among the connectors");
        }
        if Currency::from_code(&row.currency).is_err() {
            self.say(&name, "currency must be an ISO 4217 code in upper case");
        }
        self.range(&name, "min_amount", row.min_amount, 1..=999_999_999_999);
        self.range(&name, "max_amount", row.max_amount, 1..=999_999_999_999);
        if row.max_amount < row.min_amount {
            self.say(&name, "max_amount must not be below min_amount");
        }
        self.range(&name, "fee.fixed", row.fee.fixed, 0..=999_999_999_999);
        self.range(&name, "fee.basis_points", row.fee.basis_points, 0..=10_000);
    }

    fn plan(&mut self, row: &PlanRow, owner_is_known: bool) {
        let name = format!("plan {}", plan_name(row));
        if row.kind == TaskKind::Case {
            self.say(&name, "kind must be one that is worked on");
        }
        if !owner_is_known {
            self.say(&name, "owner must be a connector, a client's number or *");
        }
        let count = i64::try_from(row.delays_seconds.len()).unwrap_or(i64::MAX);
        self.range(&name, "the number of delays_seconds", count, 1..=200);
        if row.delays_seconds.iter().any(|delay| !(1..=604_800).contains(delay)) {
            self.say(&name, "delays_seconds must be 1 to 604800 each");
        }
    }
}
