//! Maintenance: clients are told to come again, and what others tell of money is still stored.

use std::time::Duration;

use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{HttpAnswer, key_of, purchase};
use serde_json::{Value, json};

/// Every call of a client, by its path; the callbacks and the document are none.
const GETS: [&str; 8] = [
    "/lookup-api/2.0?clientId=1001",
    "/userTransactionLookup/1.0",
    "/tokenLookup/1.0",
    "/financial-terms/1.0",
    "/productLookup/2.0",
    "/mnoLookup/1.0",
    "/lookupCountryPrefix/1.0",
    "/nothing",
];
const POSTS: [&str; 5] = [
    "/transact/4.0",
    "/reserveAndTransact/4.0",
    "/in-flight-transaction-check/1.0",
    "/customerAccountValidation/1.0",
    "/notification/1.0",
];

async fn get(fleet: &TestFleet, path: &str) -> HttpAnswer {
    let request = fleet.http().get(fleet.url(path)).header("x-api-key", key_of(1001));
    fleet.send(request.header("authorization", key_of(1001))).await
}

async fn post(fleet: &TestFleet, path: &str) -> HttpAnswer {
    let request = fleet.http().post(fleet.url(path)).header("x-api-key", key_of(1001));
    fleet.send(request.body("{}")).await
}

async fn is_closed(fleet: &TestFleet) -> bool {
    get(fleet, "/productLookup/2.0").await.status == 503
}

/// A supplier's confirmation of nobody's vend, as it signs it.
async fn confirm(fleet: &TestFleet, supplier_ref: &str) -> u16 {
    let body = json!({ "vendRef": "x", "responseCode": "0000", "supplierRef": supplier_ref });
    let text = body.to_string();
    let signature = fleet_outbound::hmac_sha256_base64("sample-callback-secret", text.as_bytes());
    let url = fleet.url("/callbacks/suppliers/supplier-callback");
    fleet.send(fleet.http().post(url).header("signature", signature).body(text)).await.status
}

