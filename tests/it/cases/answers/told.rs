//! What others tell us by themselves, and what they say when they are asked about it.

use fleet_domain::{PurchaseId, PurchaseStatus, ReserveState};
use fleet_simulator::{Action, Behaviour, CardData, EffectKind};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::purchase;
use serde_json::{Value, json};

use super::{confirm, is_done, odd};
use crate::card_sale::callbacks::{APPROVED, asking_seldom};
use crate::card_sale::cards::{cards, repeated, with_card};
use crate::card_sale::{SERIAL, access, app, asking_often, by_app, by_gateway, id_of};
use crate::unknown::at_callback;
use crate::{card_payment, mo_charge};

fn number(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A charge that is not told by the operator's own notification.
async fn untold(fleet: &TestFleet) -> (Value, PurchaseId, String) {
    let body = mo_charge::by_sms("9706", "0000");
    let behaviour = vec![Behaviour::asks(&[(0, "CHARGED/untold")])];
    let buyer = body["sourceIdentifier"].as_str().unwrap();
    fleet.simulator().script(buyer, Action::MoCharge, behaviour);
    let id = fleet.reserve_and_transact(&body).await.accepted();
    fleet.wait_reserve(id, ReserveState::Asked).await;
    let paid = async || !fleet.simulator().transactions_of(&id.to_string()).is_empty();
    fleet.until("the buyer to pay", paid).await;
    let transaction = fleet.simulator().transactions_of(&id.to_string())[0].id.to_string();
    (body, id, transaction)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b23_a_word_of_others_is_kept_whatever_is_a_number_or_null_in_it() {
    let fleet = asking_seldom().await;
    // A supplier's signed confirmation.
    for (mark, fields) in [
        ("", json!({ "supplierRef": 12345 })),
        ("\u{feff}", json!({ "responseMessage": null, "supplierRef": null, "token": null })),
        (" \r\n", json!({ "responseMessage": [1], "vendAmount": "x", "more": {} })),
    ] {
        let id = fleet.reserve_and_transact(&at_callback(purchase("9305"))).await.accepted();
        fleet.until("the vend", async || fleet.count(id, EffectKind::Vend) == 1).await;
        let mut told = json!({ "vendRef": format!("{id}-0000"), "responseCode": "0000" });
        told.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let answer = confirm(&fleet, format!("{mark}{told}").as_bytes()).await;
        assert_eq!(answer.status, 200, "{fields}: {answer:?}");
        let view = is_done(&fleet, id, &fields.to_string()).await;
        assert_eq!(view.facts.len(), 1, "{fields}");
    }
    // An operator's notification.
    for mark in ["", "\u{feff}"] {
        let (body, id, transaction) = untold(&fleet).await;
        let mut told = mo_charge::charged(&body, id, &transaction);
        told["success"]["msisdn"] = number(body["sourceIdentifier"].as_str().unwrap());
        told["success"]["operator"] = Value::Null;
        told["success"]["transaction"]["transaction_id"] = number(&transaction);
        told["success"]["transaction"]["timestamp"] = json!(1_911_173);
        let answer = mo_charge::tell(&fleet, format!("{mark}{told}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(is_done(&fleet, id, "a notification").await.facts.len(), 1);
    }
    // A card gateway's mapping.
    let own = with_card(&fleet, "ada", None).await;
    let (_, order, sale) = repeated(&fleet, (3_900, "ada", &own), APPROVED).await;
    let told = json!({
        "consumer": { "device": { "serialNumber": SERIAL } },
        "session": { "accessToken": order.access_token, "token": sale.token },
        "sourceCard": {
            "bin": 519_364,
            "reference": { "serverCardId": 987_654_321, "uniqueReferenceCardId": null },
        },
    });
    let text = format!("\u{feff}{told}");
    let post = async || {
        let request = fleet.http().post(fleet.url("/sale/notification"));
        fleet.send(by_gateway(request, &text).body(text.clone())).await.status
    };
    fleet.until("the card to be taken", async || post().await == 200).await;
    let kept = cards(&fleet, 1001, "ada").await;
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert!(kept.iter().all(|card| card["masked"] == "519364…"), "{kept:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b26_a_source_that_answers_with_numbers_confirms_all_the_same() {
    let fleet = asking_often().await;
    // An operator's check: the number of the buyer as it is, as a decimal, with an exponent.
    for form in ["", ".0", "e0"] {
        let body = mo_charge::by_sms("0000", "0000");
        let buyer = body["sourceIdentifier"].as_str().unwrap();
        let check = odd(&json!({ "msisdn": number(&format!("{buyer}{form}")), "note": null }));
        fleet.simulator().script(buyer, Action::MoCheck, vec![check]);
        let id = fleet.reserve_and_transact(&body).await.accepted();
        is_done(&fleet, id, form).await;
        assert_eq!(mo_charge::moved(&fleet, id), [1, 1, 1], "{form}");
    }
    // A card processor's Transaction Query.
    let query = odd(&json!({ "accountID": 77, "amount": "10.010", "order_info": null }));
    fleet.simulator().script("1001", Action::CardQuery, vec![query]);
    let (_, id) = card_payment::pay(&fleet, "1001").await;
    is_done(&fleet, id, "accountID").await;
    let silent = vec![Behaviour::asks(&[(0, "SUCCESS/untold")])];
    fleet.simulator().script("1002", Action::CardPayment, silent);
    let (_, id) = card_payment::pay(&fleet, "1002").await;
    fleet.wait_reserve(id, ReserveState::Asked).await;
    let paid = async || !fleet.simulator().transactions_of(&id.to_string()).is_empty();
    fleet.until("the buyer to pay", paid).await;
    let transaction = fleet.simulator().transactions_of(&id.to_string())[0].id.to_string();
    let query = odd(&json!({ "transactionid": number(&transaction), "accountID": 77 }));
    fleet.simulator().script("1002", Action::CardQuery, vec![query]);
    let query = [
        ("type", "cardpayment"),
        ("status", "success"),
        ("order_info", &id.to_string()),
        ("transaction_id", &transaction),
    ];
    let url = fleet.url("/callbacks/card-payments/card-sample");
    assert_eq!(fleet.send(fleet.http().get(url).query(&query)).await.status, 200);
    is_done(&fleet, id, "transactionid").await;
    // A card gateway's status.
    let transaction = json!({ "amountCentis": "4000", "currency": "ZAR" });
    let status = odd(&json!({
        "orderId": 4_567_890, "transaction": transaction, "errorCode": null, "errorMessage": 0,
    }));
    fleet.simulator().script("4000", Action::SaleStatus, vec![status]);
    let order = access(&fleet, "ada", &by_app(4_000, "0000"), None).await;
    let app = app(&fleet).polling(std::time::Duration::ZERO, 0);
    let id = id_of(&app.first_sale(&order, &CardData::planted()).await.unwrap());
    let view = fleet.wait_status(id, PurchaseStatus::Success).await;
    assert_eq!(view.purchase.reservation(), Some("4567890"));
    fleet.assert_all_ended().await;
}
