//! Requests that are no purchase: a code that names the field, and nothing is stored.

use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{
    HttpAnswer, REQUIRED_FIELDS, RESERVE_AND_TRANSACT, TRANSACT, client, key_of, purchase,
};
use secrecy::SecretString;
use serde_json::{Value, json};

fn changed(field: &str, value: Value) -> Value {
    let mut body = purchase("0000");
    body[field] = value;
    body
}

/// Sends bytes as they are, with the key of client 1001.
async fn send(fleet: &TestFleet, body: impl Into<reqwest::Body>) -> HttpAnswer {
    let request = fleet.http().post(fleet.url(TRANSACT)).header("x-api-key", key_of(1001));
    fleet.send(request.body(body)).await
}

async fn stored(fleet: &TestFleet) -> i64 {
    fleet.summary().await.purchases.iter().map(|row| row.purchases).sum()
}

/// Every rule about one field (contracts, section 1).
fn wrong_values() -> Vec<(&'static str, Value)> {
    let long = json!("x".repeat(65));
    let card = json!("4111111111111111");
    let mut wrong = Vec::new();
    for field in ["clientId", "productId", "purchaseAmount", "channelId"] {
        for value in [json!(null), json!("abc"), json!(""), json!(1.5), json!(true), json!([])] {
            wrong.push((field, value));
        }
        wrong.push((field, json!("99999999999999999999")));
        wrong.push((field, json!(9_999_999_999_999_999_999_u64)));
    }
    wrong.extend([json!("abc"), json!(1.5), json!({})].map(|value| ("feeAmount", value)));
    for field in ["clientTxnRef", "currencyCode", "sourceIdentifier", "targetIdentifier"] {
        wrong.extend([json!(null), json!(7), json!(""), json!([])].map(|value| (field, value)));
    }
    for field in ["sourceIdentifier", "targetIdentifier"] {
        for text in [" ", "+", "27#82", "a\u{0}b", "é", "27820001234;drop"] {
            wrong.push((field, json!(text)));
        }
        wrong.push((field, json!("1".repeat(33))));
    }
    for field in [
        "clientTxnRef",
        "authCode",
        "channelName",
        "channelSessionId",
        "reserveFundsTxnRef",
        "accountIdentifier",
    ] {
        wrong.extend([long.clone(), json!("a\u{0}b"), json!(5)].map(|value| (field, value)));
    }
    for field in ["clientTxnRef", "authCode", "channelName", "reserveFundsTxnRef"] {
        wrong.push((field, card.clone()));
    }
    for text in ["now", "2026-02-30T10:00:00Z", "2026-01-31Tgarbage", "31/01/2026"] {
        wrong.push(("timestamp", json!(text)));
    }
    wrong
        .extend([json!(0), json!(-1), json!(1_000_000_000_000_i64)].map(|v| ("purchaseAmount", v)));
    wrong.extend(["ZA", "zar", "USD", "ZARR", "4111"].map(|text| ("currencyCode", json!(text))));
    wrong.extend([json!(999), json!(-1)].map(|value| ("productId", value)));
    wrong.extend([json!(9999), json!(1002), json!(-1)].map(|value| ("clientId", value)));
    wrong.push(("channelId", json!(9_999_999_999_i64)));
    wrong.extend([json!({}), json!([])].map(|value| ("fundingSourceId", value)));
    wrong.push(("additionalData", json!("text")));
    wrong
}

/// What sits in `additionalData`, and the field that the answer has to name.
fn wrong_extras() -> Vec<(Value, &'static str)> {
    vec![
        (json!({ "fundingSource": { "type": "gold" } }), "fundingSource.type"),
        (json!({ "fundingSource": { "type": "bank" } }), "fundingSource.type"),
        (json!({ "fundingSource": "bank" }), "additionalData.fundingSource"),
        (json!({ "fraud": { "token": 7 } }), "additionalData.fraud.token"),
        (json!({ "fraud": { "token": "x".repeat(513) } }), "fraud.token"),
        (json!({ "fraud": { "tokenCreatedAt": "now" } }), "additionalData.fraud.tokenCreatedAt"),
        (json!({ "fraud": { "externalUserId": "x".repeat(129) } }), "fraud.externalUserId"),
        (json!({ "deliver": "transact_result" }), "additionalData.deliver"),
        (json!({ "deliver": vec!["x"; 9] }), "deliver"),
        (json!({ "deliver": ["transact_reslt"] }), "deliver"),
        (json!({ "deliver": ["transact_result", "sms"] }), "deliver"),
        (json!({ "deliver": ["card_get"] }), "deliver"),
        (json!({ "notify": ["x".repeat(65)] }), "notify"),
    ]
}

