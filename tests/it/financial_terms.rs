//! Financial Terms, and the terms that a purchase keeps from its acceptance on.

use fleet_domain::{FeeRule, PurchaseId, Settlement, ShareRule};
use fleet_store::{DirectoryImport, ImportMode, TermsRow};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{HttpAnswer, key_of, purchase};
use serde_json::{Value, json};

async fn terms(fleet: &TestFleet, client: i64, query: &str) -> HttpAnswer {
    let url = fleet.url(&format!("/financial-terms/1.0?{query}"));
    fleet.send(fleet.http().get(url).header("x-api-key", key_of(client))).await
}

/// Agrees on a fee and a share for client 1001 and product 101, and waits until the gateway knows.
async fn agree(fleet: &TestFleet, fee: i64, basis_points: i64) {
    let mut import = DirectoryImport::default();
    import.terms.push(TermsRow {
        client: "1001".to_owned(),
        product_id: 101,
        fee: Some(FeeRule { fixed: fee, basis_points: 0 }),
        client_share: ShareRule { fixed: 0, basis_points, fee_basis_points: 10_000 },
        settlement: Settlement::Net,
        active: true,
    });
    fleet.store().import(&import, ImportMode::Apply).await.unwrap();
    let query = "clientId=1001&productId=101&purchaseAmount=1000";
    fleet
        .until("the gateway to know the new terms", async || {
            terms(fleet, 1001, query).await.json()["feeAmount"] == fee
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_terms_of_a_client_are_told_and_wrong_questions_name_their_field() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    let told = terms(&fleet, 1001, "clientId=1001&productId=101&purchaseAmount=1500").await;
    assert_eq!(told.status, 200, "{told:?}");
    assert_eq!(
        told.json(),
        json!({
            "currencyCode": "ZAR", "purchaseAmount": 1500, "reserveAmount": 1550,
            "vendAmount": 1500, "feeAmount": 50, "settlementAmount": 1550,
            "clientShareAmount": 50, "lookupReference": "*.101.0",
        })
    );
    // Terms of its own: 2.5 % of the amount and the fee, and it keeps them.
    let told = terms(&fleet, 1002, "clientId=1002&productId=101&purchaseAmount=1501").await.json();
    assert_eq!(told["clientShareAmount"], 87, "37.525 + 50, rounded down: {told}");
    assert_eq!(told["settlementAmount"], 1551 - 87, "{told}");
    assert_eq!(told["lookupReference"], "1002.101.1", "{told}");
    // Everybody's.
    let told = terms(&fleet, 1002, "clientId=1002&productId=201&purchaseAmount=1000").await.json();
    assert_eq!(told["lookupReference"], "*.201.1", "{told}");
    assert_eq!((&told["feeAmount"], &told["clientShareAmount"]), (&json!(105), &json!(67)));

    for (query, field) in [
        ("", "clientId"),
        ("clientId=x&productId=101&purchaseAmount=1500", "clientId"),
        ("clientId=1002&productId=101&purchaseAmount=1500", "clientId"),
        ("clientId=1001&purchaseAmount=1500", "productId"),
        ("clientId=1001&productId=&purchaseAmount=1500", "productId"),
        ("clientId=1001&productId=999&purchaseAmount=1500", "productId"),
        ("clientId=1001&productId=901&purchaseAmount=1500", "productId"),
        ("clientId=1001&productId=101", "purchaseAmount"),
        ("clientId=1001&productId=101&purchaseAmount=15.5", "purchaseAmount"),
        ("clientId=1001&productId=101&purchaseAmount=-1", "purchaseAmount"),
        ("clientId=1001&productId=101&purchaseAmount=99999999999999999999", "purchaseAmount"),
        ("clientId=1001&clientId=1001&productId=101&purchaseAmount=1500", "query"),
    ] {
        let answer = terms(&fleet, 1001, query).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "4000"), "{query}: {answer:?}");
        assert!(answer.message().starts_with(&format!("{field} ")), "{query}: {answer:?}");
    }
    for (amount, code) in [(199, "2050"), (100_001, "2040")] {
        let query = format!("clientId=1001&productId=101&purchaseAmount={amount}");
        let answer = terms(&fleet, 1001, &query).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{answer:?}");
    }
    let url = fleet.url("/financial-terms/1.0?clientId=1001&productId=101&purchaseAmount=1500");
    assert_eq!(fleet.send(fleet.http().get(&url)).await.status, 401);
    let wrong = fleet.http().get(&url).header("x-api-key", "sample-key-9999");
    assert_eq!(fleet.send(wrong).await.status, 401);
}

fn results(fleet: &TestFleet, id: PurchaseId) -> Vec<(&'static str, [i64; 4])> {
    let seen = fleet.simulator().results_of(&id.to_string());
    let amounts = seen.iter().map(|seen| {
        (seen.whose, [seen.fee, seen.settlement, seen.client_share, seen.vendor_share])
    });
    let mut all: Vec<_> = amounts.collect();
    all.sort_unstable();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purchase_keeps_the_terms_of_its_acceptance_although_they_changed_in_between() {
    // Nobody dispenses yet, so that both purchases wait while the terms change.
    let fleet =
        TestFleet::builder().workers(&["gateway", "reservation", "result-delivery"]).start().await;
    agree(&fleet, 60, 200).await;
    let mut body = purchase("0000");
    body["feeAmount"] = 60.into();
    let ours = fleet.reserve_and_transact(&body).await.accepted();
    let bare = purchase("0000");
    let theirs = fleet.transact(&bare).await.accepted();

    agree(&fleet, 70, 1_000).await;
    let late = fleet.reserve_and_transact(&purchase("0000")).await.accepted();
    // Retries are the same purchases, whatever a new one would cost.
    assert_eq!(fleet.reserve_and_transact(&body).await.accepted(), ours);
    assert_eq!(fleet.transact(&bare).await.accepted(), theirs);
    let mut other = body.clone();
    other["feeAmount"] = 70.into();
    assert_eq!(fleet.reserve_and_transact(&other).await.status, 409, "another fee is not the same");
    let mut new = purchase("0000");
    new["feeAmount"] = 60.into();
    assert_eq!(fleet.transact(&new).await.code(), "2055", "a new purchase costs what holds now");

    fleet.start_worker("dispensing").await;
    fleet.start_worker("fraud-reporting").await;
    for id in [ours, theirs, late] {
        fleet.wait_final(id).await;
    }
    fleet.assert_all_ended().await;
    let before = [60, 1_560 - 90, 90, 1_470];
    assert_eq!(results(&fleet, ours), [("bank", before), ("client", before)]);
    assert_eq!(results(&fleet, theirs), [("client", before)]);
    let after = [70, 1_570 - 220, 220, 1_350];
    assert_eq!(results(&fleet, late), [("bank", after), ("client", after)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_settled_or_shared_of_a_purchase_that_failed() {
    let fleet = TestFleet::start().await;
    let id = fleet.reserve_and_transact(&purchase("9201")).await.accepted();
    fleet.wait_final(id).await;
    fleet.assert_all_ended().await;
    let nothing = [50, 0, 0, 0];
    assert_eq!(results(&fleet, id), [("bank", nothing), ("client", nothing)]);
}

/// The history says who agreed on what.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terms_have_versions_and_the_old_ones_stay() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    agree(&fleet, 60, 200).await;
    agree(&fleet, 70, 200).await;
    let mut connection = fleet.database().connection().await.unwrap();
    let sql = "select jsonb_agg(jsonb_build_array(version, fee_fixed) order by version)
               from terms where client = '1001'";
    let all: Value = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    assert_eq!(all, json!([[1, 60], [2, 70]]));
}
