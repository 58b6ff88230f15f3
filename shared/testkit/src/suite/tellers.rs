//! Who may speak of which purchase, and what makes one fact another.
#![expect(missing_docs, reason = "a test's name is its documentation")]

use fleet_domain::{DueTask, FactOutcome, UNMATCHED_KEPT};

use super::*;

async fn fact<S: SuiteStore>(store: &S, new: &NewFact) -> FactOutcome {
    store.store_fact(new).await.unwrap()
}

fn woken(key: TaskKey) -> FactOutcome {
    FactOutcome::Stored { woken: Some(DueTask { key, lane: lane_of(key.kind) }) }
}

/// Sources that another part of these purchases names, or none.
const STRANGERS: [&str; 7] = [
    "supplier_callback:supplier-plain",
    "supplier_callback:sample-bank",
    "supplier_callback:",
    "bank:sample-bank",
    "mo_charge:mo-sample",
    "card_sale:supplier-lookup",
    "operator",
];

pub async fn a_fact_of_another_connector_than_the_purchase_names_wakes_nothing<S: SuiteStore>(
    store: S,
) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    commit(&store, unknown(&job)).await;
    let before = store.show(key.purchase).await;
    for source in STRANGERS {
        for (status, id) in [("0000", "S-9"), ("2213", ""), ("2236", "x")] {
            let source = source.to_owned();
            let told = NewFact { source, ..callback(key, 0, status, id) };
            assert_eq!(fact(&store, &told).await, FactOutcome::Unmatched, "{told:?}");
            assert_eq!(fact(&store, &told).await, FactOutcome::Duplicate, "{told:?}");
        }
    }
    assert_eq!(store.show(key.purchase).await, before, "nothing is woken and nothing is known");
    assert_eq!(fact(&store, &callback(key, 0, "0000", "S-1")).await, woken(key));
    let job = claimed(&store, key).await;
    assert_eq!((job.task.signals, job.facts.len()), (1, 1));
    // Our own late answers may speak of every part.
    let late = NewFact { source: CALL.to_owned(), ..callback(key, 0, "0000", "token") };
    assert_eq!(fact(&store, &late).await, FactOutcome::Stored { woken: None });
}

pub async fn a_contrary_fact_of_another_connector_opens_no_case<S: SuiteStore>(store: S) {
    let (out, not_out, unfunded) =
        (dispensing(&store).await, dispensing(&store).await, reserving(&store).await);
    let job = claimed(&store, out).await;
    commit(&store, dispensed(&job)).await;
    let job = claimed(&store, not_out).await;
    commit(&store, failed(&job)).await;
    let job = claimed(&store, unfunded).await;
    let change = Change::reserve(ReserveState::Refused);
    let refused = Decision { change, ..Decision::only(Next::Finish, Tries::Count, "refused") };
    commit(&store, definite(&job, refused)).await;
    for source in STRANGERS.into_iter().filter(|source| *source != "bank:sample-bank") {
        let vend =
            |key, status, id| NewFact { source: source.to_owned(), ..callback(key, 0, status, id) };
        let reserve = NewFact {
            kind: "reserve".to_owned(),
            reference: unfunded.purchase.to_string(),
            ..vend(unfunded, "0000", "R-9")
        };
        for told in
            [vend(out, "2213", ""), vend(out, "0000", "S-9"), vend(not_out, "0000", "S-9"), reserve]
        {
            assert_eq!(fact(&store, &told).await, FactOutcome::Unmatched, "{told:?}");
        }
    }
    for key in [out, not_out, unfunded] {
        let view = store.show(key.purchase).await;
        let cases = view.tasks.iter().filter(|task| task.key.kind == TaskKind::Case);
        assert_eq!((cases.count(), view.facts.len()), (0, 0), "{}", key.kind);
    }
}

/// What a fact means, besides the words that it is found by.
fn meaning(told: &NewFact, meaning: &str) -> NewFact {
    NewFact { meaning: Private::new(meaning), ..told.clone() }
}

pub async fn a_second_fact_is_a_copy_only_when_it_says_the_same<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let told = callback(key, 0, "0000", "S-1");
    let mut signals = 0;
    for fuller in ["", "amount 15", "amount 16", "amount 15 and voucher"] {
        let fuller = meaning(&told, fuller);
        signals += 1;
        assert_eq!(fact(&store, &fuller).await, FactOutcome::Stored { woken: None });
        for _ in 0..1_000 / 4 {
            assert_eq!(fact(&store, &fuller).await, FactOutcome::Duplicate);
        }
        assert_eq!(row(&store, key).await.signals, signals, "the same again changes nothing");
    }
    assert_eq!(claimed(&store, key).await.facts.len(), 4);
}

pub async fn a_right_fact_after_one_that_did_not_fit_is_matched<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    commit(&store, unknown(&job)).await;
    // In another currency, without an amount, with another amount: of nobody, for a person.
    let right = meaning(&callback(key, 0, "0000", "S-1"), "ZAR 15");
    for poor in ["zar 15", "ZAR", "ZAR 16"] {
        let poor = NewFact { task: None, ..meaning(&right, poor) };
        assert_eq!(fact(&store, &poor).await, FactOutcome::Unmatched);
        assert_eq!(fact(&store, &poor).await, FactOutcome::Duplicate);
    }
    assert_eq!(row(&store, key).await.signals, 0);
    assert_eq!(fact(&store, &right).await, woken(key));
    assert_eq!(fact(&store, &right).await, FactOutcome::Duplicate);
    assert_eq!(row(&store, key).await.signals, 1);
    assert_eq!(claimed(&store, key).await.facts.len(), 1, "the poor ones are not its");
}

pub async fn a_fact_of_nobody_that_comes_again_and_fits_by_now_becomes_the_purchases<
    S: SuiteStore,
>(
    store: S,
) {
    let key = dispensing(&store).await;
    let told = callback(key, 0, "0000", "S-1");
    let nobodys = NewFact { task: None, ..told.clone() };
    assert_eq!(fact(&store, &nobodys).await, FactOutcome::Unmatched);
    assert_eq!(fact(&store, &told).await, FactOutcome::Stored { woken: None });
    assert_eq!(fact(&store, &told).await, FactOutcome::Duplicate);
    assert_eq!(fact(&store, &nobodys).await, FactOutcome::Duplicate, "it stays the purchase's");
    let job = claimed(&store, key).await;
    assert_eq!((job.task.signals, job.facts.len()), (1, 1));
    assert_eq!(job.facts[0].body, told.body, "which its task can read");
}

pub async fn of_a_sources_facts_of_nobody_the_newest_are_kept<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let of = |source: &str, number: usize| {
        let told = callback(key, 0, "0000", &number.to_string());
        NewFact { source: source.to_owned(), task: None, ..told }
    };
    let (one, another) = ("supplier_callback:supplier-plain", "supplier_callback:supplier-lookup");
    assert_eq!(fact(&store, &of(another, 0)).await, FactOutcome::Unmatched);
    for number in 0..=UNMATCHED_KEPT {
        assert_eq!(fact(&store, &of(one, number)).await, FactOutcome::Unmatched);
    }
    assert_eq!(fact(&store, &of(one, UNMATCHED_KEPT)).await, FactOutcome::Duplicate, "the last");
    assert_eq!(fact(&store, &of(one, 1)).await, FactOutcome::Duplicate, "the oldest that is kept");
    assert_eq!(fact(&store, &of(one, 0)).await, FactOutcome::Unmatched, "it had given way");
    assert_eq!(fact(&store, &of(another, 0)).await, FactOutcome::Duplicate, "another's stay");
}
