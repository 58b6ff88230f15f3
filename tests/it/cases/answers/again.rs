//! The same purchase again after the rules have changed: it is told what became of it.

use fleet_contracts::RequestedOutcome::{Accepted, Conflict, Invalid};
use fleet_domain::FeeRule;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{Replies, Shop, client, connector, purchase};
use serde_json::{Value, json};

use crate::identity::changed::{Edit, import, of_product};
use crate::identity::{enqueued, renewed};

/// A rule of today, as a new purchase is told it, and what brought it about.
type Change = (&'static str, Edit);

/// A new purchase that is like another one.
fn another(body: &Value) -> Value {
    let mut new = body.clone();
    new["clientTxnRef"] = purchase("0000")["clientTxnRef"].clone();
    new
}

/// Until both ways in refuse a new one by the rule.
async fn refused(fleet: &TestFleet, shop: &Shop, replies: &mut Replies, body: &Value, rule: &str) {
    fleet
        .until(rule, async || {
            fleet.reserve_and_transact(&another(body)).await.message().starts_with(rule)
        })
        .await;
    let mut new = another(body);
    new["notify"] = body["additionalData"]["notify"].clone();
    loop {
        new["clientTxnRef"] = another(body)["clientTxnRef"].clone();
        if enqueued(fleet, shop, replies, &new, "we_reserve").await.0 == Invalid {
            return;
        }
    }
}

/// Asks again, over both ways in, after each change.
async fn told_its_purchase(changes: impl FnOnce(&str) -> Vec<Change>) {
    let fleet = TestFleet::start().await;
    fleet.allow_log("dead letter");
    let shop = fleet.shop().await;
    let mut replies = shop.replies().await;
    let mut body = purchase("0000");
    body["feeAmount"] = 50.into();
    body["additionalData"] = json!({ "notify": ["sms"] });
    let id = fleet.reserve_and_transact(&body).await.accepted();
    fleet.wait_final(id).await;
    // And one whose funds its client holds, and one that its supplier refused.
    let (held, failed) = (purchase("0000"), purchase("9201"));
    let held_id = fleet.transact(&held).await.accepted();
    let failed_id = fleet.reserve_and_transact(&failed).await.reference();
    fleet.wait_final(held_id).await;
    fleet.wait_final(failed_id).await;
    let buyer = body["sourceIdentifier"].as_str().unwrap();
    for (rule, edit) in changes(buyer) {
        import(&fleet, &edit).await;
        refused(&fleet, &shop, &mut replies, &body, rule).await;
        let again = fleet.reserve_and_transact(&renewed(&body)).await;
        assert_eq!((again.accepted(), again.message().as_str()), (id, "Success"), "{rule}");
        let again = fleet.transact(&renewed(&held)).await;
        assert_eq!((again.accepted(), again.message().as_str()), (held_id, "Success"), "{rule}");
        let again = fleet.reserve_and_transact(&renewed(&failed)).await;
        assert_eq!((again.reference(), again.status), (failed_id, 200), "{rule}: {again:?}");
        let told = enqueued(&fleet, &shop, &mut replies, &renewed(&body), "we_reserve").await;
        assert_eq!(told, (Accepted, Some(id)), "{rule}");
        for (field, value) in [
            ("purchaseAmount", json!(1499)),
            ("targetIdentifier", json!("27820002222")),
            ("fundingSourceId", json!("sample-wallet")),
        ] {
            let mut other = body.clone();
            other[field] = value;
            let answer = fleet.reserve_and_transact(&other).await;
            assert_eq!((answer.status, answer.code().as_str()), (409, "4000"), "{rule} {field}");
            assert!(answer.message().starts_with("clientTxnRef "), "{rule}: {answer:?}");
            let told = enqueued(&fleet, &shop, &mut replies, &other, "we_reserve").await;
            assert_eq!(told.0, Conflict, "{rule} {field}");
        }
        // What cannot be the same purchase is told as before.
        let mut malformed = body.clone();
        malformed["currencyCode"] = "zar".into();
        let answer = fleet.reserve_and_transact(&malformed).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.message().starts_with("currencyCode "), "{answer:?}");
    }
    // A client that is not served is told nothing about its purchases.
    let gone: Edit = Box::new(|i| client(i, 1001).active = false);
    import(&fleet, &gone).await;
    fleet
        .until("the client to be refused", async || {
            fleet.reserve_and_transact(&body).await.status == 401
        })
        .await;
    while enqueued(&fleet, &shop, &mut replies, &body, "we_reserve").await.0 != Invalid {}
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b01_a_retry_is_told_its_purchase_whatever_became_of_the_product() {
    told_its_purchase(|_buyer| {
        vec![
            ("productId is not an active product", of_product(|row| row.active = false)),
            ("purchaseAmount is above", of_product(|row| row.max_amount = 1_000)),
            ("purchaseAmount is below", of_product(|row| row.min_amount = 1_501)),
            (
                "feeAmount must be",
                of_product(|row| row.fee = FeeRule { fixed: 77, basis_points: 0 }),
            ),
        ]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b02_a_retry_is_told_its_purchase_whatever_became_of_connectors_channels_and_buyer() {
    told_its_purchase(|buyer| {
        let row = json!({ "source": buyer, "reason": "a test's" });
        vec![
            (
                "productId is not available",
                Box::new(|i| connector(i, "supplier-lookup").active = false),
            ),
            ("currencyCode must be USD", of_product(|row| row.currency = "USD".into())),
            ("channelId is not a channel", of_product(|row| row.channels = vec![1, 2])),
            (
                "fundingSourceId is not an active",
                Box::new(|i| connector(i, "sample-bank").active = false),
            ),
            (
                "fundingSourceId is a source of the type",
                Box::new(|i| client(i, 1001).default_funding_source = Some("mo-sample".into())),
            ),
            ("notify names sms", Box::new(|i| client(i, 1001).notify = None)),
            (
                "sourceIdentifier is blacklisted",
                Box::new(move |i| i.sources.push(serde_json::from_value(row.clone()).unwrap())),
            ),
        ]
    })
    .await;
}
