//! Locks, updates in place, hostile rows, errors.

use std::time::Duration;

use fleet_domain::{
    ClaimAsk, ClaimGroup, ClaimToken, ClaimVerdict, ClientId, Commit, CommitVerdict, Decision,
    Heartbeat, LaneId, LaneRoom, Next, PurchaseId, Scenario, SentUntil, TaskKey, TaskKind, Tick,
    Tries, later,
};
use fleet_store::{NewPurchase, Store, StoreError, Stored};
use fleet_testkit::TestDatabase;
use fleet_testkit::samples::{DISPENSE_LANE, new_purchase};
use sqlx::Connection;
use uuid::Uuid;

const KIND: TaskKind = TaskKind::Dispense;

/// So many purchases whose first task is dispense.
async fn dispensing(store: &Store, count: usize) -> Vec<TaskKey> {
    let start_by = later(store.now().await.unwrap(), Duration::from_secs(600));
    let batch: Vec<NewPurchase> = (0..count)
        .map(|number| {
            let reference = format!("ref-{number}");
            new_purchase(&reference, Scenario::ClientReserved, start_by).unwrap()
        })
        .collect();
    let accepted = store.accept(&batch).await.unwrap();
    let id = |stored: &Stored| match stored {
        Stored::New(id, _) => *id,
        Stored::Same(..) | Stored::Conflict | Stored::Similar(_) => panic!("not new"),
    };
    accepted
        .stored
        .iter()
        .map(|stored| TaskKey { purchase: id(stored), kind: KIND, slot: 0 })
        .collect()
}

fn group(keys: &[TaskKey], skip_locked: bool) -> ClaimGroup {
    let ask = |key: &TaskKey| ClaimAsk {
        key: *key,
        lane: DISPENSE_LANE,
        token: ClaimToken::generate(),
        lease: Duration::from_secs(30),
        only_ends: false,
    };
    let asks = keys.iter().map(ask).collect();
    ClaimGroup { kind: KIND, asks, skip_locked }
}

fn decided(key: TaskKey, token: ClaimToken, next: Next) -> Commit {
    Commit {
        key,
        token,
        signals: 0,
        sent: SentUntil::Clear,
        definite: true,
        answer: None,
        decision: Decision::only(next, Tries::Count, "again"),
    }
}

#[tokio::test]
async fn concurrent_claims_never_start_a_task_twice() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let keys = dispensing(&store, 200).await;
    let mut backwards = keys.clone();
    backwards.reverse();
    let mut claims = tokio::task::JoinSet::new();
    for number in 0..8 {
        let store = store.clone();
        let keys = if number % 2 == 0 { keys.clone() } else { backwards.clone() };
        claims.spawn(async move { store.claim(&group(&keys, number < 4)).await.unwrap() });
    }
    let mut started = std::collections::HashMap::<PurchaseId, u32>::new();
    while let Some(verdicts) = claims.join_next().await {
        for verdict in verdicts.unwrap() {
            match verdict {
                ClaimVerdict::Started(job) => {
                    *started.entry(job.task.key.purchase).or_default() += 1;
                }
                ClaimVerdict::Locked | ClaimVerdict::Busy => {}
                other => panic!("{}", other.name()),
            }
        }
    }
    assert_eq!(started.len(), 200);
    assert!(started.values().all(|times| *times == 1));
}

#[tokio::test]
async fn a_locked_task_is_skipped_and_its_neighbours_are_claimed() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let keys = dispensing(&store, 3).await;
    let mut other = database.connection().await.unwrap();
    let mut holder = other.begin().await.unwrap();
    sqlx::query("select 1 from task where purchase = $1 for update")
        .bind(keys[1].purchase.0)
        .execute(&mut *holder)
        .await
        .unwrap();
    let verdicts = store.claim(&group(&keys, true)).await.unwrap();
    let words: Vec<&str> = verdicts.iter().map(ClaimVerdict::name).collect();
    assert_eq!(words, ["started", "locked", "started"]);
    holder.rollback().await.unwrap();
    let verdicts = store.claim(&group(&keys[1..2], true)).await.unwrap();
    assert_eq!(verdicts[0].name(), "started");
}

