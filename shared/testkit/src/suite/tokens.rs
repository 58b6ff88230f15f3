//! The fraud desk's tokens: one report in flight on each, and nothing turned back.
#![expect(missing_docs, reason = "a test's name is its documentation")]

use fleet_domain::{
    ClaimVerdict, FraudDetails, Free, ReportState, TaskState, TokenState, TokenVerdict,
};

use super::*;

/// A purchase that names a token, with its report task queued.
struct Named {
    token: String,
    desk: &'static str,
    made_ago: Option<Duration>,
}

impl Named {
    fn fresh() -> Self {
        Self { token: uuid::Uuid::new_v4().to_string(), desk: "desk", made_ago: None }
    }

    async fn accepted<S: SuiteStore>(&self, store: &S, scenario: Scenario) -> TaskKey {
        let now = store.now().await;
        let start_by = later(now, Duration::from_secs(600));
        let reference = uuid::Uuid::new_v4().to_string();
        let mut new = new_purchase(&reference, scenario, start_by).unwrap();
        new.order.order.details.fraud = Some(FraudDetails {
            desk: Some(self.desk.to_owned()),
            token: Some(self.token.clone()),
            token_created_at: self.made_ago.map(|ago| now - ago),
            ..FraudDetails::default()
        });
        let accepted = store.accept(std::slice::from_ref(&new)).await;
        let Stored::New(purchase, _) = accepted.stored[0] else { panic!("not new") };
        let first = &new.order.first_task;
        TaskKey { purchase, kind: first.kind, slot: first.slot }
    }

    /// The report of one more purchase that succeeded or failed.
    async fn report<S: SuiteStore>(&self, store: &S, success: bool) -> TaskKey {
        let key = self.accepted(store, Scenario::ClientReserved).await;
        let job = claimed(store, key).await;
        let mut ended = if success { dispensed(&job) } else { failed(&job) };
        let kind = TaskKind::Report;
        let lane = lane_of(kind);
        let follow_up = FollowUp { kind, slot: 0, lane, start_by: None, deadline_at: None };
        ended.decision.follow_ups.push(follow_up);
        assert_eq!(commit(store, ended).await, CommitVerdict::Done);
        TaskKey { kind, ..key }
    }
}

fn told(success: bool, next: Next) -> Decision {
    let state = ReportState::Reported;
    let change = Change::Report { state, success: Some(success) };
    Decision { change, ..Decision::only(next, Tries::Count, "reported") }
}

async fn is_busy<S: SuiteStore>(store: &S, key: TaskKey) -> bool {
    match claim(store, ask(key)).await {
        ClaimVerdict::NotDue => true,
        ClaimVerdict::Started(_) | ClaimVerdict::Resumed(_) => false,
        other => panic!("{}", other.name()),
    }
}

/// What the clock makes due now.
async fn due<S: SuiteStore>(store: &S) -> Vec<TaskKey> {
    let report = tick(store, TaskKind::Report, 10).await;
    report.due.iter().map(|task| task.key).collect()
}

async fn token<S: SuiteStore>(store: &S, key: TaskKey) -> fleet_store::TokenView {
    store.show(key.purchase).await.report.unwrap().token.unwrap()
}

pub async fn two_purchases_on_one_token_never_report_at_the_same_time<S: SuiteStore>(store: S) {
    let named = Named::fresh();
    let (first, second) = (named.report(&store, false).await, named.report(&store, false).await);
    let job = claimed(&store, first).await;
    assert!(is_busy(&store, second).await);
    let waits = row(&store, second).await;
    assert_eq!(waits.state, TaskState::Waiting);
    assert_eq!(waits.due_at, row(&store, first).await.lease.unwrap(), "the lease ends it at last");
    assert!(due(&store).await.is_empty());
    // Another token is another matter.
    let other = Named::fresh().report(&store, true).await;
    claimed(&store, other).await;
    commit(&store, definite(&job, told(false, Next::Finish))).await;
    assert_eq!(due(&store).await, [second], "due at once, and nobody else");
    let job = claimed(&store, second).await;
    assert_eq!(job.token.as_ref().unwrap().told, TokenState::Failure);
    commit(&store, definite(&job, told(false, Next::Finish))).await;
    assert_eq!(token(&store, second).await.busy_until, None);
    assert!(store.show(second.purchase).await.report.unwrap().waits_since.is_none());
}

