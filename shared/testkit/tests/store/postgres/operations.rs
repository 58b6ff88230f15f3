//! What operators see and decide, and the upkeep.

use std::time::Duration;

use fleet_domain::{ParkClass, PurchaseStatus, TaskKind, TaskState};
use fleet_store::{
    DeadLetterFilter, DeadLetterState, NewDeadLetter, ParkedFilter, StoreError, StoreSettings,
    Unfit,
};
use fleet_testkit::suite::SuiteStore as _;
use fleet_testkit::suite::money::the_books_of_a_captured_purchase_are_complete;
use fleet_testkit::suite::{commits, facts};
use fleet_testkit::{PostgresTasks, TestDatabase};
use uuid::Uuid;

pub(super) fn letter(cause: &str) -> NewDeadLetter {
    NewDeadLetter {
        id: Uuid::now_v7(),
        queue: "fleet.requested".to_owned(),
        cause: cause.to_owned(),
        detail: "clientTxnRef is empty".to_owned(),
        message_id: Some("m-1".to_owned()),
        headers: serde_json::json!({ "x": 1 }),
        body: vec![0xff, 0x00, b'{'],
    }
}

#[tokio::test]
async fn a_dead_letter_is_kept_once_sealed_and_discarded_once() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let new = letter("invalid");
    assert!(store.store_dead_letter(&new).await.unwrap());
    assert!(!store.store_dead_letter(&new).await.unwrap());
    let view = store.dead_letter(new.id).await.unwrap().unwrap();
    assert_eq!((view.body, view.headers), (Ok(new.body.clone()), new.headers.clone()));
    assert_eq!((view.row.state, view.row.body_bytes), (DeadLetterState::New, 3));
    assert_eq!(store.dead_letter(Uuid::nil()).await.unwrap(), None);
    let letters = [new.id, Uuid::nil()];
    let unfit = store.discard_letters(&letters, "no order", "anna").await.unwrap();
    assert_eq!(unfit, [(Uuid::nil(), Unfit::NoLetter)]);
    let row = store.dead_letter(new.id).await.unwrap().unwrap().row;
    assert_eq!(row.state, DeadLetterState::New, "all of them or none");
    let discard = async |actor| store.discard_letters(&[new.id], "no order", actor).await.unwrap();
    assert_eq!(discard("anna").await, []);
    assert_eq!(discard("bert").await, [(new.id, Unfit::Decided)]);
    let row = store.dead_letter(new.id).await.unwrap().unwrap().row;
    assert_eq!((row.state, row.actor.as_deref()), (DeadLetterState::Discarded, Some("anna")));
    assert!(row.decided_at.is_some());
    let decisions = store.letter_decisions(new.id).await.unwrap();
    let told: Vec<_> = decisions.iter().map(|d| (&*d.outcome, &*d.reason, d.replay)).collect();
    assert_eq!(told, [("discarded", "no order", None)]);
}

#[tokio::test]
async fn dead_letters_are_listed_newest_first_in_pages() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    for cause in ["invalid", "conflict", "invalid", "invalid"] {
        store.store_dead_letter(&letter(cause)).await.unwrap();
    }
    let mut filter = DeadLetterFilter {
        cause: Some("invalid".to_owned()),
        state: Some(DeadLetterState::New),
        queue: Some("fleet.requested".to_owned()),
        limit: 2,
        before: None,
    };
    let first = store.dead_letters(&filter).await.unwrap();
    assert_eq!(first.len(), 2);
    assert!(first[0].received_at >= first[1].received_at);
    filter.before = first.last().map(|row| row.id);
    let second = store.dead_letters(&filter).await.unwrap();
    assert_eq!(second.len(), 1);
    assert!(!first.iter().any(|row| row.id == second[0].id));
}

