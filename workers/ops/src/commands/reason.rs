//! Why an operator decides something: a text that is kept.

use fleet_domain::looks_like_a_card_number;

use crate::Failure;

/// Characters of a reason at most.
const REASON_CHARS_MAX: usize = 200;

/// A reason as it may be kept.
pub(super) fn checked_reason(text: &str) -> Result<&str, Failure> {
    let refused = |text: &str| Err(Failure::Refused(text.to_owned()));
    let reason = text.trim();
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
