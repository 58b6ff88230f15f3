//! Sources that ask the buyer: each of their calls by every fault. The buyer is asked once, pays once,
//! and gets the goods once.

use std::time::Duration;

use fleet_domain::PurchaseStatus;
use fleet_simulator::{Action, Behaviour, CardData, Fault};
use fleet_testkit::TestFleet;

use super::impatient;
use crate::{card_payment, card_sale, mo_charge};

/// What the first call of this kind gets; all later ones go well.
fn faulty(fleet: &TestFleet, key: &str, action: Action, fault: Fault) {
    fleet.simulator().script(key, action, vec![fault.behaviour(), Behaviour::ok()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operators_answer_that_is_lost_in_any_way_charges_once() {
    let fleet = impatient().start().await;
    let mut bought = Vec::new();
    for action in [Action::MoCharge, Action::MoCheck] {
        for fault in Fault::ALL {
            let body = mo_charge::by_sms("0000", "0000");
            faulty(&fleet, body["sourceIdentifier"].as_str().unwrap(), action, fault);
            bought.push((action, fault, fleet.reserve_and_transact(&body).await.accepted()));
        }
    }
    for (action, fault, id) in bought {
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Success, "{action:?} {fault:?}");
        assert_eq!(mo_charge::moved(&fleet, id), [1, 1, 1], "{action:?} {fault:?}");
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_pages_answer_that_is_lost_in_any_way_is_paid_once() {
    let fleet = impatient().start().await;
    let mut bought = Vec::new();
    for (action, hundreds) in [(Action::CardPayment, 30), (Action::CardQuery, 31)] {
        for (place, fault) in Fault::ALL.into_iter().enumerate() {
            // The page's owner knows a payment by its amount.
            let amount = format!("{hundreds}{place:02}");
            faulty(&fleet, &amount, action, fault);
            bought.push((action, fault, card_payment::pay(&fleet, &amount).await.1));
        }
    }
    for (action, fault, id) in bought {
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Success, "{action:?} {fault:?}");
        assert_eq!(card_payment::moved(&fleet, id), [1, 1], "{action:?} {fault:?}");
        assert_eq!(card_payment::completions(&fleet, &view).len(), 1, "{action:?} {fault:?}");
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sales_status_that_is_lost_in_any_way_is_asked_for_again_and_paid_once() {
    let fleet = card_sale::asking_often().await;
    let app = card_sale::app(&fleet).polling(Duration::ZERO, 0);
    let mut sold = Vec::new();
    for (amount, fault) in (3_000..).zip(Fault::ALL) {
        let key = amount.to_string();
        let untold = vec![Behaviour::asks(&[(0, "approved/untold")])];
        fleet.simulator().script(&key, Action::Sale, untold);
        faulty(&fleet, &key, Action::SaleStatus, fault);
        let body = card_sale::by_app(amount, "0000");
        let order = card_sale::access(&fleet, "ada", &body, None).await;
        let sale = app.first_sale(&order, &CardData::planted()).await.unwrap();
        sold.push((fault, card_sale::id_of(&sale)));
    }
    for (fault, id) in sold {
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Success, "{fault:?}");
        assert_eq!(card_sale::moved(&fleet, id), [1, 1, 1], "{fault:?}");
        let asked = fleet.calls(id).iter().filter(|call| call.action == Action::SaleStatus).count();
        assert!(asked >= 2, "{fault:?}: asked {asked} times");
    }
    fleet.assert_all_ended().await;
}
