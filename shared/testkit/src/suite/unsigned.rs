//! Facts that nobody signs: anybody may send any number of them about a purchase.
#![expect(missing_docs, reason = "a test's name is its documentation")]

use fleet_domain::{FactOutcome, UNSIGNED_KEPT, is_signed};

use super::charges::{by_sms, cases, charged, told};
use super::*;

/// Ten times what is kept.
const FLOOD: usize = UNSIGNED_KEPT * 10;

async fn tell<S: SuiteStore>(store: &S, key: TaskKey, transaction: &str) {
    let fact = store.store_fact(&told(key, "CHARGED", transaction)).await.unwrap();
    assert!(matches!(fact, FactOutcome::Stored { .. }), "{transaction}: {fact:?}");
}

async fn flood<S: SuiteStore>(store: &S, key: TaskKey, name: &str, count: usize) {
    for number in 0..count {
        tell(store, key, &format!("{name}-{number}")).await;
    }
}

fn ids(job: &Job) -> Vec<&str> {
    job.facts.iter().map(|fact| fact.external_id.as_str()).collect()
}

/// The source was asked about this transaction and did not confirm it.
fn not_confirmed(job: &Job, transaction: &str) -> Commit {
    let wait = Next::Wait(Duration::from_secs(60));
    let only = Decision::only(wait, Tries::Keep, "not_confirmed");
    let decision = Decision { asked: Some(transaction.to_owned()), ..only };
    Commit { sent: SentUntil::Keep, definite: false, ..definite(job, decision) }
}

pub async fn of_a_flood_of_unsigned_facts_the_first_and_the_newest_are_kept<S: SuiteStore>(
    store: S,
) {
    let key = by_sms(&store, "mo-sample").await;
    tell(&store, key, "first").await;
    flood(&store, key, "forged", FLOOD).await;
    tell(&store, key, "last").await;
    let again = store.store_fact(&told(key, "CHARGED", "last")).await.unwrap();
    assert_eq!(again, FactOutcome::Duplicate);
    let job = claimed(&store, key).await;
    assert_eq!(job.facts.len(), UNSIGNED_KEPT);
    assert_eq!(job.task.signals, i32::try_from(FLOOD).unwrap() + 2, "each was noticed");
    let ids = ids(&job);
    assert_eq!((ids[0], ids[UNSIGNED_KEPT - 1]), ("last", "first"));
    let newest = format!("forged-{}", FLOOD - 1);
    assert_eq!((ids[1], ids[UNSIGNED_KEPT - 2]), (newest.as_str(), "forged-0"));
}

pub async fn what_was_asked_about_in_vain_gives_way_first<S: SuiteStore>(store: S) {
    let key = by_sms(&store, "mo-sample").await;
    flood(&store, key, "forged", UNSIGNED_KEPT).await;
    for asked in ["forged-0", "forged-63"] {
        let job = claimed(&store, key).await;
        assert_eq!(commit(&store, not_confirmed(&job, asked)).await, CommitVerdict::Done);
        tell(&store, key, &format!("after {asked}")).await;
        let job = claimed(&store, key).await;
        let fact = job.facts.iter().find(|fact| fact.external_id == asked).unwrap();
        assert_eq!((fact.asks, fact.asked_at.is_some()), (1, true), "it counts for a minute");
        assert_eq!(commit(&store, wait_for_more(&job)).await, CommitVerdict::Done);
        store.advance(Duration::from_secs(61)).await;
        tell(&store, key, &format!("later than {asked}")).await;
        let job = claimed(&store, key).await;
        assert!(!ids(&job).contains(&asked), "{asked}: {:?}", ids(&job));
        assert!(ids(&job).contains(&"forged-1"), "what was not asked about stays");
        assert_eq!(commit(&store, wait_for_more(&job)).await, CommitVerdict::Done);
        tell(&store, key, &format!("woken after {asked}")).await;
    }
    assert_eq!(claimed(&store, key).await.facts.len(), UNSIGNED_KEPT);
}

