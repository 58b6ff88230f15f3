//! Databases of one test each, on the server that `make test` starts.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use chrono::Utc;
use fleet_domain::{
    ClaimGroup, ClaimVerdict, Commit, FactOutcome, Free, Heartbeat, Job, LaneId, LaneLease,
    NewFact, TaskKey, TaskKind, Tick, TickReport,
};
use fleet_engine::{Committed, StoreFault, TaskStore};
use fleet_store::{Keyring, Store, StoreError, StoreSettings, schema_fingerprint};
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection};
use uuid::Uuid;

/// The server of the tests, as a user who may create databases.
const SERVER: &str = "FLEET_TEST_DATABASE_URL";
/// Only one process makes the template, the others wait.
const TEMPLATE_LOCK: i64 = 7_020_001;
/// What a test leaves behind is dropped by a later one after this.
const OLD_SECONDS: i64 = 3_600;

/// A database of its own with the present schema, dropped at the end.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    server: SecretString,
    store: Store,
}

impl TestDatabase {
    /// A fresh database, copied from a template that is migrated once.
    ///
    /// # Errors
    /// When `FLEET_TEST_DATABASE_URL` is missing or its server does not answer.
    pub async fn create() -> Result<Self> {
        let server = server_url()?;
        let mut admin = connect(&server).await?;
        let template = template(&mut admin, &server).await?;
        drop_old(&mut admin).await;
        let random = Uuid::new_v4().simple().to_string();
        let name = format!("fleet_test_{}_{}", Utc::now().timestamp(), random);
        run(&mut admin, format!("create database {name} template {template}")).await?;
        let store = open(&server, &name, 10)?;
        Ok(Self { name, server, store })
    }

    /// The same database by way of one connection, which makes each plan once.
    ///
    /// # Errors
    /// None: its URL was read before.
    pub fn by_one_connection(mut self) -> Result<Self> {
        self.store = open(&self.server, &self.name, 1)?;
        Ok(self)
    }

    /// A store on it.
    #[must_use]
    pub fn store(&self) -> Store {
        self.store.clone()
    }

    /// Its URL, for processes under test.
    #[must_use]
    pub fn url(&self) -> SecretString {
        url_of(&self.server, &self.name)
    }

    /// A connection of the test's own, for statements that no store makes.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn connection(&self) -> Result<PgConnection> {
        connect(&self.url()).await
    }
}

impl Drop for TestDatabase {
    /// Best effort; what stays behind is dropped by a later test.
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let dropper = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async {
                let mut admin = connect(&server).await.ok()?;
                let sql = format!("drop database if exists {name} with (force)");
                run(&mut admin, sql).await.ok()
            })
        });
        drop(dropper.join());
    }
}

/// The keys of all tests.
///
/// # Errors
/// None: the current version is among the keys.
pub fn keyring() -> Result<Keyring> {
    Keyring::new(1, &BTreeMap::from([(1, [7; 32])]), [9; 32]).context("no current key")
}

#[expect(clippy::disallowed_methods, reason = "tests have no settings file")]
fn server_url() -> Result<SecretString> {
    let url = std::env::var(SERVER).map_err(|_missing| {
        anyhow!("{SERVER} is not set: run `make test`, which starts a server")
    })?;
    Ok(SecretString::from(url))
}

/// The same server, another database.
fn url_of(server: &SecretString, database: &str) -> SecretString {
    let url = server.expose_secret();
    let (url, query) = url.split_once('?').unwrap_or((url, ""));
    let host = url.rsplit_once('/').map_or(url, |(host, _)| host);
    let separator = if query.is_empty() { "" } else { "?" };
    SecretString::from(format!("{host}/{database}{separator}{query}"))
}

fn open(server: &SecretString, database: &str, pool_max: u32) -> Result<Store> {
    let settings = StoreSettings {
        url: url_of(server, database),
        pool_max,
        acquire_timeout: Duration::from_secs(10),
        statement_timeout: Duration::from_secs(20),
        application_name: "fleet-test".to_owned(),
    };
    Ok(Store::open(&settings, keyring()?)?)
}

async fn connect(url: &SecretString) -> Result<PgConnection> {
    let options: PgConnectOptions =
        url.expose_secret().parse().map_err(|_secret| anyhow!("{SERVER} is no postgres url"))?;
    options
        .disable_statement_logging()
        .connect()
        .await
        .with_context(|| format!("the server of {SERVER} does not answer: run `make test`"))
}

