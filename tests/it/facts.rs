//! What suppliers confirm by callback: before, during and after the answer, twice, contrary, late,
//! of nobody.

use std::time::Duration;

use fleet_domain::{DispenseState, PurchaseId, PurchaseStatus, SettleState, TaskKind};
use fleet_simulator::{Action, AnswerKind, Behaviour, Confirmation, EffectKind};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{HttpAnswer, purchase};
use serde_json::{Value, json};

use crate::unknown::{at_callback, calls, impatient, target};

/// Posts a confirmation as the supplier that confirms.
async fn confirm(fleet: &TestFleet, body: &Value) -> HttpAnswer {
    let text = body.to_string();
    let signature = fleet_outbound::hmac_sha256_base64("sample-callback-secret", text.as_bytes());
    let url = fleet.url("/callbacks/suppliers/supplier-callback");
    fleet.send(fleet.http().post(url).header("signature", signature).body(text)).await
}

fn confirmation(id: PurchaseId, code: &str, supplier_ref: &str) -> Value {
    json!({ "vendRef": format!("{id}-0000"), "responseCode": code, "supplierRef": supplier_ref })
}

/// Buys with this vend; the purchase's reference.
async fn buy(fleet: &TestFleet, vend: Behaviour) -> PurchaseId {
    let body = at_callback(purchase("0000"));
    fleet.simulator().script(target(&body), Action::Vend, vec![vend]);
    fleet.reserve_and_transact(&body).await.accepted()
}

