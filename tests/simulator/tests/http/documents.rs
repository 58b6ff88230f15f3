//! The documents' own examples.

use serde_json::Value;

pub(crate) fn golden(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../golden/documents");
    std::fs::read_to_string(format!("{folder}/{name}")).unwrap()
}

pub(crate) fn json_of(name: &str) -> Value {
    serde_json::from_str(&golden(name)).unwrap()
}

/// The lines `name=value` of a file.
pub(crate) fn pairs_of(name: &str) -> Vec<(String, String)> {
    let text = golden(name);
    let pairs = text.lines().map(|line| line.split_once('=').unwrap());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The same fields of the same types, down to the last one.
pub(crate) fn same_shape(told: &Value, document: &Value) {
    assert_eq!(shape(told), shape(document));
}

fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), shape(value))).collect())
        }
        Value::Array(rows) => Value::Array(rows.iter().map(shape).collect()),
        Value::String(_) => "text".into(),
        Value::Number(_) => "number".into(),
        Value::Bool(_) => "bool".into(),
        Value::Null => Value::Null,
    }
}
