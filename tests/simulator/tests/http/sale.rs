//! The card gateway: what it refuses, what it tells, and every script.

use std::time::Duration;

use fleet_simulator::{AppFault, CardData, DeviceApp, EffectKind, Refuser, Sale, SaleState, Wrong};
use reqwest::StatusCode;
use ring::digest;
use serde_json::{Value, json};

use crate::device::{Shop, order, refused};
use crate::sale_fleet::{ACCESS, CONTROL_KEY, ENDPOINT, Spoil, sign};
use crate::world::{World, until, vend};

fn filtered() -> (Refuser, u16, String) {
    (Refuser::CardGateway, 403, "FILTERED".to_owned())
}

fn remove(object: &mut Value, name: &str) {
    object.as_object_mut().unwrap().remove(name).unwrap();
}

/// Every way in which the reply to a check may be wrong.
const SPOILS: &[(&str, Spoil)] = &[
    ("invoiceId", |reply| reply["invoiceId"] = "another".into()),
    ("no invoiceId", |reply| remove(reply, "invoiceId")),
    ("nonce", |reply| reply["session"]["nonce"] = "0".repeat(64).into()),
    ("token", |reply| reply["session"]["token"] = "0".repeat(64).into()),
    ("checkSignature", |reply| reply["session"]["checkSignature"] = sign(&["x"]).into()),
    ("no checkSignature", |reply| remove(&mut reply["session"], "checkSignature")),
    ("amount", |reply| reply["transaction"]["amountCentis"] = 1.into()),
    ("currency", |reply| reply["transaction"]["currency"] = "EUR".into()),
    ("no transaction", |reply| remove(reply, "transaction")),
    ("a list", |reply| *reply = json!([])),
];

#[tokio::test]
async fn a_check_whose_reply_is_not_the_contracts_ends_the_sale_and_charges_nothing() {
    for (what, spoil) in SPOILS {
        let shop = Shop::open().await;
        shop.fleet.spoil(*spoil);
        let sold = shop.app.first_sale(&order(1042), &CardData::planted()).await;
        assert_eq!(refused(sold), filtered(), "{what}");
        assert_eq!(shop.world.rules(), ["check_reply"], "{what}");
        assert_eq!(shop.fleet.wait(1).await[0]["status"], "filtered", "{what}");
        assert!(shop.world.running.world().effects().is_empty(), "{what}");
    }
}

/// A card that was mapped, and what a repeat with it comes to when the reply is spoilt so.
async fn repeated(
    email: Option<&str>,
    spoil: Option<Spoil>,
    sent: Option<&str>,
) -> (Shop, Result<Sale, AppFault>) {
    let shop = Shop::open().await;
    let card = CardData { email: email.map(str::to_owned), ..CardData::planted() };
    shop.app.first_sale(&order(1042), &card).await.unwrap();
    let client_card = shop.fleet.card().await;
    if let Some(spoil) = spoil {
        shop.fleet.spoil(spoil);
    }
    let sold = shop.app.repeat_sale(&order(2042), &client_card, sent).await;
    (shop, sold)
}

#[tokio::test]
async fn a_repeat_wants_a_server_card_that_the_gateway_knows_and_the_signature_covers() {
    let missing: Spoil = |reply| {
        remove(reply, "sourceOfFunds");
        resign(reply, "");
    };
    let unknown: Spoil = |reply| {
        reply["sourceOfFunds"]["reference"]["serverCardId"] = "nobody".into();
        resign(reply, "nobody");
    };
    let uncovered: Spoil = |reply| resign(reply, "");
    for spoil in [missing, unknown, uncovered] {
        let (shop, sold) = repeated(None, Some(spoil), None).await;
        assert_eq!(refused(sold), filtered());
        assert_eq!(shop.world.rules(), ["check_reply"]);
        assert_eq!(shop.money(), (1, 1), "only the first sale");
    }
    let shop = Shop::open().await;
    let unmapped = shop.app.repeat_sale(&order(2042), "unknown", None).await;
    assert_eq!(refused(unmapped), filtered());
    assert_eq!(shop.world.rules(), Vec::<&str>::new(), "the fleet refused it");
}

