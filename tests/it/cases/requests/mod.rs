//! What clients send and operators import.

mod framing;
mod imports;
mod messages;
mod numbers;
mod parameters;
mod tokens;
mod values;

use fleet_contracts::RequestedOutcome;
use fleet_domain::PurchaseId;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{HttpAnswer, Letter, Replies, Shop, key_of, purchase};
use serde_json::Value;

/// A purchase with a field of its own.
fn with(field: &str, value: impl Into<Value>) -> Value {
    let mut body = purchase("0000");
    body[field] = value.into();
    body
}

/// Sends a body as it is, as client 1001.
async fn send(fleet: &TestFleet, path: &str, body: impl Into<reqwest::Body>) -> HttpAnswer {
    let request = fleet.http().post(fleet.url(path)).header("x-api-key", key_of(1001));
    fleet.send(request.body(body)).await
}

/// A GET as client 1001.
async fn get(fleet: &TestFleet, path: &str) -> HttpAnswer {
    fleet.send(fleet.http().get(fleet.url(path)).header("x-api-key", key_of(1001))).await
}

/// What a purchase is answered over the broker: outcome, reference and message.
async fn enqueued(
    fleet: &TestFleet,
    shop: &Shop,
    replies: &mut Replies,
    message: &Value,
) -> (RequestedOutcome, Option<PurchaseId>, String) {
    fleet.keep_private(message);
    shop.request(&Letter::purchase(message).answered(replies)).await;
    let (reply, _) = replies.next().await;
    let id = reply.raas_txn_ref.map(|text| text.parse().unwrap());
    (reply.outcome, id, reply.response_message)
}

/// Refused with a code that names the field and says this.
fn assert_refused(answer: &HttpAnswer, told: &str, what: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (400, "4000"), "{what}: {answer:?}");
    assert!(answer.message().starts_with(told), "{what}\nis told: {}", answer.message());
}
