//! Messages that are no purchase: each is kept as it came, with its cause, and harms nobody.

use fleet_contracts::{Queue, RequestedOutcome};
use fleet_store::DeadLetterView;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{Letter, REQUIRED_FIELDS, client, purchase};
use serde_json::{Value, json};

/// A bad message: its name, the message, its cause and what its detail begins with.
type Case = (String, Letter, &'static str, String);

fn message() -> Value {
    let mut body = purchase("0000");
    body["scenario"] = "client_reserved".into();
    body
}

fn changed(change: impl FnOnce(&mut Value)) -> Letter {
    let mut body = message();
    change(&mut body);
    Letter::purchase(&body)
}

/// What is wrong with the message itself.
fn unreadable() -> Vec<Case> {
    let case = |name: &str, body: &[u8], detail: &str| {
        (name.to_owned(), Letter::new(body), "invalid", detail.to_owned())
    };
    let deep = format!("{{\"additionalData\":{{\"a\":{}}}}}", "[".repeat(20_000));
    let twice = r#"{"clientId":1001,"clientId":1002}"#;
    let too_long = "x".repeat(65_537);
    let later = json!({ "v": 2, "order": { "entirely": "different" } }).to_string();
    let mut without_id = Letter::purchase(&message());
    without_id.message_id = None;
    let mut with_empty_id = Letter::purchase(&message());
    with_empty_id.message_id = Some(String::new());
    let own = |name: &str, letter, cause, detail: &str| {
        (name.to_owned(), letter, cause, detail.to_owned())
    };
    vec![
        case("empty", b"", "body is not well-formed JSON"),
        case("no-json", b"hello", "body is not well-formed JSON"),
        case("no-text", b"\xff\xfe\x00", "body is not well-formed JSON"),
        case("cut", br#"{"clientId":10"#, "body is not well-formed JSON"),
        case("a-list", b"[]", "body "),
        case("deep", deep.as_bytes(), "body is nested too deeply"),
        case("twice", twice.as_bytes(), "clientId stands there twice"),
        own("too-long", Letter::new(too_long), "too_long", "body is longer than 65536 bytes"),
        own("later", Letter::new(later), "newer_version", "v is newer than this build reads"),
        own("later-too", changed(|v| v["v"] = 7.into()), "newer_version", "v is newer"),
        own("no-id", without_id, "no_message_id", "message_id is missing"),
        own("empty-id", with_empty_id, "no_message_id", "message_id is missing"),
    ]
}

/// What is wrong with a field.
fn wrong_fields() -> Vec<Case> {
    let mut cases = Vec::new();
    for field in REQUIRED_FIELDS {
        let letter = changed(|v| drop(v.as_object_mut().unwrap().remove(field)));
        cases.push((format!("no-{field}"), letter, "invalid", format!("{field} is missing")));
    }
    let values = [
        ("v", json!(0), "v must be 1"),
        ("v", json!("one"), "v has the wrong type"),
        ("scenario", json!(null), "scenario must be"),
        ("scenario", json!("neither"), "scenario must be"),
        ("clientId", json!("abc"), "clientId has the wrong type"),
        ("clientId", json!(999_999), "clientId is not an active client"),
        ("productId", json!(999), "productId is not an active product"),
        ("productId", json!([]), "productId has the wrong type"),
        ("purchaseAmount", json!(0), "purchaseAmount must be 1 to"),
        ("purchaseAmount", json!(100_001), "purchaseAmount is above the maximum"),
        ("feeAmount", json!(49), "feeAmount must be 50"),
        ("currencyCode", json!("USD"), "currencyCode must be ZAR"),
        ("clientTxnRef", json!("4111 1111 1111 1111"), "clientTxnRef looks like a card number"),
        ("clientTxnRef", json!("a\u{0}b"), "clientTxnRef has control characters"),
        ("sourceIdentifier", json!("27820000666"), "sourceIdentifier is blacklisted"),
        ("targetIdentifier", json!("x".repeat(33)), "targetIdentifier must be"),
        ("timestamp", json!("yesterday"), "timestamp is not an ISO 8601"),
        ("fundingSource", json!({ "type": "gold" }), "fundingSource.type must be one of"),
        ("fraud", json!({ "token": 7 }), "fraud.token has the wrong type"),
        ("deliver", json!(vec!["x"; 9]), "deliver has more than 8 names"),
    ];
    for (n, (field, value, detail)) in values.into_iter().enumerate() {
        let letter = changed(|v| v[field] = value);
        cases.push((format!("{n}-{field}"), letter, "invalid", detail.to_owned()));
    }
    let letter = changed(|v| v["clientId"] = 1002.into());
    let detail = "clientId is not open to this broker user".to_owned();
    cases.push(("not-allowed".to_owned(), letter, "not_allowed", detail));
    cases
}

/// Nothing about a letter may depend on what the fleet itself cannot store.
fn hostile_properties() -> Case {
    let mut letter = Letter::new("no purchase").header("odd", "a\u{0}b");
    letter.message_id = Some("a\u{0}b".to_owned());
    for n in 0..40 {
        letter = letter.header(&format!("h{n:02}"), &"é".repeat(300));
    }
    let letter = letter.header("fleet-cause", "conflict").header("fleet-queue", "elsewhere");
    ("hostile".to_owned(), letter, "invalid", "body is not well-formed JSON".to_owned())
}

fn named<'a>(letters: &'a [DeadLetterView], name: &str) -> &'a DeadLetterView {
    let found = letters.iter().find(|letter| letter.headers["case"] == name);
    found.unwrap_or_else(|| panic!("no letter {name}: {letters:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_purchase_is_kept_as_it_came_with_its_cause_and_nothing_stops() {
    let fleet = TestFleet::builder()
        .workers(&["reservation"])
        .directory(|import| client(import, 1002).broker_users = vec!["svc-other".to_owned()])
        .start()
        .await;
    fleet.allow_log("dead letter");
    let (shop, administrator) = (fleet.shop().await, fleet.administrator().await);
    let first = message();
    shop.request(&Letter::purchase(&first)).await;
    fleet.wait_stored(1001, first["clientTxnRef"].as_str().unwrap()).await;

    let mut cases = unreadable();
    cases.extend(wrong_fields());
    cases.push(hostile_properties());
    let mut other = first.clone();
    other["purchaseAmount"] = 1600.into();
    let detail = "clientTxnRef was used before for another purchase".to_owned();
    cases.push(("conflict".to_owned(), Letter::purchase(&other), "conflict", detail));
    for (name, letter, _, _) in &mut cases {
        *letter = letter.clone().header("case", name).header("app", "number 7");
        letter.correlation_id = Some("question-7".to_owned());
        shop.request(letter).await;
    }
    // The broker says who published; a message without that is nobody's.
    let nobodys = changed(|_| {}).header("case", "nobody").header("app", "number 7");
    administrator.request(&nobodys).await;
    cases.push(("nobody".to_owned(), nobodys, "not_allowed", "user_id is missing".to_owned()));
    // One that comes twice is one letter.
    shop.request(&cases[0].1).await;
    let last = message();
    shop.request(&Letter::purchase(&last)).await;
    fleet.wait_stored(1001, last["clientTxnRef"].as_str().unwrap()).await;

    let letters = fleet.wait_letters(cases.len()).await;
    for (name, sent, cause, detail) in &cases {
        let kept = named(&letters, name);
        assert_eq!(kept.row.cause, *cause, "{name}: {}", kept.row.detail);
        assert!(kept.row.detail.starts_with(detail), "{name}: {}", kept.row.detail);
        // A card number is not kept, and so neither is what it stands in.
        let body = if detail.contains("card number") { [].as_slice() } else { &sent.body };
        assert!(kept.body.as_deref() == Ok(body), "{name}: the body is not the one that was sent");
        assert_eq!(kept.row.queue, "fleet.requested", "{name}");
        assert_eq!(kept.headers["app"], "number 7", "{name}");
        let id = sent.message_id.as_deref().filter(|id| !id.is_empty());
        assert_eq!(kept.row.message_id, id.map(|id| id.replace('\0', "\u{fffd}")), "{name}");
        if name != "nobody" {
            assert_eq!(kept.headers["fleet-user-id"], "svc-shop", "{name}");
            assert_eq!(kept.headers["fleet-correlation-id"], "question-7", "{name}");
        }
    }
    operators_see(&fleet, &cases).await;
    nothing_is_left(&fleet, cases.len()).await;
}

async fn operators_see(fleet: &TestFleet, cases: &[Case]) {
    let list = fleet.operator(&["dead", "list", "--limit", "1000"]).await;
    let rows = list["letters"].as_array().unwrap();
    assert_eq!(rows.len(), cases.len(), "{list}");
    for cause in ["invalid", "conflict", "too_long", "no_message_id", "newer_version"] {
        let list = fleet.operator(&["dead", "list", "--cause", cause]).await;
        let expected = cases.iter().filter(|case| case.2 == cause).count();
        let found = list["letters"].as_array().unwrap();
        assert_eq!(found.len(), expected, "{cause}");
        assert!(found.iter().all(|row| row["cause"] == cause), "{list}");
    }
    let too_long = rows.iter().find(|row| row["cause"] == "too_long").unwrap();
    assert_eq!(too_long["body_bytes"], 65_537);
    let shown = fleet.operator(&["dead", "show", too_long["id"].as_str().unwrap()]).await;
    assert_eq!(shown["headers"]["app"], "number 7", "{shown}");
    assert_eq!(shown["headers"]["fleet-detail"], "body is longer than 65536 bytes");
    assert_eq!(shown["state"], "new");
    assert!(shown["body_sha256"].is_string() && shown.get("body").is_none(), "{shown}");
}

/// The program ends in order, and nothing that it had taken comes back.
async fn nothing_is_left(fleet: &TestFleet, letters: usize) {
    fleet.stop(fleet.index_of("reservation")).await;
    let administrator = fleet.administrator().await;
    for queue in [Queue::Requested, Queue::Dead] {
        assert_eq!(administrator.ready(queue).await, 0, "{queue:?}");
    }
    assert_eq!(fleet.letters().await.len(), letters);
    let stored: i64 = fleet.summary().await.purchases.iter().map(|row| row.purchases).sum();
    assert_eq!(stored, 2, "only the two that were purchases");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wants_an_answer_is_told_what_became_of_the_message() {
    let fleet = TestFleet::builder().workers(&["reservation"]).start().await;
    fleet.allow_log("dead letter");
    let shop = fleet.shop().await;
    let mut replies = shop.replies().await;
    let mut ask = async |body: &Value| {
        fleet.keep_private(body);
        let letter = Letter::purchase(body).answered(&replies);
        shop.request(&letter).await;
        let (reply, word) = replies.next().await;
        assert_eq!(word, letter.correlation_id, "the asker's word for its question");
        reply
    };
    let mut body = message();
    body["colour"] = "red".into();
    body["extra"] = json!({ "deep": [[[[]]]] });
    let accepted = ask(&body).await;
    assert_eq!(accepted.outcome, RequestedOutcome::Accepted, "unknown fields are ignored");
    assert_eq!((accepted.v, accepted.response_code.as_str()), (1, "0000"));
    let id = fleet.wait_stored(1001, body["clientTxnRef"].as_str().unwrap()).await;
    assert_eq!(accepted.raas_txn_ref, Some(id.to_string()));
    let metrics = fleet.admin(fleet.index_of("reservation"), "/metrics").await.text;
    let counted = metrics.lines().find(|line| line.starts_with("fleet_unknown_fields_total"));
    let count = counted.and_then(|line| line.rsplit(' ').next());
    assert_eq!(count, Some("2"), "unknown fields are counted: {counted:?}");

    body["timestamp"] = "2026-02-01T10:00:00Z".into();
    let again = ask(&body).await;
    assert_eq!(again.outcome, RequestedOutcome::Accepted);
    assert_eq!(again.raas_txn_ref, accepted.raas_txn_ref);
    body["purchaseAmount"] = 1600.into();
    let conflict = ask(&body).await;
    assert_eq!(conflict.outcome, RequestedOutcome::Conflict);
    assert_eq!(conflict.response_code, "4000");
    assert_eq!(conflict.field.as_deref(), Some("clientTxnRef"));
    body["clientTxnRef"] = "other-1".into();
    body["purchaseAmount"] = "much".into();
    let invalid = ask(&body).await;
    assert_eq!(invalid.outcome, RequestedOutcome::Invalid);
    assert_eq!((invalid.response_code.as_str(), invalid.raas_txn_ref), ("4000", None));
    assert_eq!(invalid.field.as_deref(), Some("purchaseAmount"));
    body["purchaseAmount"] = 100_001.into();
    assert_eq!(ask(&body).await.response_code, "2040");

    // An answer that goes nowhere harms nobody, and none goes into a queue of the fleet.
    for queue in ["reply.svc-shop.gone", "fleet.settle", "fleet.requested"] {
        let body = message();
        let mut letter = Letter::purchase(&body);
        letter.reply_to = Some(queue.to_owned());
        shop.request(&letter).await;
        fleet.wait_stored(1001, body["clientTxnRef"].as_str().unwrap()).await;
    }
    assert_eq!(fleet.letters().await.len(), 3, "the conflict and the two that were invalid");
    fleet.stop(fleet.index_of("reservation")).await;
    let administrator = fleet.administrator().await;
    assert_eq!(administrator.ready(Queue::Settle).await, 0);
    assert_eq!(administrator.ready(Queue::Requested).await, 0);
}
