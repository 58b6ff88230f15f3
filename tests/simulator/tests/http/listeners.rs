//! Clients' listeners and the fraud desk.

use fleet_simulator::EffectKind;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::world::{PURCHASE, World, result, signature, vend};

#[tokio::test]
async fn a_result_is_signed_and_says_the_same_each_time() {
    let world = World::start().await;
    let url = world.running.url("client/1002/result");
    let unsigned = world.post("client/1002/result", &result("2010")).await;
    assert_eq!(unsigned.status(), StatusCode::UNAUTHORIZED);
    let send = async |body: &str, signature: &str| {
        let request = world.http.post(&url).header("content-type", "application/json");
        let request = request.header("signature", signature).body(body.to_owned());
        request.send().await.unwrap().status()
    };
    let body = result("2010").to_string();
    assert_eq!(send(&body, "AAAA").await, StatusCode::UNAUTHORIZED);
    assert_eq!(world.count(EffectKind::Result), 0);
    let signed = signature("sample-signature-1002", &body);
    assert_eq!(send(&body, &signed).await, StatusCode::ACCEPTED);
    assert_eq!(send(&body, &signed).await, StatusCode::ACCEPTED);
    assert_eq!(world.rules(), ["signature", "signature"]);
    let changed = body.replace("09:30", "09:31");
    send(&changed, &signature("sample-signature-1002", &changed)).await;
    assert_eq!(world.rules()[2..], ["result_changed"]);
    let summary = world.running.world().summary();
    assert_eq!((summary.duplicate_count(), summary.repeats[&EffectKind::Result]), (0, 2));
}

#[tokio::test]
async fn the_listener_finds_its_script_by_the_target_or_by_the_reference() {
    let world = World::start().await;
    let mut asked = vend(0);
    asked["targetIdentifier"] = "27820009401".into();
    world.post("supplier-lookup/vend", &asked).await;
    for status in [500, 500, 202] {
        assert_eq!(world.post("client/1001/result", &result("0000")).await.status(), status);
    }
    let mut other = result("2010");
    other["raasTxnRef"] = "another".into();
    other["clientTxnRef"] = "s9402-7".into();
    assert_eq!(world.post("client/1001/result", &other).await.status(), StatusCode::GONE);
    assert_eq!(world.rules(), Vec::<&str>::new());
}

#[tokio::test]
async fn the_desk_takes_a_form_and_keeps_a_tokens_success() {
    let world = World::start().await;
    let report = async |token: &'static str, success: &'static str, key: &'static str| {
        let form = reqwest::multipart::Form::new().text("api_key", key).text("token", token);
        let form = form.text("activation_successful", success);
        let path = world.running.url("desk/api/v2/transaction-report/");
        let answer = world.http.post(path).multipart(form).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap_or_default())
    };
    assert_eq!(report("token-1", "True", "wrong").await.0, 401);
    assert_eq!(report("token-1", "maybe", "sample-desk-key").await.0, 400);
    let (status, body) = report("token-1", "True", "sample-desk-key").await;
    assert_eq!((status, &body["success"]), (200, &json!(1)));
    assert_eq!(report("t-s9501", "True", "sample-desk-key").await.0, 500);
    assert_eq!(report("t-s9501", "True", "sample-desk-key").await.1["success"], 1);
    assert_eq!(report("t-s9502", "True", "sample-desk-key").await.1["success"], 0);
    assert_eq!(world.count(EffectKind::Report), 2);
    report("token-1", "False", "sample-desk-key").await;
    assert_eq!(world.rules(), ["desk_key", "bad_body", "report_turned_back"]);
}

#[tokio::test]
async fn a_token_is_validated_with_one_timestamp() {
    let world = World::start().await;
    let validate = async |token: &str, timestamp: &str| -> Value {
        let body = format!(
            "api_key=sample-desk-key&timestamp={timestamp}&user_ip=198.51.100.7&user_agent=test&token={token}"
        );
        let request = world.http.post(world.running.url("desk/api/v1/token/validate/")).body(body);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.send().await.unwrap().json().await.unwrap()
    };
    assert_eq!(validate("token-1", "1").await["is_valid"], true);
    assert_eq!(validate("t-s9504", "1").await["threat_flags"], "SUSPICIOUS_TOKEN");
    validate("token-1", "2").await;
    assert_eq!(world.rules(), ["timestamp_changed"]);
}

#[tokio::test]
async fn a_provider_sends_a_message_once_by_its_reference_and_one_that_forgets_twice() {
    let world = World::start().await;
    let message = json!({
        "reference": format!("{PURCHASE}-n100"), "destination": "27821234567", "text": "hello",
    });
    for _ in 0..2 {
        let answer = world.post("sms/messages", &message).await;
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        world.post("sms-plain/messages", &message).await;
    }
    let messages = world.running.world().messages();
    let of = |party: &str| messages.iter().filter(|sent| &*sent.party == party).count();
    assert_eq!((of("sms"), of("sms-plain")), (1, 2));
    assert_eq!(world.rules(), Vec::<&str>::new());
    let mut changed = message.clone();
    changed["text"] = "bye".into();
    world.post("sms/messages", &changed).await;
    let mail = world.post("mail/messages", &message).await;
    assert_eq!(mail.status(), StatusCode::BAD_REQUEST, "an e-mail has a subject");
    assert_eq!(world.rules(), ["message_changed", "bad_body"]);
}
