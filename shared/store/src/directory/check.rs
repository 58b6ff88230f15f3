//! What an import must fulfil. All problems are told at once, each by row and field.

use std::collections::{BTreeMap, HashSet};
use std::fmt::{self, Display};
use std::ops::RangeInclusive;

use fleet_contracts::source_of;
use fleet_domain::{
    API_KEY_BYTES_MAX, AddressPolicy, Blocked, CHANNEL_IDS, Client, ClientId, Connector, Currency,
    DeskRules, Directory, MsisdnForm, NotifyChannel, Party, ProductType, ResultChannel, TaskKind,
};
use secrecy::{ExposeSecret, SecretString};

use super::keys::KEYS_MAX;
use super::rows::{
    ClientRow, ConnectorRow, DeskRow, DirectoryImport, NotifyRow, PlanRow, ProductRow, ReasonRow,
    TemplateRow,
};

const CONCURRENCY: RangeInclusive<i64> = 1..=10_000;
const RATE: RangeInclusive<i64> = 0..=100_000;
const DAY_SECONDS: i64 = 86_400;

/// Minor units at most.
pub(super) const MONEY: i64 = 999_999_999_999;

/// What is wrong with one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowProblem {
    /// `client`, `product`, ….
    pub section: &'static str,
    /// Its place among the rows of its section, from 0.
    pub index: usize,
    /// `client 1001`.
    pub name: String,
    /// `answer_within_ms must be 100 to 60000`.
    pub problem: String,
}

impl Display for RowProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.problem)
    }
}

/// What others say of a connector.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Side {
    party: Party,
    sandbox: bool,
}

/// The problems of an import into this directory.
pub(super) fn problems(import: &DirectoryImport, current: &Directory) -> Vec<RowProblem> {
    let mut parties: BTreeMap<&str, Side> = current
        .connectors
        .values()
        .map(|c| (c.name.as_str(), Side { party: c.party, sandbox: c.sandbox }))
        .collect();
    let to_clients = import.to_clients.clone();
    let mut check = Check { problems: Vec::new(), section: "", index: 0, to_clients };
    for (index, row) in import.connectors.iter().enumerate() {
        check.at("connector", index);
        let side = Side { party: row.party, sandbox: row.sandbox };
        let before = parties.insert(&row.name, side);
        check.connector(row, before, current.connectors.get(&row.name));
    }
    let names = import.connectors.iter().map(|row| row.name.clone());
    check.each_once("connector", "connector", names);
    check.each_once("client", "client", import.clients.iter().map(|row| row.client_id));
    check.each_once("product", "product", import.products.iter().map(|row| row.product_id));
    check.each_once("plan", "plan", import.plans.iter().map(plan_name));
    let mut adapters: BTreeMap<&str, &str> =
        current.connectors.values().map(|c| (c.name.as_str(), c.adapter.name())).collect();
    adapters.extend(import.connectors.iter().map(|row| (row.name.as_str(), row.adapter.as_str())));
    let is_client = |id: i64| {
        current.clients.contains_key(&ClientId(id))
            || import.clients.iter().any(|row| row.client_id == id)
    };
    for (index, row) in import.clients.iter().enumerate() {
        check.at("client", index);
        check.client(row, &parties, current.clients.get(&ClientId(row.client_id)));
        if let Some(notify) = &row.notify {
            check.notify(row, notify, &parties, &adapters);
        }
    }
    for (index, row) in import.products.iter().enumerate() {
        check.at("product", index);
        check.product(row, &parties);
    }
    for (index, row) in import.plans.iter().enumerate() {
        check.at("plan", index);
        let party = parties.get(row.owner.as_str()).map(|side| side.party);
        check.plan(row, party, &is_client);
    }
    check.reasons_and_sources(import, &parties);
    check.each_once("template", "", import.templates.iter().map(template_name));
    for (index, row) in import.templates.iter().enumerate() {
        check.at("template", index);
        check.template(row, is_client(row.client_id));
    }
    check.cards(import, current);
    check.credentials(import, current);
    check.sides(import, current);
    check.desks(import, current);
    super::terms::check(&mut check, import, current);
    super::numbering::check(&mut check, import, current);
    check.problems
}

