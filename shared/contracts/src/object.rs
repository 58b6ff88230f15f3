//! Objects that are objects: by itself serde also takes an array for one, field by field in the order
//! of the type.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, StringDeserializer};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::maybe::maybe;

/// An object, and the fields that are not read.
struct Object<T>(&'static [&'static str], PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(Without(self.0, map)))
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Object<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_map(self)
    }
}

/// An object's fields without some.
struct Without<A>(&'static [&'static str], A);

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Without<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        while let Some(name) = self.1.next_key::<String>()? {
            if !self.0.contains(&name.as_str()) {
                return seed.deserialize(StringDeserializer::new(name)).map(Some);
            }
            let IgnoredAny = self.1.next_value()?;
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.1.next_value_seed(seed)
    }
}

/// Reads an object as if it had no fields of these names.
///
/// # Errors
/// The deserializer's, for anything else.
pub(crate) fn without<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    names: &'static [&'static str],
    deserializer: D,
) -> Result<T, D::Error> {
    Object(names, PhantomData).deserialize(deserializer)
}

/// Reads an object that may be absent or null.
///
/// # Errors
/// As [`without`].
pub(crate) fn optional<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    maybe(deserializer, Object::<T>(&[], PhantomData), "an object or null")
}
