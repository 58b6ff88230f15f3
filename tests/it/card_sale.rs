//! Device sale: an app pays at the card gateway, which asks us, tells us, and can be asked itself.

pub(crate) mod callbacks;
mod callers;
pub(crate) mod cards;
mod money;
pub(crate) mod refused;
mod validated;

use std::time::Duration;

use fleet_domain::{PlanClass, PurchaseId, PurchaseStatus, ReserveState, TaskKind};
use fleet_outbound::hmac_sha256_base64;
use fleet_simulator::{CardData, DeviceApp, EffectKind, Order, Sale, planted_card_number};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{HttpAnswer, key_of, purchase};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::unknown::impatient;

pub(crate) const SERIAL: &str = "SN-0001";
/// What the sample's card gateway signs its calls with.
const CALLER_HEADER: &str = "X-Sample-Signature";
const CALLER_SECRET: &str = "sample-caller-secret";

/// A request as the card gateway makes it: over its raw body, or its raw query.
pub(crate) fn by_gateway(request: RequestBuilder, signed: &str) -> RequestBuilder {
    request.header(CALLER_HEADER, hmac_sha256_base64(CALLER_SECRET, signed.as_bytes()))
}

/// A purchase that an app pays; the script is chosen by the last four digits of what it costs.
pub(crate) fn by_app(script: i64, vend: &str) -> Value {
    let mut body = purchase(vend);
    // Product 101 has a fee of 50.
    body["purchaseAmount"] = (script - 50).into();
    body["fundingSourceId"] = "billblend-sample".into();
    body
}

async fn ask_access(fleet: &TestFleet, consumer: &str, body: &Value) -> HttpAnswer {
    fleet.keep_private(&body["purchase"]);
    let url = fleet.url(&format!("/consumers/{consumer}/access-tokens"));
    let request = fleet.http().post(url).header("x-api-key", key_of(1001));
    fleet.send(request.body(body.to_string())).await
}

/// What an app needs for one sale.
pub(crate) async fn access(
    fleet: &TestFleet,
    consumer: &str,
    body: &Value,
    email: Option<&str>,
) -> Order {
    let answer = ask_access(fleet, consumer, &json!({ "purchase": body, "email": email })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.headers["cache-control"], "no-store");
    let access_token = answer.json()["accessToken"].as_str().unwrap().to_owned();
    assert_eq!(access_token.len(), 64);
    fleet.keep_secret(&access_token);
    fleet.keep_secret(&planted_card_number());
    Order {
        access_token,
        serial: SERIAL.to_owned(),
        amount_centis: body["purchaseAmount"].as_i64().unwrap() + 50,
        currency: "ZAR".to_owned(),
    }
}

pub(crate) fn app(fleet: &TestFleet) -> DeviceApp {
    let app = DeviceApp::new(&fleet.url(""), &fleet.simulator_url("billblend-sample")).unwrap();
    app.polling(Duration::from_millis(50), 8)
}

pub(crate) fn id_of(sale: &Sale) -> PurchaseId {
    sale.invoice_id.parse().unwrap()
}

/// A first sale of a consumer of its own.
async fn sell(fleet: &TestFleet, script: i64, vend: &str) -> Sale {
    let order = access(fleet, "ada", &by_app(script, vend), None).await;
    app(fleet).first_sale(&order, &CardData::planted()).await.unwrap()
}

/// How often money was held, taken, and goods given.
pub(crate) fn moved(fleet: &TestFleet, id: PurchaseId) -> [usize; 3] {
    [EffectKind::Reserve, EffectKind::Capture, EffectKind::Vend].map(|kind| fleet.count(id, kind))
}

async fn post(fleet: &TestFleet, path: &str, body: &Value) -> HttpAnswer {
    let text = body.to_string();
    fleet.send(by_gateway(fleet.http().post(fleet.url(path)), &text).body(text)).await
}

/// A fleet that asks for a sale's status each second.
pub(crate) async fn asking_often() -> TestFleet {
    impatient().plan(TaskKind::Reserve, PlanClass::Pending, &[1; 60]).start().await
}

