//! The gateway dies around its inserts and in the middle of its answers.

use fleet_domain::{ClientId, PurchaseId, PurchaseStatus};
use fleet_store::Reference;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::purchase;
use serde_json::Value;

use super::{LEASE, assert_once, gateway, try_post, without};
use crate::unknown::at_callback;

async fn stored(fleet: &TestFleet, body: &Value) -> Option<PurchaseId> {
    let by = Reference::Client(body["clientTxnRef"].as_str().unwrap().to_owned());
    let found = fleet.store().find_purchase(ClientId(1001), &by).await.unwrap();
    found.map(|purchase| purchase.order.id)
}

/// The same request to a fresh gateway, three times: one purchase, and the same answer once it is
/// decided.
async fn asks_again(fleet: &TestFleet, body: &Value, what: &str) -> PurchaseId {
    let id = fleet.reserve_and_transact(body).await.accepted();
    let view = fleet.wait_final(id).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Success, "{what}");
    let (second, third) =
        (fleet.reserve_and_transact(body).await, fleet.reserve_and_transact(body).await);
    assert_eq!((second.reference(), &second.text), (id, &third.text), "{what}");
    assert_once(fleet, id, PurchaseStatus::Success, what);
    id
}

async fn purchases(fleet: &TestFleet) -> i64 {
    fleet.summary().await.purchases.iter().map(|row| row.purchases).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a1_a_gateway_that_dies_before_the_insert_has_stored_nothing_and_the_retry_creates() {
    let fleet = without("gateway").start().await;
    let armed = gateway(&fleet, Some("gateway/insert.before:1")).await;
    let body = purchase("0000");
    assert!(try_post(&fleet, &body).await.is_err(), "the client sees a reset");
    fleet.until_crashed(armed).await;
    assert_eq!(stored(&fleet, &body).await, None);
    gateway(&fleet, None).await;
    asks_again(&fleet, &body, "a1").await;
    assert_eq!(purchases(&fleet).await, 1);
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a2_a_gateway_that_dies_after_the_insert_has_stored_it_and_the_same_again_answers_it() {
    let fleet = without("gateway").start().await;
    for point in ["gateway/insert.after", "gateway/answer.before"] {
        let armed = gateway(&fleet, Some(&format!("{point}:1"))).await;
        let body = purchase("0000");
        assert!(try_post(&fleet, &body).await.is_err(), "{point}: no answer");
        fleet.until_crashed(armed).await;
        let id = stored(&fleet, &body).await;
        assert!(id.is_some(), "{point}: it is stored");
        // Its first hint may never have left.
        fleet.advance_clock_during_calls(LEASE).await;
        gateway(&fleet, None).await;
        assert_eq!(Some(asks_again(&fleet, &body, point).await), id, "{point}");
        fleet.kill(fleet.running("gateway"));
    }
    assert_eq!(purchases(&fleet).await, 2);
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a3_a_gateway_that_dies_in_the_middle_of_its_answer_answers_the_same_again() {
    let fleet = without("gateway").start().await;
    let armed = gateway(&fleet, Some("gateway/answer.middle:1")).await;
    let body = purchase("0000");
    let cut = try_post(&fleet, &body).await.unwrap_err();
    assert!(cut.is_body() || cut.is_decode(), "its head had come: {cut:?}");
    fleet.until_crashed(armed).await;
    let id = stored(&fleet, &body).await;
    gateway(&fleet, None).await;
    assert_eq!(Some(asks_again(&fleet, &body, "a3").await), id);
    assert_eq!(purchases(&fleet).await, 1);
    fleet.assert_all_ended().await;
}

/// A gateway dies at a supplier's confirmation; how many facts were stored by then.
async fn killed_at_confirmation(fleet: &TestFleet, point: &str) -> (PurchaseId, usize) {
    let armed = gateway(fleet, Some(&format!("{point}:1"))).await;
    let body = at_callback(purchase("0000"));
    fleet.enqueue(&body, "we_reserve").await;
    let id = fleet.wait_stored(1001, body["clientTxnRef"].as_str().unwrap()).await;
    fleet.until_crashed(armed).await;
    let facts = fleet.purchase(id).await.facts.len();
    fleet.advance_clock(LEASE).await;
    gateway(fleet, None).await;
    (id, facts)
}

async fn assert_confirmed_once(fleet: &TestFleet, id: PurchaseId, taken: u64, what: &str) {
    let view = fleet.wait_final(id).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Success, "{what}");
    assert_once(fleet, id, PurchaseStatus::Success, what);
    let resent = async || fleet.simulator().summary().confirmations_taken == taken;
    fleet.until("the supplier to be answered", resent).await;
    let view = fleet.purchase(id).await;
    assert_eq!(view.facts.len(), 1, "{what}");
    let dispensed = view.journal.iter().filter(|row| row.outcome == "dispensed").count();
    assert_eq!(dispensed, 1, "{what}");
    fleet.kill(fleet.running("gateway"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a4_a_confirmation_that_was_not_stored_is_sent_again_by_its_supplier() {
    let fleet = without("gateway").start().await;
    let (id, facts) = killed_at_confirmation(&fleet, "callback/fact.before").await;
    assert_eq!(facts, 0);
    assert_confirmed_once(&fleet, id, 1, "a4").await;
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a5_a_confirmation_that_was_stored_and_not_answered_is_one_fact_when_it_comes_again() {
    let fleet = without("gateway").start().await;
    for (taken, point) in (1..).zip(["callback/fact.after", "callback/answer.before"]) {
        let (id, facts) = killed_at_confirmation(&fleet, point).await;
        assert_eq!(facts, 1, "{point}");
        assert_confirmed_once(&fleet, id, taken, point).await;
    }
    fleet.assert_all_ended().await;
}
