//! Funding sources that take the money at once: it stays, goes back, or is owed.

use fleet_domain::{
    ParkClass, PlanClass, PurchaseId, PurchaseStatus, ReserveState, SettleState, TaskKind,
};
use fleet_simulator::{Action, Behaviour, EffectKind, Fault};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::purchase;

use crate::unknown::{calls, impatient, target};

/// A purchase that this wallet pays for.
async fn buy(fleet: &TestFleet, code: &str, wallet: &str) -> PurchaseId {
    let mut body = purchase(code);
    if let Some(fields) = body.as_object_mut() {
        fields.insert("fundingSourceId".to_owned(), wallet.into());
    }
    body["fundingSourceId"] = wallet.into();
    fleet.reserve_and_transact(&body).await.accepted()
}

/// How often the wallet took money, and gave it back.
fn moved(fleet: &TestFleet, id: PurchaseId) -> (usize, usize) {
    (fleet.count(id, EffectKind::Capture), fleet.count(id, EffectKind::Refund))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_taken_at_once_stays_for_goods_and_goes_back_without_them() {
    let fleet = TestFleet::builder()
        .plan(TaskKind::Refund, PlanClass::NotDone, &[1, 1, 1])
        .plan(TaskKind::Refund, PlanClass::Unknown, &[1, 1, 1])
        .start()
        .await;
    let good = buy(&fleet, "0000", "sample-wallet").await;
    let lost_charge = buy(&fleet, "9108", "sample-wallet").await;
    let refused = buy(&fleet, "9201", "sample-wallet").await;
    let lost_refund = buy(&fleet, "9131", "sample-wallet").await;
    let busy = buy(&fleet, "9132", "sample-wallet").await;
    for id in [good, lost_charge] {
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Success);
        assert_eq!(view.purchase.progress.reserve, ReserveState::Charged);
        assert_eq!(moved(&fleet, id), (1, 0));
    }
    for id in [refused, lost_refund, busy] {
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Failed);
        assert_eq!(view.purchase.progress.settle, SettleState::Refunded);
        assert_eq!(moved(&fleet, id), (1, 1), "whatever became of the answers");
    }
    let asked = |id| fleet.calls(id).iter().filter(|call| call.action == Action::Refund).count();
    assert_eq!([refused, lost_refund, busy].map(asked), [1, 2, 2]);
    fleet.assert_all_ended().await;
    let money = fleet.summary().await.money;
    let sum = |of: fn(&fleet_store::MoneyRow) -> i64| money.iter().map(of).sum::<i64>();
    let each = sum(|row| row.captured) / 5;
    assert_eq!((sum(|row| row.kept), sum(|row| row.refunded)), (2 * each, 3 * each), "{money:?}");
    assert_eq!((sum(|row| row.held), sum(|row| row.undecided)), (0, 0), "{money:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_whose_answer_is_lost_in_any_way_is_made_once_and_asked_for_until_it_is_known() {
    let fleet = impatient().start().await;
    let mut under_way = Vec::new();
    for fault in Fault::ALL {
        let mut body = purchase("9201");
        body["fundingSourceId"] = "sample-wallet".into();
        let answers = vec![fault.behaviour(), Behaviour::ok()];
        fleet.simulator().script(target(&body), Action::Refund, answers);
        under_way.push((fault, fleet.reserve_and_transact(&body).await.accepted()));
    }
    for (fault, id) in under_way {
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.progress.settle, SettleState::Refunded, "{fault:?}");
        assert_eq!(moved(&fleet, id), (1, 1), "{fault:?}");
        assert!(calls(&fleet, id, Action::Refund).len() >= 2, "{fault:?}: asked again");
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_that_cannot_go_back_is_owed_to_the_buyer_in_front_of_a_person() {
    let fleet = TestFleet::start().await;
    let no_call = buy(&fleet, "9201", "sample-wallet-plain").await;
    let refused = buy(&fleet, "9133", "sample-wallet").await;
    let kept = buy(&fleet, "0000", "sample-wallet-plain").await;
    fleet.wait_final(kept).await;
    fleet.wait_parked(no_call).await;
    fleet.wait_parked(refused).await;
    fleet.assert_all_ended().await;
    for (id, why) in [(no_call, "no_refund_call"), (refused, "2080")] {
        let case = fleet.wait_parked(id).await;
        let view = fleet.purchase(id).await;
        assert_eq!(case.class, ParkClass::OwedToBuyer);
        assert!(case.cause.contains(why), "{}", case.cause);
        assert_eq!(case.at_risk, Some(view.purchase.order.reserved()));
        assert_eq!(view.purchase.status(), PurchaseStatus::Failed, "the client is told so");
        assert_eq!(view.purchase.progress.settle, SettleState::Owed);
        assert_eq!(moved(&fleet, id), (1, 0));
        assert_eq!(fleet.count(id, EffectKind::Result), 1);
    }
    let money = fleet.summary().await.money;
    let sum = |of: fn(&fleet_store::MoneyRow) -> i64| money.iter().map(of).sum::<i64>();
    let each = sum(|row| row.captured) / 3;
    assert_eq!((sum(|row| row.kept), sum(|row| row.owed)), (each, 2 * each), "{money:?}");
}
