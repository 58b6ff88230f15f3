//! Countries, operators and the numbers that they began with. Ported numbers are not here: they are
//! too many, and are looked up one by one.

use std::collections::{BTreeMap, HashMap};

/// Digits of the longest number there is (E.164).
pub const NUMBER_DIGITS_MAX: usize = 15;

/// A country and its calling code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Country {
    /// ISO 3166-1 alpha-2 (`countryCode`).
    pub code: String,
    /// For people (`countryName`).
    pub name: String,
    /// `countryCallingCode`, `dialingPrefix`.
    pub calling_code: i32,
}

/// A mobile network operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// `operatorCode`.
    pub code: String,
    /// `operatorName`.
    pub name: String,
    /// Its country (ISO 3166-1 alpha-2).
    pub country: String,
}

/// All of it, in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbering {
    /// By `countryCode`.
    pub countries: BTreeMap<String, Country>,
    /// By `operatorCode`.
    pub operators: BTreeMap<String, Operator>,
    /// From a number's first digits, the calling code included, to an operator's code.
    pub prefixes: HashMap<String, String>,
}

impl Numbering {
    /// The operator that a number's first digits belong to: the longest prefix wins.
    #[must_use]
    pub fn operator_of(&self, digits: &str) -> Option<&Operator> {
        let most = digits.len().min(NUMBER_DIGITS_MAX);
        let prefixes = (1..=most).rev().filter_map(|length| digits.get(..length));
        let code = prefixes.filter_map(|prefix| self.prefixes.get(prefix)).next()?;
        self.operators.get(code)
    }

    /// True when a country has this calling code.
    #[must_use]
    pub fn knows(&self, calling_code: i32) -> bool {
        self.countries.values().any(|country| country.calling_code == calling_code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_wins_and_no_text_makes_it_fail() {
        let mut numbering = Numbering::default();
        for (prefix, code) in [("2782", "A"), ("27", "B"), ("278213", "C"), ("44", "gone")] {
            numbering.prefixes.insert(prefix.to_owned(), code.to_owned());
        }
        for code in ["A", "B", "C"] {
            let (code, name, country) = (code.to_owned(), code.to_owned(), "ZA".to_owned());
            numbering.operators.insert(code.clone(), Operator { code, name, country });
        }
        let of = |digits| numbering.operator_of(digits).map(|operator| operator.code.as_str());
        assert_eq!(of("27821234567"), Some("A"));
        assert_eq!(of("27821334567"), Some("C"));
        assert_eq!(of("27111234567"), Some("B"));
        assert_eq!(of("278213"), Some("C"), "a number may be all prefix");
        assert_eq!(of("4420"), None, "an operator that is not there");
        for text in ["", "1", "é7", "2\u{0}7", "9999999999999999999999"] {
            assert_eq!(of(text), None, "{text:?}");
        }
    }
}