/// An operator's notification and a card payment's end, both of nobody.
async fn tell(fleet: &TestFleet) -> [u16; 2] {
    let told = json!({ "success": {
        "type": "mo_charge", "merchant": "partner:1", "campaign": "campaign:1",
        "environment": "production", "msisdn": "27825550101", "currency": "ZAR", "amount": "1",
        "transaction": { "status": "CHARGED", "timestamp": "", "transaction_id": "t-1" },
    } });
    let url = fleet.url("/callbacks/mo-charge/mo-sample");
    let mo = fleet.send(fleet.http().post(url).body(told.to_string())).await;
    let card = "/callbacks/card-payments/card-sample?type=cardpayment&status=failed&order_info=x";
    [mo.status, fleet.send(fleet.http().get(fleet.url(card))).await.status]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_is_on_clients_come_again_and_callbacks_are_stored() {
    let fleet = TestFleet::start().await;
    let before = fleet.reserve_and_transact(&purchase("0000")).await.accepted();
    fleet.wait_final(before).await;
    let on = ["maintenance", "on", "--reason", "a new server", "--actor", "mia"];
    let told = fleet.operator(&on).await;
    assert_eq!((&told["on"], &told["reason"]), (&true.into(), &"a new server".into()), "{told}");
    let patience = Duration::from_secs(5);
    fleet.until_within(patience, "the gateway to close", async || is_closed(&fleet).await).await;

    let mut answers = Vec::new();
    for path in GETS {
        answers.push((path, get(&fleet, path).await));
    }
    for path in POSTS {
        answers.push((path, post(&fleet, path).await));
    }
    for (path, answer) in &answers {
        assert_eq!((answer.status, answer.code().as_str()), (503, "0001"), "{path}: {answer:?}");
    }
    let query = format!("/api/transactions/{before}");
    for answer in [get(&fleet, &query).await, post(&fleet, "/api/card-payments").await] {
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (503, &503.into()));
        answers.push(("/api", answer));
    }
    for path in ["/results?since=0", "/statements/2026-01-31", "/consumers/ada/cards"] {
        let answer = get(&fleet, path).await;
        assert_eq!((answer.status, &answer.json()["status"]), (503, &503.into()), "{path}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        answers.push((path, answer));
    }
    let sale = post(&fleet, "/sale/initiate-sale").await;
    assert_eq!((sale.status, &sale.json()["error"]["cause"]), (503, &"SERVER_UNAVAILABLE".into()));
    answers.push(("/sale", sale));
    let token = post(&fleet, "/oauth/token").await;
    assert_eq!(token.status, 503);
    assert_eq!(token.json()["error"], "temporarily_unavailable");
    answers.push(("/oauth/token", token));
    let page = get(&fleet, &format!("/pay/{before}")).await;
    assert!(page.status == 503 && page.text.contains("<html"), "{page:?}");
    answers.push(("/pay", page));
    for (path, answer) in &answers {
        assert_eq!(answer.headers["retry-after"], "30", "{path}");
    }
    what_is_no_client_goes_on(&fleet).await;

    let off = fleet.operator(&["maintenance", "off", "--reason", "done", "--actor", "mia"]).await;
    assert_eq!(off, json!({ "on": false }));
    let open = async || !is_closed(&fleet).await;
    fleet.until_within(patience, "the gateway to open", open).await;
    let after = fleet.reserve_and_transact(&purchase("0000")).await.accepted();
    fleet.wait_final(after).await;
    assert_eq!(get(&fleet, &query).await.status, 200);
    fleet.assert_all_ended().await;
}

async fn what_is_no_client_goes_on(fleet: &TestFleet) {
    let before = fleet.store().unmatched_count().await.unwrap();
    assert_eq!(confirm(fleet, "s-1").await, 200);
    assert_eq!(tell(fleet).await, [200, 200]);
    assert_eq!(fleet.store().unmatched_count().await.unwrap(), before + 3, "they are stored");
    assert_eq!(get(fleet, "/openapi.json").await.status, 200);
    // The card gateway is answered: these bodies are none of its.
    for path in ["/sale/x/check", "/sale/notification"] {
        assert_eq!(post(fleet, path).await.status, 400, "{path}");
    }
    let sale = "/callbacks/card-sale/x?status=a&orderid=b&client_orderid=c&control=d";
    assert_eq!(fleet.send(fleet.http().get(fleet.url(sale))).await.status, 401);
    for path in ["/live", "/ready", "/metrics"] {
        assert_eq!(fleet.admin(fleet.index_of("gateway"), path).await.status, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_change_stands_in_the_history_with_its_actor_and_off_twice_is_none() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let set = async |words: &[&str]| -> Value {
        fleet.operator(&[&["maintenance"], words].concat()).await
    };
    let version = async || fleet.store().directory_version().await.unwrap().0;
    let first = version().await;
    set(&["off", "--reason", "none"]).await;
    assert_eq!(version().await, first, "nothing changed");
    set(&["on", "--reason", "one", "--actor", "mia"]).await;
    set(&["on", "--reason", "two", "--actor", "ben"]).await;
    let shown = set(&["show"]).await;
    assert_eq!((&shown["reason"], &shown["actor"]), (&"two".into(), &"ben".into()), "{shown}");
    set(&["off", "--reason", "it is up", "--actor", "ada"]).await;
    assert_eq!(version().await, first + 3);
    let filter = fleet_store::HistoryFilter {
        sections: vec!["maintenance".to_owned()],
        limit: 10,
        ..fleet_store::HistoryFilter::default()
    };
    let rows = fleet.store().directory_history(&filter).await.unwrap();
    let told: Vec<_> =
        rows.iter().map(|row| (row.actor.as_str(), row.fields["reason"].clone())).collect();
    let change = |before: Value, after: Value| json!({ "before": before, "after": after });
    let wanted = [
        ("ada", change("two".into(), Value::Null)),
        ("ben", change("one".into(), "two".into())),
        ("mia", change(Value::Null, "one".into())),
    ];
    assert_eq!(told, wanted);
    for reason in ["", &"x".repeat(201)] {
        let refused = fleet.run("fleet", &["maintenance", "on", "--reason", reason]).await;
        assert_eq!(refused.status.code(), Some(2), "{reason}");
    }
}
