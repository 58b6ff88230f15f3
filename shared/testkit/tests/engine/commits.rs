//! Rules 5 to 9: fenced commits, unknown commits, refused rows, facts that come in between, hints.

use std::time::Duration;

use fleet_domain::{
    CommitVerdict, DispenseState, NewFact, ParkClass, Private, SUPPLIER_CALLBACK, TaskKey,
    TaskKind, TaskState, told_by,
};
use fleet_engine::TaskStore;

use crate::bench::Bench;
use crate::broker::Event;
use crate::outside::{Reply, Told};
use crate::process::{Fault, Faults};

fn tried(bench: &Bench) -> Vec<usize> {
    let events = bench.trace.events().into_iter();
    events
        .filter_map(
            |event| if let Event::CommitTried(keys) = event { Some(keys.len()) } else { None },
        )
        .collect()
}

pub(crate) fn callback(bench: &Bench, key: TaskKey, status: &str) -> NewFact {
    NewFact {
        source: told_by(SUPPLIER_CALLBACK, &bench.view(key).purchase.order.supplier),
        kind: "vend".to_owned(),
        task: Some(key),
        reference: bench.view(key).purchase.order.vend_ref(0),
        status: status.to_owned(),
        external_id: "callback-1".to_owned(),
        meaning: Private::new(""),
        body: Private::new("{}"),
    }
}

#[tokio::test]
async fn an_answer_after_the_lease_becomes_a_fact_that_whoever_holds_the_task_decides_over() {
    let bench = Bench::new(10);
    let keys = bench.hinted(1);
    bench.outside.hold(&keys);
    bench.outside.hold_look_ups(&keys);
    // Nobody but the late answer knows what became of it.
    bench.outside.script_look_ups(keys[0], &vec![Told::Unclear; 10_000]);
    bench.start();
    bench.until("the call", || bench.outside.in_flight() == 1).await;
    bench.memory.advance(Duration::from_secs(30));
    let second = bench.start();
    let look_ups = || bench.trace.count(|event| matches!(event, Event::LookedUp(_)));
    bench
        .until("a look-up by somebody else", || {
            bench.memory.advance(Duration::from_millis(20));
            look_ups() > 0
        })
        .await;
    assert!(!second.process.is_dead());
    bench.outside.let_go(&keys);
    let late = |event: &Event| matches!(event, Event::Committed(done) if done.iter().any(|(_, verdict)| *verdict == CommitVerdict::Late));
    bench.until("the late answer", || bench.trace.count(late) == 1).await;
    assert_eq!(bench.row(keys[0]).state, TaskState::Running, "the other one's claim stands");
    bench.outside.let_look_ups_go();
    bench
        .until("the end", || {
            bench.memory.advance(Duration::from_millis(20));
            bench.unfinished().is_empty()
        })
        .await;
    bench.assert_dispensed_once(&keys);
    assert_eq!(bench.trace.count(|event| matches!(event, Event::Called(_))), 1);
    let facts = bench.view(keys[0]).facts;
    assert!(facts.iter().any(|fact| fact.source == "call"), "{facts:?}");
}

#[tokio::test]
async fn a_callback_during_a_call_whose_answer_gets_lost_decides_it_without_a_look_up() {
    let bench = Bench::new(10);
    let keys = bench.hinted(1);
    bench.outside.script(keys[0], &[Reply::Lost { effect: true }]);
    bench.outside.hold(&keys);
    bench.start();
    bench.until("the call", || bench.outside.in_flight() == 1).await;
    bench.memory.store_fact(&callback(&bench, keys[0], "0000")).await.unwrap();
    bench.outside.let_go(&keys);
    bench.until("the end", || bench.unfinished().is_empty()).await;
    bench.assert_dispensed_once(&keys);
    assert_eq!(bench.trace.count(|event| matches!(event, Event::LookedUp(_))), 0);
    let words: Vec<String> =
        bench.view(keys[0]).journal.into_iter().map(|row| row.outcome).collect();
    assert_eq!(words, ["fact_first", "dispensed"]);
}

#[tokio::test]
async fn goods_that_are_out_win_over_a_refusal_that_was_told_before() {
    let bench = Bench::new(10);
    let keys = bench.hinted(1);
    bench.memory.store_fact(&callback(&bench, keys[0], "2210")).await.unwrap();
    bench.memory.store_fact(&callback(&bench, keys[0], "0000")).await.unwrap();
    bench.start();
    bench.until("the end", || bench.unfinished().is_empty()).await;
    assert_eq!(bench.view(keys[0]).purchase.progress.dispense, DispenseState::Dispensed);
    assert_eq!(bench.outside.effects(keys[0]), 0, "the facts at hand need no call");
}

#[tokio::test]
async fn an_unknown_commit_is_run_again_with_its_tokens_and_only_then_published() {
    let bench = Bench::new(20);
    let keys = bench.hinted(20);
    let commits = vec![Fault::AnswerLost; 3].into();
    bench.start_with(Faults { commits, ..Faults::default() });
    bench.until("the results' hints", || published(&bench).len() == 20).await;
    bench.assert_dispensed_once(&keys);
    for key in &keys {
        let written = commit_events(&bench, *key);
        let verdicts: Vec<CommitVerdict> = written.iter().map(|(_, verdict)| *verdict).collect();
        assert_eq!(verdicts[0], CommitVerdict::Done);
        assert!(verdicts[1..].iter().all(|verdict| *verdict == CommitVerdict::Already));
        let told = bench.trace.position(
            |event| matches!(event, Event::Published(_, keys) if keys.iter().any(|k| k.purchase == key.purchase)),
        );
        assert!(told > written[written.len() - 1].0, "nothing is published before that");
    }
    let again = keys.iter().filter(|key| commit_events(&bench, **key).len() > 1).count();
    assert!(again > 0, "an answer got lost");
}

