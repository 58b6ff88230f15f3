//! The schema's version: applied from one place, checked by everybody.

use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::migrate::{MigrateError, Migrator};

use crate::{Store, StoreError};

static MIGRATOR: Migrator = sqlx::migrate!("../../schemas/database");

impl Store {
    /// Applies what is missing. Only one process at a time does, the others wait.
    ///
    /// # Errors
    /// [`StoreError::Schema`] when an applied file was changed or a statement fails.
    #[expect(clippy::wildcard_enum_match_arm, reason = "sqlx adds variants in minor versions")]
    pub async fn migrate(&self) -> Result<Vec<i64>, StoreError> {
        let before = self.applied().await?;
        let mut connection = self.connection().await?;
        MIGRATOR.run(&mut *connection).await.map_err(|error| match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                StoreError::of(&error)
            }
            other => StoreError::Schema(format!("migration failed: {other}")),
        })?;
        connection.keep();
        let after = self.applied().await?;
        Ok(after.into_iter().filter(|version| !before.contains(version)).collect())
    }

    /// Refuses to work on another schema than this build's.
    ///
    /// # Errors
    /// [`StoreError::Schema`] that says what to run.
    pub async fn check_schema(&self) -> Result<(), StoreError> {
        let applied = self.applied().await?;
        let wanted: Vec<i64> = MIGRATOR.iter().map(|migration| migration.version).collect();
        if wanted.iter().any(|version| !applied.contains(version)) {
            let text = "the database's schema is older than this build: run `fleet migrate`";
            return Err(StoreError::Schema(text.to_owned()));
        }
        if applied.iter().any(|version| !wanted.contains(version)) {
            let text = "the database's schema is newer than this build: upgrade the binary";
            return Err(StoreError::Schema(text.to_owned()));
        }
        Ok(())
    }

    async fn applied(&self) -> Result<Vec<i64>, StoreError> {
        let exists = "select to_regclass('_sqlx_migrations') is not null";
        let row = self.row(sqlx::query(exists)).await?.ok_or_else(crate::pool::no_row)?;
        if !row.try_get::<bool, _>(0).unwrap_or(false) {
            return Ok(Vec::new());
        }
        let sql = "select version from _sqlx_migrations where success order by version";
        let rows = self.rows(sqlx::query(sql)).await?;
        rows.iter().map(|row| crate::pool::get(row, 0)).collect()
    }
}

/// What tells one schema from another: a hash over all migrations of this build.
#[must_use]
pub fn schema_fingerprint() -> String {
    let mut hash = Sha256::new();
    for migration in MIGRATOR.iter() {
        hash.update(migration.version.to_be_bytes());
        hash.update(&*migration.checksum);
    }
    let mut text = hex::encode(hash.finalize());
    text.truncate(16);
    text
}
