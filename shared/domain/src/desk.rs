//! How a fraud desk is dealt with.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Private, Scenario};

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
}
