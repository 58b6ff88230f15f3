//! Postgres away and back, as a proxy in front of it sees it.

use std::time::Duration;

use fleet_store::{Store, StoreError, StoreSettings};
use fleet_testkit::TestDatabase;
use fleet_testkit::fleet::{Connections, Faults, TcpProxy, Way, until};
use fleet_testkit::postgres::keyring;
use futures_util::future::join_all;
use secrecy::ExposeSecret;
use tokio::time::Instant;

/// Statements that want a connection at the same time.
const WAITERS: usize = 20;
const PATIENCE: Duration = Duration::from_secs(30);

/// A proxy in front of the server of a test's database.
async fn proxy(database: &TestDatabase) -> TcpProxy {
    let url = reqwest::Url::parse(database.url().expose_secret()).unwrap();
    let host = url.host_str().unwrap_or("127.0.0.1");
    TcpProxy::start(format!("{host}:{}", url.port().unwrap_or(5432))).await.unwrap()
}

/// A store by way of these.
fn through(database: &TestDatabase, proxies: &[&TcpProxy], acquire_ms: u64) -> Store {
    let url = reqwest::Url::parse(database.url().expose_secret()).unwrap();
    let hosts: Vec<String> = proxies.iter().map(|proxy| proxy.address.to_string()).collect();
    let url = format!("postgres://{}@{}{}", url.username(), hosts.join(","), url.path());
    let settings = StoreSettings {
        url: url.into(),
        pool_max: 8,
        acquire_timeout: Duration::from_millis(acquire_ms),
        statement_timeout: Duration::from_secs(5),
        application_name: "fleet-test".to_owned(),
    };
    Store::open(&settings, keyring().unwrap()).unwrap()
}

async fn pings(store: &Store) -> Vec<Result<(), StoreError>> {
    join_all((0..WAITERS).map(|_| store.ping())).await
}

#[tokio::test]
async fn while_postgres_is_away_each_process_tries_once_at_a_time_and_less_and_less_often() {
    let database = TestDatabase::create().await.unwrap();
    let proxy = proxy(&database).await;
    let store = through(&database, &[&proxy], 20_000);
    store.ping().await.unwrap();
    proxy.cut();
    let began = Instant::now();
    // Until then the connection that it has looks as good as ever.
    store.ping().await.unwrap_err();
    let tries = 5;
    let heal = async {
        until(PATIENCE, "some tries", async || proxy.seen().accepted > tries).await;
        // The waits double from 50 ms, of which half is left to chance.
        assert!(began.elapsed() >= Duration::from_millis(375), "{:?}", began.elapsed());
        proxy.heal();
    };
    let (answers, ()) = tokio::join!(pings(&store), heal);
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let seen = proxy.seen();
    assert_eq!((seen.waiting_max, seen.abandoned), (1, 0), "{seen:?}");
}

#[tokio::test]
async fn who_has_no_more_time_to_wait_gives_up_no_connect() {
    let database = TestDatabase::create().await.unwrap();
    let proxy = proxy(&database).await;
    let delay = Duration::from_millis(100);
    let slow = Way { delay, ..Way::default() };
    proxy.set(Faults { to_client: slow, ..Faults::default() });
    let store = through(&database, &[&proxy], 50);
    for answer in pings(&store).await {
        let told = answer.unwrap_err().to_string();
        assert!(told.contains("no free connection in time"), "{told}");
    }
    until(PATIENCE, "the one that was made", async || store.ping().await.is_ok()).await;
    let seen = proxy.seen();
    assert_eq!((seen.accepted, seen.abandoned), (1, 0), "{seen:?}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_tried_once_at_a_time_and_given_up_after_a_time_of_its_own()
{
    let database = TestDatabase::create().await.unwrap();
    let proxy = proxy(&database).await;
    proxy.set(Faults { connections: Connections::Unanswered, ..Faults::default() });
    let store = through(&database, &[&proxy], 200);
    for _round in 0..3 {
        assert!(pings(&store).await.iter().all(Result::is_err));
    }
    let seen = proxy.seen();
    assert_eq!((seen.accepted, seen.waiting_max, seen.abandoned), (1, 1, 0), "{seen:?}");
    proxy.heal();
    until(PATIENCE, "the next try", async || store.ping().await.is_ok()).await;
    let seen = proxy.seen();
    assert_eq!((seen.waiting_max, seen.abandoned), (1, 1), "{seen:?}");
}

#[tokio::test]
async fn when_a_host_is_away_the_next_one_serves() {
    let database = TestDatabase::create().await.unwrap();
    let (first, second) = (proxy(&database).await, proxy(&database).await);
    let store = through(&database, &[&first, &second], 5_000);
    store.ping().await.unwrap();
    assert_eq!((first.seen().open, second.seen().accepted), (1, 0));
    first.cut();
    store.ping().await.unwrap_err();
    store.ping().await.unwrap();
    assert_eq!((first.seen().open, second.seen().open), (0, 1));
    first.heal();
    second.cut();
    store.ping().await.unwrap_err();
    store.ping().await.unwrap();
    assert_eq!((first.seen().open, second.seen().open), (1, 0));
}

#[tokio::test]
async fn a_host_that_takes_no_writes_is_passed_over() {
    let database = TestDatabase::create().await.unwrap();
    let (first, second) = (proxy(&database).await, proxy(&database).await);
    let mut admin = database.connection().await.unwrap();
    let name: String =
        sqlx::query_scalar("select current_database()").fetch_one(&mut admin).await.unwrap();
    let set = |on: &str| {
        sqlx::AssertSqlSafe(format!(
            "alter database {name} set default_transaction_read_only = {on}"
        ))
    };
    sqlx::raw_sql(set("on")).execute(&mut admin).await.unwrap();
    let store = through(&database, &[&first, &second], 500);
    let told = store.ping().await.unwrap_err().to_string();
    assert!(told.contains("it takes no writes"), "{told}");
    let tried = (first.seen().accepted, second.seen().accepted);
    assert!(tried.0 > 0 && tried.1 > 0, "{tried:?}");
    sqlx::raw_sql(set("off")).execute(&mut admin).await.unwrap();
    until(PATIENCE, "a host that takes writes", async || store.ping().await.is_ok()).await;
}
