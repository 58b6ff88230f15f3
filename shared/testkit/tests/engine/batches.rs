//! Rules 6 and 12: groups hold what is at hand, each task once, and nobody waits for company in an
//! idle system.

use std::time::Duration;

use fleet_domain::TaskState;

use crate::bench::Bench;
use crate::broker::Event;
use crate::process::Faults;

#[tokio::test]
async fn an_idle_system_answers_one_job_without_waiting_for_company() {
    let mut bench = Bench::new(20);
    bench.settings.linger = Duration::from_secs(3_600);
    bench.start();
    for _ in 0..5 {
        let keys = bench.hinted(1);
        bench.until("the end", || bench.unfinished().is_empty()).await;
        bench.assert_dispensed_once(&keys);
    }
}

#[tokio::test]
async fn under_load_claims_and_commits_go_in_groups_of_at_most_the_limit() {
    let mut bench = Bench::new(2_000);
    bench.settings.group_max = 100;
    bench.settings.linger = Duration::from_millis(3);
    let keys = bench.hinted(1_000);
    bench.start();
    bench.pass_until_all_ended().await;
    bench.assert_dispensed_once(&keys);
    for event in bench.trace.events() {
        if let Event::Claimed(group) | Event::CommitTried(group) = event {
            assert!(group.len() <= 100, "{}", group.len());
        }
    }
    let claims = bench.trace.count(|event| matches!(event, Event::Claimed(_)));
    let commits = bench.trace.count(|event| matches!(event, Event::CommitTried(_)));
    assert!(claims < 100 && commits < 300, "{claims} claims, {commits} commits for 1000 tasks");
}

#[tokio::test]
async fn a_locked_row_holds_up_nobody_else_and_is_asked_for_again() {
    let bench = Bench::new(20);
    let keys = bench.purchases(10, fleet_testkit::samples::DISPENSE_LANE);
    let locked = keys[4];
    let started = bench.start_with(Faults { locked: [locked].into(), ..Faults::default() });
    bench.hint(&keys, fleet_testkit::samples::DISPENSE_LANE);
    bench.until("the others' end", || bench.unfinished() == [locked]).await;
    assert_eq!(bench.row(locked).state, TaskState::Queued);
    started.process.faults.lock().unwrap().locked.clear();
    bench.pass_until_all_ended().await;
    bench.assert_dispensed_once(&keys);
}

#[tokio::test]
async fn a_row_that_stays_locked_is_left_to_the_clock() {
    let bench = Bench::new(20);
    let keys = bench.purchases(1, fleet_testkit::samples::DISPENSE_LANE);
    let started = bench.start_with(Faults { locked: [keys[0]].into(), ..Faults::default() });
    bench.hint(&keys, fleet_testkit::samples::DISPENSE_LANE);
    bench.until("no more asking", || bench.broker.unacked() + bench.broker.ready() == 0).await;
    assert_eq!(bench.row(keys[0]).state, TaskState::Queued);
    started.process.faults.lock().unwrap().locked.clear();
    bench.pass_until_all_ended().await;
    bench.assert_dispensed_once(&keys);
}
