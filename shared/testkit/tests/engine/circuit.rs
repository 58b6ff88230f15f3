//! An open circuit costs its probes, and nothing else: who is held back writes nothing.

use std::time::Duration;

use fleet_domain::{DispenseState, LaneId, TaskKey};
use fleet_engine::TaskStore;
use fleet_testkit::samples::DISPENSE_LANE;

use crate::bench::{Bench, Started};
use crate::broker::Event;
use crate::commits::callback;
use crate::outside::Reply;

const HOUR: Duration = Duration::from_secs(3_600);
/// Calls of one dead lane in an hour: those that open its circuit, then one each 30 s at the most.
const CALLS_MAX: usize = 10 + 20 + 120;

/// Lanes of the dead with so many tasks each.
fn dead(bench: &Bench, lanes: usize, each: usize) -> (Vec<LaneId>, Vec<TaskKey>) {
    let lanes: Vec<LaneId> =
        (0..lanes).map(|n| LaneId(1_000 + i32::try_from(n).unwrap())).collect();
    let mut keys = Vec::new();
    for lane in &lanes {
        bench.lane(*lane, 8);
        bench.outside.refuse(*lane, true);
        let of_lane = bench.purchases(each, *lane);
        bench.hint(&of_lane, *lane);
        keys.extend(of_lane);
    }
    (lanes, keys)
}

fn bench() -> Bench {
    let mut bench = Bench::new(8);
    bench.settings.circuit_failures = 10;
    bench.settings.clock_every = Duration::from_millis(200);
    bench
}

#[derive(Debug, PartialEq, Eq)]
struct Work {
    calls: usize,
    claims: usize,
    rows: usize,
    put_back: usize,
    looked_for: usize,
}

fn work(bench: &Bench, started: &Started, keys: &[TaskKey]) -> Work {
    let keys_of = |of: fn(&Event) -> usize| bench.trace.events().iter().map(of).sum();
    Work {
        calls: bench.trace.count(|event| matches!(event, Event::Called(_))),
        claims: keys_of(|event| if let Event::Claimed(keys) = event { keys.len() } else { 0 }),
        rows: keys.iter().map(|key| bench.view(*key).journal.len()).sum(),
        put_back: keys_of(|event| if let Event::PutBack(keys) = event { keys.len() } else { 0 }),
        looked_for: started.process.looked_for(),
    }
}

#[tokio::test(start_paused = true)]
async fn lanes_of_the_dead_cost_their_probes_alone_and_all_is_done_once_they_are_back() {
    for (lanes, each) in [(1, 50), (20, 50), (3, 200)] {
        let bench = bench();
        let started = bench.start();
        bench.pass(Duration::from_secs(2)).await;
        let (lanes, keys) = dead(&bench, lanes, each);
        bench.pass(HOUR).await;
        let work = work(&bench, &started, &keys);
        let most = CALLS_MAX * lanes.len();
        assert!(work.calls <= most && work.calls > most / 2, "{work:?}");
        assert!(work.claims <= work.calls + 8 * lanes.len(), "no claims but for calls: {work:?}");
        assert!(work.rows <= work.calls, "no rows but of calls: {work:?}");
        assert!(work.put_back <= keys.len() + work.calls, "each goes back once: {work:?}");
        // The clock looks 18,000 times for the two lanes that are alive; for a dead one only while
        // its probe is due.
        let alive = 2 * (18_000 + 1_000);
        assert!(work.looked_for <= alive + 10 * most, "{work:?}");
        for lane in &lanes {
            bench.outside.refuse(*lane, false);
        }
        let mut seconds = 0;
        while !bench.unfinished().is_empty() {
            bench.pass(Duration::from_secs(1)).await;
            seconds += 1;
            assert!(seconds < 120, "{:?}", bench.unfinished().len());
        }
        bench.assert_dispensed_once(&keys);
    }
}

#[tokio::test(start_paused = true)]
async fn what_ends_without_asking_ends_while_the_circuit_is_open() {
    for each in [5, 40, 200] {
        let mut bench = bench();
        bench.start_within = Duration::from_secs(600);
        let started = bench.start();
        let (_, keys) = dead(&bench, 1, each);
        bench.pass(Duration::from_secs(599)).await;
        assert_eq!(bench.unfinished().len(), each);
        // The next probe's turn ends all whose time is over, one after the other.
        bench.pass(Duration::from_secs(60)).await;
        assert!(bench.unfinished().is_empty(), "{}", bench.unfinished().len());
        for key in &keys {
            let view = bench.view(*key);
            assert_eq!(view.purchase.progress.dispense, DispenseState::Failed);
            assert_eq!(view.journal.last().unwrap().outcome, "expired");
        }
        let work = work(&bench, &started, &keys);
        assert!(work.calls < 50, "{work:?}");
        assert!(work.claims <= work.calls + each + 8, "{work:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fact_that_decides_is_applied_at_once_while_the_circuit_is_open() {
    for told in [1, 3, 20] {
        let bench = bench();
        let started = bench.start();
        let (lanes, keys) = dead(&bench, 1, 40);
        bench.pass(Duration::from_secs(120)).await;
        let before = work(&bench, &started, &keys);
        let told = &keys[40 - told..];
        for key in told {
            bench.memory.store_fact(&callback(&bench, *key, "0000")).await.unwrap();
        }
        bench.hint(told, lanes[0]);
        bench.pass(Duration::from_secs(1)).await;
        let after = work(&bench, &started, &keys);
        assert!(after.calls <= before.calls + 1, "a probe may come in between");
        for key in told {
            let dispense = bench.view(*key).purchase.progress.dispense;
            assert_eq!(dispense, DispenseState::Dispensed);
        }
        assert_eq!(bench.unfinished().len(), 40 - told.len());
    }
}

#[tokio::test(start_paused = true)]
async fn what_stands_in_the_way_on_our_side_opens_no_circuit() {
    for failures in [20, 30, 50] {
        let bench = bench();
        let keys = bench.purchases(1, DISPENSE_LANE);
        bench.outside.script(keys[0], &vec![Reply::Ours; failures]);
        bench.hint(&keys, DISPENSE_LANE);
        bench.start();
        // One try a second: with an open circuit they would take ten times as long.
        bench.pass(Duration::from_secs(u64::try_from(failures).unwrap() * 3 / 2)).await;
        bench.assert_dispensed_once(&keys);
    }
}
