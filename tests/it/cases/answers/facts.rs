//! What is told twice: a second word is dropped only when it says the same.

use fleet_domain::{PlanClass, PurchaseId, PurchaseStatus, ReserveState, TaskKind};
use fleet_simulator::{Action, AnswerKind, Behaviour, EffectKind};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{connector, purchase};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{buy, confirm};
use crate::card_sale::callbacks::{APPROVED, major, on_the_brink};
use crate::card_sale::refused::tell_of;
use crate::mo_charge;
use crate::unknown::{at_callback, impatient};

/// Bought, then told like this, each twice: the last one is right and counts. How many facts it has.
type Told = (String, PurchaseId, usize);

/// A charge whose notification is lost on its way, and comes wrong before it comes right.
async fn by_operator(fleet: &TestFleet, field: &str, wrong: Value) -> Told {
    let body = mo_charge::by_sms("9706", "0000");
    let untold = vec![Behaviour::asks(&[(0, "CHARGED/untold")])];
    let buyer = body["sourceIdentifier"].as_str().unwrap();
    fleet.simulator().script(buyer, Action::MoCharge, untold);
    let id = fleet.reserve_and_transact(&body).await.accepted();
    fleet.wait_reserve(id, ReserveState::Asked).await;
    let paid = async || !fleet.simulator().transactions_of(&id.to_string()).is_empty();
    fleet.until("the buyer to pay", paid).await;
    let transaction = fleet.simulator().transactions_of(&id.to_string())[0].id.to_string();
    let right = mo_charge::charged(&body, id, &transaction);
    let mut poor = right.clone();
    poor["success"][field] = wrong.clone();
    for told in [&poor, &poor, &right, &right] {
        let answer = mo_charge::tell(fleet, told.to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    // The wrong one is nobody's.
    (format!("{field} {wrong}"), id, 1)
}

/// A vend whose confirmations say more and more.
async fn by_supplier(fleet: &TestFleet, what: &str, words: &[Value]) -> Told {
    let body = at_callback(purchase("0000"));
    let pending = Behaviour::effect_then(AnswerKind::Code("2236".to_owned()));
    let id = buy(fleet, &body, &[(Action::Vend, pending)]).await;
    fleet.until("the vend to be out", async || fleet.count(id, EffectKind::Vend) == 1).await;
    for word in words {
        let told = with(word, "vendRef", json!(format!("{id}-0000"))).to_string();
        for _ in 0..2 {
            assert_eq!(confirm(fleet, told.as_bytes()).await.status, 200, "{what}");
        }
    }
    (what.to_owned(), id, words.len())
}

fn coded(code: &str) -> Value {
    json!({ "responseCode": code, "supplierRef": "S-7" })
}

fn with(word: &Value, field: &str, more: Value) -> Value {
    let mut word = word.clone();
    word[field] = more;
    word
}

/// What a supplier tells one after the other. From the fourth on code and reference are the same, and
/// only what else is told differs.
fn confirmations() -> [(&'static str, Vec<Value>); 6] {
    let voucher = || with(&coded("0000"), "token", json!("1234-5678-9012"));
    let amount = with(&coded("2236"), "vendAmount", json!(1));
    let bare = |code: &str| json!({ "responseCode": code });
    [
        ("unknown code", vec![bare("9999"), bare("0000")]),
        ("still pending", vec![coded("2236"), coded("0000")]),
        ("done with a voucher", vec![coded("2240"), voucher()]),
        ("two own words for one code", vec![coded("QUEUED"), coded("WORKING"), coded("0000")]),
        ("an amount that was not there", vec![coded("2236"), amount, coded("0000")]),
        ("a voucher that was not there", vec![coded("0000"), voucher()]),
    ]
}

/// A sale whose callback has another amount, or none, at first.
async fn by_card_gateway(fleet: &TestFleet, amount: i64, wrong: &str) -> Told {
    let id = on_the_brink(fleet, amount, APPROVED).await;
    let order = fleet.simulator().sale(&id.to_string()).unwrap().order_id;
    for told in [wrong, wrong, &major(amount), &major(amount)] {
        let answer = tell_of(fleet, id, ["sale", "approved"], &order, told).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    (format!("amount {wrong:?}"), id, 1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b08_a_right_word_after_a_wrong_or_poorer_one_counts_and_the_same_again_is_nothing() {
    let fleet = impatient()
        .plan(TaskKind::Reserve, PlanClass::Pending, &[600; 60])
        .directory(|import| {
            for word in ["QUEUED", "WORKING"] {
                let codes = &mut connector(import, "supplier-callback").codes;
                codes.insert(word.to_owned(), "2236".to_owned());
            }
        })
        .start()
        .await;
    fleet.allow_log("a notification is not about what was asked for");
    fleet.allow_log("a callback tells of another amount");
    let operator = [
        ("currency", json!("kwd")),
        ("amount", json!(null)),
        ("amount", json!("1.55")),
        ("msisdn", json!("27000000001")),
    ];
    let operator = operator.map(|(field, wrong)| by_operator(&fleet, field, wrong));
    let gateway = (3_700..).zip(["", "1.00", "37,02"]);
    let gateway = gateway.map(|(amount, wrong)| by_card_gateway(&fleet, amount, wrong));
    let supplier = confirmations();
    let supplier = supplier.iter().map(|(what, words)| by_supplier(&fleet, what, words));
    let (operator, gateway, supplier) =
        tokio::join!(join_all(operator), join_all(gateway), join_all(supplier));
    for (what, id, facts) in operator.into_iter().chain(gateway).chain(supplier) {
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Success, "{what}");
        // What is a reason to ask about a sale is none of them.
        let is_word = |status: &str| !matches!(status, "checked" | "mapped" | "sale:processing");
        let told = view.facts.iter().filter(|fact| is_word(&fact.status)).count();
        assert_eq!(told, facts, "{what}: the same again is nothing");
        for kind in [EffectKind::Capture, EffectKind::Vend] {
            assert_eq!(fleet.count(id, kind), 1, "{what} {kind:?}");
        }
    }
    fleet.assert_all_ended().await;
}