/// A plan by what makes it one of its own.
pub(super) fn plan_name(row: &PlanRow) -> String {
    format!("{} {} {:?}", row.kind, row.owner, row.class)
}

/// A template by what makes it one of its own.
pub(super) fn template_name(row: &TemplateRow) -> String {
    let language = if row.language.is_empty() { "" } else { " in " };
    format!("template of {} {}{language}{}", row.client_id, row.event.name(), row.language)
}

pub(super) struct Check {
    problems: Vec<RowProblem>,
    section: &'static str,
    index: usize,
    /// Where clients' endpoints may be.
    to_clients: AddressPolicy,
}

impl Check {
    /// What is said from now on is about this row.
    pub(super) const fn at(&mut self, section: &'static str, index: usize) {
        self.section = section;
        self.index = index;
    }

    /// How many problems there are so far.
    pub(super) const fn count(&self) -> usize {
        self.problems.len()
    }

    pub(super) fn say(&mut self, row: &str, problem: &str) {
        self.problems.push(RowProblem {
            section: self.section,
            index: self.index,
            name: row.to_owned(),
            problem: problem.to_owned(),
        });
    }

    fn reasons_and_sources(&mut self, import: &DirectoryImport, parties: &BTreeMap<&str, Side>) {
        let reason_name = |row: &ReasonRow| format!("{} {}", row.connector, row.code);
        self.each_once("reason", "reason of", import.reasons.iter().map(reason_name));
        for (index, row) in import.reasons.iter().enumerate() {
            self.at("reason", index);
            let name = format!("reason of {}", reason_name(row));
            let length = i64::try_from(row.code.chars().count()).unwrap_or(i64::MAX);
            self.range(&name, "code's length", length, 1..=64);
            if row.connector != "*" && !parties.contains_key(row.connector.as_str()) {
                self.say(&name, "connector must be a connector or *");
            }
        }
        let mut seen = HashSet::new();
        for (index, row) in import.sources.iter().enumerate() {
            self.at("source", index);
            let name = format!("source {}", index.saturating_add(1));
            match source_of("source", row.source.expose_secret()) {
                Ok(source) if !seen.insert(source.clone()) => self.say(&name, "stands twice"),
                Ok(_) => {}
                // No purchase could be of it.
                Err(rejection) => self.say(&name, &rejection.message),
            }
            self.text(&name, "reason", &row.reason);
        }
    }

    pub(super) fn range(&mut self, row: &str, field: &str, value: i64, range: RangeInclusive<i64>) {
        if !range.contains(&value) {
            let (least, most) = (range.start(), range.end());
            self.say(row, &format!("{field} must be {least} to {most}"));
        }
    }

    pub(super) fn text(&mut self, row: &str, field: &str, text: &str) {
        let is_long = text.chars().count() > 200;
        if text.trim().is_empty() || is_long || text.chars().any(char::is_control) {
            self.say(row, &format!("{field} must be 1 to 200 characters on one line"));
        }
    }

    /// A URL that the sender takes.
    fn url(&mut self, row: &str, field: &str, policy: &AddressPolicy, url: &str) {
        match policy.check_url(url) {
            Ok(()) => {}
            Err(blocked @ Blocked::PlainHttp) => {
                let problem = format!("{field}: {blocked}; if it is meant, plain_http = true");
                self.say(row, &problem);
            }
            Err(blocked) => self.say(row, &format!("{field}: {blocked}")),
        }
    }

    pub(super) fn each_once<K: Display>(
        &mut self,
        section: &'static str,
        what: &str,
        keys: impl Iterator<Item = K>,
    ) {
        let mut seen = HashSet::new();
        for (index, key) in keys.map(|key| key.to_string()).enumerate() {
            if !seen.insert(key.clone()) {
                self.at(section, index);
                self.say(format!("{what} {key}").trim_start(), "stands twice");
            }
        }
    }

