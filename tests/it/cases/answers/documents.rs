//! Answers that moved money or goods and are odd in what decides nothing: what they decide is taken.

use std::time::Duration;

use fleet_domain::{PurchaseId, PurchaseStatus};
use fleet_simulator::{Action, AnswerKind, Behaviour, CardData, Charset, EffectKind, Wire};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::purchase;
use serde_json::{Value, json};

use super::{buy, cases, confirm, is_done, lost, odd, result_of, wire};
use crate::card_sale::{access, app, asking_often, by_app, id_of};
use crate::unknown::{at_callback, at_plain, calls, impatient};

fn numbers(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A purchase with a token of its desk's.
fn with_token(token: &str) -> Value {
    let mut body = purchase("0000");
    body["additionalData"] = json!({ "fraud": {
        "token": token, "tokenCreatedAt": chrono::Utc::now(),
        "userIp": "192.0.2.1", "userAgent": "Browser/1.0",
    } });
    body
}

/// How often it was reported on.
fn reports(fleet: &TestFleet, token: &str) -> usize {
    let calls = fleet.simulator().calls();
    calls.iter().filter(|call| call.action == Action::Report && &*call.reference == token).count()
}

/// A purchase whose vend is out, and whose supplier confirms it.
async fn pending(fleet: &TestFleet) -> PurchaseId {
    let body = at_callback(purchase("0000"));
    let pending = Behaviour::effect_then(AnswerKind::Code("2236".to_owned()));
    let id = buy(fleet, &body, &[(Action::Vend, pending)]).await;
    fleet.until("the vend to be out", async || fleet.count(id, EffectKind::Vend) == 1).await;
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b10_a_reference_that_is_a_number_is_its_digits_whoever_sends_it() {
    let fleet = asking_often().await;
    // A supplier's, of ten digits, of twenty, and as some write decimals.
    for (sent, kept) in [
        ("9876543210", "9876543210"),
        ("12345678901234567890", "12345678901234567890"),
        ("9876543210.0", "9876543210"),
    ] {
        let vend = odd(&json!({ "supplierRef": numbers(sent) }));
        let id = buy(&fleet, &purchase("0000"), &[(Action::Vend, vend)]).await;
        let view = is_done(&fleet, id, sent).await;
        assert_eq!(view.purchase.progress.supplier_ref.as_deref(), Some(kept), "{sent}");
        assert_eq!(calls(&fleet, id, Action::VendLookUp).len(), 0, "{sent}: nothing was unclear");
    }
    // A bank's: the hold is captured under it.
    let reserve = odd(&json!({ "reserveFundsTxnRef": 4_455_667_788_u64 }));
    let id = buy(&fleet, &purchase("0000"), &[(Action::Reserve, reserve)]).await;
    let view = is_done(&fleet, id, "a bank's").await;
    assert_eq!(view.purchase.reservation(), Some("4455667788"));
    // One of a look-up, after the answer was lost.
    let looked_up = odd(&json!({ "supplierRef": 1_234_567 }));
    let behaviours = [(Action::Vend, lost()), (Action::VendLookUp, looked_up)];
    let id = buy(&fleet, &purchase("0000"), &behaviours).await;
    let view = is_done(&fleet, id, "a look-up's").await;
    assert_eq!(view.purchase.progress.supplier_ref.as_deref(), Some("1234567"));
    // A card gateway's order.
    let amount = 3_800;
    let status = odd(&json!({ "orderId": 777_000_111_222_u64 }));
    fleet.simulator().script(&amount.to_string(), Action::SaleStatus, vec![status]);
    let order = access(&fleet, "ada", &by_app(amount, "0000"), None).await;
    let app = app(&fleet).polling(Duration::ZERO, 0);
    let id = id_of(&app.first_sale(&order, &CardData::planted()).await.unwrap());
    let view = fleet.wait_status(id, PurchaseStatus::Success).await;
    assert_eq!(view.purchase.reservation(), Some("777000111222"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b11_a_message_that_is_no_text_loses_no_answer() {
    let fleet = impatient().start().await;
    for (place, message) in ["null", "{\"en\":\"ok\"}", "[1]", "NaN"].into_iter().enumerate() {
        let answer = |code: &str| {
            let fields = format!("\"responseMessage\":{message},\"resolution\":{message}");
            format!("{{\"responseCode\":\"{code}\",{fields}}}").into_bytes()
        };
        // A supplier's and both of a bank's.
        for action in [Action::Vend, Action::Reserve, Action::Settle] {
            let done = match (action, serde_json::from_str::<Value>(message)) {
                // The bank wants its own reference back.
                (Action::Reserve, Ok(told)) => {
                    odd(&json!({ "responseMessage": told, "more": told }))
                }
                (Action::Reserve, Err(_no_json)) => continue,
                _ => Behaviour::effect_then(AnswerKind::Bytes(answer("0000"))),
            };
            let id = buy(&fleet, &purchase("0000"), &[(action, done)]).await;
            is_done(&fleet, id, &format!("{action:?} {message}")).await;
        }
        // A plain refusal.
        for (action, code) in [(Action::Reserve, "2010"), (Action::Vend, "2213")] {
            let refused = Behaviour::no_effect(AnswerKind::Bytes(answer(code)));
            let id = buy(&fleet, &purchase("0000"), &[(action, refused)]).await;
            let view = fleet.wait_final(id).await;
            assert_eq!(view.purchase.status(), PurchaseStatus::Failed, "{action:?} {message}");
            assert_eq!(calls(&fleet, id, action).len(), 1, "{action:?} {message}: it was clear");
        }
        // A desk's.
        let body = format!("{{\"success\":1,\"message\":{message}}}").into_bytes();
        let token = format!("token-b11-{place}");
        let told = Behaviour::effect_then(AnswerKind::Bytes(body));
        fleet.simulator().script(&token, Action::Report, vec![told]);
        let id = fleet.reserve_and_transact(&with_token(&token)).await.accepted();
        let view = is_done(&fleet, id, message).await;
        assert_eq!((view.report.unwrap().state.as_str(), reports(&fleet, &token)), ("reported", 1));
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b13_marks_and_other_encodings_around_an_answer_are_read() {
    let fleet = impatient().start().await;
    for charset in [Charset::Utf8Marked, Charset::Utf16, Charset::Latin1] {
        let marked = || wire(Wire::status("200 OK").written(charset));
        for action in [Action::Vend, Action::Reserve, Action::Settle] {
            let id = buy(&fleet, &purchase("0000"), &[(action, marked())]).await;
            is_done(&fleet, id, &format!("{action:?} {charset:?}")).await;
            assert_eq!(calls(&fleet, id, Action::VendLookUp).len(), 0, "{action:?} {charset:?}");
        }
        // Both look-ups, after the answer was lost.
        for (action, look_up) in
            [(Action::Vend, Action::VendLookUp), (Action::Reserve, Action::ReservationLookUp)]
        {
            let behaviours = [(action, lost()), (look_up, marked())];
            let id = buy(&fleet, &purchase("0000"), &behaviours).await;
            let view = fleet.wait_final(id).await;
            assert_eq!(view.purchase.status(), PurchaseStatus::Success, "{charset:?}");
            assert_eq!(calls(&fleet, id, look_up).len(), 1, "{look_up:?} {charset:?}");
        }
        let token = format!("token-b13-{charset:?}");
        fleet.simulator().script(&token, Action::Report, vec![marked()]);
        let id = fleet.reserve_and_transact(&with_token(&token)).await.accepted();
        let report = is_done(&fleet, id, "a desk's").await.report.unwrap();
        assert_eq!((report.state.as_str(), reports(&fleet, &token)), ("reported", 1));
    }
    // A signed callback: the signature is over the bytes, marks and all.
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    for mark in ["\u{feff}", " \r\n\u{feff}", "utf-16"] {
        let id = pending(&fleet).await;
        let told = json!({ "vendRef": format!("{id}-0000"), "responseCode": "0000" }).to_string();
        let bytes = match mark {
            "utf-16" => utf16(&format!("\u{feff}{told}")),
            _ => format!("{mark}{told}").into_bytes(),
        };
        let answer = confirm(&fleet, &bytes).await;
        assert_eq!(answer.status, 200, "{mark:?}: {answer:?}");
        is_done(&fleet, id, mark).await;
    }
    // Latin-1 in the words of a refusal.
    let words = b"{\"responseCode\":\"2213\",\"responseMessage\":\"ung\xfcltig\"}".to_vec();
    let refused = Behaviour::no_effect(AnswerKind::Bytes(words));
    let id = buy(&fleet, &purchase("0000"), &[(Action::Vend, refused)]).await;
    assert_eq!(fleet.wait_final(id).await.purchase.status(), PurchaseStatus::Failed);
    assert_eq!(calls(&fleet, id, Action::Vend).len(), 1, "it was clear");
    fleet.assert_all_ended().await;
}

/// A vend reply with these fields besides its code.
fn vended(fields: &str) -> Vec<u8> {
    format!("{{\"responseCode\":\"0000\",{fields}}}").into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b14_an_odd_amount_is_left_out_and_the_outcome_is_kept() {
    let fleet = impatient().start().await;
    for fields in [
        r#""vendAmount":"15.00""#,
        r#""vendAmount":1499.5"#,
        r#""vendAmount":99999999999999999999"#,
        r#""vendAmount":1e3"#,
        r#""vendAmount":NaN,"supplierRef":007"#,
        r#""vendAmount":"R 15","responseMessage":"a","responseMessage":"b""#,
        r#""vendAmount":1500,"vendAmount":15,"#,
    ] {
        let vend = Behaviour::effect_then(AnswerKind::Bytes(vended(fields)));
        let id = buy(&fleet, &purchase("0000"), &[(Action::Vend, vend.clone())]).await;
        let view = is_done(&fleet, id, fields).await;
        assert_eq!(calls(&fleet, id, Action::VendLookUp).len(), 0, "{fields}: it was clear");
        let noted = "vendAmount is left out: it is no amount";
        assert!(view.journal.iter().any(|row| row.detail == noted), "{fields}: {:?}", view.journal);
        assert_eq!(result_of(&fleet, id).await["vendAmount"], 1500, "{fields}");
        // The same of a look-up, and signed in a callback.
        let behaviours = [(Action::Vend, lost()), (Action::VendLookUp, vend)];
        let id = buy(&fleet, &purchase("0000"), &behaviours).await;
        is_done(&fleet, id, fields).await;
        let id = pending(&fleet).await;
        let told = vended(&format!("{fields},\"vendRef\":\"{id}-0000\"").replace(",,", ","));
        assert_eq!(confirm(&fleet, &told).await.status, 200, "{fields}");
        is_done(&fleet, id, fields).await;
        assert_eq!(result_of(&fleet, id).await["vendAmount"], 1500, "{fields}");
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b17_an_amount_that_cannot_be_is_told_to_nobody_but_a_person() {
    let fleet = impatient().start().await;
    let below = "told a vend amount below zero";
    let above = "told a vend amount above what was asked for";
    let mut told = Vec::new();
    for (amount, cause) in [("-5", below), ("15000", above), ("\"1501\"", above)] {
        let vend =
            Behaviour::effect_then(AnswerKind::Bytes(vended(&format!("\"vendAmount\":{amount}"))));
        let cause = format!("supplier-lookup {cause}");
        let id = buy(&fleet, &purchase("0000"), &[(Action::Vend, vend.clone())]).await;
        told.push((id, cause.clone()));
        let behaviours = [(Action::Vend, lost()), (Action::VendLookUp, vend)];
        told.push((buy(&fleet, &purchase("0000"), &behaviours).await, cause));
    }
    for (amount, cause) in [(json!(-1), below), (json!(150_000), above), (json!("1501"), above)] {
        let id = pending(&fleet).await;
        let body = json!({
            "vendRef": format!("{id}-0000"), "responseCode": "0000", "vendAmount": amount,
        });
        assert_eq!(confirm(&fleet, body.to_string().as_bytes()).await.status, 200);
        told.push((id, format!("supplier-callback {cause}")));
    }
    for (id, cause) in told {
        // The goods are out; the case stays for a person.
        let view = fleet.wait_status(id, PurchaseStatus::Success).await;
        assert_eq!(view.purchase.progress.vend_amount, Some(1500), "{cause}");
        assert_eq!(result_of(&fleet, id).await["vendAmount"], 1500, "{cause}");
        assert_eq!(cases(&view), [cause.as_str()]);
        fleet.until("the capture", async || fleet.count(id, EffectKind::Capture) == 1).await;
    }
    // A smaller one may be true.
    let vend = odd(&json!({ "vendAmount": 1400 }));
    let id = buy(&fleet, &purchase("0000"), &[(Action::Vend, vend)]).await;
    is_done(&fleet, id, "a smaller one").await;
    assert_eq!(result_of(&fleet, id).await["vendAmount"], 1400);
    // A voucher keeps every digit, as a number too.
    let vend = odd(&json!({ "token": 12_345_678_901_234_567_890_u64, "vendAmount": null }));
    let id = buy(&fleet, &at_plain(purchase("0000")), &[(Action::Vend, vend)]).await;
    is_done(&fleet, id, "a voucher").await;
    assert_eq!(result_of(&fleet, id).await["token"], "12345678901234567890");
}