fn assert_names(answer: &HttpAnswer, field: &str, what: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (400, "4000"), "{what}: {answer:?}");
    let message = answer.message();
    assert!(message.starts_with(&format!("{field} ")), "{what} is answered: {message}");
    assert!(answer.json().get("raasTxnRef").is_none(), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_field_is_named_and_nothing_is_stored() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    for (field, value) in wrong_values() {
        let what = format!("{field} = {value}");
        let body = changed(field, value);
        fleet.keep_private(&body);
        let answer = send(&fleet, body.to_string()).await;
        assert_names(&answer, field, &what);
        assert!(!answer.text.contains("4111"), "a value is repeated: {answer:?}");
    }
    for field in REQUIRED_FIELDS {
        let mut body = purchase("0000");
        body.as_object_mut().unwrap().remove(field);
        for path in [TRANSACT, RESERVE_AND_TRANSACT] {
            assert_names(&fleet.post(path, &body).await, field, "without it");
        }
    }
    for (extras, field) in wrong_extras() {
        let what = extras.to_string();
        assert_names(&fleet.transact(&changed("additionalData", extras)).await, field, &what);
    }
    let unknown = changed("fundingSourceId", json!("nobody"));
    assert_names(&fleet.reserve_and_transact(&unknown).await, "fundingSourceId", "nobody");
    let sms = json!({ "fundingSource": { "type": "mo_charge" } });
    let answer = fleet.reserve_and_transact(&changed("additionalData", sms)).await;
    assert_names(&answer, "fundingSourceId", "a source of another type");

    for (field, value, code) in [
        ("purchaseAmount", json!(100_001), "2040"),
        ("purchaseAmount", json!("999999999999"), "2040"),
        ("purchaseAmount", json!(199), "2050"),
        ("feeAmount", json!(49), "2055"),
        ("feeAmount", json!(-1), "2055"),
        ("sourceIdentifier", json!("27820000666"), "2070"),
        ("sourceIdentifier", json!("+27 82-000-0666"), "2070"),
    ] {
        let answer = fleet.transact(&changed(field, value)).await;
        assert_eq!((answer.status, answer.code().as_str()), (200, code), "{answer:?}");
        assert!(answer.message().starts_with(field), "{answer:?}");
    }
    assert_eq!(stored(&fleet).await, 0);

    // Numbers may be texts, a timestamp has many forms, unknown fields are ignored.
    let mut body = purchase("0000");
    for (field, text) in [
        ("clientId", "1001"),
        ("productId", "101"),
        ("purchaseAmount", "1500"),
        ("feeAmount", "50"),
        ("channelId", "7"),
        ("timestamp", "2026-01-31 10:00"),
        ("colour", "red"),
    ] {
        body[field] = text.into();
    }
    body["additionalData"] = json!({ "other": { "a": [1] } });
    fleet.transact(&body).await.accepted();
    assert_eq!(stored(&fleet).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_signatures_and_bodies_are_checked_before_anything_is_stored() {
    let signed_1001 = |import: &mut fleet_store::DirectoryImport| {
        let secret = SecretString::from("sample-signature-1002");
        client(import, 1001).signature_secret = Some(secret);
    };
    let fleet = TestFleet::builder().workers(&["gateway"]).directory(signed_1001).start().await;
    keys(&fleet).await;
    signatures(&fleet).await;
    bodies(&fleet).await;
    assert_eq!(stored(&fleet).await, 0);

    // Right to the last byte, signed where a client may sign, deep where nobody looks.
    let mut text = purchase("0000").to_string();
    text.push_str(&" ".repeat(65_536_usize.saturating_sub(text.len())));
    send(&fleet, text).await.accepted();
    let text = purchase("0000").to_string();
    let signature = fleet_outbound::hmac_sha256_base64("sample-signature-1002", text.as_bytes());
    let request = fleet.http().post(fleet.url(TRANSACT)).header("x-api-key", key_of(1001));
    fleet.send(request.header("signature", signature).body(text)).await.accepted();
    let deep = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        purchase("0000").to_string().replacen('{', &format!("{{\"x\":{open}{close},"), 1)
    };
    // Deeper than anybody looks for a key that stands there twice.
    for levels in [128, 1_000, 10_000] {
        let refused = send(&fleet, deep(levels)).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "4000"), "{levels}");
    }
    send(&fleet, deep(100)).await.accepted();
    fleet.transact(&changed("clientId", json!(1002))).await.accepted();
    assert_eq!(stored(&fleet).await, 4);
}

