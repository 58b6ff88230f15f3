//! Transaction Lookup: why a purchase is pending, and for how long it is found.

use std::time::Duration;

use chrono::{DateTime, Utc};
use fleet_domain::{PurchaseId, ValidateWhen};
use fleet_simulator::{Action, AnswerKind, Behaviour};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{connector, purchase};
use serde_json::{Value, json};

async fn look_up(fleet: &TestFleet, id: PurchaseId) -> Value {
    fleet.look_up(1001, &format!("raasTxnRef={id}")).await.json()
}

fn expected_by(found: &Value) -> Option<DateTime<Utc>> {
    found.get("expectedBy").map(|at| at.as_str().unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pending_purchase_says_what_it_waits_for_and_until_when() {
    let fleet = TestFleet::builder()
        .workers(&["gateway"])
        .directory(|import| {
            let desk = connector(import, "sample-desk").desk.as_mut().unwrap();
            desk.validate = ValidateWhen::WeReserve;
        })
        .start()
        .await;
    let vended = fleet.transact(&purchase("0000")).await.accepted();
    let plain = purchase("0000");
    let reserved = fleet.reserve_and_transact(&plain);
    let mut body = purchase("0000");
    body["additionalData"] = json!({ "fraud": {
        "token": "token-1", "userIp": "192.0.2.1", "userAgent": "test",
    } });
    let (reserved, validated) = tokio::join!(reserved, fleet.reserve_and_transact(&body));
    let (reserved, validated) = (reserved.accepted(), validated.accepted());
    for (id, reason, deadline) in [
        (vended, "WAITING_FOR_SUPPLIER", 20),
        (reserved, "WAITING_FOR_FUNDING_SOURCE", 40),
        (validated, "WAITING_FOR_FRAUD_DESK", 15),
    ] {
        let found = look_up(&fleet, id).await;
        assert_eq!(found["transactionStatus"], "PENDING");
        assert_eq!(found["pendingReason"], reason, "{found}");
        let now = fleet.store().now().await.unwrap();
        let left = (expected_by(&found).unwrap() - now).num_seconds();
        // A call that is about to begin: a hint's ten seconds and the connector's deadline.
        assert!((deadline - 2..=deadline + 10).contains(&left), "{reason}: {left} s left");
    }
    fleet.advance_clock(Duration::from_secs(30 * 86_400)).await;
    for id in [vended, reserved, validated] {
        let answer = fleet.look_up(1001, &format!("raasTxnRef={id}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "4000"), "after 30 days");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_outcome_is_told_as_such_and_so_is_an_operators_turn() {
    let fleet = TestFleet::builder()
        .directory(|import| {
            for name in ["supplier-lookup", "supplier-plain"] {
                connector(import, name).call_deadline_ms = 1_000;
            }
        })
        .start()
        .await;
    fleet.allow_log("parked");
    let body = purchase("0000");
    let target = body["targetIdentifier"].as_str().unwrap();
    let simulator = fleet.simulator();
    simulator.script(target, Action::Vend, vec![Behaviour::effect_then(AnswerKind::Hang)]);
    simulator.script(target, Action::VendLookUp, vec![Behaviour::status(500)]);
    let lost = fleet.transact(&body).await.accepted();
    let mut body = purchase("0000");
    body["productId"] = 301.into();
    body["currencyCode"] = "KWD".into();
    let target = body["targetIdentifier"].as_str().unwrap();
    simulator.script(target, Action::Vend, vec![Behaviour::effect_then(AnswerKind::Hang)]);
    let held = fleet.transact(&body).await.accepted();
    let done = fleet.transact(&purchase("0000")).await.accepted();

    let reason = async |id| look_up(&fleet, id).await["pendingReason"].clone();
    fleet.until("an unknown outcome", async || reason(lost).await == "OUTCOME_UNKNOWN").await;
    let found = look_up(&fleet, lost).await;
    assert!(expected_by(&found).unwrap() > fleet.store().now().await.unwrap(), "{found}");
    fleet.wait_parked(held).await;
    let found = look_up(&fleet, held).await;
    assert_eq!(
        (&found["transactionStatus"], &found["pendingReason"]),
        (&"PENDING".into(), &"HELD_BY_OPERATOR".into())
    );
    assert_eq!(expected_by(&found), None, "nobody can say: {found}");
    fleet.wait_final(done).await;
    let found = look_up(&fleet, done).await;
    assert_eq!(found["transactionStatus"], "SUCCESS");
    assert!(found.get("pendingReason").is_none() && expected_by(&found).is_none(), "{found}");
}
