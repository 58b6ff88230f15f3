//! Cards that pay again: whose they are, and when they stop.

use fleet_contracts::{ControlKey, Signed};
use fleet_domain::{Private, PurchaseId, PurchaseStatus};
use fleet_simulator::{CardData, Order, Sale};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{HttpAnswer, key_of};
use serde_json::{Value, json};

use super::callbacks::{APPROVED, DECLINED, asking_seldom, processing};
use super::refused::{cause, check, check_of};
use super::{SERIAL, access, app, by_app, id_of, moved, post};

pub(crate) async fn cards(fleet: &TestFleet, client: i64, consumer: &str) -> Vec<Value> {
    let url = fleet.url(&format!("/consumers/{consumer}/cards"));
    let request = fleet.http().get(url).header("x-api-key", key_of(client));
    let answer: HttpAnswer = fleet.send(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["cards"].as_array().unwrap().clone()
}

/// A consumer with one card.
pub(crate) async fn with_card(fleet: &TestFleet, consumer: &str, email: Option<&str>) -> String {
    let order = access(fleet, consumer, &by_app(1550, "0000"), email).await;
    let card = CardData { email: email.map(str::to_owned), ..CardData::planted() };
    let sale = app(fleet).first_sale(&order, &card).await.unwrap();
    fleet.wait_status(id_of(&sale), PurchaseStatus::Success).await;
    let kept = async || cards(fleet, 1001, consumer).await.len() == 1;
    fleet.until("the card to be kept", kept).await;
    let card = cards(fleet, 1001, consumer).await.remove(0);
    assert_eq!(card["masked"], "519364…");
    card["clientCardId"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_card_pays_again_with_the_email_that_it_was_kept_with() {
    let fleet = TestFleet::start().await;
    for (consumer, email) in [("ada", None), ("bea", Some("bea@example.test"))] {
        let card = with_card(&fleet, consumer, email).await;
        let order = access(&fleet, consumer, &by_app(1650, "0000"), email).await;
        let sale = app(&fleet).repeat_sale(&order, &card, email).await.unwrap();
        let id = id_of(&sale);
        fleet.wait_status(id, PurchaseStatus::Success).await;
        assert_eq!(moved(&fleet, id), [1, 1, 1]);
        assert!(fleet.simulator().sale(&sale.invoice_id).unwrap().is_repeat);
        assert_eq!(cards(&fleet, 1001, consumer).await.len(), 1, "no second one");
    }
    fleet.assert_all_ended().await;
    fleet.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_of_another_or_one_that_is_disabled_pays_nothing() {
    let fleet = TestFleet::start().await;
    let card = with_card(&fleet, "ada", Some("ada@example.test")).await;
    assert_eq!(cards(&fleet, 1001, "bea").await, Vec::<Value>::new());
    assert_eq!(cards(&fleet, 1011, "ada").await, Vec::<Value>::new(), "another client's ada");
    // Another consumer; then the same one with other data, which disables the card; then for good.
    for (consumer, email) in [
        ("bea", Some("ada@example.test")),
        ("ada", Some("other@example.test")),
        ("ada", Some("ada@example.test")),
    ] {
        let order = access(&fleet, consumer, &by_app(1650, "0000"), email).await;
        let refused = app(&fleet).repeat_sale(&order, &card, email).await.unwrap_err();
        assert_eq!(refused.refusal().unwrap().status, 403, "{consumer} {email:?}");
    }
    assert_eq!(cards(&fleet, 1001, "ada").await, Vec::<Value>::new());
    for path in ["/consumers/a%20b/cards", &format!("/consumers/{}/cards", "a".repeat(65))] {
        let request = fleet.http().get(fleet.url(path)).header("x-api-key", key_of(1001));
        assert_eq!(fleet.send(request).await.status, 400, "{path}");
    }
    let nobody = fleet.send(fleet.http().get(fleet.url("/consumers/ada/cards"))).await;
    assert_eq!((nobody.status, &nobody.json()["status"]), (401, &json!(401)));
}

/// Tells a card of a sale, as the card gateway does.
async fn map(fleet: &TestFleet, (order, sale): (&Order, &Sale), card: &str) -> HttpAnswer {
    let body = json!({
        "consumer": { "device": { "serialNumber": SERIAL } },
        "session": { "accessToken": order.access_token, "token": sale.token },
        "sourceCard": { "bin": "519364", "reference": { "serverCardId": card } },
    });
    post(fleet, "/sale/notification", &body).await
}

/// A sale with a kept card, whose next status is `ends`: the card gateway itself tells no card of it.
pub(crate) async fn repeated(
    fleet: &TestFleet,
    (amount, consumer, card): (i64, &str, &str),
    ends: &str,
) -> (PurchaseId, Order, Sale) {
    processing(fleet, (amount, consumer, Some(card)), (1, ends)).await
}

/// Tells a card of a sale that is asked about because of that, until it is taken.
async fn kept(fleet: &TestFleet, told: (&Order, &Sale), card: &str) -> HttpAnswer {
    let early = map(fleet, told, card).await;
    assert_eq!(cause(&early), (503, "SERVER_UNAVAILABLE".to_owned()));
    let taken = async || map(fleet, told, card).await.status == 200;
    fleet.until("the card to be taken", taken).await;
    map(fleet, told, card).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_is_kept_once_our_own_question_was_answered_with_an_approval() {
    let fleet = asking_seldom().await;
    let own = with_card(&fleet, "ada", None).await;
    for (amount, card) in (3_400..).zip(["card-1", "c", &"9".repeat(128)]) {
        let (id, order, sale) = repeated(&fleet, (amount, "ada", &own), APPROVED).await;
        let before = cards(&fleet, 1001, "ada").await.len();
        let answer = kept(&fleet, (&order, &sale), card).await;
        assert_eq!(fleet.wait_status(id, PurchaseStatus::Success).await.purchase.order.id, id);
        assert_eq!(cards(&fleet, 1001, "ada").await.len(), before + 1, "{card}");
        let told = answer.json();
        let key = ControlKey::of(&Private::new("B17F59B4-A7DC-41B4-8FF9-37D986B43D20")).unwrap();
        let signed = Signed {
            serial_number: SERIAL,
            endpoint_id: "1111",
            nonce: told["session"]["nonce"].as_str().unwrap(),
            invoice_id: &sale.invoice_id,
            amount_centis: amount,
            currency: "ZAR",
        };
        assert_eq!(told["session"]["checkSignature"], key.mapping(&signed).unwrap());
    }
    for (amount, card) in (3_410..).zip(["card-1", "card-2", "card-3"]) {
        let (id, order, sale) = repeated(&fleet, (amount, "ada", &own), DECLINED).await;
        let before = cards(&fleet, 1001, "ada").await.len();
        assert_eq!(map(&fleet, (&order, &sale), card).await.status, 503, "{card}");
        fleet.wait_status(id, PurchaseStatus::Failed).await;
        let late = map(&fleet, (&order, &sale), card).await;
        assert_eq!(cause(&late), (403, "FILTERED".to_owned()), "{card}");
        assert_eq!(cards(&fleet, 1001, "ada").await.len(), before, "{card}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sale_has_one_card_and_a_card_one_consumer() {
    let fleet = asking_seldom().await;
    let (adas, beas) = (with_card(&fleet, "ada", None).await, with_card(&fleet, "bea", None).await);
    let (_, order, sale) = repeated(&fleet, (3_500, "ada", &adas), APPROVED).await;
    let first = kept(&fleet, (&order, &sale), "card-1").await;
    assert_eq!(map(&fleet, (&order, &sale), "card-1").await.json(), first.json(), "the same again");
    for other in ["card-2", "card-11", "CARD-1"] {
        let refused = map(&fleet, (&order, &sale), other).await;
        assert_eq!(cause(&refused), (403, "FILTERED".to_owned()), "{other}");
    }
    assert_eq!(cards(&fleet, 1001, "ada").await.len(), 2);
    let (id, order, sale) = repeated(&fleet, (3_501, "bea", &beas), APPROVED).await;
    assert_eq!(map(&fleet, (&order, &sale), "card-1").await.status, 503);
    fleet.wait_status(id, PurchaseStatus::Success).await;
    for _ in 0..3 {
        let refused = map(&fleet, (&order, &sale), "card-1").await;
        assert_eq!(cause(&refused), (403, "FILTERED".to_owned()), "it is ada's");
    }
    assert_eq!(cards(&fleet, 1001, "bea").await.len(), 1);
    assert_eq!(map(&fleet, (&order, &sale), "card-3").await.status, 200, "her own");
    assert_eq!(cards(&fleet, 1001, "bea").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_that_is_mapped_again_pays_again_and_silence_about_the_address_changes_nothing() {
    let fleet = asking_seldom().await;
    let body = by_app(1650, "0000");
    for (consumer, email) in [("ada", None), ("bea", Some("bea@example.test")), ("cyd", None)] {
        let own = with_card(&fleet, consumer, email).await;
        access(&fleet, consumer, &body, None).await;
        let ids = async || -> Vec<Value> {
            let all = cards(&fleet, 1001, consumer).await;
            all.iter().map(|card| card["clientCardId"].clone()).collect()
        };
        assert_eq!(ids().await, [json!(own)], "{consumer}");
    }
    // Told by a sale without an address, then disabled by another one, then told by a new sale.
    let own = with_card(&fleet, "dan", None).await;
    let (_, order, sale) = repeated(&fleet, (3_600, "dan", &own), APPROVED).await;
    kept(&fleet, (&order, &sale), "card-d").await;
    let before = cards(&fleet, 1001, "dan").await;
    assert_eq!(before.len(), 2);
    access(&fleet, "dan", &body, Some("dan@example.test")).await;
    assert_eq!(cards(&fleet, 1001, "dan").await, Vec::<Value>::new());
    // Told again by the same sale: what is answered with our signature is kept, each time.
    for other in ["dan@example.test", "dan2@example.test", "dan3@example.test"] {
        assert_eq!(map(&fleet, (&order, &sale), "card-d").await.status, 200, "the same again");
        let again = cards(&fleet, 1001, "dan").await;
        assert_eq!(again.len(), 1, "kept again: {again:?}");
        assert!(before.contains(&again[0]), "under the same reference: {again:?}");
        access(&fleet, "dan", &body, None).await;
        assert_eq!(cards(&fleet, 1001, "dan").await.len(), 1, "silence changes nothing");
        access(&fleet, "dan", &body, Some(other)).await;
        assert_eq!(cards(&fleet, 1001, "dan").await, Vec::<Value>::new(), "{other}");
    }
    let newest = with_card(&fleet, "dan", None).await;
    let (_, order, sale) = repeated(&fleet, (3_601, "dan", &newest), APPROVED).await;
    kept(&fleet, (&order, &sale), "card-d").await;
    let after = cards(&fleet, 1001, "dan").await;
    let is_there =
        |card: &Value| after.iter().any(|one| one["clientCardId"] == card["clientCardId"]);
    assert_eq!((after.len(), before.iter().filter(|card| is_there(card)).count()), (2, 1));
    // It pays again: the card gateway is told which one it is.
    let again = before.iter().find(|card| is_there(card)).unwrap();
    let order = access(&fleet, "dan", &body, None).await;
    let sale = app(&fleet).initiate(&order).await.unwrap();
    let mut asked = check_of(&order, &sale, "token-1");
    asked["sourceOfFunds"] = json!({ "reference": { "clientCardId": again["clientCardId"] } });
    let vouched = check(&fleet, &sale.invoice_id, &asked).await.json();
    assert_eq!(vouched["sourceOfFunds"]["reference"]["serverCardId"], "card-d");
}
