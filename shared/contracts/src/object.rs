//! Objects that are objects: by itself serde also takes an array for one, field by field in the order
//! of the type. Only an empty array is an empty object: PHP writes it so.

use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, StringDeserializer};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use crate::maybe::maybe;

/// An object, and the fields that are not read.
struct Object<T>(&'static [&'static str], PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(Without { names: self.0, first: None, map }))
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Object<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_map(self)
    }
}

/// An object's fields without some.
struct Without<A> {
    names: &'static [&'static str],
    /// A name that was read before.
    first: Option<String>,
    map: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Without<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        loop {
            let name = match self.first.take() {
                Some(name) => name,
                None => match self.map.next_key::<String>()? {
                    Some(name) => name,
                    None => return Ok(None),
                },
            };
            if !self.names.contains(&name.as_str()) {
                return seed.deserialize(StringDeserializer::new(name)).map(Some);
            }
            let IgnoredAny = self.map.next_value()?;
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// An object that says something; an empty one, as `{}` or as PHP's `[]`, is as if it were not there.
struct Filled<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Filled<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<T>, A::Error> {
        let first = map.next_key::<String>()?;
        if first.is_none() {
            return Ok(None);
        }
        T::deserialize(MapAccessDeserializer::new(Without { names: &[], first, map })).map(Some)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Option<T>, A::Error> {
        match list.next_element::<IgnoredAny>()? {
            None => Ok(None),
            Some(IgnoredAny) => Err(A::Error::custom("is a list")),
        }
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Filled<T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_any(self)
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

/// Reads an object that may be absent, null or empty.
///
/// # Errors
/// As [`without`].
pub(crate) fn optional<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    maybe(deserializer, Filled::<T>(PhantomData), "an object or null").map(Option::flatten)
}

/// The schema of what [`optional`] reads.
pub(crate) fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [
        generator.subschema_for::<T>(),
        { "type": "object", "maxProperties": 0 },
        { "type": "array", "maxItems": 0 },
        { "type": "null" },
    ] })
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Body {
        #[serde(default, deserialize_with = "super::optional")]
        more: Option<Inner>,
        #[serde(default, deserialize_with = "super::optional")]
        any: Option<Map<String, Value>>,
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Inner {
        kind: String,
    }

    #[test]
    fn an_empty_object_in_either_notation_is_absent_and_another_list_is_none() {
        for text in [
            "{}",
            r#"{"more":null,"any":null}"#,
            r#"{"more":{},"any":{}}"#,
            r#"{"more":[],"any":[ ]}"#,
        ] {
            let read: Body = serde_json::from_str(text).unwrap();
            assert_eq!(read, Body { more: None, any: None }, "{text}");
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::from_value::<Body>(value).unwrap(), read, "{text}");
        }
        let read: Body =
            serde_json::from_str(r#"{"more":{"x":1,"kind":"a"},"any":{"b":[]}}"#).unwrap();
        assert_eq!(read.more, Some(Inner { kind: "a".to_owned() }));
        assert_eq!(read.any.unwrap().len(), 1);
        for text in [
            r#"{"more":["a"]}"#,
            r#"{"more":[[]]}"#,
            r#"{"more":{"x":1}}"#,
            r#"{"any":[null]}"#,
            r#"{"more":""}"#,
            r#"{"any":0}"#,
        ] {
            assert!(serde_json::from_str::<Body>(text).is_err(), "{text}");
        }
    }
}
