//! Rule 3: a message is acknowledged once each of its tasks got a verdict, and not later.

use fleet_domain::TaskState;
use fleet_testkit::samples::DISPENSE_LANE;

use crate::bench::Bench;
use crate::broker::Event;

#[tokio::test]
async fn a_message_is_held_until_its_last_task_is_claimed() {
    let bench = Bench::new(1);
    let keys = bench.hinted(3);
    bench.outside.hold(&keys);
    bench.start();
    for (number, key) in keys.iter().enumerate() {
        bench.until("a call", || bench.row(*key).state == TaskState::Running).await;
        let last = number + 1 == keys.len();
        if last {
            bench.until("the acknowledgement", || bench.broker.unacked() == 0).await;
        } else {
            assert_eq!(bench.broker.unacked(), 1, "{number} of 3 have a verdict");
        }
        bench.outside.let_go(&[*key]);
    }
    bench.pass_until_all_ended().await;
    bench.assert_dispensed_once(&keys);
}

#[tokio::test]
async fn no_message_is_held_during_a_slow_call() {
    let bench = Bench::new(10);
    let keys = bench.hinted(10);
    bench.outside.hold(&keys);
    bench.start();
    bench.until("ten calls", || bench.outside.in_flight() == 10).await;
    bench.until("the acknowledgement", || bench.broker.unacked() == 0).await;
    assert_eq!(bench.outside.in_flight(), 10);
    bench.outside.let_go(&keys);
    bench.pass_until_all_ended().await;
    bench.assert_dispensed_once(&keys);
}

#[tokio::test]
async fn a_hint_of_a_task_in_flight_is_looked_at_again_after_its_commit() {
    let bench = Bench::new(10);
    let keys = bench.hinted(1);
    bench.outside.hold(&keys);
    bench.start();
    bench.until("the call", || bench.outside.in_flight() == 1).await;
    for _ in 0..5 {
        bench.hint(&keys, DISPENSE_LANE);
    }
    bench.until("acknowledgements", || bench.broker.unacked() == 0).await;
    bench.outside.let_go(&keys);
    bench.pass_until_all_ended().await;
    bench.assert_dispensed_once(&keys);
    assert_eq!(bench.trace.count(|event| *event == Event::Called(keys[0])), 1);
}

#[tokio::test]
async fn hints_of_what_is_finished_or_never_was_are_acknowledged_and_nothing_is_called() {
    let bench = Bench::new(10);
    let keys = bench.hinted(3);
    bench.start();
    bench.pass_until_all_ended().await;
    bench.hint(&keys, DISPENSE_LANE);
    bench.until("acknowledgements", || bench.broker.unacked() + bench.broker.ready() == 0).await;
    assert_eq!(bench.trace.count(|event| matches!(event, Event::Called(_))), 3);
    bench.assert_dispensed_once(&keys);
}

#[tokio::test]
async fn what_was_queued_again_during_a_call_is_claimed_right_after_its_commit() {
    let bench = Bench::new(10);
    let keys = bench.hinted(1);
    bench.outside.hold(&keys);
    bench.start();
    bench.until("the call", || bench.outside.in_flight() == 1).await;
    // The lease is over: the clock queues the task and hands it to whoever calls.
    bench.memory.advance(std::time::Duration::from_secs(20));
    let is_queued = || bench.row(keys[0]).state == TaskState::Queued;
    bench.until("the clock's look", is_queued).await;
    bench.outside.let_go(&keys);
    bench.until("the end, without any lost hint", || bench.unfinished().is_empty()).await;
    bench.assert_dispensed_once(&keys);
}
