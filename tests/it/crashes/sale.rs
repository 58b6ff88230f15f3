//! The gateway dies while an app begins a sale, and while the card gateway has it checked.

use fleet_domain::{ParkClass, PlanClass, PurchaseId, PurchaseStatus, TaskKind};
use fleet_simulator::CardData;
use serde_json::Value;

use super::{LEASE, gateway, without};
use crate::card_sale::refused::{check_of, tell_of};
use crate::card_sale::{access, app, by_app, by_gateway, moved};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_while_a_sale_begins_takes_one_purchase_in_and_is_paid_once() {
    let fleet = without("gateway").start().await;
    for (nth, point) in
        (1..).zip(["gateway/insert.before", "gateway/insert.after", "gateway/answer.before"])
    {
        // The access token is no purchase yet: that answer has no such point.
        let armed = gateway(&fleet, Some(&format!("{point}:1"))).await;
        let body = by_app(1550, "0000");
        let order = access(&fleet, "ada", &body, None).await;
        let lost = app(&fleet).initiate(&order).await.unwrap_err();
        assert!(lost.refusal().is_none(), "{point}: {lost}");
        fleet.until_crashed(armed).await;
        fleet.advance_clock_during_calls(LEASE).await;
        gateway(&fleet, None).await;
        let sale = app(&fleet).first_sale(&order, &CardData::planted()).await.unwrap();
        let id: PurchaseId = sale.invoice_id.parse().unwrap();
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Success, "{point}");
        assert_eq!(view.purchase.order.client_txn_ref, *body["clientTxnRef"].as_str().unwrap());
        assert_eq!(moved(&fleet, id), [1, 1, 1], "{point}");
        let rows = fleet.summary().await.purchases;
        assert_eq!(rows.iter().map(|row| row.purchases).sum::<i64>(), nth, "{point}");
        fleet.kill(fleet.running("gateway"));
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_at_the_check_of_a_sale_vouches_for_it_once_and_alike_when_asked_again() {
    let seldom = without("gateway").plan(TaskKind::Reserve, PlanClass::Pending, &[600; 60]);
    let fleet = seldom.start().await;
    for (point, stored) in
        [("callback/fact.before", 0), ("callback/fact.after", 1), ("callback/answer.before", 1)]
    {
        let armed = gateway(&fleet, Some(&format!("{point}:1"))).await;
        let order = access(&fleet, "ada", &by_app(1550, "0000"), None).await;
        let sale = app(&fleet).initiate(&order).await.unwrap();
        let id: PurchaseId = sale.invoice_id.parse().unwrap();
        let body = check_of(&order, &sale, "token-1");
        let url = fleet.url(&format!("/sale/{}/check", sale.invoice_id));
        let text = body.to_string();
        let request = || by_gateway(fleet.http().post(&url), &text).body(text.clone());
        let ask = async || request().send().await;
        assert!(ask().await.is_err(), "{point}: nobody vouches for it");
        fleet.until_crashed(armed).await;
        assert_eq!(fleet.purchase(id).await.facts.len(), stored, "{point}");
        gateway(&fleet, None).await;
        let mut answers: Vec<Value> = Vec::new();
        for _ in 0..2 {
            let answer = ask().await.unwrap();
            assert_eq!(answer.status().as_u16(), 200, "{point}");
            answers.push(answer.json().await.unwrap());
        }
        assert_eq!(answers[0], answers[1], "{point}");
        assert_eq!(fleet.purchase(id).await.facts.len(), 1, "{point}: one fact");
        // The card gateway knows no such sale: a person is asked once that is said to have gone back.
        assert_eq!(tell_of(&fleet, id, ["reversal", "approved"], "1", "15.50").await.status, 200);
        let parked = fleet.wait_parked(id).await;
        assert_eq!(parked.class, ParkClass::UnknownOutcome, "{point}");
        assert_eq!(moved(&fleet, id), [0, 0, 0], "{point}");
        fleet.kill(fleet.running("gateway"));
    }
}
