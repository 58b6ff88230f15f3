//! Reserve, capture and cancel whose answers get lost.

use fleet_domain::{ParkClass, PurchaseStatus, ReserveState, SettleState, TaskKind};
use fleet_simulator::{Action, Behaviour, EffectKind};
use fleet_testkit::fleet::{connector, purchase};

use super::{calls, impatient, scripted, target};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_reservation_is_asked_for_and_held_once() {
    let fleet = impatient().start().await;
    let mut under_way = Vec::new();
    for (fault, body) in scripted("914") {
        under_way.push((fault, fleet.reserve_and_transact(&body).await.accepted()));
    }
    for (fault, id) in under_way {
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Success, "{fault:?}");
        assert_eq!(view.purchase.progress.reserve, ReserveState::Reserved, "{fault:?}");
        let effects = [EffectKind::Reserve, EffectKind::Vend, EffectKind::Capture];
        assert_eq!(effects.map(|kind| fleet.count(id, kind)), [1, 1, 1], "{fault:?}");
        let asked = calls(&fleet, id, Action::ReservationLookUp);
        assert!(!asked.is_empty(), "{fault:?}: it is looked up, never guessed");
        let vend = calls(&fleet, id, Action::Vend);
        let held = fleet.effects(id).iter().find(|e| e.kind == EffectKind::Reserve).map(|e| e.n);
        assert!(held.is_some_and(|held| held < vend[0].n), "{fault:?}: no vend before the hold");
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_capture_or_cancel_is_told_again_until_the_bank_answers_and_happens_once() {
    let fleet = impatient().start().await;
    let mut under_way = Vec::new();
    for (fault, body) in scripted("915") {
        under_way.push((fault, true, fleet.reserve_and_transact(&body).await.accepted()));
    }
    for (fault, body) in scripted("915") {
        let refused = vec![Behaviour::refuses("2213")];
        fleet.simulator().script(target(&body), Action::Vend, refused);
        under_way.push((fault, false, fleet.reserve_and_transact(&body).await.accepted()));
    }
    for (fault, captures, id) in under_way {
        let view = fleet.wait_final(id).await;
        let (status, settled) = if captures {
            (PurchaseStatus::Success, SettleState::Captured)
        } else {
            (PurchaseStatus::Failed, SettleState::Cancelled)
        };
        assert_eq!(view.purchase.status(), status, "{fault:?}");
        assert_eq!(view.purchase.progress.settle, settled, "{fault:?}");
        assert_eq!(fleet.count(id, EffectKind::Capture), usize::from(captures), "{fault:?}");
        assert_eq!(fleet.count(id, EffectKind::Cancel), usize::from(!captures), "{fault:?}");
        assert!(calls(&fleet, id, Action::Settle).len() >= 2, "{fault:?}: told again");
        assert_eq!(calls(&fleet, id, Action::Vend).len(), 1, "{fault:?}: goods are left alone");
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_capture_refused_after_dispensing_parks_with_the_money_at_risk() {
    let fleet = impatient().start().await;
    let id = fleet.reserve_and_transact(&purchase("9124")).await.accepted();
    let task = fleet.wait_parked(id).await;
    assert_eq!((task.key.kind, task.class), (TaskKind::Settle, ParkClass::SupplierFault));
    assert!(task.cause.contains("goods out, money not taken"), "{}", task.cause);
    let delivered = async || fleet.count(id, EffectKind::Result) == 1;
    fleet.until("the client to have its result", delivered).await;
    let view = fleet.purchase(id).await;
    assert_eq!(task.at_risk, Some(view.purchase.order.reserved()));
    assert_eq!(view.purchase.status(), PurchaseStatus::Success, "fulfilment stays what it is");
    assert_eq!(view.purchase.progress.settle, SettleState::Refused);
    assert_eq!(fleet.count(id, EffectKind::Vend), 1);
    assert_eq!(fleet.count(id, EffectKind::Capture), 0);
    let entries: Vec<_> = view.ledger.iter().map(|row| row.entry.as_str()).collect();
    assert_eq!(entries, ["reserved"], "held until a person has looked");
    let shown = fleet.operator(&["purchase", "show", &id.to_string()]).await;
    let parked = shown["tasks"].as_array().unwrap();
    let parked = parked.iter().find(|task| task["kind"] == "settle").unwrap();
    assert_eq!(parked["at_risk_minor"], view.purchase.order.reserved().minor);
    assert!(!parked["choices"].as_array().unwrap().is_empty(), "{parked}");
    // The books of the fleet and of the bank still agree: all of it is held.
    let money = fleet.summary().await.money;
    let held: i64 = money.iter().map(|row| row.held).sum();
    assert_eq!(held, view.purchase.order.reserved().minor);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bank_that_never_tells_parks_the_reservation_and_nothing_is_vended() {
    let fleet = impatient()
        .plan(TaskKind::Reserve, fleet_domain::PlanClass::Unknown, &[1, 1])
        .start()
        .await;
    let body = purchase("9141");
    let down = vec![Behaviour::status(503)];
    fleet.simulator().script(target(&body), Action::ReservationLookUp, down);
    let id = fleet.reserve_and_transact(&body).await.accepted();
    let task = fleet.wait_parked(id).await;
    assert_eq!((task.key.kind, task.class), (TaskKind::Reserve, ParkClass::UnknownOutcome));
    let view = fleet.purchase(id).await;
    assert_eq!(view.purchase.progress.reserve, ReserveState::Unknown);
    assert_eq!(task.at_risk, Some(view.purchase.order.reserved()));
    assert_eq!(calls(&fleet, id, Action::Reserve).len(), 1, "never reserved a second time");
    assert_eq!(calls(&fleet, id, Action::Vend), []);
    assert_eq!(calls(&fleet, id, Action::Settle), [], "and never released by a timer");
}

/// A reference that no column takes, and a code of the bank's own: neither loses what was decided.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_references_lose_no_answer_and_a_banks_own_code_is_told_in_the_documents_words() {
    let fleet = impatient()
        .directory(|import| {
            let bank = connector(import, "sample-bank");
            bank.codes.insert("NSF".to_owned(), "2010".to_owned());
        })
        .start()
        .await;
    let reference = fleet.reserve_and_transact(&purchase("9114")).await.accepted();
    let goods = fleet.reserve_and_transact(&purchase("9222")).await.accepted();
    for id in [reference, goods] {
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Success);
        let effects = [EffectKind::Reserve, EffectKind::Vend, EffectKind::Capture];
        assert_eq!(effects.map(|kind| fleet.count(id, kind)), [1, 1, 1]);
    }
    let kept = fleet.purchase(goods).await.purchase.progress.supplier_ref.unwrap();
    assert_eq!((kept.chars().count(), kept.chars().any(char::is_control)), (64, false), "{kept}");
    let body = purchase("0000");
    fleet.simulator().script(target(&body), Action::Reserve, vec![Behaviour::refuses("NSF")]);
    let answer = fleet.reserve_and_transact(&body).await;
    assert_eq!((answer.status, answer.code().as_str()), (200, "2010"));
    let view = fleet.wait_final(answer.reference()).await;
    let row = view.journal.iter().find(|row| row.outcome == "refused").unwrap();
    assert_eq!(row.detail, "2010 (the source said NSF)");
    fleet.assert_all_ended().await;
}
