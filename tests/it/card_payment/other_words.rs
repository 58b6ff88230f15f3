//! Completions in words that no document has: kept as they were told, and asked about.

use fleet_domain::{PurchaseId, PurchaseStatus, ReserveState};
use fleet_simulator::{Action, Behaviour};
use fleet_testkit::TestFleet;

use super::{completions, moved, pay};
use crate::unknown::{calls, impatient};

type Query<'a> = &'a [(&'a str, &'a str)];

/// Tells this of a payment, in the document's type where no other is named.
pub(super) async fn told(fleet: &TestFleet, id: PurchaseId, query: Query<'_>) -> u16 {
    let url = fleet.url("/callbacks/card-payments/card-sample");
    let order_info = id.to_string();
    let mut all = vec![("order_info", order_info.as_str())];
    all.extend(query);
    if query.iter().all(|(name, _)| *name != "type") {
        all.push(("type", "cardpayment"));
    }
    fleet.send(fleet.http().get(url).query(&all)).await.status
}

/// A payment that was made, of which nothing is told, and its transaction.
async fn untold(fleet: &TestFleet, amount: &str) -> (PurchaseId, String) {
    let paid = vec![Behaviour::asks(&[(0, "SUCCESS/untold")])];
    fleet.simulator().script(amount, Action::CardPayment, paid);
    let (_, id) = pay(fleet, amount).await;
    fleet.wait_reserve(id, ReserveState::Asked).await;
    let made = async || !fleet.simulator().transactions_of(&id.to_string()).is_empty();
    fleet.until("the payment to be made", made).await;
    let transaction = fleet.simulator().transactions_of(&id.to_string()).remove(0).id.to_string();
    (id, transaction)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_other_status_or_type_is_kept_as_it_was_told_and_asked_about() {
    let fleet = impatient().start().await;
    let long = "s".repeat(300);
    let cases: [(&str, Query<'_>, &str); 6] = [
        ("3400", &[("status", "paid")], "paid"),
        ("3401", &[("status", "SUCCESS")], "SUCCESS"),
        ("3402", &[("status", "success"), ("type", "payment")], "payment:success"),
        ("3403", &[("status", "failed"), ("type", "")], ":failed"),
        ("3404", &[], "?"),
        ("3405", &[("status", &long)], &long[..64]),
    ];
    for (amount, query, word) in cases {
        let (id, transaction) = untold(&fleet, amount).await;
        let mut query = query.to_vec();
        query.push(("transaction_id", &transaction));
        assert_eq!(told(&fleet, id, &query).await, 200, "{word}");
        let view = fleet.wait_status(id, PurchaseStatus::Success).await;
        assert_eq!(view.facts[0].status, word, "kept as it was told");
        assert_eq!(calls(&fleet, id, Action::CardQuery).len(), 1, "{word}: asked about");
        assert_eq!(moved(&fleet, id), [1, 1], "{word}");
        let view = fleet.wait_final(id).await;
        assert_eq!(completions(&fleet, &view)[0].query["status"], "success", "{word}");
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_word_about_a_transaction_that_nobody_knows_pays_and_ends_nothing() {
    let fleet = impatient().start().await;
    for (amount, query) in [
        ("3410", [("status", "paid"), ("transaction_id", "1")]),
        ("3411", [("status", "pending"), ("transaction_id", "")]),
        ("3412", [("status", "refused"), ("transaction_id", "77")]),
    ] {
        let (id, transaction) = untold(&fleet, amount).await;
        assert_eq!(told(&fleet, id, &query).await, 200, "{query:?}");
        let kept = async || fleet.purchase(id).await.facts.len() == 1;
        fleet.until("it to be kept", kept).await;
        if !query[1].1.is_empty() {
            let asked =
                async || {
                    !fleet.simulator().calls().iter().all(|call| {
                        call.action != Action::CardQuery || &*call.reference != query[1].1
                    })
                };
            fleet.until("it to be asked about", asked).await;
        }
        assert_eq!(fleet.purchase(id).await.purchase.status(), PurchaseStatus::Pending);
        // And does not hide what was paid.
        let paid = [("status", "success"), ("transaction_id", transaction.as_str())];
        assert_eq!(told(&fleet, id, &paid).await, 200);
        fleet.wait_status(id, PurchaseStatus::Success).await;
        assert_eq!(moved(&fleet, id), [1, 1]);
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_word_after_the_end_is_a_persons_where_money_may_have_moved() {
    let fleet = TestFleet::start().await;
    let case_of = "a payment that has ended in a word of no document";
    let (_, paid) = pay(&fleet, "1000").await;
    fleet.wait_status(paid, PurchaseStatus::Success).await;
    let own = fleet.simulator().transactions_of(&paid.to_string()).remove(0).id.to_string();
    // The same payment in other words is no news.
    for status in ["paid", "Success", "completed"] {
        let query = [("status", status), ("transaction_id", own.as_str())];
        assert_eq!(told(&fleet, paid, &query).await, 200);
    }
    fleet.assert_all_ended().await;
    assert_eq!(fleet.parked().await.len(), 0);
    let back = [("type", "refund"), ("status", "success"), ("transaction_id", own.as_str())];
    assert_eq!(told(&fleet, paid, &back).await, 200);
    let case = fleet.wait_parked(paid).await;
    assert!(case.cause.contains(case_of), "{}", case.cause);
    // And of a payment that was not made, as far as we know.
    for (amount, status) in [("9801", "paid"), ("9802", "SUCCESS"), ("9801", "chargeback")] {
        let (_, id) = pay(&fleet, amount).await;
        fleet.wait_status(id, PurchaseStatus::Failed).await;
        let query = [("status", status), ("transaction_id", "4711")];
        assert_eq!(told(&fleet, id, &query).await, 200);
        let case = fleet.wait_parked(id).await;
        assert!(case.cause.contains(case_of), "{status}: {}", case.cause);
    }
}
