//! User Transaction Lookup and Token Lookup: one buyer's purchases, the caller's own only.

use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{HttpAnswer, key_of, purchase};
use serde_json::{Value, json};

const TRANSACTIONS: &str = "/userTransactionLookup/1.0";
const TOKENS: &str = "/tokenLookup/1.0";
const BUYER: &str = "27825550001";

async fn ask(fleet: &TestFleet, path: &str, client: i64, query: &str) -> HttpAnswer {
    let url = fleet.url(&format!("{path}?clientId={client}&{query}"));
    fleet.send(fleet.http().get(url).header("x-api-key", key_of(client))).await
}

/// The rows of an answer about the buyer.
async fn rows(fleet: &TestFleet, path: &str, query: &str) -> Vec<Value> {
    let answer = ask(fleet, path, 1001, &format!("sourceIdentifier={BUYER}{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    assert_eq!(answer.headers["cache-control"], "no-store");
    let list = if path == TOKENS { "tokens" } else { "transactions" };
    answer.json()[list].as_array().unwrap().clone()
}

fn ids(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["raasTxnRef"].as_str().unwrap()).collect()
}

/// A purchase of the buyer's.
fn bought(product: i64, channel: i64, code: &str) -> Value {
    let mut body = purchase(code);
    body["sourceIdentifier"] = BUYER.into();
    body["productId"] = product.into();
    body["channelId"] = channel.into();
    body
}

async fn made(fleet: &TestFleet, body: &Value) -> String {
    let id = fleet.transact(body).await.accepted();
    fleet.wait_final(id).await;
    id.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_buyers_recent_purchases_are_told_to_the_client_that_they_were_made_at() {
    let fleet = TestFleet::start().await;
    assert!(rows(&fleet, TRANSACTIONS, "").await.is_empty());
    let airtime = made(&fleet, &bought(101, 7, "0000")).await;
    let token = bought(201, 3, "0000");
    let electricity = made(&fleet, &token).await;
    let newer = made(&fleet, &bought(101, 8, "0000")).await;
    made(&fleet, &bought(201, 3, "9201")).await;
    let mut elsewhere = bought(101, 7, "0000");
    elsewhere["clientId"] = 1002.into();
    let others = made(&fleet, &elsewhere).await;
    made(&fleet, &purchase("0000")).await;

    let last = rows(&fleet, TRANSACTIONS, "").await;
    assert_eq!(ids(&last), [newer.as_str()], "without more the last one, and none that failed");
    let all = rows(&fleet, TRANSACTIONS, "&limit=50").await;
    assert_eq!(ids(&all), [newer.as_str(), electricity.as_str()], "the latest of each product");
    let row = &all[1];
    for (field, value) in [
        ("clientId", json!(1001)),
        ("channelId", json!(3)),
        ("productId", json!(201)),
        ("description", json!("Electricity token")),
        ("purchaseAmount", json!(1500)),
        ("targetIdentifier", token["targetIdentifier"].clone()),
    ] {
        assert_eq!(row[field], value, "{field} of {row}");
    }
    let id = electricity.parse().unwrap();
    let accepted = fleet.purchase(id).await.purchase.progress.created_at;
    assert_eq!(row["transactionDate"], json!(accepted));
    for (query, expected) in [
        ("&channelId=7", vec![airtime.as_str()]),
        ("&productId=201", vec![electricity.as_str()]),
        ("&productTypeId=17", vec![electricity.as_str()]),
        ("&productTypeId=3&productId=201", vec![]),
        ("&productId=999", vec![]),
        ("&channelId=1", vec![]),
        ("&limit=1", vec![newer.as_str()]),
        ("&channelId=3&unknown=1", vec![electricity.as_str()]),
    ] {
        assert_eq!(ids(&rows(&fleet, TRANSACTIONS, query).await), expected, "{query}");
    }
    let query = format!("sourceIdentifier=%2B{BUYER}&limit=50");
    let theirs = ask(&fleet, TRANSACTIONS, 1002, &query).await.json();
    assert_eq!(ids(theirs["transactions"].as_array().unwrap()), [others.as_str()]);
    fleet.advance_clock(std::time::Duration::from_secs(30 * 86_400)).await;
    assert!(rows(&fleet, TRANSACTIONS, "&limit=50").await.is_empty(), "after 30 days");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_buyers_tokens_are_shown_to_the_client_that_sold_them_and_to_nobody_else() {
    let fleet = TestFleet::start().await;
    let mut vouchers = Vec::new();
    for _ in 0..3 {
        let body = bought(201, 7, "0000");
        let id = fleet.transact(&body).await.accepted();
        let voucher = fleet.wait_final(id).await.purchase.progress.voucher.unwrap();
        fleet.keep_secret(voucher.expose());
        vouchers.push((id.to_string(), voucher.expose().to_owned()));
    }
    made(&fleet, &bought(101, 7, "0000")).await;
    made(&fleet, &bought(201, 7, "9201")).await;
    // Others bought some too: from another client, and as a gift for this buyer.
    let mut elsewhere = bought(201, 7, "0000");
    elsewhere["clientId"] = 1002.into();
    made(&fleet, &elsewhere).await;
    let mut gift = purchase("0000");
    gift["productId"] = 201.into();
    gift["targetIdentifier"] = BUYER.into();
    made(&fleet, &gift).await;

    let found = rows(&fleet, TOKENS, "").await;
    vouchers.reverse();
    let told: Vec<_> = found.iter().map(|row| (&row["raasTxnRef"], &row["token"])).collect();
    let expected: Vec<(Value, Value)> =
        vouchers.iter().map(|(id, voucher)| (json!(id), json!(voucher))).collect();
    assert_eq!(told, expected.iter().map(|(id, voucher)| (id, voucher)).collect::<Vec<_>>());
    let row = &found[0];
    for (field, value) in [
        ("clientId", json!(1001)),
        ("channelId", json!(7)),
        ("productId", json!(201)),
        ("productTypeId", json!(17)),
        ("description", json!("Electricity token")),
        ("purchaseAmount", json!(1500)),
    ] {
        assert_eq!(row[field], value, "{field} of {row}");
    }
    assert_eq!(row["attributes"][0], json!({ "name": "currencyCode", "value": "ZAR" }));
    let newest = vouchers[0].0.as_str();
    assert_eq!(ids(&rows(&fleet, TOKENS, "&limit=1").await), [newest]);
    for (query, count) in [
        ("&channelId=7&productTypeId=17", 3),
        ("&channelId=8", 0),
        ("&productTypeId=3", 0),
        ("&limit=50", 3),
    ] {
        assert_eq!(rows(&fleet, TOKENS, query).await.len(), count, "{query}");
    }
    let theirs = ask(&fleet, TOKENS, 1002, &format!("sourceIdentifier={BUYER}")).await.json();
    assert_eq!(theirs["tokens"].as_array().unwrap().len(), 1);
    let nobody = ask(&fleet, TOKENS, 1011, &format!("sourceIdentifier={BUYER}")).await.json();
    assert_eq!(nobody, json!({ "tokens": [] }));
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_about_a_buyer_that_make_no_sense_are_refused() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    for path in [TRANSACTIONS, TOKENS] {
        for (query, field) in [
            ("", "sourceIdentifier"),
            ("sourceIdentifier=", "sourceIdentifier"),
            ("sourceIdentifier=a%00b", "sourceIdentifier"),
            ("sourceIdentifier=1%27or%271", "sourceIdentifier"),
            ("sourceIdentifier=27825550001&limit=0", "limit"),
            ("sourceIdentifier=27825550001&limit=51", "limit"),
            ("sourceIdentifier=27825550001&limit=-1", "limit"),
            ("sourceIdentifier=27825550001&limit=many", "limit"),
            ("sourceIdentifier=27825550001&channelId=x", "channelId"),
            ("sourceIdentifier=27825550001&productId=1.5", "productId"),
            ("sourceIdentifier=27825550001&sourceIdentifier=27825550002", "query"),
        ] {
            let answer = ask(&fleet, path, 1001, query).await;
            assert_eq!((answer.status, answer.code().as_str()), (400, "4000"), "{query}");
            assert!(answer.message().starts_with(field), "{query}: {answer:?}");
        }
        let get = |key: &str, query: &str| {
            let url = fleet.url(&format!("{path}?sourceIdentifier={BUYER}&{query}"));
            fleet.send(fleet.http().get(url).header("x-api-key", key))
        };
        assert_eq!(get("", "clientId=1001").await.status, 401);
        assert_eq!(get("wrong", "").await.status, 401);
        assert_eq!(get(&key_of(1001), "clientId=1002").await.status, 404);
        for query in ["", "clientId=", "clientId=abc"] {
            let answer = get(&key_of(1001), query).await;
            assert_eq!((answer.status, answer.code().as_str()), (400, "4000"), "{query}");
        }
    }
}
