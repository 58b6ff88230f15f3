//! Commits.
#![expect(missing_docs, reason = "a test's name is its documentation")]

use fleet_domain::{
    DeliveryState, Money, NewDelivery, ParkClass, ReportState, SettleState, TaskState,
};

use super::*;
use crate::samples::{DELIVER_LANE, SETTLE_LANE};

pub async fn a_commit_writes_its_track_and_ends_the_task<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    assert_eq!(commit(&store, dispensed(&job)).await, CommitVerdict::Done);
    let view = store.show(key.purchase).await;
    assert_eq!(view.tasks, []);
    let progress = view.purchase.progress;
    assert_eq!(progress.dispense, DispenseState::Dispensed);
    assert_eq!(progress.dispense_code.as_deref(), Some("0000"));
    assert_eq!(progress.supplier_ref.as_deref(), Some("S-1"));
    assert_eq!(progress.vend_amount, Some(3_400));
    assert_eq!(progress.voucher, Some(Private::new("1234-5678")));
}

pub async fn the_same_commit_again_is_already_done<S: SuiteStore>(store: S) {
    let key = reserving(&store).await;
    let job = claimed(&store, key).await;
    let one = reserved(&job);
    assert_eq!(commit(&store, one.clone()).await, CommitVerdict::Done);
    let after = store.show(key.purchase).await;
    assert_eq!(commit(&store, one).await, CommitVerdict::Already);
    assert_eq!(store.show(key.purchase).await, after);
    // Also while the task lives on, and after somebody else has claimed it.
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    let decision = Decision::only(Next::Now, Tries::Count, "again");
    let one = definite(&job, decision);
    assert_eq!(commit(&store, one.clone()).await, CommitVerdict::Done);
    assert_eq!(commit(&store, one.clone()).await, CommitVerdict::Already);
    claimed(&store, key).await;
    let after = store.show(key.purchase).await;
    assert_eq!(commit(&store, one).await, CommitVerdict::Already);
    assert_eq!(store.show(key.purchase).await, after);
}

pub async fn a_commit_without_a_claim_is_late<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    let stranger = Commit { token: ClaimToken::generate(), ..dispensed(&job) };
    let before = store.show(key.purchase).await;
    assert_eq!(commit(&store, stranger.clone()).await, CommitVerdict::Late);
    assert_eq!(store.show(key.purchase).await, before, "it changes nothing");
    commit(&store, dispensed(&job)).await;
    assert_eq!(commit(&store, stranger).await, CommitVerdict::LateGone);
}

pub async fn a_lost_answer_moves_the_track_and_keeps_what_may_be_out<S: SuiteStore>(store: S) {
    let key = reserving(&store).await;
    let job = claimed(&store, key).await;
    store.advance(Duration::from_secs(2)).await;
    let committed = store.commit(key.kind, &[unknown(&job)]).await.unwrap();
    assert_eq!(committed.verdicts, [CommitVerdict::Done]);
    let view = store.show(key.purchase).await;
    assert_eq!(view.purchase.progress.reserve, ReserveState::Unknown);
    assert_eq!(view.tasks[0].state, TaskState::Waiting);
    assert_eq!(view.tasks[0].sent_until, Some(committed.now), "the call ended with its commit");
    assert_eq!(view.ledger, [], "no money moves while an outcome is unknown");
    store.advance(Duration::from_secs(61)).await;
    tick(&store, TaskKind::Reserve, 10).await;
    assert!(matches!(claim(&store, ask(key)).await, ClaimVerdict::Resumed(_)));
}

pub async fn what_was_not_sent_puts_back_what_was_out_before<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    let restore = |job: &Job| Commit {
        sent: SentUntil::Restore(job.task.former_sent_until),
        definite: false,
        ..definite(job, Decision::only(Next::Now, Tries::Keep, "not_sent"))
    };
    commit(&store, restore(&job)).await;
    assert_eq!(row(&store, key).await.sent_until, None);
    let job = claimed(&store, key).await;
    let lost = Decision::only(Next::Now, Tries::Count, "answer_lost");
    let lost = Commit { sent: SentUntil::Keep, definite: false, ..definite(&job, lost) };
    let out = store.commit(key.kind, &[lost]).await.unwrap().now;
    let job = claimed(&store, key).await;
    assert_eq!(job.task.former_sent_until, Some(out));
    commit(&store, restore(&job)).await;
    assert_eq!(row(&store, key).await.sent_until, Some(out));
}

pub async fn an_attempt_that_never_committed_may_be_out_until_its_lease_ends<S: SuiteStore>(
    store: S,
) {
    let key = dispensing(&store).await;
    let crashed = claimed(&store, key).await;
    store.advance(LEASE + Duration::from_secs(5)).await;
    let job = claimed(&store, key).await;
    assert_eq!(job.task.former_sent_until, Some(later(crashed.task.now, LEASE)));
    // A late commit of the crashed claim's owner keeps nothing and clears nothing.
    let lost = Decision::only(Next::Now, Tries::Count, "answer_lost");
    let lost = Commit { sent: SentUntil::Keep, definite: false, ..definite(&crashed, lost) };
    assert_eq!(commit(&store, lost).await, CommitVerdict::Late);
    assert_eq!(row(&store, key).await.sent_until, Some(later(job.task.now, LEASE)));
}

