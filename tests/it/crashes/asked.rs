//! Programs die while a buyer is asked: around the SMS, around the page, around the check of a charge
//! that was told, and at the notification.

use fleet_domain::PurchaseStatus::Success;
use fleet_simulator::EffectKind;
use fleet_testkit::TestFleet;

use super::{assert_once, ended, gateway, killed_at_hit, take_over, without};
use crate::{card_payment, mo_charge};

/// Deaths at the call, and at its commit.
const POINTS: [&str; 5] =
    ["claim.after", "call.before", "call.answered", "commit.before", "commit.after"];

/// Deaths in the n-th exchange with the operator.
async fn dies_in_exchange(nth: u32) {
    let fleet = without("reservation").start().await;
    for point in POINTS {
        let body = mo_charge::by_sms("0000", "0000");
        let hit = format!("reserve/{point}:{nth}");
        let id = killed_at_hit(&fleet, "reservation", &hit, &body).await;
        ended(&fleet, "reservation", id, (Success, point)).await;
        assert_eq!(fleet.count(id, EffectKind::Prompt), 1, "{point}");
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_around_the_sms_sends_one_and_charges_once() {
    dies_in_exchange(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_around_the_check_of_a_charge_reserves_once() {
    dies_in_exchange(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_around_the_page_makes_one_and_is_paid_once() {
    let fleet = without("reservation").start().await;
    for point in POINTS {
        let armed = fleet.start_armed("reservation", &format!("reserve/{point}:1")).await;
        let (_, id) = card_payment::pay(&fleet, "1000").await;
        fleet.until_crashed(armed).await;
        take_over(&fleet, "reservation").await;
        fleet.wait_final(id).await;
        assert_eq!(card_payment::moved(&fleet, id), [1, 1], "{point}");
        fleet.kill(fleet.running("reservation"));
    }
    fleet.assert_all_ended().await;
}

/// The gateway dies at an operator's notification, and another one takes it.
async fn killed_at_notification(fleet: &TestFleet, point: &str) {
    let armed = gateway(fleet, Some(&format!("{point}:1"))).await;
    let body = mo_charge::by_sms("0000", "0000");
    fleet.enqueue(&mo_charge::as_message(&body), "we_reserve").await;
    let id = fleet.wait_stored(1001, body["clientTxnRef"].as_str().unwrap()).await;
    fleet.until_crashed(armed).await;
    gateway(fleet, None).await;
    let view = fleet.wait_final(id).await;
    assert_once(fleet, id, Success, point);
    assert_eq!(view.facts.len(), 1, "{point}: told again, and one fact");
    fleet.kill(fleet.running("gateway"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_at_a_notification_loses_nothing_and_keeps_one_fact() {
    let fleet = without("gateway").start().await;
    for point in ["callback/fact.before", "callback/fact.after", "callback/answer.before"] {
        killed_at_notification(&fleet, point).await;
    }
    fleet.assert_all_ended().await;
}
