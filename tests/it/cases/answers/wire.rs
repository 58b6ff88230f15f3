//! Answers as they stand on the wire: lines that are no headers, bodies that break off, dates in each form.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use fleet_domain::{Inquiry, PurchaseId, PurchaseStatus, TaskKind};
use fleet_simulator::{Action, AnswerKind, Behaviour, Charset, Ending, Length, Wire};
use fleet_store::{DeliveryView, PurchaseView};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{connector, key_of, purchase};
use serde_json::{Value, json};

use super::{buy, is_done, wire};
use crate::card_payment;
use crate::unknown::{calls, impatient};

/// A purchase whose client has an IPN listener.
fn with_ipn() -> Value {
    let mut body = purchase("0000");
    body["clientId"] = 1011.into();
    body
}

/// A purchase that asks for a message.
fn with_sms() -> Value {
    let mut body = purchase("0000");
    body["additionalData"] = json!({ "notify": ["sms"] });
    body
}

fn row<'v>(view: &'v PurchaseView, channel: &str) -> &'v DeliveryView {
    view.deliveries.iter().find(|row| row.channel == channel).unwrap()
}

/// Taken at the first attempt.
fn is_taken(view: &PurchaseView, channel: &str, status: i32, what: &str) {
    let row = row(view, channel);
    let told = (row.state.as_str(), row.attempts, row.last_status);
    assert_eq!(told, ("sent", 1, Some(status)), "{channel} {what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b22_a_line_among_the_headers_that_is_none_costs_no_answer() {
    let fleet = impatient().start().await;
    let many: String = (0..120).map(|n| format!("X-Trace-{n}: {n}\r\n")).collect();
    let crowd: String = (0..1_000).map(|n| format!("X-{n}: {n}\r\n")).collect();
    let mut bought = Vec::new();
    for (what, head) in [
        ("a blank in a name", "X Powered By: PHP/5.6\r\n"),
        (
            "a warning",
            "PHP Warning:  mysqli_connect(): (HY000/2002) in /srv/vend.php on line 3\r\n",
        ),
        ("a line without a colon", "Deprecated\r\n"),
        ("a control character", "Set-Cookie: session=\u{1}abc\r\n"),
        ("a blank before the colon", "X-Cache : miss\r\n"),
        ("a line that goes on", "X-Note: one\r\n two\r\n\tthree\r\n"),
        ("a name in brackets", "<b>Notice</b>: Undefined index\r\n"),
        ("another alphabet", "X-Straße: ä\r\n"),
        ("an empty name", ": nothing\r\n"),
        ("ends without a carriage return", "X-A: 1\nX-B: 2\n"),
        ("120 headers", &many),
        ("1000 headers", &crowd),
    ] {
        let behaviour = || wire(Wire::status("200 OK").with_head(head.as_bytes()));
        let parties = [Action::Reserve, Action::Vend, Action::Settle, Action::Result];
        let parties = parties.map(|action| (action, behaviour()));
        bought.push((what, buy(&fleet, &purchase("0000"), &parties).await, "transact_result"));
        let ipn = [(Action::Ipn, behaviour())];
        bought.push((what, buy(&fleet, &with_ipn(), &ipn).await, "ipn"));
        let message = [(Action::Message, behaviour())];
        bought.push((what, buy(&fleet, &with_sms(), &message).await, "sms"));
    }
    for (what, id, channel) in bought {
        let view = is_done(&fleet, id, what).await;
        is_taken(&view, channel, 200, what);
        assert_eq!(calls(&fleet, id, Action::VendLookUp).len(), 0, "{what}: nothing was unclear");
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b28_success_acknowledges_an_ipn_behind_a_mark_and_in_other_encodings() {
    let fleet = impatient().start().await;
    let mut bought = Vec::new();
    for (what, answer) in [
        ("a mark", Wire::status("200 OK").written(Charset::Utf8Marked)),
        ("a JSON string", Wire::status("200 OK").with_body("\u{feff}\"Success\"".as_bytes())),
        ("inside it", Wire::status("201 Created").with_body("\"\u{feff}success\"\r\n".as_bytes())),
        (
            "two marks",
            Wire::status("202 Accepted").with_body("\u{feff}\u{feff} SUCCESS".as_bytes()),
        ),
        ("UTF-16", Wire::status("200 OK").written(Charset::Utf16)),
        ("a mark written twice", Wire::status("200 OK").with_body("ï»¿Success".as_bytes())),
    ] {
        let status = answer.status.get(..3).unwrap().parse().unwrap();
        bought.push((what, status, buy(&fleet, &with_ipn(), &[(Action::Ipn, wire(answer))]).await));
    }
    let no = Wire::status("200 OK").with_body("\u{feff}Successful".as_bytes());
    let no = Behaviour::no_effect(AnswerKind::Wire(no));
    let not_yet = buy(&fleet, &with_ipn(), &[(Action::Ipn, no)]).await;
    for (what, status, id) in bought {
        is_taken(&is_done(&fleet, id, what).await, "ipn", status, what);
    }
    let view = is_done(&fleet, not_yet, "another word").await;
    assert_eq!((row(&view, "ipn").state.as_str(), row(&view, "ipn").attempts), ("sent", 2));
    fleet.assert_all_ended().await;
}

/// Answers whose status line is all that can be relied on.
fn broken_off() -> [(&'static str, i32, Wire); 8] {
    let eight = || Wire::status("200 OK").with_body(b"accepted").saying(Length::Said(500));
    let chunked = |status: &str| {
        let wire = Wire::status(status).saying(Length::Untold);
        wire.with_head(b"Transfer-Encoding: chunked\r\n").with_body(b"8\r\naccepted\r\n1f")
    };
    let never = || Wire::status("205 Reset Content").with_body(b"").saying(Length::Untold);
    [
        ("closed", 200, eight()),
        ("reset", 200, eight().ending(Ending::Reset)),
        ("never closed", 200, eight().ending(Ending::Open)),
        ("in chunks, closed", 202, chunked("202 Accepted")),
        ("in chunks, never closed", 201, chunked("201 Created").ending(Ending::Open)),
        ("no content, but a length", 204, Wire::status("204 No Content").saying(Length::Said(9))),
        ("without a length, never closed", 205, never().ending(Ending::Open)),
        ("too long", 200, Wire::status("200 OK").with_body(&[b' '; 208_000])),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b31_any_2xx_status_line_acknowledges_a_result_whatever_its_body_does() {
    let fleet = impatient().start().await;
    let mut bought = Vec::new();
    for (what, status, answer) in broken_off() {
        let answer = [(Action::Result, wire(answer))];
        bought.push((what, status, buy(&fleet, &purchase("0000"), &answer).await));
    }
    // The same for the GET of a card payment.
    let mut paid = Vec::new();
    for (place, (what, status, answer)) in broken_off().into_iter().enumerate() {
        let order_info = format!("Booking-{:08x}", rand::random::<u32>());
        let answer = vec![wire(answer), Behaviour::ok()];
        fleet.simulator().script(&order_info, Action::Completion, answer);
        let body = json!({
            "account_id": "1", "amount": format!("21.{place:02}"), "currency": "USD",
            "order_info": order_info,
        });
        let request = fleet.http().post(fleet.url("/api/card-payments")).body(body.to_string());
        let answer = fleet.send(request.header("authorization", key_of(1021))).await.json();
        let url = answer["payment_url"].as_str().unwrap().to_owned();
        let id: PurchaseId = url.rsplit('/').next().unwrap().parse().unwrap();
        paid.push((what, status, id));
    }
    for (what, status, id) in bought {
        is_taken(&is_done(&fleet, id, what).await, "transact_result", status, what);
    }
    for (what, status, id) in paid {
        let view = is_done(&fleet, id, what).await;
        is_taken(&view, "card_get", status, what);
        assert_eq!(card_payment::completions(&fleet, &view).len(), 1, "{what}");
    }
    // Another status acknowledges nothing, however its body ends.
    let no = Wire::status("500 Oops").with_body(b"accepted").saying(Length::Said(500));
    let no = Behaviour::no_effect(AnswerKind::Wire(no));
    let id = buy(&fleet, &purchase("0000"), &[(Action::Result, no)]).await;
    assert_eq!(row(&is_done(&fleet, id, "500").await, "transact_result").attempts, 2);
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b32_any_2xx_takes_a_message_whatever_its_body_does() {
    let fleet = impatient()
        .directory(|import| {
            for name in ["sample-sms", "sample-mail"] {
                connector(import, name).inquiry = Inquiry::None;
            }
        })
        .start()
        .await;
    let mut bought = Vec::new();
    let endless = Behaviour::effect_then(AnswerKind::Endless);
    let drip = Behaviour::effect_then(AnswerKind::Drip);
    let wires = broken_off().map(|(what, status, answer)| (what, status, wire(answer)));
    for (what, status, answer) in
        wires.into_iter().chain([("endless", 200, endless), ("drips", 200, drip)])
    {
        let answer = [(Action::Message, answer)];
        bought.push((what, status, buy(&fleet, &with_sms(), &answer).await));
    }
    // A mail by the Notification API.
    let mailed = purchase("0000");
    let page = Wire::status("202 Accepted").with_body(&[b'x'; 208_000]);
    let mail = buy(&fleet, &mailed, &[(Action::Message, wire(page))]).await;
    let body = json!({
        "clientId": 1001, "clientNotificationRef": "note-b32", "transactionRef": mail,
        "channelId": 9, "destinationIdentifier": "buyer.of.b32@mail.example.com",
        "message": "Thank you",
    });
    assert_eq!(fleet.post("/notification/1.0", &body).await.status, 200);
    bought.push(("a mail", 202, mail));
    for (what, status, id) in bought {
        let view = is_done(&fleet, id, what).await;
        is_taken(
            &view,
            if status == 202 && what == "a mail" { "email" } else { "sms" },
            status,
            what,
        );
        let messages = fleet.simulator().messages();
        let id = id.to_string();
        assert_eq!(
            messages.iter().filter(|one| one.reference.starts_with(&id)).count(),
            1,
            "{what}"
        );
    }
    fleet.assert_all_ended().await;
}

/// The forms that a date of HTTP has.
const FORMS: [&str; 3] =
    ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// When the delivery's next attempt is due, once the first has been refused.
async fn next(fleet: &TestFleet, id: PurchaseId, kind: TaskKind) -> DateTime<Utc> {
    let waits = async || {
        let view = fleet.purchase(id).await;
        view.tasks.iter().any(|task| task.key.kind == kind && task.tries == 1)
    };
    fleet.until("the first attempt", waits).await;
    let view = fleet.purchase(id).await;
    view.tasks.iter().find(|task| task.key.kind == kind).unwrap().due_at
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b35_all_three_forms_of_a_date_are_waited_for_and_a_part_of_a_second_is_never_early() {
    let fleet = impatient().plan(TaskKind::Notify, fleet_domain::PlanClass::NotDone, &[1; 8]);
    let fleet = fleet.start().await;
    let until = Utc::now().trunc_subsecs(0) + TimeDelta::seconds(40);
    let mut asked: Vec<(String, TimeDelta)> = FORMS
        .iter()
        .map(|form| (format!("Retry-After: {}\r\n", until.format(form)), TimeDelta::zero()))
        .collect();
    // Counted by the listener's own clock, which goes wrong by a year.
    let (theirs, wrong) = (until + TimeDelta::days(365), Utc::now() + TimeDelta::days(365));
    let [_, then, now] = FORMS;
    asked.push((
        format!("Date: {}\r\nRetry-After: {}\r\n", wrong.format(now), theirs.format(then)),
        TimeDelta::seconds(1),
    ));
    asked.push(("Retry-After: 39.2\r\n".to_owned(), TimeDelta::zero()));
    let mut told = Vec::new();
    for (head, early) in &asked {
        for (action, status, body, kind) in [
            (Action::Result, "503 Busy", purchase("0000"), TaskKind::Deliver),
            (Action::Ipn, "429 Slow down", with_ipn(), TaskKind::Deliver),
            (Action::Message, "429 Slow down", with_sms(), TaskKind::Notify),
        ] {
            let busy = Wire::status(status).with_head(head.as_bytes());
            let busy = Behaviour::no_effect(AnswerKind::Wire(busy));
            told.push((head, *early, kind, buy(&fleet, &body, &[(action, busy)]).await));
        }
    }
    for (head, early, kind, id) in &told {
        let due = next(&fleet, *id, *kind).await;
        assert!(due >= until - *early, "{kind:?} {head}: {due} instead of {until}");
    }
    fleet.advance_clock(std::time::Duration::from_secs(61)).await;
    for (head, _, kind, id) in told {
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Success, "{head}");
        let channels: Vec<_> = view.deliveries.iter().map(|row| row.state.as_str()).collect();
        assert!(channels.iter().all(|state| *state == "sent"), "{kind:?} {head}: {channels:?}");
    }
    fleet.assert_all_ended().await;
}
