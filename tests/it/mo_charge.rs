//! An operator's SMS charge: the buyer is asked, nothing is believed before the operator confirms it,
//! and what does not fit moves nothing.

mod hostile;
mod money;
mod refused;
mod words;

use std::time::Duration;

use fleet_domain::{ParkClass, PurchaseId, PurchaseStatus, ReserveState, TaskKind, TaskState};
use fleet_simulator::{Action, Behaviour, Confirmation, EffectKind};
use fleet_store::PurchaseView;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{HttpAnswer, purchase};
use serde_json::{Value, json};

use crate::unknown::{calls, impatient};

const DAY: Duration = Duration::from_secs(86_401);

/// A purchase that the buyer pays by SMS; the script is chosen by the buyer's number.
pub(crate) fn by_sms(script: &str, vend: &str) -> Value {
    let mut body = purchase(vend);
    let digits = rand::random_range(100_000..1_000_000);
    body["sourceIdentifier"] = format!("27{digits}{script}").into();
    body["additionalData"] =
        json!({ "fundingSource": { "type": "mo_charge", "name": "mo-sample" } });
    body
}

/// The same for a message, which has its extras at the top.
pub(crate) fn as_message(body: &Value) -> Value {
    let mut message = body.clone();
    let extras = message["additionalData"].take();
    message["fundingSource"] = extras["fundingSource"].clone();
    message
}

async fn buy(fleet: &TestFleet, script: &str) -> PurchaseId {
    fleet.reserve_and_transact(&by_sms(script, "0000")).await.accepted()
}

/// A notification about a purchase, as the operator's document has it.
pub(crate) fn charged(body: &Value, id: PurchaseId, transaction_id: &str) -> Value {
    json!({ "success": {
        "type": "mo_charge", "operator": "zain-kw", "environment": "production",
        "merchant": "partner:02c76113-0ca7-4aed-88e2-75267bf85e82",
        "campaign": "campaign:940d351138df895e8dedf51e5d7b90788cdc23d0",
        "msisdn": body["sourceIdentifier"], "currency": "ZAR", "amount": "15.5",
        "correlator": id.to_string(),
        "transaction": {
            "status": "CHARGED", "timestamp": "2026-01-28T14:17:17+08:00",
            "transaction_id": transaction_id,
        },
    } })
}

pub(crate) async fn tell(fleet: &TestFleet, body: impl Into<reqwest::Body>) -> HttpAnswer {
    let url = fleet.url("/callbacks/mo-charge/mo-sample");
    let request = fleet.http().post(url).header("content-type", "application/json");
    fleet.send(request.body(body)).await
}

/// How often the buyer got an SMS, was charged, and got goods.
pub(crate) fn moved(fleet: &TestFleet, id: PurchaseId) -> [usize; 3] {
    [EffectKind::Prompt, EffectKind::Capture, EffectKind::Vend].map(|kind| fleet.count(id, kind))
}