pub async fn two_reports_on_one_token_in_one_group_are_claimed_one_after_the_other<
    S: SuiteStore,
>(
    store: S,
) {
    let named = Named::fresh();
    let keys = [named.report(&store, false).await, named.report(&store, false).await];
    let verdicts = store.claim(&group(&keys.map(ask))).await.unwrap();
    let started = |verdict: &ClaimVerdict<Box<Job>>| matches!(verdict, ClaimVerdict::Started(_));
    assert_eq!(verdicts.iter().filter(|verdict| started(verdict)).count(), 1);
    let waits = verdicts.iter().position(|v| matches!(v, ClaimVerdict::NotDue)).unwrap();
    let taken = 1 - waits;
    let job = job_of(verdicts.into_iter().nth(taken).unwrap());
    let lease = row(&store, keys[taken]).await.lease.unwrap();
    assert_eq!(row(&store, keys[waits]).await.due_at, lease);
    commit(&store, definite(&job, told(false, Next::Finish))).await;
    assert_eq!(due(&store).await, [keys[waits]]);
    assert!(!is_busy(&store, keys[waits]).await);
}

pub async fn the_report_that_waits_the_longest_is_next_whoever_comes_in_between<S: SuiteStore>(
    store: S,
) {
    let named = Named::fresh();
    let mut keys = Vec::new();
    for _ in 0..4 {
        keys.push(named.report(&store, false).await);
    }
    let mut job = claimed(&store, keys[0]).await;
    // The waiting order is that of the first refusal, not that of the purchases.
    for at in [2, 1] {
        assert!(is_busy(&store, keys[at]).await);
        store.advance(Duration::from_secs(1)).await;
    }
    for at in [2, 1] {
        commit(&store, definite(&job, told(false, Next::Finish))).await;
        assert!(is_busy(&store, keys[3]).await, "the newcomer does not get in between");
        assert_eq!(due(&store).await, [keys[at]]);
        job = claimed(&store, keys[at]).await;
    }
    commit(&store, definite(&job, told(false, Next::Finish))).await;
    assert_eq!(due(&store).await, [keys[3]]);
    claimed(&store, keys[3]).await;
}

pub async fn a_token_whose_promise_is_not_taken_is_free_again<S: SuiteStore>(store: S) {
    let named = Named::fresh();
    let (first, second) = (named.report(&store, false).await, named.report(&store, false).await);
    let job = claimed(&store, first).await;
    assert!(is_busy(&store, second).await);
    commit(&store, definite(&job, told(false, Next::Finish))).await;
    let third = named.report(&store, false).await;
    assert!(is_busy(&store, third).await);
    store.advance(Duration::from_secs(10)).await;
    assert!(due(&store).await.contains(&third), "it looks again when the promise is over");
    assert!(!is_busy(&store, third).await);
    assert!(is_busy(&store, second).await, "the one that was late waits");
}

pub async fn a_dead_claim_gives_its_token_free_when_its_lease_is_over<S: SuiteStore>(store: S) {
    let named = Named::fresh();
    let (first, second) = (named.report(&store, false).await, named.report(&store, true).await);
    let dead = claimed(&store, first).await;
    assert!(is_busy(&store, second).await);
    store.advance(LEASE).await;
    assert!(due(&store).await.contains(&second));
    let job = claimed(&store, second).await;
    // The dead one comes back late: it will report anew, and the token stays with the living.
    let late = commit(&store, definite(&dead, told(false, Next::Finish))).await;
    assert_eq!(late, CommitVerdict::Late);
    assert_eq!(token(&store, second).await.told, TokenState::Nothing);
    assert!(token(&store, second).await.busy_until.is_some());
    commit(&store, definite(&job, told(true, Next::Finish))).await;
    assert_eq!(token(&store, second).await.told, TokenState::Success);
    assert_eq!(token(&store, second).await.busy_until, None);
}

