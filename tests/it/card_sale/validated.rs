//! A fraud desk that is asked before any charge is asked before the app gets a session.

use fleet_domain::{PurchaseStatus, ReserveState, ValidateWhen};
use fleet_simulator::{Action, AnswerKind, Behaviour, CardData};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{Builder, client, connector};
use serde_json::{Value, json};

use super::{access, app, by_app, id_of, moved};

/// A fleet whose desk is asked before the buyer pays.
fn asks_first() -> Builder {
    TestFleet::builder().directory(|import| {
        connector(import, "sample-desk").desk.as_mut().unwrap().validate = ValidateWhen::WeReserve;
    })
}

fn with_token(token: &str) -> Value {
    let mut body = by_app(1550, "0000");
    body["additionalData"] = json!({ "fraud": {
        "token": token, "tokenCreatedAt": chrono::Utc::now(),
        "userIp": "192.0.2.1", "userAgent": "Browser/1.0",
    } });
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_has_no_session_before_the_desk_has_answered() {
    let impatient = asks_first().directory(|import| client(import, 1001).answer_within_ms = 1_000);
    let fleet = impatient.start().await;
    let hangs = vec![Behaviour::no_effect(AnswerKind::Hang), Behaviour::ok()];
    fleet.simulator().script("token-slow", Action::Validate, hangs);
    let body = with_token("token-slow");
    let order = access(&fleet, "ada", &body, None).await;
    let early = app(&fleet).initiate(&order).await.unwrap_err();
    let refusal = early.refusal().unwrap();
    assert_eq!((refusal.status, refusal.cause.as_deref()), (503, Some("SERVER_UNAVAILABLE")));
    let id = fleet.wait_stored(1001, body["clientTxnRef"].as_str().unwrap()).await;
    assert_eq!(fleet.purchase(id).await.purchase.progress.reserve, ReserveState::Validating);
    let valid =
        async || fleet.purchase(id).await.purchase.progress.reserve != ReserveState::Validating;
    fleet.until("the desk to have answered", valid).await;
    let sale = app(&fleet).first_sale(&order, &CardData::planted()).await.unwrap();
    assert_eq!(id_of(&sale), id, "the same purchase goes on");
    fleet.wait_status(id, PurchaseStatus::Success).await;
    assert_eq!(moved(&fleet, id), [1, 1, 1]);
    fleet.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_the_desk_refuses_gets_no_session() {
    let fleet = asks_first().start().await;
    let body = with_token("token-bad-s9506");
    let order = access(&fleet, "ada", &body, None).await;
    let refused = async || {
        let fault = app(&fleet).initiate(&order).await.unwrap_err();
        let refusal = fault.refusal().unwrap();
        (refusal.status, refusal.cause.clone().unwrap_or_default())
    };
    // A slow desk may keep the app waiting first.
    let filtered = (403, "FILTERED".to_owned());
    fleet.until("the app to be refused", async || refused().await == filtered).await;
    assert_eq!(refused().await, filtered, "and again");
    let id = fleet.wait_stored(1001, body["clientTxnRef"].as_str().unwrap()).await;
    let view = fleet.wait_final(id).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Failed);
    assert_eq!(view.purchase.progress.reserve_code.as_deref(), Some("2070"));
    assert_eq!(moved(&fleet, id), [0, 0, 0]);
}
