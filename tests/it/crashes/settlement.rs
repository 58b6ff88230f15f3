//! The reservation program dies while it captures, and while it cancels.

use fleet_domain::PurchaseStatus::{self, Failed, Success};
use fleet_simulator::{Action, EffectKind};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::purchase;

use super::{calls, ended, killed_at, killed_while_asking, without};

/// A purchase that is captured, and one whose vend is refused, so that it is cancelled.
const BOTH: [(&str, PurchaseStatus, EffectKind); 2] =
    [("0000", Success, EffectKind::Capture), ("9201", Failed, EffectKind::Cancel)];

/// Dies at a point of the capture and at the same of the cancel; the calls of both.
async fn settled(fleet: &TestFleet, point: &str) -> Vec<usize> {
    let mut settles = Vec::new();
    for (code, status, effect) in BOTH {
        let id = killed_at(fleet, "reservation", point, &purchase(code)).await;
        let what = format!("{point} of {effect:?}");
        ended(fleet, "reservation", id, (status, &what)).await;
        settles.push(calls(fleet, id, Action::Settle).len());
    }
    settles
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a22_a_capture_or_cancel_that_was_claimed_and_not_sent_is_sent_once() {
    let fleet = without("reservation").start().await;
    let settles = settled(&fleet, "settle/claim.after").await;
    assert_eq!(settles, [1, 1]);
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a23_a_capture_or_cancel_that_was_out_is_repeated_until_the_bank_answers() {
    let fleet = without("reservation").start().await;
    for (code, status, effect) in BOTH {
        let ask = (Action::Settle, Some(effect));
        let id = killed_while_asking(&fleet, "reservation", ask, &purchase(code)).await;
        ended(&fleet, "reservation", id, (status, &format!("{effect:?}"))).await;
        let settles = calls(&fleet, id, Action::Settle).len();
        assert!(settles > 1, "{effect:?}: the bank's own deduplication tells what came of it");
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a24_a_capture_or_cancel_that_was_answered_and_not_committed_is_repeated() {
    let fleet = without("reservation").start().await;
    let settles = settled(&fleet, "settle/call.answered").await;
    assert_eq!(settles, [2, 2]);
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a25_a_capture_or_cancel_that_was_committed_is_never_sent_again() {
    let fleet = without("reservation").start().await;
    let settles = settled(&fleet, "settle/commit.after").await;
    assert_eq!(settles, [1, 1]);
    fleet.assert_all_ended().await;
}
