//! Upkeep of the database.

use std::time::Duration;

use crate::pool::{get, no_row};
use crate::{Store, StoreError};

/// Months of the journal that are made ahead.
const MONTHS_AHEAD: i32 = 3;

impl Store {
    /// Makes the journal's partitions for the next months; returns how many were missing. To be run
    /// once a day by any process: until then the default partition takes the rows.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away or the table is locked: the next run does it.
    pub async fn prepare_partitions(&self) -> Result<u32, StoreError> {
        let query = sqlx::query("select fleet_prepare_partitions($1)").bind(MONTHS_AHEAD);
        let made: i32 = get(&self.row(query).await?.ok_or_else(no_row)?, 0)?;
        Ok(u32::try_from(made).unwrap_or(0))
    }

    /// Moves the one clock that all processes of this database decide by. Only for tests: there is
    /// no way back, and leases, waits and deadlines pass for everybody.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn advance_clock(&self, by: Duration) -> Result<(), StoreError> {
        let sql = "update fleet_clock set ahead = ahead + $1 * interval '1 microsecond'";
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.rows(sqlx::query(sql).bind(micros)).await.map(drop)
    }

    /// As [`Store::advance_clock`], but only at an instant when no call is out: a lease that is used
    /// would be over at once, and the call made a second time. Whether it did.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn advance_idle_clock(&self, by: Duration) -> Result<bool, StoreError> {
        let query =
            sqlx::query("select fleet_advance_idle_clock_v1($1 * interval '1 microsecond')")
                .bind(i64::try_from(by.as_micros()).unwrap_or(i64::MAX));
        get(&self.row(query).await?.ok_or_else(no_row)?, 0)
    }
}
