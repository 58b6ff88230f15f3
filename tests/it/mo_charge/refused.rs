//! A plain no of an operator: nothing was sent, so the purchase ends at once, unless something may have
//! been sent all the same.

use fleet_domain::{PurchaseId, PurchaseStatus, ReserveState};
use fleet_simulator::{Action, AnswerKind, Behaviour, Confirmation};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{HttpAnswer, connector};
use serde_json::Value;

use super::{DAY, by_sms, charged, moved, tell, words};
use crate::unknown::{calls, impatient};

/// Buys with these answers to the charge; the body, and what the client was told.
async fn answered(fleet: &TestFleet, charge: Vec<Behaviour>) -> (Value, HttpAnswer) {
    let body = by_sms("0000", "0000");
    let buyer = body["sourceIdentifier"].as_str().unwrap();
    fleet.simulator().script(buyer, Action::MoCharge, charge);
    let answer = fleet.reserve_and_transact(&body).await;
    (body, answer)
}

async fn bought(fleet: &TestFleet, charge: Vec<Behaviour>) -> PurchaseId {
    answered(fleet, charge).await.1.reference()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_that_says_no_ends_the_purchase_at_once_with_a_code() {
    let fleet = TestFleet::builder()
        .directory(|import| {
            let codes = &mut connector(import, "mo-sample").codes;
            codes.insert("404".to_owned(), "2020".to_owned());
            codes.insert("422".to_owned(), "2010".to_owned());
        })
        .start()
        .await;
    fleet.allow_log("does not accept how we authenticate");
    for (no, code, word) in [
        (Behaviour::status(400), "2060", "HTTP status 400"),
        (Behaviour::status(401), "2060", "does not accept how we authenticate"),
        (Behaviour::status(403), "2060", "does not accept how we authenticate"),
        (Behaviour::status(404), "2020", "HTTP status 404"),
        (Behaviour::status(422), "2010", "HTTP status 422"),
        (Behaviour::refuses("false"), "2060", "success false"),
    ] {
        let (_, answer) = answered(&fleet, vec![no]).await;
        assert_eq!((answer.status, answer.code().as_str()), (200, code), "{word}");
        let id = answer.reference();
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.progress.reserve, ReserveState::Refused, "{word}");
        assert!(view.journal.iter().any(|row| row.detail.contains(word)), "{:?}", view.journal);
        assert_eq!(calls(&fleet, id, Action::MoCharge).len(), 1, "{word}");
        assert_eq!(moved(&fleet, id), [0, 0, 0], "{word}");
        assert!(view.ledger.is_empty());
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_no_plain_no_is_asked_for_again() {
    let fleet = impatient().start().await;
    let mut all = Vec::new();
    for status in [408, 429, 500, 503, 302] {
        let charge = vec![Behaviour::status(status), Behaviour::ok()];
        all.push((status, bought(&fleet, charge).await));
    }
    for (status, id) in all {
        fleet.wait_status(id, PurchaseStatus::Success).await;
        assert_eq!(moved(&fleet, id), [1, 1, 1], "{status}");
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_no_to_the_same_charge_once_more_is_no_word_on_the_first() {
    let fleet = impatient().start().await;
    let mut all = Vec::new();
    for no in [Behaviour::status(409), Behaviour::status(400), Behaviour::refuses("false")] {
        for told in ["CHARGED", "SILENT"] {
            // The SMS is sent, its answer is lost, and the buyer takes a while.
            let confirm = vec![Confirmation::after(4_000, told)];
            let lost = Behaviour { confirm, ..Behaviour::effect_then(AnswerKind::Reset) };
            let (_, answer) = answered(&fleet, vec![lost, no.clone()]).await;
            all.push((told, answer.reference()));
        }
    }
    for (told, id) in &all {
        let asked = async || calls(&fleet, *id, Action::MoCharge).len() >= 2;
        fleet.until("the same charge to be asked for once more", asked).await;
        if *told == "CHARGED" {
            fleet.wait_status(*id, PurchaseStatus::Success).await;
            assert_eq!(moved(&fleet, *id), [1, 1, 1]);
        } else {
            fleet.wait_reserve(*id, ReserveState::Asked).await;
        }
    }
    // Who never replies has not paid, and no person is needed to say so.
    fleet.advance_clock(DAY).await;
    for (_, id) in all.iter().filter(|(told, _)| *told == "SILENT") {
        let view = fleet.wait_final(*id).await;
        assert_eq!(view.purchase.progress.reserve_code.as_deref(), Some("2060"));
        assert!(words(&view).contains(&"buyer_silent"), "{:?}", words(&view));
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_charge_that_is_told_after_a_no_is_a_case_and_before_it_is_asked_about() {
    let fleet = TestFleet::builder()
        .directory(|import| {
            connector(import, "mo-sample").codes.insert("400".to_owned(), "2010".to_owned());
        })
        .start()
        .await;
    for no in [Behaviour::status(400), Behaviour::status(422), Behaviour::refuses("false")] {
        let (body, answer) = answered(&fleet, vec![no]).await;
        let id = answer.reference();
        fleet.wait_status(id, PurchaseStatus::Failed).await;
        let told = tell(&fleet, charged(&body, id, "4711").to_string()).await;
        assert_eq!(told.status, 200, "stored, never dropped");
        let case = fleet.wait_parked(id).await;
        assert!(case.cause.contains("the buyer was charged"), "{}", case.cause);
        let view = fleet.purchase(id).await;
        assert_eq!(case.at_risk, Some(view.purchase.order.reserved()));
        assert_eq!(moved(&fleet, id)[2], 0, "no goods");
    }
    // An operator that sends the SMS, charges, tells so, and then says that it did nothing.
    let confirm = vec![Confirmation::before_answer("CHARGED")];
    let status = AnswerKind::Status { status: 400, retry_after_seconds: None };
    let lies = Behaviour { confirm, ..Behaviour::effect_then(status) };
    for _ in 0..3 {
        let id = bought(&fleet, vec![lies.clone(), Behaviour::status(400)]).await;
        let view = fleet.wait_status(id, PurchaseStatus::Success).await;
        assert_eq!(view.purchase.progress.reserve, ReserveState::Charged);
        assert_eq!(moved(&fleet, id), [1, 1, 1]);
    }
    fleet.assert_conserved().await;
}