    fn client(&mut self, row: &ClientRow, parties: &BTreeMap<&str, Side>, before: Option<&Client>) {
        let name = format!("client {}", row.client_id);
        self.range(&name, "client_id", row.client_id, 1..=i64::MAX);
        self.text(&name, "name", &row.name);
        if before.is_some_and(|before| before.sandbox != row.sandbox) {
            self.say(&name, "sandbox must stay what it is: make another client");
        }
        let keys = row.api_keys.as_deref().unwrap_or_default();
        if keys.len() > KEYS_MAX {
            self.say(&name, "api_keys must be at most 4");
        }
        let is_key = |key: &str| {
            (12..=API_KEY_BYTES_MAX).contains(&key.len())
                && key.bytes().all(|b| b.is_ascii_graphic())
        };
        if !keys.iter().all(|key| is_key(key.expose_secret())) {
            self.say(&name, "api_keys must have 12 to 128 visible ASCII characters");
        }
        let secrets = row.oauth_secrets.as_deref();
        if secrets.is_some_and(|secrets| secrets.len() > KEYS_MAX) {
            self.say(&name, "oauth_secrets must be at most 4");
        }
        let fits = |s: &SecretString| (16..=255).contains(&s.expose_secret().len());
        if !secrets.unwrap_or_default().iter().all(fits) {
            self.say(&name, "oauth_secrets must have 16 to 255 characters");
        }
        let has_secrets = match secrets {
            Some(secrets) => !secrets.is_empty(),
            None => before.is_some_and(|before| !before.oauth_secret_hashes.is_empty()),
        };
        if row.token_required && !has_secrets {
            self.say(&name, "token_required needs oauth_secrets");
        }
        let has_secret = match &row.signature_secret {
            Some(secret) => !secret.expose_secret().is_empty(),
            None => before.is_some_and(|before| before.signature_secret.is_some()),
        };
        if row.signature_required && !has_secret {
            self.say(&name, "signature_required needs signature_secret");
        }
        self.range(&name, "answer_within_ms", row.answer_within_ms, 100..=60_000);
        self.range(&name, "start_within_seconds", row.start_within_seconds, 1..=DAY_SECONDS);
        self.range(&name, "concurrency", row.concurrency, CONCURRENCY);
        self.range(&name, "rate_per_second", row.rate_per_second, RATE);
        if let Some(bank) = &row.default_funding_source {
            match parties.get(bank.as_str()) {
                Some(side) if side.party == Party::Bank && side.sandbox == row.sandbox => {}
                Some(side) if side.party == Party::Bank => {
                    let problem = "default_funding_source must be in the sandbox iff the client is";
                    self.say(&name, problem);
                }
                _ => self.say(&name, "default_funding_source must be a bank among the connectors"),
            }
        }
        self.channels(&name, row, before);
    }

    /// Where the client's results go.
    fn channels(&mut self, name: &str, row: &ClientRow, before: Option<&Client>) {
        for (channel, url) in &row.channels {
            if ResultChannel::from_name(channel).is_none() {
                let known = ResultChannel::ALL.map(ResultChannel::name).join(", ");
                let problem = format!("channels.{channel} is no channel: there are {known}");
                self.say(name, &problem);
            }
            let policy = self.to_clients.clone();
            self.url(name, &format!("channels.{channel}"), &policy, url);
        }
        for user in &row.broker_users {
            self.text(name, "broker_users", user);
        }
        if row.channels.contains_key("ipn") && row.ipn.is_none() {
            self.say(name, "channels.ipn needs ipn.account_id and ipn.key");
        }
        if let Some(ipn) = &row.ipn {
            self.text(name, "ipn.account_id", &ipn.account_id);
            let stored = before.is_some_and(|before| before.ipn.is_some());
            match &ipn.key {
                Some(key) if key.expose_secret().len() != 16 => {
                    self.say(name, "ipn.key must be 16 bytes");
                }
                None if !stored => self.say(name, "ipn.key is missing, and none is stored"),
                Some(_) | None => {}
            }
        }
    }

