//! What no request to us may hold, at any depth, whether it is read or not: a key twice, of which one
//! would have to be guessed, and card data by its name.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::Rejection;

/// Fields of cards, as letters only.
const CARD_FIELDS: [&str; 12] = [
    "cardnumber",
    "cardno",
    "cardpan",
    "cvc",
    "cvc2",
    "cvn",
    "cvv",
    "cvv2",
    "securitycode",
    "track1",
    "track2",
    "trackdata",
];

/// Looks at a whole document.
///
/// # Errors
/// [`Rejection`] that names the field by its path. What is no JSON is left to whoever reads it.
pub(crate) fn check(body: &[u8]) -> Result<(), Rejection> {
    let (mut path, mut found) = (Vec::new(), None);
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let looked = Look { path: &mut path, found: &mut found }.deserialize(&mut deserializer);
    match (found, looked) {
        (Some(rejection), _) => Err(rejection),
        (None, Err(error)) if error.to_string().starts_with("recursion limit") => {
            Err(Rejection::field("body", "is nested too deeply"))
        }
        (None, _) => Ok(()),
    }
}

struct Look<'l> {
    path: &'l mut Vec<String>,
    found: &'l mut Option<Rejection>,
}

impl Look<'_> {
    fn below(&mut self, step: String) -> Look<'_> {
        self.path.push(step);
        Look { path: &mut *self.path, found: &mut *self.found }
    }

    /// A field's name with those of what it stands in.
    fn named(&self, name: &str) -> String {
        let mut path: String = self.path.iter().map(String::as_str).collect();
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(name);
        path
    }

    fn problem(&self, name: &str, seen: &HashSet<String>) -> Option<Rejection> {
        let letters = name.chars().filter(char::is_ascii_alphanumeric);
        let letters: String = letters.map(|c| c.to_ascii_lowercase()).collect();
        if seen.contains(name) {
            return Some(Rejection::field(&self.named(name), "stands there twice"));
        }
        // The device sale has a field for it, which nobody of ours reads.
        let is_sales = self.path.first().is_some_and(|first| first == "sourceOfFunds");
        let is_card = CARD_FIELDS.contains(&letters.as_str());
        let is_allowed = is_sales && letters == "securitycode";
        (is_card && !is_allowed).then(|| Rejection::card(&self.named(name)))
    }
}

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        let mut place = 0_usize;
        while seq.next_element_seed(self.below(format!("[{place}]")))?.is_some() {
            self.path.pop();
            place = place.saturating_add(1);
        }
        self.path.pop();
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if let Some(rejection) = self.problem(&name, &seen) {
                *self.found = Some(rejection);
                return Err(A::Error::custom("refused"));
            }
            let dot = if self.path.is_empty() { "" } else { "." };
            map.next_value_seed(self.below(format!("{dot}{name}")))?;
            self.path.pop();
            seen.insert(name);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(text: &str) -> Option<String> {
        check(text.as_bytes()).err().map(|rejection| rejection.field.unwrap())
    }

    #[test]
    fn a_key_twice_is_refused_at_every_depth_with_its_path() {
        for (text, path) in [
            (r#"{"a":1,"a":1}"#, "a"),
            (
                r#"{"additionalData":{"fundingSource":1,"fundingSource":2}}"#,
                "additionalData.fundingSource",
            ),
            (r#"{"a":[{"b":1},{"b":{"c":1,"d":2,"c":3}}]}"#, "a[1].b.c"),
            (r#"{"a":{"b":1},"\u0061":2}"#, "a"),
        ] {
            assert_eq!(field(text).as_deref(), Some(path), "{text}");
        }
        for text in [r#"{"a":{"b":1},"b":{"a":1}}"#, "[]", "{", "", "null", r#"[{"a":1},{"a":1}]"#]
        {
            assert_eq!(field(text), None, "{text}");
        }
        let deep = format!("{{\"a\":{}", "[".repeat(60_000));
        assert_eq!(field(&deep).as_deref(), Some("body"));
    }

    #[test]
    fn fields_of_cards_are_refused_by_name_however_they_are_spelt() {
        for (text, path) in [
            (r#"{"cvv":"1"}"#, "cvv"),
            (r#"{"additionalData":{"card_number":null}}"#, "additionalData.card_number"),
            (r#"{"x":[{"Track-2":""}]}"#, "x[0].Track-2"),
            (r#"{"purchase":{"securityCode":"1"}}"#, "purchase.securityCode"),
        ] {
            assert_eq!(field(text).as_deref(), Some(path), "{text}");
        }
        let sale = r#"{"sourceOfFunds":{"reference":{"securityCode":"1"}}}"#;
        assert_eq!(field(sale), None);
        assert_eq!(field(r#"{"clientCardId":"1","card":{"bin":"4"},"track":1}"#), None);
    }
}
