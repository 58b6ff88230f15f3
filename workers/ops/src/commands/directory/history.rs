//! Who changed what, when.

use fleet_store::{HistoryFilter, HistoryRow, Store};
use serde_json::{Value, json};

use crate::Failure;
use crate::files::Sections;
use crate::output::{Output, table};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only of this row: the key as `list` shows it
    key: Option<String>,
    #[command(flatten)]
    page: Page,
}

/// Which of the changes.
#[derive(Debug, clap::Args)]
pub(crate) struct Page {
    /// Rows at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Only changes before this one: `next` of the page before
    #[arg(long, value_name = "CHANGE")]
    before: Option<i64>,
}

pub(super) async fn run(
    sections: Sections,
    arguments: &Arguments,
    store: &Store,
    output: Output,
) -> Result<(), Failure> {
    let key = arguments.key.as_deref().map(|key| key.replacen('.', " ", 1));
    told(sections, key, &arguments.page, store, output).await
}

/// A page of the changes of these kinds of rows.
pub(crate) async fn told(
    sections: Sections,
    key: Option<String>,
    page: &Page,
    store: &Store,
    output: Output,
) -> Result<(), Failure> {
    let filter = HistoryFilter {
        sections: sections.iter().map(|section| (*section).to_owned()).collect(),
        key,
        before: page.before,
        limit: i64::from(page.limit),
    };
    let rows = store.directory_history(&filter).await?;
    let full = rows.len() == usize::from(page.limit);
    let next = rows.last().filter(|_| full).map(|row| row.change);
    let values: Vec<Value> = rows.iter().map(value).collect();
    output.print(&json!({ "changes": values, "next": next }), || {
        if rows.is_empty() {
            return "no changes\n".to_owned();
        }
        let head = ["change", "when", "who", "row", "what", "why"];
        let more = next.map_or_else(String::new, |next| format!("more: --before {next}\n"));
        format!("{}{more}", table(&head, rows.iter().map(cells)))
    });
    Ok(())
}

fn value(row: &HistoryRow) -> Value {
    json!({
        "change": row.change, "at": row.at, "version": row.version, "actor": row.actor,
        "reason": row.reason, "section": row.section, "key": row.key, "kind": row.kind, "fields": row.fields,
    })
}

fn cells(row: &HistoryRow) -> Vec<String> {
    let fields = row.fields.as_object().into_iter().flatten();
    let said = |value: &Value| match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            other.to_string()
        }
    };
    let texts: Vec<String> = fields
        .map(|(name, change)| match (change.get("before"), change.get("after")) {
            (Some(_), Some(after)) if row.kind == "added" => format!("{name} {}", said(after)),
            (Some(before), Some(after)) => format!("{name} {} -> {}", said(before), said(after)),
            _ => format!("{name} changed"),
        })
        .collect();
    vec![
        row.change.to_string(),
        row.at.format("%Y-%m-%d %H:%M:%S").to_string(),
        row.actor.clone(),
        format!("{} {} {}", row.section, row.key, row.kind),
        texts.join(", "),
        row.reason.clone().unwrap_or_default(),
    ]
}
