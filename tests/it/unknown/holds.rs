//! A bank's hold has an end: nothing new leaves shortly before it, and nobody waits in silence.

use std::time::Duration;

use fleet_domain::{DispenseState, PlanClass, PurchaseStatus, SettleState, TaskKind};
use fleet_simulator::{Action, AnswerKind, Behaviour, EffectKind};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{connector, purchase};

use super::{at_callback, calls, impatient, target};

const HOLD_SECONDS: i64 = 1_000;

async fn fleet() -> TestFleet {
    let fleet = impatient()
        .directory(|import| {
            connector(import, "sample-bank").hold_seconds = Some(HOLD_SECONDS);
            connector(import, "supplier-callback").callback_wait_seconds = 86_400;
        })
        .plan(TaskKind::Dispense, PlanClass::NotDone, &[900, 900, 900])
        .start()
        .await;
    fleet.allow_log("unsettled holds are past half of their time");
    fleet.allow_log("holds ran out undecided");
    fleet
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_vend_leaves_when_the_hold_is_about_to_end_and_the_hold_is_given_free() {
    let fleet = fleet().await;
    let id = fleet.reserve_and_transact(&purchase("9220")).await.accepted();
    let refused = async || {
        let view = fleet.purchase(id).await;
        view.journal.iter().any(|row| row.outcome == "refused_for_now")
    };
    fleet.until("the first vend to be refused", refused).await;
    // The next vend is due within the hold, but its call could outlive it.
    fleet.advance_clock(Duration::from_secs(950)).await;
    let view = fleet.wait_final(id).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Failed);
    assert_eq!(calls(&fleet, id, Action::Vend).len(), 1, "none left after the deadline");
    assert_eq!(fleet.count(id, EffectKind::Cancel), 1);
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_long_before_a_holds_end_the_last_vend_begins_is_the_sources_own_margin() {
    let fleet = impatient()
        .directory(|import| {
            let bank = connector(import, "sample-bank");
            bank.hold_seconds = Some(HOLD_SECONDS);
            bank.hold_margin_seconds = 700;
        })
        .start()
        .await;
    // A supplier that says pending twice.
    let id = fleet.reserve_and_transact(&purchase("9203")).await.accepted();
    let vending = async || {
        let view = fleet.purchase(id).await;
        let vend = view.tasks.iter().find(|task| task.key.kind == TaskKind::Dispense);
        vend.and_then(|vend| Some(view.purchase.progress.hold_expires_at? - vend.start_by?))
    };
    fleet.until("the hold and a vend on it", async || vending().await.is_some()).await;
    let margin = vending().await.unwrap();
    // The margin, a call of 1.5 s and 10 s for the lease, counted from the bank's answer; the hold
    // is counted from the commit, a moment later.
    let least = chrono::Duration::milliseconds(711_500);
    assert!(margin >= least && margin < least + chrono::Duration::seconds(30), "{margin}");
    fleet.wait_final(id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_that_runs_out_undecided_is_told_at_half_and_opens_one_case_that_its_end_closes() {
    let fleet = fleet().await;
    let body = at_callback(purchase("0000"));
    let lost = vec![Behaviour::effect_then(AnswerKind::Reset)];
    fleet.simulator().script(target(&body), Action::Vend, lost);
    let id = fleet.reserve_and_transact(&body).await.accepted();
    let state = async || fleet.purchase(id).await.purchase.progress.dispense;
    let unknown = async || state().await == DispenseState::Unknown;
    fleet.until("the vend to be unknown", unknown).await;
    let reservation = fleet.index_of("reservation");
    let says = async |line: &str| {
        let text = fleet.admin(reservation, "/metrics").await.text;
        text.lines().any(|shown| shown == line)
    };
    let quiet = async || says("fleet_holds{age=\"past_half\"} 0").await;
    fleet.until("the holds to be looked at", quiet).await;
    fleet.advance_clock(Duration::from_secs(510)).await;
    let half = async || says("fleet_holds{age=\"past_half\"} 1").await;
    fleet.until("the alarm at half of the hold", half).await;
    assert_eq!(fleet.parked().await.len(), 0, "nothing is decided by a timer");
    fleet.advance_clock(Duration::from_secs(510)).await;
    let case = fleet.wait_parked(id).await;
    assert_eq!(case.key.kind, TaskKind::Case);
    assert!(case.cause.contains("the hold ran out"), "{}", case.cause);
    let view = fleet.purchase(id).await;
    assert_eq!(case.at_risk, Some(view.purchase.order.reserved()));
    assert_eq!(view.purchase.progress.settle, SettleState::NotStarted);
    assert_eq!(calls(&fleet, id, Action::Settle), [], "never released by a timer");
    let expired = async || says("fleet_holds{age=\"expired\"} 1").await;
    fleet.until("the metric of holds that ran out", expired).await;
    assert_eq!(fleet.parked().await.len(), 1, "one case, however often it is looked at");
    let word = id.to_string();
    let lines = || {
        let log = fleet.log_of(reservation);
        let told = log.lines().filter(|line| line.contains("a task is parked"));
        told.filter(|line| line.contains(&word) && line.contains("\"case\"")).count()
    };
    fleet.until("a line that tells of the case", async || lines() > 0).await;
    // The supplier tells at last: the bank may still take the money, and the case closes.
    let told = serde_json::json!({ "vendRef": format!("{id}-0000"), "responseCode": "0000" });
    let text = told.to_string();
    let signature = fleet_outbound::hmac_sha256_base64("sample-callback-secret", text.as_bytes());
    let url = fleet.url("/callbacks/suppliers/supplier-callback");
    let told = fleet.http().post(url).header("signature", signature).body(text);
    assert_eq!(fleet.send(told).await.status, 200);
    let view = fleet.wait_final(id).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Success);
    assert_eq!(view.purchase.progress.settle, SettleState::Captured);
    assert_eq!(fleet.count(id, EffectKind::Capture), 1);
    assert!(view.journal.iter().any(|row| row.outcome == "case_closed"));
    assert_eq!(lines(), 1, "one line, however often it is looked at");
    fleet.assert_all_ended().await;
}