pub async fn a_claim_given_back_gives_its_token_free<S: SuiteStore>(store: S) {
    let named = Named::fresh();
    let (first, second) = (named.report(&store, false).await, named.report(&store, false).await);
    let job = claimed(&store, first).await;
    store.free(&[Free { key: first, token: job.task.token }]).await.unwrap();
    assert!(!is_busy(&store, second).await);
    // Given back once more by a claim that holds nothing any more: it frees nobody's token.
    store.free(&[Free { key: first, token: job.task.token }]).await.unwrap();
    assert!(token(&store, second).await.busy_until.is_some());
}

pub async fn a_report_that_waits_by_plan_is_not_woken_by_another<S: SuiteStore>(store: S) {
    let named = Named::fresh();
    let (first, second) = (named.report(&store, false).await, named.report(&store, false).await);
    let job = claimed(&store, first).await;
    commit(&store, definite(&job, wait(600))).await;
    let planned = row(&store, first).await.due_at;
    let job = claimed(&store, second).await;
    commit(&store, definite(&job, told(false, Next::Finish))).await;
    assert_eq!(row(&store, first).await.due_at, planned);
    assert!(due(&store).await.is_empty());
}

pub async fn a_success_on_a_token_is_never_turned_back<S: SuiteStore>(store: S) {
    let named = Named::fresh();
    let (good, bad) = (named.report(&store, true).await, named.report(&store, false).await);
    let job = claimed(&store, good).await;
    commit(&store, definite(&job, told(true, Next::Finish))).await;
    let job = claimed(&store, bad).await;
    assert!(job.token.as_ref().unwrap().success_due, "the step sees it and tells nothing");
    // Even a report that said otherwise would not turn the token back.
    commit(&store, definite(&job, told(false, Next::Finish))).await;
    assert_eq!(token(&store, bad).await.told, TokenState::Success);
}

pub async fn a_success_counts_from_its_claim_on<S: SuiteStore>(store: S) {
    let named = Named::fresh();
    let (good, bad) = (named.report(&store, true).await, named.report(&store, false).await);
    let job = claimed(&store, bad).await;
    assert!(!job.token.as_ref().unwrap().success_due);
    commit(&store, definite(&job, wait(5))).await;
    // The answer to the success gets lost: whoever comes next must not tell a failure over it.
    let job = claimed(&store, good).await;
    commit(&store, unknown(&job)).await;
    store.advance(Duration::from_secs(5)).await;
    assert_eq!(due(&store).await, [bad]);
    let job = claimed(&store, bad).await;
    let known = job.token.unwrap();
    assert_eq!((known.told, known.success_due), (TokenState::Nothing, true));
}

pub async fn a_token_has_one_week_from_its_making_whoever_names_it<S: SuiteStore>(store: S) {
    const DAY: Duration = Duration::from_secs(86_400);
    let named = Named { made_ago: Some(DAY * 3), ..Named::fresh() };
    let now = store.now().await;
    let first = named.report(&store, false).await;
    let ends = token(&store, first).await.expires_at;
    assert!(later(now, DAY * 4) <= ends && ends <= later(store.now().await, DAY * 4));
    store.advance(DAY).await;
    let later_one = Named { made_ago: None, token: named.token.clone(), desk: "desk" };
    let second = later_one.report(&store, false).await;
    assert_eq!(token(&store, second).await.expires_at, ends, "a later purchase adds nothing");
    // A token from the future has its week from now on, not from then.
    let accepted = named_in_the_future(&store).await;
    let now = store.now().await;
    assert!(token(&store, accepted).await.expires_at <= later(now, DAY * 7));
}

