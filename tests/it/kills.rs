//! Each worker killed once with calls in flight. The long form, with servers killed too, is a drill.

use fleet_domain::{PlanClass, PurchaseStatus, TaskKind};
use fleet_simulator::EffectKind;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{client, purchase};
use futures_util::future::join_all;
use serde_json::json;

/// Purchases in flight when a worker dies.
const WAVE: usize = 25;
/// Calls at its party at that moment.
const IN_FLIGHT_MIN: u64 = 5;
/// A worker, and the party that it calls.
const WORKERS: [(&str, &str); 4] = [
    ("reservation", "bank"),
    ("dispensing", "supplier-lookup"),
    ("result-delivery", "client-1001"),
    ("fraud-reporting", "desk"),
];

async fn fleet() -> TestFleet {
    let mut builder = TestFleet::builder().latency(200, 600);
    for kind in [TaskKind::Reserve, TaskKind::Dispense, TaskKind::Settle] {
        builder = builder.plan(kind, PlanClass::Unknown, &[1; 30]);
    }
    for kind in [TaskKind::Settle, TaskKind::Deliver, TaskKind::Report] {
        builder = builder.plan(kind, PlanClass::NotDone, &[1; 30]);
    }
    builder
        .directory(|import| {
            client(import, 1001).answer_within_ms = 1_000;
            for connector in &mut import.connectors {
                connector.call_deadline_ms = 2_000;
                connector.settle_time_seconds = connector.settle_time_seconds.min(1);
            }
        })
        .setting("outbound.deliver_deadline_ms", 2_000)
        .start()
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_of_each_worker_loses_no_purchase_and_doubles_no_effect() {
    let fleet = fleet().await;
    // A publisher's queue may be gone for a moment, and a gateway's wait may be over.
    fleet.allow_log("\"level\":\"WARN\"");
    let mut ids = Vec::new();
    for (program, party) in WORKERS {
        let posts = (0..WAVE).map(async |number| {
            let mut body = purchase("0000");
            let token = format!("token-{program}-{number}");
            let now = chrono::Utc::now();
            let fraud = json!({ "token": token, "tokenCreatedAt": now, "userIp": "192.0.2.1" });
            body["additionalData"] = json!({ "fraud": fraud });
            if number % 2 == 0 {
                return fleet.reserve_and_transact(&body).await.reference();
            }
            body["reserveFundsTxnRef"] = format!("held-{program}-{number}").into();
            fleet.transact(&body).await.reference()
        });
        let kill = async {
            let in_flight = async || {
                let parties = fleet.simulator().summary().parties;
                parties.get(party).is_some_and(|party| party.concurrency >= IN_FLIGHT_MIN)
            };
            fleet.until(&format!("calls of {program}"), in_flight).await;
            fleet.kill(fleet.running(program));
            fleet.start_worker(program).await;
        };
        let (answered, ()) = tokio::join!(join_all(posts), kill);
        ids.extend(answered);
    }
    fleet.assert_all_ended().await;
    for id in &ids {
        let view = fleet.wait_final(*id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Success, "{id}");
        for kind in [EffectKind::Reserve, EffectKind::Capture] {
            let ours = usize::from(!view.purchase.order.funding_source.is_empty());
            assert_eq!(fleet.count(*id, kind), ours, "{id} {kind:?}");
        }
        assert_eq!(fleet.count(*id, EffectKind::Vend), 1, "{id}");
        assert!(fleet.count(*id, EffectKind::Result) >= 1, "{id}");
    }
}