    fn connector(&mut self, row: &ConnectorRow, before: Option<Side>, stored: Option<&Connector>) {
        let name = format!("connector {}", row.name);
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if row.name.len() > 63
            || row.name.starts_with('-')
            || row.name.is_empty()
            || !row.name.chars().all(allowed)
        {
            self.say(&name, "name must be 1 to 63 of a-z, 0-9 and - and not begin with -");
        }
        if before.is_some_and(|before| before.party != row.party) {
            self.say(&name, "party must stay what it is");
        }
        if before.is_some_and(|before| before.sandbox != row.sandbox) {
            self.say(&name, "sandbox must stay what it is: make another connector");
        }
        self.url(&name, "base_url", &AddressPolicy::of_connector(row.plain_http), &row.base_url);
        if row.base_url.contains('?') {
            self.say(&name, "base_url must have no query: paths are put behind it");
        }
        self.codes(&name, row);
        self.range(&name, "settle_time_seconds", row.settle_time_seconds, 0..=DAY_SECONDS);
        self.range(&name, "call_deadline_ms", row.call_deadline_ms, 100..=120_000);
        self.range(&name, "callback_wait_seconds", row.callback_wait_seconds, 0..=604_800);
        if let Some(hold) = row.hold_seconds {
            // A vend needs the longest call, the lease's reserve and the margin before its end.
            self.range(&name, "hold_seconds", hold, 300..=31_536_000);
            let longest = hold.saturating_sub(240);
            self.range(&name, "hold_margin_seconds", row.hold_margin_seconds, 0..=longest);
        }
        self.range(&name, "concurrency", row.concurrency, CONCURRENCY);
        self.range(&name, "rate_per_second", row.rate_per_second, RATE);
        if let Some(desk) = &row.desk {
            self.desk(&name, desk, row.party, stored.and_then(|stored| stored.desk.as_ref()));
        }
        self.authentication(&name, row, stored);
        self.adapter(&name, row);
        self.callers(&name, row, stored);
    }

    fn notify(
        &mut self,
        client: &ClientRow,
        row: &NotifyRow,
        parties: &BTreeMap<&str, Side>,
        adapters: &BTreeMap<&str, &str>,
    ) {
        let name = &format!("client {}", client.client_id);
        let named = [(NotifyChannel::Sms, &row.sms), (NotifyChannel::Email, &row.email)];
        for (channel, connector) in named {
            let Some(connector) = connector.as_deref() else { continue };
            let side = Side { party: Party::Channel, sandbox: client.sandbox };
            let is_channel = parties.get(connector) == Some(&side)
                && adapters.get(connector) == Some(&channel.name());
            if !is_channel {
                let word = channel.name();
                let problem = format!("notify.{word} must be a channel with the adapter {word}");
                self.say(name, &problem);
            }
        }
        if let Some(language) = &row.language {
            self.language(name, "notify.language", language);
        }
    }

    fn language(&mut self, row: &str, field: &str, language: &str) {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if !(2..=16).contains(&language.len()) || !language.chars().all(allowed) {
            self.say(row, &format!("{field} must be 2 to 16 letters, digits or -"));
        }
    }

    fn template(&mut self, row: &TemplateRow, client_is_known: bool) {
        let name = template_name(row);
        if !client_is_known {
            self.say(&name, "client_id must be a client's number");
        }
        if !row.language.is_empty() {
            self.language(&name, "language", &row.language);
        }
        if let Err(problem) = fleet_contracts::check_template(row.event, &row.text) {
            self.say(&name, &problem);
        }
    }

