//! Notifications are not signed: whatever is told, nothing moves that the operator does not confirm.

use fleet_domain::{ParkClass, PlanClass, PurchaseStatus, ReserveState, TaskKind};
use fleet_simulator::EffectKind;
use fleet_testkit::TestFleet;
use serde_json::{Value, json};

use super::{buy, by_sms, charged, moved, tell, unmatched};
use crate::unknown::impatient;

/// The gateway's word for a notification that differs from what was asked for.
const NOT_ABOUT: &str = "a notification is not about what was asked for";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_charge_that_is_not_what_was_asked_for_funds_nothing_and_is_kept_for_a_person() {
    let fleet = TestFleet::start().await;
    fleet.allow_log(NOT_ABOUT);
    let mut bought = Vec::new();
    for script in ["9709", "9710", "9713"] {
        bought.push((script, buy(&fleet, script).await));
    }
    fleet.until("all to be told", async || unmatched(&fleet).await == 3).await;
    for (script, id) in bought {
        let view = fleet.wait_reserve(id, ReserveState::Asked).await;
        assert_eq!(view.facts.len(), 0, "{script}");
        assert_eq!(fleet.count(id, EffectKind::Vend), 0, "{script}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_field_of_a_charge_must_be_as_it_was_asked_for() {
    let fleet = TestFleet::start().await;
    fleet.allow_log(NOT_ABOUT);
    let body = by_sms("9706", "0000");
    let id = fleet.reserve_and_transact(&body).await.accepted();
    fleet.wait_reserve(id, ReserveState::Asked).await;
    let good = charged(&body, id, "77");
    let mut told = 0;
    for (field, value) in [
        ("merchant", json!("partner:another")),
        ("campaign", json!("campaign:00")),
        ("environment", json!("test")),
        ("msisdn", json!("27000000000")),
        ("currency", json!("USD")),
        ("amount", json!("15.51")),
        ("amount", json!(1550)),
        ("amount", json!("15.5000000000001")),
        ("amount", json!(null)),
        ("correlator", json!(uuid::Uuid::now_v7().to_string())),
    ] {
        let mut other = good.clone();
        other["success"][field] = value;
        // Each is a notification of its own.
        told += 1;
        other["success"]["transaction"]["transaction_id"] = format!("77{told}").into();
        assert_eq!(tell(&fleet, other.to_string()).await.status, 200, "{field}");
    }
    assert_eq!(unmatched(&fleet).await, told);
    let view = fleet.purchase(id).await;
    assert_eq!((view.purchase.progress.reserve, view.facts.len()), (ReserveState::Asked, 0));
    assert_eq!(moved(&fleet, id), [1, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_charge_dispenses_nothing_and_does_not_hide_the_real_one() {
    let fleet = impatient().plan(TaskKind::Reserve, PlanClass::Unknown, &[1, 1, 1]).start().await;
    let forged = buy(&fleet, "9711").await;
    let real = buy(&fleet, "9712").await;
    fleet.wait_status(real, PurchaseStatus::Success).await;
    assert_eq!(moved(&fleet, real), [1, 1, 1]);
    let parked = fleet.wait_parked(forged).await;
    assert_eq!(parked.class, ParkClass::UnknownOutcome, "{}", parked.cause);
    assert_eq!(moved(&fleet, forged), [1, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_hostile_notifications_gets_clear_answers_and_moves_nothing() {
    let fleet = TestFleet::start().await;
    fleet.allow_log(NOT_ABOUT);
    let body = by_sms("9706", "0000");
    let id = fleet.reserve_and_transact(&body).await.accepted();
    fleet.wait_reserve(id, ReserveState::Asked).await;
    let mut statuses = std::collections::BTreeMap::new();
    for seed in 0..400 {
        let answer = tell(&fleet, fleet_simulator::hostile_mo(seed)).await;
        assert!(matches!(answer.status, 200 | 400), "seed {seed}: {answer:?}");
        if answer.status == 400 {
            assert_eq!(answer.code(), "4000", "seed {seed}");
            assert!(!answer.message().is_empty());
        }
        *statuses.entry(answer.status).or_insert(0) += 1;
    }
    assert!(statuses.len() == 2, "both kinds: {statuses:?}");
    let view = fleet.purchase(id).await;
    assert_eq!(view.purchase.progress.reserve, ReserveState::Asked);
    // About this very purchase, spoilt: at most it ends as not charged, and it is never served.
    let own = charged(&body, id, "7654321");
    for seed in 0..200 {
        let status = tell(&fleet, fleet_simulator::hostile_mo_about(&own, seed)).await.status;
        assert!(matches!(status, 200 | 400), "seed {seed}: {status}");
    }
    assert_ne!(fleet.purchase(id).await.purchase.status(), PurchaseStatus::Success);
    assert_eq!(moved(&fleet, id), [1, 0, 0]);
    for (path, status) in [("mo-nobody", 404), ("sample-bank", 404), ("supplier-lookup", 404)] {
        let url = fleet.url(&format!("/callbacks/mo-charge/{path}"));
        let text = charged(&body, id, "1").to_string();
        assert_eq!(fleet.send(fleet.http().post(url).body(text)).await.status, status, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purchase_that_cannot_be_charged_by_sms_is_refused_with_its_field() {
    let fleet = TestFleet::start().await;
    let change = |change: &dyn Fn(&mut Value)| {
        let mut body = by_sms("0000", "0000");
        change(&mut body);
        body
    };
    let source =
        |kind: &str, name: &str| json!({ "fundingSource": { "type": kind, "name": name } });
    for (body, field) in [
        (change(&|b| b["sourceIdentifier"] = "meter_7".into()), "sourceIdentifier"),
        (change(&|b| b["sourceIdentifier"] = "123456".into()), "sourceIdentifier"),
        (change(&|b| b["additionalData"] = source("mo_charge", "sample-bank")), "fundingSourceId"),
        (change(&|b| b["additionalData"] = source("bank", "mo-sample")), "fundingSourceId"),
        (change(&|b| b["additionalData"] = source("card_payment", "card-sample")), "fundingSource"),
        (change(&|b| b["additionalData"] = source("bank", "card-sample")), "fundingSourceId"),
    ] {
        let refused = fleet.reserve_and_transact(&body).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "4000"), "{field}");
        assert!(refused.message().starts_with(field), "{}", refused.message());
    }
}
