//! Rows as files that can be imported again.

use fleet_store::DirectoryImport;
use serde_json::Value;

use super::cells::LIST;

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// `[[client]]`, …
    Toml,
    /// One kind of row, its fields in the first line
    Csv,
}

/// Rows as a text; `None` when CSV is to hold more than one kind of them.
pub(crate) fn write(format: Format, rows: &DirectoryImport) -> Option<String> {
    match format {
        Format::Toml => toml::to_string(rows).ok(),
        Format::Csv => {
            let sections = serde_json::to_value(rows).ok()?;
            let mut sections = sections.as_object()?.values();
            let (first, second) = (sections.next(), sections.next());
            let rows = first.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            second.is_none().then(|| csv_text(rows)).flatten()
        }
    }
}

fn csv_text(rows: &[Value]) -> Option<String> {
    let rows: Vec<Vec<(String, String)>> = rows.iter().map(flat).collect();
    let mut head: Vec<&str> = Vec::new();
    for (name, _) in rows.iter().flatten() {
        if !head.contains(&name.as_str()) {
            head.push(name);
        }
    }
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer.write_record(&head).ok()?;
    for row in &rows {
        let cell = |name: &&str| {
            let found = row.iter().find(|(known, _)| known == name);
            found.map(|(_, text)| text.as_str()).unwrap_or_default()
        };
        writer.write_record(head.iter().map(cell)).ok()?;
    }
    String::from_utf8(writer.into_inner().ok()?).ok()
}

/// Column names and cells of a row.
pub(crate) fn flat(row: &Value) -> Vec<(String, String)> {
    let mut cells = Vec::new();
    add("", row, &mut cells);
    cells
}

fn add(name: &str, value: &Value, cells: &mut Vec<(String, String)>) {
    if let Value::Object(fields) = value {
        for (field, value) in fields {
            let name = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
            add(&name, value, cells);
        }
        return;
    }
    cells.push((name.to_owned(), cell(value)));
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(list) => {
            let separator = LIST.to_string();
            list.iter().map(cell).collect::<Vec<_>>().join(&separator)
        }
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}
