//! Texts that files may write as numbers.

use std::fmt;

use secrecy::SecretString;
use serde::Deserializer;
use serde::de::{Error, Visitor};

struct TextOrNumber;

impl Visitor<'_> for TextOrNumber {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a whole number")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
}

/// A text, or a number as its text.
pub(super) fn text_or_number<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    from.deserialize_any(TextOrNumber)
}

/// The same, kept secret.
pub(super) fn secret_number<'de, D: Deserializer<'de>>(from: D) -> Result<SecretString, D::Error> {
    text_or_number(from).map(SecretString::from)
}
