//! Results and reports whose acknowledgements get lost.

use fleet_domain::{ParkClass, PurchaseStatus, TaskKind};
use fleet_simulator::{Action, Behaviour, EffectKind, Fault};
use fleet_testkit::fleet::purchase;
use serde_json::json;

use super::{calls, impatient, scripted, target};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_whose_acknowledgement_is_lost_is_sent_again_byte_for_byte() {
    let fleet = impatient().start().await;
    let mut under_way = Vec::new();
    for (fault, body) in scripted("945") {
        under_way.push((fault, fleet.reserve_and_transact(&body).await.accepted()));
    }
    for (fault, id) in under_way {
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Success, "{fault:?}");
        assert_eq!(view.deliveries.len(), 1, "{fault:?}");
        assert_eq!(view.deliveries[0].state, "sent", "{fault:?}");
        let sent = calls(&fleet, id, Action::Result).len();
        // Any 2xx acknowledges a Transact Result, whatever its body says or does.
        let lost = !matches!(fault, Fault::Garbage | Fault::Drip | Fault::Endless);
        assert!(if lost { sent >= 2 } else { sent == 1 }, "{fault:?}: sent {sent} times");
        let attempts = usize::try_from(view.deliveries[0].attempts).unwrap();
        assert_eq!(attempts, sent, "{fault:?}: every attempt has its proof");
        assert!(fleet.count(id, EffectKind::Result) >= 1, "{fault:?}");
        assert_eq!(fleet.count(id, EffectKind::Vend), 1, "{fault:?}: nothing else happens again");
        assert_eq!(fleet.count(id, EffectKind::Capture), 1, "{fault:?}");
    }
    // The listener compares each attempt with the first; redirects lead to a canary.
    fleet.assert_all_ended().await;
}

/// An IPN is acknowledged by its body, so every loss is one, the garbage too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ipn_whose_acknowledgement_is_lost_is_sent_again_byte_for_byte() {
    let fleet = impatient().start().await;
    let mut under_way = Vec::new();
    for fault in Fault::ALL {
        let mut body = purchase("0000");
        body["clientId"] = 1011.into();
        let answers = vec![fault.behaviour(), Behaviour::ok()];
        fleet.simulator().script(target(&body), Action::Ipn, answers);
        under_way.push((fault, fleet.reserve_and_transact(&body).await.accepted()));
    }
    for (fault, id) in under_way {
        let view = fleet.wait_final(id).await;
        assert_eq!(view.deliveries[0].state, "sent", "{fault:?}");
        let sent = calls(&fleet, id, Action::Ipn).len();
        assert!(sent >= 2, "{fault:?}: sent {sent} times");
        assert_eq!(usize::try_from(view.deliveries[0].attempts).unwrap(), sent, "{fault:?}");
        let ipns = fleet.simulator().ipns().into_iter();
        let ipns: Vec<_> = ipns.filter(|ipn| *ipn.transaction == *id.to_string()).collect();
        assert!(!ipns.is_empty() && ipns.iter().all(|ipn| ipn.body == ipns[0].body), "{fault:?}");
    }
    fleet.assert_all_ended().await;
}

/// Results may go over connections that were left open, money never does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_over_a_connection_that_had_gone_stale_is_sent_again_and_money_has_its_own() {
    let fleet = impatient().latency(0, 0).start().await;
    let mut met = false;
    for _ in 0..10 {
        // Leaves a connection open; the next result goes over it and meets its end.
        fleet.wait_final(fleet.reserve_and_transact(&purchase("0000")).await.accepted()).await;
        let id = fleet.reserve_and_transact(&purchase("9458")).await.accepted();
        let view = fleet.wait_final(id).await;
        assert_eq!(view.deliveries[0].state, "sent");
        let sent = calls(&fleet, id, Action::Result);
        assert_eq!(sent.len(), 2, "the plan sends it again, nobody else: {sent:?}");
        met |= sent[0].reused;
    }
    assert!(met, "no result went over an open connection");
    let all = fleet.simulator().calls();
    let money = [Action::Reserve, Action::Settle, Action::Vend, Action::VendLookUp];
    let of_money: Vec<_> = all.iter().filter(|call| money.contains(&call.action)).collect();
    assert!(of_money.len() >= 60 && of_money.iter().all(|call| !call.reused));
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_whose_answer_is_lost_is_made_again_and_one_at_a_time() {
    let fleet = impatient().start().await;
    let mut under_way = Vec::new();
    for (place, fault) in Fault::ALL.into_iter().enumerate() {
        let token = format!("token-lost-s955{place}");
        let mut body = purchase("0000");
        body["additionalData"] = json!({ "fraud": {
            "token": token, "tokenCreatedAt": chrono::Utc::now(), "userIp": "192.0.2.1",
        }});
        under_way.push((fault, token, fleet.reserve_and_transact(&body).await.accepted()));
    }
    for (fault, token, id) in under_way {
        if fault == Fault::Redirect {
            // The contract: neither 2xx nor 429 nor 5xx is dead, and a person looks at it.
            let task = fleet.wait_parked(id).await;
            assert_eq!((task.key.kind, task.class), (TaskKind::Report, ParkClass::SupplierFault));
            continue;
        }
        let view = fleet.wait_final(id).await;
        assert_eq!(
            view.report.map(|report| report.state).as_deref(),
            Some("reported"),
            "{fault:?}"
        );
        let about = |reference: &str| reference == token;
        let reports = fleet.simulator().calls().into_iter().filter(|c| about(&c.reference)).count();
        assert!(reports >= 2, "{fault:?}: reported {reports} times");
        let effects = fleet.simulator().effects();
        let told: Vec<_> = effects.iter().filter(|effect| about(&effect.reference)).collect();
        assert!(!told.is_empty(), "{fault:?}");
        assert!(told.iter().all(|report| report.told.as_deref() == Some("True")), "{fault:?}");
    }
    fleet.assert_all_ended().await;
}
