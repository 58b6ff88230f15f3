//! The purchase process as its document walks through it (000, "End-to-end view"), both scenarios,
//! step by step.

use fleet_domain::PurchaseId;
use fleet_simulator::{Action, Behaviour, EffectKind};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{client, key_of, purchase};
use serde_json::Value;

/// What took effect outside for a purchase, in order.
fn story(fleet: &TestFleet, id: PurchaseId) -> Vec<EffectKind> {
    fleet.effects(id).iter().map(|effect| effect.kind).collect()
}

/// The response code of the Transact Result that the client got.
fn result(fleet: &TestFleet, id: PurchaseId) -> String {
    let effects = fleet.effects(id);
    let result = effects.iter().find(|effect| effect.kind == EffectKind::Result).unwrap();
    result.told.as_deref().unwrap().to_owned()
}

/// Transaction Lookup, "used after a purchase to confirm the transaction status".
async fn look_up(fleet: &TestFleet, client: i64, id: PurchaseId) -> Value {
    fleet.look_up(client, &format!("raasTxnRef={id}")).await.json()
}

/// Step 1 of both: the client asks for the terms, "to ensure they reserve the correct funds" and
/// "that the buyer is presented with the correct product fee amount".
async fn financial_terms(fleet: &TestFleet, purchase: &Value) -> Value {
    let query = format!(
        "/financial-terms/1.0?clientId={}&productId={}&purchaseAmount={}",
        purchase["clientId"], purchase["productId"], purchase["purchaseAmount"]
    );
    let request = fleet.http().get(fleet.url(&query)).header("x-api-key", key_of(1001));
    let answer = fleet.send(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn script(fleet: &TestFleet, body: &Value, action: Action, behaviour: Behaviour) {
    let target = body["targetIdentifier"].as_str().unwrap();
    fleet.simulator().script(target, action, vec![behaviour]);
}

/// 1. "Client does reservation of funds prior to sending purchase request."
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_reserves_is_told_processing_and_then_to_deduct_or_to_cancel() {
    let fleet = TestFleet::start().await;

    // Step 1: the client is told the amounts, and reserves the funds itself.
    let mut airtime = purchase("0000");
    let terms = financial_terms(&fleet, &airtime).await;
    assert_eq!((&terms["feeAmount"], &terms["reserveAmount"]), (&50.into(), &1550.into()));
    // Step 2: it sends the purchase; the supplier takes its time.
    airtime["feeAmount"] = terms["feeAmount"].clone();
    airtime["reserveFundsTxnRef"] = "held-by-the-client-1".into();
    script(&fleet, &airtime, Action::Vend, Behaviour::slow(3_000));
    let answer = fleet.transact(&airtime).await;
    // "If it doesn't pass validation, [it] will fail with an appropriate error response."
    let mut invalid = purchase("0000");
    invalid["productId"] = 999.into();
    let refused = fleet.transact(&invalid).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "4000"), "{refused:?}");

    // Step 3: "Processing Request", which the client passes to the buyer; the supplier has not
    // answered yet, so there is no result.
    let dispensed = answer.accepted();
    assert_eq!(answer.message(), "Processing Request");
    assert!(!story(&fleet, dispensed).contains(&EffectKind::Result));
    assert_eq!(look_up(&fleet, 1001, dispensed).await["transactionStatus"], "PENDING");

    // Step 4: the supplier confirms. Another supplier refuses.
    let mut refused = purchase("9201");
    refused["reserveFundsTxnRef"] = "held-by-the-client-2".into();
    let refused = fleet.transact(&refused).await.accepted();
    fleet.wait_final(dispensed).await;
    fleet.wait_final(refused).await;

    // Step 5: Transact Result. Dispensed: the client deducts; not dispensed: it cancels. No funds are
    // moved by us.
    assert_eq!(story(&fleet, dispensed), [EffectKind::Vend, EffectKind::Result]);
    assert_eq!(result(&fleet, dispensed), "0000");
    assert_eq!(story(&fleet, refused), [EffectKind::Result]);
    assert_eq!(result(&fleet, refused), "2213");
    for (id, status, held) in [
        (dispensed, "SUCCESS", "held-by-the-client-1"),
        (refused, "FAILED", "held-by-the-client-2"),
    ] {
        let found = look_up(&fleet, 1001, id).await;
        assert_eq!(found["transactionStatus"], status, "{found}");
        assert_eq!(found["reserveFundsTxnRef"], held, "{found}");
        assert_eq!(found["feeAmount"], terms["feeAmount"], "{found}");
        assert_eq!(found["transactResultResponseCode"], *result(&fleet, id), "{found}");
    }
    fleet.assert_all_ended().await;
}

