//! Notifications that nobody signs, in any number: the real one is acted on within a minute, and the
//! party is asked no more often than its budget allows.

use std::time::Duration;

use chrono::{DateTime, Utc};
use fleet_domain::{PurchaseId, PurchaseStatus, ReserveState};
use fleet_simulator::{Action, Behaviour};
use fleet_testkit::TestFleet;
use futures_util::future::join_all;
use serde_json::Value;

use crate::{card_payment, mo_charge};

/// Posts at the same time.
const AT_ONCE: usize = 20;
/// Calls about what was told of one purchase, at most one in so many seconds.
const ASKED_EVERY: i64 = 3;

/// A purchase whose buyer has paid, of which nobody has told us yet.
struct Paid {
    id: PurchaseId,
    transaction: String,
    /// What the buyer's SMS charge was asked for with; none of a card's page.
    body: Option<Value>,
}

async fn paid(fleet: &TestFleet, id: PurchaseId, body: Option<Value>) -> Paid {
    fleet.wait_reserve(id, ReserveState::Asked).await;
    let known = || fleet.simulator().transactions_of(&id.to_string());
    fleet.until("the buyer to pay", async || !known().is_empty()).await;
    Paid { id, transaction: known()[0].id.to_string(), body }
}

async fn by_sms(fleet: &TestFleet) -> Paid {
    let body = mo_charge::by_sms("9706", "0000");
    let untold = vec![Behaviour::asks(&[(0, "CHARGED/untold")])];
    let buyer = body["sourceIdentifier"].as_str().unwrap();
    fleet.simulator().script(buyer, Action::MoCharge, untold);
    let id = fleet.reserve_and_transact(&body).await.accepted();
    paid(fleet, id, Some(body)).await
}

async fn by_card(fleet: &TestFleet) -> Paid {
    let untold = vec![Behaviour::asks(&[(0, "SUCCESS/untold")])];
    fleet.simulator().script("9808", Action::CardPayment, untold);
    let (_, id) = card_payment::pay(fleet, "9808").await;
    paid(fleet, id, None).await
}

/// Tells of a transaction of the purchase, as its source would.
async fn tell(fleet: &TestFleet, paid: &Paid, transaction: &str) {
    let request = match &paid.body {
        Some(body) => {
            let told = mo_charge::charged(body, paid.id, transaction).to_string();
            fleet.http().post(fleet.url("/callbacks/mo-charge/mo-sample")).body(told)
        }
        None => {
            let id = paid.id.to_string();
            let query = [
                ("type", "cardpayment"),
                ("status", "success"),
                ("order_info", id.as_str()),
                ("transaction_id", transaction),
            ];
            fleet.http().get(fleet.url("/callbacks/card-payments/card-sample")).query(&query)
        }
    };
    assert_eq!(fleet.send(request).await.status, 200, "{transaction}");
}

async fn forge(fleet: &TestFleet, paid: &Paid, count: usize) {
    let numbers: Vec<usize> = (0..count).collect();
    for some in numbers.chunks(AT_ONCE) {
        let forged = some.iter().map(async |number| {
            tell(fleet, paid, &format!("forged-{number}")).await;
        });
        join_all(forged).await;
    }
}

async fn now(fleet: &TestFleet) -> DateTime<Utc> {
    fleet.store().now().await.unwrap()
}

/// How often the source was asked about a transaction, whichever.
fn asked(fleet: &TestFleet) -> i64 {
    let calls = fleet.simulator().calls();
    let is_one = |action| matches!(action, Action::MoCheck | Action::CardQuery);
    i64::try_from(calls.iter().filter(|call| is_one(call.action)).count()).unwrap()
}

/// It is served within a minute of the real word, and its source was asked within the budget.
async fn served(fleet: &TestFleet, paid: &Paid, began: DateTime<Utc>, told: DateTime<Utc>) {
    let success = async || {
        let view = fleet.purchase(paid.id).await;
        view.purchase.progress.reserve == ReserveState::Charged
    };
    fleet.until_within(Duration::from_secs(60), "the real one to be believed", success).await;
    let ended = now(fleet).await;
    assert!(ended - told < chrono::TimeDelta::seconds(60), "told at {told}, believed at {ended}");
    let budget = (ended - began).num_seconds() / ASKED_EVERY + 1;
    let asked = asked(fleet);
    assert!((1..=budget).contains(&asked), "asked {asked} times, {budget} are allowed");
    let view = fleet.wait_status(paid.id, PurchaseStatus::Success).await;
    assert_eq!(view.purchase.progress.reservation.as_deref(), Some(&*paid.transaction));
    let causes: Vec<String> = fleet.parked().await.into_iter().map(|task| task.cause).collect();
    assert!(causes.len() <= 1, "one case of each purchase and cause: {causes:?}");
}

async fn forged_then_real(fleet: &TestFleet, paid: &Paid, count: usize) {
    let began = now(fleet).await;
    forge(fleet, paid, count).await;
    let told = now(fleet).await;
    tell(fleet, paid, &paid.transaction).await;
    served(fleet, paid, began, told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_or_a_thousand_forged_notifications_hide_no_real_charge_by_sms() {
    for count in [10, 1_000] {
        let fleet = TestFleet::start().await;
        let paid = by_sms(&fleet).await;
        forged_then_real(&fleet, &paid, count).await;
        assert_eq!(mo_charge::moved(&fleet, paid.id), [1, 1, 1]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_or_a_thousand_forged_completions_hide_no_real_card_payment() {
    for count in [10, 1_000] {
        let fleet = TestFleet::start().await;
        let paid = by_card(&fleet).await;
        forged_then_real(&fleet, &paid, count).await;
        assert_eq!(card_payment::moved(&fleet, paid.id), [1, 1]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_one_before_a_thousand_forged_ones_is_not_hidden_by_them() {
    for is_by_card in [false, true] {
        let fleet = TestFleet::start().await;
        let paid = if is_by_card { by_card(&fleet).await } else { by_sms(&fleet).await };
        let began = now(&fleet).await;
        // The first call is used up, so that the real one lies before the flood and is not asked about.
        tell(&fleet, &paid, "forged-before").await;
        fleet.until("the source to be asked", async || asked(&fleet) == 1).await;
        let told = now(&fleet).await;
        tell(&fleet, &paid, &paid.transaction).await;
        forge(&fleet, &paid, 1_000).await;
        served(&fleet, &paid, began, told).await;
    }
}