pub async fn a_task_waits_until_an_instant_whenever_the_commit_comes<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    let until = later(job.task.now, Duration::from_secs(90));
    store.advance(Duration::from_secs(8)).await;
    let decision = Decision::only(Next::At(until), Tries::Count, "not_yet");
    commit(&store, definite(&job, decision)).await;
    let row = row(&store, key).await;
    assert_eq!(row.state, TaskState::Waiting);
    let late = (row.due_at - until).num_microseconds().unwrap();
    assert!((0..1_000).contains(&late), "never early, a millisecond late at most: {late} µs");
}

pub async fn a_reference_moves_only_with_a_new_one<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    let again = Decision::only(Next::Now, Tries::Count, "again");
    commit(&store, definite(&job, again.clone())).await;
    assert_eq!(row(&store, key).await.ref_no, 0);
    let job = claimed(&store, key).await;
    let new_reference = Decision { new_reference: true, ..again };
    commit(&store, definite(&job, new_reference)).await;
    let job = claimed(&store, key).await;
    assert_eq!((job.task.ref_no, job.task.tries), (1, 2));
}

pub async fn tries_are_kept_counted_and_restarted<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    for (tries, expected) in
        [(Tries::Count, 1), (Tries::Count, 2), (Tries::Keep, 2), (Tries::Restart, 0)]
    {
        let job = claimed(&store, key).await;
        commit(&store, definite(&job, Decision::only(Next::Now, tries, "again"))).await;
        assert_eq!(row(&store, key).await.tries, expected);
    }
}

/// A decision that freezes one result and queues its delivery.
pub(super) fn with_delivery(job: &Job, body: &str, next: Next) -> Commit {
    let deliver = FollowUp {
        kind: TaskKind::Deliver,
        slot: 1,
        lane: DELIVER_LANE,
        start_by: None,
        deadline_at: None,
    };
    let delivery =
        NewDelivery { slot: 1, channel: "transact_result".to_owned(), body: Private::new(body) };
    let decision = Decision {
        follow_ups: vec![deliver],
        deliveries: vec![delivery],
        ..Decision::only(next, Tries::Count, "concluded")
    };
    definite(job, decision)
}

pub async fn follow_ups_and_deliveries_that_exist_are_left_as_they_are<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    commit(&store, with_delivery(&job, "first", Next::Now)).await;
    let deliver = TaskKey { kind: TaskKind::Deliver, slot: 1, ..key };
    let running = claimed(&store, deliver).await;
    assert_eq!(running.delivery.unwrap().body.expose(), "first");
    let job = claimed(&store, key).await;
    commit(&store, with_delivery(&job, "second", Next::Finish)).await;
    let task = row(&store, deliver).await;
    assert_eq!((task.state, task.claims), (TaskState::Running, 1));
    store.advance(LEASE + Duration::from_secs(1)).await;
    let again = claimed(&store, deliver).await;
    assert_eq!(again.delivery.unwrap().body.expose(), "first", "a result is frozen");
    assert_eq!(store.show(key.purchase).await.deliveries.len(), 1);
}

pub async fn a_delivery_counts_only_attempts_that_were_sent<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    commit(&store, with_delivery(&job, "result", Next::Finish)).await;
    let deliver = TaskKey { kind: TaskKind::Deliver, slot: 1, ..key };
    let mut first_sent_at = None;
    for (is_sent, http_status, attempts) in
        [(false, None, 0), (true, Some(500), 1), (false, None, 1), (true, Some(200), 2)]
    {
        let job = claimed(&store, deliver).await;
        let delivery = job.delivery.as_ref().unwrap();
        assert_eq!(delivery.first_sent_at, first_sent_at);
        let state = DeliveryState::Retrying;
        // The exchange ends later than it began: what counts is when it began.
        let sent_at = is_sent.then(|| later(job.task.now, Duration::from_millis(7)));
        store.advance(Duration::from_secs(3)).await;
        let decision = Decision {
            change: Change::Deliver { state, http_status, sent_at },
            ..Decision::only(Next::Now, Tries::Count, "tried")
        };
        commit(&store, definite(&job, decision)).await;
        let delivery = store.show(key.purchase).await.deliveries.remove(0);
        assert_eq!((delivery.attempts, delivery.state.as_str()), (attempts, "retrying"));
        assert_eq!(delivery.first_sent_at.is_some(), attempts > 0);
        let late = sent_at.map(|sent_at| delivery.last_sent_at.unwrap() - sent_at);
        let milliseconds = late.map_or(0, |late| late.num_milliseconds());
        assert!((0..2).contains(&milliseconds), "the byte's own time, not the commit's: {late:?}");
        first_sent_at = first_sent_at.or(delivery.first_sent_at);
        assert_eq!(delivery.first_sent_at, first_sent_at, "the first byte stays the first");
        store.advance(Duration::from_secs(1)).await;
    }
    let delivery = store.show(key.purchase).await.deliveries.remove(0);
    assert_eq!(delivery.last_status, Some(200));
    assert!(delivery.last_sent_at > first_sent_at);
}

