//! `fleet import`

use std::path::PathBuf;

use fleet_store::{DirectoryImport, ImportError, ImportMode, Store};
use serde_json::json;

use crate::Failure;
use crate::output::Output;

/// No file of a directory is larger.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// TOML files; see deploy/local/sample
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Say what would change, change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(
    arguments: &Arguments,
    store: &Store,
    output: Output,
) -> Result<(), Failure> {
    let mut import = DirectoryImport::default();
    for file in &arguments.files {
        import = import.and(read(file)?);
    }
    let mode = if arguments.dry_run { ImportMode::DryRun } else { ImportMode::Apply };
    let report = store.import(&import, mode).await.map_err(|error| match error {
        ImportError::Invalid { problems } => {
            Failure::Refused(format!("nothing was imported:\n  {}", problems.join("\n  ")))
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

fn read(file: &PathBuf) -> Result<DirectoryImport, Failure> {
    let name = file.display();
    let refused = |text: String| Failure::Refused(format!("{name}: {text}"));
    let size = std::fs::metadata(file).map_err(|error| refused(error.to_string()))?.len();
    if size > FILE_BYTES_MAX {
        return Err(refused(format!("is larger than {FILE_BYTES_MAX} bytes")));
    }
    let text = std::fs::read_to_string(file).map_err(|error| refused(error.to_string()))?;
    // toml's full text would quote the line, and a line may hold a secret.
    toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(0, |span| {
            text.bytes().take(span.start).filter(|byte| *byte == b'\n').count().saturating_add(1)
        });
        refused(format!("line {line}: {}", error.message()))
    })
}
