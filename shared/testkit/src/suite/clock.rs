//! The clock, put back, free, heartbeats.
#![expect(missing_docs, reason = "a test's name is its documentation")]

use fleet_domain::{Free, Heartbeat, ParkClass, TaskState};

use super::*;

const KIND: TaskKind = TaskKind::Dispense;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn keys(report: &TickReport) -> Vec<TaskKey> {
    report.due.iter().map(|due| due.key).collect()
}

fn look(take_max: u32, lane: LaneRoom) -> Tick {
    let lanes = vec![lane];
    Tick { kind: KIND, take_max, lanes, from: None, queue_ready: None, unpublished: false }
}

async fn beat<S: SuiteStore>(store: &S, watermark: Option<DateTime<Utc>>, unclaimed: u32) {
    // Later ones have higher numbers.
    let number = u64::try_from(store.now().await.timestamp_micros()).unwrap();
    let (calls_for, lanes) = (seconds(20), Vec::new());
    let beat = Heartbeat { kind: KIND, watermark, unclaimed, number, calls_for, lanes };
    store.beat(&beat).await.unwrap();
}

pub async fn a_waiting_task_is_queued_when_it_is_due_and_not_before<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    commit(&store, definite(&job, wait(60))).await;
    store.advance(seconds(50)).await;
    assert_eq!(tick(&store, KIND, 10).await.due, []);
    store.advance(seconds(11)).await;
    let report = tick(&store, KIND, 10).await;
    assert_eq!(keys(&report), [key]);
    assert_eq!(report.due[0].lane, DISPENSE_LANE);
    assert_eq!(report.lost, 0);
    let task = row(&store, key).await;
    assert_eq!((task.state, task.hinted_at), (TaskState::Queued, None));
    assert_eq!(task.due_at, later(report.now, seconds(10)));
    assert_eq!(tick(&store, KIND, 10).await.due, [], "once");
    store.advance(seconds(11)).await;
    let report = tick(&store, KIND, 10).await;
    assert_eq!((keys(&report), report.lost), (vec![key], 1), "whoever took it is gone");
}

pub async fn the_clock_never_touches_a_task_that_goes_its_normal_way<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let before = row(&store, key).await;
    tick_with(&store, KIND, 10, Some(0)).await;
    assert_eq!(row(&store, key).await, before);
    claimed(&store, key).await;
    let before = row(&store, key).await;
    tick_with(&store, KIND, 10, Some(0)).await;
    assert_eq!(row(&store, key).await, before);
}

pub async fn a_running_task_is_looked_at_again_when_its_lease_is_over<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    let lease = later(job.task.now, LEASE);
    store.advance(seconds(11)).await;
    assert_eq!(tick(&store, KIND, 10).await.due, []);
    let task = row(&store, key).await;
    assert_eq!((task.state, task.due_at), (TaskState::Running, lease));
    store.advance(seconds(20)).await;
    let report = tick(&store, KIND, 10).await;
    assert_eq!((keys(&report), report.lost), (vec![key], 0));
    let task = row(&store, key).await;
    assert_eq!((task.state, task.claims), (TaskState::Queued, 1));
    assert_eq!(task.sent_until, Some(lease), "what may be out stays out");
    assert_eq!(commit(&store, dispensed(&job)).await, CommitVerdict::Late, "it lost its claim");
}

pub async fn a_parked_task_is_brought_up_once_a_day<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    let park = Next::Park { class: ParkClass::ClientFault, cause: "ask".to_owned(), at_risk: None };
    commit(&store, definite(&job, Decision::only(park, Tries::Count, "parked"))).await;
    store.advance(seconds(86_000)).await;
    assert_eq!(tick(&store, KIND, 10).await.reminded, 0);
    store.advance(seconds(500)).await;
    let report = tick(&store, KIND, 10).await;
    assert_eq!((report.reminded, report.due.len()), (1, 0));
    let task = row(&store, key).await;
    assert_eq!((task.state, task.park_class), (TaskState::Parked, Some(ParkClass::ClientFault)));
    assert_eq!(tick(&store, KIND, 10).await.reminded, 0);
}

