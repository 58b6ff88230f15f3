//! Facts.
#![expect(missing_docs, reason = "a test's name is its documentation")]

use fleet_domain::{DueTask, FactOutcome, ParkClass, TaskState};

use super::*;

async fn fact<S: SuiteStore>(store: &S, new: &NewFact) -> FactOutcome {
    store.store_fact(new).await.unwrap()
}

/// The causes of a purchase's cases.
async fn cases<S: SuiteStore>(store: &S, id: PurchaseId) -> Vec<String> {
    let tasks = store.show(id).await.tasks;
    let cases = tasks.into_iter().filter(|task| task.key.kind == TaskKind::Case);
    cases
        .map(|task| {
            assert_eq!(task.state, TaskState::Parked);
            assert_eq!(task.park_class, Some(ParkClass::UnknownOutcome));
            assert_eq!(task.at_risk.unwrap().minor, 3_450);
            task.park_cause.unwrap()
        })
        .collect()
}

fn woken(key: TaskKey) -> FactOutcome {
    FactOutcome::Stored { woken: Some(DueTask { key, lane: lane_of(key.kind) }) }
}

const SILENT: FactOutcome = FactOutcome::Stored { woken: None };

pub async fn a_fact_wakes_a_waiting_task<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    commit(&store, unknown(&job)).await;
    assert_eq!(fact(&store, &callback(key, 0, "0000", "a")).await, woken(key));
    let task = row(&store, key).await;
    assert_eq!((task.state, task.signals), (TaskState::Queued, 1));
    let job = claimed(&store, key).await;
    assert_eq!((job.task.signals, job.facts.len()), (1, 1));
}

pub async fn a_fact_wakes_a_parked_task_and_closes_its_case<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    let park = Next::Park {
        class: ParkClass::UnknownOutcome,
        cause: "ask it".to_owned(),
        at_risk: Some(job.purchase.order.reserved()),
    };
    commit(&store, definite(&job, Decision::only(park, Tries::Count, "parked"))).await;
    assert_eq!(fact(&store, &callback(key, 0, "0000", "a")).await, woken(key));
    let task = row(&store, key).await;
    assert_eq!((task.state, task.park_class, task.park_cause), (TaskState::Queued, None, None));
    assert_eq!((task.at_risk, task.parked_at), (None, None));
}

pub async fn a_fact_leaves_a_queued_or_running_task_where_it_is<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let before = row(&store, key).await;
    assert_eq!(fact(&store, &callback(key, 0, "2236", "a")).await, SILENT);
    assert_eq!(row(&store, key).await, TaskView { signals: 1, ..before });
    claimed(&store, key).await;
    let before = row(&store, key).await;
    assert_eq!(fact(&store, &callback(key, 0, "0000", "b")).await, SILENT);
    assert_eq!(row(&store, key).await, TaskView { signals: 2, ..before });
}

pub async fn the_second_copy_of_a_fact_is_a_no_op<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let told = callback(key, 0, "0000", "a");
    assert_eq!(fact(&store, &told).await, SILENT);
    let after = store.show(key.purchase).await;
    assert_eq!(fact(&store, &told).await, FactOutcome::Duplicate);
    assert_eq!(store.show(key.purchase).await, after);
    assert_eq!(fact(&store, &NewFact { status: "2236".to_owned(), ..told }).await, SILENT);
}

pub async fn a_claim_reads_the_newest_facts_first<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let other = dispensing(&store).await;
    for id in ["c", "a", "b"] {
        fact(&store, &callback(key, 0, "2236", id)).await;
        fact(&store, &callback(other, 0, "2236", id)).await;
    }
    let job = claimed(&store, key).await;
    let ids: Vec<&str> = job.facts.iter().map(|fact| fact.external_id.as_str()).collect();
    assert_eq!(ids, ["b", "a", "c"]);
    let about = key.purchase.to_string();
    assert!(job.facts.iter().all(|fact| fact.reference.starts_with(&about)));
    assert_eq!(job.facts[0].body.expose(), "{\"responseCode\":\"2236\"}");
}

