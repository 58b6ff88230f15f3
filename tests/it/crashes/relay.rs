//! Whoever publishes hints dies: behind its transaction, between two messages, behind the confirm.

use fleet_domain::PurchaseStatus::Success;
use fleet_simulator::{Action, Behaviour};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::purchase;

use super::{asked, calls, ended, killed_at, killed_at_hit, target, without};

/// Dies at a point of the dispensing; its vend is refused twice for now where the clock has to act.
async fn published_again(fleet: &TestFleet, point: &str, code: &str, vends: usize) {
    let body = purchase(code);
    let id = killed_at(fleet, "dispensing", point, &body).await;
    ended(fleet, "dispensing", id, (Success, point)).await;
    let [vended, looked_up] = asked(fleet, id, [Action::Vend, Action::VendLookUp]);
    assert_eq!(vended, vends, "{point}");
    // It may have claimed what it had just published: then it is asked about before it is sent again.
    assert!(looked_up <= 1, "{point}: {looked_up} look-ups");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a6_what_a_dead_clock_had_taken_is_taken_by_another() {
    let fleet = without("dispensing").start().await;
    published_again(&fleet, "dispense/clock.after", "9202", 3).await;
    published_again(&fleet, "dispense/commit.after", "0000", 1).await;
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a7_a_hint_that_was_published_and_not_confirmed_may_come_twice_and_acts_once() {
    let fleet = without("dispensing").start().await;
    published_again(&fleet, "broker/publish.sent", "0000", 1).await;
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a8_a_hint_that_was_confirmed_acts_once_whatever_became_of_its_publisher() {
    let fleet = without("dispensing").start().await;
    published_again(&fleet, "dispense/publish.after", "0000", 1).await;
    published_again(&fleet, "dispense/clock.handed", "9202", 3).await;
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a9_a_batch_of_hints_that_was_cut_in_two_acts_once_as_a_whole() {
    let fleet = without("dispensing").start().await;
    // A vend's commit queues a task in each of three queues: settle, deliver, report.
    let body = purchase("0000");
    let armed = fleet.start_armed("dispensing", "broker/publish.sent:2").await;
    let id = super::buy(&fleet, &body, async |_| {
        fleet.until_crashed(armed).await;
        super::take_over(&fleet, "dispensing").await;
    })
    .await;
    ended(&fleet, "dispensing", id, (Success, "between two hints")).await;
    assert_eq!(asked(&fleet, id, [Action::Vend, Action::VendLookUp]), [1, 0]);
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a31_what_a_clock_has_handed_to_its_engine_is_done_by_another_when_both_die() {
    let fleet = without("result-delivery").start().await;
    for point in ["deliver/clock.after:1", "deliver/clock.handed:1", "deliver/claim.before:2"] {
        let body = purchase("0000");
        let results = vec![Behaviour::status(503), Behaviour::ok()];
        fleet.simulator().script(target(&body), Action::Result, results);
        let id = killed_at_hit(&fleet, "result-delivery", point, &body).await;
        ended(&fleet, "result-delivery", id, (Success, point)).await;
        assert_eq!(calls(&fleet, id, Action::Result).len(), 2, "{point}: one of them refused");
    }
    fleet.assert_all_ended().await;
}
