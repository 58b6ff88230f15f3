//! Whose money it is: given back, paid for nothing, paid in another amount.

use fleet_domain::{
    ParkClass, PlanClass, PurchaseId, PurchaseStatus, ReserveState, SettleState, TaskKind,
};
use fleet_testkit::TestFleet;

use super::refused::{check, check_of, tell, tell_of};
use super::{access, app, asking_often, by_app, id_of, moved, sell};
use crate::mo_charge::unmatched;
use crate::unknown::impatient;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_that_is_taken_back_after_a_sale_is_a_case() {
    let fleet = TestFleet::start().await;
    let sales = [sell(&fleet, 9911, "0000").await, sell(&fleet, 9912, "0000").await];
    for sale in sales {
        let id = id_of(&sale);
        let view = fleet.wait_status(id, PurchaseStatus::Success).await;
        let case = fleet.wait_parked(id).await;
        assert!(case.cause.contains("taken back"), "{}", case.cause);
        assert_eq!(case.at_risk, Some(view.purchase.order.reserved()));
        assert_eq!(fleet.purchase(id).await.purchase.status(), PurchaseStatus::Success);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sale_without_goods_is_owed_to_the_buyer() {
    let fleet = TestFleet::start().await;
    let id = id_of(&sell(&fleet, 1550, "9201").await);
    let view = fleet.wait_status(id, PurchaseStatus::Failed).await;
    let case = fleet.wait_parked(id).await;
    assert_eq!(case.class, ParkClass::OwedToBuyer, "{}", case.cause);
    assert_eq!(case.at_risk, Some(view.purchase.order.reserved()));
    assert_eq!(fleet.purchase(id).await.purchase.progress.settle, SettleState::Owed);
    assert_eq!(moved(&fleet, id), [1, 1, 0]);
    let money = fleet.summary().await.money;
    assert_eq!(money.iter().map(|row| row.owed).sum::<i64>(), 1_550, "{money:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_amount_funds_nothing_whoever_tells_it() {
    let fleet = impatient().plan(TaskKind::Reserve, PlanClass::Pending, &[1; 3]).start().await;
    fleet.allow_log("a callback tells of another amount");
    let id = id_of(&sell(&fleet, 9914, "0000").await);
    let parked = fleet.wait_parked(id).await;
    assert_eq!(parked.class, ParkClass::UnknownOutcome, "{}", parked.cause);
    assert_eq!(fleet.purchase(id).await.purchase.status(), PurchaseStatus::Pending);
    fleet.until("the callback to be nobody's", async || unmatched(&fleet).await == 1).await;
    assert_eq!(moved(&fleet, id), [0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sale_that_was_declined_and_is_approved_later_is_a_case() {
    let fleet = asking_often().await;
    let sale = sell(&fleet, 9901, "0000").await;
    let id = id_of(&sale);
    fleet.wait_status(id, PurchaseStatus::Failed).await;
    let order = sale.order_id.unwrap();
    let told = tell(&fleet, id, "approved", &order, "99.01").await;
    assert_eq!(told.status, 200);
    let case = fleet.wait_parked(id).await;
    assert!(case.cause.contains("had ended without funds"), "{}", case.cause);
    assert_eq!(moved(&fleet, id), [0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_that_is_taken_back_before_anything_was_served_serves_nothing() {
    let fleet = asking_often().await;
    for kind in ["reversal", "chargeback"] {
        let order = access(&fleet, "ada", &by_app(1550, "0000"), None).await;
        let sale = app(&fleet).initiate(&order).await.unwrap();
        let id: PurchaseId = sale.invoice_id.parse().unwrap();
        let checked = check(&fleet, &sale.invoice_id, &check_of(&order, &sale, "token-1")).await;
        assert_eq!(checked.status, 200, "{kind}");
        assert_eq!(tell_of(&fleet, id, [kind, "approved"], "77", "15.50").await.status, 200);
        let parked = fleet.wait_parked(id).await;
        assert_eq!(parked.class, ParkClass::UnknownOutcome, "{kind}: {}", parked.cause);
        assert_eq!(parked.key.kind, TaskKind::Reserve, "{kind}");
        // What came late on the way changes nothing about it.
        assert_eq!(tell(&fleet, id, "approved", "77", "15.50").await.status, 200);
        fleet
            .until("the sale to be told", async || fleet.purchase(id).await.facts.len() == 3)
            .await;
        let view = fleet.purchase(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Pending, "{kind}");
        assert_ne!(view.purchase.progress.reserve, ReserveState::Charged, "{kind}");
        assert_eq!(moved(&fleet, id), [0, 0, 0], "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sale_that_was_declined_and_told_as_approved_serves_nothing_and_is_looked_into() {
    let fleet = asking_often().await;
    let id = id_of(&sell(&fleet, 9917, "0000").await);
    fleet.wait_status(id, PurchaseStatus::Failed).await;
    let case = fleet.wait_parked(id).await;
    assert!(case.cause.contains("had ended without funds"), "{}", case.cause);
    let view = fleet.purchase(id).await;
    let told: Vec<&str> = view.facts.iter().map(|fact| fact.status.as_str()).collect();
    assert!(told.contains(&"sale:approved"), "{told:?}");
    assert_eq!(moved(&fleet, id), [0, 0, 0]);
}
