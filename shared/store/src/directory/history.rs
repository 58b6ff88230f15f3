//! Who changed what in the directory.

use chrono::{DateTime, Utc};
use fleet_domain::ProductId;
use serde_json::Value;

use crate::pool::{get, no_row};
use crate::{Store, StoreError};

/// Which changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryFilter {
    /// Of these kinds of rows.
    pub sections: Vec<String>,
    /// Of this row only.
    pub key: Option<String>,
    /// Before this change.
    pub before: Option<i64>,
    /// So many at most.
    pub limit: i64,
}

/// One row's change.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryRow {
    /// Its number; later ones are larger.
    pub change: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// The directory's version since.
    pub version: i64,
    /// Who.
    pub actor: String,
    /// Why, where it was said.
    pub reason: Option<String>,
    /// `client`, `product`, ….
    pub section: String,
    /// The row's key.
    pub key: String,
    /// `added` or `changed`.
    pub kind: String,
    /// By field: before and after; of secrets only that they changed.
    pub fields: Value,
}

impl Store {
    /// Changes of the directory, newest first.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn directory_history(
        &self,
        filter: &HistoryFilter,
    ) -> Result<Vec<HistoryRow>, StoreError> {
        let query = sqlx::query(include_str!("history.sql"))
            .bind(filter.sections.clone())
            .bind(filter.key.clone())
            .bind(filter.before)
            .bind(filter.limit);
        let rows = self.rows(query).await?;
        rows.iter()
            .map(|row| {
                Ok(HistoryRow {
                    change: get(row, "change")?,
                    at: get(row, "at")?,
                    version: get(row, "version")?,
                    actor: get(row, "actor")?,
                    reason: get(row, "reason")?,
                    section: get(row, "section")?,
                    key: get(row, "key")?,
                    kind: get(row, "change_kind")?,
                    fields: get(row, "fields")?,
                })
            })
            .collect()
    }

    /// All versions of the terms of a client (or `*`) for a product, newest first.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn terms_versions(
        &self,
        client: &str,
        product: ProductId,
    ) -> Result<Value, StoreError> {
        let query = sqlx::query(include_str!("terms_versions.sql")).bind(client).bind(product.0);
        get(&self.row(query).await?.ok_or_else(no_row)?, 0)
    }
}
