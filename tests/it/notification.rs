//! Messages to buyer and recipient: by an order's wish at the end of its purchase, and by the
//! Notification API.

use std::time::Duration;

use fleet_contracts::Queue;
use fleet_domain::{Inquiry, PlanClass, PurchaseId, TaskKey, TaskKind};
use fleet_simulator::{Action, EffectKind, Fault, Message, Mode};
use fleet_store::{DeliveryView, PurchaseView, TemplateRow};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{Builder, HttpAnswer, Letter, client, connector, key_of, purchase};
use serde_json::{Value, json};

const NOTIFICATION: &str = "/notification/1.0";

/// A purchase that asks for messages.
fn order(code: &str) -> Value {
    let mut body = purchase(code);
    body["additionalData"] = json!({ "notify": ["sms"] });
    body
}

/// A purchase of a lottery ticket, whose goods are a voucher.
fn lotto() -> Value {
    let mut body = order("0000");
    body["productId"] = 301.into();
    body["currencyCode"] = "KWD".into();
    body
}

fn reference() -> String {
    let letter = |_| char::from(rand::random_range(b'a'..=b'z'));
    format!("note-{}", (0..16).map(letter).collect::<String>())
}

/// The body of a notification by SMS about a purchase of client 1001.
fn notification(id: PurchaseId, text: &str) -> Value {
    json!({
        "clientId": 1001, "clientNotificationRef": reference(),
        "transactionRef": id, "channelId": 6, "destinationIdentifier": "+27 82 123 4567",
        "sourceIdentifier": "27821234567", "message": text,
    })
}

/// A fleet whose messages are tried again every second.
fn quick() -> Builder {
    TestFleet::builder().plan(TaskKind::Notify, PlanClass::NotDone, &[1; 8])
}

async fn notify(fleet: &TestFleet, body: &Value) -> HttpAnswer {
    for field in ["message", "destinationIdentifier"] {
        let text = body[field].as_str().unwrap_or_default();
        if text.len() >= 9 {
            fleet.keep_secret(text);
        }
    }
    fleet.post(NOTIFICATION, body).await
}

/// What people got about a purchase, in order.
fn sent(fleet: &TestFleet, id: PurchaseId) -> Vec<Message> {
    let id = id.to_string();
    let messages = fleet.simulator().messages().into_iter();
    messages.filter(|message| message.reference.starts_with(&id)).collect()
}

fn row(view: &PurchaseView, slot: i32) -> &DeliveryView {
    view.deliveries.iter().find(|row| row.slot == slot).unwrap()
}

fn journal(view: &PurchaseView) -> Vec<&str> {
    let rows = view.journal.iter().filter(|row| row.kind == TaskKind::Notify);
    rows.map(|row| row.outcome.as_str()).collect()
}

fn voucher_of(view: &PurchaseView) -> String {
    view.purchase.progress.voucher.as_ref().unwrap().expose().to_owned()
}

