//! Processors of card payments and the clients that wait for their completion.

use std::collections::BTreeMap;
use std::time::Duration;

use fleet_simulator::{EffectKind, SimulatorSettings};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::documents::{json_of, pairs_of};
use crate::gateway::Gateway;
use crate::world::{PURCHASE, World, until, vend};

const KEY: &str = "sample-card-key";

async fn world(gateway: &Gateway) -> World {
    World::with(SimulatorSettings::for_tests(&gateway.url)).await
}

fn body(amount: &str) -> Value {
    json!({ "account_id": "77", "amount": amount, "order_info": PURCHASE, "currency": "USD" })
}

async fn send(world: &World, key: &str, body: &Value) -> reqwest::Result<Response> {
    let request = world.http.post(world.running.url("card-sample/api/card-payments")).json(body);
    request.header("authorization", key).timeout(Duration::from_millis(700)).send().await
}

/// The address of the page.
async fn page(world: &World, amount: &str) -> String {
    let answer = send(world, KEY, &body(amount)).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer.as_object().unwrap().len(), 1);
    answer["payment_url"].as_str().unwrap().to_owned()
}

async fn query(world: &World, id: &str) -> Response {
    let url = world.running.url(&format!("card-sample/api/transactions/{id}"));
    world.http.get(url).header("authorization", KEY).send().await.unwrap()
}

/// The completions of a payment of this amount, each as its parameters.
async fn told(amount: &str, count: usize) -> (World, Vec<BTreeMap<String, String>>) {
    let gateway = Gateway::start(&[]).await;
    let world = world(&gateway).await;
    page(&world, amount).await;
    let told = gateway.wait(count).await;
    let all = told.iter().map(|told| {
        assert_eq!((&*told.method, &*told.path), ("GET", "/callbacks/card-payments/card-sample"));
        let url = reqwest::Url::parse(&format!("http://any/?{}", told.query)).unwrap();
        url.query_pairs().into_owned().collect()
    });
    let all = all.collect();
    (world, all)
}

fn money(world: &World) -> (u64, u64) {
    (world.count(EffectKind::Reserve), world.count(EffectKind::Capture))
}