fn words(view: &PurchaseView) -> Vec<&str> {
    view.journal.iter().map(|row| row.outcome.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_buyer_who_replies_is_charged_confirmed_and_served() {
    let fleet = TestFleet::start().await;
    let body = by_sms("0000", "0000");
    let id = fleet.reserve_and_transact(&body).await.accepted();
    let mut kuwait = by_sms("9720", "0000");
    kuwait["productId"] = 301.into();
    kuwait["currencyCode"] = "KWD".into();
    kuwait["purchaseAmount"] = 500.into();
    let three_digits = fleet.reserve_and_transact(&kuwait).await.accepted();
    for id in [id, three_digits] {
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Success);
        assert_eq!(view.purchase.progress.reserve, ReserveState::Charged);
        assert_eq!(moved(&fleet, id), [1, 1, 1]);
        assert_eq!(calls(&fleet, id, Action::MoCharge).len(), 1);
        assert_eq!(calls(&fleet, id, Action::MoCheck).len(), 1, "confirmed before the vend");
        let entries: Vec<&str> = view.ledger.iter().map(|line| line.entry.as_str()).collect();
        assert_eq!(entries, ["reserved", "captured", "kept"]);
        let transactions = fleet.simulator().transactions_of(&id.to_string());
        let reference = view.purchase.progress.reservation.as_deref();
        assert_eq!(reference, Some(&*transactions[0].id));
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_buyer_thinks_nothing_is_held_but_a_row() {
    let fleet = TestFleet::start().await;
    let body = by_sms("9706", "0000");
    let id = fleet.reserve_and_transact(&body).await.accepted();
    let view = fleet.wait_reserve(id, ReserveState::Asked).await;
    let task = view.tasks.iter().find(|task| task.key.kind == TaskKind::Reserve).unwrap();
    assert_eq!(task.state, TaskState::Waiting);
    let queue = async || fleet.vhost().queue("fleet.reserve").await.unwrap()["messages"] == 0;
    fleet.until("no message to be left", queue).await;
    let told = fleet.look_up(1001, &format!("raasTxnRef={id}")).await.json();
    assert_eq!(told["pendingReason"], "WAITING_FOR_BUYER", "{told}");
    // Its own reference again is the same purchase, and no second SMS.
    assert_eq!(fleet.reserve_and_transact(&body).await.accepted(), id);
    assert_eq!(moved(&fleet, id), [1, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_operator_refuses_ends_without_goods_in_its_own_word() {
    let fleet = TestFleet::start().await;
    for (script, word, code) in
        [("9701", "PIN_EXPIRED", "2060"), ("9705", "INSUFFICIENT_FUNDS", "2090")]
    {
        let id = fleet.reserve_and_transact(&by_sms(script, "0000")).await.reference();
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Failed, "{word}");
        assert_eq!(view.purchase.progress.reserve_code.as_deref(), Some(code));
        assert!(view.journal.iter().any(|row| row.detail.contains(word)), "{:?}", view.journal);
        assert_eq!(view.facts[0].status, word, "kept verbatim");
        assert_eq!(moved(&fleet, id), [1, 0, 0]);
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_used_pin_is_no_proof_of_anything() {
    let fleet = TestFleet::start().await;
    let paid = buy(&fleet, "9702").await;
    let after = buy(&fleet, "9714").await;
    let open = buy(&fleet, "9703").await;
    for id in [paid, after] {
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Success);
        assert_eq!(moved(&fleet, id), [1, 1, 1]);
    }
    let told = async || fleet.purchase(after).await.facts.len() == 2;
    fleet.until("PIN_USED after the charge to be stored", told).await;
    fleet.wait_reserve(open, ReserveState::Unknown).await;
    // The time is over: the buyer may have paid, so a person asks.
    fleet.advance_clock(DAY).await;
    let parked = fleet.wait_parked(open).await;
    assert_eq!(parked.class, ParkClass::UnknownOutcome, "{}", parked.cause);
    assert_eq!(fleet.parked().await.len(), 1, "nothing else");
    assert_eq!(fleet.purchase(open).await.purchase.status(), PurchaseStatus::Pending);
    assert_eq!(moved(&fleet, open), [1, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_without_a_correlator_is_kept_for_a_person_and_moves_nothing() {
    let fleet = TestFleet::start().await;
    let id = buy(&fleet, "9704").await;
    let view = fleet.wait_final(id).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Success, "by its CHARGED");
    assert_eq!(view.facts.len(), 1, "the other one is not its");
    let pin = json!({ "error": {
        "type": "mo_charge", "operator": "zain-kw", "environment": "production",
        "merchant": "partner:02c76113-0ca7-4aed-88e2-75267bf85e82",
        "campaign": "campaign:940d351138df895e8dedf51e5d7b90788cdc23d0", "msisdn": "96597493654",
        "transaction": {
            "status": "PIN_NOT_FOUND", "timestamp": "2022-01-28T14:20:17+08:00", "pin": "48151623",
        },
    } });
    fleet.keep_secret("48151623");
    let told = async || unmatched(&fleet).await == 1;
    fleet.until("the reply without a correlator", told).await;
    for _ in 0..3 {
        assert_eq!(tell(&fleet, pin.to_string()).await.status, 200);
    }
    assert_eq!(unmatched(&fleet).await, 2, "the same again is no second one");
    let mut other = pin.clone();
    other["error"]["transaction"]["pin"] = "48151624".into();
    assert_eq!(tell(&fleet, other.to_string()).await.status, 200);
    assert_eq!(unmatched(&fleet).await, 3);
    fleet.assert_all_ended().await;
}

/// Callbacks that are nobody's.
pub(crate) async fn unmatched(fleet: &TestFleet) -> i64 {
    let mut connection = fleet.database().connection().await.unwrap();
    let sql = "select count(*) from fact where purchase is null";
    sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_buyer_has_not_paid_and_a_late_charge_is_a_case() {
    let fleet = TestFleet::start().await;
    let body = by_sms("9706", "0000");
    let silent = fleet.reserve_and_transact(&body).await.accepted();
    let late = buy(&fleet, "9715").await;
    fleet.wait_reserve(silent, ReserveState::Asked).await;
    // PIN_EXPIRED, and one second later CHARGED: the money is gone, the purchase has ended.
    let view = fleet.wait_status(late, PurchaseStatus::Failed).await;
    assert_eq!(view.purchase.progress.reserve_code.as_deref(), Some("2060"));
    let case = fleet.wait_parked(late).await;
    assert!(case.cause.contains("the buyer was charged"), "{}", case.cause);
    assert_eq!(fleet.count(late, EffectKind::Vend), 0);

    fleet.advance_clock(DAY - Duration::from_secs(60)).await;
    assert_eq!(fleet.purchase(silent).await.purchase.status(), PurchaseStatus::Pending);
    fleet.advance_clock(Duration::from_secs(120)).await;
    let view = fleet.wait_final(silent).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Failed);
    assert_eq!(view.purchase.progress.reserve_code.as_deref(), Some("2060"));
    assert!(words(&view).contains(&"buyer_silent"), "{:?}", words(&view));
    let told = tell(&fleet, charged(&body, silent, "1").to_string()).await;
    assert_eq!(told.status, 200, "stored, never dropped");
    let case = fleet.wait_parked(silent).await;
    assert!(case.cause.contains("the buyer was charged"), "{}", case.cause);
    assert_eq!(moved(&fleet, silent), [1, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_lost_in_any_way_sends_one_sms_and_charges_once() {
    let fleet = impatient().start().await;
    let mut bought = Vec::new();
    for script in ["9716", "9717", "9718", "9719", "9721", "9722"] {
        bought.push((script, buy(&fleet, script).await));
    }
    for (script, id) in bought {
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Success, "{script}");
        assert_eq!(moved(&fleet, id), [1, 1, 1], "{script}");
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notification_before_the_answer_is_not_overtaken_by_it() {
    let fleet = TestFleet::start().await;
    let body = by_sms("0000", "0000");
    let confirm = vec![Confirmation::before_answer("CHARGED")];
    let charge = Behaviour { confirm, ..Behaviour::ok() };
    let buyer = body["sourceIdentifier"].as_str().unwrap();
    fleet.simulator().script(buyer, Action::MoCharge, vec![charge]);
    let id = fleet.reserve_and_transact(&body).await.accepted();
    let view = fleet.wait_final(id).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Success);
    assert_eq!(moved(&fleet, id), [1, 1, 1]);
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_buyer_who_replies_late_still_gets_the_goods() {
    let fleet = TestFleet::start().await;
    let body = by_sms("0000", "0000");
    let charge = Behaviour::asks(&[(3_000, "CHARGED")]);
    let buyer = body["sourceIdentifier"].as_str().unwrap();
    fleet.simulator().script(buyer, Action::MoCharge, vec![charge]);
    let id = fleet.reserve_and_transact(&body).await.accepted();
    fleet.wait_reserve(id, ReserveState::Asked).await;
    // Far past the time in which a purchase must begin.
    fleet.advance_clock(Duration::from_secs(3_600)).await;
    let view = fleet.wait_final(id).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Success);
    assert_eq!(moved(&fleet, id), [1, 1, 1]);
    fleet.assert_all_ended().await;
}
