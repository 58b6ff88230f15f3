//! The fraud-reporting program dies at each of its steps.

use fleet_domain::{PurchaseStatus, TokenState};
use fleet_simulator::{Action, AnswerKind, Behaviour};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::purchase;
use serde_json::{Value, json};

use super::{buy, take_over, without};

fn with_token(token: &str) -> Value {
    let mut body = purchase("0000");
    let fraud = json!({
        "token": token, "tokenCreatedAt": chrono::Utc::now(), "userIp": "192.0.2.1",
    });
    body["additionalData"] = json!({ "fraud": fraud });
    body
}

/// The desk was told of a success, so often, and of nothing else.
async fn assert_reported(fleet: &TestFleet, body: &Value, token: &str, reports: usize) {
    let id = fleet.wait_stored(1001, body["clientTxnRef"].as_str().unwrap()).await;
    let view = fleet.wait_final(id).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Success, "{token}");
    let report = view.report.unwrap();
    assert_eq!(report.state, "reported", "{token}");
    assert_eq!(report.token.unwrap().told, TokenState::Success, "{token}");
    let told = fleet.simulator().token(token).reports;
    assert!(told.iter().all(|report| report.activation_successful), "{token}: {told:?}");
    assert_eq!(told.len(), reports, "{token}: {told:?}");
    fleet.kill(fleet.running("fraud-reporting"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a30_a_report_is_made_wherever_its_reporter_dies_and_is_a_success_for_good() {
    let fleet = without("fraud-reporting").start().await;
    for (point, reports) in [
        ("claim.before", 1),
        ("claim.after", 1),
        ("call.before", 1),
        ("call.answered", 2),
        ("commit.before", 2),
        ("commit.after", 1),
    ] {
        let armed = fleet.start_armed("fraud-reporting", &format!("report/{point}:1")).await;
        let token = format!("token-{point}");
        let body = with_token(&token);
        buy(&fleet, &body, async |_| {
            fleet.until_crashed(armed).await;
            take_over(&fleet, "fraud-reporting").await;
        })
        .await;
        assert_reported(&fleet, &body, &token, reports).await;
    }
    let (body, token) = (with_token("token-out"), "token-out");
    let hang = Behaviour::effect_then(AnswerKind::Hang);
    fleet.simulator().script(token, Action::Report, vec![hang, Behaviour::ok()]);
    let process = fleet.start_worker("fraud-reporting").await;
    buy(&fleet, &body, async |_| {
        let out = async || fleet.simulator().token(token).reports.len() == 1;
        fleet.until("a report to be out", out).await;
        fleet.kill(process);
        take_over(&fleet, "fraud-reporting").await;
    })
    .await;
    assert_reported(&fleet, &body, token, 2).await;
    fleet.assert_all_ended().await;
}
