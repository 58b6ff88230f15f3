//! The dispensing program dies while it vends.

use fleet_domain::{DispenseState, ParkClass, PurchaseId, SettleState, TaskKind};
use fleet_simulator::{Action, EffectKind};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::purchase;

use super::{LEASE, Stage, asked, calls, killed_at, killed_while_asking, without};
use crate::unknown::at_plain;

const VEND: Stage = Stage {
    program: "dispensing",
    kind: "dispense",
    ask: [Action::Vend, Action::VendLookUp],
    effect: EffectKind::Vend,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a16_a_death_before_the_claim_of_a_vend_leaves_no_trace() {
    let fleet = without("dispensing").start().await;
    VEND.is_asked_once(&fleet, &["claim.before"]).await;
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a17_a_vend_that_was_claimed_and_not_sent_is_looked_up_before_it_is_sent() {
    let fleet = without("dispensing").start().await;
    VEND.is_sent_once_and_looked_up(&fleet, &["claim.after", "call.before"]).await;
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a18_a_vend_that_was_out_is_looked_up_and_sent_again_only_if_nothing_came_of_it() {
    let fleet = without("dispensing").start().await;
    VEND.is_sent_again_only_without_effect(&fleet).await;
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a19_a_vend_that_was_answered_and_not_committed_is_looked_up_and_never_sent_again() {
    let fleet = without("dispensing").start().await;
    VEND.is_sent_once_and_looked_up(&fleet, &["call.answered", "commit.before"]).await;
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a20_a_vend_that_was_committed_is_never_asked_for_again() {
    let fleet = without("dispensing").start().await;
    VEND.is_asked_once(&fleet, &["commit.after"]).await;
    // Claimed, and its message is still with the broker.
    VEND.is_sent_once_and_looked_up(&fleet, &["ack.before"]).await;
    fleet.assert_all_ended().await;
}

/// In front of a person with the hold in place; so many vends left, and never another.
async fn assert_unknown(fleet: &TestFleet, id: PurchaseId, vends: usize, what: &str) {
    let task = fleet.wait_parked(id).await;
    assert_eq!(
        (task.key.kind, task.class),
        (TaskKind::Dispense, ParkClass::UnknownOutcome),
        "{what}: {}",
        task.cause
    );
    let view = fleet.purchase(id).await;
    assert_eq!(task.at_risk, Some(view.purchase.order.reserved()), "{what}");
    assert_eq!(view.purchase.progress.dispense, DispenseState::Unknown, "{what}");
    assert_eq!(view.purchase.progress.settle, SettleState::NotStarted, "{what}");
    assert_eq!(asked(fleet, id, [Action::Vend, Action::Settle]), [vends, 0], "{what}");
    assert_eq!(calls(fleet, id, Action::Result), [], "{what}: nobody is told a guess");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a21_without_a_look_up_a_vend_in_doubt_is_never_sent_again_and_waits_for_a_person() {
    let fleet = without("dispensing").start().await;
    let mut parked = Vec::new();
    for (point, vends) in [("dispense/claim.after", 0), ("dispense/call.answered", 1)] {
        let id = killed_at(&fleet, "dispensing", point, &at_plain(purchase("0000"))).await;
        assert_unknown(&fleet, id, vends, point).await;
        fleet.kill(fleet.running("dispensing"));
        parked.push((id, vends, point));
    }
    let (ask, body) = ((Action::Vend, Some(EffectKind::Vend)), at_plain(purchase("0000")));
    let id = killed_while_asking(&fleet, "dispensing", ask, &body).await;
    assert_unknown(&fleet, id, 1, "out").await;
    parked.push((id, 1, "out"));
    // Much later nothing has been guessed.
    fleet.advance_clock(LEASE * 360).await;
    fleet.wait_idle(fleet_testkit::fleet::PATIENCE).await;
    for (id, vends, what) in parked {
        assert_unknown(&fleet, id, vends, what).await;
        assert_eq!(fleet.count(id, EffectKind::Vend), vends, "{what}");
    }
    fleet.assert_all_ended().await;
}
