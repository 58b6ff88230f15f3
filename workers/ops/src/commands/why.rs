//! Why an operator decides something, and who says so.

use fleet_contracts::{REFERENCE_CHARS_MAX, plain};
use fleet_domain::looks_like_a_card_number;

use super::import::Who;
use crate::Failure;

/// Characters of a reason at most.
const REASON_CHARS_MAX: usize = 200;

#[derive(Debug, clap::Args)]
pub(crate) struct Why {
    /// Why, for other operators; at most 200 characters, no personal data
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    who: Who,
}

impl Why {
    /// The reason as it may be kept.
    pub(super) fn reason(&self) -> Result<&str, Failure> {
        let refused = |text: &str| Err(Failure::Refused(text.to_owned()));
        let reason = self.reason.trim();
        if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
            return refused("--reason must be 1 to 200 characters");
        }
        if reason.chars().any(char::is_control) {
            return refused("--reason has control characters");
        }
        if looks_like_a_card_number(reason) {
            return refused("--reason looks like a card number");
        }
        Ok(reason)
    }

    pub(super) fn actor(&self) -> String {
        plain(&self.who.name(), REFERENCE_CHARS_MAX)
    }
}
