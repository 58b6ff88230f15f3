//! Customer Account Validation: the supplier is asked, within bounds, whatever it answers.

use std::time::Duration;

use fleet_simulator::{Action, AnswerKind, Behaviour};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{HttpAnswer, connector, key_of};
use serde_json::{Value, json};
use tokio::time::Instant;

const PATH: &str = "/customerAccountValidation/1.0";

fn question(target: &str) -> Value {
    json!({
        "clientId": 1001, "purchaseAmount": 1500, "productId": 101, "targetIdentifier": target,
    })
}

async fn ask(fleet: &TestFleet, target: &str) -> HttpAnswer {
    fleet.post(PATH, &question(target)).await
}

fn asked(fleet: &TestFleet) -> usize {
    let calls = fleet.simulator().calls();
    calls.iter().filter(|call| call.action == Action::ValidateAccount).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supplier_is_asked_about_an_account_and_its_answer_is_told() {
    let fleet = TestFleet::builder()
        .workers(&["gateway"])
        .directory(|import| {
            let codes = &mut connector(import, "supplier-lookup").codes;
            codes.insert("NO_SUCH_METER".to_owned(), "2210".to_owned());
        })
        .start()
        .await;
    let found = ask(&fleet, "+27 825-550-001").await;
    assert_eq!((found.status, found.code().as_str()), (200, "0000"), "{found:?}");
    assert_eq!(found.headers["cache-control"], "no-store");
    let reply = found.json();
    assert_eq!(reply["customerName"], "Ada Sample");
    assert_eq!(reply["customerInfo"]["city"], "Sampleton");
    let account = json!({ "amount": 1500, "minimumAmount": 500, "arrears": 0 });
    assert_eq!(reply["accountInfo"], account);
    let call = fleet.simulator().calls().pop().unwrap();
    assert_eq!((&*call.party, &*call.reference), ("supplier-lookup", "27825550001"));

    let target = "2782555000";
    for (number, (told, code)) in
        [("2210", "2210"), ("NO_SUCH_METER", "2210"), ("7777", "2090"), ("2242", "2242")]
            .into_iter()
            .enumerate()
    {
        let target = format!("{target}{number}");
        let refuses = vec![Behaviour::refuses(told)];
        fleet.simulator().script(&target, Action::ValidateAccount, refuses);
        let answer = ask(&fleet, &target).await;
        assert_eq!((answer.status, answer.code().as_str()), (200, code), "{answer:?}");
        assert!(answer.json().get("customerName").is_none(), "{answer:?}");
    }
    // A supplier that has no such service, and a word of its own for it.
    let mut plain = question("27825550009");
    plain["productId"] = 301.into();
    for body in [plain, question("27825559262")] {
        let answer = fleet.post(PATH, &body).await;
        assert_eq!((answer.status, answer.code().as_str()), (202, "4010"), "{answer:?}");
    }
    assert_eq!(fleet.simulator().summary().violation_count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_answer_about_an_account_harms_nobody() {
    let fleet = TestFleet::builder()
        .workers(&["gateway"])
        .setting("gateway.validate_within_ms", 1_000)
        .start()
        .await;
    for secret in ["4111111111111111", "4111 1111 1111 1111", "Ada Sample"] {
        fleet.keep_secret(secret);
    }
    let dirty = ask(&fleet, "27825559265").await;
    assert_eq!((dirty.status, dirty.code().as_str()), (200, "0000"), "{dirty:?}");
    assert_eq!(dirty.json()["customerName"], "Ada Sample[31m", "no control characters");
    let info = dirty.json()["customerInfo"].clone();
    let names: Vec<_> = info.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["card", "number", "road"], "{info}");
    assert!(!dirty.text.contains("4111"), "{}", dirty.text);
    assert!(!dirty.text.contains("\\u"), "{}", dirty.text);

    for (number, (behaviour, code)) in [
        (Behaviour::effect_then(AnswerKind::Hang), "2060"),
        (Behaviour::effect_then(AnswerKind::Drip), "2060"),
        (Behaviour::slow(8_000), "2060"),
        (Behaviour::effect_then(AnswerKind::Garbage), "2090"),
        (Behaviour::effect_then(AnswerKind::Endless), "2090"),
        (Behaviour::effect_then(AnswerKind::Redirect), "2090"),
        (Behaviour::effect_then(AnswerKind::Reset), "2090"),
        (Behaviour::effect_then(AnswerKind::Close), "2090"),
        (Behaviour::status(500), "2090"),
        (Behaviour::status(429), "2225"),
        (Behaviour::status(501), "4010"),
    ]
    .into_iter()
    .enumerate()
    {
        let target = format!("278255501{number:02}");
        let what = format!("{:?}", behaviour.answer);
        fleet.simulator().script(&target, Action::ValidateAccount, vec![behaviour]);
        let (began, before) = (Instant::now(), asked(&fleet));
        let answer = ask(&fleet, &target).await;
        assert_eq!(answer.code(), code, "{what}: {answer:?}");
        assert_eq!(answer.status, if code == "4010" { 202 } else { 200 }, "{what}");
        assert!(began.elapsed() < Duration::from_secs(5), "{what} took {:?}", began.elapsed());
        assert_eq!(asked(&fleet), before + 1, "{what}: asked once");
    }
    assert_eq!(fleet.simulator().summary().violation_count(), 0, "no redirect was followed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_supplier_uses_up_its_own_places_only() {
    let fleet = TestFleet::builder()
        .workers(&["gateway"])
        .setting("gateway.validations_max", 2)
        .start()
        .await;
    let slow = "27825550123";
    let hangs = vec![Behaviour::effect_then(AnswerKind::Hang)];
    fleet.simulator().script(slow, Action::ValidateAccount, hangs);
    let waiting = async { tokio::join!(ask(&fleet, slow), ask(&fleet, slow)) };
    let meanwhile = async {
        fleet.until("both to be asked", async || asked(&fleet) == 2).await;
        let refused = ask(&fleet, "27825550124").await;
        assert_eq!((refused.status, refused.code().as_str()), (503, "0001"), "{refused:?}");
        assert_eq!(refused.headers["retry-after"], "1");
        let mut other = question("27825550125");
        other["productId"] = 102.into();
        assert_eq!(fleet.post(PATH, &other).await.code(), "0000", "another supplier");
    };
    let ((one, two), ()) = tokio::join!(waiting, meanwhile);
    assert_eq!((one.code().as_str(), two.code().as_str()), ("2060", "2060"));
    assert_eq!(ask(&fleet, "27825550124").await.code(), "0000", "their places are free again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validation_that_makes_no_sense_is_refused_and_nobody_is_asked() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    let body = question("27825550001");
    let post = |key: &str, body: &Value| {
        let request = fleet.http().post(fleet.url(PATH)).header("x-api-key", key);
        fleet.send(request.body(body.to_string()))
    };
    let own = key_of(1001);
    for field in ["clientId", "purchaseAmount", "productId", "targetIdentifier"] {
        let mut missing = body.clone();
        missing.as_object_mut().unwrap().remove(field);
        let answer = post(&own, &missing).await;
        let told = (answer.status, answer.code(), answer.message());
        assert_eq!(told, (400, "4000".to_owned(), format!("{field} is missing")));
    }
    for (field, value, status, code) in [
        ("clientId", json!(1002), 400, "4000"),
        ("clientId", json!("x"), 400, "4000"),
        ("purchaseAmount", json!(0), 400, "4000"),
        ("purchaseAmount", json!(100_001), 200, "2040"),
        ("purchaseAmount", json!(199), 200, "2050"),
        ("productId", json!(999), 400, "4000"),
        ("targetIdentifier", json!(""), 400, "4000"),
        ("targetIdentifier", json!("a\u{0}b"), 400, "4000"),
        ("targetIdentifier", json!("1".repeat(33)), 400, "4000"),
        ("sourceIdentifier", json!("<b>"), 400, "4000"),
    ] {
        let mut wrong = body.clone();
        wrong[field] = value;
        let answer = post(&own, &wrong).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{wrong}: {answer:?}");
        assert!(answer.message().starts_with(field), "{wrong}: {answer:?}");
    }
    assert_eq!(post("", &body).await.status, 401);
    assert_eq!(post("wrong", &body).await.status, 401);
    assert_eq!(asked(&fleet), 0);
}