pub async fn a_report_row_keeps_what_was_reported<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    let report = FollowUp {
        kind: TaskKind::Report,
        slot: 0,
        lane: DISPENSE_LANE,
        start_by: None,
        deadline_at: None,
    };
    let decision = Decision {
        follow_ups: vec![report],
        ..Decision::only(Next::Finish, Tries::Count, "concluded")
    };
    commit(&store, definite(&job, decision)).await;
    let key = TaskKey { kind: TaskKind::Report, ..key };
    let told = |state, success, next| Decision {
        change: Change::Report { state, success },
        ..Decision::only(next, Tries::Count, "told")
    };
    let job = claimed(&store, key).await;
    let first = told(ReportState::Reported, Some(true), Next::Now);
    commit(&store, definite(&job, first)).await;
    let job = claimed(&store, key).await;
    commit(&store, definite(&job, told(ReportState::Dead, None, Next::Finish))).await;
    let report = store.show(key.purchase).await.report.unwrap();
    assert_eq!((report.state.as_str(), report.success), ("dead", Some(true)));
    assert!(report.reported_at.is_some());
}

pub async fn a_parked_task_tells_its_class_cause_and_money<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    let at_risk: Money = job.purchase.order.reserved();
    let park = Next::Park {
        class: ParkClass::SupplierFault,
        cause: "it refuses".to_owned(),
        at_risk: Some(at_risk),
    };
    commit(&store, definite(&job, Decision::only(park, Tries::Count, "parked"))).await;
    let task = row(&store, key).await;
    assert_eq!(task.state, TaskState::Parked);
    assert_eq!(task.park_class, Some(ParkClass::SupplierFault));
    assert_eq!(task.park_cause.as_deref(), Some("it refuses"));
    assert_eq!(task.at_risk, Some(at_risk));
    assert!(task.parked_at.is_some());
    assert_eq!((task.claims, task.lease), (0, None));
}

pub async fn a_task_to_be_done_at_once_is_queued_again<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    let again = Decision::only(Next::Now, Tries::Restart, "not_found");
    let committed = store.commit(key.kind, &[definite(&job, again)]).await.unwrap();
    let task = row(&store, key).await;
    assert_eq!(task.state, TaskState::Queued);
    assert_eq!(task.hinted_at, Some(committed.now));
    assert_eq!(task.due_at, later(committed.now, Duration::from_secs(10)));
}

pub async fn every_commit_writes_one_journal_row_with_its_reference_number<S: SuiteStore>(
    store: S,
) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    let decision = Decision {
        new_reference: true,
        detail: "2201".to_owned(),
        ..Decision::only(Next::Now, Tries::Count, "refused_for_now")
    };
    commit(&store, definite(&job, decision)).await;
    let job = claimed(&store, key).await;
    commit(&store, dispensed(&job)).await;
    let journal = store.show(key.purchase).await.journal;
    let lines: Vec<_> = journal
        .iter()
        .map(|line| (line.kind, line.ref_no, line.outcome.as_str(), line.detail.as_str()))
        .collect();
    let kind = TaskKind::Dispense;
    assert_eq!(lines, [(kind, 0, "refused_for_now", "2201"), (kind, 1, "dispensed", "")]);
    // A detail that is too long for the journal is shortened, never refused.
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    let decision = Decision { detail: "é".repeat(900), ..wait(60) };
    assert_eq!(commit(&store, definite(&job, decision)).await, CommitVerdict::Done);
    assert_eq!(store.show(key.purchase).await.journal[0].detail, "é".repeat(500));
    assert_eq!(SETTLE_LANE, lane_of(TaskKind::Settle));
    assert_eq!(SettleState::NotStarted, store.show(key.purchase).await.purchase.progress.settle);
}

pub async fn a_case_is_opened_by_the_commit_that_says_so_and_once<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    let mut one = dispensed(&job);
    one.decision.case = Some("the supplier told a vend amount below zero".to_owned());
    assert_eq!(commit(&store, one.clone()).await, CommitVerdict::Done);
    assert_eq!(commit(&store, one).await, CommitVerdict::Already);
    let view = store.show(key.purchase).await;
    let cases: Vec<_> = view.tasks.iter().filter(|task| task.key.kind == TaskKind::Case).collect();
    assert_eq!(cases.len(), 1, "{cases:?}");
    assert_eq!(cases[0].state, TaskState::Parked);
    let mut late = dispensed(&job);
    late.token = ClaimToken(uuid::Uuid::now_v7());
    late.decision.case = Some("another".to_owned());
    assert_eq!(commit(&store, late).await, CommitVerdict::LateGone);
    let view = store.show(key.purchase).await;
    assert_eq!(view.tasks.iter().filter(|task| task.key.kind == TaskKind::Case).count(), 1);
}
