//! Values that may be absent or null.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, Visitor};

struct Maybe<S> {
    inner: S,
    expected: &'static str,
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for Maybe<S> {
    type Value = Option<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<Self::Value, D::Error> {
        self.inner.deserialize(value).map(Some)
    }
}

/// Reads by `inner` what is there; `expected` says what that is.
///
/// # Errors
/// As `inner`.
pub(crate) fn maybe<'de, D: Deserializer<'de>, S: DeserializeSeed<'de>>(
    deserializer: D,
    inner: S,
    expected: &'static str,
) -> Result<Option<S::Value>, D::Error> {
    deserializer.deserialize_option(Maybe { inner, expected })
}
