//! Transaction Query.

use std::time::Duration;

use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{HttpAnswer, key_of};
use serde_json::Value;

use super::{order, received};

async fn ask(fleet: &TestFleet, id: &str, key: &str) -> HttpAnswer {
    let request = fleet.http().get(fleet.url(&format!("/api/transactions/{id}")));
    fleet.send(request.header("authorization", key)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_is_shown_to_its_own_organisation_and_every_refusal_has_the_documents_shape()
{
    let fleet = TestFleet::builder().setting("gateway.queries_per_second", 40).start().await;
    let id = fleet.reserve_and_transact(&order("0000")).await.accepted();
    fleet.wait_final(id).await;
    let key = key_of(1011);
    let text = id.to_string();
    let shown = ask(&fleet, &text, &key).await;
    assert_eq!(shown.status, 200);
    let shown = shown.json();
    let told: Value = serde_json::from_str(&received(&fleet, id)[0].body).unwrap();
    for (field, value) in told.as_object().unwrap() {
        assert_eq!(&shown[field], value, "{field} as in the IPN");
    }
    assert_eq!(shown["status"], "SUCCESS");

    let unknown = uuid::Uuid::now_v7().to_string();
    for (id, key, status) in [
        ("12", key.as_str(), 400),
        (&text, "", 401),
        (&text, "not-a-key-at-all", 401),
        (&text, &format!("Bearer {key}"), 401),
        (&text, &key_of(1001), 404),
        (&unknown, &key, 404),
    ] {
        let refused = ask(&fleet, id, key).await;
        assert_eq!(refused.status, status, "{id}");
        let error = &refused.json()["error"];
        assert_eq!(error["code"], status);
        assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()));
    }
    let url = fleet.url(&format!("/api/transactions/{id}"));
    let posted = fleet.send(fleet.http().post(&url).header("authorization", &key)).await;
    assert_eq!((posted.status, &posted.json()["error"]["code"]), (405, &405.into()));
    let html = fleet.http().get(&url).header("authorization", &key).header("accept", "text/html");
    assert_eq!(fleet.send(html).await.status, 406);

    fleet.operator(&["delivery", "hold", &text, "--reason", "a dispute"]).await;
    assert_eq!(ask(&fleet, &text, &key).await.status, 403);
    assert_eq!(ask(&fleet, &text, &key_of(1001)).await.status, 404, "nobody else learns of a hold");
    fleet.operator(&["delivery", "hold", &text, "--reason", "erased", "--removed"]).await;
    assert_eq!(ask(&fleet, &text, &key).await.status, 410);
    fleet.operator(&["delivery", "release", &text, "--reason", "agreed"]).await;
    assert_eq!(ask(&fleet, &text, &key).await.status, 200);

    let mut refused = None;
    for _ in 0..2_000 {
        let answer = ask(&fleet, &text, &key).await;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.unwrap();
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (429, &429.into()));
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(ask(&fleet, &text, &key_of(1001)).await.status, 404, "others are not hurt");
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_is_gone_after_its_days_for_its_own_organisation_and_never_there_for_others()
{
    let fleet = TestFleet::builder().setting("gateway.transactions_kept_days", 30).start().await;
    let old = fleet.reserve_and_transact(&order("0000")).await.accepted();
    fleet.wait_final(old).await;
    fleet.wait_idle(fleet_testkit::fleet::PATIENCE).await;
    let (id, key) = (old.to_string(), key_of(1011));
    fleet.advance_clock(Duration::from_secs(29 * 86_400)).await;
    let young = fleet.reserve_and_transact(&order("0000")).await.accepted();
    fleet.wait_final(young).await;
    assert_eq!(ask(&fleet, &id, &key).await.status, 200, "within its days");
    fleet.wait_idle(fleet_testkit::fleet::PATIENCE).await;
    fleet.advance_clock(Duration::from_secs(2 * 86_400)).await;
    let gone = async || ask(&fleet, &id, &key).await.status == 410;
    fleet.until("the transaction to be gone", gone).await;
    let told = ask(&fleet, &id, &key).await;
    assert_eq!(told.json()["error"]["code"], 410, "{told:?}");
    assert_eq!(ask(&fleet, &id, &key_of(1001)).await.status, 404, "another's never was");
    assert_eq!(ask(&fleet, &young.to_string(), &key).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn days_beyond_ten_years_and_none_at_all_are_refused_at_the_start() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    for (days, code) in [("0", 2), ("3651", 2)] {
        let settings = format!("[gateway]\ntransactions_kept_days = {days}\n");
        let output = fleet.run_with("gateway", &settings.parse().unwrap(), &["--check"]).await;
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{error}");
        assert!(error.contains("gateway.transactions_kept_days must be 1 to 3650"), "{error}");
    }
}
