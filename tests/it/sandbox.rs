//! The sandbox and the real world never meet, whichever way a purchase comes in.

use fleet_contracts::RequestedOutcome;
use fleet_domain::PurchaseStatus;
use fleet_simulator::EffectKind;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{Letter, Replies, Shop, purchase};
use serde_json::{Value, json};

fn order(client: i64, product: i64) -> Value {
    let mut body = purchase("0000");
    body["clientId"] = client.into();
    body["productId"] = product.into();
    body
}

async fn refused(fleet: &TestFleet, shop: &Shop, replies: &mut Replies, body: &Value, field: &str) {
    let answer = fleet.reserve_and_transact(body).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "4000"), "{answer:?}");
    assert!(answer.message().starts_with(&format!("{field} ")), "{answer:?}");
    assert!(answer.message().contains("sandbox"), "{answer:?}");
    let letter = Letter::purchase(&fleet.message(body, "we_reserve")).answered(replies);
    shop.request(&letter).await;
    let (reply, _) = replies.next().await;
    assert_eq!(reply.outcome, RequestedOutcome::Invalid, "{reply:?}");
    assert_eq!((reply.response_code.as_str(), reply.field.as_deref()), ("4000", Some(field)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sandbox_client_is_served_by_the_sandbox_only_and_nobody_else_is() {
    let fleet = TestFleet::start().await;
    fleet.allow_log("dead letter");
    let shop = fleet.shop().await;
    let mut replies = shop.replies().await;

    refused(&fleet, &shop, &mut replies, &order(1091, 101), "productId").await;
    refused(&fleet, &shop, &mut replies, &order(1001, 901), "productId").await;
    let mut real_bank = order(1091, 901);
    real_bank["fundingSourceId"] = "sample-bank".into();
    refused(&fleet, &shop, &mut replies, &real_bank, "fundingSourceId").await;
    let mut sandbox_bank = order(1001, 101);
    sandbox_bank["fundingSourceId"] = "sandbox-bank".into();
    refused(&fleet, &shop, &mut replies, &sandbox_bank, "fundingSourceId").await;
    assert_eq!(fleet.summary().await.purchases, []);
    assert_eq!(fleet.wait_letters(4).await.len(), 4);

    // Nor is a supplier of the other side asked about an account.
    for (client, product) in [(1091, 101), (1001, 901)] {
        let body = json!({
            "clientId": client, "productId": product, "purchaseAmount": 1500,
            "targetIdentifier": "27821234567",
        });
        let answer = fleet.post("/customerAccountValidation/1.0", &body).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "4000"), "{answer:?}");
        assert!(answer.message().starts_with("productId is "), "{answer:?}");
        assert!(answer.message().contains("sandbox"), "{answer:?}");
    }
    assert_eq!(fleet.simulator().calls(), []);

    let id = fleet.reserve_and_transact(&order(1091, 901)).await.accepted();
    assert_eq!(fleet.wait_final(id).await.purchase.status(), PurchaseStatus::Success);
    fleet.assert_all_ended().await;
    assert_eq!(fleet.count(id, EffectKind::Vend), 1);
    assert!(fleet.calls(id).iter().all(|call| !call.party.contains("sample")), "{id}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_the_sandbox_never_reaches_the_real_desk() {
    let fleet = TestFleet::start().await;
    let mut body = order(1091, 901);
    let token = format!("token-{:x}", rand::random::<u64>());
    body["additionalData"] = json!({ "fraud": { "token": token } });
    let id = fleet.reserve_and_transact(&body).await.accepted();
    fleet.wait_final(id).await;
    fleet.assert_all_ended().await;
    assert_eq!(fleet.simulator().token(&token), fleet_simulator::TokenRecord::default());
}
