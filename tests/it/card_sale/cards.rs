//! Cards that pay again: whose they are, and when they stop.

use fleet_domain::PurchaseStatus;
use fleet_simulator::CardData;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{HttpAnswer, key_of};
use serde_json::{Value, json};

use super::{access, app, by_app, id_of, moved};

async fn cards(fleet: &TestFleet, client: i64, consumer: &str) -> Vec<Value> {
    let url = fleet.url(&format!("/consumers/{consumer}/cards"));
    let request = fleet.http().get(url).header("x-api-key", key_of(client));
    let answer: HttpAnswer = fleet.send(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["cards"].as_array().unwrap().clone()
}

/// A consumer with one card.
async fn with_card(fleet: &TestFleet, consumer: &str, email: Option<&str>) -> String {
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