#[tokio::test]
async fn the_backlog_and_the_parked_tasks_are_told() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let tasks = PostgresTasks::new(store.clone());
    for _ in 0..3 {
        commits::a_parked_task_tells_its_class_cause_and_money(tasks.clone()).await;
    }
    facts::a_late_success_after_a_failure_opens_a_case(tasks.clone()).await;
    tasks.advance(Duration::from_secs(90_000)).await;
    let backlog = store.backlog().await.unwrap();
    let parked = |kind| {
        backlog.iter().find(|row| row.kind == kind && row.state == TaskState::Parked).unwrap()
    };
    assert_eq!((parked(TaskKind::Dispense).tasks, parked(TaskKind::Case).tasks), (3, 3));
    assert!(parked(TaskKind::Dispense).oldest_due_seconds > 3_000);
    let counts = store.parked_counts().await.unwrap();
    assert_eq!(counts, [(ParkClass::SupplierFault, 3), (ParkClass::UnknownOutcome, 3)]);
    let mut filter =
        ParkedFilter { class: Some(ParkClass::SupplierFault), limit: 2, ..ParkedFilter::default() };
    let first = store.parked(&filter).await.unwrap();
    assert_eq!(first.len(), 2);
    assert_eq!((first[0].cause.as_str(), first[0].at_risk.unwrap().minor), ("it refuses", 3_450));
    filter.after = first.last().map(|task| task.key);
    let second = store.parked(&filter).await.unwrap();
    assert_eq!(second.len(), 1);
    assert!(second[0].key > first[1].key);
    let nobody =
        ParkedFilter { client: Some(fleet_domain::ClientId(1)), ..ParkedFilter::default() };
    assert_eq!(store.parked(&nobody).await.unwrap(), []);
    let cases = ParkedFilter { kind: Some(TaskKind::Case), ..ParkedFilter::default() };
    assert_eq!(store.parked(&cases).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_case_that_somebody_decides_about_is_not_waited_for() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let tasks = PostgresTasks::new(store.clone());
    facts::a_late_success_after_a_failure_opens_a_case(tasks.clone()).await;
    let cases = ParkedFilter { kind: Some(TaskKind::Case), ..ParkedFilter::default() };
    assert_eq!(store.parked(&cases).await.unwrap().len(), 3);
    tasks.advance(Duration::from_secs(90_000)).await;
    let mut decider = database.connection().await.unwrap();
    let held = "begin; select 1 from task where kind = 8 order by purchase desc limit 1 for update";
    sqlx::raw_sql(held).execute(&mut decider).await.unwrap();
    assert_eq!(store.watch_holds().await.unwrap().reminded, 2);
    sqlx::raw_sql("rollback").execute(&mut decider).await.unwrap();
    assert_eq!(store.watch_holds().await.unwrap().reminded, 1);

    // The same where their settlement closes them.
    let settled = "update task set park_cause = 'the hold ran out before the purchase was decided'
                   where kind = 8; update purchase set settle_state = 'captured'";
    sqlx::raw_sql(settled).execute(&mut decider).await.unwrap();
    sqlx::raw_sql(held).execute(&mut decider).await.unwrap();
    assert_eq!(store.watch_holds().await.unwrap().closed, 2);
    sqlx::raw_sql("rollback").execute(&mut decider).await.unwrap();
    assert_eq!(store.watch_holds().await.unwrap().closed, 1);
}

#[tokio::test]
async fn the_summary_adds_up() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let tasks = PostgresTasks::new(store.clone());
    let within = Duration::from_secs(3_600);
    let empty = store.summary(within).await.unwrap();
    assert_eq!(empty, fleet_store::FleetSummary { covers: empty.covers, ..Default::default() });
    assert_eq!((empty.covers.purchases, empty.covers.is_cut), (0, false));
    for _ in 0..2 {
        the_books_of_a_captured_purchase_are_complete(tasks.clone()).await;
    }
    commits::a_delivery_counts_only_attempts_that_were_sent(tasks.clone()).await;
    commits::a_parked_task_tells_its_class_cause_and_money(tasks.clone()).await;
    commits::a_report_row_keeps_what_was_reported(tasks.clone()).await;
    let summary = store.summary(within).await.unwrap();
    assert_eq!(summary.covers.purchases, 5);
    let captured = summary.purchases.iter().find(|row| row.settle_state == "captured").unwrap();
    assert_eq!((captured.purchases, captured.status), (2, PurchaseStatus::Success));
    assert_eq!((captured.scenario.as_str(), captured.way_in.as_str()), ("we_reserve", "http"));
    assert_eq!(summary.purchases.iter().map(|row| row.purchases).sum::<i64>(), 5);
    let money = &summary.money[0];
    assert_eq!((money.reserved, money.captured, money.kept), (6_900, 6_900, 6_900));
    assert_eq!((money.held, money.undecided, money.cancelled), (0, 0, 0));
    assert_eq!(
        (summary.deliveries[0].state.as_str(), summary.deliveries[0].count),
        ("retrying", 1)
    );
    assert_eq!((summary.reports[0].state.as_str(), summary.reports[0].count), ("dead", 1));
    assert_eq!((summary.parked[0].cause.as_str(), summary.parked[0].tasks), ("it refuses", 1));
    let stage = |name: &str| summary.stages.iter().find(|stage| stage.stage == name);
    assert_eq!(stage("accepted to reserved").unwrap().purchases, 2);
    let vend = stage("reserved to dispensed").unwrap();
    assert!(vend.average_ms > 0.0 && vend.p95_ms < 60_000.0, "{vend:?}");
    assert_eq!(stage("dispensed to delivered"), None);

    // It says what the one view says, and of what is open the same to the metrics.
    let mut connection = database.connection().await.unwrap();
    let sql = "select sum(reserved)::bigint, sum(held)::bigint, sum(undecided)::bigint,
                      sum(owed)::bigint, sum(kept)::bigint from money_conservation";
    type Sums = (i64, i64, i64, i64, i64);
    let all: Sums = sqlx::query_as(sql).fetch_one(&mut connection).await.unwrap();
    let sum = |of: fn(&fleet_store::MoneyRow) -> i64| summary.money.iter().map(of).sum::<i64>();
    let here = (sum(|row| row.reserved), sum(|row| row.held), sum(|row| row.undecided));
    assert_eq!((here.0, here.1, here.2, sum(|row| row.owed), sum(|row| row.kept)), all);
    let open = store.money().await.unwrap();
    let open = open.iter().map(|row| row.held + row.undecided + row.owed).sum::<i64>();
    assert_eq!(open, all.1 + all.2 + all.3);

    // Later, what has ended is history, and what has unfinished work is not.
    tasks.advance(Duration::from_secs(7_200)).await;
    let later = store.summary(within).await.unwrap();
    let left: i64 = later.purchases.iter().map(|row| row.purchases).sum();
    let open = "select count(distinct purchase) from task";
    let open: i64 = sqlx::query_scalar(open).fetch_one(&mut connection).await.unwrap();
    assert_eq!((left, later.covers.purchases), (open, open));
}