fn wait_for_more(job: &Job) -> Commit {
    Commit { sent: SentUntil::Keep, definite: false, ..definite(job, wait(60)) }
}

pub async fn what_was_asked_is_known_though_a_fact_came_in_between<S: SuiteStore>(store: S) {
    let key = by_sms(&store, "mo-sample").await;
    for transaction in ["T-1", "T-2", "T-3"] {
        tell(&store, key, transaction).await;
    }
    for (asked, between) in [("T-3", "T-4"), ("T-1", "T-5"), ("T-3", "T-6")] {
        let job = claimed(&store, key).await;
        tell(&store, key, between).await;
        let verdict = commit(&store, not_confirmed(&job, asked)).await;
        assert_eq!(verdict, CommitVerdict::FactFirst);
    }
    let job = claimed(&store, key).await;
    let asks: Vec<_> =
        job.facts.iter().map(|fact| (fact.external_id.as_str(), fact.asks)).collect();
    let wanted = [("T-6", 0), ("T-5", 0), ("T-4", 0), ("T-3", 2), ("T-2", 0), ("T-1", 1)];
    assert_eq!(asks, wanted);
}

pub async fn what_was_asked_counts_for_the_source_though_its_fact_gave_way_meanwhile<
    S: SuiteStore,
>(
    store: S,
) {
    let key = by_sms(&store, "mo-sample").await;
    for round in ["first", "second", "third"] {
        flood(&store, key, round, UNSIGNED_KEPT).await;
        let job = claimed(&store, key).await;
        let asked = job.facts[0].external_id.clone();
        let before = job.facts.iter().filter_map(|fact| fact.asked_at).max();
        store.advance(Duration::from_secs(3)).await;
        flood(&store, key, &format!("during {round}"), UNSIGNED_KEPT).await;
        let verdict = commit(&store, not_confirmed(&job, &asked)).await;
        assert_eq!(verdict, CommitVerdict::FactFirst);
        let job = claimed(&store, key).await;
        assert!(!ids(&job).contains(&asked.as_str()), "{asked} gave way");
        let counted = job.facts.iter().filter_map(|fact| fact.asked_at).max();
        assert!(counted > before, "{round}: {counted:?} after {before:?}");
        assert_eq!(job.facts.iter().map(|fact| fact.asks).max(), Some(0), "nobody is struck off");
        assert_eq!(commit(&store, wait_for_more(&job)).await, CommitVerdict::Done);
    }
}

pub async fn what_was_paid_for_never_gives_way_and_a_flood_after_it_is_one_case<S: SuiteStore>(
    store: S,
) {
    let key = by_sms(&store, "mo-sample").await;
    tell(&store, key, "paid").await;
    let job = claimed(&store, key).await;
    assert_eq!(commit(&store, charged(&job, "paid")).await, CommitVerdict::Done);
    flood(&store, key, "forged", FLOOD).await;
    let view = store.show(key.purchase).await;
    assert!(view.facts.iter().any(|fact| fact.external_id == "paid"));
    assert_eq!(view.facts.len(), UNSIGNED_KEPT + 1);
    assert_eq!(cases(&store, key.purchase).await, ["the buyer was charged twice, they say"]);
}

pub async fn signed_facts_are_read_first_and_never_give_way<S: SuiteStore>(store: S) {
    let key = by_sms(&store, "mo-sample").await;
    let late = |id: &str| NewFact {
        source: CALL.to_owned(),
        kind: "reserve".to_owned(),
        ..told(key, "2010", id)
    };
    store.store_fact(&late("token-1")).await.unwrap();
    flood(&store, key, "forged", FLOOD / 2).await;
    store.store_fact(&late("token-2")).await.unwrap();
    flood(&store, key, "again", FLOOD / 2).await;
    let job = claimed(&store, key).await;
    let signed: Vec<_> = job.facts.iter().filter(|fact| is_signed(&fact.source)).collect();
    assert_eq!(signed.len(), 2);
    assert_eq!(ids(&job)[..2], ["token-2", "token-1"]);
    assert_eq!(job.facts.len(), UNSIGNED_KEPT + 2);
}