fn published(bench: &Bench) -> Vec<TaskKey> {
    let mut found = Vec::new();
    for event in bench.trace.events() {
        if let Event::Published(TaskKind::Deliver, keys) = event {
            found.extend(keys);
        }
    }
    found
}

fn commit_events(bench: &Bench, key: TaskKey) -> Vec<(usize, CommitVerdict)> {
    let mut found = Vec::new();
    for (position, event) in bench.trace.events().into_iter().enumerate() {
        if let Event::Committed(done) = event {
            let of_key = done.into_iter().filter(|(of, _)| *of == key);
            found.extend(of_key.map(|(_, verdict)| (position, verdict)));
        }
    }
    found
}

#[tokio::test]
async fn a_store_that_is_not_available_gets_the_whole_group_again() {
    let mut bench = Bench::new(40);
    bench.settings.groups_at_once = 1;
    let keys = bench.hinted(40);
    bench.outside.hold(&keys);
    bench.start_with(Faults { commits: [Fault::NotWritten; 4].into(), ..Faults::default() });
    bench.until("forty calls", || bench.outside.in_flight() == 40).await;
    bench.outside.let_go(&keys);
    bench.until("the end", || bench.unfinished().is_empty()).await;
    let sizes = tried(&bench);
    assert!(sizes[..5].iter().all(|size| *size == sizes[0]), "never split: {sizes:?}");
    bench.assert_dispensed_once(&keys);
}

#[tokio::test]
async fn a_row_that_the_store_refuses_is_parked_as_our_fault_and_its_group_is_written() {
    let mut bench = Bench::new(40);
    bench.settings.groups_at_once = 1;
    let keys = bench.hinted(40);
    let refused = keys[17];
    bench.outside.hold(&keys);
    bench.start_with(Faults { refused: [refused].into(), ..Faults::default() });
    bench.until("forty calls", || bench.outside.in_flight() == 40).await;
    bench.outside.let_go(&keys);
    bench.until("the others' end", || bench.unfinished() == [refused]).await;
    bench.until("parked", || bench.row(refused).state == TaskState::Parked).await;
    let row = bench.row(refused);
    assert_eq!(row.park_class, Some(ParkClass::OurFault));
    assert!(row.sent_until.is_some(), "what may be out is not forgotten");
    let journal = bench.view(refused).journal;
    assert_eq!(journal[0].detail, "dispensed", "what was decided is told");
    let others: Vec<TaskKey> = keys.into_iter().filter(|key| *key != refused).collect();
    bench.assert_dispensed_once(&others);
    let sizes = tried(&bench);
    assert!(sizes.len() <= 3 * 13, "split in halves, not row by row: {sizes:?}");
    assert_eq!(bench.outside.effects(refused), 1);
}

#[tokio::test]
async fn a_store_that_refuses_even_the_parking_is_left_to_the_lease_and_not_asked_for_ever() {
    let bench = Bench::new(10);
    let keys = bench.hinted(2);
    let refused = [keys[0]].into();
    let started = bench.start_with(Faults { refused, refuses_parking: true, ..Faults::default() });
    bench.until("the neighbour's end", || bench.unfinished() == [keys[0]]).await;
    let looks = bench.trace.count(|event| *event == Event::Ticked) + 50;
    bench.until("more looks", || bench.trace.count(|event| *event == Event::Ticked) > looks).await;
    let tries = tried(&bench).len();
    assert!(tries <= 4, "{tries} tries");
    // Once the store takes it, somebody looks up and it ends.
    started.process.faults.lock().unwrap().refused.clear();
    started.process.forget(keys[0]);
    bench.pass_until_all_ended().await;
    bench.assert_dispensed_once(&keys);
}

#[tokio::test]
async fn hints_that_get_lost_are_found_by_the_clock() {
    let bench = Bench::new(10);
    let keys = bench.purchases(10, fleet_testkit::samples::DISPENSE_LANE);
    bench.outside.script(keys[0], &[Reply::Lost { effect: false }]);
    bench.start_with(Faults { loses_hints: true, ..Faults::default() });
    bench.memory.advance(Duration::from_secs(60));
    bench.pass_until_all_ended().await;
    bench.assert_dispensed_once(&keys);
}

#[tokio::test]
async fn while_nothing_can_be_published_the_clock_hands_everything_on() {
    let bench = Bench::new(10);
    let keys = bench.purchases(3, fleet_testkit::samples::DISPENSE_LANE);
    bench.start_with(Faults { is_blocked: true, ..Faults::default() });
    bench.memory.advance(Duration::from_secs(11));
    let ended = || {
        let open = |key: &TaskKey| bench.unfinished().contains(key);
        !keys.iter().any(open)
    };
    bench.until("the end without a broker", ended).await;
    bench.assert_dispensed_once(&keys);
    // What follows is due at once, for whoever works on its kind.
    let back = |key: &TaskKey| {
        let tasks = bench.view(*key).tasks;
        !tasks.is_empty() && tasks.iter().all(|task| task.state == TaskState::Waiting)
    };
    bench.until("what follows to be put back", || keys.iter().all(back)).await;
    assert_eq!(bench.trace.count(|event| matches!(event, Event::Published(..))), 0);
}