#[tokio::test]
async fn the_journal_has_partitions_ahead_and_rows_go_there() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    // The database was made with two months ahead; a month may have begun since.
    assert!(store.prepare_partitions().await.unwrap() >= 1, "the third month ahead");
    assert_eq!(store.prepare_partitions().await.unwrap(), 0);
    let tasks = PostgresTasks::new(store);
    commits::a_parked_task_tells_its_class_cause_and_money(tasks).await;
    let mut connection = database.connection().await.unwrap();
    let sql = "select count(*) from journal_default";
    let in_default: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    assert_eq!(in_default, 0);
    let sql = "select count(*) from journal";
    let rows: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    assert_eq!(rows, 1);
}

#[tokio::test]
async fn a_month_that_began_in_the_default_partition_stays_there() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let mut connection = database.connection().await.unwrap();
    let sql = "insert into journal (at, purchase, kind, outcome)
               select clock_timestamp() + interval '3 months', gen_random_uuid(), 1, 'x'";
    sqlx::query(sql).execute(&mut connection).await.unwrap();
    store.prepare_partitions().await.unwrap();
    let sql = "select to_regclass('journal_' || to_char((clock_timestamp() + interval '3 months')
                                                        at time zone 'utc', 'YYYY_MM')) is null";
    let stays: bool = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    assert!(stays);
}

#[tokio::test]
async fn a_foreign_schema_is_refused_with_what_to_run() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    store.check_schema().await.unwrap();
    assert_eq!(store.migrate().await.unwrap(), Vec::<i64>::new());
    let mut connection = database.connection().await.unwrap();
    let sql = "update _sqlx_migrations set version = 999 where version = 3";
    sqlx::query(sql).execute(&mut connection).await.unwrap();
    let error = store.check_schema().await.unwrap_err();
    assert!(error.to_string().contains("fleet migrate"), "{error}");
    let sql = "update _sqlx_migrations set version = 3 where version = 999";
    sqlx::query(sql).execute(&mut connection).await.unwrap();
    let sql =
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
               values (999, 'later', true, '', 0)";
    sqlx::query(sql).execute(&mut connection).await.unwrap();
    let error = store.check_schema().await.unwrap_err();
    assert!(error.to_string().contains("newer than this build"), "{error}");
}

#[tokio::test]
async fn a_store_whose_server_is_away_says_so_in_time_and_without_its_password() {
    let settings = StoreSettings {
        url: "postgres://user:very-secret@127.0.0.1:1/none".to_owned().into(),
        pool_max: 1,
        acquire_timeout: Duration::from_millis(300),
        statement_timeout: Duration::from_secs(1),
        application_name: "test".to_owned(),
    };
    let keyring = fleet_testkit::postgres::keyring().unwrap();
    let store = fleet_store::Store::open(&settings, keyring).unwrap();
    let error = store.ping().await.unwrap_err();
    assert!(matches!(error, StoreError::Retry { .. }));
    assert!(!format!("{error:?} {store:?} {settings:?}").contains("very-secret"));
}
