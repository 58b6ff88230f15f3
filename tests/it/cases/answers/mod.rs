//! What other parties answer and tell us.

mod again;
mod documents;
mod facts;
mod told;
mod wire;

use fleet_domain::{PurchaseId, PurchaseStatus, TaskKind};
use fleet_outbound::hmac_sha256_base64;
use fleet_simulator::{Action, AnswerKind, Behaviour, Wire};
use fleet_store::PurchaseView;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{HttpAnswer, key_of};
use serde_json::Value;

use crate::unknown::{calls, target};

/// Done, and answered truthfully but for these fields, behind a byte order mark.
fn odd(fields: &Value) -> Behaviour {
    Behaviour::effect_then(AnswerKind::Odd(fields.as_object().unwrap().clone()))
}

/// Done, and answered byte by byte.
fn wire(wire: Wire) -> Behaviour {
    Behaviour::effect_then(AnswerKind::Wire(wire))
}

/// Done, and the answer is lost.
fn lost() -> Behaviour {
    Behaviour::effect_then(AnswerKind::Reset)
}

/// Buys while a party behaves like this once, and well afterwards.
pub(crate) async fn buy(
    fleet: &TestFleet,
    body: &Value,
    odd: &[(Action, Behaviour)],
) -> PurchaseId {
    for (action, behaviour) in odd {
        let behaviours = vec![behaviour.clone(), Behaviour::ok()];
        fleet.simulator().script(target(body), *action, behaviours);
    }
    fleet.reserve_and_transact(body).await.reference()
}

/// A purchase that went well without a question.
async fn is_done(fleet: &TestFleet, id: PurchaseId, what: &str) -> PurchaseView {
    let view = fleet.wait_final(id).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Success, "{what}");
    for (action, most) in [
        (Action::Reserve, 1),
        (Action::Vend, 1),
        (Action::Settle, 1),
        (Action::ReservationLookUp, 0),
    ] {
        assert!(calls(fleet, id, action).len() <= most, "{what}: {action:?} once");
    }
    assert!(cases(&view).is_empty(), "{what}: {:?}", cases(&view));
    view
}

/// The causes of what a person is to look at.
fn cases(view: &PurchaseView) -> Vec<&str> {
    let cases = view.tasks.iter().filter(|task| task.key.kind == TaskKind::Case);
    cases.filter_map(|task| task.park_cause.as_deref()).collect()
}

/// The result as its client is told it.
pub(crate) async fn result_of(fleet: &TestFleet, id: PurchaseId) -> Value {
    let request = fleet.http().get(fleet.url("/results?since=0&limit=100"));
    let feed = fleet.send(request.header("x-api-key", key_of(1001))).await.json();
    let id = id.to_string();
    let results = feed["results"].as_array().unwrap();
    results.iter().find(|result| result["raasTxnRef"] == *id).unwrap().clone()
}

/// A confirmation of the sample's callback supplier, rightly signed over these bytes.
async fn confirm(fleet: &TestFleet, body: &[u8]) -> HttpAnswer {
    let signature = hmac_sha256_base64("sample-callback-secret", body);
    let url = fleet.url("/callbacks/suppliers/supplier-callback");
    let request = fleet.http().post(url).header("signature", signature);
    fleet.send(request.body(body.to_vec())).await
}
