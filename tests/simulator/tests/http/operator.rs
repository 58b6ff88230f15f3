//! Operators that charge by SMS: the document's examples, every script, and what breaks a rule.

use fleet_simulator::{Action, AnswerKind, Behaviour, Confirmation, EffectKind, SimulatorSettings};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::documents::{golden, json_of, same_shape};
use crate::gateway::Gateway;
use crate::world::{PURCHASE, World, until, vend};

const MERCHANT: &str = "partner:02c76113-0ca7-4aed-88e2-75267bf85e82";

async fn world(gateway: &Gateway) -> World {
    World::with(SimulatorSettings::for_tests(&gateway.url)).await
}

fn query(msisdn: &str) -> Vec<(&'static str, String)> {
    let all = [
        ("msisdn", msisdn),
        ("campaign", "campaign:940d351138df895e8dedf51e5d7b90788cdc23d0"),
        ("merchant", MERCHANT),
        ("amount", "0.5"),
        ("currency", "KWD"),
        ("correlator", PURCHASE),
        ("description", "Game from Acme Games"),
    ];
    all.map(|(name, text)| (name, text.to_owned())).into()
}

async fn send(world: &World, query: &[(&'static str, String)]) -> reqwest::Result<Response> {
    let request = world.http.post(world.running.url("mo-sample/v2.2/mo/charge")).query(query);
    request.basic_auth("sample-mo", Some("sample-mo-password")).send().await
}

/// Charges the number that ends so; whether the operator says that it went well.
async fn charge(world: &World, code: &str) -> Value {
    let answer = send(world, &query(&format!("9652692{code}"))).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    answer.json::<Value>().await.unwrap()["success"].clone()
}

async fn check(world: &World, merchant: &str, id: &str) -> Response {
    let path = world.running.url("mo-sample/external/v1/merchant/check_transaction");
    let request = world.http.post(path).query(&[("merchant", merchant), ("transaction_id", id)]);
    request.basic_auth("sample-mo", Some("sample-mo-password")).send().await.unwrap()
}

/// The notifications of a charge by such a script, each with its kind, status and transaction.
async fn told(code: &str, count: usize) -> (World, Gateway, Vec<Value>) {
    let gateway = Gateway::start(&[]).await;
    let world = world(&gateway).await;
    assert_eq!(charge(&world, code).await, json!(true));
    let told = gateway.wait(count).await;
    let bodies = told.iter().map(|told| serde_json::from_str(&told.body).unwrap());
    let bodies = bodies.collect();
    (world, gateway, bodies)
}

fn status(body: &Value) -> &str {
    let inner = body.get("success").or_else(|| body.get("error")).unwrap();
    inner["transaction"]["status"].as_str().unwrap()
}

fn transaction(body: &Value) -> &str {
    body["success"]["transaction"]["transaction_id"].as_str().unwrap()
}

fn money(world: &World) -> (u64, u64) {
    (world.count(EffectKind::Reserve), world.count(EffectKind::Capture))
}

#[tokio::test]
async fn the_documents_request_is_taken_and_answered_as_it_says() {
    let gateway = Gateway::start(&[]).await;
    let settings = SimulatorSettings {
        mo_user: "Aladdin".to_owned(),
        mo_password: "open sesame".to_owned(),
        mo_environment: "test".to_owned(),
        ..SimulatorSettings::for_tests(&gateway.url)
    };
    let world = World::with(settings).await;
    let document = golden("mo_charge_request.txt");
    let lines: Vec<&str> = document.lines().collect();
    let (target, headers) = lines.split_at(lines.iter().position(|l| *l == "HTTP/1.1").unwrap());
    let target = target.concat();
    let path = target.strip_prefix("POST /").unwrap();
    let mut request = world.http.post(world.running.url(&format!("mo-sample/{path}")));
    for line in headers.iter().skip(1).filter(|line| !line.starts_with("Host")) {
        let (name, value) = line.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.json::<Value>().await.unwrap(), json_of("mo_charge_response.json"));
    let told = gateway.wait(1).await;
    assert_eq!((&*told[0].method, &*told[0].path), ("POST", "/callbacks/mo-charge/mo-sample"));
    let told: Value = serde_json::from_str(&told[0].body).unwrap();
    let document = json_of("mo_charged.json");
    same_shape(&told, &document);
    for field in ["type", "operator", "merchant", "campaign", "environment", "msisdn", "currency"] {
        assert_eq!(told["success"][field], document["success"][field], "{field}");
    }
    assert_eq!(told["success"]["amount"], document["success"]["amount"]);
    assert_eq!(told["success"]["correlator"], "we78fehjke8erwhjkre78");
    assert_eq!(world.rules(), Vec::<&str>::new());
}

#[tokio::test]
async fn errors_and_the_check_have_exactly_the_documents_fields() {
    for (code, file) in [
        ("9701", "mo_pin_expired.json"),
        ("9703", "mo_pin_used.json"),
        ("9704", "mo_pin_not_found.json"),
    ] {
        let (_world, _gateway, bodies) = told(code, 1).await;
        let document = json_of(file);
        same_shape(&bodies[0], &document);
        assert_eq!(status(&bodies[0]), status(&document));
    }
    let (world, _gateway, bodies) = told("0000", 1).await;
    let found = check(&world, MERCHANT, transaction(&bodies[0])).await;
    assert_eq!(found.status(), StatusCode::OK);
    same_shape(&found.json().await.unwrap(), &json_of("mo_check.json"));
    assert_eq!(check(&world, "partner:other", transaction(&bodies[0])).await.status(), 404);
    let unknown = check(&world, MERCHANT, "1").await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    assert!(unknown.json::<Value>().await.unwrap()["error"].is_object());
}

#[tokio::test]
async fn each_script_tells_what_it_says_and_takes_money_for_what_was_asked_only() {
    for (code, expected, moved) in [
        ("0000", &["CHARGED"][..], 1),
        ("9701", &["PIN_EXPIRED"], 0),
        ("9702", &["PIN_USED", "CHARGED"], 1),
        ("9703", &["PIN_USED"], 0),
        ("9704", &["PIN_NOT_FOUND", "CHARGED"], 1),
        ("9705", &["INSUFFICIENT_FUNDS"], 0),
        ("9707", &["CHARGED", "CHARGED"], 1),
        ("9708", &["CHARGED", "CHARGED"], 1),
        ("9709", &["CHARGED"], 0),
        ("9710", &["CHARGED"], 0),
        ("9711", &["CHARGED"], 0),
        ("9712", &["CHARGED", "CHARGED"], 1),
        ("9713", &["CHARGED"], 0),
        ("9714", &["CHARGED", "PIN_USED"], 1),
        ("9715", &["PIN_EXPIRED", "CHARGED"], 1),
        ("9720", &["CHARGED"], 1),
    ] {
        let (world, _gateway, bodies) = told(code, expected.len()).await;
        let all: Vec<&str> = bodies.iter().map(status).collect();
        assert_eq!(all, expected, "{code}");
        assert_eq!(money(&world), (moved, moved), "{code}");
        let summary = world.running.world().summary();
        let amount = summary.parties["mo-sample"].amounts.get(&EffectKind::Capture).copied();
        assert_eq!(amount.unwrap_or(0), if moved > 0 { 500 } else { 0 }, "{code}");
        assert_eq!((summary.duplicate_count(), summary.violation_count()), (0, 0), "{code}");
        for body in bodies.iter().filter(|body| body.get("success").is_some()) {
            let id = transaction(body);
            assert!(id.bytes().all(|byte| byte.is_ascii_digit()), "{id}");
            let found = check(&world, MERCHANT, id).await;
            let is_forged = code == "9711" || code == "9712" && *body == bodies[0];
            assert_eq!(found.status() == StatusCode::NOT_FOUND, is_forged, "{code}");
        }
    }
}

#[tokio::test]
async fn what_is_told_differs_from_the_request_as_the_script_says() {
    let field = async |code: &str, field: &str| {
        let (world, _gateway, bodies) = told(code, 1).await;
        let found = check(&world, MERCHANT, transaction(&bodies[0])).await;
        let found: Value = found.json().await.unwrap();
        (bodies[0]["success"][field].clone(), found[field].clone())
    };
    let both = |value: Value| (value.clone(), value);
    assert_eq!(field("0000", "amount").await, both(json!("0.5")));
    assert_eq!(field("9709", "amount").await, both(json!("0.499")));
    assert_eq!(field("9710", "environment").await, both(json!("test")));
    assert_eq!(field("9713", "msisdn").await, both(json!("96526929710")));
    assert_eq!(field("9720", "amount").await, (json!(0.5), json!("0.5")));
    let (_world, _gateway, same) = told("9707", 2).await;
    assert_eq!(same[0], same[1]);
    let (world, _gateway, other) = told("9708", 2).await;
    assert_ne!(transaction(&other[0]), transaction(&other[1]));
    let known = world.running.world().transactions_of(PURCHASE);
    assert!(known.len() == 2 && known.iter().all(|transaction| transaction.is_known));
}

#[tokio::test]
async fn a_notification_comes_again_until_it_is_answered_200() {
    let gateway = Gateway::start(&[503, 404, 202]).await;
    let world = world(&gateway).await;
    charge(&world, "0000").await;
    gateway.wait(1).await;
    until(|| world.running.world().summary().confirmations_taken == 1).await;
    assert_eq!((gateway.told().len(), money(&world)), (1, (1, 1)));
}

#[tokio::test]
async fn a_lost_or_refused_charge_may_be_repeated_and_sends_one_sms() {
    for (code, first, prompted) in [
        ("9717", Some(500), 1),
        ("9719", Some(429), 0),
        ("9723", Some(200), 0),
        ("9716", None, 1),
        ("9718", None, 0),
    ] {
        let gateway = Gateway::start(&[]).await;
        let world = world(&gateway).await;
        let own = query(&format!("9652692{code}"));
        let request = world.http.post(world.running.url("mo-sample/v2.2/mo/charge")).query(&own);
        let request = request.basic_auth("sample-mo", Some("sample-mo-password"));
        let answer = request.timeout(std::time::Duration::from_millis(700)).send().await;
        assert_eq!(answer.ok().map(|answer| answer.status().as_u16()), first, "{code}");
        assert_eq!(world.count(EffectKind::Prompt), prompted, "{code}");
        for _ in 0..2 {
            assert_eq!(charge(&world, code).await, json!(true), "{code}");
        }
        gateway.wait(1).await;
        assert_eq!(world.count(EffectKind::Prompt), 1, "{code}");
        assert_eq!(world.rules(), Vec::<&str>::new());
    }
}

#[tokio::test]
async fn the_check_answers_badly_as_its_scripts_say() {
    let (world, _gateway, bodies) = told("9721", 1).await;
    for expected in [500, 500, 200] {
        assert_eq!(check(&world, MERCHANT, transaction(&bodies[0])).await.status(), expected);
    }
    let (world, _gateway, bodies) = told("9722", 1).await;
    let path = world.running.url("mo-sample/external/v1/merchant/check_transaction");
    let asked = [("merchant", MERCHANT), ("transaction_id", transaction(&bodies[0]))];
    let request = world.http.post(path).query(&asked);
    let request = request.basic_auth("sample-mo", Some("sample-mo-password"));
    let request = request.timeout(std::time::Duration::from_millis(300));
    assert!(request.send().await.unwrap_err().is_timeout());
    assert_eq!(check(&world, MERCHANT, transaction(&bodies[0])).await.status(), 200);
}

#[tokio::test]
async fn a_silent_buyer_tells_nothing_and_a_quick_one_is_first() {
    let gateway = Gateway::start(&[]).await;
    let world = world(&gateway).await;
    charge(&world, "9706").await;
    let quick = vec![Confirmation::before_answer("CHARGED")];
    let quick = Behaviour { confirm: quick, ..Behaviour::ok() };
    world.running.world().script("quick", Action::MoCharge, vec![quick]);
    let mut other = query("96526920000");
    other[5].1 = "quick".to_owned();
    send(&world, &other).await.unwrap();
    let told = gateway.told();
    assert_eq!(told.len(), 1, "the answer came after it");
    assert!(told[0].body.contains("quick"));
}

#[tokio::test]
async fn goods_before_the_money_are_a_violation() {
    let gateway = Gateway::start(&[]).await;
    let world = world(&gateway).await;
    charge(&world, "9711").await;
    gateway.wait(1).await;
    world.code("supplier-lookup/vend", &vend(0)).await;
    assert_eq!(world.rules(), ["vend_without_hold"]);
    world.running.world().reset();
    charge(&world, "0000").await;
    gateway.wait(2).await;
    world.code("supplier-lookup/vend", &vend(0)).await;
    assert_eq!(world.rules(), Vec::<&str>::new());
}

#[tokio::test]
async fn a_query_that_is_not_as_the_document_says_is_refused_and_recorded() {
    let gateway = Gateway::start(&[]).await;
    let world = world(&gateway).await;
    let whole = query("96526920000");
    let mut wrong = Vec::new();
    for at in 0..whole.len() {
        let mut missing = whole.clone();
        missing.remove(at);
        let mut empty = whole.clone();
        empty[at].1 = String::new();
        let mut twice = whole.clone();
        twice.push(whole[at].clone());
        wrong.extend([missing, empty, twice]);
    }
    for (at, text) in [
        (0, "+96526920000"),
        (1, "940d351138df"),
        (2, "02c76113"),
        (3, "0.5001"),
        (3, "-0.5"),
        (3, "5e-1"),
        (4, "kwd"),
        (6, "a\u{0}b"),
    ] {
        let mut changed = whole.clone();
        changed[at].1 = text.to_owned();
        wrong.push(changed);
    }
    for query in &wrong {
        assert_eq!(send(&world, query).await.unwrap().status(), 400, "{query:?}");
    }
    let url = world.running.url("mo-sample/v2.2/mo/charge");
    let request = world.http.post(url).query(&whole).body("{}");
    let request = request.basic_auth("sample-mo", Some("sample-mo-password"));
    assert_eq!(request.send().await.unwrap().status(), 400);
    assert_eq!(world.rules(), vec!["bad_body"; wrong.len() + 1]);
    assert!(world.running.world().effects().is_empty());
}

#[tokio::test]
async fn a_wrong_password_and_a_changed_charge_break_a_rule() {
    let gateway = Gateway::start(&[]).await;
    let world = world(&gateway).await;
    let url = world.running.url("mo-sample/v2.2/mo/charge");
    let request = world.http.post(&url).query(&query("96526920000"));
    assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let request = world.http.post(&url).query(&query("96526920000"));
    let request = request.basic_auth("sample-mo", Some("wrong"));
    assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    charge(&world, "0000").await;
    let mut changed = query("96526920000");
    changed[3].1 = "0.6".to_owned();
    assert_eq!(send(&world, &changed).await.unwrap().status(), StatusCode::BAD_REQUEST);
    assert_eq!(world.rules(), ["basic_auth", "basic_auth", "correlator_changed"]);
    assert_eq!(world.count(EffectKind::Prompt), 1);
    assert_eq!(world.post("wallet/v2.2/mo/charge", &json!({})).await.status(), 404);
}

#[tokio::test]
async fn scripts_for_the_payer_and_the_target_go_together() {
    let gateway = Gateway::start(&[]).await;
    let world = world(&gateway).await;
    let hang = Behaviour::effect_then(AnswerKind::Reset);
    world.script(Action::MoCharge, vec![hang, Behaviour::ok()]);
    assert!(send(&world, &query("96526929721")).await.is_err());
    let bodies = gateway.wait(1).await;
    let body: Value = serde_json::from_str(&bodies[0].body).unwrap();
    let mut asked = vend(0);
    asked["targetIdentifier"] = "27820009201".into();
    assert_eq!(world.code("supplier-lookup/vend", &asked).await, "2213");
    for expected in [500, 500, 200] {
        assert_eq!(check(&world, MERCHANT, transaction(&body)).await.status(), expected);
    }
}