/// 2. "Client requests [us] to do the reservation of funds."
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_reserve_and_the_bank_and_the_client_are_told_the_outcome() {
    let fleet = TestFleet::builder()
        .directory(|import| client(import, 1002).answer_within_ms = 1_000)
        .start()
        .await;

    // Step 1: the buyer is shown the fee.
    let mut slow = purchase("0000");
    let terms = financial_terms(&fleet, &slow).await;
    assert_eq!((&terms["feeAmount"], &terms["reserveAmount"]), (&50.into(), &1550.into()));

    // Step 2: the purchase is taken in and goes to the buyer's bank.
    // Step 3: "In instances where the bank takes longer than the allowed USSD timeout limit", the
    // answer is "Processing Request".
    slow["clientId"] = 1002.into();
    script(&fleet, &slow, Action::Reserve, Behaviour::slow(8_000));
    let answer = fleet.reserve_and_transact(&slow).await;
    let slow = answer.accepted();
    assert_eq!(answer.message(), "Processing Request");
    assert_eq!(look_up(&fleet, 1002, slow).await["transactionStatus"], "PENDING");
    // "If the funds were not successfully reserved, the purchase is canceled at this point and an
    // appropriate response is sent."
    let answer = fleet.reserve_and_transact(&purchase("9101")).await;
    assert_eq!((answer.status, answer.code().as_str()), (200, "2010"), "{answer:?}");
    let no_funds = answer.reference();

    // Step 4: funds are reserved, the product is dispensed. Step 5: or the supplier says that it is not.
    let dispensed = fleet.reserve_and_transact(&purchase("0000")).await.accepted();
    let refused = fleet.reserve_and_transact(&purchase("9201")).await.reference();
    for id in [slow, no_funds, dispensed, refused] {
        fleet.wait_final(id).await;
    }

    // Step 6: the bank deducts the reserved funds, or cancels the reservation; the client is told.
    for (id, outside, code, status) in [
        (slow, vec![EffectKind::Reserve, EffectKind::Vend, EffectKind::Capture], "0000", "SUCCESS"),
        (
            dispensed,
            vec![EffectKind::Reserve, EffectKind::Vend, EffectKind::Capture],
            "0000",
            "SUCCESS",
        ),
        (refused, vec![EffectKind::Reserve, EffectKind::Cancel], "2213", "FAILED"),
        (no_funds, vec![], "2010", "FAILED"),
    ] {
        let mut story = story(&fleet, id);
        assert_eq!(story.iter().filter(|kind| **kind == EffectKind::Result).count(), 1);
        story.retain(|kind| *kind != EffectKind::Result);
        assert_eq!(story, outside, "{code}");
        assert_eq!(result(&fleet, id), code);
        let reserved = fleet.effects(id).into_iter().find(|one| one.kind == EffectKind::Reserve);
        assert!(reserved.is_none_or(|one| terms["reserveAmount"] == one.amount));
        let asker = if id == slow { 1002 } else { 1001 };
        assert_eq!(look_up(&fleet, asker, id).await["transactionStatus"], status);
    }
    fleet.assert_all_ended().await;
}
