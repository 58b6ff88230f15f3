//! Rule 10, and all of the rules together: processes die at every point, and everything runs twice.

use fleet_domain::{ParkClass, TaskKey, TaskState};
use fleet_testkit::samples::DISPENSE_LANE;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};

use crate::bench::Bench;
use crate::broker::Event;
use crate::outside::{Reply, Told};
use crate::process::{Fault, Faults, Point};

fn seeded(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// What the other side does with them, drawn from what it may do.
fn script(bench: &Bench, keys: &[TaskKey], seed: &mut StdRng) {
    let usual = [Reply::Done; 4];
    let odd = [
        Reply::Lost { effect: true },
        Reply::Lost { effect: false },
        Reply::NotSent,
        Reply::Refused { retryable: true },
    ];
    let all: Vec<Reply> = usual.into_iter().chain(odd).collect();
    for key in keys {
        let replies: Vec<Reply> = (0..3).map(|_| *all.choose(seed).unwrap()).collect();
        bench.outside.script(*key, &replies);
    }
}

fn hint_shuffled(bench: &Bench, keys: &[TaskKey], copies: usize, seed: &mut StdRng) {
    let mut named: Vec<TaskKey> = keys.to_vec();
    for _ in 0..copies {
        named.shuffle(seed);
        for some in named.chunks(7) {
            bench.hint(some, DISPENSE_LANE);
        }
    }
}

#[tokio::test]
async fn a_process_may_die_at_any_point_and_each_purchase_takes_effect_once() {
    for seed in 0..30 {
        let mut random = seeded(seed);
        let bench = Bench::new(10);
        let keys = bench.purchases(20, DISPENSE_LANE);
        script(&bench, &keys, &mut random);
        hint_shuffled(&bench, &keys, 1, &mut random);
        for point in Point::ALL {
            let dies = Some((point, random.random_range(1..=3)));
            let started = bench.start_with(Faults { dies, ..Faults::default() });
            let ended = || started.process.is_dead() || bench.unfinished().is_empty();
            bench.pass_until(&format!("a death at {point:?}, seed {seed}"), ended).await;
            // Its lease ends it, whoever comes next.
            started.process.crash();
        }
        bench.start();
        bench.pass_until_all_ended().await;
        bench.assert_dispensed_once(&keys);
    }
}

#[tokio::test]
async fn two_processes_that_get_every_hint_twice_do_each_purchase_once() {
    for seed in 100..108 {
        let mut random = seeded(seed);
        let bench = Bench::new(10);
        let keys = bench.purchases(30, DISPENSE_LANE);
        script(&bench, &keys, &mut random);
        let faults = |random: &mut StdRng| {
            let all = [Fault::NotWritten, Fault::AnswerLost];
            let mut some = || (0..2).map(|_| *all.choose(random).unwrap()).collect();
            Faults { claims: some(), commits: some(), ..Faults::default() }
        };
        let (first, second) = (faults(&mut random), faults(&mut random));
        bench.start_with(first);
        bench.start_with(second);
        hint_shuffled(&bench, &keys, 2, &mut random);
        bench.pass_until_all_ended().await;
        bench.assert_dispensed_once(&keys);
    }
}

#[tokio::test]
async fn a_task_that_ends_its_process_each_time_is_parked_as_poison_and_alone() {
    let bench = Bench::new(10);
    let keys = bench.purchases(20, DISPENSE_LANE);
    let bad = keys[3];
    bench.outside.script(bad, &[Reply::Panic; 9]);
    bench.outside.script_look_ups(bad, &[Told::Panic; 9]);
    bench.hint(&keys, DISPENSE_LANE);
    bench.start();
    // Neighbours come along all the time.
    let mut all = keys.clone();
    for _ in 0..7 {
        let claims = bench.row(bad).claims;
        bench
            .pass_until("one more claim", || {
                bench.row(bad).claims > claims || is_parked(&bench, bad)
            })
            .await;
        all.extend(bench.hinted(10));
    }
    bench.pass_until("the poison's end", || is_parked(&bench, bad)).await;
    assert_eq!(bench.row(bad).park_class, Some(ParkClass::Poison));
    let of_bad = |event: &Event| [Event::Called(bad), Event::LookedUp(bad)].contains(event);
    assert_eq!(bench.trace.count(of_bad), 5, "the sixth claim parks it");
    assert_eq!(bench.trace.count(|event| *event == Event::Called(bad)), 1);
    assert_eq!(bench.outside.beside_the_suspect(), 0, "from the third claim on it runs alone");
    bench.pass_until("the neighbours' end", || bench.unfinished() == [bad]).await;
    all.retain(|key| *key != bad);
    bench.assert_dispensed_once(&all);
}

#[tokio::test]
async fn from_its_third_claim_on_a_task_waits_for_its_neighbours_to_end() {
    let bench = Bench::new(10);
    let bad = bench.hinted(1)[0];
    bench.outside.script(bad, &[Reply::Panic]);
    bench.outside.script_look_ups(bad, &[Told::Panic]);
    let process = bench.start().process;
    let claims = || bench.row(bad).claims;
    bench.pass_until("its second claim", || claims() == 2).await;
    bench.until("its second end", || !process.has_work() && bench.outside.in_flight() == 0).await;
    let neighbours = bench.purchases(5, DISPENSE_LANE);
    bench.outside.hold(&neighbours);
    bench.hint(&neighbours, DISPENSE_LANE);
    bench.until("neighbours in flight", || bench.outside.in_flight() == 5).await;
    bench.memory.advance(std::time::Duration::from_secs(20));
    bench.until("its third claim", || claims() == 3).await;
    let looks = bench.trace.count(|event| *event == Event::Ticked) + 20;
    bench.until("looks", || bench.trace.count(|event| *event == Event::Ticked) > looks).await;
    assert_eq!(bench.trace.count(|event| *event == Event::LookedUp(bad)), 1, "not yet");
    bench.outside.let_go(&neighbours);
    bench.pass_until_all_ended().await;
    assert_eq!(bench.outside.beside_the_suspect(), 0);
    bench.assert_dispensed_once(&neighbours);
    bench.assert_dispensed_once(&[bad]);
}

fn is_parked(bench: &Bench, key: TaskKey) -> bool {
    bench.row(key).state == TaskState::Parked
}

#[tokio::test]
async fn what_took_a_process_down_before_is_committed_in_a_group_of_its_own() {
    let mut bench = Bench::new(40);
    bench.settings.groups_at_once = 1;
    let keys = bench.hinted(20);
    let dies = Some((Point::Called, 1));
    bench.outside.hold(&keys);
    let first = bench.start_with(Faults { dies, ..Faults::default() });
    bench.until("twenty calls", || bench.outside.in_flight() == 20).await;
    bench.outside.let_go(&keys[..1]);
    bench.until("the death", || first.process.is_dead()).await;
    bench.outside.let_go(&keys);
    let fresh = bench.hinted(20);
    bench.start();
    bench.pass_until_all_ended().await;
    for event in bench.trace.events() {
        if let Event::CommitTried(group) = event {
            let suspect = group.iter().any(|key| keys.contains(key));
            assert!(!suspect || group.len() == 1, "{group:?}");
        }
    }
    bench.assert_dispensed_once(&keys);
    bench.assert_dispensed_once(&fresh);
}

#[tokio::test]
async fn a_step_that_panics_after_its_call_gives_its_permit_back_once() {
    let bench = Bench::new(2);
    let first = bench.purchases(10, DISPENSE_LANE);
    for key in &first {
        bench.outside.panic_in_decide(*key);
    }
    bench.hint(&first, DISPENSE_LANE);
    bench.start();
    let called = || bench.trace.count(|event| matches!(event, Event::Called(_)));
    bench.until("ten panics", || called() == 10 && bench.outside.in_flight() == 0).await;
    let held = bench.purchases(20, DISPENSE_LANE);
    bench.outside.hold(&held);
    bench.hint(&held, DISPENSE_LANE);
    bench.until("two calls", || bench.outside.in_flight() >= 2).await;
    let looks = bench.trace.count(|event| *event == Event::Ticked) + 20;
    bench.until("looks", || bench.trace.count(|event| *event == Event::Ticked) > looks).await;
    assert_eq!(bench.outside.in_flight_max(), 2);
    bench.outside.let_go(&held);
    bench.pass_until_all_ended().await;
    bench.assert_dispensed_once(&first);
    bench.assert_dispensed_once(&held);
}

#[tokio::test]
async fn a_lane_whose_probe_panicked_is_not_closed_for_ever() {
    let mut bench = Bench::new(4);
    bench.settings.circuit_failures = 2;
    bench.settings.circuit_open = std::time::Duration::from_millis(1);
    let keys = bench.hinted(2);
    for key in &keys {
        bench.outside.script(*key, &[Reply::NotSent, Reply::Panic]);
    }
    let started = bench.start();
    bench.pass_until_all_ended().await;
    assert!(!started.process.is_dead());
    bench.assert_dispensed_once(&keys);
}
