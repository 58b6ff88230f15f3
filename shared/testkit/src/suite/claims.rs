//! Claims.
#![expect(missing_docs, reason = "a test's name is its documentation")]

use super::commits::with_delivery;
use super::*;

pub async fn a_first_claim_starts_and_counts_one<S: SuiteStore>(store: S) {
    let key = reserving(&store).await;
    let wanted = ask(key);
    let ClaimVerdict::Started(job) = claim(&store, wanted).await else { panic!("not started") };
    assert_eq!(job.task.key, key);
    assert_eq!(job.task.token, wanted.token);
    assert_eq!(job.task.lane, RESERVE_LANE);
    assert_eq!((job.task.claims, job.task.tries, job.task.ref_no), (1, 0, 0));
    assert_eq!(job.task.former_sent_until, None);
    assert_eq!(job.purchase.order.id, key.purchase);
    assert_eq!(job.purchase.order.target.expose(), "27820000002");
    assert_eq!(job.purchase.progress.reserve, ReserveState::Pending);
    let task = row(&store, key).await;
    assert_eq!(task.lease, Some(later(job.task.now, LEASE)));
    assert_eq!(task.sent_until, task.lease, "an attempt may leave until then");
}

pub async fn a_claim_after_an_unanswered_one_resumes_and_tells_until_when_it_may_have_left<
    S: SuiteStore,
>(
    store: S,
) {
    let key = dispensing(&store).await;
    let first = claimed(&store, key).await;
    let lease = later(first.task.now, LEASE);
    store.advance(LEASE + Duration::from_secs(1)).await;
    let ClaimVerdict::Resumed(job) = claim(&store, ask(key)).await else { panic!("not resumed") };
    assert_eq!(job.task.former_sent_until, Some(lease));
    assert_eq!(job.task.claims, 2);
    assert_eq!(row(&store, key).await.sent_until, Some(later(job.task.now, LEASE)));
}

pub async fn a_claim_past_its_start_is_expired_and_marks_nothing_as_sent<S: SuiteStore>(store: S) {
    let key = taken_in(&store, Scenario::WeReserve, Duration::from_secs(60)).await;
    store.advance(Duration::from_secs(61)).await;
    let ClaimVerdict::Expired(job) = claim(&store, ask(key)).await else { panic!("not expired") };
    assert_eq!(job.task.former_sent_until, None);
    assert_eq!(row(&store, key).await.sent_until, None, "nothing may leave");
    store.advance(LEASE + Duration::from_secs(1)).await;
    let ClaimVerdict::Expired(job) = claim(&store, ask(key)).await else { panic!("not expired") };
    assert_eq!(job.task.former_sent_until, None, "and nothing has left");
}

pub async fn an_expired_claim_with_something_out_still_tells_since_when<S: SuiteStore>(store: S) {
    let key = taken_in(&store, Scenario::WeReserve, Duration::from_secs(60)).await;
    let first = claimed(&store, key).await;
    store.advance(Duration::from_secs(61)).await;
    let ClaimVerdict::Expired(job) = claim(&store, ask(key)).await else { panic!("not expired") };
    assert_eq!(job.task.former_sent_until, Some(later(first.task.now, LEASE)));
}

pub async fn a_running_task_is_busy_until_its_lease_is_over<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    claimed(&store, key).await;
    assert_eq!(claim(&store, ask(key)).await, ClaimVerdict::Busy);
    store.advance(LEASE - Duration::from_secs(5)).await;
    assert_eq!(claim(&store, ask(key)).await, ClaimVerdict::Busy);
    store.advance(Duration::from_secs(6)).await;
    assert!(matches!(claim(&store, ask(key)).await, ClaimVerdict::Resumed(_)));
}

pub async fn a_waiting_task_is_not_due_and_a_parked_one_is_parked<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    assert_eq!(commit(&store, definite(&job, wait(60))).await, CommitVerdict::Done);
    assert_eq!(claim(&store, ask(key)).await, ClaimVerdict::NotDue);
    store.advance(Duration::from_secs(61)).await;
    assert_eq!(
        claim(&store, ask(key)).await,
        ClaimVerdict::NotDue,
        "the clock queues, not a claim"
    );
    tick(&store, TaskKind::Dispense, 10).await;
    let job = claimed(&store, key).await;
    let park = Next::Park {
        class: fleet_domain::ParkClass::UnknownOutcome,
        cause: "nobody can tell".to_owned(),
        at_risk: None,
    };
    commit(&store, definite(&job, Decision::only(park, Tries::Count, "asked"))).await;
    assert_eq!(claim(&store, ask(key)).await, ClaimVerdict::Parked);
}

