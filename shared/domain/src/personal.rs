//! Personal data and vouchers: readable only on purpose, never printed by accident.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A text that must never reach a log: an MSISDN, an account, a voucher, a result's body.
#[derive(Clone, Default)]
pub struct Private(SecretString);

impl Private {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The text itself. Each caller is a place where personal data leaves its cover.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[private]")
    }
}

impl PartialEq for Private {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Private {}

impl From<String> for Private {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

/// The end of an MSISDN or account, enough to recognise one's own: `*******1234`.
#[must_use]
pub fn masked(text: &str) -> String {
    let length = text.chars().count();
    let shown = if length > 6 { 4 } else { 0 };
    let hidden = length.saturating_sub(shown);
    "*".repeat(hidden).chars().chain(text.chars().skip(hidden)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_text_is_never_printed() {
        let text = Private::new("+96526925482");
        assert_eq!(format!("{text:?}"), "[private]");
    }

    #[test]
    fn only_the_end_of_a_number_is_shown() {
        assert_eq!(masked("96526925482"), "*******5482");
        assert_eq!(masked("12345"), "*****");
    }
}
