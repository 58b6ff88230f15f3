//! Rule 1: permit first, and the lane's permits are the fleet's.

use std::collections::HashMap;
use std::time::Duration;

use fleet_domain::TaskKey;
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
    bench.memory.advance(Duration::from_secs(1));
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

#[tokio::test(start_paused = true)]
async fn all_processes_together_call_no_more_than_the_lane_allows_and_as_much() {
    for (limit, processes) in [(4, 3), (1, 10), (5, 2)] {
        let bench = Bench::new(limit);
        let limit = usize::try_from(limit).unwrap();
        let keys = bench.hinted(60);
        bench.outside.hold(&keys);
        for _ in 0..processes {
            bench.start();
        }
        bench.until("all permits in use", || bench.outside.in_flight() == limit).await;
        bench.outside.let_go(&keys);
        bench.until("the end of all tasks", || bench.unfinished().is_empty()).await;
        assert_eq!(bench.outside.in_flight_max(), limit, "{processes} processes");
        bench.assert_dispensed_once(&keys);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hint_without_a_permit_is_put_back_once_and_then_waits_for_one() {
    for processes in [2, 5, 10] {
        let bench = Bench::new(1);
        let keys = bench.hinted(40);
        bench.outside.hold(&keys);
        for _ in 0..processes {
            bench.start();
        }
        bench.until("a call", || bench.outside.in_flight() == 1).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        bench.outside.let_go(&keys);
        bench.until("the end of all tasks", || bench.unfinished().is_empty()).await;
        let mut put_back: HashMap<TaskKey, usize> = HashMap::new();
        for event in bench.trace.events() {
            if let Event::PutBack(keys) = event {
                keys.into_iter().for_each(|key| *put_back.entry(key).or_default() += 1);
            }
        }
        let most = put_back.values().max().copied().unwrap_or_default();
        assert!(most <= 1, "{processes} processes: {put_back:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_loses_its_beats_begins_no_call_once_its_lease_is_over() {
    for tasks in [1, 4, 20] {
        let bench = Bench::new(4);
        let first = bench.hinted(4);
        let started = bench.start();
        bench.until("the first ones", || bench.unfinished().is_empty()).await;
        started.process.faults.lock().unwrap().loses_beats = true;
        tokio::time::sleep(Duration::from_secs(6)).await;
        let late = bench.hinted(tasks);
        tokio::time::sleep(Duration::from_secs(6)).await;
        let calls = bench.trace.count(|event| matches!(event, Event::Called(_)));
        assert_eq!(calls, first.len(), "nothing leaves without a lease");
        // One that was given back at once counts too: its row tells nothing of it.
        let is_late = |event: &Event| matches!(event, Event::Claimed(keys) if keys.iter().any(|key| late.contains(key)));
        assert_eq!(bench.trace.count(is_late), 0, "and nothing is claimed");
        started.process.faults.lock().unwrap().loses_beats = false;
        bench.until("the late ones", || bench.unfinished().is_empty()).await;
        bench.assert_dispensed_once(&late);
    }
}

#[tokio::test(start_paused = true)]
async fn permits_go_to_others_at_a_stop_at_once_and_after_a_death_with_the_last_call() {
    for stops in [true, false, true] {
        let bench = Bench::new(2);
        let keys = bench.hinted(2);
        let first = bench.start();
        bench.until("the first ones", || bench.unfinished().is_empty()).await;
        bench.assert_dispensed_once(&keys);
        let second = bench.start();
        let began = tokio::time::Instant::now();
        if stops {
            first.stop.cancel();
            first.engine.await.unwrap();
        }
        first.process.crash();
        let late = bench.purchases(2, DISPENSE_LANE);
        bench.outside.hold(&late);
        bench.hint(&late, DISPENSE_LANE);
        let both = || bench.outside.in_flight() == 2;
        if !stops {
            tokio::time::sleep(Duration::from_secs(3)).await;
            assert!(bench.outside.in_flight() < 2, "one that died may still be calling");
            bench.memory.advance(Duration::from_secs(12));
        }
        bench.until("both calls", both).await;
        assert!(!stops || began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
        assert_eq!(second.process.claimed(), 2);
        bench.outside.let_go(&late);
        bench.until("the late ones", || bench.unfinished().is_empty()).await;
    }
}
