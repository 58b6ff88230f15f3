//! Rule 11: a stop finishes what is in flight, gives back what has not left, and waits no longer.

use std::time::Duration;

use fleet_domain::{TaskKey, TaskKind, TaskState};

use crate::bench::Bench;
use crate::broker::Event;
use crate::process::{Fault, Faults};

#[tokio::test]
async fn a_stop_finishes_commits_and_publishes_what_is_in_flight_and_takes_nothing_new() {
    let bench = Bench::new(20);
    let keys = bench.hinted(96);
    bench.outside.hold(&keys);
    let mut started = bench.start();
    bench.until("twenty calls", || bench.outside.in_flight() == 20).await;
    started.stop.cancel();
    bench.hinted(10);
    let pending = tokio::time::timeout(Duration::from_millis(50), &mut started.engine).await;
    assert!(pending.is_err(), "it waits for what is in flight");
    assert_eq!(bench.outside.in_flight(), 20, "nothing new was begun");
    bench.outside.let_go(&keys);
    started.engine.await.unwrap();
    let done: Vec<TaskKey> =
        keys.iter().copied().filter(|key| bench.outside.effects(*key) == 1).collect();
    assert_eq!(done.len(), 20);
    bench.assert_dispensed_once(&done);
    let told = bench.trace.count(|event| matches!(event, Event::Published(TaskKind::Deliver, _)));
    assert!(told > 0, "follow-ups are published before the end");
    let running = bench.unfinished().iter().any(|key| bench.row(*key).state == TaskState::Running);
    assert!(!running, "nothing is left for its lease to end");

    started.process.crash();
    bench.start();
    bench.pass_until_all_ended().await;
    bench.assert_dispensed_once(&keys);
}

#[tokio::test]
async fn a_claim_whose_answer_comes_after_the_stop_is_given_back_as_it_was() {
    let bench = Bench::new(20);
    let keys = bench.hinted(5);
    let slow = Fault::Slow(Duration::from_millis(100));
    let started = bench.start_with(Faults { claims: [slow].into(), ..Faults::default() });
    bench.until("a claim", || bench.row(keys[0]).state == TaskState::Running).await;
    started.stop.cancel();
    started.engine.await.unwrap();
    for key in &keys {
        let row = bench.row(*key);
        assert_eq!((row.state, row.claims, row.sent_until), (TaskState::Waiting, 0, None));
        assert_eq!(bench.outside.effects(*key), 0);
    }
    started.process.crash();
    bench.start();
    bench.pass_until_all_ended().await;
    bench.assert_dispensed_once(&keys);
}

#[tokio::test]
async fn a_call_that_never_ends_is_left_to_its_lease_when_the_grace_time_is_over() {
    let mut bench = Bench::new(20);
    bench.settings.grace = Duration::from_millis(50);
    let keys = bench.hinted(3);
    bench.outside.hold(&keys[..1]);
    let started = bench.start();
    bench.until("the others' end", || bench.unfinished() == [keys[0]]).await;
    started.stop.cancel();
    started.engine.await.unwrap();
    started.process.crash();
    let row = bench.row(keys[0]);
    assert_eq!(row.state, TaskState::Running);
    assert!(row.sent_until.is_some());
    bench.outside.let_go(&keys);
    bench.start();
    bench.pass_until_all_ended().await;
    bench.assert_dispensed_once(&keys);
}

#[tokio::test]
async fn a_stop_writes_what_is_decided_even_when_the_store_is_away_for_a_while() {
    let bench = Bench::new(20);
    let keys = bench.hinted(8);
    bench.outside.hold(&keys);
    let commits = [Fault::NotWritten, Fault::AnswerLost, Fault::NotWritten].into();
    let started = bench.start_with(Faults { commits, ..Faults::default() });
    bench.until("eight calls", || bench.outside.in_flight() == 8).await;
    started.stop.cancel();
    bench.outside.let_go(&keys);
    started.engine.await.unwrap();
    assert!(bench.unfinished().is_empty());
    bench.assert_dispensed_once(&keys);
}