pub async fn a_hint_is_lost_when_the_watermark_is_past_it<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let hinted_at = row(&store, key).await.hinted_at.unwrap();
    store.advance(seconds(15)).await;
    beat(&store, Some(later(hinted_at, seconds(10))), 3).await;
    assert_eq!(tick_with(&store, KIND, 10, Some(7)).await.due, [], "not more than 10 s past it");
    let task = row(&store, key).await;
    assert_eq!(task.state, TaskState::Queued);
    assert_eq!(task.due_at, later(hinted_at, seconds(30)), "looked at again soon");
    store.advance(seconds(16)).await;
    beat(&store, Some(later(hinted_at, seconds(10))), 3).await;
    assert_eq!(tick_with(&store, KIND, 10, Some(7)).await.due, []);
    let due_at = row(&store, key).await.due_at;
    let soonest = later(store.now().await, seconds(100));
    assert!(due_at > soonest, "and then every two minutes");
    store.advance(seconds(130)).await;
    beat(&store, Some(later(hinted_at, seconds(11))), 3).await;
    let report = tick_with(&store, KIND, 10, Some(7)).await;
    assert_eq!((keys(&report), report.lost), (vec![key], 1));
    assert_eq!(row(&store, key).await.hinted_at, None, "it went to an engine");
}

pub async fn a_hint_is_lost_when_queue_and_workers_are_empty<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    store.advance(seconds(15)).await;
    beat(&store, None, 0).await;
    let report = tick_with(&store, KIND, 10, Some(0)).await;
    assert_eq!((keys(&report), report.lost), (vec![key], 1));
}

pub async fn a_hint_is_not_lost_while_a_worker_has_unclaimed_tasks<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    store.advance(seconds(15)).await;
    beat(&store, None, 0).await;
    beat(&store.another_process(), None, 1).await;
    assert_eq!(tick_with(&store, KIND, 10, Some(0)).await.due, []);
    store.advance(seconds(125)).await;
    assert_eq!(tick_with(&store, KIND, 10, Some(1)).await.due, [], "a message is in the queue");
    store.advance(seconds(125)).await;
    assert_eq!(tick_with(&store, KIND, 10, None).await.due, [], "the broker does not tell");
    assert_eq!(row(&store, key).await.state, TaskState::Queued);
}

pub async fn a_hint_is_lost_after_ten_minutes_whatever_is_said<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    store.advance(seconds(590)).await;
    beat(&store, None, 5).await;
    assert_eq!(tick_with(&store, KIND, 10, Some(5)).await.due, []);
    store.advance(seconds(130)).await;
    beat(&store, None, 5).await;
    let report = tick_with(&store, KIND, 10, Some(5)).await;
    assert_eq!((keys(&report), report.lost), (vec![key], 1));
}

pub async fn a_silent_process_says_nothing_about_hints<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let hinted_at = row(&store, key).await.hinted_at.unwrap();
    beat(&store, Some(later(hinted_at, seconds(60))), 0).await;
    beat(&store.another_process(), None, 9).await;
    store.advance(seconds(15)).await;
    assert_eq!(tick_with(&store, KIND, 10, Some(7)).await.due, [], "its watermark is too old");
    store.advance(seconds(125)).await;
    assert_eq!(keys(&tick_with(&store, KIND, 10, Some(0)).await), [key], "its tasks are nobody's");
}

pub async fn the_clock_respects_room_and_the_oldest_go_first<S: SuiteStore>(store: S) {
    let mut oldest_first = Vec::new();
    for _ in 0..30 {
        let key = dispensing(&store).await;
        store.put_back(&[key]).await.unwrap();
        oldest_first.push(key);
        store.advance(Duration::from_millis(5)).await;
    }
    let mut taken = Vec::new();
    for room in [3, 0, 4, 1, 12, 50] {
        let report = tick(&store, KIND, room).await;
        assert!(report.due.len() <= usize::try_from(room).unwrap());
        taken.push(keys(&report));
        if room > 0 && room < 50 {
            assert_eq!(report.due.len(), usize::try_from(room).unwrap());
        }
    }
    let mut from = 0;
    for mut batch in taken {
        let mut expected = oldest_first[from..from + batch.len()].to_vec();
        from += batch.len();
        batch.sort_unstable();
        expected.sort_unstable();
        assert_eq!(batch, expected, "a task without room keeps its place");
    }
    assert_eq!(from, 30);
    let tick_max = look(2, LaneRoom::new(DISPENSE_LANE, 50));
    let some: Vec<TaskKey> = oldest_first[..5].to_vec();
    store.put_back(&some).await.unwrap();
    assert_eq!(store.tick(&tick_max).await.unwrap().due.len(), 2);
}

