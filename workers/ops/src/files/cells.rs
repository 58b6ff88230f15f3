//! A CSV row as the structure that its column names spell (`fee.fixed`), each cell of the type that
//! its field wants. Lists are separated by semicolons; an empty cell is an absent field.

use std::collections::BTreeMap;

use fleet_domain::truth;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Error, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

/// What stands between the parts of a list.
pub(super) const LIST: char = ';';

/// A cell, or what begins with one column's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    /// The text of one cell.
    Text(String),
    /// By the next part of the name.
    Table(BTreeMap<String, Self>),
}

type CellError = serde::de::value::Error;

impl Cell {
    /// A row of header and cells.
    pub(super) fn row<'r>(cells: impl Iterator<Item = (&'r str, &'r str)>) -> Self {
        let mut row = BTreeMap::new();
        for (name, text) in cells.filter(|(_, text)| !text.is_empty()) {
            put(&mut row, name, text);
        }
        Self::Table(row)
    }

    /// Every text with its column's name.
    pub(super) fn texts(&self, name: &str) -> Vec<(String, &str)> {
        match self {
            Self::Text(text) => vec![(name.to_owned(), text)],
            Self::Table(row) => {
                let at = if name.is_empty() { String::new() } else { format!("{name}.") };
                row.iter().flat_map(|(inner, cell)| cell.texts(&format!("{at}{inner}"))).collect()
            }
        }
    }

    fn text(self) -> Result<String, CellError> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Table(_) => Err(CellError::custom("must be one column")),
        }
    }
}

fn put(row: &mut BTreeMap<String, Cell>, name: &str, text: &str) {
    let Some((first, rest)) = name.split_once('.') else {
        row.insert(name.to_owned(), Cell::Text(text.to_owned()));
        return;
    };
    let inner = row.entry(first.to_owned()).or_insert_with(|| Cell::Table(BTreeMap::new()));
    if let Cell::Table(inner) = inner {
        put(inner, rest, text);
    }
}

impl IntoDeserializer<'_, CellError> for Cell {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! number {
    ($($method:ident $visit:ident $kind:ty),*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CellError> {
            let text = self.text()?;
            let number: Result<$kind, _> = text.trim().parse();
            visitor.$visit(number.map_err(|_| CellError::custom("must be a whole number"))?)
        })*
    };
}

impl<'de> Deserializer<'de> for Cell {
    type Error = CellError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CellError> {
        match self {
            Self::Text(text) => visitor.visit_string(text),
            Self::Table(row) => visitor.visit_map(MapDeserializer::new(row.into_iter())),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CellError> {
        let wrong = || CellError::custom("must be true or false");
        let text = self.text()?;
        // As spreadsheets write them, too.
        let told = match text.trim().to_ascii_lowercase().as_str() {
            "yes" => Some(true),
            "no" => Some(false),
            _ => truth(&text),
        };
        visitor.visit_bool(told.ok_or_else(wrong)?)
    }

    number! {
        deserialize_i16 visit_i16 i16, deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64,
        deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CellError> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CellError> {
        let text = self.text()?;
        let parts = text.split(LIST).map(str::trim).filter(|part| !part.is_empty());
        let parts: Vec<Self> = parts.map(|part| Self::Text(part.to_owned())).collect();
        visitor.visit_seq(SeqDeserializer::new(parts.into_iter()))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CellError> {
        visitor.visit_enum(self.text()?.into_deserializer())
    }

    forward_to_deserialize_any! {
        i8 u8 i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct
        tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use fleet_store::{ClientRow, ProductRow};

    use super::*;

    fn product(cells: &[(&str, &str)]) -> Result<ProductRow, String> {
        let row = Cell::row(cells.iter().copied());
        serde_path_to_error::deserialize(row)
            .map_err(|error| format!("{} {}", error.path(), error.inner()))
    }

    const PRODUCT: [(&str, &str); 8] = [
        ("product_id", "101"),
        ("name", "Airtime, any network"),
        ("product_type", "airtime"),
        ("supplier", "vendor"),
        ("currency", "ZAR"),
        ("min_amount", "200"),
        ("max_amount", "1000"),
        ("active", "no"),
    ];

    #[test]
    fn cells_take_the_types_of_their_fields() {
        let mut cells = PRODUCT.to_vec();
        cells.extend([("fee.fixed", "5"), ("fee.basis_points", "10"), ("channels", "1; 7")]);
        let row = product(&cells).unwrap();
        assert_eq!((row.product_id, row.active, row.fee.basis_points), (101, false, 10));
        assert_eq!(row.channels, [1, 7]);
        let cells = [
            ("client_id", "7"),
            ("name", "Shop"),
            ("channels.transact_result", "http://shop/r"),
            ("ipn.account_id", "77"),
            ("ipn.form", "raw"),
            ("broker_users", "a;b"),
            ("default_funding_source", ""),
        ];
        let row: ClientRow =
            serde_path_to_error::deserialize(Cell::row(cells.into_iter())).unwrap();
        assert_eq!(row.channels["transact_result"], "http://shop/r");
        assert_eq!((row.broker_users.len(), row.default_funding_source), (2, None));
        assert_eq!(row.ipn.unwrap().account_id, "77");
    }

    #[test]
    fn a_truth_is_taken_in_any_letter_case() {
        for (text, truth) in [("True", true), ("False", false), ("YES", true), ("No", false)] {
            let mut cells = PRODUCT.to_vec();
            cells.retain(|(name, _)| *name != "active");
            cells.push(("active", text));
            assert_eq!(product(&cells).unwrap().active, truth, "{text}");
        }
    }

    #[test]
    fn a_wrong_cell_is_named_and_not_repeated() {
        for (field, text, problem) in [
            ("min_amount", "4111x", "min_amount must be a whole number"),
            ("active", "4111x", "active must be true or false"),
            ("active", "yess", "active must be true or false"),
            ("channels", "1;4111x", "channels[1] must be a whole number"),
            ("fee", "4111x", "fee invalid type: string \"4111x\", expected struct FeeRule"),
        ] {
            let mut cells = PRODUCT.to_vec();
            cells.push((field, text));
            assert_eq!(product(&cells).unwrap_err(), problem);
        }
    }
}