/// Signs a spoilt reply as if it were right.
fn resign(reply: &mut Value, card: &str) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (nonce, invoice) = (text(&reply["session"]["nonce"]), text(&reply["invoiceId"]));
    let signature = sign(&["SN-0001", &nonce, ENDPOINT, &invoice, card]);
    reply["session"]["checkSignature"] = signature.into();
}

#[tokio::test]
async fn a_card_mapped_with_an_email_wants_the_same_one_of_the_app_and_of_the_fleet() {
    let ours = Some("ada@example.test");
    let (shop, sold) = repeated(ours, None, ours).await;
    assert_eq!(sold.unwrap().state, Some(SaleState::Approved));
    assert_eq!(shop.world.rules(), Vec::<&str>::new());
    for sent in [None, Some("eve@example.test")] {
        let (shop, sold) = repeated(ours, None, sent).await;
        assert_eq!(refused(sold), filtered(), "{sent:?}");
        assert_eq!(shop.world.rules(), Vec::<&str>::new(), "it is the app's fault");
    }
    let other: Spoil = |reply| reply["consumer"]["email"] = "eve@example.test".into();
    let none: Spoil = |reply| remove(reply, "consumer");
    for spoil in [other, none] {
        let (shop, sold) = repeated(ours, Some(spoil), ours).await;
        assert_eq!(refused(sold), filtered());
        assert_eq!(shop.world.rules(), ["check_reply"]);
        assert_eq!(shop.money(), (1, 1));
    }
}

#[tokio::test]
async fn an_invoice_that_the_fleet_does_not_know_is_refused() {
    let shop = Shop::open().await;
    let nowhere = Shop::open().await;
    let initiated = nowhere.app.initiate(&order(1042)).await.unwrap();
    // The other fleet does not know the invoice.
    let body = perform(&initiated.nonce, &initiated.signature);
    let path = path(ENDPOINT, &initiated.invoice_id);
    let answer = shop.world.post(&path, &body).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["error"]["cause"], "FILTERED");
    assert_eq!(answer["invoiceId"], *initiated.invoice_id);
    assert!(shop.world.running.world().effects().is_empty());
    assert_eq!(shop.world.rules(), Vec::<&str>::new());
}

#[tokio::test]
async fn a_check_that_nobody_answers_ends_the_sale_and_charges_nothing() {
    let shop = Shop::open().await;
    let world = World::start().await;
    let app = DeviceApp::new(&shop.fleet.url, &world.running.url("billblend-sample")).unwrap();
    let sold = app.first_sale(&order(1042), &CardData::planted()).await;
    let fault = sold.unwrap_err();
    let invoice = fault.refusal().unwrap().invoice_id.clone().unwrap();
    assert_eq!(fault.refusal().unwrap().cause.as_deref(), Some("FILTERED"));
    let sale = || world.running.world().sale(&invoice).unwrap();
    until(|| sale().state == SaleState::Declined).await;
    assert!(world.running.world().effects().is_empty());
    assert_eq!(world.rules(), Vec::<&str>::new());
}

#[tokio::test]
async fn a_mapping_comes_again_until_it_is_taken_and_holds_up_no_callback() {
    let shop = Shop::open().await;
    shop.fleet.refuse_mappings(&[503, 429]);
    let sale = shop.sell(1042).await;
    shop.fleet.wait(1).await;
    assert!(shop.fleet.mappings().is_empty(), "the callback came first");
    shop.is_mapped(&sale.invoice_id).await;
    assert_eq!(shop.fleet.mappings().len(), 1);
    shop.fleet.refuse_mappings(&[409]);
    let refused = shop.sell(2042).await;
    shop.fleet.wait(2).await;
    let record = shop.world.running.world().sale(&refused.invoice_id).unwrap();
    assert!(record.state == SaleState::Approved && !record.is_mapped);
    assert_eq!(shop.world.rules(), Vec::<&str>::new());
}

