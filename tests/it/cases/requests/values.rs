//! Values of a purchase: times, empty objects of PHP, references, amounts, keys that stand twice.

use fleet_contracts::RequestedOutcome::{Accepted, Invalid};
use fleet_store::DirectoryImport;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{Letter, RESERVE_AND_TRANSACT, client, key_of, purchase};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{assert_refused, enqueued, send, with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b46_a_timestamp_is_read_as_rfc_3339_has_it_and_passed_on_as_it_came() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    for text in [
        "2026-11-30t10:00:00z",
        "2026-11-30 10:00:00z",
        "2026-11-30T10:00:00-00:00",
        "2026-11-30T10:00:00.1234567890+05:30",
        "1998-12-31T15:59:60-08:00",
        "2026-11-30",
        "2026-11-30T10:00+0200",
    ] {
        let id = fleet.transact(&with("timestamp", text)).await.accepted();
        let kept = fleet.purchase(id).await.purchase.order.details.timestamp;
        assert_eq!(kept.as_deref(), Some(text), "as it came");
    }
    for text in [
        "2026-11-30T10:00:60Z",
        "1998-12-31T23:59:60+01:00",
        "2026-11-30T24:00:00Z",
        "2026-11-30T10:00:00+99:99",
        "2026-11-30T10:00:00+24:00",
        "2026-11-30T10:00:00,5Z",
        "20261130T100000Z",
        "1764496800",
        "2026-11-3T10:00:00Z",
        "+2026-1-31",
        "2026-11-30T1:00:00Z",
        "2026-02-29T10:00:00Z",
    ] {
        let answer = fleet.transact(&with("timestamp", text)).await;
        assert_refused(&answer, "timestamp is not ", text);
    }
    let of_token = |text: &str| json!({ "fraud": { "token": "t-1", "tokenCreatedAt": text } });
    for text in ["2026-11-30t10:00:00z", "2026-11-30T10:00:00.5+02:00", "1998-12-31T23:59:60Z"] {
        fleet.transact(&with("additionalData", of_token(text))).await.accepted();
    }
    for text in ["2026-11-30T24:00:00Z", "2026-11-30T10:00:00+99:99", "1764496800", "2026-11-30"] {
        let answer = fleet.transact(&with("additionalData", of_token(text))).await;
        assert_refused(&answer, "additionalData.fraud.tokenCreatedAt ", text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b49_an_empty_object_as_php_writes_it_is_an_empty_object() {
    let fleet = TestFleet::builder().workers(&["gateway", "reservation"]).start().await;
    fleet.allow_log("dead letter");
    let shop = fleet.shop().await;
    let mut replies = shop.replies().await;
    for extras in [
        json!([]),
        json!({}),
        json!({ "fraud": [] }),
        json!({ "fundingSource": [], "fraud": {}, "deliver": [] }),
        json!({ "fundingSource": {}, "other": [] }),
    ] {
        fleet.transact(&with("additionalData", extras.clone())).await.accepted();
        let mut message = fleet.message(&purchase("0000"), "we_reserve");
        message["additionalData"] = extras.clone();
        for (field, value) in extras.as_object().into_iter().flatten() {
            message[field] = value.clone();
        }
        let (outcome, _, told) = enqueued(&fleet, &shop, &mut replies, &message).await;
        assert_eq!(outcome, Accepted, "{extras}: {told}");
        let mut sale = with("additionalData", extras.clone());
        sale["fundingSourceId"] = "billblend-sample".into();
        let asked = json!({ "purchase": sale, "email": null }).to_string();
        let answer = send(&fleet, "/consumers/ada/access-tokens", asked).await;
        assert_eq!(answer.status, 200, "{extras}: {answer:?}");
    }
    // A list with anything in it is none, nor is an empty text.
    for (extras, field) in [
        (json!(["x"]), "additionalData "),
        (json!([[]]), "additionalData "),
        (json!(""), "additionalData "),
        (json!({ "fraud": [{}] }), "additionalData.fraud "),
        (json!({ "fundingSource": ["bank"] }), "additionalData.fundingSource "),
        (json!({ "fundingSource": { "name": "sample-bank" } }), "additionalData.fundingSource"),
    ] {
        let answer = fleet.transact(&with("additionalData", extras.clone())).await;
        assert_refused(&answer, field, &extras.to_string());
    }
    let mut message = fleet.message(&purchase("0000"), "we_reserve");
    message["fraud"] = json!([1]);
    let (outcome, _, told) = enqueued(&fleet, &shop, &mut replies, &message).await;
    assert_eq!((outcome, told.as_str()), (Invalid, "fraud has the wrong type"));
}

/// References that clients really use.
fn references() -> Vec<String> {
    let uuids = (0..20).map(|_| uuid::Uuid::new_v4().to_string());
    // Each of these was taken for a card number: the digits of some end or begin across a hyphen.
    let known = [
        "5678901777779",
        "5000000000000",
        "6304123456786",
        "a0000004-1111-1111-1111-111a00000000",
        "inv-4111111111111111-7",
        "20261130-4012888888881881-x",
        "*120*4111111111111111#",
        "4111111111111111/1",
    ];
    uuids.chain(known.map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b50_orders_of_uuids_and_numbers_are_taken_over_both_ways() {
    let fleet = TestFleet::start().await;
    let shop = fleet.shop().await;
    let mut replies = shop.replies().await;
    for reference in references() {
        let body = with("clientTxnRef", reference.as_str());
        let id = fleet.transact(&body).await.accepted();
        let message = fleet.message(&body, "client_reserved");
        let (outcome, same, told) = enqueued(&fleet, &shop, &mut replies, &message).await;
        assert_eq!((outcome, same), (Accepted, Some(id)), "{reference}: {told}");
        for field in ["channelSessionId", "reserveFundsTxnRef", "authCode"] {
            fleet.transact(&with(field, reference.as_str())).await.accepted();
        }
        let fraud = json!({ "fraud": { "externalUserId": reference } });
        fleet.transact(&with("additionalData", fraud)).await.accepted();
    }
    fleet.assert_all_ended().await;
}

/// Merchants that are paid by card in other currencies, and by other rules.
fn card_merchants(import: &mut DirectoryImport) {
    let [merchant, product] = [1021, 801];
    for (number, currency, min, max) in
        [(0, "USD", 100, 100_000), (1, "KWD", 500, 1_500_000), (2, "JPY", 7, 5_000)]
    {
        let is_its = |row: &&fleet_store::ProductRow| row.product_id == product;
        let mut row = import.products.iter().find(is_its).unwrap().clone();
        row.product_id += number;
        (row.currency, row.min_amount, row.max_amount) = (currency.to_owned(), min, max);
        let mut owner = client(import, merchant).clone();
        owner.client_id += number;
        let key = SecretString::from(key_of(owner.client_id));
        owner.api_keys = Some(vec![key]);
        owner.card.as_mut().unwrap().product_id = row.product_id;
        import.products.retain(|one| one.product_id != row.product_id);
        import.products.push(row);
        import.clients.retain(|one| one.client_id != owner.client_id);
        import.clients.push(owner);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b67_an_amount_is_told_in_major_units_where_the_document_speaks_of_them() {
    let fleet = TestFleet::builder().workers(&["gateway"]).directory(card_merchants).start().await;
    for (merchant, currency, amount, told) in [
        (1021, "USD", "1001", "is above the maximum of 1000.00"),
        (1021, "USD", "0.99", "is below the minimum of 1.00"),
        (1021, "USD", "0", "must be 0.01 to 9999999999.99"),
        (1022, "KWD", "1500.001", "is above the maximum of 1500.000"),
        (1022, "KWD", "0.4", "is below the minimum of 0.500"),
        (1022, "KWD", "1000000000", "must be 0.001 to 999999999.999"),
        (1023, "JPY", "5001", "is above the maximum of 5000"),
        (1023, "JPY", "6", "is below the minimum of 7"),
        (1023, "JPY", "0", "must be 1 to 999999999999"),
    ] {
        let body = json!({
            "account_id": "1", "amount": amount, "currency": currency,
            "order_info": format!("order of {amount}"),
        });
        let request = fleet.http().post(fleet.url("/api/card-payments")).body(body.to_string());
        let answer = fleet.send(request.header("authorization", key_of(merchant))).await;
        assert_eq!(answer.status, 400, "{currency} {amount}: {answer:?}");
        let message = answer.json()["error"]["message"].clone();
        assert_eq!(message, format!("amount {told}"), "{currency} {amount}");
    }
    // Where it speaks of minor units, nothing changes.
    for (amount, told) in [
        (100_001, "purchaseAmount is above the maximum of 100000"),
        (199, "purchaseAmount is below the minimum of 200"),
    ] {
        let answer = fleet.transact(&with("purchaseAmount", amount)).await;
        assert_eq!(answer.message(), told);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b76_a_key_twice_is_refused_with_its_path_wherever_it_stands() {
    let fleet = TestFleet::builder().workers(&["gateway", "reservation"]).start().await;
    fleet.allow_log("dead letter");
    let bank = r#"{"type":"bank","name":"sample-bank"}"#;
    let wallet = r#"{"type":"bank","name":"sample-wallet"}"#;
    let twice = [
        (
            format!(r#""additionalData":{{"fundingSource":{bank},"fundingSource":{wallet}}}"#),
            "additionalData.fundingSource",
        ),
        (
            r#""additionalData":{"fraud":{"token":"a","token":"b"}}"#.to_owned(),
            "additionalData.fraud.token",
        ),
        (r#""more":[{"a":1},{"a":1,"a":2}]"#.to_owned(), "more[1].a"),
        (r#""purchaseAmount":100"#.to_owned(), "purchaseAmount"),
    ];
    let shop = fleet.shop().await;
    let mut replies = shop.replies().await;
    for (extra, path) in twice {
        let text = |body: &Value| {
            let text = body.to_string();
            format!("{},{extra}}}", text.strip_suffix('}').unwrap())
        };
        let body = purchase("0000");
        let told = format!("{path} stands there twice");
        let answer = send(&fleet, RESERVE_AND_TRANSACT, text(&body)).await;
        assert_eq!((answer.status, answer.message()), (400, told.clone()), "{answer:?}");
        let letter = Letter::new(text(&fleet.message(&body, "we_reserve")));
        shop.request(&letter.answered(&replies)).await;
        let (reply, _) = replies.next().await;
        assert_eq!((reply.outcome, reply.response_message), (Invalid, told), "{path}");
        let mut sale = purchase("0000");
        sale["fundingSourceId"] = "billblend-sample".into();
        let asked = format!(r#"{{"purchase":{}}}"#, text(&sale));
        let answer = send(&fleet, "/consumers/ada/access-tokens", asked).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.text.contains(&format!("purchase.{path} stands there twice")), "{answer:?}");
    }
    elsewhere(&fleet).await;
}

/// The other bodies of ours.
async fn elsewhere(fleet: &TestFleet) {
    let device = r#""device":{"serialNumber":"a","serialNumber":"b"}"#;
    for (path, body, told) in [
        (
            "/notification/1.0",
            r#"{"clientId":1001,"message":"a","message":"b"}"#.to_owned(),
            "message",
        ),
        (
            "/in-flight-transaction-check/1.0",
            r#"{"clientId":1001,"more":{"a":[{"b":1,"b":1}]}}"#.to_owned(),
            "more.a[0].b",
        ),
        (
            "/customerAccountValidation/1.0",
            r#"{"productId":101,"product\u0049d":201}"#.to_owned(),
            "productId",
        ),
        (
            "/sale/initiate-sale",
            format!(r#"{{"consumer":{{{device}}}}}"#),
            "consumer.device.serialNumber",
        ),
        ("/api/card-payments", r#"{"amount":"1","amount":"2"}"#.to_owned(), "amount"),
    ] {
        let request = fleet.http().post(fleet.url(path)).header("x-api-key", key_of(1001));
        let request = request.header("authorization", key_of(1021)).body(body);
        let answer = fleet.send(request).await;
        assert_eq!(answer.status, 400, "{path}: {answer:?}");
        let told = format!("{told} stands there twice");
        assert!(answer.text.contains(&told), "{path} should tell {told}: {answer:?}");
    }
}
