//! Whether gateways are closed to clients.

use chrono::{DateTime, Utc};

use super::import::named;
use crate::pool::{get, no_row};
use crate::{Store, StoreError};

/// Why and since when gateways are closed to clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maintenance {
    /// Why.
    pub reason: String,
    /// Who closed them.
    pub actor: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

impl Store {
    /// Why gateways are closed; `None` while they are open.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn maintenance(&self) -> Result<Option<Maintenance>, StoreError> {
        let row = self.row(sqlx::query("select reason, actor, since from maintenance")).await?;
        row.map(|row| {
            Ok(Maintenance {
                reason: get(&row, "reason")?,
                actor: get(&row, "actor")?,
                since: get(&row, "since")?,
            })
        })
        .transpose()
    }

    /// Closes gateways to clients, or opens them; false when they were open already. They see it at
    /// their next look at the directory.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away: the same again is safe.
    pub async fn set_maintenance(
        &self,
        on: bool,
        reason: &str,
        actor: &str,
    ) -> Result<bool, StoreError> {
        let query = sqlx::query("select fleet_maintenance_v1($1, $2, $3)");
        let query = query.bind(on).bind(reason).bind(named(actor));
        get(&self.row(query).await?.ok_or_else(no_row)?, 0)
    }
}
