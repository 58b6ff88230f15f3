//! What a client missed: `GET /results` and `GET /statements/{date}`.

use std::collections::BTreeMap;
use std::time::Duration;

use fleet_domain::PurchaseId;
use fleet_outbound::verify_signature;
use fleet_simulator::EffectKind;
use fleet_store::Holds;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{HttpAnswer, key_of, purchase};
use serde_json::{Value, json};

async fn get(fleet: &TestFleet, client: i64, path: &str) -> HttpAnswer {
    let request = fleet.http().get(fleet.url(path)).header("x-api-key", key_of(client));
    fleet.send(request).await
}

/// Reads a client's feed from a number on, page by page.
async fn feed(fleet: &TestFleet, client: i64, mut since: i64, limit: i64) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let answer = get(fleet, client, &format!("/results?since={since}&limit={limit}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let page = answer.json();
        assert_eq!(page["clientId"], client);
        let results = page["results"].as_array().unwrap();
        assert!(i64::try_from(results.len()).unwrap() <= limit, "{page}");
        all.extend(results.iter().cloned());
        since = page["next"].as_i64().unwrap();
        if page["more"] == false {
            return all;
        }
    }
}

fn of_client(client: i64, code: &str) -> Value {
    let mut body = purchase(code);
    body["clientId"] = client.into();
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_feed_tells_each_ended_purchase_once_in_order_as_it_was_delivered() {
    let fleet = TestFleet::start().await;
    let mut codes = BTreeMap::new();
    // Done, refused by the bank, refused by the supplier; for one client pushed, for another only
    // those that ended well, by IPN.
    for client in [1002, 1011] {
        for code in ["0000", "9101", "9201"] {
            let id = fleet.reserve_and_transact(&of_client(client, code)).await.reference();
            let status = fleet.wait_final(id).await.purchase.status();
            codes.insert(id, (client, status));
        }
    }
    // Its supplier goes on working on it.
    let mut open = of_client(1002, "9305");
    open["productId"] = 102.into();
    let open = fleet.transact(&open).await.accepted();
    for client in [1002, 1011] {
        let results = feed(&fleet, client, 0, 2).await;
        assert_eq!(results.len(), 3, "{results:?}");
        for (expected, result) in (1..).zip(&results) {
            assert_eq!(result["sequence"], expected, "no gap: {results:?}");
            let id: PurchaseId = result["raasTxnRef"].as_str().unwrap().parse().unwrap();
            let (owner, _) = codes[&id];
            assert_eq!(owner, client, "only its own");
            let view = fleet.purchase(id).await;
            let stored = view.purchase.progress;
            let code = match stored.dispense_code.as_deref().or(stored.reserve_code.as_deref()) {
                Some(code) => code.to_owned(),
                None => panic!("{stored:?}"),
            };
            assert_eq!(result["responseCode"], code, "{result}");
            assert_eq!(result["clientTxnRef"], view.purchase.order.client_txn_ref);
            let voucher = stored.voucher.as_ref().map(|voucher| voucher.expose().to_owned());
            assert_eq!(result["token"].as_str().map(str::to_owned), voucher, "the buyer's voucher");
        }
        assert_eq!(feed(&fleet, client, 2, 100).await, results[2..], "from any number on");
    }
    // What was pushed is told in the same words.
    for result in feed(&fleet, 1002, 0, 10).await {
        let id = result["raasTxnRef"].as_str().unwrap();
        let pushed = fleet.simulator().results_of(id);
        let pushed = pushed.iter().find(|seen| seen.whose == "client").unwrap();
        assert_eq!(result["settlementAmount"], pushed.settlement, "{id}");
        assert_eq!(result["clientShareAmount"], pushed.client_share, "{id}");
        assert_eq!(result["vendorShareAmount"], pushed.vendor_share, "{id}");
        let effects = fleet.effects(id.parse().unwrap());
        let told = effects.iter().find(|effect| effect.kind == EffectKind::Result).unwrap();
        assert_eq!(result["responseCode"], told.told.as_deref().unwrap(), "{id}");
    }
    // The bytes are signed with the client's secret.
    let answer = get(&fleet, 1002, "/results").await;
    let signature = answer.headers["signature"].to_str().unwrap();
    assert!(verify_signature("sample-signature-1002", answer.text.as_bytes(), signature));
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert!(!answer.text.contains(&open.to_string()), "it has not ended");
    fleet.assert_invariants(Holds::Always).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_at_once_see_one_order_while_purchases_end() {
    let fleet = TestFleet::builder().latency(0, 5).start().await;
    let count = 60;
    let buy = async {
        for _ in 0..count {
            fleet.transact(&purchase("0000")).await.accepted();
        }
    };
    // Each keeps up by its own last number.
    let follow = async || {
        let mut seen: Vec<Value> = Vec::new();
        while seen.len() < count {
            let since = i64::try_from(seen.len()).unwrap();
            let more = async || !feed(&fleet, 1001, since, 7).await.is_empty();
            fleet.until("the feed to go on", more).await;
            seen.extend(feed(&fleet, 1001, since, 7).await);
        }
        seen
    };
    let ((), one, two, three) = tokio::join!(buy, follow(), follow(), follow());
    for (expected, result) in (1..).zip(&one) {
        assert_eq!(result["sequence"], expected);
    }
    assert!(one == two && two == three, "the same numbers for everybody");
    fleet.assert_invariants(Holds::Always).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_days_statement_adds_its_results_up_and_never_changes() {
    let fleet = TestFleet::start().await;
    let before = fleet.store().now().await.unwrap().date_naive();
    for code in ["0000", "0000", "9201"] {
        let id = fleet.reserve_and_transact(&of_client(1002, code)).await.reference();
        fleet.wait_final(id).await;
    }
    // A day that is not over has none.
    let early = get(&fleet, 1002, &format!("/statements/{before}")).await;
    assert_eq!(early.status, 404, "{early:?}");
    fleet.advance_clock(Duration::from_secs(24 * 3600 + 301)).await;

    // The test may have run over midnight: the days are added up, but for one whose statement is to come.
    let now = fleet.store().now().await.unwrap();
    let after = (now - chrono::TimeDelta::minutes(5)).date_naive();
    let days = before.iter_days().take_while(|day| *day < after);
    let mut sums = [0; 6];
    for day in days {
        let path = format!("/statements/{day}");
        let answer = get(&fleet, 1002, &path).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let signature = answer.headers["signature"].to_str().unwrap();
        assert!(verify_signature("sample-signature-1002", answer.text.as_bytes(), signature));
        assert_eq!(get(&fleet, 1002, &path).await.text, answer.text, "the same bytes again");
        let others = tokio::join!(get(&fleet, 1011, &path), get(&fleet, 1011, &path));
        assert_eq!((others.0.status, &others.0.text), (200, &others.1.text), "asked at once");
        let statement = answer.json();
        assert_eq!(statement["date"], day.to_string());
        sums[0] += statement["results"].as_i64().unwrap();
        for totals in statement["totals"].as_array().unwrap() {
            assert_eq!(totals["currencyCode"], "ZAR");
            let fields = ["succeeded", "failed", "reserveAmount", "feeAmount", "vendAmount"];
            for (sum, field) in sums[1..].iter_mut().zip(fields) {
                *sum += totals[field].as_i64().unwrap();
            }
        }
    }
    assert_eq!(sums, [3, 2, 1, 3100, 100, 3000]);
    let nobodys = get(&fleet, 1001, &format!("/statements/{before}")).await.json();
    assert_eq!((&nobodys["results"], &nobodys["totals"]), (&json!(0), &json!([])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_for_results_that_is_wrong_is_told_what_is_wrong() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    let refused = async |path: &str, status: u16, names: &str| {
        let answer = get(&fleet, 1001, path).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert_eq!(answer.headers["content-type"], "application/problem+json", "{path}");
        let problem = answer.json();
        assert_eq!(problem["status"], status, "{path}");
        assert!(problem["detail"].as_str().unwrap().contains(names), "{path}: {problem}");
    };
    refused("/results?since=-1", 400, "since").await;
    refused("/results?since=x", 400, "since").await;
    refused("/results?since=99999999999999999999", 400, "since").await;
    refused("/results?limit=0", 400, "limit").await;
    refused("/results?limit=501", 400, "limit").await;
    refused("/results?until=3", 400, "since and limit").await;
    refused("/results?since=1&since=2", 400, "since and limit").await;
    refused("/statements/2026-02-30", 400, "date").await;
    refused("/statements/today", 400, "date").await;
    refused("/statements/9999-12-31", 404, "end").await;
    let stranger = fleet.send(fleet.http().get(fleet.url("/results"))).await;
    assert_eq!(stranger.status, 401);
    let empty = get(&fleet, 1001, "/results?since=7").await.json();
    assert_eq!((&empty["next"], &empty["more"]), (&json!(7), &json!(false)));
    assert_eq!(empty["results"], json!([]));
}
