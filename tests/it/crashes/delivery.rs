//! The result-delivery program dies around its POST.

use fleet_domain::PurchaseStatus::Success;
use fleet_simulator::{Action, AnswerKind, Behaviour, EffectKind};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::purchase;
use serde_json::json;

use super::{buy, calls, ended, killed_at, killed_while_asking, take_over, target, without};

/// Dies at a point; how often the result was sent.
async fn delivered(fleet: &TestFleet, point: &str) -> usize {
    let id = killed_at(fleet, "result-delivery", point, &purchase("0000")).await;
    let view = ended(fleet, "result-delivery", id, (Success, point)).await;
    assert_eq!(view.deliveries[0].state, "sent", "{point}");
    calls(fleet, id, Action::Result).len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a26_a_result_that_was_claimed_and_not_sent_is_sent() {
    let fleet = without("result-delivery").start().await;
    for point in ["deliver/claim.after", "deliver/call.before"] {
        assert_eq!(delivered(&fleet, point).await, 1, "{point}");
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a27_a_result_that_was_out_is_sent_again_byte_for_byte() {
    let fleet = without("result-delivery").start().await;
    let ask = (Action::Result, Some(EffectKind::Result));
    let id = killed_while_asking(&fleet, "result-delivery", ask, &purchase("0000")).await;
    // The simulator counts another body as a violation, which the end refuses.
    ended(&fleet, "result-delivery", id, (Success, "a result")).await;
    assert_eq!(calls(&fleet, id, Action::Result).len(), 2);

    let mut body = purchase("0000");
    body["clientId"] = 1011.into();
    let hang = Behaviour::effect_then(AnswerKind::Hang);
    fleet.simulator().script(target(&body), Action::Ipn, vec![hang, Behaviour::ok()]);
    let process = fleet.start_worker("result-delivery").await;
    let id = buy(&fleet, &body, async |_| {
        fleet.until("an IPN", async || fleet.simulator().ipns().len() == 1).await;
        fleet.kill(process);
        take_over(&fleet, "result-delivery").await;
    })
    .await;
    assert_eq!(fleet.wait_final(id).await.deliveries[0].state, "sent");
    let ipns = fleet.simulator().ipns();
    assert_eq!(ipns.len(), 2, "{ipns:?}");
    assert_eq!(ipns[0].body, ipns[1].body);
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a28_a_result_whose_acknowledgement_was_not_committed_is_sent_once_more() {
    let fleet = without("result-delivery").start().await;
    for point in ["deliver/call.answered", "deliver/commit.before"] {
        assert_eq!(delivered(&fleet, point).await, 2, "{point}");
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a29_a_result_whose_acknowledgement_was_committed_is_not_sent_again() {
    let fleet = without("result-delivery").start().await;
    assert_eq!(delivered(&fleet, "deliver/commit.after").await, 1);
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_told_once_under_one_reference_wherever_its_sender_dies() {
    let fleet = without("result-delivery").start().await;
    for (point, calls_made) in [
        ("notify/claim.after", 1),
        ("notify/call.before", 1),
        ("notify/call.answered", 2),
        ("notify/commit.before", 2),
        ("notify/commit.after", 1),
    ] {
        let mut body = purchase("0000");
        body["additionalData"] = json!({ "notify": ["sms"] });
        let id = killed_at(&fleet, "result-delivery", point, &body).await;
        let view = ended(&fleet, "result-delivery", id, (Success, point)).await;
        assert!(view.deliveries.iter().all(|row| row.state == "sent"), "{point}: {view:?}");
        assert_eq!(calls(&fleet, id, Action::Message).len(), calls_made, "{point}");
        assert_eq!(fleet.count(id, EffectKind::Message), 1, "{point}");
    }
    fleet.assert_all_ended().await;
}
