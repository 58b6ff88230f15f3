//! One operation of a document.

use schemars::Schema;
use serde_json::{Map, Value, json};

/// A body: its kind, its schema, and named examples.
#[derive(Debug, Clone)]
pub struct Content {
    kind: String,
    media: Value,
    examples: Map<String, Value>,
}

impl Content {
    /// JSON.
    #[must_use]
    pub fn json(schema: Schema) -> Self {
        Self::of("application/json", schema)
    }

    /// Another kind.
    #[must_use]
    pub fn of(kind: &str, schema: Schema) -> Self {
        let media = json!({ "schema": Value::from(schema) });
        Self { kind: kind.to_owned(), media, examples: Map::new() }
    }

    /// With an example.
    #[must_use]
    pub fn example(mut self, name: &str, value: Value) -> Self {
        let example = Map::from_iter([("value".to_owned(), value)]);
        self.examples.insert(name.to_owned(), example.into());
        self
    }

    fn into_value(mut self) -> Value {
        if let Some(media) = self.media.as_object_mut().filter(|_| !self.examples.is_empty()) {
            media.insert("examples".to_owned(), self.examples.into());
        }
        json!({ self.kind: self.media })
    }
}

/// An operation in the making.
#[derive(Debug, Clone, Default)]
pub struct Operation {
    fields: Map<String, Value>,
    parameters: Vec<Value>,
    security: Vec<Value>,
    replies: Map<String, Value>,
}

impl Operation {
    /// One with its name, which no other operation of the document has, and what it is for.
    #[must_use]
    pub fn new(id: &str, summary: &str) -> Self {
        let mut fields = Map::new();
        fields.insert("operationId".to_owned(), id.into());
        fields.insert("summary".to_owned(), summary.into());
        Self { fields, ..Self::default() }
    }

    /// More about it.
    #[must_use]
    pub fn about(mut self, description: &str) -> Self {
        self.fields.insert("description".to_owned(), description.into());
        self
    }

    /// Its group.
    #[must_use]
    pub fn tag(mut self, tag: &str) -> Self {
        self.fields.insert("tags".to_owned(), json!([tag]));
        self
    }

    /// One way to be allowed: all these schemes together. Called again, another way.
    #[must_use]
    pub fn allowed_by(mut self, schemes: &[&str]) -> Self {
        let names = schemes.iter().map(|name| ((*name).to_owned(), json!([])));
        self.security.push(Value::Object(names.collect()));
        self
    }

    /// By any of the ways in which we show a party who we are; by none where the row says `none`.
    #[must_use]
    pub fn allowed_as_the_row_says(self) -> Self {
        let ways = [super::SIGNATURE, super::API_KEY, super::BASIC, super::MTLS];
        let with = ways.into_iter().fold(self, |operation, way| operation.allowed_by(&[way]));
        with.empty(401, "not shown as it was agreed: nothing may have been done")
    }

    /// With parameters.
    #[must_use]
    pub fn parameters(mut self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        self.parameters.extend(parameters.into_iter().map(|parameter| parameter.0));
        self
    }

    /// With a body.
    #[must_use]
    pub fn body(mut self, content: Content) -> Self {
        let body = json!({ "required": true, "content": content.into_value() });
        self.fields.insert("requestBody".to_owned(), body);
        self
    }

    /// With a reply. One whose status was told before adds its text and its examples to that.
    #[must_use]
    pub fn reply(mut self, status: u16, text: &str, content: Content) -> Self {
        let status = status.to_string();
        let Some(Value::Object(told)) = self.replies.get_mut(&status) else {
            let reply = json!({ "description": text, "content": content.into_value() });
            self.replies.insert(status, reply);
            return self;
        };
        let before = told.get("description").and_then(Value::as_str).unwrap_or_default();
        if !before.split("; ").any(|part| part == text) {
            let both = format!("{before}; {text}");
            told.insert("description".to_owned(), both.into());
        }
        let media = told.get_mut("content").and_then(|kinds| kinds.get_mut(&content.kind));
        if let Some(media) = media.and_then(Value::as_object_mut) {
            let examples = media.entry("examples").or_insert_with(|| json!({}));
            if let Some(examples) = examples.as_object_mut() {
                examples.extend(content.examples);
            }
        }
        self
    }

