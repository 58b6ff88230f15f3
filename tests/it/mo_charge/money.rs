//! Whose money it is: charged twice, charged for nothing, one charge told for two purchases.

use fleet_domain::{ParkClass, PurchaseStatus, ReserveState, SettleState};
use fleet_simulator::{Action, Behaviour, EffectKind};
use fleet_testkit::TestFleet;

use super::{buy, by_sms, charged, moved, tell};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_charge_is_a_case_and_the_same_one_twice_is_nothing() {
    let fleet = TestFleet::start().await;
    let same = buy(&fleet, "9707").await;
    let second = buy(&fleet, "9708").await;
    let view = fleet.wait_final(same).await;
    assert_eq!((view.purchase.status(), view.facts.len()), (PurchaseStatus::Success, 1));
    let view = fleet.wait_status(second, PurchaseStatus::Success).await;
    let case = fleet.wait_parked(second).await;
    assert!(case.cause.contains("charged twice"), "{}", case.cause);
    assert_eq!(case.at_risk, Some(view.purchase.order.reserved()));
    for id in [same, second] {
        assert_eq!(moved(&fleet, id), [1, 1, 1]);
    }
    fleet.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_charge_without_goods_is_owed_to_the_buyer() {
    let fleet = TestFleet::start().await;
    let id = fleet.reserve_and_transact(&by_sms("0000", "9201")).await.accepted();
    let view = fleet.wait_status(id, PurchaseStatus::Failed).await;
    let case = fleet.wait_parked(id).await;
    assert_eq!(case.class, ParkClass::OwedToBuyer, "{}", case.cause);
    assert_eq!(case.at_risk, Some(view.purchase.order.reserved()));
    assert_eq!(fleet.purchase(id).await.purchase.progress.settle, SettleState::Owed);
    assert_eq!(moved(&fleet, id), [1, 1, 0]);
    let told = async || fleet.count(id, EffectKind::Result) == 1;
    fleet.until("the client to be told", told).await;
    fleet.assert_all_ended().await;
    let money = fleet.summary().await.money;
    assert_eq!(money.iter().map(|row| row.owed).sum::<i64>(), 1_550, "{money:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_charge_pays_for_one_purchase_whoever_tells_it_for_a_second() {
    let fleet = TestFleet::start().await;
    fleet.allow_log("the store refuses a decision");
    let body = by_sms("0000", "0000");
    let first = fleet.reserve_and_transact(&body).await.accepted();
    fleet.wait_final(first).await;
    let transactions = fleet.simulator().transactions_of(&first.to_string());
    // The same buyer, the same amount: the operator's check says nothing against it.
    let mut again = by_sms("0000", "0000");
    again["sourceIdentifier"] = body["sourceIdentifier"].clone();
    let buyer = again["sourceIdentifier"].as_str().unwrap();
    let silent = Behaviour::asks(&[(0, "SILENT")]);
    fleet.simulator().script(buyer, Action::MoCharge, vec![silent]);
    let second = fleet.reserve_and_transact(&again).await.accepted();
    fleet.wait_reserve(second, ReserveState::Asked).await;
    let told = tell(&fleet, charged(&again, second, &transactions[0].id).to_string()).await;
    assert_eq!(told.status, 200);
    let parked = fleet.wait_parked(second).await;
    assert_eq!(parked.class, ParkClass::OurFault, "{}", parked.cause);
    assert!(parked.cause.contains("charge"), "{}", parked.cause);
    assert_eq!(moved(&fleet, second), [1, 0, 0], "no goods");
    assert_eq!(moved(&fleet, first), [1, 1, 1]);
    fleet.assert_conserved().await;
}
