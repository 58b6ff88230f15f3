//! A program whose Postgres goes away while it starts, and one whose database lacks something.

use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{Faults, Way};

/// What the check of the schema is answered with fits, the directory does not.
const UP_TO_THE_DIRECTORY: u64 = 8_000;

#[tokio::test]
async fn a_program_whose_postgres_goes_away_while_it_starts_waits_and_goes_on() {
    let fleet = TestFleet::builder().workers(&[]).with_database_proxy().start().await;
    fleet.allow_log("postgres is not there yet");
    let cut = Way { cut_after: Some(UP_TO_THE_DIRECTORY), ..Way::default() };
    fleet.database_proxy().set(Faults { to_client: cut, ..Faults::default() });
    let heal = async {
        let waits = async || {
            let log = fleet.log_of(fleet.running("dispensing"));
            log.lines().any(|line| {
                line.contains("postgres is not there yet") && line.contains("the directory")
            })
        };
        fleet.until("it to wait for the directory", waits).await;
        fleet.database_proxy().heal();
    };
    let (index, ()) = tokio::join!(fleet.start_worker("dispensing"), heal);
    fleet.stop(index).await;
}

#[tokio::test]
async fn a_program_whose_database_lacks_a_function_stops_and_names_it() {
    let fleet = TestFleet::builder().workers(&["dispensing"]).start().await;
    let index = fleet.running("dispensing");
    // What it cannot do any more is told by many.
    fleet.allow_log("\"level\":");
    fleet.allow_log("error: the database is not as this build needs it");
    fleet.expect_end(index);
    let mut connection = fleet.database().connection().await.unwrap();
    sqlx::raw_sql("alter function fleet_tick_v1 rename to fleet_tick_of_another_build")
        .execute(&mut connection)
        .await
        .unwrap();
    fleet.until("it to end", async || fleet.exit_of(index).is_some()).await;
    assert_eq!(fleet.exit_of(index).and_then(|status| status.code()), Some(3));
    let log = fleet.log_of(index);
    let told = |line: &&str| line.contains("stopping:") && line.contains("fleet_tick_v1");
    assert_eq!(log.lines().filter(told).count(), 1, "{log}");
    let last = log.lines().last().unwrap_or_default();
    assert!(last.starts_with("error: ") && last.contains("fleet_tick_v1"), "{last}");
}
