//! What an import must fulfil about adapters, sources that ask the buyer, and clients that sell by card.

use std::collections::BTreeMap;

use fleet_contracts::ControlKey;
use fleet_domain::{
    Adapter, CardAccount, Directory, FeeRule, Inquiry, MoAccount, MoOfProduct, Private, ProductId,
    SourceAdapter,
};
use secrecy::ExposeSecret;

use super::check::Check;
use super::rows::{ClientRow, ConnectorRow, DirectoryImport};

/// Words of one kind that a connector may have.
const WORDS_MAX: usize = 32;
const WORD_CHARS_MAX: usize = 128;

/// Whether a text is this start and something behind it.
fn begins(text: &str, start: &str) -> bool {
    text.strip_prefix(start).is_some_and(|rest| (1..=128).contains(&rest.len()))
}

impl Check {
    /// What a connector's adapter is, can do, and needs.
    pub(super) fn adapter(&mut self, name: &str, row: &ConnectorRow) {
        let adapter = Adapter::of(row.party, &row.adapter);
        let can = adapter.inquiries();
        if let Adapter::Unknown(_) = adapter {
            let known = Adapter::all_of(row.party);
            let known: Vec<&str> = known.iter().map(Adapter::name).collect();
            let problem =
                format!("adapter of a {} must be {}", row.party.name(), known.join(" or "));
            self.say(name, &problem);
        } else if !can.contains(&row.inquiry) {
            let can: Vec<&str> = can.iter().map(|inquiry| inquiry.name()).collect();
            let problem =
                format!("inquiry must be {} with the adapter {}", can.join(" or "), row.adapter);
            self.say(name, &problem);
        } else if row.inquiry == Inquiry::Callback {
            self.callback(name, row);
        }
        self.asking_source(name, row, &adapter);
    }

    /// Who confirms by calling us back.
    fn callback(&mut self, name: &str, row: &ConnectorRow) {
        if row.callback_wait_seconds == 0 {
            self.say(name, "callback_wait_seconds is missing: how long its word is waited for");
        }
    }

    /// A funding source that asks the buyer.
    fn asking_source(&mut self, name: &str, row: &ConnectorRow, adapter: &Adapter) {
        let is = |wanted| *adapter == Adapter::Source(wanted);
        if is(SourceAdapter::MoCharge) != row.mo.is_some() {
            self.say(name, "[connector.mo] goes with the adapter mo-charge, and must be there");
        }
        let has_account = is(SourceAdapter::CardPayment) || is(SourceAdapter::CardSale);
        if has_account != row.account.is_some() {
            let problem = "account goes with the adapters card-payment and card-sale, and must be \
                           there";
            self.say(name, problem);
        }
        let key = row.secret.as_ref().map(|key| Private::new(key.expose_secret()));
        let is_no_key = key.is_some_and(|key| ControlKey::of(&key).is_none());
        if is(SourceAdapter::CardSale) && is_no_key {
            self.say(name, "secret must be the control key: 32 hex digits, with dashes");
        }
        if let Some(account) = &row.account {
            self.text(name, "account", account);
        }
        if let Some(mo) = &row.mo {
            self.mo(name, mo);
        }
    }

    fn mo(&mut self, name: &str, mo: &MoAccount) {
        self.text(name, "mo.user", &mo.user);
        self.text(name, "mo.description", &mo.description);
        for (field, text, start) in
            [("campaign", &mo.campaign, "campaign:"), ("merchant", &mo.merchant, "partner:")]
        {
            if !begins(text, start) {
                self.say(name, &format!("mo.{field} must begin with {start}"));
            }
        }
        if !matches!(mo.environment.as_str(), "production" | "test") {
            self.say(name, "mo.environment must be production or test");
        }
        if mo.user.contains(':') {
            self.say(name, "mo.user must not hold a colon");
        }
        for (field, words) in [("accepting", &mo.accepting), ("refusing", &mo.refusing)] {
            self.words(name, &format!("mo.{field}"), words);
        }
        if mo.accepting.is_empty() {
            self.say(name, "mo.accepting must have a word: without one no charge is believed");
        }
        if mo.accepting.iter().any(|word| mo.refuses(word)) {
            self.say(name, "mo.accepting and mo.refusing must not have a word in common");
        }
    }

    /// Words that answers are compared with.
    pub(super) fn words(&mut self, name: &str, field: &str, words: &[String]) {
        let fits = |word: &String| {
            (1..=WORD_CHARS_MAX).contains(&word.trim().chars().count())
                && !word.chars().any(char::is_control)
        };
        if words.len() > WORDS_MAX || !words.iter().all(fits) {
            let problem = format!(
                "{field} must be at most {WORDS_MAX} words of 1 to {WORD_CHARS_MAX} characters"
            );
            self.say(name, &problem);
        }
    }

    /// What a product's SMS charges say.
    pub(super) fn mo_of_product(&mut self, name: &str, mo: &MoOfProduct) {
        if let Some(description) = &mo.description {
            self.text(name, "mo.description", description);
        }
        if mo.campaign.as_ref().is_some_and(|campaign| !begins(campaign, "campaign:")) {
            self.say(name, "mo.campaign must begin with campaign:");
        }
    }

    /// What clients sell by card: after all products and connectors are known.
    pub(super) fn cards(&mut self, import: &DirectoryImport, current: &Directory) {
        let mut sources: BTreeMap<&str, (&str, bool)> = BTreeMap::new();
        for c in current.connectors.values() {
            sources.insert(&c.name, (c.adapter.name(), c.sandbox));
        }
        for row in &import.connectors {
            sources.insert(&row.name, (&row.adapter, row.sandbox));
        }
        for (index, row) in import.clients.iter().enumerate() {
            let Some(card) = &row.card else { continue };
            self.at("client", index);
            let name = format!("client {}", row.client_id);
            let wanted = Some(&(SourceAdapter::CardPayment.name(), row.sandbox));
            if sources.get(card.funding_source.as_str()) != wanted {
                let problem = "card.funding_source must be a bank with the adapter card-payment";
                self.say(&name, problem);
            }
            let imported = import.products.iter().find(|row| row.product_id == card.product_id);
            let stored = || current.products.get(&ProductId(card.product_id));
            let fee = imported.map(|row| row.fee).or_else(|| stored().map(|product| product.fee));
            self.card(&name, row, card, fee);
        }
    }

    fn card(&mut self, name: &str, row: &ClientRow, card: &CardAccount, fee: Option<FeeRule>) {
        let is_plain = card.account_id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_plain || !(1..=32).contains(&card.account_id.len()) {
            self.say(name, "card.account_id must be 1 to 32 letters or digits");
        }
        if !row.channels.contains_key(fleet_contracts::CARD_GET) {
            self.say(name, "card needs channels.card_get: where its end is told");
        }
        match fee {
            None => self.say(name, "card.product_id must be a product"),
            Some(FeeRule { fixed: 0, basis_points: 0 }) => {}
            Some(_) => self.say(name, "card.product_id must be a product without a fee"),
        }
    }
}
