//! `fleet client | product | terms | numbering | connector`: one kind of the directory's rows each.

pub(crate) mod history;
mod key;
mod revoke;
mod show;

use std::path::PathBuf;

use fleet_domain::AddressPolicy;
use fleet_store::{DirectoryImport, Store, exported};
use serde_json::{Value, json};

use super::import;
use crate::Failure;
use crate::files::{Format, Sections, write};
use crate::output::{Output, table};

/// What a command is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noun {
    Client,
    Product,
    Terms,
    Numbering,
    Connector,
}

impl Noun {
    /// The kinds of rows that its files may hold.
    const fn sections(self) -> Sections {
        match self {
            Self::Client => &["client"],
            Self::Product => &["product"],
            Self::Terms => &["terms"],
            Self::Numbering => &["country", "operator", "prefix", "ported"],
            Self::Connector => &["connector"],
        }
    }

    /// What cannot be read of its own rows.
    fn own(self, mut unreadable: Vec<String>) -> Vec<String> {
        let word = match self {
            Self::Client => "client ",
            Self::Connector => "connector ",
            Self::Product | Self::Terms | Self::Numbering => return Vec::new(),
        };
        unreadable.retain(|one| one.starts_with(word));
        unreadable
    }

    /// Only its rows of an export.
    fn of(self, all: DirectoryImport) -> DirectoryImport {
        let none = DirectoryImport::default();
        match self {
            Self::Client => DirectoryImport { clients: all.clients, ..none },
            Self::Product => DirectoryImport { products: all.products, ..none },
            Self::Terms => DirectoryImport { terms: all.terms, ..none },
            Self::Connector => DirectoryImport { connectors: all.connectors, ..none },
            Self::Numbering => DirectoryImport {
                countries: all.countries,
                operators: all.operators,
                prefixes: all.prefixes,
                ..none
            },
        }
    }
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Load rows from TOML or CSV files; a row that is not named stays
    Import(import::Arguments),
    /// Write rows that can be imported again; secrets are left out
    Export(Export),
    /// The rows, by their keys
    List(List),
    /// One row by its key; secrets are not shown
    Show {
        /// The client's or product's number, the connector's name, CLIENT.PRODUCT of terms, the
        /// operator's or country's code
        key: String,
    },
    /// Who changed what, newest first
    History(history::Arguments),
}

/// `fleet client` has two commands more.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ClientCommand {
    #[command(flatten)]
    Rows(Command),
    /// Make a new API key, shown once and stored as a hash
    Key(key::Arguments),
    /// Refuse all access tokens that a client has got so far
    RevokeTokens(revoke::Arguments),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Export {
    /// Where to; the output when absent
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How
    #[arg(long, value_enum, default_value = "toml")]
    format: Format,
    /// Of numbering, only this kind of row (CSV holds one kind)
    #[arg(long, value_parser = ["country", "operator", "prefix"])]
    kind: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Of numbering, this kind of row
    #[arg(long, value_parser = ["country", "operator", "prefix"], default_value = "operator")]
    kind: String,
    /// Rows at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Only rows behind this key: `next` of the page before
    #[arg(long, value_name = "KEY")]
    after: Option<String>,
}

pub(crate) async fn run_client(
    command: &ClientCommand,
    store: &Store,
    to_clients: &AddressPolicy,
    output: Output,
) -> Result<(), Failure> {
    match command {
        ClientCommand::Rows(command) => run(Noun::Client, command, store, to_clients, output).await,
        ClientCommand::Key(arguments) => key::run(arguments, store, output).await,
        ClientCommand::RevokeTokens(arguments) => revoke::run(arguments, store, output).await,
    }
}

pub(crate) async fn run(
    noun: Noun,
    command: &Command,
    store: &Store,
    to_clients: &AddressPolicy,
    output: Output,
) -> Result<(), Failure> {
    match command {
        Command::Import(arguments) => {
            import::run(arguments, noun.sections(), store, to_clients, output).await
        }
        Command::Export(arguments) => export(noun, arguments, store, output).await,
        Command::List(arguments) => list(noun, arguments, store, output).await,
        Command::Show { key } => show::run(noun, key, store, output).await,
        Command::History(arguments) => {
            history::run(noun.sections(), arguments, store, output).await
        }
    }
}

