//! What a callback says is a reason to ask, and decides nothing by itself: its control proves neither
//! its type nor its amount.

use std::time::Duration;

use fleet_domain::{ParkClass, PlanClass, PurchaseId, PurchaseStatus, ReserveState, TaskKind};
use fleet_simulator::{Action, Behaviour, CardData, Order, Pending, Sale};
use fleet_testkit::TestFleet;

use super::refused::{tell, tell_of};
use super::{access, app, by_app, id_of, moved, sell};
use crate::mo_charge::unmatched;
use crate::unknown::impatient;
use crate::unmatched::{decided, newest};

/// What becomes of a sale at the card gateway, which tells nobody.
pub(crate) const APPROVED: &str = "approved/untold";
pub(super) const DECLINED: &str = "declined/untold";

/// A fleet that asks for a sale's status when something happens, and by itself after ten minutes.
pub(crate) async fn asking_seldom() -> TestFleet {
    impatient().plan(TaskKind::Reserve, PlanClass::Pending, &[600; 60]).start().await
}

/// Major units.
pub(crate) fn major(minor: i64) -> String {
    format!("{}.{:02}", minor / 100, minor % 100)
}

fn polls(fleet: &TestFleet, id: PurchaseId) -> u32 {
    fleet.simulator().sale(&id.to_string()).map_or(0, |sale| sale.polls)
}

/// A sale of which the card gateway says `PROCESSING` so often, and then `ends`. It was asked about
/// once, and is not again before something happens.
pub(crate) async fn processing(
    fleet: &TestFleet,
    (amount, consumer, card): (i64, &str, Option<&str>),
    (times, ends): (u32, &str),
) -> (PurchaseId, Order, Sale) {
    let pending = Some(Pending { look_ups: times, code: ends.to_owned() });
    let behaviour = Behaviour { pending, ..Behaviour::asks(&[]) };
    fleet.simulator().script(&amount.to_string(), Action::Sale, vec![behaviour]);
    let order = access(fleet, consumer, &by_app(amount, "0000"), None).await;
    let app = app(fleet).polling(Duration::ZERO, 0);
    let sale = match card {
        Some(card) => app.repeat_sale(&order, card, None).await.unwrap(),
        None => app.first_sale(&order, &CardData::planted()).await.unwrap(),
    };
    let id = id_of(&sale);
    let was_asked = async || {
        let journal = fleet.purchase(id).await.journal;
        journal.iter().any(|row| row.outcome == "not_ended")
    };
    fleet.until("its status to be asked for", was_asked).await;
    if polls(fleet, id) == 0 {
        // That was before the card gateway had the answer to its check.
        assert_eq!(tell(fleet, id, "processing", "1", &major(amount)).await.status, 200);
        fleet.until("its status to be asked for", async || polls(fleet, id) == 1).await;
    }
    (id, order, sale)
}

