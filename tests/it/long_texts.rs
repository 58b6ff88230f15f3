//! Texts of 10,000 characters in every field that is looked for by an index: refused by the field's name,
//! or kept as far as the documents say, and never an error of the database.

use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{HttpAnswer, key_of, purchase};
use serde_json::json;

fn long() -> String {
    "\u{e9}".repeat(10_000)
}

/// What a client sends: each of these is refused by its name.
const OF_PURCHASES: [&str; 5] = [
    "clientTxnRef",
    "reserveFundsTxnRef",
    "sourceIdentifier",
    "targetIdentifier",
    "channelSessionId",
];
/// What a card gateway tells, in the order of its parameters.
const OF_SALES: [&str; 5] = ["status", "orderid", "client_orderid", "type", "amount"];

fn named(answer: &HttpAnswer, text: &str, field: &str) {
    assert_eq!(answer.status, 400, "{field}: {answer:?}");
    assert!(text.starts_with(field), "{field}: {text}");
    assert!(!answer.text.contains(&long()[..100]), "{field}: the value is repeated");
}

async fn counted(fleet: &TestFleet, sql: &'static str) -> i64 {
    let mut connection = fleet.database().connection().await.unwrap();
    sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_clients_send_is_refused_by_the_name_of_its_field() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    for path in ["/transact/4.0", "/reserveAndTransact/4.0"] {
        for field in OF_PURCHASES {
            let mut body = purchase("0000");
            body[field] = long().into();
            let answer = fleet.post(path, &body).await;
            named(&answer, &answer.message(), field);
        }
    }
    let payment = |field: &str| {
        let mut body = json!({
            "account_id": "1", "amount": "2", "order_info": "Bookingid23", "currency": "USD",
        });
        body[field] = long().into();
        let request = fleet.http().post(fleet.url("/api/card-payments")).body(body.to_string());
        request.header("authorization", key_of(1021))
    };
    for field in ["order_info", "account_id"] {
        let answer = fleet.send(payment(field)).await;
        let message = answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
        named(&answer, &message, field);
    }
    let note = json!({
        "clientId": 1001, "clientNotificationRef": long(), "channelId": 6,
        "transactionRef": "0198f000-0000-7000-8000-000000000000",
        "destinationIdentifier": "27821234567", "message": "m",
    });
    let answer = fleet.post("/notification/1.0", &note).await;
    named(&answer, &answer.message(), "clientNotificationRef");
    for parameter in ["clientTransactionReference", "reserveFundsTxnRef", "raasTxnRef"] {
        let answer = fleet.look_up(1001, &format!("{parameter}={}", "x".repeat(10_000))).await;
        assert!([400, 404].contains(&answer.status), "{parameter}: {answer:?}");
    }
    assert_eq!(counted(&fleet, "select count(*) from purchase").await, 0);
    assert_eq!(counted(&fleet, "select count(*) from notification").await, 0);
}

/// A supplier's confirmation with one field of 10,000 characters.
async fn confirm(fleet: &TestFleet, field: &str) -> HttpAnswer {
    let mut body = json!({ "vendRef": "x", "responseCode": "0000", "supplierRef": "s-1" });
    body[field] = long().into();
    let body = body.to_string();
    let signature = fleet_outbound::hmac_sha256_base64("sample-callback-secret", body.as_bytes());
    let url = fleet.url("/callbacks/suppliers/supplier-callback");
    fleet.send(fleet.http().post(url).header("signature", signature).body(body)).await
}

/// An operator's notification, the same.
async fn charged(fleet: &TestFleet, field: &str) -> HttpAnswer {
    let mut told = json!({
        "type": "mo_charge", "merchant": "partner:1", "campaign": "campaign:1",
        "environment": "production", "msisdn": "27825550101", "currency": "ZAR", "amount": "1",
        "correlator": "x",
        "transaction": { "status": "CHARGED", "timestamp": "", "transaction_id": "t-1" },
    });
    let place = if field == "correlator" { &mut told } else { &mut told["transaction"] };
    // Of one byte each: a longer body is refused as such.
    place[field] = "x".repeat(10_000).into();
    let url = fleet.url("/callbacks/mo-charge/mo-sample");
    fleet.send(fleet.http().post(url).body(json!({ "success": told }).to_string())).await
}

/// What a page's owner or a card gateway tells, the same.
async fn told(fleet: &TestFleet, path: &str, others: &[(&str, &str)], field: &str) -> HttpAnswer {
    // Two fields' texts are no copies of each other.
    let text = field[..1].repeat(10_000);
    let mut query: Vec<(&str, &str)> = others.to_vec();
    query.retain(|(name, _)| *name != field);
    query.push((field, &text));
    fleet.send(fleet.http().get(fleet.url(path)).query(&query)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_tell_is_kept_as_far_as_the_documents_say() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    let mut kept = 0;
    for field in ["vendRef", "responseCode", "supplierRef"] {
        assert_eq!(confirm(&fleet, field).await.status, 200, "{field}");
        kept += 1;
    }
    for field in ["correlator", "status", "transaction_id"] {
        assert_eq!(charged(&fleet, field).await.status, 200, "{field}");
        kept += 1;
    }
    let page = "/callbacks/card-payments/card-sample";
    let ended = [("type", "cardpayment"), ("status", "failed"), ("order_info", "x")];
    for field in ["type", "status"] {
        assert_eq!(told(&fleet, page, &ended, field).await.status, 200, "{field}");
        kept += 1;
    }
    for field in ["order_info", "transaction_id"] {
        let answer = told(&fleet, page, &ended, field).await;
        named(&answer, &answer.message(), field);
    }
    let sale = "/callbacks/card-sale/card-gateway";
    let all = [("status", "a"), ("orderid", "b"), ("client_orderid", "c"), ("control", "d")];
    for field in OF_SALES {
        let answer = told(&fleet, sale, &all, field).await;
        named(&answer, &answer.message(), field);
    }
    assert_eq!(counted(&fleet, "select count(*) from fact").await, kept);
    let longest = "select max(greatest(octet_length(reference), octet_length(status),
                                       octet_length(external_id)))::bigint from fact";
    let longest = counted(&fleet, longest).await;
    assert!((64..=256).contains(&longest), "{longest} bytes");
}
