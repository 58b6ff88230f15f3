//! Everything that is not as it must be is refused, and moves nothing.

use fleet_contracts::ControlKey;
use fleet_domain::{Private, PurchaseId, PurchaseStatus, ReserveState};
use fleet_simulator::{CardData, Initiated, Order, Wrong};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::HttpAnswer;
use serde_json::{Value, json};

use super::cards::cards;
use super::{SERIAL, access, app, ask_access, by_app, by_gateway, id_of, moved, post, sell};

/// A sale's callback with the sample's control.
pub(crate) async fn tell(
    fleet: &TestFleet,
    id: PurchaseId,
    status: &str,
    order: &str,
    amount: &str,
) -> HttpAnswer {
    tell_of(fleet, id, ["sale", status], order, amount).await
}

/// The same of a type: `sale`, `reversal`, `chargeback`.
pub(crate) async fn tell_of(
    fleet: &TestFleet,
    id: PurchaseId,
    [kind, status]: [&str; 2],
    order: &str,
    amount: &str,
) -> HttpAnswer {
    let key = ControlKey::of(&Private::new("B17F59B4-A7DC-41B4-8FF9-37D986B43D20")).unwrap();
    let id = id.to_string();
    let control = key.control(status, order, &id);
    get(fleet, [kind, status, order, &id, amount, &control]).await
}

async fn get(fleet: &TestFleet, texts: [&str; 6]) -> HttpAnswer {
    let names = ["type", "status", "orderid", "client_orderid", "amount", "control"];
    let query: Vec<(&str, &str)> = names.into_iter().zip(texts).collect();
    let url = fleet.url("/callbacks/card-sale/billblend-sample");
    let url = reqwest::Url::parse_with_params(&url, &query).unwrap();
    let signed = url.query().unwrap_or_default().to_owned();
    fleet.send(by_gateway(fleet.http().get(url), &signed)).await
}

pub(crate) fn check_of(order: &Order, sale: &Initiated, token: &str) -> Value {
    json!({
        "consumer": { "device": { "serialNumber": order.serial } },
        "session": {
            "accessToken": order.access_token, "nonce": sale.nonce, "signature": sale.signature,
            "token": token,
        },
    })
}

pub(super) async fn check(fleet: &TestFleet, invoice: &str, body: &Value) -> HttpAnswer {
    post(fleet, &format!("/sale/{invoice}/check"), body).await
}

