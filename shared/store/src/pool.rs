//! The store: session settings, and a time limit on every statement.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{ConnectOptions, Postgres, Row};

use crate::connections::{Connections, Lease};
use crate::fitness::Fitness;
use crate::hosts::Hosts;
use crate::{Keyring, StoreError};

/// Settings of the pool.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// Where Postgres is: one host, or several of which one takes writes.
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
    connections: Connections,
    fitness: Arc<Fitness>,
    keyring: Keyring,
    limit: Duration,
    process: Arc<str>,
}

/// What is wrong with a URL that [`Store::open`] does not take; never the URL itself.
///
/// # Errors
/// That.
pub fn check_database_url(url: &SecretString) -> Result<(), &'static str> {
    Hosts::parse(url.expose_secret()).map(drop)
}

impl Store {
    /// Connections are made when they are needed, so this does not fail while Postgres is away.
    ///
    /// # Errors
    /// [`StoreError::Schema`] for a URL that is none.
    pub fn open(settings: &StoreSettings, keyring: Keyring) -> Result<Self, StoreError> {
        let hosts = Hosts::parse(settings.url.expose_secret()).map_err(|what| {
            StoreError::Schema(format!("database.url is not a postgres:// url: {what}"))
        })?;
        let statement_ms = settings.statement_timeout.as_millis().to_string();
        let hosts = hosts.with(|host| {
            host.application_name(&settings.application_name)
                .options([
                    ("statement_timeout", statement_ms.as_str()),
                    ("lock_timeout", "2000"),
                    ("idle_in_transaction_session_timeout", "15000"),
                    ("synchronous_commit", "on"),
                    // Function bodies are planned once: their arrays are of any length.
                    ("plan_cache_mode", "force_generic_plan"),
                    // What is asked by key has an index, however small its table is now.
                    ("enable_seqscan", "off"),
                    // Without sequential scans prices would look worth compiling.
                    ("jit", "off"),
                ])
                .disable_statement_logging()
        });
        let connections = Connections::new(hosts, settings.pool_max, settings.acquire_timeout);
        let limit = settings.statement_timeout.saturating_mul(2);
        let process = settings.application_name.as_str().into();
        Ok(Self { connections, fitness: Arc::default(), keyring, limit, process })
    }

    /// The keys.
    #[must_use]
    pub const fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    pub(crate) async fn connection(&self) -> Result<Lease, StoreError> {
        self.connections.acquire().await
    }

    /// Waits until a statement is refused for good, because the database is not as this build needs
    /// it; which, and why.
    pub async fn unfit(&self) -> StoreError {
        self.fitness.unfit().await
    }

    pub(crate) fn service(&self) -> &str {
        &self.process
    }

    /// Runs one statement within the time limit; a connection that exceeds it, or whose statement
    /// nobody waits for any more, is closed.
    pub(crate) async fn rows(
        &self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, StoreError> {
        let began = tokio::time::Instant::now();
        let mut connection = self.connection().await?;
        let answer = tokio::time::timeout(self.limit, query.fetch_all(&mut *connection)).await;
        fleet_telemetry::metrics().store_round_trip(began.elapsed());
        match answer {
            Ok(Ok(rows)) => {
                connection.keep();
                Ok(rows)
            }
            Ok(Err(error)) => {
                if crate::error::spoils_connection(&error) {
                    connection.spoilt();
                } else {
                    connection.keep();
                }
                let error = StoreError::of(&error);
                self.fitness.note(&error, tokio::time::Instant::now());
                Err(error)
            }
            Err(_elapsed) => Err(StoreError::Retry { cause: "no answer in time".to_owned() }),
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
        self.connections.close().await;
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