pub async fn a_fact_in_between_wins_over_an_answer_that_knows_nothing<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    fact(&store, &callback(key, 0, "0000", "a")).await;
    let committed = store.commit(key.kind, &[unknown(&job)]).await.unwrap();
    assert_eq!(committed.verdicts, [CommitVerdict::FactFirst]);
    let view = store.show(key.purchase).await;
    let progress = &view.purchase.progress;
    assert_eq!(progress.dispense, DispenseState::Unknown, "what was learnt stands");
    let task = &view.tasks[0];
    assert_eq!((task.state, task.tries, task.claims), (TaskState::Queued, 0, 0), "no wait");
    assert_eq!(task.hinted_at, Some(committed.now));
    assert_eq!(task.sent_until, Some(committed.now));
    assert!(matches!(claim(&store, ask(key)).await, ClaimVerdict::Resumed(_)));
    assert_eq!(commit(&store, unknown(&job)).await, CommitVerdict::Already);
}

pub async fn a_fact_in_between_keeps_the_overtaken_answer_as_a_fact<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    fact(&store, &callback(key, 0, "2236", "a")).await;
    let answer = Some(vend_answer(&job, "unknown"));
    let one = Commit { answer, ..unknown(&job) };
    assert_eq!(commit(&store, one.clone()).await, CommitVerdict::FactFirst);
    let again = claimed(&store, key).await;
    assert_eq!(again.task.signals, 2);
    let kept = again.facts.first().unwrap();
    assert_eq!((kept.source.as_str(), kept.status.as_str()), ("call", "unknown"));
    assert_eq!(kept.external_id, job.task.token.0.to_string());
    assert_eq!(commit(&store, one).await, CommitVerdict::Already, "and it is kept once");
    assert_eq!(store.show(key.purchase).await.facts.len(), 2);
}

pub async fn an_overtaken_look_up_never_says_that_nothing_is_out<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    let out = store.commit(key.kind, &[unknown(&job)]).await.unwrap().now;
    store.advance(Duration::from_secs(61)).await;
    tick(&store, key.kind, 10).await;
    let job = claimed(&store, key).await;
    fact(&store, &callback(key, 0, "2236", "a")).await;
    let not_found = Decision::only(Next::Now, Tries::Restart, "not_found");
    let one = Commit { definite: false, ..definite(&job, not_found) };
    assert_eq!(commit(&store, one).await, CommitVerdict::FactFirst);
    assert_eq!(row(&store, key).await.sent_until, Some(out));
}

pub async fn a_definite_answer_wins_over_a_fact_in_between<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    fact(&store, &callback(key, 0, "0000", "S-1")).await;
    assert_eq!(commit(&store, dispensed(&job)).await, CommitVerdict::Done);
    let view = store.show(key.purchase).await;
    assert_eq!(view.purchase.progress.dispense, DispenseState::Dispensed);
    assert_eq!(view.tasks, [], "the fact said the same");
}

pub async fn a_definite_wait_is_cut_short_by_a_fact_in_between<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    fact(&store, &callback(key, 0, "0000", "a")).await;
    let later_on = Decision { new_reference: true, ..wait(3_600) };
    assert_eq!(commit(&store, definite(&job, later_on)).await, CommitVerdict::Done);
    let task = row(&store, key).await;
    assert_eq!((task.ref_no, task.tries), (1, 1), "the answer is applied");
    assert_eq!(tick(&store, key.kind, 10).await.due.len(), 1, "and the facts are looked at now");
    assert_eq!(claimed(&store, key).await.facts.len(), 1);
}

