//! Integers that arrive as numbers (also as `1500.0`) or as numeric strings, and leave as numbers.

use std::fmt;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeSeed, Deserializer, Error, Visitor};

use crate::maybe::maybe;

/// What is read, in errors.
const EXPECTED: &str = "an integer or a string of digits";

struct Integer;

impl<'de> DeserializeSeed<'de> for Integer {
    type Value = i64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<i64, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Integer {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<i64, E> {
        Ok(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<i64, E> {
        i64::try_from(value).map_err(|_overflow| E::custom("is out of range"))
    }

    /// `1500.0` is an integer too; beyond 15 digits nobody can tell which one.
    fn visit_f64<E: Error>(self, value: f64) -> Result<i64, E> {
        let text = value.to_string();
        let parsed = text.parse().ok().filter(|_| text.len() <= 15);
        parsed.ok_or_else(|| E::custom("is not an integer"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<i64, E> {
        let digits = value.strip_prefix('-').unwrap_or(value);
        if digits.is_empty() || digits.len() > 18 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(E::custom("is not an integer"));
        }
        value.parse().map_err(|_error| E::custom("is not an integer"))
    }
}

/// Reads a required integer.
///
/// # Errors
/// The deserializer's, for anything else; the value is never repeated in the message.
pub fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    Integer.deserialize(deserializer)
}

/// Reads an integer that may be absent or null.
///
/// # Errors
/// As [`required`].
pub fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    maybe(deserializer, Integer, EXPECTED)
}

pub(crate) fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [
        { "type": "integer", "minimum": 1, "maximum": i64::MAX },
        { "type": "string", "pattern": "^[0-9]{1,18}$" },
    ] })
}

pub(crate) fn amount_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [
        { "type": "integer", "minimum": 1, "maximum": crate::PURCHASE_AMOUNT_MAX },
        { "type": "string", "pattern": "^[1-9][0-9]{0,11}$" },
    ] })
}

pub(crate) fn channel_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [
        { "type": "integer", "minimum": 1, "maximum": i32::MAX },
        { "type": "string", "pattern": "^[1-9][0-9]{0,8}$" },
    ] })
}

pub(crate) fn message_channel_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [
        { "type": "integer", "enum": [crate::SMS_CHANNEL_ID, crate::EMAIL_CHANNEL_ID] },
        { "type": "string", "pattern": "^[69]$" },
    ] })
}

pub(crate) fn optional_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [
        { "type": "integer", "minimum": i64::MIN, "maximum": i64::MAX },
        { "type": "string", "pattern": "^-?[0-9]{1,18}$" },
        { "type": "null" },
    ] })
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_integer_has_many_forms_and_nothing_else_is_one() {
        let read = |text: &str| super::required(&mut serde_json::Deserializer::from_str(text));
        for (text, number) in
            [("1500", 1500), ("\"1500\"", 1500), ("1500.0", 1500), ("-1.5e2", -150), ("-0.0", 0)]
        {
            assert_eq!(read(text).ok(), Some(number), "{text}");
        }
        let wrong =
            ["1500.5", "1e-3", "1e15", "-9223372036854775809", "\"1500.0\"", "\"\"", "null"];
        for text in wrong {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
