//! Job messages that nobody of ours wrote: none of them changes anything.

use chrono::Utc;
use fleet_contracts::{JobHint, Queue};
use fleet_domain::{LaneId, PurchaseId, PurchaseStatus, TaskKey, TaskKind};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{Letter, Shop, purchase};
use serde_json::json;

const JOBS: [(Queue, TaskKind); 5] = [
    (Queue::Reserve, TaskKind::Reserve),
    (Queue::Settle, TaskKind::Settle),
    (Queue::Dispense, TaskKind::Dispense),
    (Queue::Deliver, TaskKind::Deliver),
    (Queue::Report, TaskKind::Report),
];

fn hint(kind: TaskKind, purchase: PurchaseId, slot: i32, lane: i32) -> Letter {
    let task = (TaskKey { purchase, kind, slot }, LaneId(lane));
    let hint = JobHint { kind, published_at: Utc::now(), tasks: vec![task] };
    Letter::new(hint.to_bytes())
}

async fn forge(forger: &Shop, ids: &[PurchaseId]) {
    for (queue, kind) in JOBS {
        for body in ["garbage", "", "{}", r#"{"v":1,"kind":2}"#] {
            forger.publish(queue, &Letter::new(body).header("shop", "7")).await;
        }
        let later = json!({ "v": 9, "kind": 1, "other": "form" }).to_string();
        forger.publish(queue, &Letter::new(later)).await;
        for id in ids {
            for (slot, lane) in [(0, 1), (0, 999_999), (77, 1), (-1, -1)] {
                forger.publish(queue, &hint(kind, *id, slot, lane)).await;
            }
        }
    }
    // Right in itself, in the wrong queue.
    forger.publish(Queue::Dispense, &hint(TaskKind::Reserve, ids[0], 0, 1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_hint_changes_nothing_and_an_unreadable_one_is_a_dead_letter() {
    let fleet = TestFleet::start().await;
    fleet.allow_log("dead letter");
    let ended = fleet.reserve_and_transact(&purchase("0000")).await.accepted();
    let mut waits = purchase("9305");
    waits["productId"] = 102.into();
    let waits = fleet.reserve_and_transact(&waits).await.accepted();
    let before = fleet.wait_final(ended).await;
    fleet
        .until("the vend to be pending", async || {
            fleet.purchase(waits).await.journal.iter().any(|row| row.kind == TaskKind::Dispense)
        })
        .await;
    let (ended_calls, waits_calls) = (fleet.calls(ended), fleet.calls(waits));

    let forger = fleet.administrator().await;
    forge(&forger, &[ended, waits, PurchaseId::generate()]).await;
    let letters = fleet.wait_letters(JOBS.len() * 4 + 1).await;
    for letter in &letters {
        assert_eq!(letter.row.cause, "unreadable_hint", "{letter:?}");
        assert!(letter.row.queue.starts_with("fleet."), "{letter:?}");
    }
    assert!(
        letters.iter().filter(|letter| letter.body.as_deref() == Ok(b"garbage")).count()
            == JOBS.len(),
        "as they came"
    );

    // The queues still serve, and what stood behind the forged ones is done.
    let next = fleet.reserve_and_transact(&purchase("0000")).await.accepted();
    let view = fleet.wait_final(next).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Success);
    for program in ["reservation", "dispensing", "result-delivery", "fraud-reporting"] {
        fleet.stop(fleet.index_of(program)).await;
    }
    for (queue, _) in JOBS {
        assert_eq!(forger.ready(queue).await, 0, "{queue:?}");
    }
    assert_eq!(fleet.purchase(ended).await, before, "not a row of it has moved");
    assert_eq!(fleet.calls(ended), ended_calls);
    assert_eq!(fleet.calls(waits), waits_calls, "what waits for its supplier is not asked again");
    assert_eq!(fleet.letters().await.len(), letters.len(), "a newer version is no dead letter");
    fleet.assert_conserved().await;
}