fn path(endpoint: &str, invoice: &str) -> String {
    format!("billblend-sample/paynet/dapi/v1/sale/{endpoint}/{invoice}")
}

fn perform(nonce: &str, signature: &str) -> Value {
    let card = CardData::planted();
    json!({
        "consumer": { "device": { "serialNumber": "SN-0001" } },
        "session": { "accessToken": ACCESS, "nonce": nonce, "signature": signature },
        "transaction": { "amountCentis": 1042, "currency": "USD" },
        "sourceOfFunds": { "card": {
            "number": card.number,
            "holder": { "firstName": card.first_name, "lastName": card.last_name },
            "expiry": { "month": card.month, "year": card.year },
            "securityCode": card.security_code,
        } },
    })
}

#[tokio::test]
async fn a_sale_that_is_not_as_the_document_says_is_refused_and_recorded() {
    let shop = Shop::open().await;
    let initiated = shop.app.initiate(&order(1042)).await.unwrap();
    let whole = perform(&initiated.nonce, &initiated.signature);
    let good = path(ENDPOINT, &initiated.invoice_id);
    let mut wrong = Vec::new();
    for place in ["consumer", "session", "transaction", "sourceOfFunds"] {
        let mut missing = whole.clone();
        missing.as_object_mut().unwrap().remove(place);
        wrong.push(missing);
    }
    for (place, value) in [
        ("/consumer/device/serialNumber", json!("")),
        ("/consumer/device/serialNumber", json!("x".repeat(51))),
        ("/session/accessToken", json!("short")),
        ("/transaction/amountCentis", json!(0)),
        ("/transaction/amountCentis", json!("1042")),
        ("/transaction/currency", json!("usd")),
        ("/sourceOfFunds/card/number", json!("1234567890123")),
        ("/sourceOfFunds/card/expiry/month", json!("13")),
        ("/sourceOfFunds/card/securityCode", json!("12")),
        ("/sourceOfFunds", json!({})),
    ] {
        let mut changed = whole.clone();
        *changed.pointer_mut(place).unwrap() = value;
        wrong.push(changed);
    }
    for body in &wrong {
        let answer = shop.world.post(&good, body).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["error"]["cause"], "INVALID_REQUEST");
        assert!(answer["error"]["code"].is_number() && answer["error"]["message"].is_string());
    }
    assert_eq!(shop.world.rules(), vec!["bad_body"; wrong.len()]);
    let other = shop.world.post(&path("2222", &initiated.invoice_id), &whole).await;
    assert_eq!(other.status(), StatusCode::BAD_REQUEST);
    let elsewhere = good.replace("billblend-sample", "wallet");
    assert_eq!(shop.world.post(&elsewhere, &whole).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(shop.world.post(&good, &whole).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_status_is_for_whoever_has_the_sales_tokens() {
    let shop = Shop::open().await;
    let sale = shop.sell(1042).await;
    let token = sale.token.unwrap();
    let status = async |invoice: &str, access: &str, token: &str| {
        let body = json!({ "session": { "accessToken": access, "token": token } });
        let answer = shop.world.post(&format!("{}/status", path(ENDPOINT, invoice)), &body).await;
        let code = answer.status().as_u16();
        let answer: Value = answer.json().await.unwrap();
        (code, answer["state"].clone(), answer["error"]["cause"].clone())
    };
    let good = status(&sale.invoice_id, ACCESS, &token).await;
    assert_eq!(good, (200, json!("APPROVED"), Value::Null));
    for (invoice, access, token) in [
        (&*sale.invoice_id, "another", &*token),
        (&sale.invoice_id, ACCESS, "another"),
        ("01936f2c-7a40-7cc3-98c5-999999999999", ACCESS, &token),
    ] {
        let wrong = status(invoice, access, token).await;
        assert_eq!(wrong, (400, Value::Null, json!("INVALID_REQUEST")));
    }
    assert_eq!(shop.world.rules(), Vec::<&str>::new());
}

#[tokio::test]
async fn a_callback_has_the_documents_parameters_and_comes_again_until_it_is_answered_200() {
    let shop = Shop::with(&[503, 404, 202]).await;
    let sale = shop.sell(1042).await;
    let told = shop.fleet.wait(1).await.remove(0);
    let order = sale.order_id.unwrap();
    let text = format!("approved{order}{}{CONTROL_KEY}", sale.invoice_id);
    let sum = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    let expected = json!({
        "orderid": order, "merchant_order": sale.invoice_id, "client_orderid": sale.invoice_id,
        "amount": "10.42", "status": "approved", "type": "sale", "control": hex::encode(sum),
    });
    assert_eq!(json!(told), expected);
    let declined = Shop::open().await;
    declined.sell(9901).await;
    let told = declined.fleet.wait(1).await.remove(0);
    assert_eq!((&*told["error_code"], &*told["error_message"]), ("5", "declined by the issuer"));
}

/// Whether `control` is the gateway's own.
fn is_own(told: &std::collections::BTreeMap<String, String>) -> bool {
    let text =
        format!("{}{}{}{CONTROL_KEY}", told["status"], told["orderid"], told["client_orderid"]);
    let sum = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    told["control"] == hex::encode(sum)
}

#[tokio::test]
async fn each_script_tells_and_shows_what_it_says_and_takes_money_for_what_was_asked_only() {
    use SaleState::{Approved, Declined, Processing, RedirectRequest};
    for (amount, told, states, moved) in [
        (9901, &["declined"][..], &[Processing, Declined][..], 0),
        (9902, &["filtered"], &[Processing, Declined], 0),
        (9903, &["error"], &[Processing, Declined], 0),
        (9904, &["approved"], &[Processing, Approved], 1),
        (9905, &["processing", "approved"], &[Processing, Approved], 1),
        (9906, &["unknown", "approved"], &[Processing, Approved], 1),
        (9907, &[], &[Processing, Approved], 1),
        (9909, &["approved"], &[Processing, Approved], 1),
        (9910, &["approved", "approved"], &[Processing, Approved], 1),
        (9911, &["approved", "approved"], &[Processing, Approved], 1),
        (9912, &["approved", "approved"], &[Processing, Approved], 1),
        (9914, &["approved"], &[Processing, Approved], 0),
        (9915, &["approved"], &[Processing, Approved], 1),
        (9916, &["approved"], &[Processing, RedirectRequest, Approved], 1),
        (9917, &["approved"], &[Processing, Declined], 0),
    ] {
        let shop = Shop::open().await;
        let sale = shop.sell(amount).await;
        assert_eq!(sale.states, states, "{amount}");
        let all = shop.fleet.wait(told.len()).await;
        let words: Vec<&str> = all.iter().map(|told| &*told["status"]).collect();
        assert_eq!(words, told, "{amount}");
        assert_eq!(shop.money(), (moved, moved), "{amount}");
        let kinds: Vec<&str> = all.iter().skip(1).map(|told| &*told["type"]).collect();
        let back = match amount {
            9911 => vec!["reversal"],
            9912 => vec!["chargeback"],
            _ => vec!["sale"; told.len().saturating_sub(1)],
        };
        assert_eq!(kinds, back, "{amount}");
        let reversed = u64::from([9911, 9912].contains(&amount));
        assert_eq!(shop.world.count(EffectKind::Reversal), reversed, "{amount}");
        assert!(all.iter().all(|told| is_own(told) == (amount != 9909)), "{amount}");
        let polls = match amount {
            9904 => 4..=4,
            9909 => 6..=6,
            9915 => 2..=200,
            9916 => 3..=3,
            _ => 1..=200,
        };
        assert!(polls.contains(&sale.polls), "{amount}: {}", sale.polls);
        assert_eq!(shop.world.rules(), Vec::<&str>::new(), "{amount}");
        assert_eq!(shop.world.running.world().summary().duplicate_count(), 0, "{amount}");
    }
}

#[tokio::test]
async fn another_amount_is_told_and_shown() {
    let shop = Shop::open().await;
    let sale = shop.sell(9914).await;
    assert_eq!(sale.status["transaction"]["amountCentis"], 9913);
    assert_eq!(shop.fleet.wait(1).await[0]["amount"], "99.13");
}

#[tokio::test]
async fn a_status_that_always_fails_leaves_it_to_the_callback() {
    let shop = Shop::open().await;
    let app: DeviceApp = shop.app.clone().polling(Duration::from_millis(5), 3);
    let sale = app.first_sale(&order(9908), &CardData::planted()).await.unwrap();
    assert_eq!((sale.state, sale.polls), (Some(SaleState::Processing), 3));
    assert_eq!(shop.fleet.wait(1).await[0]["status"], "approved");
    assert_eq!(shop.money(), (1, 1));
}

#[tokio::test]
async fn a_check_that_lets_a_used_nonce_through_breaks_a_rule_and_pays_once() {
    let shop = Shop::open().await;
    let initiated = shop.app.initiate(&order(1042)).await.unwrap();
    let body = perform(&initiated.nonce, &initiated.signature);
    let path = path(ENDPOINT, &initiated.invoice_id);
    assert_eq!(shop.world.post(&path, &body).await.status(), StatusCode::OK);
    shop.fleet.forget_use(&initiated.invoice_id);
    assert_eq!(shop.world.post(&path, &body).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(shop.world.rules(), ["sale_twice"]);
    shop.fleet.wait(1).await;
    assert_eq!(shop.money(), (1, 1));
}

#[tokio::test]
async fn a_mapping_whose_reply_is_not_signed_breaks_a_rule_and_the_sale_stands() {
    let shop = Shop::open().await;
    shop.fleet.spoil_mappings();
    let sale = shop.sell(1042).await;
    until(|| shop.world.rules() == ["mapping_reply"]).await;
    let record = shop.world.running.world().sale(&sale.invoice_id).unwrap();
    assert!(!record.is_mapped);
    shop.fleet.wait(1).await;
    assert_eq!(shop.money(), (1, 1));
}

#[tokio::test]
async fn goods_before_the_money_are_a_violation() {
    let shop = Shop::open().await;
    for (amount, rules) in [(9901, &["vend_without_hold"][..]), (1042, &["vend_without_hold"])] {
        let sale = shop.sell(amount).await;
        let mut asked = vend(0);
        asked["raasTxnRef"] = sale.invoice_id.clone().into();
        asked["vendRef"] = format!("{}-0000", sale.invoice_id).into();
        shop.world.code("supplier-lookup/vend", &asked).await;
        assert_eq!(shop.world.rules(), rules, "{amount}");
    }
}

#[tokio::test]
async fn wrong_things_are_wrong_in_one_way_only() {
    let shop = Shop::open().await;
    for wrong in [Wrong::Serial, Wrong::Nonce, Wrong::Signature, Wrong::AccessToken] {
        let app = shop.app.clone().wrongly(wrong);
        app.first_sale(&order(9918), &CardData::planted()).await.unwrap_err();
    }
    let checks = shop.fleet.checks();
    let one = |check: &Value, place: &str| check.pointer(place).unwrap().clone();
    assert_eq!(one(&checks[0], "/consumer/device/serialNumber"), "SN-0000");
    for (at, check) in checks.iter().enumerate().skip(1) {
        assert_eq!(one(check, "/consumer/device/serialNumber"), "SN-0001", "{at}");
    }
    for (at, check) in checks.iter().enumerate() {
        assert_eq!(one(check, "/session/accessToken") == ACCESS, at != 3, "{at}");
        let nonce = format!("{:064}", at.saturating_add(1));
        assert_eq!(one(check, "/session/nonce") == *nonce, at != 1, "{at}");
    }
}
