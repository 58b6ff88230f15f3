//! Only the card gateway asks about its sales, tells their cards, and tells their end: whatever else
//! such a call proves was handed to the buyer's app.

use fleet_contracts::ControlKey;
use fleet_domain::{AddressPolicy, LOOPBACK, Private, PurchaseId};
use fleet_outbound::hmac_sha256_base64;
use fleet_simulator::{Initiated, Order};
use fleet_store::{CallerRulesRow, CallersRow, DirectoryImport, ImportError, ImportMode, exported};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{Builder, HttpAnswer, connector};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::refused::check_of;
use super::{CALLER_HEADER, CALLER_SECRET, SERIAL, access, app, by_app};
use crate::mo_charge::unmatched;

const NETWORK: &str = "203.0.113.0/24";

/// Headers of a call.
type Headers<'a> = &'a [(&'a str, &'a str)];

async fn send(fleet: &TestFleet, path: &str, body: &str, headers: Headers<'_>) -> HttpAnswer {
    let mut request = fleet.http().post(fleet.url(path)).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    fleet.send(request).await
}

async fn tell(fleet: &TestFleet, query: &str, headers: Headers<'_>) -> HttpAnswer {
    let url = fleet.url(&format!("/callbacks/card-sale/billblend-sample?{query}"));
    let mut request = fleet.http().get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    fleet.send(request).await
}

/// A sale with everything that its app was handed.
async fn handed(fleet: &TestFleet) -> (Order, Initiated, PurchaseId) {
    let order = access(fleet, "ada", &by_app(1550, "0000"), None).await;
    let sale = app(fleet).initiate(&order).await.unwrap();
    let id = sale.invoice_id.parse().unwrap();
    (order, sale, id)
}

fn mapping(order: &Order, card: &str) -> String {
    let body = json!({
        "consumer": { "device": { "serialNumber": SERIAL } },
        "session": { "accessToken": order.access_token, "token": "token-1" },
        "sourceCard": { "bin": "519364", "reference": { "serverCardId": card } },
    });
    body.to_string()
}

/// A callback that its control proves.
fn callback(id: PurchaseId) -> String {
    let key = ControlKey::of(&Private::new("B17F59B4-A7DC-41B4-8FF9-37D986B43D20")).unwrap();
    let control = key.control("approved", "77", &id.to_string());
    format!(
        "type=sale&status=approved&orderid=77&client_orderid={id}&amount=15.50&control={control}"
    )
}

