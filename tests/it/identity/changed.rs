//! The identity of a purchase comes before any rule of today, whichever way it comes again (over HTTP
//! and as a message: `cases`, B01 and B02).

use fleet_domain::PurchaseId;
use fleet_store::{DirectoryImport, ImportMode, ProductRow};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{client, connector, key_of, purchase, sample};
use serde_json::{Value, json};

pub(crate) type Edit = Box<dyn Fn(&mut DirectoryImport)>;

pub(crate) fn product(import: &mut DirectoryImport, id: i64) -> &mut ProductRow {
    import.products.iter_mut().find(|row| row.product_id == id).unwrap()
}

pub(crate) fn of_product(edit: impl Fn(&mut ProductRow) + 'static) -> Edit {
    Box::new(move |import| edit(product(import, 101)))
}

pub(crate) async fn import(fleet: &TestFleet, edit: &Edit) {
    let mut import = sample(fleet.simulator_url("").trim_end_matches('/'));
    edit(&mut import);
    fleet.store().import(&import, ImportMode::Apply).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_replayed_after_its_product_went_is_the_purchase_that_it_was() {
    let fleet = TestFleet::start().await;
    let mut letters = Vec::new();
    let mut ids = Vec::new();
    for scenario in ["client_reserved", "we_reserve", "client_reserved"] {
        let body = purchase("0000");
        let id = match scenario {
            "we_reserve" => fleet.reserve_and_transact(&body).await.accepted(),
            _ => fleet.transact(&body).await.accepted(),
        };
        ids.push(id);
        letters.push(fleet.message(&body, scenario));
    }
    import(&fleet, &of_product(|row| row.active = false)).await;
    let kept = crate::replay::keep_bodies(&fleet, "invalid", &letters).await;
    let named: Vec<String> = kept.iter().map(ToString::to_string).collect();
    let mut arguments = vec!["replay", "--reason", "they were ours"];
    arguments.extend(named.iter().map(String::as_str));
    let (code, told, error) = crate::replay::dead(&fleet, &arguments).await;
    assert_eq!(code, Some(0), "{error}");
    assert_eq!((&told["already_stored"], &told["refused"]), (&json!(3), &json!(0)), "{told}");
    for id in ids {
        fleet.wait_final(id).await;
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_payment_asked_for_again_gets_its_page_whatever_its_account_has_become() {
    let fleet = TestFleet::start().await;
    let body = json!({
        "account_id": "1", "amount": "10.00", "currency": "USD", "order_info": "Booking-again",
    });
    let ask = async |body: &Value| {
        let request = fleet.http().post(fleet.url("/api/card-payments")).body(body.to_string());
        fleet.send(request.header("authorization", key_of(1021))).await
    };
    let first = ask(&body).await;
    let url = first.json()["payment_url"].as_str().unwrap().to_owned();
    let id: PurchaseId = url.rsplit('/').next().unwrap().parse().unwrap();
    fleet.wait_final(id).await;
    let edits: [(&str, Edit); 4] = [
        ("productId", Box::new(|i| product(i, 801).active = false)),
        ("amount is above", Box::new(|i| product(i, 801).max_amount = 999)),
        (
            "account_id",
            Box::new(|i| client(i, 1021).card.as_mut().unwrap().account_id = "2".into()),
        ),
        ("account_id", Box::new(|i| client(i, 1021).card = None)),
    ];
    for (rule, edit) in edits {
        import(&fleet, &edit).await;
        let mut new = body.clone();
        fleet
            .until(rule, async || {
                let mut new = new.clone();
                new["order_info"] = format!("Booking-{:x}", rand::random::<u32>()).into();
                ask(&new).await.text.contains(rule)
            })
            .await;
        let again = ask(&body).await;
        assert_eq!(again.json()["payment_url"], url, "{rule}: {again:?}");
        new["amount"] = "10.01".into();
        let other = ask(&new).await;
        assert!(other.text.contains("order_info was used before"), "{rule}: {other:?}");
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notification_again_is_the_same_message_whatever_its_channel_has_become() {
    let fleet = TestFleet::start().await;
    let id = fleet.reserve_and_transact(&purchase("0000")).await.accepted();
    fleet.wait_final(id).await;
    let body = json!({
        "clientId": 1001, "clientNotificationRef": "note-again", "transactionRef": id,
        "channelId": 6, "destinationIdentifier": "27821234567", "message": "Thank you.",
    });
    let first = fleet.post("/notification/1.0", &body).await;
    assert_eq!(first.status, 200, "{first:?}");
    let edits: [Edit; 3] = [
        Box::new(|i| connector(i, "sample-sms").active = false),
        Box::new(|i| client(i, 1001).notify = None),
        Box::new(|i| client(i, 1001).notify.as_mut().unwrap().sms = None),
    ];
    for (number, edit) in edits.iter().enumerate() {
        import(&fleet, edit).await;
        fleet
            .until("the channel to be gone", async || {
                let mut new = body.clone();
                new["clientNotificationRef"] = format!("note-{:x}", rand::random::<u32>()).into();
                fleet.post("/notification/1.0", &new).await.status == 400
            })
            .await;
        let again = fleet.post("/notification/1.0", &body).await;
        assert_eq!((again.status, again.json()), (200, first.json()), "{number}: {again:?}");
        for (field, value) in [
            ("message", json!("Thanks.")),
            ("destinationIdentifier", json!("27821234568")),
            ("transactionRef", json!(uuid::Uuid::now_v7())),
        ] {
            let mut other = body.clone();
            other[field] = value;
            let answer = fleet.post("/notification/1.0", &other).await;
            assert_eq!(answer.status, 409, "{number} {field}: {answer:?}");
        }
    }
    fleet.assert_all_ended().await;
}