/// A sale whose next status, the first after `PROCESSING`, is `ends`.
pub(crate) async fn on_the_brink(fleet: &TestFleet, amount: i64, ends: &str) -> PurchaseId {
    processing(fleet, (amount, "ada", None), (1, ends)).await.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_callback_says_is_asked_about_and_the_status_decides() {
    let fleet = asking_seldom().await;
    let told = [
        (["sale", "declined"], APPROVED),
        (["sale", "filtered"], APPROVED),
        (["reversal", "approved"], APPROVED),
        (["chargeback", "approved"], APPROVED),
        (["sale", "approved"], DECLINED),
        (["reversal", "approved"], DECLINED),
        (["chargeback", "declined"], DECLINED),
    ];
    for (amount, (words, ends)) in (3_100..).zip(told) {
        let id = on_the_brink(&fleet, amount, ends).await;
        assert_eq!(fleet.purchase(id).await.purchase.status(), PurchaseStatus::Pending);
        assert_eq!(tell_of(&fleet, id, words, "4567", &major(amount)).await.status, 200);
        let (status, all) = if ends == APPROVED {
            (PurchaseStatus::Success, [1, 1, 1])
        } else {
            (PurchaseStatus::Failed, [0, 0, 0])
        };
        let view = fleet.wait_status(id, status).await;
        assert_eq!(moved(&fleet, id), all, "{words:?} {ends}");
        let order = fleet.simulator().sale(&id.to_string()).unwrap().order_id;
        let charged = view.purchase.progress.reservation;
        assert_eq!(charged, (ends == APPROVED).then(|| order.to_string()), "{words:?}");
    }
    fleet.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_callbacks_about_a_sale_under_way_move_nothing_and_the_status_then_does() {
    let fleet = asking_seldom().await;
    let (amount, told) =
        (3_200, [["sale", "approved"], ["reversal", "approved"], ["sale", "error"]]);
    let (id, ..) = processing(&fleet, (amount, "ada", None), (12, APPROVED)).await;
    for nth in 0..10_usize {
        let before = polls(&fleet, id);
        let answer = tell_of(&fleet, id, told[nth % 3], &format!("o-{nth}"), &major(amount)).await;
        assert_eq!(answer.status, 200);
        fleet.until("it to be asked about", async || polls(&fleet, id) == before + 1).await;
    }
    let view = fleet.purchase(id).await;
    assert!(view.purchase.progress.reserve.is_open(), "{:?}", view.purchase.progress);
    assert_eq!(moved(&fleet, id), [0, 0, 0]);
    assert_eq!(fleet.parked().await, []);
    let nth = std::sync::atomic::AtomicU32::new(0);
    let ends = async || {
        let nth = nth.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        tell(&fleet, id, "processing", &format!("p-{nth}"), &major(amount)).await;
        fleet.purchase(id).await.purchase.status() == PurchaseStatus::Success
    };
    fleet.until("the sale to be paid", ends).await;
    assert_eq!(moved(&fleet, id), [1, 1, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sale_whose_status_nobody_tells_waits_for_a_person_whatever_was_told() {
    let fleet = impatient().plan(TaskKind::Reserve, PlanClass::Pending, &[1; 2]).start().await;
    for status in ["approved", "declined", "error"] {
        let id = id_of(&sell(&fleet, 9908, "0000").await);
        assert_eq!(tell(&fleet, id, status, "77", "99.08").await.status, 200);
        let parked = fleet.wait_parked(id).await;
        assert_eq!(parked.class, ParkClass::UnknownOutcome, "{status}: {}", parked.cause);
        let view = fleet.purchase(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Pending, "{status}");
        assert_eq!(view.purchase.progress.reserve, ReserveState::Unknown, "{status}");
        assert_eq!(moved(&fleet, id)[2], 0, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_that_did_not_fit_is_matched_by_hand_and_the_sale_goes_on() {
    let fleet = asking_seldom().await;
    fleet.allow_log("a callback tells of another amount");
    for (amount, (kind, told)) in
        (3_300..).zip([("sale", "1.00"), ("sale", ""), ("reversal", "5.00")])
    {
        let id = on_the_brink(&fleet, amount, APPROVED).await;
        let order = fleet.simulator().sale(&id.to_string()).unwrap().order_id;
        assert_eq!(tell_of(&fleet, id, [kind, "approved"], &order, told).await.status, 200);
        fleet.until("the callback to be nobody's", async || unmatched(&fleet).await == 1).await;
        assert_eq!(fleet.purchase(id).await.purchase.status(), PurchaseStatus::Pending, "{kind}");
        let callback = newest(&fleet).await;
        decided(&fleet, &["match", &callback.to_string(), &id.to_string()]).await;
        fleet.wait_status(id, PurchaseStatus::Success).await;
        assert_eq!(moved(&fleet, id), [1, 1, 1], "{kind} {told}");
        let is_case = fleet.parked().await.iter().any(|task| task.key.purchase == id);
        assert_eq!(is_case, kind == "reversal", "somebody looks after money that went back");
    }
    fleet.assert_conserved().await;
}
