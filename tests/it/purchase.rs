//! How purchases go from the request to their end.

use fleet_domain::{PlanClass, PurchaseStatus, ReserveState, SettleState, TaskKind};
use fleet_simulator::{Action, AnswerKind, Behaviour, EffectKind};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{client, purchase};
use serde_json::{Value, json};

/// What the fraud desk needs, under this token.
fn fraud(token: &str) -> Value {
    json!({ "token": token, "tokenCreatedAt": chrono::Utc::now(), "userIp": "192.0.2.1" })
}

/// What the desk was told about a token.
fn told(fleet: &TestFleet, token: &str) -> Vec<String> {
    let effects = fleet.simulator().effects();
    let reports = effects
        .iter()
        .filter(|effect| effect.kind == EffectKind::Report && &*effect.reference == token);
    reports.filter_map(|report| report.told.as_deref().map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_scenarios_end_happily_over_both_ways_in() {
    let fleet = TestFleet::start().await;
    let mut ids = Vec::new();
    for (way, scenario) in [
        ("http", "client_reserved"),
        ("http", "we_reserve"),
        ("amqp", "client_reserved"),
        ("amqp", "we_reserve"),
    ] {
        let token = format!("token-{way}-{scenario}");
        let mut body = purchase("0000");
        body["productId"] = 201.into();
        if scenario == "client_reserved" {
            body["reserveFundsTxnRef"] = format!("held-{way}").into();
        }
        let id = match (way, scenario) {
            ("http", _) => {
                body["additionalData"] = json!({ "fraud": fraud(&token) });
                let answer = match scenario {
                    "we_reserve" => fleet.reserve_and_transact(&body).await,
                    _ => fleet.transact(&body).await,
                };
                answer.accepted()
            }
            _ => {
                body["fraud"] = fraud(&token);
                fleet.enqueue(&body, scenario).await;
                let reference = body["clientTxnRef"].as_str().unwrap();
                fleet.wait_stored(1001, reference).await
            }
        };
        ids.push((id, scenario, token));
    }
    for (id, scenario, token) in &ids {
        let view = fleet.wait_final(*id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Success, "{scenario}");
        assert!(view.purchase.progress.voucher.is_some(), "electricity is a token");
        let ours = usize::from(*scenario == "we_reserve");
        assert_eq!(fleet.count(*id, EffectKind::Reserve), ours, "{scenario}");
        assert_eq!(fleet.count(*id, EffectKind::Capture), ours, "{scenario}");
        assert_eq!(fleet.count(*id, EffectKind::Vend), 1);
        assert_eq!(fleet.count(*id, EffectKind::Result), 1);
        let settled = if ours == 1 { SettleState::Captured } else { SettleState::NotStarted };
        assert_eq!(view.purchase.progress.settle, settled, "{scenario}");
        assert_eq!(view.deliveries.len(), 1);
        assert_eq!(view.deliveries[0].last_status, Some(202), "the client acknowledged");
        assert_eq!(told(&fleet, token), ["True"], "{scenario}");
    }
    fleet.assert_all_ended().await;
    let money = fleet.summary().await.money;
    let ours: i64 = money.iter().map(|row| row.captured).sum();
    // Twice 1500 and the fee of 100 + 0.5 %.
    assert_eq!(ours, 2 * (1500 + 108), "{money:?}");
    assert!(money.iter().all(|row| row.held == 0), "{money:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_funds_end_a_purchase_at_once_and_nothing_is_vended() {
    let fleet = TestFleet::builder()
        .directory(|import| client(import, 1001).answer_within_ms = 30_000)
        .start()
        .await;
    for (code, told) in [("9101", "2010"), ("9105", "2030")] {
        let answer = fleet.reserve_and_transact(&purchase(code)).await;
        assert_eq!((answer.status, answer.code().as_str()), (200, told), "a fast refusal is told");
        let id = answer.reference();
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Failed);
        assert_eq!(view.purchase.progress.reserve, ReserveState::Refused);
        assert!(fleet.calls(id).iter().all(|call| call.action != Action::Vend));
        let results: Vec<_> = fleet.effects(id);
        assert_eq!(results.len(), 1, "only the result: {results:?}");
        assert_eq!(results[0].told.as_deref(), Some(told));
        assert!(view.ledger.is_empty(), "no money moved: {:?}", view.ledger);
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suppliers_final_refusal_cancels_the_hold_and_the_client_is_told_its_code() {
    let fleet = TestFleet::start().await;
    for (code, told, reason) in [("9201", "2213", "False"), ("9215", "2214", "False")] {
        let token = format!("token-{code}");
        let mut body = purchase(code);
        // VAS_BARRED is a word of the plain supplier's own.
        if code == "9215" {
            body["productId"] = 301.into();
            body["currencyCode"] = "KWD".into();
        }
        body["additionalData"] = json!({ "fraud": fraud(&token) });
        let id = fleet.reserve_and_transact(&body).await.reference();
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Failed);
        assert_eq!(view.purchase.progress.settle, SettleState::Cancelled);
        assert_eq!(fleet.count(id, EffectKind::Vend), 0);
        assert_eq!(fleet.count(id, EffectKind::Cancel), 1);
        let results = fleet.effects(id);
        let result = results.iter().find(|effect| effect.kind == EffectKind::Result).unwrap();
        assert_eq!(result.told.as_deref(), Some(told));
        assert_eq!(self::told(&fleet, &token), [reason]);
    }
    fleet.assert_all_ended().await;
    let money = fleet.summary().await.money;
    assert!(money.iter().all(|row| row.reserved == row.cancelled), "{money:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_that_was_not_acknowledged_is_sent_again_byte_for_byte() {
    let fleet = TestFleet::builder()
        .plan(TaskKind::Deliver, PlanClass::NotDone, &[1, 1, 1, 1, 1, 1, 1, 1])
        .plan(TaskKind::Report, PlanClass::NotDone, &[1, 1])
        .start()
        .await;
    let mut body = purchase("9401");
    body["productId"] = 201.into();
    body["additionalData"] = json!({ "fraud": fraud("token-again-s9501") });
    let id = fleet.reserve_and_transact(&body).await.accepted();
    let lost = fleet.reserve_and_transact(&purchase("9404")).await.accepted();
    let view = fleet.wait_final(id).await;
    assert_eq!(view.deliveries[0].attempts, 3, "refused twice, then taken");
    assert_eq!(fleet.count(id, EffectKind::Result), 1);
    assert_eq!(told(&fleet, "token-again-s9501"), ["True"], "the desk took the second report");
    let view = fleet.wait_final(lost).await;
    assert_eq!(view.deliveries[0].attempts, 2, "the first acknowledgement got lost");
    // The listener compares the bytes of each attempt with those of the first.
    fleet.assert_all_ended().await;
}

/// Vend numbers that a supplier was asked with, in order.
fn vends(fleet: &TestFleet, id: fleet_domain::PurchaseId) -> Vec<String> {
    let calls = fleet.calls(id);
    let vends = calls.iter().filter(|call| call.action == Action::Vend);
    vends.map(|call| call.reference[id.to_string().len()..].to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_refused_vend_is_followed_by_one_under_the_next_number_with_one_effect() {
    let fleet =
        TestFleet::builder().plan(TaskKind::Dispense, PlanClass::NotDone, &[1, 1]).start().await;
    let twice = fleet.reserve_and_transact(&purchase("9202")).await.accepted();
    let volumes = fleet.reserve_and_transact(&purchase("9205")).await.accepted();
    let always = fleet.reserve_and_transact(&purchase("9220")).await.accepted();
    let view = fleet.wait_final(twice).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Success);
    assert_eq!(vends(&fleet, twice), ["-0000", "-0001", "-0002"]);
    assert_eq!(fleet.count(twice, EffectKind::Vend), 1);
    fleet.wait_final(volumes).await;
    assert_eq!(vends(&fleet, volumes), ["-0000", "-0001"]);
    let view = fleet.wait_final(always).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Failed, "the plan has an end");
    assert_eq!(view.purchase.progress.settle, SettleState::Cancelled);
    assert_eq!(vends(&fleet, always), ["-0000", "-0001", "-0002"]);
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_a_pause_gets_it_and_the_same_reference_again() {
    // Our own plans wait for a second: only the pause that was asked for explains four.
    let fleet = TestFleet::builder()
        .plan(TaskKind::Reserve, PlanClass::NotDone, &[1, 1, 1])
        .plan(TaskKind::Dispense, PlanClass::NotDone, &[1, 1, 1])
        .plan(TaskKind::Report, PlanClass::NotDone, &[1, 1, 1])
        .start()
        .await;
    let busy = AnswerKind::Status { status: 429, retry_after_seconds: Some(4) };
    let busy_once = || vec![Behaviour::no_effect(busy.clone()), Behaviour::ok()];
    let body = purchase("0000");
    let target = body["targetIdentifier"].as_str().unwrap();
    fleet.simulator().script(target, Action::Reserve, busy_once());
    let bank = fleet.reserve_and_transact(&body).await.accepted();
    let mut body = purchase("0000");
    let target = body["targetIdentifier"].as_str().unwrap();
    fleet.simulator().script(target, Action::Vend, busy_once());
    fleet.simulator().script("token-pause", Action::Report, busy_once());
    body["additionalData"] = json!({ "fraud": fraud("token-pause") });
    let supplier = fleet.reserve_and_transact(&body).await.accepted();
    for id in [bank, supplier] {
        fleet.wait_final(id).await;
    }
    let id = |id: fleet_domain::PurchaseId| id.to_string();
    for (reference, action) in [
        (id(bank), Action::Reserve),
        (id(supplier), Action::Vend),
        ("token-pause".to_owned(), Action::Report),
    ] {
        let calls = fleet.simulator().calls().into_iter();
        let calls: Vec<_> =
            calls.filter(|call| call.action == action && *call.purchase == *reference).collect();
        assert_eq!(calls.len(), 2, "{action:?}");
        assert_eq!(calls[0].reference, calls[1].reference, "429 uses up no reference");
        let pause = calls[1].at - calls[0].at;
        assert!(pause >= chrono::Duration::seconds(4), "{action:?} came again after {pause}");
    }
    assert_eq!(told(&fleet, "token-pause"), ["True"]);
    fleet.assert_all_ended().await;
}
