//! The migration dies in the middle of a file.

use std::time::Duration;

use fleet_testkit::TestFleet;
use secrecy::ExposeSecret;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// The lock that stops the migration at its first index.
const HOLD: i64 = 4_711;
/// The second migration may wait for the first.
const STATEMENT_MS: i64 = 20_000;

/// An empty database beside the fleet's; it is dropped with those that tests leave behind.
async fn empty_database(fleet: &TestFleet) -> String {
    let mut url = reqwest::Url::parse(fleet.database().url().expose_secret()).unwrap();
    let name = format!("{}_empty", url.path().trim_start_matches('/'));
    let mut connection = fleet.database().connection().await.unwrap();
    run(&mut connection, &format!("create database {name}")).await;
    url.set_path(&name);
    url.into()
}

async fn run(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await.unwrap();
}

async fn count(connection: &mut PgConnection, sql: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(connection).await.unwrap()
}

async fn until_count(url: &str, what: &str, sql: &str, wanted: i64) {
    fleet_testkit::fleet::until(Duration::from_secs(20), what, async || {
        let mut connection = PgConnection::connect(url).await.unwrap();
        count(&mut connection, sql).await == wanted
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a33_a_migration_that_dies_in_the_middle_leaves_nothing_and_the_next_does_all_of_it() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let url = empty_database(&fleet).await;
    let mut holder = PgConnection::connect(&url).await.unwrap();
    run(
        &mut holder,
        &format!(
            "create function hold() returns event_trigger language plpgsql as
               $$ begin perform pg_advisory_xact_lock_shared({HOLD}); end $$;
             create event trigger hold on ddl_command_end when tag in ('CREATE INDEX')
               execute function hold();
             select pg_advisory_lock({HOLD})"
        ),
    )
    .await;
    let mut settings = fleet.settings().clone();
    let database = settings.get_mut("database").and_then(toml::Value::as_table_mut).unwrap();
    database.insert("url".to_owned(), url.clone().into());
    database.insert("statement_timeout_ms".to_owned(), STATEMENT_MS.into());
    let first = fleet.spawn_with("fleet", &settings, &["migrate"]);
    let waits = "select count(*) from pg_locks l join pg_database d on d.oid = l.database
                 where l.locktype = 'advisory' and not l.granted and d.datname = current_database()";
    until_count(&url, "the migration to be in the middle", waits, 1).await;
    fleet.kill(first);

    // Postgres still works for the dead one; the next waits for it at the door.
    let migrate = ["--json", "migrate"];
    let (second, ()) = tokio::join!(fleet.run_with("fleet", &settings, &migrate), async {
        until_count(&url, "the next migration to wait", waits, 2).await;
        run(&mut holder, &format!("select pg_advisory_unlock({HOLD})")).await;
    });
    assert_eq!(second.status.code(), Some(0), "{second:?}");
    let told: serde_json::Value = serde_json::from_slice(&second.stdout).unwrap();
    let applied = told["applied"].as_array().unwrap();
    assert_eq!(applied.first(), Some(&1.into()), "the first one's work was rolled back: {told}");
    let rows = "select count(*) from _sqlx_migrations where success";
    assert_eq!(usize::try_from(count(&mut holder, rows).await).unwrap(), applied.len());
    let output = fleet.run_with("fleet", &settings, &["summary"]).await;
    assert_eq!(output.status.code(), Some(0), "the schema is this build's: {output:?}");
    let again = fleet.run_with("fleet", &settings, &migrate).await;
    let told: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(told["applied"], serde_json::json!([]));
    holder.close().await.unwrap();
}
