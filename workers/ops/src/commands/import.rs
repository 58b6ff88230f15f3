//! `fleet import`, and the imports of each kind of row.

use std::path::PathBuf;

use fleet_domain::AddressPolicy;
use fleet_store::{ImportError, ImportMode, Store};
use serde_json::{Value, json};

use super::why::PerhapsWhy;
use crate::Failure;
use crate::files::{Problem, Sections, read};
use crate::output::Output;

/// Everything that files may hold.
pub(crate) const ALL: Sections = &[
    "client",
    "connector",
    "product",
    "plan",
    "source",
    "reason",
    "template",
    "terms",
    "country",
    "operator",
    "prefix",
    "ported",
];

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// TOML or CSV files; see deploy/local/sample
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Say what would change, change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    why: PerhapsWhy,
}

pub(crate) async fn run(
    arguments: &Arguments,
    sections: Sections,
    store: &Store,
    to_clients: &AddressPolicy,
    output: Output,
) -> Result<(), Failure> {
    let mut files = read(&arguments.files, sections).map_err(|all| refused(&all, output))?;
    files.import.actor = arguments.why.actor()?;
    files.import.reason = arguments.why.reason()?.map(str::to_owned);
    files.import.to_clients = to_clients.clone();
    let mode = if arguments.dry_run { ImportMode::DryRun } else { ImportMode::Apply };
    let report = store.import(&files.import, mode).await.map_err(|error| match error {
        ImportError::Invalid { problems } => {
            let problems: Vec<Problem> = problems.iter().map(|one| files.placed(one)).collect();
            refused(&problems, output)
        }
        ImportError::Store(error) => error.into(),
    })?;
    let value = json!({
        "dry_run": arguments.dry_run, "version": report.version, "changes": report.changes,
    });
    output.print(&value, || {
        let would = if arguments.dry_run { "would change" } else { "changed" };
        let lines: String = report.changes.iter().map(|line| format!("  {line}\n")).collect();
        format!(
            "{} rows {would}, directory version {}\n{lines}",
            report.changes.len(),
            report.version
        )
    });
    Ok(())
}

/// All problems at once; for programs on the output too, where they expect JSON.
fn refused(problems: &[Problem], output: Output) -> Failure {
    if output.is_json() {
        let rows: Vec<Value> = problems
            .iter()
            .map(|problem| {
                let place = problem.place.as_ref();
                json!({
                    "file": place.map(|place| &place.file), "row": place.map(|place| place.row),
                    "line": place.and_then(|place| place.line), "problem": problem.text,
                })
            })
            .collect();
        output.print(&json!({ "problems": rows }), String::new);
    }
    let lines: Vec<String> = problems.iter().map(Problem::line).collect();
    Failure::Refused(format!("nothing was imported:\n  {}", lines.join("\n  ")))
}
