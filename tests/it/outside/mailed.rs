//! An order's own e-mail: it has an address, and it is really sent.

use fleet_contracts::RequestedOutcome;
use fleet_domain::{PurchaseId, PurchaseStatus};
use fleet_simulator::Message;
use fleet_store::ImportMode;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{
    Letter, RESERVE_AND_TRANSACT, TRANSACT, client, connector, purchase, sample,
};
use serde_json::{Value, json};

const ADDRESS: &str = "ada.of.the.test@mail.example.com";

/// A lottery ticket, whose goods are a voucher.
fn lotto() -> Value {
    let mut body = purchase("0000");
    body["productId"] = 301.into();
    body["currencyCode"] = "KWD".into();
    body
}

/// The same with what it asks for besides, as HTTP wants it.
fn asking(mut body: Value, extras: Value) -> Value {
    body["additionalData"] = extras;
    body
}

/// What people got about a purchase, by provider.
fn sent(fleet: &TestFleet, id: PurchaseId) -> Vec<Message> {
    let id = id.to_string();
    let messages = fleet.simulator().messages().into_iter();
    let mut sent: Vec<_> = messages.filter(|one| one.reference.starts_with(&id)).collect();
    sent.sort_by(|a, b| a.party.cmp(&b.party));
    sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_asks_for_an_e_mail_gets_it_of_success_and_of_failure() {
    let fleet = TestFleet::start().await;
    fleet.keep_secret(ADDRESS);
    let extras = json!({ "notify": ["email"], "notifyEmail": ADDRESS });
    let body = asking(lotto(), extras.clone());
    let id = fleet.reserve_and_transact(&body).await.accepted();
    let view = fleet.wait_final(id).await;
    let voucher = view.purchase.progress.voucher.as_ref().unwrap().expose().to_owned();
    fleet.keep_secret(&voucher);
    let [mail] = &sent(&fleet, id)[..] else { panic!("not told once: {:?}", sent(&fleet, id)) };
    assert_eq!((&*mail.party, mail.destination.as_str()), ("mail", ADDRESS));
    assert_eq!(mail.subject.as_deref(), Some(format!("Your purchase {id}").as_str()));
    assert!(mail.text.contains(&voucher), "success comes with the voucher");
    let row = view.deliveries.iter().find(|row| row.channel == "email").unwrap();
    assert_eq!((row.state.as_str(), row.attempts), ("sent", 1));

    for (code, word) in [("9201", "the number cannot receive it"), ("9101", "not enough money")] {
        let body = asking(purchase(code), extras.clone());
        let id = fleet.reserve_and_transact(&body).await.reference();
        fleet.wait_status(id, PurchaseStatus::Failed).await;
        fleet.wait_final(id).await;
        let [mail] = &sent(&fleet, id)[..] else { panic!("not told once: {:?}", sent(&fleet, id)) };
        assert_eq!((&*mail.party, mail.destination.as_str()), ("mail", ADDRESS));
        assert!(mail.text.contains(word), "{}", mail.text);
    }

    // Both channels, each once; and an address alone asks for nothing.
    let both = json!({ "notify": ["sms", "email", "email"], "notifyEmail": ADDRESS });
    let id = fleet.transact(&asking(lotto(), both)).await.accepted();
    fleet.wait_final(id).await;
    let parties: Vec<_> = sent(&fleet, id).iter().map(|one| one.party.to_string()).collect();
    assert_eq!(parties, ["mail", "sms"]);
    let alone = asking(purchase("0000"), json!({ "notifyEmail": ADDRESS }));
    let id = fleet.transact(&alone).await.accepted();
    fleet.wait_final(id).await;
    assert_eq!(sent(&fleet, id).len(), 0);

    // It is personal data: nobody sees it but the provider.
    let shown = fleet.operator(&["purchase", "show", &id.to_string()]).await.to_string();
    assert!(!shown.contains("ada.of"), "{shown}");
    let mut connection = fleet.database().connection().await.unwrap();
    let sql = "select concat((select string_agg(p::text, ' ') from purchase p),
                             (select string_agg(d::text, ' ') from delivery d),
                             (select string_agg(j::text, ' ') from journal j))";
    let stored: String = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    assert!(
        stored.contains(&id.to_string()) && !stored.contains("ada.of"),
        "it is stored in plain"
    );
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enqueued_order_gets_its_e_mail_too() {
    let fleet = TestFleet::start().await;
    fleet.keep_secret(ADDRESS);
    let shop = fleet.shop().await;
    let mut replies = shop.replies().await;
    let mut message = fleet.message(&purchase("0000"), "we_reserve");
    message["notify"] = json!(["email"]);
    message["notifyEmail"] = ADDRESS.into();
    shop.request(&Letter::purchase(&message).answered(&replies)).await;
    let (reply, _) = replies.next().await;
    assert_eq!(reply.outcome, RequestedOutcome::Accepted, "{reply:?}");
    let id: PurchaseId = reply.raas_txn_ref.unwrap().parse().unwrap();
    fleet.wait_final(id).await;
    let [mail] = &sent(&fleet, id)[..] else { panic!("not told once: {:?}", sent(&fleet, id)) };
    assert_eq!((&*mail.party, mail.destination.as_str()), ("mail", ADDRESS));

    fleet.allow_log("dead letter");
    message["clientTxnRef"] = "without-an-address".into();
    message.as_object_mut().unwrap().remove("notifyEmail");
    shop.request(&Letter::purchase(&message).answered(&replies)).await;
    let (reply, _) = replies.next().await;
    assert_eq!(reply.outcome, RequestedOutcome::Invalid, "{reply:?}");
    let [letter] = &fleet.wait_letters(1).await[..] else { panic!("one letter") };
    assert!(letter.row.detail.starts_with("notifyEmail is missing"), "{letter:?}");
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_e_mail_without_a_good_address_is_refused_and_a_retry_is_not() {
    let fleet = TestFleet::builder()
        .workers(&["gateway"])
        .directory(|import| client(import, 1002).notify = None)
        .start()
        .await;
    let long = format!("{}@mail.example.com", "a".repeat(240));
    let missing = json!({ "notify": ["email"] });
    let wrong = [
        missing.clone(),
        json!({ "notify": ["email"], "notifyEmail": null }),
        json!({ "notify": ["email"], "notifyEmail": "" }),
        json!({ "notify": ["email"], "notifyEmail": "ada" }),
        json!({ "notify": ["email"], "notifyEmail": "ada@mail" }),
        json!({ "notify": ["sms", "email"], "notifyEmail": "ada@mail.example.com, bob@x.example" }),
        json!({ "notify": ["email"], "notifyEmail": "ada@mail.example.com\r\nBcc: bob@x.example" }),
        json!({ "notify": ["email"], "notifyEmail": "<ada@mail.example.com>" }),
        json!({ "notify": ["email"], "notifyEmail": long }),
        json!({ "notify": ["email"], "notifyEmail": "4111111111111111@mail.example.com" }),
        json!({ "notifyEmail": "ada" }),
    ];
    for path in [TRANSACT, RESERVE_AND_TRANSACT] {
        for extras in &wrong {
            let answer = fleet.post(path, &asking(purchase("0000"), extras.clone())).await;
            assert_eq!((answer.status, answer.code().as_str()), (400, "4000"), "{extras}");
            assert!(answer.message().starts_with("notifyEmail "), "{extras}: {answer:?}");
            assert!(!answer.text.contains("example"), "a value is repeated: {answer:?}");
        }
    }
    let wrong_type = asking(purchase("0000"), json!({ "notify": ["email"], "notifyEmail": 7 }));
    let answer = fleet.transact(&wrong_type).await;
    assert!(answer.message().starts_with("additionalData.notifyEmail "), "{answer:?}");
    let nowhere = json!({ "notify": ["email"], "notifyEmail": "ada@mail.example.com" });
    let mut other = asking(purchase("0000"), nowhere.clone());
    other["clientId"] = 1002.into();
    let answer = fleet.transact(&other).await;
    assert_eq!(answer.message(), "notify names email, a channel not configured");
    let stored: i64 = fleet.summary().await.purchases.iter().map(|row| row.purchases).sum();
    assert_eq!(stored, 0);

    // What is told about it is no part of what makes a purchase the same.
    let mut body = asking(purchase("0000"), nowhere);
    let id = fleet.transact(&body).await.accepted();
    body["additionalData"] = missing;
    assert_eq!(fleet.transact(&body).await.accepted(), id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_provider_takes_no_new_order_and_sends_what_was_promised() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    fleet.keep_secret(ADDRESS);
    let order = || {
        let extras = json!({ "notify": ["email", "sms"], "notifyEmail": ADDRESS });
        asking(purchase("0000"), extras)
    };
    let id = fleet.transact(&order()).await.accepted();
    let mut import = sample(fleet.simulator_url("").trim_end_matches('/'));
    for name in ["sample-mail", "sample-sms"] {
        connector(&mut import, name).active = false;
    }
    fleet.store().import(&import, ImportMode::Apply).await.unwrap();
    let refused = async || {
        let answer = fleet.transact(&order()).await;
        answer.status == 400 && answer.message() == "notify names email, a channel not configured"
    };
    fleet.until("the gateway to refuse", refused).await;
    for program in ["reservation", "dispensing", "result-delivery", "fraud-reporting"] {
        fleet.start_worker(program).await;
    }
    fleet.wait_final(id).await;
    let parties: Vec<_> = sent(&fleet, id).iter().map(|one| one.party.to_string()).collect();
    assert_eq!(parties, ["mail", "sms"], "as it was promised");
    fleet.assert_all_ended().await;
}
