//! Answers that moved money or goods, and are odd in what nobody needs: what they decide is taken, and
//! what they leave open is never guessed.

use fleet_domain::{PurchaseId, PurchaseStatus, TaskKind};
use fleet_simulator::{Action, AnswerKind, Behaviour, EffectKind};
use fleet_store::PurchaseView;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{key_of, purchase};
use serde_json::{Value, json};

use crate::unknown::{at_callback, calls, impatient, target};

/// An answer that is truthful but for these fields, behind a byte order mark.
fn odd(fields: &Value) -> AnswerKind {
    AnswerKind::Odd(fields.as_object().unwrap().clone())
}

async fn told(fleet: &TestFleet, action: Action, behaviour: Behaviour) -> PurchaseId {
    let body = purchase("0000");
    fleet.simulator().script(target(&body), action, vec![behaviour, Behaviour::ok()]);
    fleet.reserve_and_transact(&body).await.reference()
}

/// The result as the client is told it.
async fn result_of(fleet: &TestFleet, id: PurchaseId) -> Value {
    let request = fleet.http().get(fleet.url("/results?since=0&limit=100"));
    let feed = fleet.send(request.header("x-api-key", key_of(1001))).await.json();
    let results = feed["results"].as_array().unwrap();
    let id = id.to_string();
    results.iter().find(|result| result["raasTxnRef"] == *id).unwrap().clone()
}