pub async fn a_finished_or_unknown_task_is_gone<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    commit(&store, dispensed(&job)).await;
    assert_eq!(claim(&store, ask(key)).await, ClaimVerdict::Gone);
    let nobody = TaskKey { purchase: PurchaseId::generate(), ..key };
    assert_eq!(claim(&store, ask(nobody)).await, ClaimVerdict::Gone);
}

pub async fn a_task_of_another_lane_is_left_alone_and_its_lane_told<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let before = row(&store, key).await;
    let elsewhere = ClaimAsk { lane: LaneId(99), ..ask(key) };
    assert_eq!(claim(&store, elsewhere).await, ClaimVerdict::OtherLane(DISPENSE_LANE));
    assert_eq!(row(&store, key).await, before);
}

pub async fn a_claim_run_again_with_its_own_token_gives_its_first_verdict<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let wanted = ask(key);
    let first = claim(&store, wanted).await;
    assert!(matches!(first, ClaimVerdict::Started(_)));
    let task = row(&store, key).await;
    assert_eq!(claim(&store, wanted).await, first);
    store.advance(LEASE + Duration::from_secs(1)).await;
    assert_eq!(claim(&store, wanted).await, first, "even when its lease is over");
    assert_eq!(row(&store, key).await, task, "and nothing is counted twice");

    let wanted = ask(key);
    let second = claim(&store, wanted).await;
    assert!(matches!(second, ClaimVerdict::Resumed(_)));
    assert_eq!(claim(&store, wanted).await, second);
}

pub async fn a_claim_run_again_after_the_start_is_over_still_gives_its_first_verdict<
    S: SuiteStore,
>(
    store: S,
) {
    let key = taken_in(&store, Scenario::WeReserve, Duration::from_secs(20)).await;
    let wanted = ask(key);
    let first = claim(&store, wanted).await;
    assert!(matches!(first, ClaimVerdict::Started(_)));
    store.advance(Duration::from_secs(21)).await;
    assert_eq!(claim(&store, wanted).await, first, "it may have sent already");
}

pub async fn claims_count_over_crashes_and_a_commit_ends_the_count<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    claimed(&store, key).await;
    store.advance(LEASE + Duration::from_secs(1)).await;
    let report = tick(&store, TaskKind::Dispense, 10).await;
    assert_eq!(report.due.len(), 1, "its lease is over");
    assert_eq!(row(&store, key).await.claims, 1, "the clock counts nothing");
    let job = claimed(&store, key).await;
    assert_eq!(job.task.claims, 2);
    commit(&store, definite(&job, wait(1))).await;
    assert_eq!(row(&store, key).await.claims, 0);
}

pub async fn a_task_twice_in_one_group_is_refused<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let refused = store.claim(&group(&[ask(key), ask(key)])).await;
    assert!(matches!(refused, Err(fleet_engine::StoreFault::Refused(_))));
    assert_eq!(row(&store, key).await.claims, 0);
}

pub async fn one_group_gets_one_verdict_per_ask_in_their_order<S: SuiteStore>(store: S) {
    let mut keys = Vec::new();
    for _ in 0..5 {
        keys.push(dispensing(&store).await);
    }
    claimed(&store, keys[1]).await;
    let gone = TaskKey { purchase: PurchaseId::generate(), ..keys[0] };
    let wanted = [keys[4], keys[1], gone, keys[0], keys[3]];
    let asks: Vec<ClaimAsk> = wanted.into_iter().map(ask).collect();
    let verdicts = store.claim(&group(&asks)).await.unwrap();
    let words: Vec<&str> = verdicts.iter().map(ClaimVerdict::name).collect();
    assert_eq!(words, ["started", "busy", "gone", "started", "started"]);
    for (ask, verdict) in asks.iter().zip(verdicts) {
        if let ClaimVerdict::Started(job) = verdict {
            assert_eq!((job.task.key, job.task.token), (ask.key, ask.token));
            assert_eq!(job.purchase.order.id, ask.key.purchase);
        }
    }
}