async fn keys(fleet: &TestFleet) {
    let mut answers = Vec::new();
    let post = || fleet.http().post(fleet.url(TRANSACT)).body(purchase("0000").to_string());
    answers.push(fleet.send(post()).await);
    let long = "x".repeat(10_000);
    for key in ["", "wrong", "sample-key-9999", long.as_str(), "sample-key-1001,sample-key-1001"] {
        answers.push(fleet.send(post().header("x-api-key", key)).await);
    }
    for second in ["sample-key-1001", "sample-key-1002", ""] {
        let two = post().header("x-api-key", key_of(1001)).header("x-api-key", second);
        answers.push(fleet.send(two).await);
    }
    let bytes = reqwest::header::HeaderValue::from_bytes(b"\xff\xfe").unwrap();
    answers.push(fleet.send(post().header("x-api-key", bytes)).await);
    for answer in &answers {
        assert_eq!((answer.status, &answer.text), (401, &answers[0].text), "the same for all");
    }
    let request = post().header("x-api-key", key_of(1002));
    let body = purchase("0000").to_string();
    let signature = fleet_outbound::hmac_sha256_base64("sample-signature-1002", body.as_bytes());
    let answer = fleet.send(request.header("signature", signature).body(body)).await;
    assert_names(&answer, "clientId", "another client's number");
}

async fn signatures(fleet: &TestFleet) {
    let mut body = purchase("0000");
    // Client 1001 may sign, client 1002 must.
    for (number, sent) in [(1001, Some("d3Jvbmc=")), (1001, Some("")), (1002, None)] {
        body["clientId"] = number.into();
        let request = fleet.http().post(fleet.url(TRANSACT)).header("x-api-key", key_of(number));
        let request = match sent {
            Some(signature) => request.header("signature", signature),
            None => request,
        };
        let answer = fleet.send(request.body(body.to_string())).await;
        assert_eq!(answer.status, 401, "{number} {sent:?}: {answer:?}");
    }
    let text = body.to_string();
    let signature = fleet_outbound::hmac_sha256_base64("sample-signature-1002", text.as_bytes());
    // Right, and there twice.
    let request = fleet.http().post(fleet.url(TRANSACT)).header("x-api-key", key_of(1002));
    let request = request.header("signature", &signature).header("signature", &signature);
    let answer = fleet.send(request.body(text.clone())).await;
    assert_eq!(answer.status, 401, "{answer:?}");
    // Right for other bytes.
    let request = fleet.http().post(fleet.url(TRANSACT)).header("x-api-key", key_of(1002));
    let answer = fleet.send(request.header("signature", signature).body(format!("{text} "))).await;
    assert_eq!(answer.status, 401, "{answer:?}");
}

async fn bodies(fleet: &TestFleet) {
    let deep = format!("{{\"additionalData\":{{\"a\":{}}}}}", "[".repeat(10_000));
    let closed = format!("{{\"additionalData\":{{\"a\":{}{}}}}}", "[".repeat(200), "]".repeat(200));
    let after = format!("{} x", purchase("0000"));
    let bodies: [(&[u8], &str); 11] = [
        (b"", "body"),
        (b"hello", "body"),
        (b"\xff\xfe", "body"),
        (b"{", "body"),
        (b"[]", "body"),
        (b"null", "body"),
        (b"\"text\"", "body"),
        (br#"{"clientId":1001,"clientId":1001}"#, "clientId"),
        (deep.as_bytes(), "body"),
        (closed.as_bytes(), "body"),
        (after.as_bytes(), "body"),
    ];
    for (body, field) in bodies {
        let what = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        assert_names(&send(fleet, body.to_vec()).await, field, &what);
    }
    for bytes in [65_537, 131_072] {
        let mut text = purchase("0000").to_string();
        text.push_str(&" ".repeat(bytes - text.len()));
        let answer = send(fleet, text).await;
        assert_names(&answer, "body", "a long one");
        assert_eq!(answer.message(), "body is longer than 65536 bytes");
    }
}
