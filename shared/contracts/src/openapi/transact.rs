//! A purchase as it is asked for over HTTP.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::PurchaseBody;
use crate::order::NOT_OVER_HTTP;

/// The schema of [`PurchaseBody`] over HTTP: the extras sit in `additionalData`.
#[derive(Debug)]
pub enum TransactBody {}

impl JsonSchema for TransactBody {
    fn schema_name() -> Cow<'static, str> {
        "TransactRequest".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = PurchaseBody::json_schema(generator);
        schema.insert("title".to_owned(), "Transact, Reserve and Transact".into());
        let fields = schema.get_mut("properties").and_then(Value::as_object_mut);
        let Some(fields) = fields else { return schema };
        let extras = NOT_OVER_HTTP.iter().filter_map(|name| fields.remove_entry(*name));
        let mut extras: Map<String, Value> = extras.collect();
        // What the path tells.
        extras.retain(|name, _| name != "v" && name != "scenario");
        let additional = json!({
            "type": ["object", "array", "null"],
            "description": "What the documents' own fields have no place for; an empty list is an \
                            empty object.",
            "maxItems": 0,
            "properties": extras,
        });
        fields.insert("additionalData".to_owned(), additional);
        schema
    }
}
