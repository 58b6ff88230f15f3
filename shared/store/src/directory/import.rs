//! Imports: checked as a whole, compared with what is there, written in one transaction.

use super::check::{RowProblem, problems};
use super::difference::Difference;
use super::rows::DirectoryImport;
use crate::pool::{get, no_row};
use crate::{Store, StoreError};

/// Who does something to the directory, and why, for the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct By<'a> {
    /// Who.
    pub actor: &'a str,
    /// Why, where it was said; at most 200 characters.
    pub reason: Option<&'a str>,
}

/// How often an import is compared again because another one came in between.
pub(super) const COMPARED_MAX: usize = 5;

/// Write, or only say what would be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportMode {
    /// Write.
    Apply,
    /// Only say what would change.
    DryRun,
}

/// What an import changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportReport {
    /// In words, one line each (`client 1001 added`); empty when everything was there already.
    pub changes: Vec<String>,
    /// The directory's version afterwards.
    pub version: i64,
}

/// Why nothing was imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// Rows that cannot be: all problems, each with row and field.
    #[error("{}", all(problems))]
    Invalid {
        /// `client 1001: answer_within_ms must be 100 to 60000`.
        problems: Vec<RowProblem>,
    },
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn all(problems: &[RowProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Store {
    /// Imports rows; what is not named stays. The same import again changes nothing.
    ///
    /// # Errors
    /// [`ImportError`]; nothing is written then.
    pub async fn import(
        &self,
        import: &DirectoryImport,
        mode: ImportMode,
    ) -> Result<ImportReport, ImportError> {
        for _ in 0..COMPARED_MAX {
            let loaded = self.load_all().await?;
            let problems = problems(import, &loaded.directory);
            if !problems.is_empty() {
                return Err(ImportError::Invalid { problems });
            }
            let mut difference = Difference::of(self.keyring(), import, &loaded)?;
            difference.ported(self.keyring(), import, &self.ported_of(import).await?);
            let seen = loaded.directory.version;
            if mode == ImportMode::DryRun || difference.changes.is_empty() {
                return Ok(ImportReport { changes: difference.changes, version: seen });
            }
            let by = By { actor: &import.actor, reason: import.reason.as_deref() };
            if let Some(version) = self.write_import(seen, &difference, by).await? {
                return Ok(ImportReport { changes: difference.changes, version });
            }
        }
        Err(overtaken().into())
    }

    /// The new version; `None` when the directory is no longer the one that was compared.
    pub(super) async fn write_import(
        &self,
        seen: i64,
        difference: &Difference,
        by: By<'_>,
    ) -> Result<Option<i64>, StoreError> {
        let sql = "select fleet_import_v1($1, $2, $3, $4)";
        let query = sqlx::query(sql).bind(seen).bind(difference.rows());
        let query = query.bind(named(by.actor)).bind(by.reason);
        get(&self.row(query).await?.ok_or_else(no_row)?, 0)
    }
}

/// Each comparison was overtaken by another import.
pub(super) fn overtaken() -> StoreError {
    StoreError::Retry { cause: "other imports come in between all the time".to_owned() }
}

/// A name that the history takes, whatever the system calls its user.
pub(super) fn named(actor: &str) -> String {
    let plain: String = actor.chars().filter(|c| !c.is_control()).take(64).collect();
    if plain.is_empty() { "unknown".to_owned() } else { plain }
}
