//! In-Flight Transaction Check, and the refusal of similar purchases.

use fleet_contracts::RequestedOutcome;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{HttpAnswer, Letter, client, key_of, purchase};
use serde_json::{Value, json};

const CHECK: &str = "/in-flight-transaction-check/1.0";
const FIELDS: [&str; 5] =
    ["sourceIdentifier", "targetIdentifier", "clientId", "productId", "purchaseAmount"];

/// The five fields of a purchase.
fn question(body: &Value) -> Value {
    FIELDS.iter().map(|field| ((*field).to_owned(), body[*field].clone())).collect()
}

async fn check(fleet: &TestFleet, body: &Value) -> HttpAnswer {
    fleet.post(CHECK, &question(body)).await
}

async fn found(fleet: &TestFleet, body: &Value) -> Vec<Value> {
    let answer = check(fleet, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let reply = answer.json();
    let transactions = reply["transactions"].as_array().unwrap().clone();
    assert_eq!(reply["hasPendingTransactions"], !transactions.is_empty(), "{reply}");
    transactions
}

fn with(body: &Value, field: &str, value: Value) -> Value {
    let mut changed = body.clone();
    changed[field] = value;
    changed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_similar_purchase_is_found_until_it_has_ended_and_only_by_its_client() {
    let fleet = TestFleet::builder().workers(&["gateway", "result-delivery"]).start().await;
    let body = purchase("0000");
    assert!(found(&fleet, &body).await.is_empty());
    let first = fleet.transact(&body).await.accepted();
    let second = with(&body, "clientTxnRef", "another-reference".into());
    let second = fleet.transact(&second).await.accepted();
    let transactions = found(&fleet, &body).await;
    let ids: Vec<_> = transactions.iter().map(|one| one["raasTxnRef"].clone()).collect();
    assert_eq!(ids, [json!(second.to_string()), json!(first.to_string())], "the newest first");
    let accepted = fleet.purchase(second).await.purchase.progress.created_at;
    assert_eq!(transactions[0]["created"], json!(accepted));
    let source = body["sourceIdentifier"].as_str().unwrap();
    let written = format!("+{} {}", &source[..4], &source[4..]);
    assert_eq!(found(&fleet, &with(&body, "sourceIdentifier", written.into())).await.len(), 2);
    for (field, value) in [
        ("sourceIdentifier", json!("27820000009")),
        ("targetIdentifier", json!("27820000009")),
        ("purchaseAmount", json!("1501")),
        ("productId", json!(102)),
        ("clientId", json!(1002)),
    ] {
        assert!(found(&fleet, &with(&body, field, value)).await.is_empty(), "{field} differs");
    }
    fleet.start_worker("dispensing").await;
    fleet.until("both to end", async || found(&fleet, &body).await.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_makes_no_sense_is_refused_and_a_long_answer_is_cut() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    let body = purchase("0000");
    for field in FIELDS {
        let mut missing = question(&body);
        missing.as_object_mut().unwrap().remove(field);
        let request = fleet.http().post(fleet.url(CHECK)).header("x-api-key", key_of(1001));
        let answer = fleet.send(request.body(missing.to_string())).await;
        let told = (answer.status, answer.code(), answer.message());
        assert_eq!(told, (400, "4000".to_owned(), format!("{field} is missing")));
    }
    for (field, value) in [
        ("sourceIdentifier", json!("")),
        ("sourceIdentifier", json!("a\u{0}b")),
        ("targetIdentifier", json!("1".repeat(33))),
        ("targetIdentifier", json!(7)),
        ("purchaseAmount", json!(0)),
        ("purchaseAmount", json!(1.5)),
        ("productId", json!("abc")),
        ("clientId", json!(null)),
    ] {
        let wrong = question(&with(&body, field, value)).to_string();
        let request = fleet.http().post(fleet.url(CHECK)).header("x-api-key", key_of(1001));
        let answer = fleet.send(request.body(wrong.clone())).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "4000"), "{wrong}: {answer:?}");
        assert!(answer.message().starts_with(field), "{wrong}: {answer:?}");
    }
    let ask = |key: &str, text: String| {
        fleet.send(fleet.http().post(fleet.url(CHECK)).header("x-api-key", key).body(text))
    };
    let text = question(&body).to_string();
    assert_eq!(ask("", text.clone()).await.status, 401);
    assert_eq!(ask(&key_of(1002), text).await.status, 404, "another client's number");
    let unknown = question(&with(&body, "productId", json!(999))).to_string();
    assert_eq!(ask(&key_of(1001), unknown).await.status, 404);
    assert_eq!(ask(&key_of(1001), "{".to_owned()).await.status, 400);
    assert_eq!(ask(&key_of(1001), " ".repeat(70_000)).await.status, 400);

    for number in 0..101 {
        let one = with(&body, "clientTxnRef", format!("one-of-many-{number}").into());
        fleet.transact(&one).await.accepted();
    }
    assert_eq!(found(&fleet, &body).await.len(), 100);
}

fn assert_similar(answer: &HttpAnswer) {
    assert_eq!((answer.status, answer.code().as_str()), (200, "2242"), "{answer:?}");
    assert!(answer.message().starts_with("clientTxnRef is new, but "), "{answer:?}");
    assert!(answer.json().get("raasTxnRef").is_none(), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_similar_purchase_is_refused_both_ways_in_while_one_is_in_flight() {
    let fleet = TestFleet::builder()
        .workers(&["gateway", "reservation", "result-delivery", "fraud-reporting"])
        .directory(|import| client(import, 1001).refuse_similar = true)
        .start()
        .await;
    fleet.allow_log("dead letter");
    let body = purchase("0000");
    let new = |number: u32| with(&body, "clientTxnRef", format!("reference-{number}").into());
    let bodies: Vec<_> = (0..6).map(new).collect();
    let answers =
        futures_util::future::join_all(bodies.iter().map(|body| fleet.transact(body))).await;
    let is_accepted = |answer: &&HttpAnswer| answer.code() == "0000";
    let taken: Vec<_> = answers.iter().filter(is_accepted).map(HttpAnswer::accepted).collect();
    assert_eq!(taken.len(), 1, "{answers:?}");
    for (body, answer) in bodies.iter().zip(&answers) {
        if is_accepted(&answer) {
            assert_eq!(fleet.transact(body).await.accepted(), taken[0], "the same one again");
            let conflict = fleet.transact(&with(body, "purchaseAmount", 1_600.into())).await;
            assert_eq!(conflict.status, 409, "{conflict:?}");
        } else {
            assert_similar(answer);
        }
    }
    assert_similar(&fleet.reserve_and_transact(&new(7)).await);
    // Other amounts, and clients that do not want it, go their way.
    let other = with(&new(8), "purchaseAmount", 1_700.into());
    fleet.transact(&other).await.accepted();
    fleet.transact(&with(&new(1), "clientId", 1002.into())).await.accepted();
    fleet.transact(&with(&new(2), "clientId", 1002.into())).await.accepted();

    let shop = fleet.shop().await;
    let mut replies = shop.replies().await;
    let message = fleet.message(&new(9), "client_reserved");
    shop.request(&Letter::purchase(&message).answered(&replies)).await;
    let (reply, _) = replies.next().await;
    assert_eq!(reply.outcome, RequestedOutcome::Invalid, "{reply:?}");
    assert_eq!(
        (reply.response_code.as_str(), reply.field.as_deref()),
        ("2242", Some("clientTxnRef"))
    );
    assert_eq!(reply.raas_txn_ref, None);
    let letters = fleet.wait_letters(1).await;
    assert_eq!(letters[0].row.cause, "similar_in_flight");
    assert!(letters[0].row.detail.starts_with("clientTxnRef is new, but "), "{letters:?}");

    fleet.start_worker("dispensing").await;
    fleet.wait_final(taken[0]).await;
    let next = fleet.transact(&new(10)).await.accepted();
    fleet.wait_final(next).await;
    fleet.assert_all_ended().await;
}