fn cases(view: &PurchaseView) -> Vec<&str> {
    let cases = view.tasks.iter().filter(|task| task.key.kind == TaskKind::Case);
    cases.filter_map(|task| task.park_cause.as_deref()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suppliers_clear_answer_is_taken_whatever_else_is_odd_in_it() {
    let fleet = impatient().start().await;
    for fields in [
        json!({ "supplierRef": 9_876_543_210_u64 }),
        json!({ "responseMessage": null, "supplierRef": 12_345_678_901_234_567_890_u64 }),
        json!({ "responseMessage": { "text": [1] }, "vendRef": 7, "more": null }),
        json!({ "vendAmount": "15.00" }),
        json!({ "vendAmount": 1499.5, "responseMessage": 0 }),
    ] {
        let id = told(&fleet, Action::Vend, Behaviour::effect_then(odd(&fields))).await;
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Success, "{fields}");
        assert_eq!(calls(&fleet, id, Action::VendLookUp).len(), 0, "{fields}: nothing was unclear");
        if let Some(number) = fields["supplierRef"].as_u64() {
            assert_eq!(view.purchase.progress.supplier_ref, Some(number.to_string()));
        }
        assert_eq!(result_of(&fleet, id).await["vendAmount"], 1500, "{fields}");
        assert!(cases(&view).is_empty(), "{fields}: {:?}", cases(&view));
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_banks_clear_answer_is_taken_whatever_else_is_odd_in_it() {
    let fleet = impatient().start().await;
    for message in [json!(null), json!({ "en": "ok" }), json!(["ok"])] {
        let fields = json!({ "responseMessage": message, "resolution": message });
        for action in [Action::Reserve, Action::Settle] {
            let behaviour = Behaviour::effect_then(odd(&fields));
            let id = told(&fleet, action, behaviour).await;
            let view = fleet.wait_final(id).await;
            assert_eq!(view.purchase.status(), PurchaseStatus::Success, "{action:?} {message}");
            assert_eq!(calls(&fleet, id, Action::ReservationLookUp).len(), 0, "{message}");
            assert_eq!(fleet.count(id, EffectKind::Capture), 1);
        }
        let refusal = json!({ "responseCode": "2010", "responseMessage": message }).to_string();
        let refusal = Behaviour::no_effect(AnswerKind::Bytes(refusal.into_bytes()));
        let id = told(&fleet, Action::Reserve, refusal).await;
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Failed, "{message}");
        assert_eq!(view.purchase.progress.reserve_code.as_deref(), Some("2010"), "{message}");
        assert_eq!(calls(&fleet, id, Action::Reserve).len(), 1, "{message}: it was clear");
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_answer_leaves_open_is_asked_about_and_never_guessed() {
    let fleet = impatient().start().await;
    let twice = r#"{"responseCode":"2213","responseCode":"0000","vendAmount":1500}"#;
    let voucher = r#"{"responseCode":"0000","token":"1111","token":"2222"}"#;
    let damaged = b"{\"responseCode\":\"0000\",\"token\":\"12\xff34\"}".to_vec();
    for bytes in [twice.into(), voucher.into(), damaged] {
        let behaviour = Behaviour::effect_then(AnswerKind::Bytes(bytes));
        let id = told(&fleet, Action::Vend, behaviour).await;
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Success);
        assert!(!calls(&fleet, id, Action::VendLookUp).is_empty(), "it is looked up");
        assert_eq!(fleet.count(id, EffectKind::Vend), 1);
        let told = result_of(&fleet, id).await["token"].clone();
        assert!(!["1111", "2222"].iter().any(|guess| told == *guess), "{told}");
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_amount_that_cannot_be_is_told_to_nobody_but_a_person() {
    let fleet = impatient().start().await;
    for (amount, cause) in [
        (json!(-5), "supplier-lookup told a vend amount below zero"),
        (json!(15_000), "supplier-lookup told a vend amount above what was asked for"),
        (json!("1501"), "supplier-lookup told a vend amount above what was asked for"),
    ] {
        let fields = json!({ "vendAmount": amount });
        let id = told(&fleet, Action::Vend, Behaviour::effect_then(odd(&fields))).await;
        // The goods are out; the case stays for a person.
        let view = fleet.wait_status(id, PurchaseStatus::Success).await;
        assert_eq!(view.purchase.progress.vend_amount, Some(1500), "{amount}");
        assert_eq!(result_of(&fleet, id).await["vendAmount"], 1500, "{amount}");
        assert_eq!(cases(&view), [cause], "{amount}");
        fleet.until("the capture", async || fleet.count(id, EffectKind::Capture) == 1).await;
    }
    // A smaller one may be true.
    let fields = json!({ "vendAmount": 1400 });
    let id = told(&fleet, Action::Vend, Behaviour::effect_then(odd(&fields))).await;
    let view = fleet.wait_final(id).await;
    assert_eq!(result_of(&fleet, id).await["vendAmount"], 1400);
    assert!(cases(&view).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_is_told_codes_of_the_tables_and_never_a_transports_status() {
    use fleet_domain::PlanClass::NotDone;
    let fleet = TestFleet::builder()
        .plan(TaskKind::Reserve, NotDone, &[1])
        .plan(TaskKind::Dispense, NotDone, &[1])
        .start()
        .await;
    for (action, code) in [(Action::Reserve, "2060"), (Action::Vend, "2225")] {
        let body = purchase("0000");
        fleet.simulator().script(target(&body), action, vec![Behaviour::status(429)]);
        let id = fleet.reserve_and_transact(&body).await.reference();
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Failed, "{action:?}");
        assert_eq!(result_of(&fleet, id).await["responseCode"], code, "{action:?}");
        let found = fleet.look_up(1001, &format!("raasTxnRef={id}")).await.json();
        let field = if action == Action::Reserve {
            "reserveFundsResponseCode"
        } else {
            "transactResultResponseCode"
        };
        assert_eq!(found[field], code, "{action:?}: {found}");
        // The bank that holds the funds is told the same.
        let cancelled = fleet.effects(id).into_iter().filter(|one| one.kind == EffectKind::Cancel);
        let told: Vec<_> = cancelled.map(|one| one.told.unwrap().to_string()).collect();
        let wanted = if action == Action::Vend { vec![code] } else { vec![] };
        assert_eq!(told, wanted, "{action:?}");
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_confirmation_is_kept_whatever_is_odd_in_it() {
    let fleet = TestFleet::start().await;
    for (mark, fields) in [
        ("", json!({ "supplierRef": 12345 })),
        ("\u{feff}", json!({ "responseMessage": null })),
        (" \r\n", json!({ "responseMessage": [1], "vendAmount": "x", "more": {} })),
    ] {
        let body = at_callback(purchase("9305"));
        let id = fleet.reserve_and_transact(&body).await.accepted();
        fleet.until("the vend", async || fleet.count(id, EffectKind::Vend) == 1).await;
        let mut told = json!({ "vendRef": format!("{id}-0000"), "responseCode": "0000" });
        told.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let text = format!("{mark}{told}");
        let signature =
            fleet_outbound::hmac_sha256_base64("sample-callback-secret", text.as_bytes());
        let url = fleet.url("/callbacks/suppliers/supplier-callback");
        let request = fleet.http().post(url).header("signature", signature);
        let answer = fleet.send(request.body(text)).await;
        assert_eq!(answer.status, 200, "{fields}: {answer:?}");
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Success, "{fields}");
        assert_eq!(view.facts.len(), 1, "{fields}");
    }
    fleet.assert_conserved().await;
}