async fn run(connection: &mut PgConnection, sql: String) -> Result<()> {
    sqlx::query(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}

async fn exists(admin: &mut PgConnection, name: &str) -> Result<bool> {
    let sql = "select exists (select 1 from pg_database where datname = $1)";
    Ok(sqlx::query_scalar(sql).bind(name).fetch_one(admin).await?)
}

/// The template of this schema. It gets its name once it is complete.
async fn template(admin: &mut PgConnection, server: &SecretString) -> Result<String> {
    let name = format!("fleet_template_{}", schema_fingerprint());
    if exists(admin, &name).await? {
        return Ok(name);
    }
    sqlx::query("select pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut *admin).await?;
    if !exists(admin, &name).await? {
        let unfinished = format!("{name}_unfinished");
        run(admin, format!("drop database if exists {unfinished} with (force)")).await?;
        run(admin, format!("create database {unfinished}")).await?;
        let store = open(server, &unfinished, 1)?;
        store.migrate().await?;
        store.close().await;
        run(admin, format!("alter database {unfinished} rename to {name}")).await?;
    }
    sqlx::query("select pg_advisory_unlock($1)").bind(TEMPLATE_LOCK).execute(&mut *admin).await?;
    Ok(name)
}

async fn drop_old(admin: &mut PgConnection) {
    let sql = "select datname::text from pg_database where datname like 'fleet\\_test\\_%'";
    let names: Vec<String> =
        sqlx::query_scalar(sql).fetch_all(&mut *admin).await.unwrap_or_default();
    let oldest = Utc::now().timestamp().saturating_sub(OLD_SECONDS);
    for name in names {
        let made = name.split('_').nth(2).and_then(|seconds| seconds.parse::<i64>().ok());
        if made.is_some_and(|made| made < oldest) {
            // Another test may be dropping it at the same moment.
            drop(run(admin, format!("drop database if exists {name} with (force)")).await);
        }
    }
}

/// A store as the engine sees it, for one process.
#[derive(Debug, Clone)]
pub struct PostgresTasks {
    store: Store,
    process: Uuid,
    /// Of its database, for what no store writes.
    url: Option<SecretString>,
}

impl PostgresTasks {
    /// The store of a new process.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, process: Uuid::now_v7(), url: None }
    }

    /// The store of a new process on a test's database.
    #[must_use]
    pub fn of(database: &TestDatabase) -> Self {
        Self { url: Some(database.url()), ..Self::new(database.store()) }
    }

    /// The same store as another process sees it.
    #[must_use]
    pub fn another_process(&self) -> Self {
        Self { process: Uuid::now_v7(), ..self.clone() }
    }

    /// Sets what a lane allows, under a number of the test's own.
    ///
    /// # Errors
    /// When it is not made of a test's database, or the server does not answer.
    pub async fn set_lane(
        &self,
        lane: LaneId,
        kind: TaskKind,
        concurrency: u32,
        rate: u32,
    ) -> Result<()> {
        let mut connection = connect(self.url.as_ref().context("no database of a test")?).await?;
        let sql = "insert into lane (lane, kind, owner, concurrency, rate_per_second)
                   overriding system value values ($1, $2, $1::text, $3, $4)
                   on conflict (lane) do update
                   set concurrency = excluded.concurrency,
                       rate_per_second = excluded.rate_per_second";
        sqlx::query(sql)
            .bind(lane.0)
            .bind(kind.code())
            .bind(i32::try_from(concurrency)?)
            .bind(i32::try_from(rate)?)
            .execute(&mut connection)
            .await?;
        Ok(())
    }

    /// The store itself.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is made for map_err")]
fn fault(error: StoreError) -> StoreFault {
    match error {
        StoreError::Refused { .. } => StoreFault::Refused(error.to_string()),
        StoreError::Retry { .. }
        | StoreError::Unfit { .. }
        | StoreError::Unreadable(_)
        | StoreError::Schema(_) => StoreFault::Retry(error.to_string()),
    }
}

impl TaskStore for PostgresTasks {
    async fn claim(&self, group: &ClaimGroup) -> Result<Vec<ClaimVerdict<Box<Job>>>, StoreFault> {
        self.store.claim(group).await.map_err(fault)
    }

    async fn commit(&self, kind: TaskKind, group: &[Commit]) -> Result<Committed, StoreFault> {
        let outcome = self.store.commit(kind, group).await.map_err(fault)?;
        Ok(Committed { verdicts: outcome.verdicts, now: outcome.now })
    }

    async fn store_fact(&self, fact: &NewFact) -> Result<FactOutcome, StoreFault> {
        self.store.store_fact(fact).await.map_err(fault)
    }

    async fn put_back(&self, keys: &[TaskKey]) -> Result<(), StoreFault> {
        self.store.put_back(keys).await.map_err(fault)
    }

    async fn free(&self, frees: &[Free]) -> Result<(), StoreFault> {
        self.store.free(frees).await.map_err(fault)
    }

    async fn tick(&self, tick: &Tick) -> Result<TickReport, StoreFault> {
        self.store.tick(tick).await.map_err(fault)
    }

    async fn beat(&self, beat: &Heartbeat) -> Result<Vec<LaneLease>, StoreFault> {
        self.store.beat(self.process, beat).await.map_err(fault)
    }
}
