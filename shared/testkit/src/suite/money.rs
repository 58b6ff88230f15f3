//! The books and the decision about the hold.
#![expect(missing_docs, reason = "a test's name is its documentation")]

use fleet_domain::{SettleAs, SettleState};
use fleet_engine::StoreFault;

use super::*;
use crate::samples::SETTLE_LANE;

/// A purchase whose goods are out and whose settle task is queued.
async fn settling<S: SuiteStore>(store: &S, settle_as: SettleAs) -> TaskKey {
    let key = reserving(store).await;
    let job = claimed(store, key).await;
    assert_eq!(commit(store, reserved(&job)).await, CommitVerdict::Done);
    let key = TaskKey { kind: TaskKind::Dispense, ..key };
    let job = claimed(store, key).await;
    let settle = FollowUp {
        kind: TaskKind::Settle,
        slot: 0,
        lane: SETTLE_LANE,
        start_by: None,
        deadline_at: None,
    };
    let mut one = dispensed(&job);
    one.decision.follow_ups.push(settle);
    if let Change::Dispense { settle_as: decided, .. } = &mut one.decision.change {
        *decided = Some(settle_as);
    }
    assert_eq!(commit(store, one).await, CommitVerdict::Done);
    TaskKey { kind: TaskKind::Settle, ..key }
}

fn settled(job: &Job, state: SettleState, entries: &[LedgerEntry], next: Next) -> Commit {
    let money = job.purchase.order.reserved();
    let decision = Decision {
        change: Change::Settle { state },
        ledger: entries.iter().map(|entry| (*entry, money)).collect(),
        ..Decision::only(next, Tries::Count, "settled")
    };
    definite(job, decision)
}

pub async fn a_hold_is_resolved_once_and_the_group_is_refused<S: SuiteStore>(store: S) {
    let key = settling(&store, SettleAs::Capture).await;
    let job = claimed(&store, key).await;
    let capture = settled(&job, SettleState::Captured, &[LedgerEntry::Captured], Next::Now);
    assert_eq!(commit(&store, capture).await, CommitVerdict::Done);
    let job = claimed(&store, key).await;
    let before = store.show(key.purchase).await;
    for entry in [LedgerEntry::Cancelled, LedgerEntry::Captured] {
        let second = settled(&job, SettleState::Cancelled, &[entry], Next::Finish);
        let refused = store.commit(key.kind, &[second]).await;
        assert!(matches!(refused, Err(StoreFault::Refused(_))), "{refused:?}");
    }
    assert_eq!(store.show(key.purchase).await, before);
}

pub async fn a_refused_group_leaves_no_trace_and_its_parts_can_be_written_alone<S: SuiteStore>(
    store: S,
) {
    let good = settling(&store, SettleAs::Capture).await;
    let bad = settling(&store, SettleAs::Capture).await;
    let (good_job, bad_job) = (claimed(&store, good).await, claimed(&store, bad).await);
    let entries = [LedgerEntry::Captured, LedgerEntry::Kept];
    let one = settled(&good_job, SettleState::Captured, &entries, Next::Finish);
    let twice = settled(&bad_job, SettleState::Captured, &[LedgerEntry::Reserved], Next::Finish);
    let refused = store.commit(good.kind, &[one.clone(), twice.clone()]).await;
    assert!(matches!(refused, Err(StoreFault::Refused(_))), "{refused:?}");
    assert_eq!(store.show(good.purchase).await.ledger.len(), 1, "only the hold");
    assert!(find_row(&store, good).await.is_some());
    assert_eq!(commit(&store, one).await, CommitVerdict::Done);
    assert!(store.commit(bad.kind, &[twice]).await.is_err());
    let park = Next::Park {
        class: fleet_domain::ParkClass::OurFault,
        cause: "its commit is refused".to_owned(),
        at_risk: None,
    };
    let parked = definite(&bad_job, Decision::only(park, Tries::Keep, "refused_by_store"));
    assert_eq!(commit(&store, parked).await, CommitVerdict::Done);
}