pub async fn a_late_answer_is_kept_as_a_fact_for_whoever_holds_the_task<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let slow = claimed(&store, key).await;
    store.advance(LEASE + Duration::from_secs(1)).await;
    let holder = claimed(&store, key).await;
    let late = Commit { answer: Some(vend_answer(&slow, "0000")), ..dispensed(&slow) };
    assert_eq!(commit(&store, late.clone()).await, CommitVerdict::Late);
    let view = store.show(key.purchase).await;
    assert_eq!(view.purchase.progress.dispense, DispenseState::NotStarted, "it applies nothing");
    assert_eq!((view.tasks[0].state, view.tasks[0].signals), (TaskState::Running, 1));
    assert_eq!(commit(&store, late).await, CommitVerdict::Late, "again is a no-op");
    assert_eq!(row(&store, key).await.signals, 1);
    assert_eq!(commit(&store, unknown(&holder)).await, CommitVerdict::FactFirst);
    let job = claimed(&store, key).await;
    assert_eq!(job.facts[0].status, "0000", "a late voucher is never lost");
}

pub async fn a_late_unknown_answer_still_moves_the_track<S: SuiteStore>(store: S) {
    let key = reserving(&store).await;
    let slow = claimed(&store, key).await;
    store.advance(LEASE + Duration::from_secs(1)).await;
    let holder = claimed(&store, key).await;
    assert_eq!(commit(&store, unknown(&slow)).await, CommitVerdict::Late);
    let progress = store.show(key.purchase).await.purchase.progress;
    assert_eq!(progress.reserve, ReserveState::Unknown);
    commit(&store, reserved(&holder)).await;
    assert_eq!(commit(&store, unknown(&slow)).await, CommitVerdict::LateGone);
    let progress = store.show(key.purchase).await.purchase.progress;
    assert_eq!(progress.reserve, ReserveState::Reserved, "what is decided stays decided");
}

pub async fn a_late_answer_after_the_end_that_says_the_same_is_a_no_op<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let slow = claimed(&store, key).await;
    store.advance(LEASE + Duration::from_secs(1)).await;
    let holder = claimed(&store, key).await;
    commit(&store, dispensed(&holder)).await;
    let late = Commit { answer: Some(vend_answer(&slow, "0000")), ..dispensed(&slow) };
    assert_eq!(commit(&store, late.clone()).await, CommitVerdict::LateGone);
    assert_eq!(commit(&store, late).await, CommitVerdict::LateGone);
    assert_eq!(fact(&store, &callback(key, 0, "0000", "S-1")).await, SILENT);
    let view = store.show(key.purchase).await;
    assert_eq!(view.tasks, []);
    assert_eq!(view.facts.len(), 2);
}

pub async fn a_late_success_after_a_failure_opens_a_case<S: SuiteStore>(store: S) {
    for _ in 0..2 {
        let key = dispensing(&store).await;
        let job = claimed(&store, key).await;
        commit(&store, failed(&job)).await;
        let told = callback(key, 0, "0000", "a");
        assert_eq!(fact(&store, &told).await, SILENT);
        assert_eq!(fact(&store, &told).await, FactOutcome::Duplicate);
        let expected = "the supplier says dispensed, but the purchase had failed";
        assert_eq!(cases(&store, key.purchase).await, [expected]);
        let progress = store.show(key.purchase).await.purchase.progress;
        assert_eq!(progress.dispense, DispenseState::Failed, "a fact never moves a purchase");
        fact(&store, &callback(key, 0, "0000", "b")).await;
        assert_eq!(cases(&store, key.purchase).await.len(), 1, "the same cause, the same case");
    }
    // A reservation that came too late, from the late answer of a call.
    let key = reserving(&store).await;
    let slow = claimed(&store, key).await;
    store.advance(LEASE + Duration::from_secs(1)).await;
    let holder = claimed(&store, key).await;
    let change = Change::reserve(ReserveState::Failed);
    let gave_up = Decision { change, ..Decision::only(Next::Finish, Tries::Count, "gave_up") };
    commit(&store, definite(&holder, gave_up)).await;
    let answer = Answer { kind: "reserve", ..vend_answer(&slow, "0000") };
    let late = Commit { answer: Some(answer), ..reserved(&slow) };
    assert_eq!(commit(&store, late.clone()).await, CommitVerdict::LateGone);
    assert_eq!(commit(&store, late).await, CommitVerdict::LateGone);
    let expected = "the funding source says reserved, but the purchase had ended without funds";
    assert_eq!(cases(&store, key.purchase).await, [expected]);
    assert_eq!(store.show(key.purchase).await.ledger, []);
}

