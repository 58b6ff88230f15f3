//! The suite on Postgres, and what only Postgres can show.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "tests and their helpers"
)]

mod authenticate;
mod directory;
mod figures;
mod indexes;
mod intake;
mod operations;
mod plans;
mod reconnect;
mod replays;
mod rows;

use fleet_testkit::{PostgresTasks, TestDatabase};

/// Waits until a statement waits for a lock.
async fn until_blocked(database: &TestDatabase) {
    let blocked = "select exists (select 1 from pg_stat_activity where datname = current_database()
                   and wait_event_type = 'Lock')";
    let mut watcher = database.connection().await.unwrap();
    while !sqlx::query_scalar::<_, bool>(blocked).fetch_one(&mut watcher).await.unwrap() {
        tokio::task::yield_now().await;
    }
}

async fn make() -> (TestDatabase, PostgresTasks) {
    let database = TestDatabase::create().await.unwrap();
    let store = PostgresTasks::of(&database);
    (database, store)
}

fleet_testkit::task_store_suite!(make);
