//! Receivers of others: they believe what we signed, and nothing else.

use fleet_domain::{PurchaseId, SignedForm};
use fleet_store::{ClientRow, DirectoryImport, IpnRow};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{client, connector, key_of, purchase};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::programs::{Receiver, Workshop};

const SECRET: &str = "a secret of receivers";
const KEY: &str = "sixteen bytes ok";
const FIRST_CLIENT: i64 = 3001;

/// A client whose results and IPNs go to a receiver.
fn client_of(import: &mut DirectoryImport, id: i64, url: &str, form: SignedForm) -> ClientRow {
    let mut row = client(import, 1011).clone();
    let result = ("transact_result".to_owned(), format!("{url}/result"));
    row.channels = [result, ("ipn".to_owned(), format!("{url}/ipn"))].into();
    row.ipn = Some(IpnRow {
        account_id: format!("account-{id}"),
        key: Some(SecretString::from(KEY)),
        form,
        failures: false,
    });
    row.client_id = id;
    row.api_keys = Some(vec![SecretString::from(key_of(id))]);
    row.signature_secret = Some(SecretString::from(SECRET));
    row
}

/// Both things that a receiver gets of one purchase.
async fn both(receiver: &mut Receiver) -> (Value, Value) {
    let (one, two) = (receiver.next().await, receiver.next().await);
    if one["path"] == "/result" { (one, two) } else { (two, one) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_and_node_verify_results_and_both_forms_of_verifysign_and_refuse_changed_ones() {
    let workshop = Workshop::new();
    let mut receivers = Vec::new();
    for file in ["receiver.py", "receiver.mjs"] {
        for (form, serialised) in [(SignedForm::Serialised, true), (SignedForm::Raw, false)] {
            let id = FIRST_CLIENT + i64::try_from(receivers.len()).unwrap();
            let settings = json!({
                "secret": SECRET, "key": KEY, "serialised": serialised, "apiKey": key_of(id),
            });
            receivers.push((id, form, Receiver::start(&workshop, file, &settings).await));
        }
    }
    let places: Vec<_> =
        receivers.iter().map(|(id, form, receiver)| (*id, *form, receiver.url(""))).collect();
    let fleet = TestFleet::builder().directory(move |import| {
        for (id, form, url) in places {
            let row = client_of(import, id, &url, form);
            import.clients.push(row);
        }
    });
    let fleet = fleet.start().await;
    for (id, _, receiver) in &mut receivers {
        receiver.meet(&fleet.url("")).await;
        // Half a unit, a whole one, and a voucher.
        for (amount, product) in [(1500, 101), (1450, 101), (2000, 201)] {
            let mut body = purchase("0000");
            body["clientId"] = (*id).into();
            body["purchaseAmount"] = amount.into();
            body["productId"] = product.into();
            let purchase = fleet.reserve_and_transact(&body).await.accepted();
            let (result, ipn) = both(receiver).await;
            assert_eq!(result["verified"], true, "{id}: {result}");
            assert_eq!(result["told"]["raasTxnRef"], purchase.to_string());
            assert_eq!(result["told"]["responseCode"], "0000");
            assert_eq!(result["told"]["token"].is_string(), product == 201, "{result}");
            assert_eq!(ipn["verified"], true, "{id}: {ipn}");
            assert_eq!(ipn["told"]["transactionid"], purchase.to_string());
            assert_acknowledged(&fleet, purchase).await;
            refuses_changed(&fleet, receiver, &result, &ipn).await;
        }
    }
    fleet.assert_all_ended().await;
}

async fn assert_acknowledged(fleet: &TestFleet, id: PurchaseId) {
    let view = fleet.wait_final(id).await;
    let rows = view.deliveries.iter();
    let rows: Vec<_> =
        rows.map(|row| (row.channel.as_str(), row.state.as_str(), row.attempts)).collect();
    let expected = [("ipn", "sent", 1), ("transact_result", "sent", 1)];
    assert!(expected.iter().all(|row| rows.contains(row)) && rows.len() == 2, "{rows:?}");
}

/// Sends what came with one thing changed, as somebody else would.
async fn refuses_changed(fleet: &TestFleet, receiver: &mut Receiver, result: &Value, ipn: &Value) {
    let (body, sent) = (result["body"].as_str().unwrap(), result["signature"].as_str().unwrap());
    let other = fleet_outbound::hmac_sha256_base64("another secret", body.as_bytes());
    let changed = body.replacen("\"responseCode\":\"0000\"", "\"responseCode\":\"2201\"", 1);
    assert_ne!(changed, body);
    for (body, signature) in [
        (changed.as_str(), Some(sent)),
        (body, Some(other.as_str())),
        (body, Some("")),
        (body, None),
    ] {
        let mut request = fleet.http().post(receiver.url("/result")).body(body.to_owned());
        if let Some(signature) = signature {
            request = request.header("signature", signature);
        }
        let answer = fleet.send(request).await;
        let told = receiver.next().await;
        assert_eq!((answer.status, &told["verified"]), (401, &json!(false)), "{told}");
    }
    let body = ipn["body"].as_str().unwrap();
    let told: Value = serde_json::from_str(body).unwrap();
    let with = |field: &str, value: Value| {
        let mut changed = told.clone();
        changed[field] = value;
        changed.to_string()
    };
    let sign = told["verifysign"].as_str().unwrap();
    let mut other_key = fleet_contracts::verifysign(
        &fleet_contracts::SignKey::of(&fleet_domain::Private::new("another 16 bytes")).unwrap(),
        &[7; 16],
        SignedForm::Serialised,
        "text",
    );
    other_key.truncate(4_000);
    for changed in [
        with("amount", json!(1)),
        with("msisdn", json!("27000000000")),
        with("accountID", json!("1")),
        with("url", json!("http://example.test/")),
        with("verifysign", json!(other_key)),
        with("verifysign", json!(sign.replacen('e', "f", 1))),
        with("verifysign", json!("")),
        // Signed and true, of a transaction that nobody knows.
        with("transactionid", json!("0198f000-0000-7000-8000-000000000000")),
    ] {
        let answer = fleet.send(fleet.http().post(receiver.url("/ipn")).body(changed)).await;
        let told = receiver.next().await;
        assert_eq!((answer.text.as_str(), &told["verified"]), ("Fail", &json!(false)), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pythons_own_parser_reads_the_form_of_a_fraud_report_and_opens_the_msisdn() {
    let workshop = Workshop::new();
    let mut sample = fleet_testkit::fleet::sample("http://127.0.0.1:1");
    let desk = connector(&mut sample, "sample-desk").desk.clone().unwrap();
    let key = desk.msisdn_key.unwrap();
    let settings = json!({ "secret": SECRET, "msisdnKey": key.expose_secret() });
    let mut receiver = Receiver::start(&workshop, "receiver.py", &settings).await;
    let url = receiver.url("");
    let fleet = TestFleet::builder()
        .directory(move |import| connector(import, "sample-desk").base_url = url)
        .start()
        .await;
    for (code, success, reason) in [("0000", "True", None), ("9101", "False", Some("no_credit"))] {
        let mut body = purchase(code);
        let token = format!("token \"{code}\"; ü");
        body["additionalData"] = json!({ "fraud": {
            "token": token, "tokenCreatedAt": chrono::Utc::now(), "pricePoint": "15,50 ZAR",
            "externalUserId": "user=1&x\\",
        } });
        let id = fleet.reserve_and_transact(&body).await.reference();
        let report = receiver.next().await;
        assert_eq!(
            (&report["path"], &report["verified"]),
            (&json!("/api/v2/transaction-report/"), &json!(true),),
            "{report}"
        );
        let mut expected = json!({
            "api_key": "sample-desk-key", "token": token, "activation_successful": success,
            "msisdn": body["sourceIdentifier"], "price_point": "15,50 ZAR",
            "external_user_id": "user=1&x\\", "external_product_id": "101",
        });
        if let Some(reason) = reason {
            expected["failure_reason"] = reason.into();
        }
        assert_eq!(report["told"], expected);
        fleet.wait_final(id).await;
    }
    fleet.assert_all_ended().await;
}
