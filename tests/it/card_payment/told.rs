//! The GET to the client is resent on the plan of an IPN, and hostile completions move nothing.

use fleet_domain::{PlanClass, PurchaseStatus, ReserveState, TaskKind};
use fleet_simulator::{hostile_card, hostile_card_about};
use fleet_testkit::TestFleet;
use serde_json::json;

use super::{ask, completions, moved, pay, payment};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_does_not_answer_2xx_is_told_again_with_the_same_parameters() {
    let fleet = TestFleet::builder()
        .plan(TaskKind::Deliver, PlanClass::NotDone, &[1; 12])
        .setting("outbound.deliver_jitter_percent", 0)
        .start()
        .await;
    let mut told = Vec::new();
    for code in ["9421", "9422", "9423", "9424", "9425", "9426"] {
        let mut body = payment("1000");
        body["order_info"] = format!("s{code}-{}", body["order_info"].as_str().unwrap()).into();
        let url = ask(&fleet, &body).await.json()["payment_url"].as_str().unwrap().to_owned();
        told.push((code, url.rsplit('/').next().unwrap().parse().unwrap()));
    }
    for (code, id) in told {
        let view = fleet.wait_final(id).await;
        let row = view.deliveries.iter().find(|row| row.channel == "card_get").unwrap();
        let calls = completions(&fleet, &view);
        let attempts = usize::try_from(row.attempts).unwrap();
        assert!(matches!(row.state.as_str(), "sent" | "disabled"), "{code}: {row:?}");
        assert_eq!(calls.len(), attempts, "{code}");
        assert!(calls.iter().all(|call| call.query == calls[0].query), "{code}");
    }
    let deliveries = fleet.operator(&["delivery", "list", "--client", "1021"]).await;
    let rows = deliveries["deliveries"].as_array().unwrap().clone();
    assert!(rows.iter().any(|row| row["attempts"] != json!(1)), "{rows:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_completions_get_clear_answers_and_pay_nothing() {
    let fleet = TestFleet::start().await;
    let (_, id) = pay(&fleet, "9808").await;
    fleet.wait_reserve(id, ReserveState::Asked).await;
    let get = async |name: &str, query: &str| {
        let url = fleet.url(&format!("/callbacks/card-payments/{name}?{query}"));
        fleet.send(fleet.http().get(url)).await
    };
    let mut statuses = std::collections::BTreeSet::new();
    for seed in 0..300 {
        let answer = get("card-sample", &hostile_card(seed)).await;
        // 431: the request line itself is too long.
        assert!(matches!(answer.status, 200 | 400 | 431), "seed {seed}: {answer:?}");
        statuses.insert(answer.status);
    }
    assert!(statuses.contains(&200) && statuses.contains(&400), "{statuses:?}");
    for name in ["mo-sample", "sample-bank", "nobody"] {
        assert_eq!(get(name, &hostile_card(1)).await.status, 404, "{name}");
    }
    let view = fleet.purchase(id).await;
    assert_eq!(view.purchase.progress.reserve, ReserveState::Asked);
    // About this very payment: at most it ends as not paid, and it is never paid.
    for seed in 0..100 {
        let query = hostile_card_about(seed, &id.to_string(), "1234567");
        let status = get("card-sample", &query).await.status;
        assert!(matches!(status, 200 | 400 | 431), "seed {seed}: {status}");
    }
    assert_ne!(fleet.purchase(id).await.purchase.status(), PurchaseStatus::Success);
    assert_eq!(moved(&fleet, id), [1, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_transaction_pays_for_one_payment() {
    let fleet = TestFleet::start().await;
    fleet.allow_log("the store refuses a decision");
    let (_, first) = pay(&fleet, "1000").await;
    fleet.wait_final(first).await;
    let transaction = fleet.simulator().transactions_of(&first.to_string())[0].id.to_string();
    // A source whose query does not name the order: nothing but our own books tells them apart.
    let (_, second) = pay(&fleet, "9808").await;
    fleet.wait_reserve(second, ReserveState::Asked).await;
    let url = fleet.url("/callbacks/card-payments/card-sample");
    let query = [
        ("type", "cardpayment"),
        ("status", "success"),
        ("order_info", &second.to_string()),
        ("transaction_id", &transaction),
    ];
    let told = fleet.send(fleet.http().get(url).query(&query)).await;
    assert_eq!(told.status, 200);
    fleet.wait_status(first, PurchaseStatus::Success).await;
    let query = async || {
        let calls = fleet.calls(first).len() + fleet.calls(second).len();
        calls >= 4
    };
    fleet.until("the query about the second", query).await;
    assert_ne!(fleet.purchase(second).await.purchase.status(), PurchaseStatus::Success);
    assert_eq!(moved(&fleet, second), [1, 0]);
}