#[tokio::test]
async fn a_claim_that_waited_for_a_commit_sees_what_it_wrote() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let keys = dispensing(&store, 1).await;
    let mut other = database.connection().await.unwrap();
    let mut holder = other.begin().await.unwrap();
    sqlx::query("update task set signals = 1 where purchase = $1")
        .bind(keys[0].purchase.0)
        .execute(&mut *holder)
        .await
        .unwrap();
    sqlx::query("update purchase set dispense_state = 'dispense_pending' where purchase = $1")
        .bind(keys[0].purchase.0)
        .execute(&mut *holder)
        .await
        .unwrap();
    let waiting = group(&keys, false);
    let claim = tokio::spawn({
        let store = store.clone();
        async move { store.claim(&waiting).await.unwrap() }
    });
    super::until_blocked(&database).await;
    holder.commit().await.unwrap();
    let ClaimVerdict::Started(job) = claim.await.unwrap().remove(0) else { panic!("not started") };
    assert_eq!(job.task.signals, 1);
    assert_eq!(job.purchase.progress.dispense, fleet_domain::DispenseState::Pending);
}

#[tokio::test]
async fn a_group_locks_its_tasks_in_key_order_whatever_its_own_order_is() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let mut keys = dispensing(&store, 3).await;
    keys.sort();
    let mut other = database.connection().await.unwrap();
    let mut holder = other.begin().await.unwrap();
    sqlx::query("select 1 from task where purchase = $1 for update")
        .bind(keys[0].purchase.0)
        .execute(&mut *holder)
        .await
        .unwrap();
    let backwards = keys.iter().rev();
    let late = |key: &TaskKey| decided(*key, ClaimToken::generate(), Next::Finish);
    let group: Vec<Commit> = backwards.map(late).collect();
    let commit = tokio::spawn({
        let store = store.clone();
        async move { store.commit(KIND, &group).await.unwrap() }
    });
    super::until_blocked(&database).await;
    // It waits for the first key and holds no later one: two groups never wait in a ring.
    let mut watcher = database.connection().await.unwrap();
    sqlx::query("select 1 from task where purchase = $1 for update nowait")
        .bind(keys[2].purchase.0)
        .execute(&mut watcher)
        .await
        .expect("the last task is locked before the first");
    holder.rollback().await.unwrap();
    assert_eq!(commit.await.unwrap().verdicts, [CommitVerdict::Late; 3]);
}

#[tokio::test]
async fn only_one_process_runs_the_clock_of_a_kind() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let mut other = database.connection().await.unwrap();
    let mut holder = other.begin().await.unwrap();
    let sql = "select ours from fleet_tick_v1(2::smallint, 10, '{12}', '{10}', '{0}', null,
                                                 null, null, false)";
    assert!(sqlx::query_scalar::<_, bool>(sql).fetch_one(&mut *holder).await.unwrap());
    let lanes = vec![LaneRoom::new(DISPENSE_LANE, 10)];
    let (from, queue_ready, unpublished) = (None, None, false);
    let tick = Tick { kind: KIND, take_max: 10, lanes, from, queue_ready, unpublished };
    assert!(!store.tick(&tick).await.unwrap().ours);
    assert!(store.tick(&Tick { kind: TaskKind::Settle, ..tick.clone() }).await.unwrap().ours);
    holder.rollback().await.unwrap();
    assert!(store.tick(&tick).await.unwrap().ours);
}

/// After an hour without a database everybody's last beat is old, and all beat again at once.
#[tokio::test]
async fn a_beat_waits_for_no_other_process_whose_beat_is_old() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let of = |number| Heartbeat {
        kind: KIND,
        watermark: None,
        unclaimed: 0,
        number,
        calls_for: Duration::from_secs(20),
        lanes: Vec::new(),
    };
    let processes = [Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7()];
    for process in processes {
        store.beat(process, &of(1)).await.unwrap();
    }
    store.advance_clock(Duration::from_secs(3_601)).await.unwrap();
    let mut other = database.connection().await.unwrap();
    let mut holder = other.begin().await.unwrap();
    sqlx::query("select 1 from heartbeat where process = $1 for update")
        .bind(processes[0])
        .execute(&mut *holder)
        .await
        .unwrap();
    store.beat(processes[2], &of(2)).await.unwrap();
    holder.rollback().await.unwrap();
    let left = "select array_agg(process order by process) from heartbeat";
    let left: Vec<Uuid> = sqlx::query_scalar(left).fetch_one(&mut other).await.unwrap();
    assert_eq!(left, [processes[0], processes[2]], "the one that was held is left");
    store.beat(processes[0], &of(2)).await.unwrap();
}