fn template(event: &str, language: &str, text: &str) -> TemplateRow {
    let row = json!({ "client_id": 1001, "event": event, "language": language, "text": text });
    serde_json::from_value(row).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_recipient_is_told_of_success_with_the_voucher_and_the_buyer_of_failure() {
    let fleet = TestFleet::start().await;
    let (done, failed, refused) = (lotto(), order("9201"), order("9101"));
    let silent = purchase("0000");
    let id = fleet.reserve_and_transact(&done).await.accepted();
    let view = fleet.wait_final(id).await;
    let voucher = voucher_of(&view);
    fleet.keep_secret(&voucher);
    let [message] = &sent(&fleet, id)[..] else { panic!("not told once: {:?}", sent(&fleet, id)) };
    assert_eq!(message.destination, done["targetIdentifier"].as_str().unwrap());
    assert_eq!((&*message.party, message.subject.as_deref()), ("sms", None));
    assert_eq!(&*message.reference, format!("{id}-n100"));
    let own = "Sample shop: Lotto ticket, KWD 1.500. Voucher";
    assert_eq!(message.text, format!("{own} {voucher} (ref {id})"), "the client's own text");
    assert_eq!((row(&view, 100).state.as_str(), row(&view, 100).attempts), ("sent", 1));
    assert_eq!(row(&view, 100).last_status, Some(202));
    for (body, reason) in
        [(failed, "the number cannot receive it"), (refused, "there was not enough money")]
    {
        let id = fleet.reserve_and_transact(&body).await.reference();
        let view = fleet.wait_final(id).await;
        let [message] = &sent(&fleet, id)[..] else { panic!("not told once") };
        assert_eq!(message.destination, body["sourceIdentifier"].as_str().unwrap());
        let text =
            format!("Sample shop: Airtime, any network, ZAR 15.00, failed: {reason} (ref {id})");
        assert_eq!(message.text, text);
        assert_eq!(row(&view, 101).state, "sent");
    }
    // Who did not ask is told nothing.
    let id = fleet.reserve_and_transact(&silent).await.accepted();
    let view = fleet.wait_final(id).await;
    assert_eq!((sent(&fleet, id).len(), view.deliveries.len()), (0, 1));
    let summary = fleet.summary().await;
    assert_eq!((summary.messages[0].state.as_str(), summary.messages[0].count), ("sent", 3));
    let shown = fleet.operator(&["delivery", "list", "--channel", "sms"]).await;
    assert_eq!(shown["deliveries"].as_array().unwrap().len(), 3);
    assert!(!shown.to_string().contains(&voucher), "the text stays sealed");
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_placeholder_stands_for_its_value_in_the_clients_language_or_the_default_text() {
    let all = "{{product}}|{{amount}}|{{currency}}|{{voucher}}|{{raasTxnRef}}|{{clientTxnRef}}";
    let fleet = TestFleet::builder()
        .directory(move |import| {
            client(import, 1001).notify.as_mut().unwrap().language = Some("fr".to_owned());
            import.templates = vec![
                template("recipient_success", "fr", all),
                template("recipient_success", "en", "wrong"),
                template("buyer_failed", "en", "wrong"),
                template("buyer_failed", "", "{{product}}|{{reason}}|{{clientTxnRef}}"),
            ];
        })
        .start()
        .await;
    let (done, failed) = (lotto(), order("9101"));
    let id = fleet.reserve_and_transact(&done).await.accepted();
    let voucher = voucher_of(&fleet.wait_final(id).await);
    let own = done["clientTxnRef"].as_str().unwrap();
    let text = format!("Lotto ticket|1.500|KWD|{voucher}|{id}|{own}");
    assert_eq!(sent(&fleet, id)[0].text, text);
    let id = fleet.reserve_and_transact(&failed).await.reference();
    fleet.wait_final(id).await;
    let own = failed["clientTxnRef"].as_str().unwrap();
    let text = format!("Airtime, any network|there was not enough money|{own}");
    assert_eq!(sent(&fleet, id)[0].text, text);
    // A client without texts of its own.
    let mut body = lotto();
    body["clientId"] = 1002.into();
    let id = fleet.reserve_and_transact(&body).await.accepted();
    let voucher = voucher_of(&fleet.wait_final(id).await);
    let begin = format!("Lotto ticket for 1.500 KWD: your voucher is {voucher}. ");
    let text = format!("{begin}Reference {id}");
    assert_eq!(sent(&fleet, id)[0].text, text);
    // Goods without a voucher.
    let id = fleet.reserve_and_transact(&order("0000")).await.accepted();
    fleet.wait_final(id).await;
    let text = format!("Airtime, any network for 15.00 ZAR is yours. Reference {id}");
    assert_eq!(sent(&fleet, id)[0].text, text);
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_meter_is_never_texted_and_its_voucher_goes_to_the_buyer() {
    let fleet = TestFleet::start().await;
    let mut meter = order("0000");
    meter["productId"] = 201.into();
    let mut account = order("0000");
    account["targetIdentifier"] = "meter0000".into();
    for body in [meter, account.clone()] {
        let id = fleet.reserve_and_transact(&body).await.accepted();
        let view = fleet.wait_final(id).await;
        let [message] = &sent(&fleet, id)[..] else { panic!("not told once") };
        assert_eq!(message.destination, body["sourceIdentifier"].as_str().unwrap());
        let voucher = view.purchase.progress.voucher.as_ref();
        assert!(voucher.is_none_or(|voucher| message.text.contains(voucher.expose())));
    }
    let mut nobody = account;
    nobody["clientTxnRef"] = "order-of-nobody".into();
    nobody["sourceIdentifier"] = "account0001".into();
    let id = fleet.reserve_and_transact(&nobody).await.accepted();
    assert_eq!(fleet.wait_final(id).await.deliveries.len(), 1, "a result, and no message");
    assert_eq!(sent(&fleet, id), []);
    for (notify, problem) in [
        (json!(["pigeon"]), "notify must name sms or email only"),
        (json!(["email"]), "notify names email, a channel not configured"),
    ] {
        let mut body = order("0000");
        body["clientId"] = 1002.into();
        body["additionalData"] = json!({ "notify": notify });
        let answer = fleet.reserve_and_transact(&body).await;
        assert_eq!((answer.status, answer.message().as_str()), (400, problem));
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_tells_nobody_twice_at_a_provider_that_deduplicates() {
    let fleet = quick()
        .directory(|import| connector(import, "sample-sms").call_deadline_ms = 1_000)
        .setting("engine.circuit_failures", 1_000)
        .start()
        .await;
    let mut bodies = Vec::new();
    for (place, fault) in Fault::ALL.into_iter().enumerate() {
        bodies.push((fault, order(&format!("965{place}"))));
    }
    let mut ids = Vec::new();
    for (fault, body) in &bodies {
        ids.push((*fault, fleet.reserve_and_transact(body).await.accepted()));
    }
    for (fault, id) in ids {
        let view = fleet.wait_final(id).await;
        assert_eq!(row(&view, 100).state, "sent", "{fault:?}");
        let calls = fleet.calls(id).iter().filter(|call| call.action == Action::Message).count();
        // A 2xx has taken the message, whatever its body is or does.
        let is_taken = matches!(fault, Fault::Garbage | Fault::Drip | Fault::Endless);
        let tries = if is_taken { 1 } else { 2 };
        assert_eq!(
            (calls, row(&view, 100).attempts),
            (tries, i32::try_from(tries).unwrap()),
            "{fault:?}"
        );
        fleet.until("a late effect", async || sent(&fleet, id).len() == 1).await;
        assert_eq!(fleet.count(id, EffectKind::Message), 1, "{fault:?}");
        assert!(fleet.parked().await.is_empty(), "nobody has to look at a message");
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_forgets_gets_the_same_again_after_a_lost_answer() {
    let fleet = quick()
        .directory(|import| {
            let provider = connector(import, "sample-sms");
            provider.base_url.push_str("-plain");
            provider.inquiry = Inquiry::None;
        })
        .start()
        .await;
    let id = fleet.reserve_and_transact(&order("9652")).await.accepted();
    assert_eq!(row(&fleet.wait_final(id).await, 100).attempts, 2);
    let [first, second] = &sent(&fleet, id)[..] else { panic!("not sent twice") };
    assert_eq!(first, second, "twice is better than never");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_end_a_message_or_delay_it_and_the_plan_has_an_end() {
    let fleet = quick().plan(TaskKind::Notify, PlanClass::NotDone, &[1, 1]).start().await;
    let cases = [
        ("9601", "failed", 1, 400, vec!["message_refused"]),
        ("9602", "sent", 2, 202, vec!["refused_for_now", "message_taken"]),
        ("9603", "sent", 3, 202, vec!["answer_lost", "answer_lost", "message_taken"]),
        ("9605", "failed", 3, 503, vec!["answer_lost", "answer_lost", "gave_up"]),
    ];
    let mut ids = Vec::new();
    for (code, ..) in &cases {
        ids.push(fleet.reserve_and_transact(&order(code)).await.accepted());
    }
    for ((code, state, attempts, status, words), id) in cases.iter().zip(&ids) {
        let view = fleet.wait_final(*id).await;
        let row = row(&view, 100);
        assert_eq!((row.state.as_str(), row.attempts), (*state, *attempts), "{code}");
        assert_eq!((row.last_status, &journal(&view)), (Some(*status), words), "{code}");
        assert_eq!(view.deliveries[0].state, "sent", "the result has its own way");
    }
    let [first, second] = &fleet
        .calls(ids[1])
        .into_iter()
        .filter(|call| call.action == Action::Message)
        .collect::<Vec<_>>()[..]
    else {
        panic!("not tried twice")
    };
    assert!(second.at - first.at >= chrono::Duration::seconds(1), "Retry-After is kept");
    // By hand, once the provider takes it.
    let id = ids[0].to_string();
    fleet.simulator().script(&id, Action::Message, vec![fleet_simulator::Behaviour::ok()]);
    let told =
        fleet.operator(&["delivery", "resend", &id, "--channel", "sms", "--reason", "asked"]).await;
    assert_eq!(told["sms"], "due now");
    fleet.until("the resend", async || sent(&fleet, ids[0]).len() == 1).await;
    let view = fleet.wait_final(ids[0]).await;
    assert_eq!((row(&view, 100).state.as_str(), row(&view, 100).attempts), ("sent", 2));
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_is_down_hurts_no_result_and_gets_its_messages_when_it_is_back() {
    let fleet = TestFleet::builder()
        .plan(TaskKind::Notify, PlanClass::NotDone, &[1; 60])
        .setting("engine.circuit_open_ms", 200)
        .start()
        .await;
    fleet.allow_log("circuit opened");
    fleet.simulator().set_provider("sms", Mode::Dead);
    let mut ids = Vec::new();
    for _ in 0..40 {
        ids.push(fleet.reserve_and_transact(&order("0000")).await.accepted());
    }
    let told = async || {
        for id in &ids {
            if row(&fleet.purchase(*id).await, 1).state != "sent" {
                return false;
            }
        }
        true
    };
    fleet.until("every result to be delivered", told).await;
    for id in &ids {
        let view = fleet.purchase(*id).await;
        assert_ne!(row(&view, 100).state, "sent");
        assert_eq!(row(&view, 1).attempts, 1, "a result is sent at once");
    }
    assert_eq!(fleet.simulator().messages().len(), 0);
    fleet.simulator().set_provider("sms", Mode::Up);
    for id in &ids {
        fleet.wait_final(*id).await;
        assert_eq!(sent(&fleet, *id).len(), 1);
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_a_day_old_is_not_sent_any_more() {
    let fleet =
        TestFleet::builder().plan(TaskKind::Notify, PlanClass::NotDone, &[3_600; 40]).start().await;
    let id = fleet.reserve_and_transact(&order("9605")).await.accepted();
    let tried = async || {
        let view = fleet.purchase(id).await;
        let waits =
            view.tasks.iter().any(|task| task.key.kind == TaskKind::Notify && task.tries > 0);
        waits && view.tasks.len() == 1
    };
    fleet.until("the first try and nothing else left", tried).await;
    fleet.advance_clock(Duration::from_secs(90_000)).await;
    let view = fleet.wait_final(id).await;
    assert_eq!((row(&view, 100).state.as_str(), row(&view, 100).attempts), ("failed", 1));
    assert_eq!(journal(&view), ["answer_lost", "gave_up"]);
    assert_eq!(sent(&fleet, id), []);
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_copy_of_a_hint_and_a_killed_worker_send_nothing_twice() {
    let fleet = TestFleet::start().await;
    let body = order("9604");
    let id = fleet.reserve_and_transact(&body).await.accepted();
    let asked = async || fleet.calls(id).iter().any(|call| call.action == Action::Message);
    fleet.until("the message to be under way", asked).await;
    let view = fleet.purchase(id).await;
    let task = view.tasks.iter().find(|task| task.key.kind == TaskKind::Notify).unwrap();
    let hint = fleet_contracts::JobHint {
        kind: TaskKind::Notify,
        published_at: chrono::Utc::now(),
        tasks: vec![(task.key, task.lane), (TaskKey { slot: 150, ..task.key }, task.lane)],
    };
    let administrator = fleet.administrator().await;
    for _ in 0..3 {
        administrator.publish(Queue::Notify, &Letter::new(hint.to_bytes())).await;
    }
    fleet.kill(fleet.index_of("result-delivery"));
    fleet.start_worker("result-delivery").await;
    // Its lease is over at once; the new process asks by sending the same again.
    fleet.advance_clock_during_calls(Duration::from_secs(120)).await;
    let view = fleet.wait_final(id).await;
    assert_eq!(row(&view, 100).state, "sent");
    assert_eq!(sent(&fleet, id).len(), 1, "the provider knows the reference");
    assert_eq!(fleet.letters().await.len(), 0);
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notification_is_taken_once_and_sent_by_its_channel() {
    let fleet = TestFleet::start().await;
    let id = fleet.reserve_and_transact(&purchase("0000")).await.accepted();
    let body = notification(id, "Thank you for buying.\nCome again");
    let answer = notify(&fleet, &body).await;
    assert_eq!((answer.status, answer.code().as_str()), (200, "0000"), "{answer:?}");
    let json = answer.json();
    assert_eq!(json["notificationRef"], format!("{id}-n200"));
    assert_eq!(json["clientNotificationRef"], body["clientNotificationRef"]);
    assert_eq!(json["transactionRef"], id.to_string());
    let again = notify(&fleet, &body).await;
    assert_eq!((again.status, again.json()), (200, json), "the same again answers the same");
    for (field, value) in [
        ("message", "Another text about it"),
        ("destinationIdentifier", "27829999999"),
        ("sourceIdentifier", "27829999999"),
    ] {
        let mut other = body.clone();
        other[field] = value.into();
        let answer = notify(&fleet, &other).await;
        assert_eq!((answer.status, answer.code().as_str()), (409, "4000"), "{field}");
        assert!(answer.message().starts_with("clientNotificationRef "), "{answer:?}");
    }
    let mut mail = notification(id, "By mail: thank you");
    mail["channelId"] = "9".into();
    mail["destinationIdentifier"] = "buyer.of.it@mail.example.com".into();
    mail.as_object_mut().unwrap().remove("sourceIdentifier");
    assert_eq!(notify(&fleet, &mail).await.json()["notificationRef"], format!("{id}-n201"));
    let view = fleet.wait_final(id).await;
    assert!(view.deliveries.iter().all(|row| row.state == "sent"), "{:?}", view.deliveries);
    let mut sent = sent(&fleet, id);
    sent.sort_by(|a, b| a.reference.cmp(&b.reference));
    let [sms, email] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(
        (sms.destination.as_str(), sms.text.as_str()),
        ("27821234567", "Thank you for buying.\nCome again")
    );
    assert_eq!(
        (&*email.party, email.destination.as_str()),
        ("mail", "buyer.of.it@mail.example.com")
    );
    assert_eq!(email.subject.as_deref(), Some(format!("Your purchase {id}").as_str()));
    assert_eq!(email.text, "By mail: thank you");
    let shown = fleet.operator(&["delivery", "show", &id.to_string()]).await;
    let taken = shown["attempts"].as_array().unwrap().iter();
    assert_eq!(taken.filter(|row| row["outcome"] == "message_taken").count(), 2, "{shown}");
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_notification_names_its_field_and_stores_nothing() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    let id = fleet.transact(&purchase("0000")).await.accepted();
    let mut other = purchase("0000");
    other["clientId"] = 1002.into();
    let another = fleet.transact(&other).await.accepted();
    let long = "x".repeat(1_601);
    let mut wrong: Vec<(&str, Value, &str)> = vec![
        ("channelId", json!(7), "channelId "),
        ("channelId", json!("x"), "channelId "),
        ("clientId", json!(1002), "clientId "),
        ("transactionRef", json!(another), "transactionRef "),
        ("transactionRef", json!(uuid::Uuid::new_v4()), "transactionRef "),
        ("transactionRef", json!("order-1"), "transactionRef "),
        ("clientNotificationRef", json!(""), "clientNotificationRef "),
        ("clientNotificationRef", json!("x".repeat(65)), "clientNotificationRef "),
        ("destinationIdentifier", json!("0821234567"), "destinationIdentifier "),
        ("destinationIdentifier", json!("a@b.co"), "destinationIdentifier "),
        ("sourceIdentifier", json!("x".repeat(33)), "sourceIdentifier "),
        ("message", json!(" "), "message "),
        ("message", json!(long), "message "),
        ("message", json!("null \u{0} byte"), "message "),
        ("clientNotificationRef", json!("4111111111111111"), "clientNotificationRef "),
    ];
    let required = [
        "clientId",
        "clientNotificationRef",
        "transactionRef",
        "channelId",
        "destinationIdentifier",
        "message",
    ];
    wrong.extend(required.map(|field| (field, Value::Null, field)));
    for (field, value, names) in wrong {
        let mut body = notification(id, "a text that is fine");
        body[field] = value.clone();
        let text = body.to_string();
        let request = fleet.http().post(fleet.url(NOTIFICATION)).header("x-api-key", key_of(1001));
        let answer = fleet.send(request.body(text)).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "4000"), "{field} {value}");
        assert!(answer.message().starts_with(names), "{field} {value}: {}", answer.message());
        assert!(!answer.text.contains("4111"), "{}", answer.text);
    }
    // A client without any channel, and one without this one.
    for (client, channel) in [(1011, 6), (1002, 9)] {
        let mut body = notification(another, "a text that is fine");
        body["clientId"] = client.into();
        body["channelId"] = channel.into();
        if channel == 9 {
            body["destinationIdentifier"] = "ada@example.test".into();
        }
        let answer = notify(&fleet, &body).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.message(), "channelId names a channel not configured");
    }
    let nobody = fleet.http().post(fleet.url(NOTIFICATION)).header("x-api-key", "none");
    let answer = fleet.send(nobody.body(notification(id, "hello").to_string())).await;
    assert_eq!(answer.status, 401);
    for number in 0..20 {
        let answer = notify(&fleet, &notification(id, &format!("number {number} of it"))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let answer = notify(&fleet, &notification(id, "one too many")).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.message(), "transactionRef has 20 notifications, which is the limit");
    let view = fleet.purchase(id).await;
    assert_eq!((view.deliveries.len(), view.tasks.len()), (20, 21));
    assert_eq!(fleet.purchase(another).await.deliveries.len(), 0);
}