    /// Whether it says already what it answers with this status.
    #[must_use]
    pub fn tells(&self, status: u16) -> bool {
        self.replies.contains_key(&status.to_string())
    }

    /// With a reply whose body is empty, or of no account.
    #[must_use]
    pub fn empty(mut self, status: u16, text: &str) -> Self {
        self.replies.insert(status.to_string(), json!({ "description": text }));
        self
    }

    /// A header of a reply that was told before.
    #[must_use]
    pub fn header(mut self, status: u16, name: &str, description: &str) -> Self {
        if let Some(Value::Object(reply)) = self.replies.get_mut(&status.to_string()) {
            let headers = reply.entry("headers").or_insert_with(|| json!({}));
            let header = json!({ "description": description, "schema": { "type": "string" } });
            if let Some(headers) = headers.as_object_mut() {
                headers.insert(name.to_owned(), header);
            }
        }
        self
    }

    pub(super) fn into_value(mut self) -> Value {
        if !self.parameters.is_empty() {
            self.fields.insert("parameters".to_owned(), self.parameters.into());
        }
        self.fields.insert("security".to_owned(), self.security.into());
        self.fields.insert("responses".to_owned(), self.replies.into());
        Value::Object(self.fields)
    }
}

/// A parameter of an operation.
#[derive(Debug, Clone)]
pub struct Parameter(Value);

impl Parameter {
    /// One of the query. Null has no form there.
    #[must_use]
    pub fn query(name: &str, required: bool, schema: Value) -> Self {
        Self::of("query", name, required, without_null(schema))
    }

    /// One of the path.
    #[must_use]
    pub fn path(name: &str, description: &str) -> Self {
        let schema = json!({ "type": "string", "minLength": 1, "description": description });
        Self::of("path", name, true, schema)
    }

    /// A word of at most 64 letters, digits, dots, dashes and underscores in the path.
    #[must_use]
    pub fn path_word(name: &str, description: &str) -> Self {
        let pattern = "^[A-Za-z0-9._-]{1,64}$";
        let schema = json!({ "type": "string", "pattern": pattern, "description": description });
        Self::of("path", name, true, schema)
    }

    /// A purchase's reference in the path.
    #[must_use]
    pub fn path_reference(name: &str, description: &str) -> Self {
        let schema = json!({ "type": "string", "format": "uuid", "description": description });
        Self::of("path", name, true, schema)
    }

    /// A day in the path.
    #[must_use]
    pub fn path_day(name: &str, description: &str) -> Self {
        let schema = json!({ "type": "string", "format": "date", "description": description });
        Self::of("path", name, true, schema)
    }

    /// A header.
    #[must_use]
    pub fn header(name: &str, required: bool, description: &str) -> Self {
        Self::of("header", name, required, json!({ "type": "string", "description": description }))
    }

    /// The header `Signature`, where it is the client's choice.
    #[must_use]
    pub fn signature() -> Self {
        let text = format!("{}; needed where the client is set up so", super::SIGNATURE_TEXT);
        Self::header(super::SIGNATURE, false, &text)
    }

    /// With an example.
    #[must_use]
    pub fn example(mut self, value: impl Into<Value>) -> Self {
        if let Some(fields) = self.0.as_object_mut() {
            fields.insert("example".to_owned(), value.into());
        }
        self
    }

    fn of(place: &str, name: &str, required: bool, mut schema: Value) -> Self {
        let description = schema.as_object_mut().and_then(|fields| fields.remove("description"));
        let mut value =
            json!({ "name": name, "in": place, "required": required, "schema": schema });
        if let (Some(fields), Some(text)) = (value.as_object_mut(), description) {
            fields.insert("description".to_owned(), text);
        }
        Self(value)
    }
}

/// A parameter is there or not, and never null.
fn without_null(mut schema: Value) -> Value {
    let Some(fields) = schema.as_object_mut() else { return schema };
    fields.remove("default");
    if let Some(Value::Array(kinds)) = fields.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [only] = kinds.as_slice() {
            let only = only.clone();
            fields.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(kinds)) = fields.get_mut("anyOf") {
        kinds.retain(|kind| kind.get("type").is_none_or(|kind| kind != "null"));
    }
    schema
}
