//! Why an operator decides something, and who says so.

use fleet_contracts::{REFERENCE_CHARS_MAX, plain};
use fleet_domain::holds_a_card_number;

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
        checked(&self.reason)
    }

    pub(super) fn actor(&self) -> Result<String, Failure> {
        self.who.name()
    }
}

/// The same where nothing is taken from anybody: what is done may say enough.
#[derive(Debug, clap::Args)]
pub(crate) struct PerhapsWhy {
    /// Why, for the history; at most 200 characters, no personal data
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    who: Who,
}

impl PerhapsWhy {
    /// The reason as it may be kept, if there is one.
    pub(super) fn reason(&self) -> Result<Option<&str>, Failure> {
        self.reason.as_deref().map(checked).transpose()
    }

    pub(super) fn actor(&self) -> Result<String, Failure> {
        self.who.name()
    }
}

fn checked(reason: &str) -> Result<&str, Failure> {
    let refused = |text: &str| Err(Failure::Refused(text.to_owned()));
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
        return refused("--reason must be 1 to 200 characters");
    }
    if reason.chars().any(char::is_control) {
        return refused("--reason has control characters");
    }
    if holds_a_card_number(reason) {
        return refused("--reason looks like a card number");
    }
    Ok(reason)
}

/// Who does it.
#[derive(Debug, clap::Args)]
struct Who {
    /// Who does it, for the history; the system's user when absent
    #[arg(long, value_name = "NAME", alias = "by")]
    actor: Option<String>,
}

impl Who {
    /// The name as it may be kept.
    fn name(&self) -> Result<String, Failure> {
        let name = self.actor.clone().unwrap_or_else(system_user);
        if holds_a_card_number(&name) {
            return Err(Failure::Refused("--actor looks like a card number".to_owned()));
        }
        let name = plain(name.trim(), REFERENCE_CHARS_MAX);
        if name.is_empty() {
            return Err(Failure::Refused("--actor must name somebody".to_owned()));
        }
        Ok(name)
    }
}

/// The user that this process runs as; what the environment says can be anything.
fn system_user() -> String {
    use std::os::unix::fs::MetadataExt;
    let Ok(process) = std::fs::metadata("/proc/self") else { return "unknown".to_owned() };
    let id = process.uid().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("uid {id}"))
}