/// It ended well: one of each, and nothing for a person.
async fn assert_success(fleet: &TestFleet, id: PurchaseId, what: &str) {
    let view = fleet.wait_final(id).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Success, "{what}");
    assert_eq!(view.purchase.progress.settle, SettleState::Captured, "{what}");
    let kinds = [EffectKind::Vend, EffectKind::Capture, EffectKind::Cancel, EffectKind::Result];
    assert_eq!(kinds.map(|kind| fleet.count(id, kind)), [1, 1, 0, 1], "{what}");
    assert_eq!(calls(fleet, id, Action::Vend).len(), 1, "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirmation_before_during_and_after_the_answer_ends_the_purchase_once() {
    let fleet = impatient().start().await;
    let mut bought = Vec::new();
    for (what, confirm, answer_after_ms) in [
        ("before", Confirmation::before_answer("0000"), 0),
        ("during", Confirmation::after(100, "0000"), 700),
        ("after", Confirmation::after(700, "0000"), 0),
    ] {
        for code in ["2236", "0000"] {
            let answer = AnswerKind::Code(code.to_owned());
            let confirm = vec![confirm.clone()];
            let vend = Behaviour { confirm, answer_after_ms, ..Behaviour::effect_then(answer) };
            bought.push((format!("{what} {code}"), buy(&fleet, vend).await));
        }
    }
    for (what, id) in &bought {
        assert_success(&fleet, *id, what).await;
    }
    fleet
        .until("all confirmations to be taken", async || {
            fleet.simulator().summary().confirmations_taken == 6
        })
        .await;
    assert_eq!(fleet.parked().await.len(), 0, "nobody contradicts");
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirmation_while_the_call_hangs_is_not_overtaken_by_its_time_out() {
    let fleet = impatient().start().await;
    let confirm = vec![Confirmation::after(200, "0000")];
    let vend = Behaviour { confirm, ..Behaviour::effect_then(AnswerKind::Hang) };
    let id = buy(&fleet, vend).await;
    assert_success(&fleet, id, "confirmed while it hangs").await;
    let view = fleet.purchase(id).await;
    let words: Vec<&str> = view.journal.iter().map(|row| row.outcome.as_str()).collect();
    assert!(words.contains(&"fact_first"), "no wait was applied: {words:?}");
    assert!(!words.contains(&"cannot_be_looked_up"), "{words:?}");
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirmation_that_comes_many_times_at_once_is_one_fact() {
    let fleet = impatient().start().await;
    let id = buy(&fleet, Behaviour::effect_then(AnswerKind::Code("2236".to_owned()))).await;
    fleet.until("the vend to be out", async || fleet.count(id, EffectKind::Vend) == 1).await;
    let told = confirmation(id, "0000", "SUP-once");
    let copies = (0..50).map(|_| confirm(&fleet, &told));
    for answer in futures_util::future::join_all(copies).await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_success(&fleet, id, "told fifty times").await;
    let view = fleet.purchase(id).await;
    assert_eq!(view.facts.len(), 1, "{:?}", view.facts);
    let dispensed = view.journal.iter().filter(|row| row.outcome == "dispensed").count();
    assert_eq!(dispensed, 1);
    assert_eq!(confirm(&fleet, &told).await.status, 200, "also days later");
    assert_eq!(fleet.parked().await.len(), 0);
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contrary_confirmation_opens_a_case_and_changes_no_track() {
    let fleet = impatient().start().await;
    let done = buy(&fleet, Behaviour::ok()).await;
    let refused = buy(&fleet, Behaviour::refuses("2213")).await;
    assert_success(&fleet, done, "first").await;
    fleet.wait_final(refused).await;
    let later = [
        (done, "2213", "", "says refused, but the purchase had been dispensed"),
        (done, "0000", "SUP-other", "dispensed twice under one vend reference"),
        (refused, "0000", "SUP-late", "says dispensed, but the purchase had failed"),
    ];
    for (id, code, supplier_ref, _) in &later {
        let told = confirmation(*id, code, supplier_ref);
        assert_eq!(confirm(&fleet, &told).await.status, 200);
        assert_eq!(confirm(&fleet, &told).await.status, 200, "the second copy is a no-op");
    }
    let parked = fleet.parked().await;
    assert_eq!(parked.len(), later.len(), "{parked:#?}");
    for (id, _, _, cause) in &later {
        let case = parked.iter().find(|t| t.key.purchase == *id && t.cause.contains(cause));
        let case = case.unwrap_or_else(|| panic!("no case says {cause:?}: {parked:#?}"));
        assert_eq!(case.key.kind, TaskKind::Case);
        let reserved = fleet.purchase(*id).await.purchase.order.reserved();
        assert_eq!(case.at_risk, Some(reserved));
    }
    let progress = fleet.purchase(done).await.purchase.progress;
    assert_eq!(progress.dispense, DispenseState::Dispensed);
    assert_eq!(progress.settle, SettleState::Captured);
    let progress = fleet.purchase(refused).await.purchase.progress;
    assert_eq!(progress.dispense, DispenseState::Failed);
    assert_eq!(progress.settle, SettleState::Cancelled);
    for (id, effects) in [(done, [1, 1, 0, 1]), (refused, [0, 0, 1, 1])] {
        let kinds = [EffectKind::Vend, EffectKind::Capture, EffectKind::Cancel, EffectKind::Result];
        assert_eq!(kinds.map(|kind| fleet.count(id, kind)), effects, "money and goods stay");
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirmation_of_an_unknown_reference_is_stored_and_shown() {
    let fleet = TestFleet::start().await;
    let nobody = PurchaseId::generate();
    let strange = [
        confirmation(nobody, "0000", "SUP-1"),
        json!({ "vendRef": "nonsense", "responseCode": "0000" }),
        json!({ "responseCode": "2213" }),
    ];
    for told in &strange {
        for _ in 0..2 {
            assert_eq!(confirm(&fleet, told).await.status, 200, "{told}");
        }
    }
    let url = fleet.url("/callbacks/suppliers/supplier-callback");
    let unsigned = fleet.http().post(url).body(strange[0].to_string());
    assert_eq!(fleet.send(unsigned).await.status, 401);
    let summary = fleet.operator(&["summary"]).await;
    let shown = summary["unmatched_facts"].as_array().unwrap();
    assert_eq!(shown.len(), strange.len(), "{summary}");
    let reference = format!("{nobody}-0000");
    assert!(shown.iter().any(|fact| fact["reference"] == reference), "{summary}");
    assert_eq!(fleet.simulator().calls().len(), 0, "nobody was called");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_confirmation_closes_a_parked_vend_and_the_purchase_ends_by_itself() {
    let fleet = impatient().start().await;
    let out = buy(&fleet, Behaviour::effect_then(AnswerKind::Reset)).await;
    let not_out = buy(&fleet, Behaviour::no_effect(AnswerKind::Reset)).await;
    for id in [out, not_out] {
        let unknown =
            async || fleet.purchase(id).await.purchase.progress.dispense == DispenseState::Unknown;
        fleet.until("the vend to be unknown", unknown).await;
    }
    fleet.advance_clock(Duration::from_secs(3_700)).await;
    for id in [out, not_out] {
        let task = fleet.wait_parked(id).await;
        assert_eq!(task.key.kind, TaskKind::Dispense);
    }
    assert_eq!(confirm(&fleet, &confirmation(out, "0000", "SUP-late")).await.status, 200);
    assert_eq!(confirm(&fleet, &confirmation(not_out, "2213", "")).await.status, 200);
    assert_success(&fleet, out, "confirmed late").await;
    let view = fleet.wait_final(not_out).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Failed);
    assert_eq!(view.purchase.progress.settle, SettleState::Cancelled);
    assert_eq!(fleet.count(not_out, EffectKind::Cancel), 1);
    assert_eq!(fleet.parked().await.len(), 0, "both are closed");
    fleet.assert_all_ended().await;
}