async fn cards(fleet: &TestFleet) -> i64 {
    let mut connection = fleet.database().connection().await.unwrap();
    sqlx::query_scalar("select count(*) from consumer_card")
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

async fn is_checked(fleet: &TestFleet, id: PurchaseId) -> bool {
    let mut connection = fleet.database().connection().await.unwrap();
    let sql = "select checked from device_sale where purchase = $1";
    sqlx::query_scalar(sql).bind(id.0).fetch_one(&mut connection).await.unwrap()
}

/// The gateway alone, whose card gateway's calls these rules are for.
fn by_rules(callers: CallersRow) -> Builder {
    TestFleet::builder().workers(&["gateway"]).directory(move |import| {
        connector(import, "billblend-sample").callers = Some(callers);
    })
}

fn only(networks: &[&str], proxies: &[&str]) -> CallerRulesRow {
    let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect();
    CallerRulesRow {
        networks: texts(networks),
        proxies: texts(proxies),
        ..CallerRulesRow::default()
    }
}

/// The check of a new sale with these headers.
async fn checked(fleet: &TestFleet, headers: Headers<'_>) -> u16 {
    let (order, sale, id) = handed(fleet).await;
    let body = check_of(&order, &sale, "token-1").to_string();
    let path = format!("/sale/{}/check", sale.invoice_id);
    let answer = send(fleet, &path, &body, headers).await;
    assert_eq!(is_checked(fleet, id).await, answer.status == 200);
    answer.status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_holds_all_that_the_app_was_handed_gets_nothing_signed_and_keeps_nothing() {
    let fleet = TestFleet::start().await;
    fleet.allow_log("a call is not the card gateway's");
    let (order, sale, id) = handed(&fleet).await;
    let body = check_of(&order, &sale, "token-1").to_string();
    let path = format!("/sale/{}/check", sale.invoice_id);
    let of_nobody = format!("/sale/{}/check", uuid::Uuid::now_v7());
    let guessed = hmac_sha256_base64("B17F59B4-A7DC-41B4-8FF9-37D986B43D20", body.as_bytes());
    let of_another = hmac_sha256_base64(CALLER_SECRET, b"{}");
    let signature = hmac_sha256_base64(CALLER_SECRET, body.as_bytes());
    let wrong: [Headers<'_>; 4] = [
        &[],
        &[(CALLER_HEADER, guessed.as_str())],
        &[(CALLER_HEADER, of_another.as_str())],
        &[("signature", signature.as_str())],
    ];
    for nth in 0..10_usize {
        let headers = wrong[nth % 4];
        let answer = send(&fleet, &path, &body, headers).await;
        let unknown = send(&fleet, &of_nobody, &body, headers).await;
        assert_eq!((answer.status, &answer.text), (404, &unknown.text), "{nth}");
        let told = tell(&fleet, &callback(id), headers).await;
        assert_eq!(told.status, 401, "{nth}");
    }
    assert!(!is_checked(&fleet, id).await);
    assert_eq!((fleet.purchase(id).await.facts, unmatched(&fleet).await), (Vec::new(), 0));
    // The truth, and then a card that the app tells of its sale.
    let vouched = send(&fleet, &path, &body, &[(CALLER_HEADER, signature.as_str())]).await;
    assert_eq!(vouched.status, 200, "{vouched:?}");
    for card in ["card-1", "card-2", "card-3"] {
        let body = mapping(&order, card);
        let other = mapping(&Order { access_token: "a".repeat(64), ..order.clone() }, card);
        let answer = send(&fleet, "/sale/notification", &body, &[]).await;
        let unknown = send(&fleet, "/sale/notification", &other, &[]).await;
        assert_eq!((answer.status, &answer.text), (403, &unknown.text), "{card}");
    }
    assert_eq!((fleet.purchase(id).await.facts.len(), cards(&fleet).await), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_gateway_is_known_by_its_network_and_nobody_else_says_where_it_calls_from() {
    let outside = ("x-forwarded-for", "198.51.100.1");
    let inside = ("x-forwarded-for", "203.0.113.9");
    let fleet = by_rules(CallersRow::Rules(only(&[NETWORK], &[]))).start().await;
    fleet.allow_log("a call is not the card gateway's");
    for headers in [&[][..], &[inside], &[("forwarded", "for=203.0.113.9")]] {
        assert_eq!(checked(&fleet, headers).await, 404, "{headers:?}");
    }
    drop(fleet);
    let fleet = by_rules(CallersRow::Rules(only(&[NETWORK], &["127.0.0.1"]))).start().await;
    fleet.allow_log("a call is not the card gateway's");
    for headers in [&[][..], &[outside], &[inside, outside]] {
        assert_eq!(checked(&fleet, headers).await, 404, "{headers:?}");
    }
    for headers in [&[inside][..], &[outside, inside], &[("x-forwarded-for", "x, 203.0.113.1")]] {
        assert_eq!(checked(&fleet, headers).await, 200, "{headers:?}");
    }
    drop(fleet);
    let both = CallerRulesRow {
        header: Some("X-Own".to_owned()),
        secret: Some(SecretString::from("another-secret-of-16")),
        ..only(&["127.0.0.0/8"], &[])
    };
    let fleet = by_rules(CallersRow::Rules(both)).start().await;
    fleet.allow_log("a call is not the card gateway's");
    assert_eq!(checked(&fleet, &[]).await, 404, "from there, and not signed");
    drop(fleet);
    let fleet = by_rules(CallersRow::Anybody).start().await;
    assert_eq!(checked(&fleet, &[]).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_gateway_whose_callers_nobody_has_named_is_refused_at_import() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let store = fleet.store();
    let present = exported(&store.load_directory().await.unwrap());
    let row = present.connectors.iter().find(|row| row.name == "billblend-sample").unwrap();
    let import = async |callers: Option<CallersRow>, name: &str| {
        let mut row = row.clone();
        (row.callers, row.name) = (callers, name.to_owned());
        row.secret = Some(SecretString::from("B17F59B4-A7DC-41B4-8FF9-37D986B43D20"));
        let import = DirectoryImport { connectors: vec![row], ..DirectoryImport::default() };
        match store.import(&import, ImportMode::Apply).await {
            Ok(report) => report.changes.join("; "),
            Err(ImportError::Invalid { problems }) => problems[0].problem.clone(),
            Err(error) => panic!("{error}"),
        }
    };
    let signed = |secret: Option<&str>| CallerRulesRow {
        header: Some("X-Own".to_owned()),
        secret: secret.map(SecretString::from),
        ..CallerRulesRow::default()
    };
    let wide = only(&["0.0.0.0/0"], &[]);
    let control_key = signed(Some("B17F59B4-A7DC-41B4-8FF9-37D986B43D20"));
    let secret_only = CallerRulesRow { header: None, ..signed(Some(CALLER_SECRET)) };
    for (rules, problem) in [
        (None, "[connector.callers] is missing"),
        (Some(CallerRulesRow::default()), "callers needs networks or header"),
        (Some(only(&["203.0.113"], &[])), "callers.networks must be networks such as"),
        (Some(wide), "callers.networks must not be all addresses"),
        (
            Some(CallerRulesRow { header: Some("X-Own".to_owned()), ..only(&[], &["10.0.0.1"]) }),
            "callers.proxies goes with callers.networks",
        ),
        (Some(signed(None)), "callers.secret is missing, and none is stored"),
        (Some(signed(Some("short"))), "callers.secret must have 16 to 255 characters"),
        (Some(control_key), "callers.secret must not be the control key"),
        (Some(secret_only), "callers needs networks or header"),
    ] {
        let told = import(rules.map(CallersRow::Rules), "billblend-new").await;
        assert!(told.starts_with(problem), "{problem}: {told}");
    }
    // What is exported has no secret, and imported again changes nothing.
    let text = toml::to_string(&present).unwrap();
    assert!(text.contains("[connector.callers]") && !text.contains(CALLER_SECRET), "{text}");
    let mut again: DirectoryImport = toml::from_str(&text).unwrap();
    again.to_clients = AddressPolicy::public_and(vec![LOOPBACK]);
    let report = store.import(&again, ImportMode::Apply).await.unwrap();
    assert_eq!(report.changes, [""; 0]);
    let other = import(Some(CallersRow::Rules(signed(None))), "billblend-sample").await;
    assert_eq!(other, "connector billblend-sample changed", "another header, the stored secret");
    let none = import(Some(CallersRow::Anybody), "billblend-sample").await;
    assert_eq!(none, "connector billblend-sample changed");
    let history = fleet.operator(&["connector", "history", "billblend-sample"]).await;
    assert!(!history.to_string().contains(CALLER_SECRET), "{history}");
    let written: Value = json!({ "callers": "nobody" });
    let wrong = serde_json::from_value::<CallersRow>(written["callers"].clone()).unwrap_err();
    assert!(!wrong.to_string().contains("nobody"), "{wrong}");
}
