//! A vend whose answer gets lost, at each kind of supplier.

use std::time::Duration;

use chrono::TimeDelta;
use fleet_domain::{
    DispenseState, ParkClass, PurchaseId, PurchaseStatus, SettleState, TaskKind, TaskState,
};
use fleet_simulator::{Action, Behaviour, Confirmation, EffectKind, Fault};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{connector, purchase};

use super::{SETTLE_SECONDS, at_callback, at_plain, calls, impatient, scripted, target};

/// The numbers of the vends that a supplier was asked for, in order.
fn vends(fleet: &TestFleet, id: PurchaseId) -> Vec<String> {
    let calls = calls(fleet, id, Action::Vend);
    calls.iter().map(|call| call.reference[id.to_string().len()..].to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_vend_is_looked_up_and_goods_go_out_once_under_one_number() {
    let fleet = impatient().start().await;
    let mut under_way = Vec::new();
    for (fault, body) in scripted("925") {
        under_way.push((fault, fleet.reserve_and_transact(&body).await.accepted()));
    }
    for (fault, id) in under_way {
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Success, "{fault:?}");
        assert_eq!(view.purchase.progress.settle, SettleState::Captured, "{fault:?}");
        assert_eq!(fleet.count(id, EffectKind::Vend), 1, "{fault:?}");
        assert_eq!(fleet.count(id, EffectKind::Capture), 1, "{fault:?}");
        assert_eq!(fleet.count(id, EffectKind::Cancel), 0, "{fault:?}");
        let expected: &[&str] = if fault.has_effect() { &["-0000"] } else { &["-0000", "-0000"] };
        assert_eq!(vends(&fleet, id), expected, "{fault:?}: one number, and once where it took");
        let sent = calls(&fleet, id, Action::Vend);
        let asked = calls(&fleet, id, Action::VendLookUp);
        assert!(asked.first().is_some_and(|look_up| look_up.n > sent[0].n), "{fault:?}: {asked:?}");
        if let [first, second] = sent.as_slice() {
            let apart = second.at - first.at;
            assert!(apart >= TimeDelta::seconds(SETTLE_SECONDS), "{fault:?}: again after {apart}");
            let before = asked.iter().filter(|look_up| look_up.n < second.n).count();
            assert!(before > 0, "{fault:?}: never again before a look-up");
        }
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supplier_that_confirms_is_believed_by_callback_and_never_asked_twice() {
    let fleet = impatient()
        .directory(|import| {
            connector(import, "supplier-callback").callback_wait_seconds = 3_600;
        })
        .start()
        .await;
    let mut under_way = Vec::new();
    for fault in Fault::ALL {
        let body = at_callback(purchase("0000"));
        // Where nothing went out the supplier says so.
        let code = if fault.has_effect() { "0000" } else { "2213" };
        let confirm = vec![Confirmation::after(2_500, code)];
        let vend = Behaviour { confirm, ..fault.behaviour() };
        fleet.simulator().script(target(&body), Action::Vend, vec![vend]);
        under_way.push((fault, fleet.reserve_and_transact(&body).await.accepted()));
    }
    for (fault, id) in under_way {
        let view = fleet.wait_final(id).await;
        let goods = usize::from(fault.has_effect());
        let status = if goods == 1 { PurchaseStatus::Success } else { PurchaseStatus::Failed };
        assert_eq!(view.purchase.status(), status, "{fault:?}");
        assert_eq!(fleet.count(id, EffectKind::Vend), goods, "{fault:?}");
        assert_eq!(fleet.count(id, EffectKind::Capture), goods, "{fault:?}");
        assert_eq!(fleet.count(id, EffectKind::Cancel), 1 - goods, "{fault:?}");
        assert_eq!(vends(&fleet, id), ["-0000"], "{fault:?}");
    }
    fleet.assert_all_ended().await;
}

/// Parked with its cause and its money; the hold stays and nothing more leaves.
async fn assert_parked(fleet: &TestFleet, id: PurchaseId, what: &str) {
    let task = fleet.wait_parked(id).await;
    assert_eq!((task.key.kind, task.class), (TaskKind::Dispense, ParkClass::UnknownOutcome));
    let view = fleet.purchase(id).await;
    assert_eq!(task.at_risk, Some(view.purchase.order.reserved()), "{what}: {}", task.cause);
    assert_eq!(view.purchase.progress.dispense, DispenseState::Unknown, "{what}");
    assert_eq!(view.purchase.progress.settle, SettleState::NotStarted, "{what}");
    assert_eq!(fleet.count(id, EffectKind::Reserve), 1, "{what}");
    assert_eq!(calls(fleet, id, Action::Settle), [], "{what}: the hold stays");
    assert_eq!(calls(fleet, id, Action::Result), [], "{what}: nobody is told a guess");
    assert_eq!(vends(fleet, id), ["-0000"], "{what}: never vended again");
    let shown = fleet.operator(&["purchase", "show", &id.to_string()]).await;
    let parked = shown["tasks"].as_array().unwrap();
    let parked = parked.iter().find(|task| task["state"] == TaskState::Parked.name()).unwrap();
    assert_eq!(parked["park_class"], "unknown_outcome", "{what}");
    assert_eq!(parked["at_risk_minor"], view.purchase.order.reserved().minor, "{what}");
    let choices: Vec<&str> =
        parked["choices"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    assert!(!choices.is_empty(), "{what}: what can be done");
    let closes = choices.iter().any(|choice| choice.contains("confirmation closes the task"));
    // Its API key proves nothing in a callback.
    let is_taken = view.purchase.order.supplier != "supplier-plain";
    assert_eq!(closes, is_taken, "{what}: only what can happen is offered: {choices:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supplier_with_neither_look_up_nor_callback_parks_its_lost_vends_with_their_holds() {
    let fleet = impatient().start().await;
    let mut under_way = Vec::new();
    for (fault, body) in scripted("925") {
        let body = at_plain(body);
        under_way.push((fault, fleet.reserve_and_transact(&body).await.accepted()));
    }
    for (fault, id) in &under_way {
        assert_parked(&fleet, *id, &format!("{fault:?}")).await;
    }
    // Days later nothing has been guessed.
    fleet.advance_clock(Duration::from_secs(2 * 3_600)).await;
    fleet.wait_idle(fleet_testkit::fleet::PATIENCE).await;
    for (fault, id) in &under_way {
        assert_eq!(vends(&fleet, *id), ["-0000"], "{fault:?}");
        assert_eq!(calls(&fleet, *id, Action::Settle), [], "{fault:?}");
        assert_eq!(fleet.count(*id, EffectKind::Vend), usize::from(fault.has_effect()));
    }
    let summary = fleet.operator(&["summary"]).await;
    let parked: i64 =
        summary["parked"].as_array().unwrap().iter().filter_map(|row| row["tasks"].as_i64()).sum();
    assert_eq!(parked, i64::try_from(under_way.len()).unwrap(), "{summary}");
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supplier_that_never_confirms_is_waited_for_then_parked_with_the_hold() {
    let fleet = impatient().start().await;
    let mut under_way = Vec::new();
    for (fault, body) in scripted("925") {
        let body = at_callback(body);
        under_way.push((fault, fleet.reserve_and_transact(&body).await.accepted()));
    }
    let waits = async || {
        let backlog = fleet.store().backlog().await.unwrap();
        let waiting = backlog
            .iter()
            .filter(|row| row.kind == TaskKind::Dispense && row.state == TaskState::Waiting);
        let waiting: i64 = waiting.map(|row| row.tasks).sum();
        waiting == i64::try_from(under_way.len()).unwrap()
            && under_way.iter().all(|(_, id)| !vends(&fleet, *id).is_empty())
    };
    fleet.until("all vends to wait for their callbacks", waits).await;
    assert_eq!(fleet.parked().await.len(), 0, "a callback may still come");
    fleet.advance_clock(Duration::from_secs(3_700)).await;
    for (fault, id) in &under_way {
        assert_parked(&fleet, *id, &format!("{fault:?}")).await;
    }
    fleet.assert_all_ended().await;
}
