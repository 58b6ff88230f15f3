//! Sources that ask the buyer first, and tell what came of it without a signature.
#![expect(missing_docs, reason = "a test's name is its documentation")]

use fleet_domain::{FactOutcome, FundingType};
use fleet_engine::StoreFault;

use super::*;

/// A purchase that this source charges for.
pub(super) async fn by_sms<S: SuiteStore>(store: &S, source: &str) -> TaskKey {
    paid_by(store, FundingType::MoCharge, source).await
}

async fn paid_by<S: SuiteStore>(store: &S, funding: FundingType, source: &str) -> TaskKey {
    let start_by = later(store.now().await, Duration::from_secs(600));
    let reference = uuid::Uuid::new_v4().to_string();
    let mut new = new_purchase(&reference, Scenario::WeReserve, start_by).unwrap();
    new.order.order.funding = funding;
    source.clone_into(&mut new.order.order.funding_source);
    let accepted = store.accept(std::slice::from_ref(&new)).await;
    let Stored::New(purchase, _) = accepted.stored[0] else { panic!("not new") };
    TaskKey { purchase, kind: TaskKind::Reserve, slot: 0 }
}

pub(super) fn charged(job: &Job, transaction: &str) -> Commit {
    let mut one = funded(job, ReserveState::Charged, TaskKind::Dispense);
    if let Change::Reserve { reservation, hold, .. } = &mut one.decision.change {
        *reservation = Some(transaction.to_owned());
        *hold = None;
    }
    let money = job.purchase.order.reserved();
    one.decision.ledger = vec![(LedgerEntry::Reserved, money), (LedgerEntry::Captured, money)];
    one
}

pub(super) fn told(key: TaskKey, status: &str, transaction: &str) -> NewFact {
    NewFact {
        source: "mo_charge:mo-sample".to_owned(),
        kind: "mo_charge".to_owned(),
        task: Some(key),
        reference: key.purchase.to_string(),
        status: status.to_owned(),
        external_id: transaction.to_owned(),
        meaning: Private::new(""),
        body: Private::new("{}"),
    }
}

pub(super) async fn cases<S: SuiteStore>(store: &S, id: PurchaseId) -> Vec<String> {
    let tasks = store.show(id).await.tasks;
    let cases = tasks.into_iter().filter(|task| task.key.kind == TaskKind::Case);
    cases.map(|task| task.park_cause.unwrap()).collect()
}

pub async fn one_charge_of_a_source_pays_for_one_purchase<S: SuiteStore>(store: S) {
    let first = by_sms(&store, "mo-sample").await;
    let job = claimed(&store, first).await;
    assert_eq!(commit(&store, charged(&job, "T-1")).await, CommitVerdict::Done);
    let second = by_sms(&store, "mo-sample").await;
    let job = claimed(&store, second).await;
    let before = store.show(second.purchase).await;
    let refused = store.commit(second.kind, &[charged(&job, "T-1")]).await;
    assert!(matches!(refused, Err(StoreFault::Refused(_))), "{refused:?}");
    assert_eq!(store.show(second.purchase).await, before, "nothing of it was written");
    assert_eq!(commit(&store, charged(&job, "T-2")).await, CommitVerdict::Done);
    let elsewhere = by_sms(&store, "mo-other").await;
    let job = claimed(&store, elsewhere).await;
    assert_eq!(commit(&store, charged(&job, "T-1")).await, CommitVerdict::Done, "another source");
}

pub async fn a_purchase_whose_buyer_was_asked_can_become_unknown_and_charged<S: SuiteStore>(
    store: S,
) {
    let key = by_sms(&store, "mo-sample").await;
    let job = claimed(&store, key).await;
    let wait = Next::Wait(Duration::from_secs(60));
    let change = Change::reserve(ReserveState::Asked);
    let asked = Decision { change, ..Decision::only(wait, Tries::Restart, "buyer_asked") };
    let asked = Commit { sent: SentUntil::Keep, definite: false, ..definite(&job, asked) };
    assert_eq!(commit(&store, asked).await, CommitVerdict::Done);
    assert_eq!(store.show(key.purchase).await.purchase.progress.reserve, ReserveState::Asked);
    store.store_fact(&told(key, "PIN_USED", "")).await.unwrap();
    let slow = claimed(&store, key).await;
    assert!(slow.task.former_sent_until.is_some(), "asked once, so it is looked up from now on");
    store.store_fact(&told(key, "CHARGED", "T-1")).await.unwrap();
    let late = Commit { signals: slow.task.signals, ..unknown(&slow) };
    assert_eq!(commit(&store, late).await, CommitVerdict::FactFirst);
    assert_eq!(store.show(key.purchase).await.purchase.progress.reserve, ReserveState::Unknown);
    let job = claimed(&store, key).await;
    assert_eq!(job.facts.len(), 2);
    assert_eq!(commit(&store, charged(&job, "T-1")).await, CommitVerdict::Done);
    assert_eq!(cases(&store, key.purchase).await, Vec::<String>::new(), "nothing contradicts");
}

