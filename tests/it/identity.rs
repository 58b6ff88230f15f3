//! The same purchase again: one purchase and one effect, whichever way it comes.

pub(crate) mod changed;

use fleet_contracts::RequestedOutcome;
use fleet_domain::{PurchaseId, PurchaseStatus};
use fleet_simulator::EffectKind;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{Letter, Replies, Shop, purchase};
use futures_util::StreamExt;
use serde_json::{Value, json};

/// The fields that a retry renews.
pub(crate) fn renewed(body: &Value) -> Value {
    let mut body = body.clone();
    body["timestamp"] = "2026-02-01T11:11:11+02:00".into();
    body["channelName"] = "USSD".into();
    body["channelSessionId"] = format!("session-{:x}", rand::random::<u32>()).into();
    body["authCode"] = "renewed".into();
    body
}

pub(crate) async fn enqueued(
    fleet: &TestFleet,
    shop: &Shop,
    replies: &mut Replies,
    body: &Value,
    scenario: &str,
) -> (RequestedOutcome, Option<PurchaseId>) {
    let letter = Letter::purchase(&fleet.message(body, scenario)).answered(replies);
    shop.request(&letter).await;
    let (reply, _) = replies.next().await;
    (reply.outcome, reply.raas_txn_ref.map(|text| text.parse().unwrap()))
}

async fn one_effect_of_each(fleet: &TestFleet, id: PurchaseId, ours: usize) {
    let view = fleet.wait_final(id).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Success);
    for (kind, count) in [
        (EffectKind::Reserve, ours),
        (EffectKind::Capture, ours),
        (EffectKind::Vend, 1),
        (EffectKind::Result, 1),
    ] {
        assert_eq!(fleet.count(id, kind), count, "{kind:?} of {id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_purchase_again_is_one_purchase_and_another_content_is_a_conflict() {
    let fleet = TestFleet::start().await;
    fleet.allow_log("dead letter");
    let shop = fleet.shop().await;
    let mut replies = shop.replies().await;
    let mut body = purchase("0000");
    body["reserveFundsTxnRef"] = "held-1".into();
    let id = fleet.transact(&body).await.accepted();
    assert_eq!(fleet.transact(&renewed(&body)).await.accepted(), id, "while it is under way");
    one_effect_of_each(&fleet, id, 0).await;
    let mut with_fee = renewed(&body);
    with_fee["feeAmount"] = "50".into();
    let again = fleet.transact(&with_fee).await;
    assert_eq!(again.accepted(), id, "when it has ended");
    assert_eq!(again.message(), "Success", "its present state");

    for (field, value) in [
        ("productId", json!(201)),
        ("purchaseAmount", json!(1501)),
        ("sourceIdentifier", json!("27820001111")),
        ("targetIdentifier", json!("27820002222")),
        ("reserveFundsTxnRef", json!("held-2")),
        ("reserveFundsTxnRef", json!(null)),
    ] {
        let mut other = body.clone();
        other[field] = value;
        let answer = fleet.transact(&other).await;
        assert_eq!((answer.status, answer.code().as_str()), (409, "4000"), "{field}: {answer:?}");
        assert!(answer.message().starts_with("clientTxnRef "), "{answer:?}");
        let (outcome, _) = enqueued(&fleet, &shop, &mut replies, &other, "client_reserved").await;
        assert_eq!(outcome, RequestedOutcome::Conflict, "{field}");
    }
    let answer = fleet.reserve_and_transact(&body).await;
    assert_eq!(answer.status, 409, "who reserves is part of the content: {answer:?}");

    // The other way in, in both orders; and another client's own numbers.
    let same = enqueued(&fleet, &shop, &mut replies, &renewed(&body), "client_reserved").await;
    assert_eq!(same, (RequestedOutcome::Accepted, Some(id)));
    let body = purchase("0000");
    let (_, first) = enqueued(&fleet, &shop, &mut replies, &body, "we_reserve").await;
    let id = fleet.reserve_and_transact(&renewed(&body)).await.accepted();
    assert_eq!(first, Some(id));
    one_effect_of_each(&fleet, id, 1).await;
    let mut theirs = body.clone();
    theirs["clientId"] = 1002.into();
    let other = fleet.reserve_and_transact(&theirs).await.accepted();
    assert_ne!(other, id, "a reference is its client's own");
    one_effect_of_each(&fleet, other, 1).await;

    // A refusal is told again, and nothing is asked again.
    let body = purchase("9101");
    let refused = fleet.reserve_and_transact(&body).await;
    assert_eq!(refused.code(), "2010");
    fleet.wait_final(refused.reference()).await;
    let calls = fleet.calls(refused.reference()).len();
    let again = fleet.reserve_and_transact(&renewed(&body)).await;
    assert_eq!((again.reference(), again.code()), (refused.reference(), "2010".to_owned()));
    fleet.assert_all_ended().await;
    assert_eq!(fleet.calls(refused.reference()).len(), calls);
    assert_eq!(fleet.letters().await.len(), 6, "the six conflicts");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_at_the_same_time_over_both_ways_are_one_purchase_with_one_effect() {
    let fleet = TestFleet::start().await;
    let shop = fleet.shop().await;
    let mut replies = shop.replies().await;
    let over_http = purchase("0000");
    let asked = (0..100)
        .map(|_| async { fleet.reserve_and_transact(&renewed(&over_http)).await.accepted() });
    let ids: Vec<PurchaseId> =
        futures_util::stream::iter(asked).buffer_unordered(100).collect().await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");

    let both = purchase("0000");
    let over_amqp = async {
        for _ in 0..50 {
            let letter = Letter::purchase(&fleet.message(&renewed(&both), "we_reserve"));
            shop.request(&letter.answered(&replies)).await;
        }
        let mut ids = Vec::new();
        for _ in 0..50 {
            let (reply, _) = replies.next().await;
            assert_eq!(reply.outcome, RequestedOutcome::Accepted);
            ids.extend(reply.raas_txn_ref);
        }
        ids
    };
    let asked =
        (0..50).map(|_| async { fleet.reserve_and_transact(&renewed(&both)).await.accepted() });
    let over_http = futures_util::stream::iter(asked).buffer_unordered(50).collect::<Vec<_>>();
    let (amqp, http) = tokio::join!(over_amqp, over_http);
    assert_eq!((amqp.len(), http.len()), (50, 50));
    let id = http[0];
    assert!(http.iter().all(|other| *other == id), "{http:?}");
    assert!(amqp.iter().all(|other| *other == id.to_string()), "{id} {amqp:?}");
    for id in [ids[0], id] {
        one_effect_of_each(&fleet, id, 1).await;
    }
    fleet.assert_all_ended().await;
    let stored: i64 = fleet.summary().await.purchases.iter().map(|row| row.purchases).sum();
    assert_eq!(stored, 2);
}