pub async fn lanes_that_are_not_named_are_not_looked_at<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    store.put_back(&[key]).await.unwrap();
    store.advance(seconds(1)).await;
    let other = look(10, LaneRoom::new(LaneId(99), 10));
    assert_eq!(store.tick(&other).await.unwrap().due, []);
    assert_eq!(tick(&store, TaskKind::Reserve, 10).await.due, []);
    assert_eq!(keys(&tick(&store, KIND, 10).await), [key]);
}

pub async fn rows_that_only_look_due_do_not_use_up_the_room<S: SuiteStore>(store: S) {
    let mut running = Vec::new();
    for _ in 0..10 {
        let key = dispensing(&store).await;
        claimed(&store, key).await;
        running.push(key);
    }
    store.advance(seconds(11)).await;
    let waiting = dispensing(&store).await;
    store.put_back(&[waiting]).await.unwrap();
    store.advance(seconds(1)).await;
    assert_eq!(keys(&tick(&store, KIND, 1).await), [waiting]);
    for key in running {
        assert_eq!(row(&store, key).await.state, TaskState::Running);
    }
}

pub async fn put_back_takes_only_queued_tasks<S: SuiteStore>(store: S) {
    let queued = dispensing(&store).await;
    let running = dispensing(&store).await;
    let job = claimed(&store, running).await;
    let waiting = dispensing(&store).await;
    let other = claimed(&store, waiting).await;
    commit(&store, definite(&other, wait(600))).await;
    let (before_running, before_waiting) = (row(&store, running).await, row(&store, waiting).await);
    let nobody = TaskKey { purchase: PurchaseId::generate(), ..queued };
    store.put_back(&[waiting, queued, nobody, running]).await.unwrap();
    assert_eq!(row(&store, running).await, before_running);
    assert_eq!(row(&store, waiting).await, before_waiting);
    let task = row(&store, queued).await;
    assert_eq!((task.state, task.claims, task.sent_until), (TaskState::Waiting, 0, None));
    assert!(task.due_at <= store.now().await);
    assert_eq!(commit(&store, dispensed(&job)).await, CommitVerdict::Done);
    store.put_back(&[]).await.unwrap();
}

pub async fn free_puts_everything_back_as_it_was<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let job = claimed(&store, key).await;
    store.free(&[Free { key, token: job.task.token }]).await.unwrap();
    let task = row(&store, key).await;
    assert_eq!((task.state, task.claims), (TaskState::Waiting, 0));
    assert_eq!((task.sent_until, task.lease), (None, None));
    assert_eq!(keys(&tick(&store, KIND, 1).await), [key]);
    let job = claimed(&store, key).await;
    assert_eq!(job.task.former_sent_until, None, "as if it had never been claimed");
    let out = later(job.task.now, LEASE);
    store.advance(seconds(31)).await;
    let job = claimed(&store, key).await;
    assert_eq!(job.task.claims, 2);
    store.free(&[Free { key, token: job.task.token }]).await.unwrap();
    let task = row(&store, key).await;
    assert_eq!((task.claims, task.sent_until), (1, Some(out)), "what was out before still is");
}

pub async fn free_and_put_back_leave_other_claims_alone<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let old = claimed(&store, key).await;
    store.advance(seconds(31)).await;
    claimed(&store, key).await;
    let before = row(&store, key).await;
    store.free(&[Free { key, token: old.task.token }]).await.unwrap();
    store.put_back(&[key]).await.unwrap();
    assert_eq!(row(&store, key).await, before);
}

pub async fn a_lane_without_room_tells_that_more_is_due_and_is_not_written<S: SuiteStore>(
    store: S,
) {
    let mut keys = Vec::new();
    for waiting in [1, 2, 40] {
        while keys.len() < waiting {
            let key = dispensing(&store).await;
            store.put_back(&[key]).await.unwrap();
            keys.push(key);
        }
        store.advance(seconds(1)).await;
        let before = (row(&store, keys[0]).await, row(&store, keys[waiting - 1]).await);
        let report = tick(&store, KIND, 0).await;
        assert_eq!((report.due, report.more), (vec![], vec![DISPENSE_LANE]));
        assert_eq!((row(&store, keys[0]).await, row(&store, keys[waiting - 1]).await), before);
        let room = u32::try_from(waiting).unwrap();
        let report = tick(&store, KIND, room - 1).await;
        assert_eq!((report.due.len(), report.more), (waiting - 1, vec![DISPENSE_LANE]));
        let report = tick(&store, KIND, room).await;
        assert_eq!((report.due.len(), report.more), (1, vec![]));
        store.put_back(&keys).await.unwrap();
    }
}