/// Every row of every table, as text, without a text.
async fn assert_nowhere(fleet: &TestFleet, text: &str) {
    let mut connection = fleet.database().connection().await.unwrap();
    let sql = "select relname::text from pg_class where relkind = 'r' \
               and relnamespace = 'public'::regnamespace";
    let tables: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap();
    assert!(tables.iter().any(|table| table == "device_sale"), "{tables:?}");
    let hex = hex::encode(text);
    for table in tables {
        let sql = format!(
            "select count(*) from \"{table}\" t where t::text like '%' || $1 || '%' \
             or t::text like '%' || $2 || '%'"
        );
        let query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(text).bind(&hex);
        let found: i64 = query.fetch_one(&mut connection).await.unwrap();
        assert_eq!(found, 0, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_sale_is_initiated_checked_paid_and_served_and_no_card_reaches_us() {
    let fleet = TestFleet::start().await;
    let tap = fleet.tap().await;
    let body = by_app(1550, "0000");
    let order = access(&fleet, "ada", &body, None).await;
    let sale = app(&fleet).first_sale(&order, &CardData::planted()).await.unwrap();
    let id = id_of(&sale);
    let view = fleet.wait_final(id).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Success);
    assert_eq!(view.purchase.progress.reserve, ReserveState::Charged);
    assert_eq!(view.purchase.progress.reservation, sale.order_id);
    assert_eq!(view.purchase.order.client_txn_ref, body["clientTxnRef"].as_str().unwrap());
    assert_eq!(moved(&fleet, id), [1, 1, 1]);
    let entries: Vec<&str> = view.ledger.iter().map(|line| line.entry.as_str()).collect();
    assert_eq!(entries, ["reserved", "captured", "kept"]);
    let mapped = async || fleet.simulator().sale(&sale.invoice_id).unwrap().is_mapped;
    fleet.until("the card to be kept", mapped).await;
    fleet.assert_all_ended().await;
    let published = tap.messages().await;
    assert!(published.len() >= 4, "a hint of each task at least: {published:?}");
    for text in [&planted_card_number(), &order.access_token, &sale.token.unwrap()] {
        assert_nowhere(&fleet, text).await;
        assert!(!published.iter().any(|message| message.contains(text)), "{published:?}");
    }
    fleet.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_that_never_sells_has_not_paid_and_its_token_is_used_up() {
    let fleet = TestFleet::start().await;
    let order = access(&fleet, "ada", &by_app(9913, "0000"), None).await;
    let sale = app(&fleet).first_sale(&order, &CardData::planted()).await.unwrap();
    let id = id_of(&sale);
    fleet.wait_reserve(id, ReserveState::Asked).await;
    let told = fleet.look_up(1001, &format!("raasTxnRef={id}")).await.json();
    assert_eq!(told["pendingReason"], "WAITING_FOR_BUYER", "{told}");
    fleet.advance_clock(Duration::from_secs(800)).await;
    assert_eq!(fleet.purchase(id).await.purchase.status(), PurchaseStatus::Pending);
    fleet.advance_clock(Duration::from_secs(200)).await;
    let view = fleet.wait_final(id).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Failed);
    assert_eq!(view.purchase.progress.reserve_code.as_deref(), Some("2060"));
    assert_eq!(moved(&fleet, id), [0, 0, 0]);
    let again = app(&fleet).initiate(&order).await.unwrap_err();
    let refusal = again.refusal().unwrap();
    assert_eq!((refusal.status, refusal.cause.as_deref()), (403, Some("FILTERED")));
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_card_gateway_refuses_ends_without_goods_in_its_own_word() {
    let fleet = asking_often().await;
    let mut sold = Vec::new();
    for (script, words) in
        [(9901, ["declined", "5"]), (9902, ["filtered", "8"]), (9903, ["error", "13"])]
    {
        sold.push((id_of(&sell(&fleet, script, "0000").await), words));
    }
    for (id, words) in sold {
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Failed, "{words:?}");
        assert_eq!(view.purchase.progress.reserve_code.as_deref(), Some("2090"));
        let told = |word: &&str| {
            let text = format!("the source said {word})");
            view.journal.iter().any(|row| row.detail.contains(&text))
        };
        assert!(words.iter().any(told), "{words:?}: {:?}", view.journal);
        assert_eq!(moved(&fleet, id), [0, 0, 0]);
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sale_is_paid_once_however_its_status_and_its_callback_come() {
    let fleet = asking_often().await;
    let scripts = [9904, 9905, 9906, 9907, 9909, 9910, 9915, 9916];
    let mut sold = Vec::new();
    for script in scripts {
        // Once only: the polls that the script counts are to be the fleet's.
        let order = access(&fleet, "ada", &by_app(script, "0000"), None).await;
        let app = app(&fleet).polling(Duration::from_millis(1), 1);
        let app = app.waiting(Duration::from_secs(5));
        let sale = app.first_sale(&order, &CardData::planted()).await.unwrap();
        sold.push((script, id_of(&sale)));
    }
    for (script, id) in sold {
        let view = fleet.wait_status(id, PurchaseStatus::Success).await;
        assert_eq!(moved(&fleet, id), [1, 1, 1], "{script}");
        let told = view.facts.iter().any(|fact| fact.status == "sale:approved");
        let is_untold = matches!(script, 9907 | 9909);
        assert!(!(told && is_untold), "{script}: only its status tells");
        if script == 9909 {
            let polled = view.journal.iter().any(|row| row.outcome == "not_ended");
            assert!(polled, "{script}: {:?}", view.journal);
        }
    }
    fleet.assert_all_ended().await;
    assert_eq!(fleet.parked().await, []);
    fleet.assert_conserved().await;
}