pub async fn a_queued_task_is_claimed_whatever_its_due_time_says<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let task = row(&store, key).await;
    assert!(task.due_at > store.now().await, "the clock looks at it later");
    assert!(matches!(claim(&store, ask(key)).await, ClaimVerdict::Started(_)));
    assert_eq!(row(&store, key).await.due_at, task.due_at, "a claim touches no indexed column");
}

pub async fn each_claim_of_a_group_has_its_own_lease<S: SuiteStore>(store: S) {
    let keys = [dispensing(&store).await, dispensing(&store).await, dispensing(&store).await];
    let seconds = [15, 50, 30];
    let asks: Vec<ClaimAsk> = keys
        .into_iter()
        .zip(seconds)
        .map(|(key, seconds)| ClaimAsk { lease: Duration::from_secs(seconds), ..ask(key) })
        .collect();
    let first = store.claim(&group(&asks)).await.unwrap();
    for ((key, seconds), verdict) in keys.into_iter().zip(seconds).zip(&first) {
        let task = row(&store, key).await;
        let now = job_of(verdict.clone()).task.now;
        assert_eq!(task.lease, Some(later(now, Duration::from_secs(seconds))));
        assert_eq!(task.sent_until, task.lease);
    }
    store.advance(Duration::from_secs(16)).await;
    assert_eq!(store.claim(&group(&asks)).await.unwrap(), first, "again by their own tokens");
    let mut words = Vec::new();
    for key in keys {
        words.push(claim(&store, ask(key)).await.name());
    }
    assert_eq!(words, ["resumed", "busy", "busy"], "a short one ends before the others");
}

pub async fn a_claim_that_may_ask_nobody_takes_only_what_may_end_and_writes_nothing_else<
    S: SuiteStore,
>(
    store: S,
) {
    let only_ends = |key| ClaimAsk { only_ends: true, ..ask(key) };
    let plain = dispensing(&store).await;
    let told = dispensing(&store).await;
    let over = taken_in(&store, Scenario::WeReserve, Duration::from_secs(20)).await;
    for key in [plain, told, over] {
        let before = row(&store, key).await;
        assert_eq!(claim(&store, only_ends(key)).await, ClaimVerdict::Held);
        assert_eq!(row(&store, key).await, before);
    }
    store.store_fact(&callback(told, 0, "0000", "S-1")).await.unwrap();
    store.advance(Duration::from_secs(21)).await;
    let verdicts = store.claim(&group(&[only_ends(plain), only_ends(told)])).await.unwrap();
    let words: Vec<&str> = verdicts.iter().map(ClaimVerdict::name).collect();
    assert_eq!(words, ["held", "started"], "there is a fact to decide by");
    assert_eq!(job_of(verdicts.into_iter().nth(1).unwrap()).facts.len(), 1);
    assert_eq!(claim(&store, only_ends(over)).await.name(), "expired", "nothing is out");

    // What may be out is looked up, and that is asking.
    let out = taken_in(&store, Scenario::WeReserve, Duration::from_secs(20)).await;
    claimed(&store, out).await;
    store.advance(LEASE + Duration::from_secs(1)).await;
    assert_eq!(claim(&store, only_ends(out)).await, ClaimVerdict::Held);
    assert_eq!(claim(&store, ask(out)).await.name(), "expired");
}

pub async fn a_result_whose_time_is_up_may_end_without_asking<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    commit(&store, with_delivery(&job, "result", Next::Finish)).await;
    let deliver = TaskKey { kind: TaskKind::Deliver, slot: 1, ..key };
    let only_ends = || ClaimAsk { only_ends: true, ..ask(deliver) };
    let four_days = fleet_domain::DELIVER_FOR;
    store.advance(four_days).await;
    assert_eq!(claim(&store, only_ends()).await, ClaimVerdict::Held, "nothing was sent yet");
    let job = claimed(&store, deliver).await;
    let (state, sent_at) = (fleet_domain::DeliveryState::Retrying, Some(job.task.now));
    let change = Change::Deliver { state, http_status: Some(500), sent_at };
    let decision = Decision { change, ..Decision::only(Next::Now, Tries::Count, "tried") };
    commit(&store, definite(&job, decision)).await;
    store.advance(four_days - Duration::from_secs(5)).await;
    assert_eq!(claim(&store, only_ends()).await, ClaimVerdict::Held);
    store.advance(Duration::from_secs(6)).await;
    assert_eq!(claim(&store, only_ends()).await.name(), "started");
}
