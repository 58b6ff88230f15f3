//! A page's owner that says no: there is no page, so the payment ends at once, unless there may be one
//! all the same.

use fleet_domain::{ParkClass, PlanClass, PurchaseStatus, ReserveState, TaskKind};
use fleet_simulator::{Action, AnswerKind, Behaviour, Confirmation};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::connector;

use super::other_words::told;
use super::{completions, moved, page, pay};
use crate::unknown::{calls, impatient};

fn in_a_body(body: &str) -> Behaviour {
    Behaviour::no_effect(AnswerKind::Bytes(body.as_bytes().to_vec()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pages_owner_that_says_no_ends_the_payment_at_once_with_a_code() {
    let fleet = TestFleet::builder()
        .directory(|import| {
            let codes = &mut connector(import, "card-sample").codes;
            codes.insert("422".to_owned(), "2010".to_owned());
        })
        .start()
        .await;
    fleet.allow_log("does not accept how we authenticate");
    for (amount, no, code, word) in [
        ("3300", Behaviour::status(401), "2060", "does not accept how we authenticate"),
        ("3301", Behaviour::status(400), "2060", "HTTP status 400"),
        ("3302", Behaviour::status(403), "2060", "does not accept how we authenticate"),
        ("3303", Behaviour::status(422), "2010", "HTTP status 422"),
        ("3304", in_a_body(r#"{"success":false}"#), "2060", "success false"),
    ] {
        fleet.simulator().script(amount, Action::CardPayment, vec![no]);
        let (url, id) = pay(&fleet, amount).await;
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.progress.reserve, ReserveState::Refused, "{word}");
        assert_eq!(view.purchase.progress.reserve_code.as_deref(), Some(code), "{word}");
        assert!(view.journal.iter().any(|row| row.detail.contains(word)), "{:?}", view.journal);
        assert_eq!(calls(&fleet, id, Action::CardPayment).len(), 1, "{word}");
        assert_eq!(moved(&fleet, id), [0, 0], "{word}");
        assert_eq!(completions(&fleet, &view)[0].query["status"], "failed", "{word}");
        assert!(page(&fleet, &url).await.text.contains("was not made"), "{word}");
        // What is told of it later is a person's.
        let query = [("status", "success"), ("transaction_id", "4711")];
        assert_eq!(told(&fleet, id, &query).await, 200);
        let case = fleet.wait_parked(id).await;
        assert!(case.cause.contains("the buyer was charged"), "{word}: {}", case.cause);
        assert_eq!(case.at_risk, Some(view.purchase.order.reserved()), "{word}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_about_a_page_that_is_no_plain_no_is_asked_for_again() {
    let fleet = impatient().start().await;
    let mut all = Vec::new();
    for (amount, first) in [
        ("3310", Behaviour::status(408)),
        ("3311", Behaviour::status(429)),
        ("3312", Behaviour::status(500)),
        ("3313", in_a_body(r#"{"payment_url":null}"#)),
        ("3314", in_a_body("{}")),
    ] {
        fleet.simulator().script(amount, Action::CardPayment, vec![first, Behaviour::ok()]);
        all.push((amount, pay(&fleet, amount).await.1));
    }
    for (amount, id) in all {
        fleet.wait_status(id, PurchaseStatus::Success).await;
        assert_eq!(moved(&fleet, id), [1, 1], "{amount}");
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_no_to_the_same_payment_once_more_is_no_word_on_the_first_page() {
    let fleet = impatient().plan(TaskKind::Reserve, PlanClass::Unknown, &[1; 3]).start().await;
    let mut all = Vec::new();
    for (amount, word) in
        [("3320", "SUCCESS"), ("3321", "SILENT"), ("3322", "SUCCESS"), ("3323", "SILENT")]
    {
        // The page is made, its answer is lost, and its like is refused.
        let confirm = vec![Confirmation::after(2_500, word)];
        let lost = Behaviour { confirm, ..Behaviour::effect_then(AnswerKind::Reset) };
        let no = vec![lost, Behaviour::status(409)];
        fleet.simulator().script(amount, Action::CardPayment, no);
        all.push((word, pay(&fleet, amount).await.1));
    }
    for (word, id) in all {
        if word == "SUCCESS" {
            fleet.wait_status(id, PurchaseStatus::Success).await;
            assert_eq!(moved(&fleet, id), [1, 1]);
            continue;
        }
        let parked = fleet.wait_parked(id).await;
        assert_eq!(parked.class, ParkClass::UnknownOutcome, "{}", parked.cause);
        assert!(parked.cause.contains("asked once more it answered"), "{}", parked.cause);
        assert!(calls(&fleet, id, Action::CardPayment).len() >= 2);
        assert_eq!(fleet.purchase(id).await.purchase.status(), PurchaseStatus::Pending);
    }
}