async fn named_in_the_future<S: SuiteStore>(store: &S) -> TaskKey {
    let start_by = later(store.now().await, Duration::from_secs(600));
    let reference = uuid::Uuid::new_v4().to_string();
    let mut new = new_purchase(&reference, Scenario::ClientReserved, start_by).unwrap();
    new.order.order.details.fraud = Some(FraudDetails {
        desk: Some("desk".to_owned()),
        token: Some(reference.clone()),
        token_created_at: Some(later(store.now().await, Duration::from_secs(86_400 * 365))),
        ..FraudDetails::default()
    });
    let accepted = store.accept(std::slice::from_ref(&new)).await;
    let Stored::New(purchase, _) = accepted.stored[0] else { panic!("not new") };
    TaskKey { purchase, kind: TaskKind::Dispense, slot: 0 }
}

pub async fn the_same_token_at_another_desk_is_another_token<S: SuiteStore>(store: S) {
    let named = Named::fresh();
    let elsewhere = Named { desk: "desk-2", token: named.token.clone(), made_ago: None };
    let (first, second) = (named.report(&store, true).await, elsewhere.report(&store, false).await);
    claimed(&store, first).await;
    let job = claimed(&store, second).await;
    assert!(!job.token.unwrap().success_due);
    assert_eq!(token(&store, second).await.desk, "desk-2");
}

/// A purchase whose token is to be validated, with the claimed job.
async fn validating<S: SuiteStore>(store: &S, reserve: ReserveState) -> Job {
    let named = Named::fresh();
    let start_by = later(store.now().await, Duration::from_secs(600));
    let mut new = new_purchase(&named.token, Scenario::WeReserve, start_by).unwrap();
    new.order.reserve = reserve;
    new.order.first_task.kind = TaskKind::Validate;
    new.order.first_task.lane = lane_of(TaskKind::Validate);
    new.order.order.details.fraud = Some(FraudDetails {
        desk: Some("desk".to_owned()),
        token: Some(named.token.clone()),
        validate_timestamp: Some("1700000000".to_owned()),
        ..FraudDetails::default()
    });
    let accepted = store.accept(std::slice::from_ref(&new)).await;
    let Stored::New(purchase, _) = accepted.stored[0] else { panic!("not new") };
    claimed(store, TaskKey { purchase, kind: TaskKind::Validate, slot: 0 }).await
}

fn refused(job: &Job) -> Commit {
    let verdict = TokenVerdict {
        is_valid: false,
        threat_code: 520,
        threat_flags: "SUSPICIOUS_TOKEN#!|MSISDN_BLACKLIST".to_owned(),
    };
    let change = Change::Validate {
        state: ReserveState::Refused,
        code: Some("2070".to_owned()),
        verdict: Some(verdict),
    };
    let only = Decision::only(Next::Finish, Tries::Count, "token_invalid");
    definite(job, Decision { change, ..only })
}

pub async fn what_the_desk_says_of_a_token_is_kept_with_it<S: SuiteStore>(store: S) {
    let job = validating(&store, ReserveState::Validating).await;
    let known = job.token.clone().unwrap();
    assert_eq!(known.validate_timestamp.as_deref(), Some("1700000000"));
    assert_eq!(commit(&store, refused(&job)).await, CommitVerdict::Done);
    let view = store.show(job.task.key.purchase).await;
    let token = view.report.unwrap().token.unwrap();
    assert_eq!((token.is_valid, token.threat_code), (Some(false), Some(520)));
    assert_eq!(token.threat_flags.as_deref(), Some("SUSPICIOUS_TOKEN#!|MSISDN_BLACKLIST"));
    assert!(token.validated_at.is_some());
    assert_eq!(view.purchase.progress.reserve, ReserveState::Refused);
    assert_eq!(view.purchase.progress.reserve_code.as_deref(), Some("2070"));
}

pub async fn a_validation_writes_the_reserve_track_only_while_it_stands_there<S: SuiteStore>(
    store: S,
) {
    let job = validating(&store, ReserveState::Pending).await;
    assert_eq!(commit(&store, refused(&job)).await, CommitVerdict::Done);
    let view = store.show(job.task.key.purchase).await;
    assert_eq!(view.purchase.progress.reserve, ReserveState::Pending);
    assert_eq!(view.purchase.progress.reserve_code, None);
}
