//! Answers that get lost: every party by every fault, judged by the parties' own record.

mod asked;
mod bank;
mod holds;
mod listeners;
mod suppliers;

use fleet_domain::{PlanClass, PurchaseId, TaskKind};
use fleet_simulator::{Action, Call, Fault};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{Builder, purchase};
use serde_json::Value;

/// A party has this long to answer: the simulator's late effect comes later than that.
pub(crate) const CALL_DEADLINE_MS: i64 = 1_500;
/// "Not found" is believed this long after the last possible send.
pub(crate) const SETTLE_SECONDS: i64 = 5;

/// A fleet that gives up a call soon and asks again each second. Its circuits stay closed: the
/// simulator fails on purpose.
pub(crate) fn impatient() -> Builder {
    let each_second = [1; 40];
    let mut builder = TestFleet::builder()
        .directory(|import| {
            for row in &mut import.connectors {
                row.call_deadline_ms = CALL_DEADLINE_MS;
                row.settle_time_seconds = SETTLE_SECONDS;
            }
        })
        .setting("outbound.deliver_deadline_ms", CALL_DEADLINE_MS)
        .setting("engine.circuit_failures", 1_000);
    for kind in [TaskKind::Reserve, TaskKind::Dispense, TaskKind::Settle, TaskKind::Refund] {
        builder = builder.plan(kind, PlanClass::Unknown, &each_second).plan(
            kind,
            PlanClass::NotDone,
            &each_second,
        );
    }
    for kind in [TaskKind::Deliver, TaskKind::Report] {
        builder = builder.plan(kind, PlanClass::NotDone, &each_second);
    }
    builder
}

/// Every fault with a purchase whose script is its own: `914` and the fault's digit, for example.
fn scripted(script: &str) -> Vec<(Fault, Value)> {
    let places = Fault::ALL.into_iter().enumerate();
    places.map(|(place, fault)| (fault, purchase(&format!("{script}{place}")))).collect()
}

/// A purchase of the supplier that confirms by callback.
pub(crate) fn at_callback(mut body: Value) -> Value {
    body["productId"] = 102.into();
    body
}

/// A purchase of the supplier that neither answers look-ups nor calls back.
pub(crate) fn at_plain(mut body: Value) -> Value {
    body["productId"] = 301.into();
    body["currencyCode"] = "KWD".into();
    body
}

/// The key of a script for this purchase alone.
pub(crate) fn target(body: &Value) -> &str {
    body["targetIdentifier"].as_str().unwrap()
}

/// The calls of one kind for a purchase, in order.
pub(crate) fn calls(fleet: &TestFleet, id: PurchaseId, action: Action) -> Vec<Call> {
    fleet.calls(id).into_iter().filter(|call| call.action == action).collect()
}
