//! Card numbers: refused by field where a card could stand, and nothing else is taken for one.

use fleet_contracts::RequestedOutcome::Invalid;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{Letter, client, purchase};
use serde_json::{Value, json};

const CARD: &str = "4111111111111111";

fn with(field: &str, value: &str) -> Value {
    let mut body = purchase("0000");
    match field.split_once('.') {
        None => body[field] = value.into(),
        Some((_, inner)) => body["additionalData"] = json!({ "fraud": { inner: value } }),
    }
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_number_is_refused_by_its_field_and_kept_nowhere() {
    let fleet = TestFleet::start().await;
    fleet.allow_log("dead letter");
    for text in [CARD, "4111 1111", "5555555555554444", "5555.5555"] {
        fleet.keep_secret(text);
    }
    let shop = fleet.shop().await;
    let mut replies = shop.replies().await;
    let cases = [
        ("clientTxnRef", CARD.to_owned()),
        ("reserveFundsTxnRef", "4111 1111 1111 1111".to_owned()),
        ("authCode", "5555-5555-5555-4444".to_owned()),
        ("channelName", format!("paid by {CARD} today")),
        ("channelName", "5555.5555.5555.4444".to_owned()),
        ("fraud.userAgent", CARD.chars().map(|c| format!("{c}\u{200b}")).collect()),
        ("fraud.pricePoint", "\u{ff14}111/1111/1111/1111".to_owned()),
        ("fraud.token", CARD.to_owned()),
    ];
    let count = cases.len();
    for (field, text) in cases {
        let body = with(field, &text);
        let answer = fleet.transact(&body).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "4000"), "{field}: {answer:?}");
        let told = format!("{field} looks like a card number, which is not allowed");
        assert_eq!(answer.message(), told);
        let mut message = fleet.message(&body, "client_reserved");
        if let Some(fraud) = body["additionalData"].get("fraud") {
            message["fraud"] = fraud.clone();
            message.as_object_mut().unwrap().remove("additionalData");
        }
        shop.request(&Letter::purchase(&message).answered(&replies)).await;
        let (reply, _) = replies.next().await;
        assert_eq!((reply.outcome, reply.response_message), (Invalid, told), "{field}");
    }
    for name in ["cvv", "cardNumber", "track_2"] {
        let mut body = purchase("0000");
        body["additionalData"] = json!({ "more": { name: "x" } });
        let answer = fleet.transact(&body).await;
        let path = format!("additionalData.more.{name}");
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.message().starts_with(&path), "{answer:?}");
    }
    let letters = fleet.wait_letters(count).await;
    for letter in letters {
        assert!(letter.body.as_ref().is_ok_and(Vec::is_empty), "{:?}", letter.row);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_may_attest_that_its_references_are_numbers() {
    let fleet = TestFleet::builder()
        .directory(|import| client(import, 1001).references_are_numbers = true)
        .start()
        .await;
    for number in [CARD, "5555555555554444", "378282246310005"] {
        fleet.transact(&with("clientTxnRef", number)).await.accepted();
        let mut theirs = with("clientTxnRef", number);
        theirs["clientId"] = 1002.into();
        assert_eq!(fleet.transact(&theirs).await.status, 400, "only who attests it");
        let words = fleet.transact(&with("channelName", &format!("by {number}"))).await;
        assert_eq!(words.status, 400, "free text stays free text: {words:?}");
    }
    // What a message says is its client's own, and never logged.
    let id = fleet.transact(&purchase("0000")).await.accepted();
    let body = json!({
        "clientId": 1001, "clientNotificationRef": "4111111111111111", "transactionRef": id,
        "channelId": 6, "destinationIdentifier": "27821234567", "message": format!("Token {CARD}"),
    });
    assert_eq!(fleet.post("/notification/1.0", &body).await.status, 200);
    let shown = fleet.operator(&["client", "show", "1001"]).await;
    assert!(shown.to_string().contains("references_are_numbers"), "{shown}");
    fleet.assert_all_ended().await;
}
