//! Suppliers that confirm by callback, and vends that are pending.

use fleet_domain::{PurchaseId, PurchaseStatus, SettleState};
use fleet_simulator::{Action, EffectKind};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{HttpAnswer, purchase};
use serde_json::{Value, json};

const SECRET: &str = "sample-callback-secret";

/// A purchase of the product whose supplier confirms by callback.
async fn ask(fleet: &TestFleet, code: &str) -> PurchaseId {
    let mut body = purchase(code);
    body["productId"] = 102.into();
    fleet.reserve_and_transact(&body).await.accepted()
}

async fn confirm(fleet: &TestFleet, supplier: &str, body: &Value, secret: &str) -> HttpAnswer {
    let text = body.to_string();
    let signature = fleet_outbound::hmac_sha256_base64(secret, text.as_bytes());
    let url = fleet.url(&format!("/callbacks/suppliers/{supplier}"));
    fleet.send(fleet.http().post(url).header("signature", signature).body(text)).await
}

fn count(fleet: &TestFleet, id: PurchaseId, action: Action) -> usize {
    fleet.calls(id).iter().filter(|call| call.action == action).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirmation_counts_once_whenever_and_however_often_it_comes() {
    let fleet = TestFleet::start().await;
    let usual = ask(&fleet, "0000").await;
    let later = ask(&fleet, "9301").await;
    let twice = ask(&fleet, "9302").await;
    let before = ask(&fleet, "9303").await;
    let refused = ask(&fleet, "9304").await;
    for id in [usual, later, twice, before] {
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Success);
        assert_eq!(view.purchase.progress.settle, SettleState::Captured);
        assert_eq!(count(&fleet, id, Action::Vend), 1, "pending is never vended again");
        assert_eq!(count(&fleet, id, Action::VendLookUp), 0, "it has none");
    }
    let view = fleet.wait_final(refused).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Failed);
    assert_eq!(view.purchase.progress.settle, SettleState::Cancelled);
    assert_eq!(count(&fleet, refused, Action::Vend), 1);
    fleet
        .until("the second confirmation", async || {
            fleet.simulator().summary().confirmations_taken >= 6
        })
        .await;
    assert_eq!(fleet.simulator().summary().confirmations_given_up, 0);
    fleet.assert_all_ended().await;
    assert_eq!(fleet.count(twice, EffectKind::Result), 1);
    assert_eq!(fleet.purchase(twice).await.facts.len(), 1, "its second copy is no new fact");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirmation_that_is_not_the_suppliers_moves_nothing() {
    let fleet = TestFleet::start().await;
    // Its supplier did the vend and never says so by itself.
    let id = ask(&fleet, "9305").await;
    fleet.until("the vend", async || fleet.count(id, EffectKind::Vend) == 1).await;
    let body = json!({
        "responseCode": "0000", "responseMessage": "done", "vendRef": format!("{id}-0000"),
        "supplierRef": "s-1", "vendAmount": 1500,
    });
    let unsigned = fleet.http().post(fleet.url("/callbacks/suppliers/supplier-callback"));
    let mut answers = vec![fleet.send(unsigned.body(body.to_string())).await];
    for (supplier, secret) in [
        ("supplier-callback", "wrong"),
        ("supplier-callback", ""),
        ("supplier-lookup", SECRET),
        ("sample-desk", "sample-desk-key"),
        ("nobody", SECRET),
    ] {
        answers.push(confirm(&fleet, supplier, &body, secret).await);
    }
    let other = fleet_outbound::hmac_sha256_base64(SECRET, b"{}");
    let request = fleet.http().post(fleet.url("/callbacks/suppliers/supplier-callback"));
    let request = request.header("signature", other).body(body.to_string());
    answers.push(fleet.send(request).await);
    for answer in &answers {
        assert_eq!((answer.status, &answer.text), (401, &answers[0].text), "the same for all");
    }
    for body in [json!({}), json!([]), json!("text"), json!({ "vendRef": "x" })] {
        let answer = confirm(&fleet, "supplier-callback", &body, SECRET).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "4000"), "{answer:?}");
    }
    let view = fleet.purchase(id).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Pending);
    assert!(view.facts.is_empty(), "{:?}", view.facts);

    // Signed, and about nobody: taken, so that it does not come for ever, and of no effect.
    for vend in ["", "x", "a\u{0}b-0000", "0198f000-0000-7000-8000-000000000000-0000"] {
        let mut body = body.clone();
        body["vendRef"] = vend.into();
        body["supplierRef"] = "a\u{0}b".into();
        let answer = confirm(&fleet, "supplier-callback", &body, SECRET).await;
        assert_eq!(answer.status, 200, "{vend}: {answer:?}");
    }
    assert_eq!(fleet.purchase(id).await.purchase.status(), PurchaseStatus::Pending);

    for _ in 0..2 {
        let answer = confirm(&fleet, "supplier-callback", &body, SECRET).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let view = fleet.wait_final(id).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Success);
    assert_eq!(view.facts.len(), 1);
    assert_eq!(count(&fleet, id, Action::Vend), 1);
    assert_eq!(fleet.count(id, EffectKind::Result), 1);
    fleet.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pending_is_looked_up_and_never_vended_again() {
    let fleet = TestFleet::start().await;
    let done = fleet.reserve_and_transact(&purchase("9203")).await.accepted();
    let refused = fleet.reserve_and_transact(&purchase("9204")).await.accepted();
    let by_callback = ask(&fleet, "9203").await;
    for (id, status) in [
        (done, PurchaseStatus::Success),
        (refused, PurchaseStatus::Failed),
        (by_callback, PurchaseStatus::Success),
    ] {
        assert_eq!(fleet.wait_final(id).await.purchase.status(), status);
        assert_eq!(count(&fleet, id, Action::Vend), 1);
    }
    for id in [done, refused] {
        let look_ups = count(&fleet, id, Action::VendLookUp);
        assert_eq!(look_ups, 3, "two find it pending, the third is told the end");
        let references: Vec<_> = fleet.calls(id).into_iter().map(|call| call.reference).collect();
        let own = format!("{id}-0000");
        assert!(references.iter().filter(|r| r.contains("-0000")).all(|r| **r == *own));
    }
    assert_eq!(fleet.count(refused, EffectKind::Cancel), 1);
    fleet.assert_all_ended().await;
}
