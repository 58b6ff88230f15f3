//! OpenAPI 3.1 documents, put together from the bodies' own types: a type derives `JsonSchema` once,
//! and every document that names it says the same.

mod bank;
mod operation;
mod supplier;
mod transact;
mod webhooks;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

pub use bank::bank_document;
pub use operation::{Content, Operation, Parameter};
pub use supplier::supplier_document;
pub use transact::TransactBody;
pub use webhooks::client_webhooks;

/// The scheme of a signed body, in documents and operations.
pub const SIGNATURE: &str = "Signature";
const API_KEY: &str = "ApiKey";
const BASIC: &str = "Basic";
const MTLS: &str = "Certificate";

/// What a signature is, for people.
const SIGNATURE_TEXT: &str =
    "Base64(HMAC-SHA256(the raw bytes of the body, the shared secret)), in the header `Signature`";

/// A document in the making.
#[derive(Debug)]
pub struct Document {
    info: Value,
    schemes: Map<String, Value>,
    tags: Vec<Value>,
    paths: Map<String, Value>,
    webhooks: Map<String, Value>,
    /// Bodies that are read by whom the document describes.
    read: SchemaGenerator,
    /// Bodies that it writes.
    written: SchemaGenerator,
}

impl Document {
    /// An empty one.
    #[must_use]
    pub fn new(title: &str, description: &str) -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Self {
            info: json!({
                "title": title,
                "version": "1.0.0",
                "description": description,
                "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            }),
            schemes: Map::new(),
            tags: Vec::new(),
            paths: Map::new(),
            webhooks: Map::new(),
            read: settings.clone().for_deserialize().into_generator(),
            written: settings.for_serialize().into_generator(),
        }
    }

    /// With a security scheme.
    #[must_use]
    pub fn scheme(mut self, name: &str, scheme: Value) -> Self {
        self.schemes.insert(name.to_owned(), scheme);
        self
    }

    /// With signed bodies.
    #[must_use]
    pub fn with_signatures(self) -> Self {
        let name = SIGNATURE;
        let scheme = json!({ "type": "apiKey", "in": "header", "name": name, "description": SIGNATURE_TEXT });
        self.scheme(name, scheme)
    }

    /// With every way in which we show a party who we are: its connector's row says which.
    #[must_use]
    pub fn with_callers_credentials(self) -> Self {
        let certificate = "a certificate of ours in the TLS handshake (`authenticate = \"mtls\"`)";
        let key = "the key as it is, in this header or the one that the connector's \
                   `api_key_header` names (`authenticate = \"api_key\"`)";
        let basic = "user and password of the connector (`authenticate = \"basic\"`)";
        self.with_signatures()
            .scheme(
                API_KEY,
                json!({ "type": "apiKey", "in": "header", "name": "X-API-Key", "description": key }),
            )
            .scheme(BASIC, json!({ "type": "http", "scheme": "basic", "description": basic }))
            .scheme(MTLS, json!({ "type": "mutualTLS", "description": certificate }))
    }

    /// With a group of operations.
    #[must_use]
    pub fn tag(mut self, name: &str, description: &str) -> Self {
        self.tags.push(json!({ "name": name, "description": description }));
        self
    }

    /// The schema of a body that is read: as the type's `Deserialize` has it.
    pub fn read<T: JsonSchema>(&mut self) -> Schema {
        self.read.subschema_for::<T>()
    }

    /// The schema of a body that is written: as the type's `Serialize` has it.
    pub fn written<T: JsonSchema>(&mut self) -> Schema {
        self.written.subschema_for::<T>()
    }

    /// The fields of a type as parameters of the query.
    pub fn query<T: JsonSchema>(&mut self) -> Vec<Parameter> {
        let schema = self.read.root_schema_for::<T>().to_value();
        let required = schema.get("required").and_then(Value::as_array).cloned();
        let required = required.unwrap_or_default();
        let fields = schema.get("properties").and_then(Value::as_object).cloned();
        let fields = fields.unwrap_or_default().into_iter();
        fields
            .map(|(name, schema)| {
                let is_required = required.iter().any(|one| one.as_str() == Some(name.as_str()));
                Parameter::query(&name, is_required, schema)
            })
            .collect()
    }

    /// Adds an operation.
    pub fn add(&mut self, method: &str, path: &str, operation: Operation) {
        put(&mut self.paths, path, method, operation);
    }

    /// Adds a request that whom the document describes makes to others.
    pub fn add_webhook(&mut self, name: &str, operation: Operation) {
        put(&mut self.webhooks, name, "post", operation);
    }

    /// The whole document.
    #[must_use]
    pub fn into_value(mut self) -> Value {
        let mut schemas = self.read.take_definitions(true);
        schemas.extend(self.written.take_definitions(true));
        let mut document = json!({
            "openapi": "3.1.0",
            "info": self.info,
            "servers": [{ "url": "/" }],
            "paths": self.paths,
            "components": { "schemas": schemas, "securitySchemes": self.schemes },
        });
        for (name, value) in
            [("tags", Value::from(self.tags)), ("webhooks", Value::from(self.webhooks))]
        {
            let is_empty = value == json!([]) || value == json!({});
            if let Some(fields) = document.as_object_mut().filter(|_| !is_empty) {
                fields.insert(name.to_owned(), value);
            }
        }
        document
    }
}

fn put(paths: &mut Map<String, Value>, path: &str, method: &str, operation: Operation) {
    let item = paths.entry(path).or_insert_with(|| json!({}));
    if let Some(item) = item.as_object_mut() {
        item.insert(method.to_owned(), operation.into_value());
    }
}
