//! Rule 1 in messages: whose calls hang keeps the broker's prefetch from nobody.

use fleet_domain::{LaneId, TaskKey};
use fleet_testkit::samples::DISPENSE_LANE;

use crate::bench::{Bench, SLOW_LANE};
use crate::broker::Event;

/// A process whose consumer holds so many messages at once.
fn bench(prefetch: usize) -> Bench {
    let mut bench = Bench::new(10);
    bench.settings.prefetch = prefetch;
    bench.settings.clock_every = std::time::Duration::from_millis(200);
    bench.broker.set_prefetch(prefetch);
    bench
}

/// Tasks of one lane whose calls hang, their hints published.
fn hung(bench: &Bench, lane: LaneId, hints: usize, tasks: usize) -> Vec<TaskKey> {
    let keys = bench.purchases(hints * tasks, lane);
    bench.outside.hold(&keys);
    bench.hint_of(tasks, &keys, lane);
    keys
}

/// One task of the usual lane comes last, and is called nevertheless.
async fn the_alive_one_is_called(bench: &Bench, hung: &[TaskKey], calls: usize) {
    bench.start();
    bench.until("calls that hang", || bench.outside.in_flight() >= calls).await;
    let alive = bench.hinted(1);
    bench.until("the other lane's end", || bench.unfinished().len() == hung.len()).await;
    bench.assert_dispensed_once(&alive);
    let called = bench.trace.count(|event| matches!(event, Event::Called(_)));
    assert_eq!(called, calls + 1, "all permits of the others are in use, and no more");
    bench.outside.let_go(hung);
    bench.pass_until_all_ended().await;
    bench.assert_dispensed_once(hung);
}

#[tokio::test(start_paused = true)]
async fn hundreds_of_hints_of_a_lane_that_hangs_keep_no_other_lane_waiting() {
    for (hints, tasks) in [(300, 1), (100, 32), (150, 2)] {
        let bench = bench(32);
        let hung = hung(&bench, SLOW_LANE, hints, tasks);
        the_alive_one_is_called(&bench, &hung, 1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn ten_lanes_of_eleven_that_hang_keep_the_last_one_not_waiting() {
    for tasks in [1, 32, 2] {
        let bench = bench(64);
        let mut all = Vec::new();
        for lane in (100..110).map(LaneId) {
            bench.lane(lane, 2);
            all.extend(hung(&bench, lane, 16, tasks));
        }
        the_alive_one_is_called(&bench, &all, 20).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_lanes_that_hang_keep_one_that_is_alive_not_waiting() {
    let bench = bench(256);
    let mut all = Vec::new();
    for lane in (100..1_100).map(LaneId) {
        bench.lane(lane, 1);
        all.extend(hung(&bench, lane, 3, 1));
    }
    let alive_lane = DISPENSE_LANE;
    assert!(!(100..1_100).contains(&alive_lane.0));
    the_alive_one_is_called(&bench, &all, 1_000).await;
}
