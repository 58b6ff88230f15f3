//! Rule 1: permit first.

use fleet_testkit::samples::DISPENSE_LANE;

use crate::bench::{Bench, SLOW_LANE};
use crate::broker::Event;

#[tokio::test]
async fn no_more_is_claimed_than_the_lane_has_permits_for() {
    let bench = Bench::new(3);
    let keys = bench.hinted(20);
    bench.outside.hold(&keys);
    let started = bench.start();
    bench.until("three calls", || bench.outside.in_flight() == 3).await;
    // The clock and the claimer look many times more before anything is answered.
    let looks = bench.trace.count(|event| *event == Event::Ticked) + 20;
    bench.until("more looks", || bench.trace.count(|event| *event == Event::Ticked) > looks).await;
    assert_eq!(started.process.claimed(), 3, "a crash leaves only what was really being sent");
    let claims: i32 = keys.iter().map(|key| bench.row(*key).claims).sum();
    assert_eq!(claims, 3);
    bench.outside.let_go(&keys);
    bench.pass_until_all_ended().await;
    assert_eq!(bench.outside.in_flight_max(), 3);
    bench.assert_dispensed_once(&keys);
}

#[tokio::test]
async fn a_flooded_lane_that_stands_still_keeps_no_other_lane_waiting() {
    let mut bench = Bench::new(10);
    bench.settings.window_tasks = 40;
    let flood = bench.purchases(400, SLOW_LANE);
    bench.outside.hold(&flood);
    bench.hint(&flood, SLOW_LANE);
    let fast = bench.hinted(100);
    bench.start();
    let open = || bench.unfinished().iter().filter(|key| fast.contains(key)).count();
    bench.until("the end of the other lane", || open() == 0).await;
    assert_eq!(bench.outside.in_flight(), 1, "the flood stands still all the while");
    let put_back = bench.trace.count(|event| matches!(event, Event::PutBack(_)));
    assert!(put_back > 0, "what found no room went back to the table");
    let claims: i32 = flood.iter().map(|key| bench.row(*key).claims).sum();
    assert_eq!(claims, 1, "putting back claims nothing");
    bench.outside.let_go(&flood);
    bench.pass_until_all_ended().await;
    bench.assert_dispensed_once(&fast);
    bench.assert_dispensed_once(&flood);
}

#[tokio::test]
async fn fresh_hints_do_not_overtake_what_was_put_back() {
    let mut bench = Bench::new(10);
    bench.settings.window_tasks = 40;
    let old = bench.purchases(100, SLOW_LANE);
    bench.outside.hold(&old[..1]);
    bench.hint(&old, SLOW_LANE);
    bench.start();
    let put_back = || {
        let events = bench.trace.events();
        events.into_iter().filter_map(|event| match event {
            Event::PutBack(keys) => Some(keys.len()),
            Event::Claimed(_)
            | Event::Acked(_)
            | Event::Called(_)
            | Event::LookedUp(_)
            | Event::CommitTried(_)
            | Event::Committed(_)
            | Event::Published(..)
            | Event::Freed(_)
            | Event::Ticked => None,
        })
    };
    bench.until("the flood in the table", || put_back().sum::<usize>() >= 80).await;
    bench.memory.advance(std::time::Duration::from_secs(1));
    bench.outside.let_go(&old);
    let first = bench.purchases(1, SLOW_LANE)[0];
    bench.hint(&[first], SLOW_LANE);
    bench.pass_until_all_ended().await;
    let called = |key| bench.trace.position(|event| *event == Event::Called(key));
    let behind = old.iter().filter(|key| called(**key) > called(first)).count();
    assert!(behind < 50, "{behind} of 100 older tasks were called after a fresh one");
    bench.assert_dispensed_once(&old);
}

#[tokio::test]
async fn a_hint_with_another_lane_is_put_back_and_done_under_its_true_one() {
    let bench = Bench::new(10);
    let keys = bench.purchases(5, DISPENSE_LANE);
    bench.hint(&keys, SLOW_LANE);
    bench.start();
    bench.pass_until_all_ended().await;
    assert!(bench.trace.count(|event| matches!(event, Event::PutBack(_))) > 0);
    bench.assert_dispensed_once(&keys);
    assert_eq!((bench.broker.ready(), bench.broker.unacked()), (0, 0));
}