    fn desk(&mut self, name: &str, row: &DeskRow, party: Party, stored: Option<&DeskRules>) {
        if party != Party::Desk {
            self.say(name, "desk goes with the party desk only");
        }
        let key = row.msisdn_key.as_ref().map(ExposeSecret::expose_secret);
        let has_stored = stored.is_some_and(|stored| stored.msisdn_key.is_some());
        if key.is_none() && !has_stored && row.msisdn == MsisdnForm::Encrypted {
            self.say(name, "desk.msisdn encrypted needs desk.msisdn_key");
        }
        let is_key = |key: &str| key.len() == 64 && key.bytes().all(|b| b.is_ascii_hexdigit());
        if key.is_some_and(|key| !is_key(key)) {
            self.say(name, "desk.msisdn_key must be 64 hex digits");
        }
        let within = row.validate_within_seconds;
        self.range(name, "desk.validate_within_seconds", within, 1..=DAY_SECONDS);
        self.words(name, "desk.later", &row.later);
    }

    fn product(&mut self, row: &ProductRow, parties: &BTreeMap<&str, Side>) {
        let name = format!("product {}", row.product_id);
        self.range(&name, "product_id", row.product_id, 1..=i64::MAX);
        self.text(&name, "name", &row.name);
        if ProductType::from_name(&row.product_type).is_none() {
            let known = ProductType::ALL.map(ProductType::name).join(", ");
            self.say(&name, &format!("product_type must be one of {known}"));
        }
        self.range(&name, "product_type_id", row.product_type_id, 0..=i64::MAX);
        self.range(&name, "vendor_id", row.vendor_id, 0..=i64::MAX);
        for (field, text) in [
            ("description", &row.description),
            ("short_description", &row.short_description),
            ("vendor", &row.vendor),
        ] {
            if text.chars().count() > 1_000 || text.chars().any(char::is_control) {
                self.say(&name, &format!("{field} must be at most 1000 characters on one line"));
            }
        }
        if !row.channels.iter().all(|id| CHANNEL_IDS.contains(id)) {
            let known = CHANNEL_IDS.map(|id| id.to_string()).join(", ");
            self.say(&name, &format!("channels must be some of {known}"));
        }
        if parties.get(row.supplier.as_str()).map(|side| side.party) != Some(Party::Supplier) {
            self.say(&name, "supplier must be a supplier among the connectors");
        }
        if Currency::from_code(&row.currency).is_err() {
            self.say(&name, "currency must be an ISO 4217 code in upper case");
        }
        self.range(&name, "min_amount", row.min_amount, 1..=MONEY);
        self.range(&name, "max_amount", row.max_amount, 1..=MONEY);
        if row.max_amount < row.min_amount {
            self.say(&name, "max_amount must not be below min_amount");
        }
        self.range(&name, "fee.fixed", row.fee.fixed, 0..=MONEY);
        self.range(&name, "fee.basis_points", row.fee.basis_points, 0..=10_000);
        self.mo_of_product(&name, &row.mo);
    }

    fn plan(&mut self, row: &PlanRow, party: Option<Party>, is_client: &dyn Fn(i64) -> bool) {
        let name = format!("plan {}", plan_name(row));
        let owner = &row.owner;
        // Plans are looked for by the number as it is written.
        let of_client = owner.parse().is_ok_and(|id| is_client(id) && id.to_string() == *owner);
        let (wanted, fits) = match row.kind {
            TaskKind::Reserve | TaskKind::Settle | TaskKind::Refund => {
                ("a bank's name", party == Some(Party::Bank))
            }
            TaskKind::Dispense => ("a supplier's name", party == Some(Party::Supplier)),
            TaskKind::Report | TaskKind::Validate => ("a desk's name", party == Some(Party::Desk)),
            TaskKind::Notify => ("a channel's name", party == Some(Party::Channel)),
            TaskKind::Deliver => ("a client's number", of_client),
            TaskKind::Case => {
                self.say(&name, "kind must be one that is worked on");
                ("", true)
            }
        };
        if owner != "*" && !fits {
            self.say(&name, &format!("owner must be {wanted} or * for {}", row.kind));
        }
        let count = i64::try_from(row.delays_seconds.len()).unwrap_or(i64::MAX);
        self.range(&name, "the number of delays_seconds", count, 1..=200);
        if row.delays_seconds.iter().any(|delay| !(1..=604_800).contains(delay)) {
            self.say(&name, "delays_seconds must be 1 to 604800 each");
        }
    }
}
