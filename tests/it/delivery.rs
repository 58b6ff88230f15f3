//! How results reach clients: IPN, the four days, endpoints that fail and come back.

mod days;
mod dead;
mod query;

use fleet_domain::{PlanClass, PurchaseId, TaskKind};
use fleet_simulator::{Action, Behaviour, EffectKind, IpnCall};
use fleet_store::{DeliveryView, ImportMode, PurchaseView};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{client, purchase, sample};
use secrecy::SecretString;
use serde_json::{Value, json};

/// A purchase of the sample's merchant.
fn order(code: &str) -> Value {
    let mut body = purchase(code);
    body["clientId"] = 1011.into();
    body
}

/// The IPN row of a purchase.
fn ipn(view: &PurchaseView) -> &DeliveryView {
    view.deliveries.iter().find(|row| row.channel == "ipn").unwrap()
}

/// The IPNs of a purchase that its listener got, in order.
fn received(fleet: &TestFleet, id: PurchaseId) -> Vec<IpnCall> {
    let id = id.to_string();
    fleet.simulator().ipns().into_iter().filter(|call| *call.transaction == *id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ipn_tells_of_completed_payments_only_and_its_listener_finds_them() {
    let fleet = TestFleet::start().await;
    let done = fleet.reserve_and_transact(&order("0000")).await.accepted();
    let refused = fleet.reserve_and_transact(&order("9101")).await.reference();
    let failed = fleet.reserve_and_transact(&order("9201")).await.reference();
    let view = fleet.wait_final(done).await;
    assert_eq!((ipn(&view).state.as_str(), ipn(&view).last_status), ("sent", Some(200)));
    let calls = received(&fleet, done);
    assert_eq!(calls.len(), 1);
    let body: Value = serde_json::from_str(&calls[0].body).unwrap();
    assert_eq!(body["transactionid"], done.to_string());
    assert_eq!((&body["accountID"], &body["amount"]), (&json!("77"), &json!(15.5)));
    for id in [refused, failed] {
        let view = fleet.wait_final(id).await;
        assert_eq!(view.deliveries, [], "the body has no status: nothing is told of a failure");
        assert_eq!(received(&fleet, id).len(), 0);
    }
    // The listener has checked verifysign and found each transaction at the gateway.
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_success_acknowledges_an_ipn_and_410_disables_it() {
    let fleet = TestFleet::builder()
        .plan(TaskKind::Deliver, PlanClass::NotDone, &[1; 12])
        .setting("outbound.deliver_jitter_percent", 0)
        .start()
        .await;
    let mut ids = Vec::new();
    for code in ["9411", "9412", "9413", "9416"] {
        ids.push(fleet.reserve_and_transact(&order(code)).await.accepted());
    }
    for (id, state, attempts, status) in [
        (ids[0], "sent", 3, 200),
        (ids[1], "disabled", 1, 410),
        (ids[2], "sent", 2, 200),
        (ids[3], "sent", 2, 200),
    ] {
        let view = fleet.wait_final(id).await;
        let row = ipn(&view);
        assert_eq!((row.state.as_str(), row.attempts), (state, attempts), "{row:?}");
        assert_eq!(row.last_status, Some(status));
    }
    let calls = received(&fleet, ids[2]);
    let pause = calls[1].at - calls[0].at;
    assert!(pause >= chrono::Duration::seconds(1), "Retry-After is kept: {pause}");
    let failing = fleet.operator(&["delivery", "failing"]).await;
    assert_eq!(failing["failing"][0]["disabled"], 1, "{failing}");
    assert_eq!(failing["failing"][0]["channel"], "ipn");
    // By hand: the endpoint still says 410.
    let id = ids[1].to_string();
    let told =
        fleet.operator(&["delivery", "resend", &id, "--by", "tests", "--reason", "asked"]).await;
    assert_eq!(told["ipn"], "due now");
    fleet.until("the resend", async || ipn(&fleet.purchase(ids[1]).await).attempts == 2).await;
    let view = fleet.wait_final(ids[1]).await;
    assert_eq!(ipn(&view).state, "disabled");
    let by_hand = view.journal.iter().find(|row| row.outcome == "resent_by_hand").unwrap();
    assert_eq!(by_hand.actor.as_deref(), Some("tests"));
    let listed = fleet.operator(&["delivery", "list", "--state", "sent", "--client", "1011"]).await;
    assert_eq!(listed["deliveries"].as_array().unwrap().len(), 3, "{listed}");
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resend_during_an_attempt_is_told_so_and_changes_nothing() {
    let fleet = TestFleet::start().await;
    let body = order("0000");
    let slow = vec![Behaviour::slow(4_000), Behaviour::ok()];
    let target = body["targetIdentifier"].as_str().unwrap();
    fleet.simulator().script(target, Action::Ipn, slow);
    let id = fleet.reserve_and_transact(&body).await.accepted();
    let arrived = async || fleet.calls(id).iter().any(|call| call.action == Action::Ipn);
    fleet.until("the attempt to arrive", arrived).await;
    let text = id.to_string();
    let told = fleet.operator(&["delivery", "resend", &text, "--reason", "asked"]).await;
    assert_eq!(told["ipn"], "being sent at this moment");
    let view = fleet.wait_final(id).await;
    assert_eq!((ipn(&view).state.as_str(), ipn(&view).attempts), ("sent", 1));
    assert_eq!(received(&fleet, id).len(), 1);
    // Afterwards it is one more attempt, whatever became of the first.
    fleet.operator(&["delivery", "resend", &text, "--reason", "asked"]).await;
    fleet.until("the resend", async || received(&fleet, id).len() == 2).await;
    let view = fleet.wait_final(id).await;
    assert_eq!((ipn(&view).state.as_str(), ipn(&view).attempts), ("sent", 2));
    let shown = fleet.run("fleet", &["delivery", "show", &text]).await;
    let shown = String::from_utf8(shown.stdout).unwrap();
    for word in ["ipn", "sent", "resent_by_hand"] {
        assert!(shown.contains(word), "{shown}");
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_changes_the_signature_and_nothing_else() {
    let fleet = TestFleet::start().await;
    let id = fleet.reserve_and_transact(&order("9411")).await.accepted();
    fleet.until("the first IPN", async || received(&fleet, id).len() == 1).await;
    let mut import = sample(fleet.simulator_url("").trim_end_matches('/'));
    let key = "sample-ipn-key-2";
    let row = client(&mut import, 1011).ipn.as_mut().unwrap();
    row.key = Some(SecretString::from(key));
    fleet.simulator().rotate_ipn_key(1011, key);
    let before =
        fleet.log_of(fleet.index_of("result-delivery")).matches("directory renewed").count();
    fleet.store().import(&import, ImportMode::Apply).await.unwrap();
    fleet
        .until("the new key", async || {
            let log = fleet.log_of(fleet.index_of("result-delivery"));
            log.matches("directory renewed").count() > before
        })
        .await;
    fleet.advance_clock(std::time::Duration::from_secs(40)).await;
    fleet.until("the second IPN", async || received(&fleet, id).len() == 2).await;
    let calls = received(&fleet, id);
    assert_eq!((calls[0].key, calls[1].key), (Some(1), Some(0)), "old key, then the new one");
    let frozen = |call: &IpnCall| call.body.split("\"verifysign\"").next().unwrap().to_owned();
    assert_eq!(frozen(&calls[0]), frozen(&calls[1]));
    assert_ne!(calls[0].body, calls[1].body);
    fleet.advance_clock(std::time::Duration::from_secs(40)).await;
    fleet.wait_final(id).await;
    assert_eq!(fleet.count(id, EffectKind::Ipn), 1);
    fleet.assert_all_ended().await;
}
