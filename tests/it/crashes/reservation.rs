//! The reservation program dies while it reserves, and while it takes messages in.

use fleet_contracts::RequestedOutcome;
use fleet_domain::PurchaseStatus::Success;
use fleet_simulator::{Action, EffectKind};
use fleet_testkit::fleet::{Letter, purchase};

use super::{Stage, ended, take_over, without};

const RESERVE: Stage = Stage {
    program: "reservation",
    kind: "reserve",
    ask: [Action::Reserve, Action::ReservationLookUp],
    effect: EffectKind::Reserve,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a10_a_death_before_the_claim_leaves_no_trace() {
    let fleet = without("reservation").start().await;
    RESERVE.is_asked_once(&fleet, &["claim.before"]).await;
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a11_a_reserve_that_was_claimed_and_not_sent_is_looked_up_before_it_is_sent() {
    let fleet = without("reservation").start().await;
    RESERVE.is_sent_once_and_looked_up(&fleet, &["claim.after", "call.before"]).await;
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a12_a_reserve_that_was_out_is_looked_up_and_sent_again_only_if_it_took_no_effect() {
    let fleet = without("reservation").start().await;
    RESERVE.is_sent_again_only_without_effect(&fleet).await;
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a13_a_reserve_that_was_answered_and_not_committed_is_looked_up_and_never_sent_again() {
    let fleet = without("reservation").start().await;
    RESERVE.is_sent_once_and_looked_up(&fleet, &["call.answered", "commit.before"]).await;
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a14_a_reserve_that_was_committed_is_never_asked_for_again() {
    let fleet = without("reservation").start().await;
    RESERVE.is_asked_once(&fleet, &["commit.after", "publish.after"]).await;
    // Claimed, and its message is still with the broker: it comes again beside the clock's.
    RESERVE.is_sent_once_and_looked_up(&fleet, &["ack.before"]).await;
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a15_a_reserve_whose_message_is_gone_is_brought_back_by_its_lease() {
    let fleet = without("reservation").start().await;
    let [sent, _] = RESERVE.dies_at(&fleet, "broker/ack.sent").await;
    assert_eq!(sent, 1);
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_one_purchase_wherever_its_taker_dies() {
    let fleet = without("reservation").start().await;
    let shop = fleet.shop().await;
    let points = ["requested/insert.before", "requested/insert.after", "requested/ack.before"];
    for point in points {
        let armed = fleet.start_armed("reservation", &format!("{point}:1")).await;
        let body = purchase("0000");
        let mut replies = shop.replies().await;
        let letter = Letter::purchase(&fleet.message(&body, "we_reserve")).answered(&replies);
        shop.request(&letter).await;
        fleet.until_crashed(armed).await;
        take_over(&fleet, "reservation").await;
        let (reply, word) = replies.next().await;
        assert_eq!((reply.outcome, word), (RequestedOutcome::Accepted, letter.correlation_id));
        let id = fleet.wait_stored(1001, body["clientTxnRef"].as_str().unwrap()).await;
        assert_eq!(reply.raas_txn_ref, Some(id.to_string()), "{point}");
        ended(&fleet, "reservation", id, (Success, point)).await;
    }
    let stored: i64 = fleet.summary().await.purchases.iter().map(|row| row.purchases).sum();
    assert_eq!(stored, 3);
    assert_eq!(fleet.letters().await.len(), 0);
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_no_purchase_is_one_dead_letter_wherever_its_keeper_dies() {
    let fleet = without("reservation").workers(&[]).start().await;
    fleet.allow_log("dead letter");
    let shop = fleet.shop().await;
    for point in ["letter/published", "letter/stored"] {
        let armed = fleet.start_armed("reservation", &format!("{point}:1")).await;
        shop.request(&Letter::new(point)).await;
        fleet.until_crashed(armed).await;
        fleet.start_worker("reservation").await;
        // Whatever comes again is kept before the next.
        let next = format!("after {point}");
        shop.request(&Letter::new(next.as_str())).await;
        let kept = async || {
            fleet.letters().await.iter().any(|row| row.body.as_deref() == Ok(next.as_bytes()))
        };
        fleet.until("the next letter", kept).await;
        fleet.kill(fleet.running("reservation"));
    }
    assert_eq!(fleet.letters().await.len(), 4);
}
