//! What the figures of the backlog count, and what they read for it.

use std::time::Duration;

use fleet_domain::{PurchaseId, Scenario, TaskKind, TaskState};
use fleet_store::{Store, Stored, WaitsFor};
use fleet_testkit::TestDatabase;
use fleet_testkit::samples::new_purchase;
use sqlx::{Connection as _, PgConnection};

async fn accepted(store: &Store, reference: &str, scenario: Scenario) -> PurchaseId {
    let now = store.now().await.unwrap();
    let start_by = now.checked_add_signed(chrono::TimeDelta::hours(1)).unwrap();
    let new = new_purchase(reference, scenario, start_by).unwrap();
    match store.accept(&[new]).await.unwrap().stored[..] {
        [Stored::New(id, _)] => id,
        ref other => panic!("{other:?}"),
    }
}

async fn set(connection: &mut PgConnection, sql: &'static str, id: PurchaseId) {
    let done = sqlx::query(sql).bind(id.0).execute(connection).await.unwrap();
    assert_eq!(done.rows_affected(), 1, "{sql}");
}

/// How old the oldest task is, by what it waits for.
async fn ages(store: &Store, kind: TaskKind) -> Vec<(WaitsFor, i64)> {
    let mut rows = store.unfinished().await.unwrap();
    rows.retain(|row| row.kind == kind);
    rows.iter().map(|row| (row.waits_for, row.oldest_seconds)).collect()
}

#[tokio::test]
async fn what_is_tried_again_and_again_has_an_age_and_planned_waits_are_told_apart() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let mut connection = database.connection().await.unwrap();
    let reserve = accepted(&store, "a", Scenario::WeReserve).await;
    let dispense = accepted(&store, "b", Scenario::ClientReserved).await;
    assert_eq!(store.unfinished().await.unwrap(), [], "nothing is old");
    for id in [reserve, dispense] {
        // Its next try is planned: it is never late.
        let waits = "update task set state = 3, due_at = fleet_now() + interval '1 day' \
                     where purchase = $1";
        set(&mut connection, waits, id).await;
    }
    store.advance_clock(Duration::from_secs(400)).await.unwrap();
    for kind in [TaskKind::Reserve, TaskKind::Dispense] {
        let told = ages(&store, kind).await;
        assert!(matches!(told[..], [(WaitsFor::Success, 400..460)]), "{kind}: {told:?}");
    }
    let late: i64 = store.backlog().await.unwrap().iter().map(|row| row.oldest_due_seconds).sum();
    assert_eq!(late, 0, "what waits for its time is not late");

    let asked = "update purchase set reserve_state = 'buyer_asked' where purchase = $1";
    set(&mut connection, asked, reserve).await;
    let pending = "update purchase set dispense_state = 'dispense_pending' where purchase = $1";
    set(&mut connection, pending, dispense).await;
    let told = ages(&store, TaskKind::Reserve).await;
    assert!(matches!(told[..], [(WaitsFor::Buyer, 400..)]), "{told:?}");
    let told = ages(&store, TaskKind::Dispense).await;
    assert!(matches!(told[..], [(WaitsFor::Confirmation, 400..)]), "{told:?}");
    // Whatever else a purchase waits for, a lost answer is not planned.
    let lost = "update purchase set dispense_state = 'dispense_unknown' where purchase = $1";
    set(&mut connection, lost, dispense).await;
    let told = ages(&store, TaskKind::Dispense).await;
    assert!(matches!(told[..], [(WaitsFor::Success, 400..)]), "{told:?}");

    // Plans of days are no alarm, and neither is what a person has in hand.
    for (kind, state) in [(5, 3), (6, 3), (7, 3), (8, 4), (2, 4)] {
        let sql = "update task set kind = $2, state = $3 where purchase = $1";
        let query = sqlx::query(sql).bind(dispense.0).bind(kind).bind(state);
        query.execute(&mut connection).await.unwrap();
        let rows = store.unfinished().await.unwrap();
        assert!(rows.iter().all(|row| row.waits_for == WaitsFor::Buyer), "{kind}: {rows:?}");
    }
}

#[tokio::test]
async fn a_task_is_late_that_nobody_takes_up_whatever_its_state() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let mut connection = database.connection().await.unwrap();
    let id = accepted(&store, "a", Scenario::WeReserve).await;
    for (state, sql) in [
        (TaskState::Queued, "update task set state = 1 where purchase = $1"),
        (TaskState::Waiting, "update task set state = 3 where purchase = $1"),
        (
            TaskState::Running,
            "update task set state = 2, due_at = fleet_now() - interval '1 day', \
             lease = fleet_now() where purchase = $1",
        ),
    ] {
        set(&mut connection, "update task set due_at = fleet_now() where purchase = $1", id).await;
        set(&mut connection, sql, id).await;
        store.advance_clock(Duration::from_secs(100)).await.unwrap();
        let rows = store.backlog().await.unwrap();
        let [row] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!((row.state, row.tasks), (state, 1));
        assert!((100..160).contains(&row.oldest_due_seconds), "{row:?}");
    }
}

/// However many purchases have ended: open ones are looked up by their keys, also on a connection whose
/// plan was made when there were none.
#[tokio::test]
async fn the_age_of_open_work_is_read_by_keys_and_never_from_all_purchases() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let mut connection = database.connection().await.unwrap();
    for (kinds, more) in [(0, 0..0), (1, 0..20), (1, 20..60)] {
        for number in more {
            accepted(&store, &format!("a-{number}"), Scenario::ClientReserved).await;
        }
        store.advance_clock(Duration::from_secs(60)).await.unwrap();
        let mut transaction = connection.begin().await.unwrap();
        let told = sqlx::query("select * from fleet_unfinished_v1()");
        assert_eq!(told.fetch_all(&mut *transaction).await.unwrap().len(), kinds);
        let read = "select seq_scan::bigint, idx_scan::bigint from pg_stat_xact_user_tables \
                    where relname = 'purchase'";
        let read = sqlx::query_as(read).fetch_one(&mut *transaction);
        let (all, by_key): (i64, i64) = read.await.unwrap();
        assert_eq!((all, by_key > 0), (0, kinds > 0));
    }
}
