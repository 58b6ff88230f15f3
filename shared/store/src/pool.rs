//! Connections: session settings, hooks against half-open ones, and a time limit on every
//! statement.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::query::Query;
use sqlx::{ConnectOptions, Connection, PgPool, Postgres, Row};

use crate::{Keyring, StoreError};

/// Settings of the pool.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// Where Postgres is.
    pub url: SecretString,
    /// Connections at most, 1 to 100.
    pub pool_max: u32,
    /// How long a connection is waited for.
    pub acquire_timeout: Duration,
    /// Postgres' own limit on a statement; the client gives up after twice that.
    pub statement_timeout: Duration,
    /// The name in `pg_stat_activity`.
    pub application_name: String,
}

/// Postgres. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pool: PgPool,
    keyring: Keyring,
    limit: Duration,
    process: Arc<str>,
}

/// Whether a URL is one that [`Store::open`] takes.
#[must_use]
pub fn is_database_url(url: &SecretString) -> bool {
    url.expose_secret().parse::<PgConnectOptions>().is_ok()
}

impl Store {
    /// A pool; connections are made when they are needed, so this does not fail while Postgres is
    /// away.
    ///
    /// # Errors
    /// [`StoreError::Schema`] for a URL that is none.
    pub fn open(settings: &StoreSettings, keyring: Keyring) -> Result<Self, StoreError> {
        let options: PgConnectOptions =
            settings.url.expose_secret().parse().map_err(|_secret| {
                StoreError::Schema("database.url is not a postgres:// url".to_owned())
            })?;
        let statement_ms = settings.statement_timeout.as_millis().to_string();
        let options = options
            .application_name(&settings.application_name)
            .options([
                ("statement_timeout", statement_ms.as_str()),
                ("lock_timeout", "2000"),
                ("idle_in_transaction_session_timeout", "15000"),
                ("synchronous_commit", "on"),
                // Function bodies are planned once: their arrays are of any length.
                ("plan_cache_mode", "force_generic_plan"),
                // Functions run without sequential scans, whose price would look worth compiling.
                ("jit", "off"),
            ])
            .disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(settings.pool_max)
            .acquire_timeout(settings.acquire_timeout)
            .max_lifetime(Duration::from_secs(300))
            .idle_timeout(Duration::from_secs(60))
            .test_before_acquire(false)
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    // One that has been idle may be dead, or its server may have become a standby.
                    if meta.idle_for < Duration::from_secs(1) {
                        return Ok(true);
                    }
                    let ask = sqlx::query("show transaction_read_only").fetch_one(connection);
                    match tokio::time::timeout(Duration::from_secs(2), ask).await {
                        Ok(Ok(row)) => Ok(row.try_get::<String, _>(0)? == "off"),
                        Ok(Err(_)) | Err(_) => Ok(false),
                    }
                })
            })
            .after_release(|connection, _| {
                Box::pin(async move {
                    // A connection with an open transaction or a silent peer never goes back.
                    let ask = connection.ping();
                    Ok(matches!(
                        tokio::time::timeout(Duration::from_secs(2), ask).await,
                        Ok(Ok(()))
                    ))
                })
            })
            .connect_lazy_with(options);
        let limit = settings.statement_timeout.saturating_mul(2);
        Ok(Self { pool, keyring, limit, process: settings.application_name.as_str().into() })
    }

    /// The keys.
    #[must_use]
    pub const fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    pub(crate) const fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(crate) fn service(&self) -> &str {
        &self.process
    }

    /// Runs one statement within the time limit; a connection that exceeds it is dropped.
    pub(crate) async fn rows(
        &self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, StoreError> {
        let began = tokio::time::Instant::now();
        let mut connection = self.pool.acquire().await.map_err(|e| StoreError::of(&e))?;
        let answer = tokio::time::timeout(self.limit, query.fetch_all(&mut *connection)).await;
        fleet_telemetry::metrics().store_round_trip(began.elapsed());
        match answer {
            Ok(Ok(rows)) => Ok(rows),
            Ok(Err(error)) => {
                if crate::error::spoils_connection(&error) {
                    connection.close_on_drop();
                }
                Err(StoreError::of(&error))
            }
            Err(_elapsed) => {
                connection.close_on_drop();
                Err(StoreError::Retry { cause: "no answer in time".to_owned() })
            }
        }
    }

    pub(crate) async fn row(
        &self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Option<PgRow>, StoreError> {
        Ok(self.rows(query).await?.into_iter().next())
    }

    /// The database's time, which every decision uses.
    ///
    /// # Errors
    /// [`StoreError::Retry`] while Postgres is away.
    pub async fn now(&self) -> Result<DateTime<Utc>, StoreError> {
        let row = self.row(sqlx::query("select fleet_now()")).await?;
        get(row.as_ref().ok_or_else(no_row)?, 0)
    }

    /// Proves that Postgres answers and takes writes.
    ///
    /// # Errors
    /// [`StoreError::Retry`] when it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.now().await.map(drop)
    }

    /// Postgres' `max_connections`.
    ///
    /// # Errors
    /// [`StoreError::Retry`] while Postgres is away.
    pub async fn max_connections(&self) -> Result<u32, StoreError> {
        let sql = "select current_setting('max_connections')::bigint";
        let row = self.row(sqlx::query(sql)).await?;
        let count: i64 = get(row.as_ref().ok_or_else(no_row)?, 0)?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// Connections that are open to this server now, this one included.
    ///
    /// # Errors
    /// [`StoreError::Retry`] while Postgres is away.
    pub async fn open_connections(&self) -> Result<u32, StoreError> {
        let sql = "select count(*) from pg_stat_activity where backend_type = 'client backend'";
        let row = self.row(sqlx::query(sql)).await?;
        let count: i64 = get(row.as_ref().ok_or_else(no_row)?, 0)?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

pub(crate) fn no_row() -> StoreError {
    StoreError::Unreadable("no row came back".to_owned())
}

pub(crate) fn get<'r, T, I>(row: &'r PgRow, index: I) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>,
    I: sqlx::ColumnIndex<PgRow>,
{
    row.try_get(index).map_err(|error| StoreError::of(&error))
}