pub async fn a_success_that_came_in_before_a_failure_was_committed_opens_a_case<S: SuiteStore>(
    store: S,
) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    fact(&store, &callback(key, 0, "0000", "a")).await;
    assert_eq!(commit(&store, failed(&job)).await, CommitVerdict::Done);
    let expected = "the supplier says dispensed, but the purchase had failed";
    assert_eq!(cases(&store, key.purchase).await, [expected], "nothing waits in silence");
}

pub async fn a_second_vend_that_took_effect_opens_a_case<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    let new_reference =
        Decision { new_reference: true, ..Decision::only(Next::Now, Tries::Count, "refused") };
    commit(&store, definite(&job, new_reference)).await;
    let job = claimed(&store, key).await;
    commit(&store, dispensed(&job)).await;
    fact(&store, &callback(key, 1, "0000", "S-1")).await;
    assert_eq!(cases(&store, key.purchase).await, Vec::<String>::new(), "the same vend");
    fact(&store, &callback(key, 0, "0000", "b")).await;
    let expected = "the supplier says dispensed under a second vend reference";
    assert_eq!(cases(&store, key.purchase).await, [expected]);
}

pub async fn a_refusal_after_the_goods_are_out_opens_a_case<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    commit(&store, dispensed(&job)).await;
    fact(&store, &callback(key, 0, "2236", "a")).await;
    fact(&store, &callback(key, 7, "2214", "b")).await;
    assert_eq!(cases(&store, key.purchase).await, Vec::<String>::new());
    fact(&store, &callback(key, 0, "2214", "c")).await;
    let expected = "the supplier says refused, but the purchase had been dispensed";
    assert_eq!(cases(&store, key.purchase).await, [expected]);
    fact(&store, &callback(key, 0, "2201", "d")).await;
    assert_eq!(cases(&store, key.purchase).await.len(), 1, "of this cause there is one");
}

pub async fn a_fact_about_no_purchase_is_unmatched<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let nobody = TaskKey { purchase: PurchaseId::generate(), ..key };
    let told = callback(nobody, 0, "0000", "a");
    assert_eq!(fact(&store, &told).await, FactOutcome::Unmatched);
    assert_eq!(fact(&store, &told).await, FactOutcome::Duplicate);
    let unreadable = NewFact { task: None, ..callback(key, 0, "0000", "b") };
    assert_eq!(fact(&store, &unreadable).await, FactOutcome::Unmatched);
}

pub async fn a_fact_that_lost_against_another_opens_a_case_when_the_task_ends<S: SuiteStore>(
    store: S,
) {
    let key = dispensing(&store).await;
    fact(&store, &callback(key, 0, "2213", "")).await;
    fact(&store, &callback(key, 0, "0000", "S-1")).await;
    let job = claimed(&store, key).await;
    assert_eq!((job.task.signals, job.facts.len()), (2, 2));
    assert_eq!(commit(&store, dispensed(&job)).await, CommitVerdict::Done);
    let expected = "the supplier says refused, but the purchase had been dispensed";
    assert_eq!(cases(&store, key.purchase).await, [expected]);
}

pub async fn other_goods_under_the_same_vend_open_a_case<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    commit(&store, dispensed(&job)).await;
    fact(&store, &callback(key, 0, "0000", "S-1")).await;
    fact(&store, &callback(key, 0, "0000", "")).await;
    assert_eq!(cases(&store, key.purchase).await, Vec::<String>::new(), "the same goods");
    fact(&store, &callback(key, 0, "0000", "S-2")).await;
    let expected = "the supplier says dispensed twice under one vend reference";
    assert_eq!(cases(&store, key.purchase).await, [expected]);
    let progress = store.show(key.purchase).await.purchase.progress;
    assert_eq!(progress.supplier_ref.as_deref(), Some("S-1"), "what was delivered stays");
}
