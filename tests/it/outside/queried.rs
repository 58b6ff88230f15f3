//! Transaction Query and card payments (`ClickPayAfrica`), as their document has them.

use fleet_domain::PurchaseId;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{key_of, purchase};
use serde_json::{Value, json};

/// What stays the same, and the status.
async fn asked(fleet: &TestFleet, client: i64, id: PurchaseId) -> ([Value; 2], Value) {
    let url = fleet.url(&format!("/api/transactions/{id}"));
    let answer = fleet.send(fleet.http().get(url).header("authorization", key_of(client))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut body = answer.json();
    (["url", "accountID"].map(|field| body[field].take()), body["status"].take())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transaction_query_shows_the_same_url_and_account_in_every_state() {
    let without = ["gateway", "reservation", "result-delivery"];
    let fleet = TestFleet::builder().workers(&without).start().await;
    let listener = [json!(fleet.simulator_url("client/1011/ipn")), json!("77")];
    let mut all = Vec::new();
    let nowhere = [json!(""), json!("1001")];
    for (client, wanted) in [(1011, &listener), (1001, &nowhere)] {
        for (code, status) in [("0000", "SUCCESS"), ("9201", "FAILED"), ("9101", "FAILED")] {
            let mut order = purchase(code);
            order["clientId"] = client.into();
            let id = fleet.reserve_and_transact(&order).await.reference();
            let (shown, before) = asked(&fleet, client, id).await;
            assert_eq!(&shown, wanted, "{before} for client {client}");
            assert_eq!(before == "PENDING", code != "9101", "{before}");
            all.push((client, wanted, id, status));
        }
    }
    fleet.start_worker("dispensing").await;
    fleet.start_worker("fraud-reporting").await;
    for (client, wanted, id, status) in all {
        fleet.wait_final(id).await;
        let (shown, after) = asked(&fleet, client, id).await;
        assert_eq!((&shown, after), (wanted, json!(status)), "for client {client}");
    }
    // The listener found each, saying the same as its IPN.
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_paths_of_the_document_answer_406_where_json_is_not_taken() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    let key = key_of(1021);
    let unknown = fleet.url("/api/transactions/0198f000-0000-7000-8000-000000000000");
    for (accept, is_taken) in [
        ("application/json", true),
        ("*/*", true),
        ("text/html, application/*;q=0.2", true),
        ("*/*;q=0, application/json", true),
        ("text/html", false),
        ("application/json;q=0", false),
        ("application/json;q=0, */*", false),
        ("application/*;q=0.0, */*;q=1", false),
        ("*/*;Q=0", false),
        ("text/html;level=\"application/json, */*\"", false),
    ] {
        let query = fleet.http().get(&unknown).header("authorization", &key);
        let payment = fleet.http().post(fleet.url("/api/card-payments"));
        let payment = payment.header("authorization", &key).body("{}");
        for (request, taken) in [(query, 404), (payment, 400)] {
            let answer = fleet.send(request.header("accept", accept)).await;
            let status = if is_taken { taken } else { 406 };
            assert_eq!(answer.status, status, "{accept}: {answer:?}");
            assert_eq!(answer.json()["error"]["code"], status, "{accept}");
        }
    }
}
