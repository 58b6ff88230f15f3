//! Product Lookup: what a client may buy, and 204 when nothing fits.

use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{HttpAnswer, key_of, purchase};
use serde_json::json;

async fn products(fleet: &TestFleet, client: i64, query: &str) -> HttpAnswer {
    let url = fleet.url(&format!("/productLookup/2.0?{query}"));
    fleet.send(fleet.http().get(url).header("x-api-key", key_of(client))).await
}

fn ids(answer: &HttpAnswer) -> Vec<i64> {
    if answer.status == 204 {
        assert_eq!(answer.text, "");
        return Vec::new();
    }
    assert_eq!(answer.status, 200, "{answer:?}");
    let list = answer.json();
    let id = |entry: &serde_json::Value| entry["publicProduct"]["id"].as_i64().unwrap();
    list.as_array().unwrap().iter().map(id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_finds_what_it_may_buy_and_wrong_questions_name_their_field() {
    let fleet = TestFleet::builder()
        .workers(&["gateway"])
        .directory(|import| {
            let row = import.products.iter_mut().find(|row| row.product_id == 301).unwrap();
            row.active = false;
        })
        .start()
        .await;
    for (query, found) in [
        ("", vec![101, 102, 201]),
        ("&productId=101", vec![101]),
        ("&productId=%20101", vec![101]),
        ("&productTypeId=17", vec![201]),
        ("&vendorId=1", vec![101, 102]),
        ("&vendorId=1&productTypeId=17", vec![]),
        ("&channelId=7", vec![101, 102, 201]),
        ("&channelId=4", vec![101, 201]),
        ("&includeInactive=true", vec![101, 102, 201, 301]),
        ("&includeInactive=false&productId=301", vec![]),
        ("&productId=301&includeInactive=true", vec![301]),
        ("&productId=999", vec![]),
        ("&productId=901", vec![]),
        ("&colour=red&productId=", vec![101, 102, 201]),
    ] {
        let answer = products(&fleet, 1001, &format!("clientId=1001{query}")).await;
        assert_eq!(ids(&answer), found, "{query}");
    }
    assert_eq!(ids(&products(&fleet, 1091, "clientId=1091").await), [901], "the sandbox's own");

    let one = products(&fleet, 1001, "clientId=1001&productId=102").await.json();
    assert_eq!(
        one[0]["publicProduct"],
        json!({
            "id": 102, "name": "Data bundle", "productTypeId": 4, "productTypeName": "data",
            "description": "A data bundle for any network", "shortDescription": "Data",
            "vendorId": 1, "vendorName": "Any network", "channels": [2, 3, 7],
            "currencyCode": "ZAR", "minAmount": 500, "maxAmount": 50000, "active": true,
        })
    );

    for (query, field) in [
        ("", "clientId"),
        ("clientId=", "clientId"),
        ("clientId=1002", "clientId"),
        ("clientId=1001&productId=abc", "productId"),
        ("clientId=1001&productTypeId=1.5", "productTypeId"),
        ("clientId=1001&vendorId=99999999999999999999", "vendorId"),
        ("clientId=1001&channelId=USSD", "channelId"),
        ("clientId=1001&includeInactive=yes", "includeInactive"),
    ] {
        let answer = products(&fleet, 1001, query).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "4000"), "{query}: {answer:?}");
        assert!(answer.message().starts_with(&format!("{field} ")), "{query}: {answer:?}");
    }
    let url = fleet.url("/productLookup/2.0?clientId=1001");
    assert_eq!(fleet.send(fleet.http().get(url)).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_product_is_sold_on_its_own_channels_only() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    let mut body = purchase("0000");
    body["productId"] = 102.into();
    body["channelId"] = 4.into();
    let answer = fleet.transact(&body).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "4000"), "{answer:?}");
    assert!(answer.message().starts_with("channelId "), "{answer:?}");
    body["channelId"] = 3.into();
    fleet.transact(&body).await.accepted();
}