#[tokio::test]
async fn claims_update_their_rows_in_place() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let keys = dispensing(&store, 512).await;
    for some in keys.chunks(32) {
        let verdicts = store.claim(&group(some, true)).await.unwrap();
        assert!(verdicts.iter().all(|verdict| verdict.name() == "started"));
    }
    store.close().await;
    let sql = "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relname = 'task'";
    let mut connection = database.connection().await.unwrap();
    let (updated, in_place) = loop {
        let row: (i64, i64) = sqlx::query_as(sql).fetch_one(&mut connection).await.unwrap();
        if row.0 >= 512 {
            break row;
        }
        sqlx::query("select pg_stat_clear_snapshot()").execute(&mut connection).await.unwrap();
    };
    assert_eq!(updated, 512);
    assert!(in_place >= 507, "{in_place} of {updated}");
}

/// A connection keeps the plans that it made while there was nothing to do.
#[tokio::test]
async fn claims_and_commits_find_their_tasks_by_key_and_read_no_others() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let nobody = TaskKey { purchase: PurchaseId::generate(), kind: KIND, slot: 0 };
    let gone = group(&[nobody], true);
    assert_eq!(store.claim(&gone).await.unwrap()[0].name(), "gone");
    let late = decided(nobody, gone.asks[0].token, Next::Finish);
    assert_eq!(store.commit(KIND, &[late]).await.unwrap().verdicts, [CommitVerdict::LateGone]);
    store.put_back(&[nobody]).await.unwrap();
    let keys = dispensing(&store, 512).await;
    for some in keys.chunks(32) {
        store.put_back(&some[..1]).await.unwrap();
        let claimed = group(&some[1..], true);
        store.claim(&claimed).await.unwrap();
        let asks = claimed.asks.iter();
        let commits: Vec<_> = asks.map(|ask| decided(ask.key, ask.token, Next::Finish)).collect();
        store.commit(KIND, &commits).await.unwrap();
    }
    store.close().await;
    let sql =
        "select t.n_tup_del, i.idx_tup_read from pg_stat_user_tables t, pg_stat_user_indexes i
               where t.relname = 'task' and i.indexrelname = 'task_due'";
    let mut connection = database.connection().await.unwrap();
    let read = loop {
        let row: (i64, i64) = sqlx::query_as(sql).fetch_one(&mut connection).await.unwrap();
        if row.0 >= 496 {
            break row.1;
        }
        sqlx::query("select pg_stat_clear_snapshot()").execute(&mut connection).await.unwrap();
    };
    assert_eq!(read, 0, "the index of due times is the clock's");
}