pub(super) fn cause(answer: &HttpAnswer) -> (u16, String) {
    let json = answer.json();
    assert_eq!(json["error"]["code"], answer.status.to_string());
    (answer.status, json["error"]["cause"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_that_does_it_wrong_sells_nothing_and_then_sells_rightly() {
    let fleet = TestFleet::start().await;
    for wrong in [Wrong::Serial, Wrong::Nonce, Wrong::Signature, Wrong::AccessToken, Wrong::Amount]
    {
        // The gateway of this script leaves it all to our check.
        let order = access(&fleet, "ada", &by_app(9918, "0000"), None).await;
        let sold = app(&fleet).wrongly(wrong).first_sale(&order, &CardData::planted()).await;
        assert!(sold.unwrap_err().refusal().is_some(), "{wrong:?}");
        let id: PurchaseId =
            app(&fleet).initiate(&order).await.unwrap().invoice_id.parse().unwrap();
        assert_eq!(fleet.purchase(id).await.purchase.status(), PurchaseStatus::Pending);
        assert_eq!(moved(&fleet, id), [0, 0, 0], "{wrong:?}");
    }
    let body = by_app(1550, "0000");
    let order = access(&fleet, "ada", &body, None).await;
    let replayed = app(&fleet).wrongly(Wrong::Replay);
    let refused = replayed.first_sale(&order, &CardData::planted()).await.unwrap_err();
    assert_eq!(refused.refusal().unwrap().status, 403);
    let id = fleet.wait_stored(1001, body["clientTxnRef"].as_str().unwrap()).await;
    fleet.wait_status(id, PurchaseStatus::Success).await;
    assert_eq!(moved(&fleet, id), [1, 1, 1], "the first one goes on");
    assert_eq!(fleet.simulator().violations(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_is_answered_once_for_each_nonce_and_the_same_again_alike() {
    let fleet = TestFleet::start().await;
    let order = access(&fleet, "ada", &by_app(1550, "0000"), None).await;
    let sale = app(&fleet).initiate(&order).await.unwrap();
    let again = app(&fleet).initiate(&order).await.unwrap();
    assert_eq!((&again.invoice_id, &again.nonce), (&sale.invoice_id, &sale.nonce));
    assert_eq!((sale.nonce.len(), sale.endpoint_id.as_str()), (64, "1111"));
    let other = Order { serial: "SN-0002".to_owned(), ..order.clone() };
    assert_eq!(app(&fleet).initiate(&other).await.unwrap_err().refusal().unwrap().status, 403);

    let good = check_of(&order, &sale, "token-1");
    let change = |place: &str, text: &str| {
        let mut body = good.clone();
        *body.pointer_mut(place).unwrap() = text.into();
        body
    };
    let filtered = (403, "FILTERED".to_owned());
    for body in [
        change("/consumer/device/serialNumber", "SN-0002"),
        change("/session/accessToken", &"a".repeat(64)),
        change("/session/nonce", &"n".repeat(64)),
        change("/session/signature", &"0".repeat(40)),
    ] {
        assert_eq!(cause(&check(&fleet, &sale.invoice_id, &body).await), filtered, "{body}");
    }
    let mut card = good.clone();
    for id in ["x", &uuid::Uuid::new_v4().to_string()] {
        card["sourceOfFunds"] = json!({ "reference": { "clientCardId": id } });
        assert_eq!(cause(&check(&fleet, &sale.invoice_id, &card).await), filtered, "{id}");
    }
    let invalid = |status| (status, "INVALID_REQUEST".to_owned());
    for invoice in ["x", &uuid::Uuid::now_v7().to_string()] {
        assert_eq!(cause(&check(&fleet, invoice, &good).await), invalid(404), "{invoice}");
    }
    let empty = change("/session/token", "");
    assert_eq!(cause(&check(&fleet, &sale.invoice_id, &empty).await), invalid(400));

    let first = check(&fleet, &sale.invoice_id, &good).await;
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(first.json()["transaction"], json!({ "amountCentis": 1550, "currency": "ZAR" }));
    let second = check(&fleet, &sale.invoice_id, &good).await;
    assert_eq!((second.status, second.json()), (200, first.json()));
    let used = check_of(&order, &sale, "token-2");
    assert_eq!(cause(&check(&fleet, &sale.invoice_id, &used).await), filtered);
    let checked = app(&fleet).initiate(&order).await.unwrap_err();
    assert_eq!(checked.refusal().unwrap().status, 403, "its sale was checked");
    let id: PurchaseId = sale.invoice_id.parse().unwrap();
    assert_eq!(fleet.purchase(id).await.facts.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purchase_that_has_ended_is_not_vouched_for() {
    let fleet = TestFleet::start().await;
    let order = access(&fleet, "ada", &by_app(1550, "0000"), None).await;
    let sale = app(&fleet).initiate(&order).await.unwrap();
    let id: PurchaseId = sale.invoice_id.parse().unwrap();
    fleet.wait_reserve(id, ReserveState::Asked).await;
    // What is told of a sale that nobody vouched for ends nothing before its time.
    assert_eq!(tell(&fleet, id, "declined", "1", "15.50").await.status, 200);
    fleet.advance_clock(std::time::Duration::from_secs(800)).await;
    assert_eq!(fleet.purchase(id).await.purchase.status(), PurchaseStatus::Pending);
    fleet.advance_clock(std::time::Duration::from_secs(200)).await;
    fleet.wait_status(id, PurchaseStatus::Failed).await;
    let late = check(&fleet, &sale.invoice_id, &check_of(&order, &sale, "token-1")).await;
    assert_eq!(cause(&late), (403, "FILTERED".to_owned()));
    assert_eq!(moved(&fleet, id), [0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mapping_needs_the_session_of_a_checked_sale() {
    let fleet = TestFleet::start().await;
    let order = access(&fleet, "ada", &by_app(1550, "0000"), None).await;
    let sale = app(&fleet).initiate(&order).await.unwrap();
    let good = json!({
        "consumer": { "device": { "serialNumber": SERIAL } },
        "session": { "accessToken": order.access_token, "token": "token-1" },
        "sourceCard": { "bin": "519364", "reference": { "serverCardId": "card-1" } },
    });
    let map = async |body: &Value| post(&fleet, "/sale/notification", body).await;
    assert_eq!(map(&good).await.status, 403, "not checked yet");
    check(&fleet, &sale.invoice_id, &check_of(&order, &sale, "token-1")).await;
    for (place, text) in [
        ("/consumer/device/serialNumber", "SN-0002"),
        ("/session/accessToken", "another"),
        ("/session/token", "token-2"),
    ] {
        let mut body = good.clone();
        *body.pointer_mut(place).unwrap() = text.into();
        assert_eq!(cause(&map(&body).await), (403, "FILTERED".to_owned()), "{place}");
    }
    let mut long = good.clone();
    long["sourceCard"]["bin"] = "519364207".into();
    assert_eq!(cause(&map(&long).await), (400, "INVALID_REQUEST".to_owned()));
    // The card gateway knows no such sale: nobody says that it is paid.
    for card in ["card-1", "card-2", "card-1"] {
        let mut body = good.clone();
        body["sourceCard"]["reference"]["serverCardId"] = card.into();
        let early = map(&body).await;
        assert_eq!(cause(&early), (503, "SERVER_UNAVAILABLE".to_owned()), "{card}");
        assert_eq!(early.headers["retry-after"], "1");
        assert!(!early.text.contains("checkSignature"), "{early:?}");
    }
    let id: PurchaseId = sale.invoice_id.parse().unwrap();
    let facts = fleet.purchase(id).await.facts;
    let told: Vec<&str> = facts.iter().map(|fact| fact.status.as_str()).collect();
    assert_eq!(told, ["checked", "mapped"], "it is asked about, once");
    assert_eq!(cards(&fleet, 1001, "ada").await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_access_token_is_for_a_purchase_that_could_be_taken_in_now() {
    let fleet = TestFleet::start().await;
    for (field, value) in [
        ("clientId", json!(1011)),
        ("clientTxnRef", json!("")),
        ("productId", json!(9)),
        ("purchaseAmount", json!(100_001)),
        ("purchaseAmount", json!(1)),
        ("currencyCode", json!("USD")),
        ("feeAmount", json!(51)),
        ("fundingSourceId", json!("sample-bank")),
        ("sourceIdentifier", json!("27820000666")),
    ] {
        let mut body = by_app(1550, "0000");
        body[field] = value;
        let refused = ask_access(&fleet, "ada", &json!({ "purchase": body })).await;
        assert_eq!(refused.status, 400, "{field}: {refused:?}");
        assert_eq!(refused.headers["content-type"], "application/problem+json");
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with(&format!("purchase.{field}")), "{detail}");
    }
    let body = by_app(1550, "0000");
    for (more, field) in [
        (json!({ "purchase": body, "card": 1 }), "an unknown field"),
        (json!({ "purchase": body, "email": "nobody" }), "email"),
        (json!({ "email": null }), "purchase"),
    ] {
        let refused = ask_access(&fleet, "ada", &more).await;
        assert_eq!(refused.status, 400, "{field}");
        assert!(refused.json()["detail"].as_str().unwrap().contains(field), "{refused:?}");
    }
    let refused = ask_access(&fleet, "a%2Fb", &json!({ "purchase": body })).await;
    assert_eq!(refused.status, 400);
    let order = access(&fleet, "ada", &body, None).await;
    for wrong in [
        Order { amount_centis: 1551, ..order.clone() },
        Order { currency: "USD".to_owned(), ..order.clone() },
        Order { serial: String::new(), ..order.clone() },
        Order { access_token: "short".to_owned(), ..order.clone() },
        Order { access_token: "b".repeat(64), ..order.clone() },
    ] {
        let refused = app(&fleet).initiate(&wrong).await.unwrap_err();
        assert!(matches!(refused.refusal().unwrap().status, 400 | 403), "{refused}");
    }
    assert_eq!(fleet.summary().await.purchases, [], "nothing was taken in");
    fleet.advance_clock(std::time::Duration::from_secs(901)).await;
    let late = app(&fleet).initiate(&order).await.unwrap_err();
    assert_eq!(late.refusal().unwrap().status, 403, "expired");
    // The same purchase cannot come another way.
    let mut body = by_app(1550, "0000");
    body["additionalData"] = json!({ "fundingSource": { "type": "card_sale" } });
    assert_eq!(fleet.reserve_and_transact(&body).await.status, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_access_tokens_for_one_purchase_the_first_that_begins_sells_it() {
    let fleet = TestFleet::start().await;
    let body = by_app(1550, "0000");
    let first = access(&fleet, "ada", &body, None).await;
    let second = access(&fleet, "ada", &body, None).await;
    let sale = app(&fleet).first_sale(&first, &CardData::planted()).await.unwrap();
    let refused = app(&fleet).first_sale(&second, &CardData::planted()).await.unwrap_err();
    assert_eq!(refused.refusal().unwrap().status, 403);
    let id = id_of(&sale);
    fleet.wait_status(id, PurchaseStatus::Success).await;
    assert_eq!(moved(&fleet, id), [1, 1, 1]);
    assert_eq!(fleet.simulator().violations(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_without_its_control_is_refused_and_the_same_again_is_nothing() {
    let fleet = TestFleet::start().await;
    let sale = sell(&fleet, 1550, "0000").await;
    let id = id_of(&sale);
    fleet.wait_final(id).await;
    let order = sale.order_id.unwrap();
    let text = id.to_string();
    let forged =
        ["sale", "approved", &order, &text, "15.50", "f6e6e028e8df8910edf9b815d6b9f9bd0bc99536"];
    assert_eq!(get(&fleet, forged).await.status, 401);
    assert_eq!(get(&fleet, ["", "", &order, &text, "15.50", "00"]).await.status, 400);
    let url =
        fleet.url("/callbacks/card-sale/sample-bank?status=a&orderid=b&client_orderid=c&control=d");
    assert_eq!(fleet.send(fleet.http().get(url)).await.status, 401);
    let told = async || {
        let facts = fleet.purchase(id).await.facts;
        facts.iter().filter(|fact| fact.status == "sale:approved").count()
    };
    fleet.until("the callback", async || told().await == 1).await;
    for _ in 0..2 {
        assert_eq!(tell(&fleet, id, "approved", &order, "15.50").await.status, 200);
    }
    assert_eq!(told().await, 1);
    assert_eq!(fleet.parked().await, []);
    assert_eq!(moved(&fleet, id), [1, 1, 1]);
}
