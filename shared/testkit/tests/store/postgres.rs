//! The suite on Postgres, and what only Postgres can show.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "tests and their helpers"
)]

mod directory;
mod intake;
mod operations;
mod rows;

use fleet_testkit::{PostgresTasks, TestDatabase};

async fn make() -> (TestDatabase, PostgresTasks) {
    let database = TestDatabase::create().await.unwrap();
    let store = PostgresTasks::new(database.store());
    (database, store)
}

fleet_testkit::task_store_suite!(make);