#[tokio::test]
async fn an_unreadable_row_does_not_spoil_its_neighbours() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let keys = dispensing(&store, 4).await;
    let mut connection = database.connection().await.unwrap();
    for (key, sql) in [
        (keys[1], "update purchase set target_sealed = '\\x0001' where purchase = $1"),
        (keys[3], "update purchase set dispense_state = 'nonsense' where purchase = $1"),
    ] {
        sqlx::query(sql).bind(key.purchase.0).execute(&mut connection).await.unwrap();
    }
    let claimed = group(&keys, true);
    let verdicts = store.claim(&claimed).await.unwrap();
    let words: Vec<&str> = verdicts.iter().map(ClaimVerdict::name).collect();
    assert_eq!(words, ["started", "unreadable", "started", "unreadable"]);
    let ClaimVerdict::Unreadable(cause) = &verdicts[1] else { panic!("readable") };
    assert!(cause.contains("purchase.target"), "{cause}");
    // It is ours all the same, so that it can be parked.
    let park = Next::Park {
        class: fleet_domain::ParkClass::OurFault,
        cause: cause.clone(),
        at_risk: None,
    };
    let parked = decided(keys[1], claimed.asks[1].token, park);
    let outcome = store.commit(KIND, &[parked]).await.unwrap();
    assert_eq!(outcome.verdicts, [CommitVerdict::Done]);
    // A person sees the rest of it, and what cannot be read; a word that nobody knows is no rest.
    let shown = store.show_purchase(keys[1].purchase).await.unwrap().unwrap();
    let unreadable: Vec<String> = shown.unreadable.iter().map(ToString::to_string).collect();
    assert_eq!(unreadable, ["purchase.target: not a sealed value"]);
    assert!(matches!(store.show_purchase(keys[3].purchase).await, Err(StoreError::Unreadable(_))));
    assert_eq!(store.parked(&fleet_store::ParkedFilter::default()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn texts_of_errors_never_hold_values_of_rows() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let start_by = store.now().await.unwrap();
    let mut new = new_purchase("ref-secret", Scenario::ClientReserved, start_by).unwrap();
    new.order.order.purchase_amount = -987_654_321;
    let error = store.accept(std::slice::from_ref(&new)).await.unwrap_err();
    assert!(matches!(&error, StoreError::Refused { sqlstate, .. } if sqlstate == "23514"));
    let text = format!("{error} {error:?}");
    for value in ["987654321", "ref-secret", "27820000001"] {
        assert!(!text.contains(value), "{text}");
    }
}

#[tokio::test]
async fn a_statement_that_hangs_is_given_up_and_its_connection_dropped() {
    let database = TestDatabase::create().await.unwrap();
    let keys = dispensing(&database.store(), 1).await;
    let mut other = database.connection().await.unwrap();
    let mut holder = other.begin().await.unwrap();
    sqlx::query("lock table task").execute(&mut *holder).await.unwrap();
    let store = database.store();
    let error = store.claim(&group(&keys, true)).await.unwrap_err();
    assert!(matches!(error, StoreError::Retry { .. }), "{error}");
    holder.rollback().await.unwrap();
    assert_eq!(store.claim(&group(&keys, true)).await.unwrap()[0].name(), "started");
}

/// Each step finds one client of one lane with a task, due or not.
#[tokio::test]
async fn a_look_that_is_cut_short_goes_on_where_it_was() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let start_by = later(store.now().await.unwrap(), Duration::from_secs(600));
    for number in 0..40 {
        let reference = format!("ref-{number}");
        let mut new = new_purchase(&reference, Scenario::ClientReserved, start_by).unwrap();
        new.order.order.client = ClientId(5_000 + number / 2);
        new.order.first_task.lane = LaneId(DISPENSE_LANE.0 + i32::try_from(number % 4).unwrap());
        store.accept(&[new]).await.unwrap();
    }
    let mut connection = database.connection().await.unwrap();
    sqlx::query("update task set due_at = fleet_now()").execute(&mut connection).await.unwrap();
    let lanes: Vec<i32> = [-1, 0, 1, 3, 90].map(|n| DISPENSE_LANE.0 + n).into();
    let (mut from, mut seen, mut looks) = ((None::<i32>, None::<i64>), Vec::new(), 0);
    loop {
        let sql = "select lane, client, goes_on from fleet_turns_v1(
                       $1, $2, array_fill(5, array[5]), array_fill(0::bigint, array[5]), $3, $4, 4,
                       fleet_now())";
        let query = sqlx::query_as(sql).bind(KIND.code()).bind(&lanes).bind(from.0).bind(from.1);
        let rows: Vec<(i32, i64, bool)> = query.fetch_all(&mut connection).await.unwrap();
        looks += 1;
        seen.extend(rows.iter().filter(|row| !row.2).map(|row| (row.0, row.1)));
        let Some(row) = rows.iter().find(|row| row.2) else { break };
        from = (Some(row.0), Some(row.1));
    }
    assert!(looks > 7, "four steps a look: {looks}");
    let named = |number: &i64| number % 4 != 2;
    let mut expected: Vec<(i32, i64)> = (0..40)
        .filter(named)
        .map(|n| (DISPENSE_LANE.0 + i32::try_from(n % 4).unwrap(), 5_000 + n / 2))
        .collect();
    expected.sort_unstable();
    assert_eq!(seen, expected);
}