pub async fn a_settlement_is_decided_once<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let decide = |job: &Job, settle_as, next| {
        let mut change = Change::dispense(DispenseState::Unknown);
        if let Change::Dispense { settle_as: decided, .. } = &mut change {
            *decided = settle_as;
        }
        definite(job, Decision { change, ..Decision::only(next, Tries::Keep, "decided") })
    };
    let job = claimed(&store, key).await;
    commit(&store, decide(&job, Some(SettleAs::Capture), Next::Now)).await;
    let job = claimed(&store, key).await;
    let contrary = decide(&job, Some(SettleAs::Cancel), Next::Finish);
    let refused = store.commit(key.kind, &[contrary]).await;
    assert!(matches!(refused, Err(StoreFault::Refused(_))), "{refused:?}");
    let same = decide(&job, Some(SettleAs::Capture), Next::Now);
    assert_eq!(commit(&store, same).await, CommitVerdict::Done);
    let job = claimed(&store, key).await;
    assert_eq!(commit(&store, decide(&job, None, Next::Now)).await, CommitVerdict::Done);
    let progress = store.show(key.purchase).await.purchase.progress;
    assert_eq!(progress.settle_as, Some(SettleAs::Capture));
}

pub async fn the_books_of_a_captured_purchase_are_complete<S: SuiteStore>(store: S) {
    let key = settling(&store, SettleAs::Capture).await;
    let job = claimed(&store, key).await;
    assert_eq!(job.purchase.progress.settle_as, Some(SettleAs::Capture));
    assert_eq!(job.purchase.reservation(), Some("R-1"));
    let entries = [LedgerEntry::Captured, LedgerEntry::Kept];
    commit(&store, settled(&job, SettleState::Captured, &entries, Next::Finish)).await;
    let view = store.show(key.purchase).await;
    assert_eq!(view.purchase.progress.settle, SettleState::Captured);
    let books: Vec<_> =
        view.ledger.iter().map(|line| (line.step, line.entry.as_str(), line.amount)).collect();
    assert_eq!(books, [(1, "reserved", 3_450), (2, "captured", 3_450), (3, "kept", 3_450)]);
    assert!(view.ledger.iter().all(|line| line.currency == "ZAR"));
    assert_eq!(view.tasks, []);
}

pub async fn what_was_owed_and_is_paid_back_stands_in_the_books_as_both<S: SuiteStore>(store: S) {
    let key = refunding(&store).await;
    let job = claimed(&store, key).await;
    assert_eq!(job.purchase.progress.reserve, ReserveState::Charged);
    let owed = settled(&job, SettleState::Owed, &[LedgerEntry::Owed], Next::Now);
    assert_eq!(commit(&store, owed).await, CommitVerdict::Done);
    let job = claimed(&store, key).await;
    assert_eq!(job.purchase.progress.settle, SettleState::Owed);
    let refunded = settled(&job, SettleState::Refunded, &[LedgerEntry::Refunded], Next::Finish);
    let refused = store.commit(key.kind, &[refunded]).await;
    assert!(matches!(refused, Err(StoreFault::Refused(_))), "the money's end is written once");
    let repaid = settled(&job, SettleState::Refunded, &[LedgerEntry::Repaid], Next::Finish);
    assert_eq!(commit(&store, repaid).await, CommitVerdict::Done);
    let view = store.show(key.purchase).await;
    assert_eq!(view.purchase.progress.settle, SettleState::Refunded);
    let books: Vec<_> = view.ledger.iter().map(|line| (line.step, line.entry.as_str())).collect();
    assert_eq!(books, [(1, "reserved"), (2, "captured"), (3, "owed"), (4, "repaid")]);
    assert_eq!(view.tasks, []);
}

/// A purchase whose money was taken at once and whose goods will not come.
async fn refunding<S: SuiteStore>(store: &S) -> TaskKey {
    let key = reserving(store).await;
    let job = claimed(store, key).await;
    let mut charged = funded(&job, ReserveState::Charged, TaskKind::Refund);
    charged.decision.ledger.push((LedgerEntry::Captured, job.purchase.order.reserved()));
    assert_eq!(commit(store, charged).await, CommitVerdict::Done);
    TaskKey { kind: TaskKind::Refund, ..key }
}
