//! How a fraud desk is dealt with.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::charge::holds;
use crate::{ClientId, Connector, Directory, Party, Private, ProductId, Scenario};

/// Why a purchase ended whose token its desk found invalid: a row of the reasons' map.
pub const INVALID_TOKEN: &str = "invalid_token";

/// In which form a desk gets the buyer's MSISDN.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MsisdnForm {
    /// Not at all.
    #[default]
    Omitted,
    /// As it is.
    Plain,
    /// Base64 of nonce (12 bytes), AES-256-GCM text and tag (16 bytes).
    Encrypted,
}

/// Whose tokens a desk is asked about before any charge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValidateWhen {
    /// Nobody's.
    #[default]
    Never,
    /// Of purchases that we reserve for.
    WeReserve,
    /// Of all purchases: where the client holds the funds, before anything is dispensed.
    Always,
}

/// What becomes of a purchase whose token the desk could not be asked about in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnavailable {
    /// It fails, and nothing is charged.
    #[default]
    Refuse,
    /// It goes on as if the token were valid.
    Proceed,
}

/// How a fraud desk is dealt with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeskRules {
    /// The form of `msisdn` in reports.
    pub msisdn: MsisdnForm,
    /// 64 hex digits, for the encrypted form.
    pub msisdn_key: Option<Private>,
    /// Whose tokens are validated.
    pub validate: ValidateWhen,
    /// When the desk does not answer in time.
    pub on_unavailable: OnUnavailable,
    /// How long after acceptance the desk is asked again.
    pub validate_within: Duration,
    /// Words of `status` or `message`, and HTTP statuses, by which the desk says that a report is to
    /// be made again later.
    pub later: Vec<String>,
}

impl DeskRules {
    /// Whether a purchase of this scenario waits for the desk's word on its token.
    #[must_use]
    pub fn validates(&self, scenario: Scenario) -> bool {
        match self.validate {
            ValidateWhen::Never => false,
            ValidateWhen::WeReserve => scenario == Scenario::WeReserve,
            ValidateWhen::Always => true,
        }
    }
    /// Whether a refusal with this word is one for now only.
    #[must_use]
    pub fn is_later(&self, word: &str) -> bool {
        holds(&self.later, word)
    }
}

impl Directory {
    /// The fraud desk of a client's new purchases of a product: the product's own, the client's own,
    /// or the only active one, in the sandbox for its clients. An own one that is switched off stands
    /// for none: nobody else's desk takes its place.
    #[must_use]
    pub fn desk_of(&self, client: ClientId, product: ProductId) -> Option<&Connector> {
        let client = self.clients.get(&client);
        let sandbox = client.is_some_and(|client| client.sandbox);
        let fits = |c: &&Connector| c.party == Party::Desk && c.active && c.sandbox == sandbox;
        let own = self.products.get(&product).and_then(|product| product.desk.as_deref());
        let own = own.or_else(|| client.and_then(|client| client.desk.as_deref()));
        if let Some(own) = own {
            return self.connectors.get(own).filter(fits);
        }
        let mut all = self.connectors.values().filter(fits);
        let first = all.next();
        first.filter(|_| all.next().is_none())
    }
}
