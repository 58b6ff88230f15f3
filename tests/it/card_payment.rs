//! Card payment: a page for the buyer, a completion that nobody signs, and its echo to the client.

mod other_words;
mod refused;
mod told;

use std::time::Duration;

use fleet_domain::{ParkClass, PlanClass, PurchaseId, PurchaseStatus, ReserveState, TaskKind};
use fleet_simulator::{Action, CompletionCall, EffectKind};
use fleet_store::PurchaseView;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{HttpAnswer, key_of};
use serde_json::{Value, json};

use crate::unknown::{calls, impatient};

/// A payment of the sample's card merchant; the script is chosen by the amount's last four digits.
fn payment(script: &str) -> Value {
    let letter = |_| char::from(rand::random_range(b'a'..=b'z'));
    let order_info: String = (0..12).map(letter).collect();
    let (major, minor) = script.split_at(2);
    json!({
        "account_id": "1", "amount": format!("{major}.{minor}"), "currency": "USD",
        "order_info": format!("Booking-{order_info}"),
    })
}

async fn ask(fleet: &TestFleet, body: &Value) -> HttpAnswer {
    let request = fleet.http().post(fleet.url("/api/card-payments")).body(body.to_string());
    fleet.send(request.header("authorization", key_of(1021))).await
}

/// The payment URL of a payment, and its purchase.
pub(crate) async fn pay(fleet: &TestFleet, script: &str) -> (String, PurchaseId) {
    let answer = ask(fleet, &payment(script)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let url = answer.json()["payment_url"].as_str().unwrap().to_owned();
    let id = url.rsplit('/').next().unwrap().parse().unwrap();
    (url, id)
}

/// What the client was told about a payment.
pub(crate) fn completions(fleet: &TestFleet, view: &PurchaseView) -> Vec<CompletionCall> {
    let all = fleet.simulator().completions().into_iter();
    let its =
        |call: &CompletionCall| call.query["order_info"] == view.purchase.order.client_txn_ref;
    all.filter(its).collect()
}

/// How often the buyer got a page, and paid.
pub(crate) fn moved(fleet: &TestFleet, id: PurchaseId) -> [usize; 2] {
    [EffectKind::Prompt, EffectKind::Capture].map(|kind| fleet.count(id, kind))
}

async fn page(fleet: &TestFleet, url: &str) -> HttpAnswer {
    fleet.send(fleet.http().get(url)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_buyer_is_sent_on_pays_and_the_client_is_told_with_the_documents_parameters() {
    let fleet = TestFleet::start().await;
    let body = payment("1000");
    let answer = ask(&fleet, &body).await;
    let url = answer.json()["payment_url"].as_str().unwrap().to_owned();
    let id: PurchaseId = url.rsplit('/').next().unwrap().parse().unwrap();
    let view = fleet.wait_final(id).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Success);
    assert_eq!(view.purchase.progress.reserve, ReserveState::Charged);
    assert_eq!(moved(&fleet, id), [1, 1]);
    assert_eq!(calls(&fleet, id, Action::CardQuery).len(), 1, "believed once the query agrees");
    let told = completions(&fleet, &view);
    assert_eq!(told.len(), 1);
    let id = id.to_string();
    let wanted = [
        ("message", "Transaction successful"),
        ("order_info", body["order_info"].as_str().unwrap()),
        ("status", "success"),
        ("transaction_id", id.as_str()),
        ("type", "cardpayment"),
    ];
    let query: Vec<(&str, &str)> =
        told[0].query.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert_eq!(query, wanted);
    // The client's own query finds it under that number.
    let request = fleet.http().get(fleet.url(&format!("/api/transactions/{id}")));
    let found = fleet.send(request.header("authorization", key_of(1021))).await.json();
    assert_eq!((&found["status"], &found["amount"]), (&json!("SUCCESS"), &json!(10)));
    assert_eq!((&found["accountID"], &found["order_info"]), (&json!("1"), &body["order_info"]));
    assert!(page(&fleet, &url).await.text.contains("The payment was made"));
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_sends_the_browser_on_and_asks_for_no_card() {
    let fleet = TestFleet::start().await;
    let (url, id) = pay(&fleet, "9808").await;
    fleet.wait_reserve(id, ReserveState::Asked).await;
    let shown = page(&fleet, &url).await;
    assert_eq!(shown.status, 200);
    let start = fleet.simulator_url("card-sample/pay/");
    assert!(shown.text.contains(&format!("content=\"0;url={start}")), "{}", shown.text);
    for word in ["<input", "<form", "<script", "cvv"] {
        assert!(!shown.text.to_lowercase().contains(word), "{}", shown.text);
    }
    assert_eq!(shown.headers["cache-control"], "no-store");
    assert_eq!(shown.headers["referrer-policy"], "no-referrer");
    for id in ["", "x", &uuid::Uuid::now_v7().to_string()] {
        assert_eq!(page(&fleet, &fleet.url(&format!("/pay/{id}"))).await.status, 404, "{id}");
    }
    let other =
        fleet.reserve_and_transact(&fleet_testkit::fleet::purchase("0000")).await.accepted();
    assert_eq!(page(&fleet, &fleet.url(&format!("/pay/{other}"))).await.status, 404);
    // Who never pays has not paid.
    fleet.advance_clock(Duration::from_secs(3_700)).await;
    let view = fleet.wait_final(id).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Failed);
    assert_eq!(view.purchase.progress.reserve_code.as_deref(), Some("2060"));
    assert_eq!(completions(&fleet, &view)[0].query["status"], "failed");
    assert!(page(&fleet, &url).await.text.contains("was not made"));
    assert_eq!(moved(&fleet, id), [1, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_info_is_one_payment_of_its_account() {
    let fleet = TestFleet::start().await;
    let body = payment("9808");
    let first = ask(&fleet, &body).await.json();
    assert_eq!(ask(&fleet, &body).await.json(), first, "the same again is the same URL");
    let mut other = body.clone();
    other["amount"] = "98.09".into();
    let refused = ask(&fleet, &other).await;
    assert_eq!(refused.status, 400);
    let error = &refused.json()["error"];
    assert_eq!(error["code"], 400);
    assert!(error["message"].as_str().unwrap().starts_with("order_info"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_cannot_be_is_refused_in_the_documents_shape_with_its_field() {
    let fleet = TestFleet::start().await;
    for (field, value, status) in [
        ("account_id", json!("2"), 400),
        ("amount", json!("2.505"), 400),
        ("amount", json!("0"), 400),
        ("amount", json!("-2"), 400),
        ("amount", json!(2), 400),
        ("amount", json!("99999999.00"), 400),
        ("currency", json!("usd"), 400),
        ("currency", json!("EUR"), 400),
        ("order_info", json!(""), 400),
        ("order_info", json!("o".repeat(65)), 400),
        ("order_info", json!("4111 1111 1111 1111"), 400),
        ("order_info", json!(null), 400),
    ] {
        let mut body = payment("1000");
        body[field] = value;
        let refused = ask(&fleet, &body).await;
        assert_eq!(refused.status, status, "{body} {}", refused.text);
        let error = &refused.json()["error"];
        assert_eq!(error["code"], status);
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with(field), "{field}: {message}");
        assert!(!message.contains("4111"), "never the value");
    }
    let url = fleet.url("/api/card-payments");
    let body = payment("1000").to_string();
    for (key, status) in [("", 401), ("nobody's key at all", 401), (&key_of(1001), 400)] {
        let request = fleet.http().post(&url).header("authorization", key).body(body.clone());
        let refused = fleet.send(request).await;
        assert_eq!(refused.status, status, "{key}");
        assert_eq!(refused.json()["error"]["code"], status);
    }
    let wrong = fleet.send(fleet.http().get(&url).header("authorization", key_of(1021))).await;
    assert_eq!((wrong.status, wrong.headers["allow"].to_str().unwrap()), (405, "POST"));
    assert_eq!(fleet.summary().await.purchases, [], "nothing was stored");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_completion_counts_only_as_far_as_the_query_agrees() {
    let fleet = impatient().plan(TaskKind::Reserve, PlanClass::Unknown, &[1; 6]).start().await;
    let good = ["9803", "9805", "9807", "9809", "9815", "9810", "9811"];
    let mut paid = Vec::new();
    for script in good {
        paid.push((script, pay(&fleet, script).await.1));
    }
    let mut open = Vec::new();
    for script in ["9804", "9806", "9814"] {
        open.push((script, pay(&fleet, script).await.1));
    }
    for (script, id) in paid {
        let view = fleet.wait_status(id, PurchaseStatus::Success).await;
        assert_eq!(moved(&fleet, id), [1, 1], "{script}");
        let told = async || completions(&fleet, &view).len() == 1;
        fleet.until(&format!("{script} to be told"), told).await;
    }
    for (script, id) in open {
        let parked = fleet.wait_parked(id).await;
        assert_eq!(parked.class, ParkClass::UnknownOutcome, "{script}: {}", parked.cause);
        let view = fleet.purchase(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Pending, "{script}");
        assert_eq!(completions(&fleet, &view).len(), 0, "{script}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_was_not_made_is_told_as_failed_without_a_transaction() {
    let fleet = TestFleet::start().await;
    // The document's own unsuccessful block says success, and has no transaction_id.
    for script in ["9801", "9802"] {
        let (_, id) = pay(&fleet, script).await;
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Failed, "{script}");
        let told = completions(&fleet, &view);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].query["status"], "failed");
        assert!(!told[0].query.contains_key("transaction_id"), "{told:?}");
        assert_eq!(calls(&fleet, id, Action::CardQuery).len(), 0);
    }
    fleet.assert_all_ended().await;
    // A success after that is a late fact, and so is a second one.
    let (_, late) = pay(&fleet, "9812").await;
    let (_, twice) = pay(&fleet, "9813").await;
    fleet.wait_status(late, PurchaseStatus::Failed).await;
    let case = fleet.wait_parked(late).await;
    assert!(case.cause.contains("had ended without funds"), "{}", case.cause);
    fleet.wait_status(twice, PurchaseStatus::Success).await;
    let case = fleet.wait_parked(twice).await;
    assert!(case.cause.contains("charged twice"), "{}", case.cause);
}