#[tokio::test]
async fn the_documents_request_makes_a_page_and_its_completions_have_the_documents_parameters() {
    // Nothing but 200 is an acknowledgement.
    let gateway = Gateway::start(&[503, 302, 204]).await;
    let document = json_of("card_payment_request.json");
    let account = document["account_id"].as_str().unwrap().to_owned();
    let settings =
        SimulatorSettings { card_account: account, ..SimulatorSettings::for_tests(&gateway.url) };
    let own = World::with(settings).await;
    let answer = send(&own, KEY, &document).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let answer: Value = answer.json().await.unwrap();
    let page = own.http.get(answer["payment_url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    assert!(page.text().await.unwrap().contains("simulated"));
    assert!(gateway.wait(1).await[0].query.contains("order_info=Bookingid23"));
    assert_eq!(own.rules(), Vec::<&str>::new());

    let names = |file: &str| pairs_of(file).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let texts = |file: &str| pairs_of(file).into_iter().take(3).map(|(_, text)| text);
    for (amount, file, quoted) in [
        ("98.03", "card_completion_successful.txt", true),
        ("1", "card_completion_successful.txt", false),
        ("98.02", "card_completion_unsuccessful.txt", false),
    ] {
        let (_world, all) = told(amount, 1).await;
        let mut expected = names(file);
        expected.sort();
        assert_eq!(all[0].keys().cloned().collect::<Vec<_>>(), expected, "{amount}");
        let bare = |text: &str| text.trim_matches('"').to_owned();
        let own = ["type", "status", "message"].map(|name| bare(&all[0][name]));
        assert_eq!(own.to_vec(), texts(file).map(|text| bare(&text)).collect::<Vec<_>>());
        assert_eq!(all[0]["message"].starts_with('"'), quoted, "{amount}");
    }
}

#[tokio::test]
async fn each_script_tells_what_it_says_and_takes_money_for_what_was_asked_only() {
    for (amount, expected, moved) in [
        ("1", &["success+"][..], 1),
        ("98.01", &["failed"], 0),
        ("98.02", &["success"], 0),
        ("98.03", &["\"success\"+"], 1),
        ("98.04", &["success+"], 0),
        ("98.05", &["success+", "success+"], 1),
        ("98.06", &["success+"], 0),
        ("98.07", &["success+"], 1),
        ("98.09", &["success+", "success+"], 1),
        ("98.12", &["failed", "success+"], 1),
        ("98.13", &["success+", "success+"], 1),
        ("98.14", &["success+"], 0),
        ("98.15", &["success+"], 1),
    ] {
        let (world, all) = told(amount, expected.len()).await;
        let shown = all.iter().map(|query| {
            let id = if query.contains_key("transaction_id") { "+" } else { "" };
            format!("{}{id}", query["status"])
        });
        assert_eq!(shown.collect::<Vec<_>>(), expected, "{amount}");
        assert_eq!(money(&world), (moved, moved), "{amount}");
        let summary = world.running.world().summary();
        assert_eq!((summary.duplicate_count(), summary.violation_count()), (0, 0), "{amount}");
        let known = world.running.world().transactions_of(PURCHASE);
        for transaction in known {
            // What is asked below is answered as the script says.
            if ["98.07", "98.15"].contains(&amount) {
                continue;
            }
            let found = query(&world, &transaction.id).await;
            assert_eq!(found.status() == StatusCode::OK, transaction.is_known, "{amount}");
        }
        let ids: Vec<_> = all.iter().filter_map(|query| query.get("transaction_id")).collect();
        let differ = ["98.05", "98.13"].contains(&amount);
        assert_eq!(ids.first() != ids.last(), differ, "{amount}");
    }
}

#[tokio::test]
async fn the_query_shows_the_payment_or_what_its_script_says() {
    let (world, all) = told("12.5", 1).await;
    let id = &all[0]["transaction_id"];
    let found: Value = query(&world, id).await.json().await.unwrap();
    assert!(found["url"].as_str().unwrap().ends_with("/callbacks/card-payments/card-sample"));
    let shown = json!({
        "url": found["url"], "accountID": "77", "transactionid": id, "amount": 12.5,
        "msisdn": "255713XXXXXX", "order_info": PURCHASE, "currency": "USD", "status": "SUCCESS",
    });
    assert_eq!(found, shown);
    let field = async |amount: &str, field: &str| {
        let (world, all) = told(amount, 1).await;
        let mut shown = Vec::new();
        for _ in 0..3 {
            let found = query(&world, &all[0]["transaction_id"]).await;
            let status = found.status().as_u16();
            let body: Value = found.json().await.unwrap_or_default();
            shown.push(body.get(field).cloned().unwrap_or_else(|| status.into()));
        }
        shown
    };
    assert_eq!(field("98.06", "amount").await[0], json!(98.05));
    assert_eq!(field("98.07", "status").await, ["PENDING", "PENDING", "SUCCESS"]);
    assert_eq!(field("98.14", "order_info").await[0], json!(format!("{PURCHASE}-other")));
    assert_eq!(field("98.15", "status").await, [json!(503), json!(503), json!("SUCCESS")]);
}

#[tokio::test]
async fn the_same_order_has_one_page_whatever_became_of_the_answer() {
    let gateway = Gateway::start(&[]).await;
    for (amount, first, prompted) in [("98.10", Some(500), 1), ("98.11", None, 0)] {
        let world = world(&gateway).await;
        let answer = send(&world, KEY, &body(amount)).await;
        assert_eq!(answer.ok().map(|answer| answer.status().as_u16()), first, "{amount}");
        assert_eq!(world.count(EffectKind::Prompt), prompted, "{amount}");
        let url = page(&world, amount).await;
        assert_eq!(page(&world, amount).await, url);
        assert_eq!(world.count(EffectKind::Prompt), 1, "{amount}");
        assert_eq!(world.rules(), Vec::<&str>::new());
        let changed = send(&world, KEY, &body("1")).await.unwrap();
        assert_eq!(changed.status(), StatusCode::BAD_REQUEST);
        assert_eq!(changed.json::<Value>().await.unwrap()["error"]["code"], 400);
        assert_eq!(world.rules(), ["order_changed"]);
        let other = format!("{url}9");
        assert_eq!(world.http.get(other).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_wrong_key_and_a_wrong_body_are_refused_as_the_document_says() {
    let gateway = Gateway::start(&[]).await;
    let world = world(&gateway).await;
    let error = async |answer: Response| {
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["error"]["code"], status);
        assert!(body["error"]["message"].is_string());
        status
    };
    assert_eq!(error(send(&world, "wrong", &body("1")).await.unwrap()).await, 401);
    let without = world.get("card-sample/api/transactions/1").await;
    assert_eq!(error(without).await, 401);
    assert_eq!(error(query(&world, "1").await).await, 404);
    let mut wrong = Vec::new();
    for field in ["account_id", "amount", "order_info", "currency"] {
        let mut missing = body("1");
        missing.as_object_mut().unwrap().remove(field);
        let mut number = body("1");
        number[field] = 7.into();
        wrong.extend([missing, number]);
    }
    for (field, text) in [("account_id", "78"), ("amount", "1.001"), ("currency", "usd")] {
        let mut changed = body("1");
        changed[field] = text.into();
        wrong.push(changed);
    }
    for body in &wrong {
        assert_eq!(error(send(&world, KEY, body).await.unwrap()).await, 400, "{body}");
    }
    let rules = [vec!["card_key"; 2], vec!["bad_body"; wrong.len()]].concat();
    assert_eq!(world.rules(), rules);
    assert!(world.running.world().effects().is_empty());
}

#[tokio::test]
async fn goods_before_the_payment_are_a_violation_and_a_silent_buyer_never_pays() {
    let gateway = Gateway::start(&[]).await;
    let world = world(&gateway).await;
    page(&world, "98.08").await;
    world.code("supplier-lookup/vend", &vend(0)).await;
    assert_eq!(world.rules(), ["vend_without_hold"]);
    world.running.world().reset();
    page(&world, "1").await;
    until(|| money(&world) == (1, 1)).await;
    world.code("supplier-lookup/vend", &vend(0)).await;
    assert_eq!(world.rules(), Vec::<&str>::new());
    assert!(gateway.told().iter().all(|told| told.query.contains("transaction_id")));
}

#[tokio::test]
async fn a_client_keeps_its_completions_and_finds_its_script_by_the_order() {
    let world = World::start().await;
    let good = "client/1001/card?type=cardpayment&status=success&message=Transaction+successful\
                &order_info=order-1&transaction_id=12";
    let failed = "client/1001/card?type=cardpayment&status=failed&message=no&order_info=s9421-7";
    assert_eq!(world.get(good).await.status(), StatusCode::OK);
    assert_eq!(world.get(good).await.status(), StatusCode::OK);
    for status in [500, 500, 200] {
        assert_eq!(world.get(failed).await.status(), status);
    }
    assert_eq!(world.rules(), Vec::<&str>::new());
    assert_eq!(world.count(EffectKind::Completion), 3);
    let kept: Value = world.get("control/completions/1001").await.json().await.unwrap();
    let rows = kept["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["query"]["transaction_id"]), (5, &json!("12")));
    assert_eq!(rows[2]["query"]["status"], "failed");
    assert_eq!(world.running.world().completions().len(), 5);
    world.get(&good.replace("id=12", "id=13")).await;
    assert_eq!(world.rules(), ["completion_changed"]);
    for wrong in [
        good.replace("success&", "done&"),
        good.replace("&transaction_id=12", ""),
        failed.replace("s9421-7", "x&transaction_id=1"),
        good.replace("type=cardpayment", "type=card"),
        format!("{good}&status=success"),
    ] {
        assert_eq!(world.get(&wrong).await.status(), StatusCode::BAD_REQUEST, "{wrong}");
    }
    assert_eq!(world.rules()[1..], ["bad_body"; 5]);
}
