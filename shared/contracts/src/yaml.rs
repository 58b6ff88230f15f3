//! A JSON value as YAML, for people: blocks, and every text in quotes.

use serde_json::Value;

/// The text of a document.
pub(crate) fn yaml(value: &Value) -> String {
    let mut text = String::new();
    block(value, 0, &mut text);
    text
}

fn block(value: &Value, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                text.push_str(&indent);
                text.push_str(&key(name));
                after(value, depth, text);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                text.push_str(&indent);
                text.push('-');
                after(item, depth, text);
            }
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {
            text.push_str(&indent);
            text.push_str(&value.to_string());
            text.push('\n');
        }
    }
}

/// What stands after a key or a dash: on the same line, or as a block below.
fn after(value: &Value, depth: usize, text: &mut String) {
    let is_block = match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    if is_block {
        text.push('\n');
        block(value, depth.saturating_add(1), text);
    } else {
        text.push(' ');
        text.push_str(&value.to_string());
        text.push('\n');
    }
}

/// A plain name stands as it is.
fn key(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if is_plain { format!("{name}:") } else { format!("{}:", Value::from(name)) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn blocks_and_quoted_texts() {
        let value =
            json!({"a": {"$ref": "b\n#"}, "c": [1, {"d": true, "e": null}], "f": {}, "g": []});
        let expected =
            "a:\n  \"$ref\": \"b\\n#\"\nc:\n  - 1\n  -\n    d: true\n    e: null\nf: {}\ng: []\n";
        assert_eq!(super::yaml(&value), expected);
    }
}
