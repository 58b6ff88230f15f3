//! Why an operator decides something, and who says so.

use fleet_contracts::{REFERENCE_CHARS_MAX, plain};

use super::import::Who;
use super::reason::checked_reason;
use crate::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Why {
    /// Why, for other operators; at most 200 characters, no personal data
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    who: Who,
}

impl Why {
    pub(super) fn reason(&self) -> Result<&str, Failure> {
        checked_reason(&self.reason)
    }

    pub(super) fn actor(&self) -> String {
        plain(&self.who.name(), REFERENCE_CHARS_MAX)
    }
}
