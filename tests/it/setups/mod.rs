//! Set-ups that cannot work are refused by name: rows of an import, what `--check` finds, settings.

mod checks;
mod desks;
mod hindered;
mod imports;
mod keys;
mod settings;

pub(crate) use hindered::rename_adapter;
pub(crate) use imports::{all_refused, all_taken, client, connector, import};
pub(crate) use keys::clients;

/// Settings of a program with one key changed.
fn with(mut settings: toml::Table, key: &str, value: impl Into<toml::Value>) -> toml::Table {
    let (section, name) = key.split_once('.').unwrap();
    let entry = settings.entry(section).or_insert_with(|| toml::Table::new().into());
    entry.as_table_mut().unwrap().insert(name.to_owned(), value.into());
    settings
}
