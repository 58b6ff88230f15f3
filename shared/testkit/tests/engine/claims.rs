//! Rules 2 and 4: claim before anything leaves, look up what may be out, send only within the lease.

use std::time::Duration;

use fleet_domain::{DispenseState, TaskState};

use crate::bench::{Bench, SLOW_LANE};
use crate::broker::Event;
use crate::outside::{Reply, Told};
use crate::process::{Fault, Faults};

#[tokio::test]
async fn every_call_has_its_claim_before_it_and_marks_its_task_as_sent() {
    let bench = Bench::new(10);
    let keys = bench.hinted(30);
    bench.start();
    bench.pass_until_all_ended().await;
    for key in &keys {
        let claimed = bench
            .trace
            .position(|event| matches!(event, Event::Claimed(claimed) if claimed.contains(key)));
        assert!(claimed < bench.trace.position(|event| *event == Event::Called(*key)));
    }
    bench.assert_dispensed_once(&keys);
}

#[tokio::test]
async fn a_claim_whose_answer_got_lost_is_run_again_and_gives_one_call() {
    let bench = Bench::new(10);
    let keys = bench.hinted(8);
    let claims = [Fault::AnswerLost, Fault::NotWritten, Fault::AnswerLost].into();
    bench.start_with(Faults { claims, ..Faults::default() });
    bench.until("the end", || bench.unfinished().is_empty()).await;
    assert_eq!(bench.trace.count(|event| matches!(event, Event::LookedUp(_))), 0);
    assert_eq!(bench.trace.count(|event| matches!(event, Event::Called(_))), 8);
    bench.assert_dispensed_once(&keys);
}

#[tokio::test]
async fn nothing_leaves_when_the_claim_took_so_long_that_a_call_could_outlive_its_lease() {
    let mut bench = Bench::new(10);
    // Sends are allowed for half a second from before the claim; its answer takes longer.
    bench.longest_call = Duration::from_millis(1);
    bench.call_deadline = Duration::from_millis(9_501);
    let keys = bench.hinted(1);
    let slow = Fault::Slow(Duration::from_millis(700));
    bench.start_with(Faults { claims: [slow].into(), ..Faults::default() });
    bench.until("a claim", || bench.row(keys[0]).state == TaskState::Running).await;
    bench.pass_until_all_ended().await;
    assert_eq!(bench.view(keys[0]).journal[0].outcome, "not_sent");
    bench.assert_dispensed_once(&keys);
}

#[tokio::test]
async fn what_may_be_out_is_looked_up_and_never_called_again() {
    let bench = Bench::new(10);
    let keys = bench.hinted(4);
    bench.outside.script(keys[0], &[Reply::Lost { effect: true }]);
    bench.outside.script(keys[1], &[Reply::Lost { effect: false }]);
    bench.outside.script_look_ups(keys[0], &[Told::Unclear, Told::Unclear]);
    bench.start();
    bench.pass_until_all_ended().await;
    bench.assert_dispensed_once(&keys);
    let calls = |key| bench.trace.count(|event| *event == Event::Called(key));
    let look_ups = |key| bench.trace.count(|event| *event == Event::LookedUp(key));
    assert_eq!((calls(keys[0]), look_ups(keys[0])), (1, 3));
    assert_eq!((calls(keys[1]), look_ups(keys[1])), (2, 1), "known not done: the same again");
    let rows = bench.view(keys[0]).journal;
    assert!(rows.iter().all(|row| row.ref_no == 0), "under its only reference: {rows:?}");
}

#[tokio::test]
async fn a_lost_answer_is_a_state_that_everybody_can_see() {
    let bench = Bench::new(10);
    let keys = bench.hinted(1);
    bench.outside.script(keys[0], &[Reply::Lost { effect: true }]);
    bench.start();
    bench.until("the commit", || bench.row(keys[0]).state == TaskState::Waiting).await;
    let view = bench.view(keys[0]);
    assert_eq!(view.purchase.progress.dispense, DispenseState::Unknown);
    assert!(bench.row(keys[0]).sent_until.is_some(), "it may be out, and stays so");
    bench.pass_until_all_ended().await;
    bench.assert_dispensed_once(&keys);
}

#[tokio::test]
async fn past_its_start_nothing_is_sent_but_what_may_be_out_is_looked_up() {
    let mut bench = Bench::new(10);
    bench.start_within = Duration::from_secs(600);
    let keys = bench.hinted(2);
    bench.outside.script(keys[0], &[Reply::Lost { effect: true }]);
    bench.outside.script(keys[1], &[Reply::NotSent]);
    let told = vec![Told::Unclear; 3];
    bench.outside.script_look_ups(keys[0], &told);
    bench.start();
    let waits = || keys.iter().all(|key| bench.row(*key).state == TaskState::Waiting);
    bench.until("both waiting", waits).await;
    bench.memory.advance(Duration::from_secs(700));
    bench.pass_until_all_ended().await;
    bench.assert_dispensed_once(&keys[..1]);
    assert_eq!(bench.view(keys[1]).purchase.progress.dispense, DispenseState::Failed);
    assert_eq!(bench.outside.effects(keys[1]), 0);
    let calls = bench.trace.count(|event| matches!(event, Event::Called(_)));
    assert_eq!(calls, 2, "one each, before the start was over");
}

#[tokio::test]
async fn a_refusal_that_may_pass_is_tried_again_and_a_final_one_ends_the_purchase() {
    let bench = Bench::new(10);
    let keys = bench.hinted(2);
    let later = Reply::Refused { retryable: true };
    bench.outside.script(keys[0], &[later, later, Reply::NotSent, Reply::Done]);
    bench.outside.script(keys[1], &[Reply::Refused { retryable: false }]);
    bench.start();
    bench.pass_until_all_ended().await;
    bench.assert_dispensed_once(&keys[..1]);
    assert_eq!(bench.view(keys[1]).purchase.progress.dispense, DispenseState::Failed);
    assert_eq!(bench.outside.effects(keys[1]), 0);
}

#[tokio::test]
async fn what_a_dead_process_had_claimed_comes_back_after_the_lease_of_its_own_lane() {
    for slow in [30, 40, 50] {
        let mut bench = Bench::new(20);
        bench.slow_call = Duration::from_secs(slow);
        let fast = bench.hinted(3);
        let slow = bench.purchases(1, SLOW_LANE);
        bench.hint(&slow, SLOW_LANE);
        let all = [fast.clone(), slow.clone()].concat();
        bench.outside.hold(&all);
        let first = bench.start();
        bench.until("all calls", || bench.outside.in_flight() == all.len()).await;
        first.process.crash();
        bench.outside.let_go(&all);
        bench.start();
        bench.memory.advance(Duration::from_secs(5 + 10 + 1));
        bench.until("the fast lane's end", || bench.unfinished() == slow).await;
        assert_eq!(bench.row(slow[0]).claims, 1, "its call may be under way");
        bench.pass_until_all_ended().await;
        bench.assert_dispensed_once(&all);
    }
}