pub async fn what_is_told_after_a_charge_or_after_its_end_opens_a_case_or_nothing<S: SuiteStore>(
    store: S,
) {
    let paid = by_sms(&store, "mo-sample").await;
    let job = claimed(&store, paid).await;
    commit(&store, charged(&job, "T-1")).await;
    for (status, transaction) in
        [("CHARGED", "T-1"), ("PIN_USED", ""), ("PIN_EXPIRED", ""), ("PIN_NOT_FOUND", "x")]
    {
        let fact = store.store_fact(&told(paid, status, transaction)).await.unwrap();
        assert_eq!(fact, FactOutcome::Stored { woken: None });
    }
    assert_eq!(cases(&store, paid.purchase).await, Vec::<String>::new(), "no news");
    store.store_fact(&told(paid, "CHARGED", "T-2")).await.unwrap();
    store.store_fact(&told(paid, "BARRED", "")).await.unwrap();
    assert_eq!(
        cases(&store, paid.purchase).await,
        [
            "the buyer was charged twice, they say",
            "the charge failed, they say, but the funding source had confirmed it",
        ]
    );
    let ended = by_sms(&store, "mo-sample").await;
    let job = claimed(&store, ended).await;
    let change = Change::reserve(ReserveState::Failed);
    let silent = Decision { change, ..Decision::only(Next::Finish, Tries::Count, "buyer_silent") };
    commit(&store, definite(&job, silent)).await;
    store.store_fact(&told(ended, "PIN_EXPIRED", "")).await.unwrap();
    assert_eq!(cases(&store, ended.purchase).await, Vec::<String>::new());
    store.store_fact(&told(ended, "CHARGED", "T-9")).await.unwrap();
    assert_eq!(
        cases(&store, ended.purchase).await,
        ["the buyer was charged, they say, but the purchase had ended without funds"]
    );
    // In a word of no document: asked about before the end, a person's after it, but for the same charge.
    let other = "they tell of a payment that has ended in a word of no document: ask the source";
    for (state, own, before) in [
        (ReserveState::Charged, "T-11", "T-11"),
        (ReserveState::Charged, "T-12", ""),
        (ReserveState::Refused, "T-13", "T-0"),
    ] {
        let key = by_sms(&store, "mo-sample").await;
        store.store_fact(&told(key, "success:PAID", before)).await.unwrap();
        let job = claimed(&store, key).await;
        let change = Change::reserve(state);
        let end = Decision { change, ..Decision::only(Next::Finish, Tries::Count, "refused") };
        let end =
            if state == ReserveState::Charged { charged(&job, own) } else { definite(&job, end) };
        commit(&store, end).await;
        if state == ReserveState::Charged {
            store.store_fact(&told(key, "success:DONE", own)).await.unwrap();
        }
        assert_eq!(cases(&store, key.purchase).await, Vec::<String>::new(), "{own}");
        store.store_fact(&told(key, "success:PAID", "T-99")).await.unwrap();
        assert_eq!(cases(&store, key.purchase).await, [other], "{own}");
    }
}

pub async fn what_a_card_gateway_tells_after_the_end_of_a_sale_opens_a_case<S: SuiteStore>(
    store: S,
) {
    let sale = async || paid_by(&store, FundingType::CardSale, "card-sale").await;
    let tell = async |key: TaskKey, status: &str, order: &str| {
        let kind = "card_sale".to_owned();
        let source = "card_sale:card-sale".to_owned();
        let fact = NewFact { source, kind, ..told(key, status, order) };
        let stored = store.store_fact(&fact).await.unwrap();
        assert_eq!(stored, FactOutcome::Stored { woken: None }, "{status}");
    };
    let paid = sale().await;
    let job = claimed(&store, paid).await;
    commit(&store, charged(&job, "O-1")).await;
    for status in ["checked", "sale:approved", "sale:processing", "reversal:declined"] {
        tell(paid, status, "O-1").await;
    }
    assert_eq!(cases(&store, paid.purchase).await, Vec::<String>::new(), "no news");
    for (status, order) in [
        ("sale:approved", "O-2"),
        ("reversal:approved", "O-1"),
        ("chargeback:approved", "O-1"),
        ("sale:declined", "O-1"),
    ] {
        tell(paid, status, order).await;
    }
    let given_back = |by| format!("the card payment was taken back by a {by}");
    let failed = "the sale failed, but the funding source had approved it";
    let (reversal, chargeback) = (given_back("reversal"), given_back("chargeback"));
    let wanted = ["the card was charged twice", &reversal, &chargeback, failed];
    assert_eq!(cases(&store, paid.purchase).await, wanted);
    let ended = sale().await;
    let job = claimed(&store, ended).await;
    let change = Change::reserve(ReserveState::Refused);
    let refused = Decision { change, ..Decision::only(Next::Finish, Tries::Count, "refused") };
    commit(&store, definite(&job, refused)).await;
    tell(ended, "sale:declined", "O-9").await;
    assert_eq!(cases(&store, ended.purchase).await, Vec::<String>::new());
    tell(ended, "sale:approved", "O-9").await;
    let wanted = ["the card was charged, but the purchase had ended without funds"];
    assert_eq!(cases(&store, ended.purchase).await, wanted);
}
