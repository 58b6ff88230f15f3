//! How a drill's fleet is set up, and whether every promise held.

use std::collections::BTreeMap;
use std::time::Duration;

use fleet_domain::{PlanClass, PurchaseId, PurchaseStatus, TaskKind, TaskState};
use fleet_simulator::EffectKind;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::Builder;
use tokio::time::{Instant, interval_at};

/// From the last kill to the end of all purchases: leases, settle times, plans.
const END_WITHIN: Duration = Duration::from_secs(300);
/// How often a wait says that it goes on.
const TOLD_EVERY: Duration = Duration::from_secs(5);

/// All programs; parties that take their time; waits that a drill has the patience for.
pub(crate) fn builder() -> Builder {
    let soon = [1; 60];
    let mut builder = TestFleet::builder().latency(500, 1_500);
    for kind in [TaskKind::Reserve, TaskKind::Dispense, TaskKind::Settle] {
        builder = builder.plan(kind, PlanClass::Unknown, &soon);
    }
    for kind in [TaskKind::Settle, TaskKind::Deliver, TaskKind::Report] {
        builder = builder.plan(kind, PlanClass::NotDone, &soon);
    }
    builder
        .directory(|import| {
            for connector in &mut import.connectors {
                connector.call_deadline_ms = 5_000;
                connector.settle_time_seconds = connector.settle_time_seconds.min(2);
            }
        })
        .setting("outbound.deliver_deadline_ms", 5_000)
}

/// Waits for the end and checks everything; one line for the summary.
pub(crate) async fn of(fleet: &TestFleet, accepted: &[PurchaseId]) -> String {
    wait_for_the_end(fleet).await;
    for id in accepted {
        // Panics when it is not there: its answer said that it is stored.
        let view = fleet.purchase(*id).await;
        let parked = |task: &fleet_store::TaskView| {
            task.state == TaskState::Parked
                && task.park_cause.as_ref().is_some_and(|cause| !cause.is_empty())
        };
        let open = view.purchase.status() == PurchaseStatus::Pending;
        let told = view.tasks.iter().all(parked) && (!open || !view.tasks.is_empty());
        assert!(told, "{id} waits in silence: {:?}", view.tasks);
    }
    let summary = fleet.summary().await;
    let stored: i64 = summary.purchases.iter().map(|row| row.purchases).sum();
    let pending = summary.purchases.iter().filter(|row| row.status == PurchaseStatus::Pending);
    let pending: i64 = pending.map(|row| row.purchases).sum();
    let parked: i64 = summary.parked.iter().map(|row| row.tasks).sum();
    assert!(pending <= parked, "{pending} pending, {parked} parked: {:?}", summary.purchases);
    fleet.assert_conserved().await;
    once_each(fleet);
    let (stored_text, effects) = (stored, fleet.simulator().effects().len());
    format!(
        "{} accepted over HTTP, {stored_text} stored, {parked} parked with a cause, \
         {effects} effects outside, none twice, money conserved",
        accepted.len()
    )
}

async fn wait_for_the_end(fleet: &TestFleet) {
    let began = Instant::now();
    let tell = async {
        let mut often = interval_at(began + TOLD_EVERY, TOLD_EVERY);
        loop {
            often.tick().await;
            let open: i64 = fleet.open_tasks().await.iter().map(|row| row.tasks).sum();
            println!("waiting for the end of {open} tasks, {} s", began.elapsed().as_secs());
        }
    };
    tokio::select! {
        () = fleet.wait_idle(END_WITHIN) => {}
        () = tell => {}
    }
}

/// The outside world's own record: one reservation, one vend, one capture or cancel.
fn once_each(fleet: &TestFleet) {
    let mut counts: BTreeMap<(String, &str), usize> = BTreeMap::new();
    for effect in fleet.simulator().effects() {
        let what = match effect.kind {
            EffectKind::Reserve => "reserve",
            EffectKind::Vend => "vend",
            EffectKind::Capture | EffectKind::Cancel => "capture or cancel",
            EffectKind::Refund => "refund",
            EffectKind::Prompt => "prompt",
            EffectKind::Result
            | EffectKind::Ipn
            | EffectKind::Report
            | EffectKind::Message
            | EffectKind::Completion
            | EffectKind::Reversal => {
                continue;
            }
        };
        *counts.entry((effect.purchase.to_string(), what)).or_default() += 1;
    }
    let twice: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 1).collect();
    assert!(twice.is_empty(), "effects more than once: {twice:?}");
}