async fn export(
    noun: Noun,
    arguments: &Export,
    store: &Store,
    output: Output,
) -> Result<(), Failure> {
    // Secrets are left out, so one that cannot be read takes nothing from the file.
    let (directory, _secrets) = store.load_directory_partly().await?;
    let mut rows = noun.of(exported(&directory));
    if let Some(kind) = &arguments.kind {
        match kind.as_str() {
            "country" => (rows.operators, rows.prefixes) = (Vec::new(), Vec::new()),
            "operator" => (rows.countries, rows.prefixes) = (Vec::new(), Vec::new()),
            _ => (rows.countries, rows.operators) = (Vec::new(), Vec::new()),
        }
    }
    let text = write(arguments.format, &rows).ok_or_else(|| {
        Failure::Refused("a CSV file holds one kind of row: choose --kind".to_owned())
    })?;
    let Some(file) = &arguments.output else {
        if output.is_json() {
            output.print(&json!(rows), String::new);
        } else {
            output.print_file(text.trim_end());
        }
        return Ok(());
    };
    std::fs::write(file, text)
        .map_err(|error| Failure::Refused(format!("{}: {error}", file.display())))?;
    output.print(&json!({ "written": file }), || format!("written to {}", file.display()));
    Ok(())
}

/// A row's key and its fields.
type Keyed = (String, Value);

/// The rows of a kind with their keys, in order.
fn keyed(noun: Noun, kind: &str, rows: &DirectoryImport) -> Vec<Keyed> {
    fn all<T: serde::Serialize>(rows: &[T], key: impl Fn(&T) -> String) -> Vec<Keyed> {
        rows.iter().map(|row| (key(row), json!(row))).collect()
    }
    match (noun, kind) {
        (Noun::Client, _) => all(&rows.clients, |row| row.client_id.to_string()),
        (Noun::Product, _) => all(&rows.products, |row| row.product_id.to_string()),
        (Noun::Terms, _) => all(&rows.terms, |row| format!("{}.{}", row.client, row.product_id)),
        (Noun::Connector, _) => all(&rows.connectors, |row| row.name.clone()),
        (Noun::Numbering, "country") => all(&rows.countries, |row| row.code.clone()),
        (Noun::Numbering, "prefix") => all(&rows.prefixes, |row| row.prefix.clone()),
        (Noun::Numbering, _) => all(&rows.operators, |row| row.code.clone()),
    }
}

/// What a list shows of each row.
const fn columns(noun: Noun) -> &'static [&'static str] {
    match noun {
        Noun::Client => &["name", "active", "sandbox", "default_funding_source", "concurrency"],
        Noun::Product => {
            &["name", "product_type", "supplier", "currency", "min_amount", "max_amount", "active"]
        }
        Noun::Terms => &[
            "fee.fixed",
            "fee.basis_points",
            "client_share.fixed",
            "client_share.basis_points",
            "client_share.fee_basis_points",
            "settlement",
            "active",
        ],
        Noun::Connector => &["party", "adapter", "base_url", "inquiry", "active", "sandbox"],
        Noun::Numbering => &["name", "country", "calling_code", "operator"],
    }
}

async fn list(noun: Noun, arguments: &List, store: &Store, output: Output) -> Result<(), Failure> {
    let (directory, unreadable) = store.load_directory_partly().await?;
    let unreadable = noun.own(unreadable);
    let rows = keyed(noun, &arguments.kind, &noun.of(exported(&directory)));
    let begin = match &arguments.after {
        None => 0,
        Some(after) => {
            let place = rows.iter().position(|(key, _)| key == after);
            let place = place.ok_or_else(|| Failure::No(format!("there is no {after}")))?;
            place.saturating_add(1)
        }
    };
    let limit = usize::from(arguments.limit);
    let page: Vec<&Keyed> = rows.iter().skip(begin).take(limit).collect();
    let all = rows.len();
    let more = all > begin.saturating_add(page.len());
    let next = page.last().filter(|_| more).map(|(key, _)| key);
    let values: Vec<&Value> = page.iter().map(|(_, row)| row).collect();
    let value = json!({ "rows": values, "next": next, "unreadable": unreadable });
    output.print(&value, || {
        if page.is_empty() {
            return "no rows\n".to_owned();
        }
        let mut head = vec!["key"];
        head.extend(columns(noun));
        let rows = page.iter().map(|(key, row)| cells(key, row, columns(noun)));
        let more = next.map_or_else(String::new, |next| {
            format!("{} of {} rows; more: --after {next}\n", page.len(), all)
        });
        let unreadable: String =
            unreadable.iter().map(|one| format!("cannot be read: {one}\n")).collect();
        format!("{}{more}{unreadable}", table(&head, rows))
    });
    Ok(())
}

fn cells(key: &str, row: &Value, columns: &[&str]) -> Vec<String> {
    let flat = crate::files::flat(row);
    let cell = |column: &&str| {
        let found = flat.iter().find(|(name, _)| name == column);
        found.map_or_else(|| "-".to_owned(), |(_, text)| text.clone())
    };
    std::iter::once(key.to_owned()).chain(columns.iter().map(cell)).collect()
}
