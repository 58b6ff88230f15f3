//! A connection keeps the plans that it made, whatever the tables were like then. What finds its rows by
//! key reads those and no others once the tables have grown.

#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests and their helpers"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use fleet_domain::{Scenario, TaskKey, TaskKind, later};
use fleet_store::{Earlier, Reference, Store, Stored};
use fleet_testkit::samples::new_purchase;
use fleet_testkit::{PostgresTasks, TestDatabase};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Row};
use uuid::Uuid;

/// Purchases that are added, with all that belongs to each.
const MANY: i64 = 30_000;

/// No table or index is read as many times by all rules together. What goes by key is called by dozens of
/// them, and a single call that does not go by its key reads all of the many.
const READ_MAX: i64 = 8 * MANY;

/// What a rule leaves behind that the next one would see.
const CLEARING: &str = "set enable_seqscan = off;
    delete from task where kind between 1 and 9 and lane < 99;
    delete from charge where funding_source < 'zz';
    delete from heartbeat; delete from lane_permit; delete from lane_state;
    update purchase set dispense_state = 'failed'
    where purchase between ':since' and '01ffffff-ffff-ffff-ffff-ffffffffffff'";

/// Nothing but the connection itself decides when its plans are made, and all calls are counted.
const KEPT: &str = "do $$
    declare one record;
    begin
        for one in select c.oid::regclass as name from pg_class c
                   where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace loop
            execute format('alter table %s set (autovacuum_enabled = false)', one.name);
        end loop;
        execute format('alter database %I set track_functions = %L', current_database(), 'all');
    end $$";

/// What was read of each filled table and each of its indexes.
const READ: &str = "select case when i.indexrelname is null then t.relname
                else t.relname || '.' || i.indexrelname end, i.read
    from pg_stat_user_tables t
    cross join lateral (
        select x.indexrelname::text, x.idx_tup_read as read from pg_stat_user_indexes x
        where x.relid = t.relid
        union all select null, t.seq_tup_read) i
    where t.relname ~ '^(purchase|task|delivery|undelivered|notification|fraud_token|fraud_report|fact|reservation_reference|ledger_entry|result|charge|payment_page|journal.*)$'";

/// How often each function was called.
const CALLED: &str = "select p.proname::text, coalesce(f.calls, 0) from pg_proc p
    left join pg_stat_user_functions f on f.funcid = p.oid
    where p.proname like 'fleet\\_%'";

/// What looks at more than it names, people and upkeep call, or is written into its callers.
const OTHERS: [&str; 24] = [
    "fleet_advance_idle_clock_v1",
    "fleet_begin_replay_v1",
    "fleet_client_credentials",
    "fleet_continue_replay_v1",
    "fleet_decide_letters_v1",
    "fleet_discard_fact_v1",
    "fleet_discard_letters_v1",
    "fleet_end_replay_v1",
    "fleet_import_catalogue_v1",
    "fleet_import_history_v1",
    "fleet_import_v1",
    "fleet_is_other_word",
    "fleet_is_signed",
    "fleet_keep_card_v1",
    "fleet_maintenance_v1",
    "fleet_match_fact_v1",
    "fleet_number_results_v1",
    "fleet_prepare_partitions",
    "fleet_replay_letters_v1",
    "fleet_replayable_v1",
    "fleet_revoke_tokens_v1",
    "fleet_unfinished_v1",
    "fleet_unfit_letters",
    "fleet_watch_holds_v1",
];

/// The rules on one connection.
struct Round {
    store: PostgresTasks,
    /// For what no rule does.
    admin: PgConnection,
}

impl Round {
    fn store(&self) -> PostgresTasks {
        self.store.clone()
    }

    async fn rule(&mut self, rule: impl Future<Output = ()>) {
        let since = Uuid::now_v7().to_string();
        Box::pin(rule).await;
        let clearing = CLEARING.replace(":since", &since);
        sqlx::raw_sql(AssertSqlSafe(clearing)).execute(&mut self.admin).await.unwrap();
    }

    async fn all(&mut self, name: &str) {
        let round = self;
        fleet_testkit::task_store_suite!(run round);
        let store = round.store.store().clone();
        round.rule(look_ups(&store, name)).await;
    }
}

/// What the rules of the task table do not ask.
async fn look_ups(store: &Store, name: &str) {
    let start_by = later(store.now().await.unwrap(), Duration::from_secs(600));
    let new = |number: u32| {
        let reference = format!("{name}-{number}");
        new_purchase(&reference, Scenario::ClientReserved, start_by).unwrap()
    };
    let mut batch: Vec<_> = (0..20).map(new).collect();
    let accepted = store.accept(&batch).await.unwrap();
    let Stored::New(id, _) = accepted.stored[0] else { panic!("not new") };
    let again = store.accept(&batch).await.unwrap();
    assert!(again.stored.iter().all(|stored| matches!(stored, Stored::Same(..))));
    for one in &mut batch {
        one.order.refuse_similar = true;
    }
    store.accept(&batch).await.unwrap();
    let order = &batch[0].order;
    let client = order.order.client;
    let earlier = Earlier {
        client,
        client_txn_ref: order.order.client_txn_ref.clone(),
        content: order.content.clone(),
    };
    assert!(store.accepted_before(&[&earlier]).await.unwrap()[0].is_some());
    for reference in [
        Reference::Ours(id),
        Reference::Client(order.order.client_txn_ref.clone()),
        Reference::Reservation(format!("held-{name}-0")),
    ] {
        assert!(store.find_purchase(client, &reference).await.unwrap().is_some());
    }
    store.progress_of(&[id]).await.unwrap();
    store.open_step(id).await.unwrap();
    store.payment_page(id).await.unwrap();
    store.find_funded_by(id, "nobody").await.unwrap();
    let key = TaskKey { purchase: id, kind: TaskKind::Dispense, slot: 0 };
    store.find_told_by(key, "nobody").await.unwrap();
    store.find_transaction(client, id).await.unwrap();
    store.resend_delivery(id, 1, "again", "somebody").await.unwrap();
    store.paid_for("sample-bank", "T-1").await.unwrap();
}

/// Adds so many purchases, by a connection of its own.
async fn fill(database: &TestDatabase, count: i64) {
    let store = database.store();
    let start_by = later(store.now().await.unwrap(), Duration::from_secs(600));
    let like = format!("like-{}", Uuid::now_v7());
    let new = new_purchase(&like, Scenario::ClientReserved, start_by).unwrap();
    store.accept(std::slice::from_ref(&new)).await.unwrap();
    let filling = include_str!("plans/fill.sql");
    let filling = filling.replace(":count", &count.to_string()).replace(":like", &like);
    let mut connection = database.connection().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(filling)).execute(&mut connection).await.unwrap();
    let own = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut connection).await;
    connection.close().await.unwrap();
    until_gone(database, "pid = $1", own.unwrap()).await;
}

/// Waits until the statistics hold what these connections did.
async fn until_gone(database: &TestDatabase, which: &str, pid: i32) {
    let sql = format!(
        "select count(*) from pg_stat_activity where datname = current_database() and {which}"
    );
    let mut watcher = database.connection().await.unwrap();
    let mut left = 1_i64;
    while left > 0 {
        let ask = sqlx::query_scalar(AssertSqlSafe(sql.clone())).bind(pid);
        left = ask.fetch_one(&mut watcher).await.unwrap();
    }
}

async fn figures(database: &TestDatabase, sql: &'static str) -> BTreeMap<String, i64> {
    let mut connection = database.connection().await.unwrap();
    let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Plans are made while the tables hold so many purchases, then many come.
async fn plans_stay_right(rows: i64, is_analysed: bool) {
    let database = TestDatabase::create().await.unwrap();
    let mut admin = database.connection().await.unwrap();
    sqlx::raw_sql(KEPT).execute(&mut admin).await.unwrap();
    if rows > 0 {
        fill(&database, rows).await;
    }
    if is_analysed {
        sqlx::raw_sql("analyze").execute(&mut admin).await.unwrap();
    }
    let database = database.by_one_connection().unwrap();
    let mut round = Round { store: PostgresTasks::of(&database), admin };
    round.all("few").await;
    fill(&database, MANY).await;
    let before = figures(&database, READ).await;
    let called = figures(&database, CALLED).await;
    round.all("many").await;
    database.store().close().await;
    round.admin.close().await.unwrap();
    until_gone(&database, "pid <> pg_backend_pid() and $1 = 0", 0).await;
    let mut after = figures(&database, READ).await;
    after.retain(|name, read| {
        *read -= before.get(name).copied().unwrap_or(0);
        *read >= READ_MAX
    });
    assert_eq!(after, BTreeMap::new(), "read by a plan that was made for a small table");
    let mut unseen = figures(&database, CALLED).await;
    unseen
        .retain(|name, calls| called.get(name) == Some(calls) && !OTHERS.contains(&name.as_str()));
    let unseen: Vec<_> = unseen.into_keys().collect();
    assert_eq!(unseen, [""; 0], "no rule calls it: name it in `look_ups` or in OTHERS");
}

#[tokio::test]
async fn a_plan_that_was_made_on_tables_known_to_be_empty_stays_right() {
    plans_stay_right(0, true).await;
}

#[tokio::test]
async fn a_plan_that_was_made_on_some_hundred_rows_stays_right() {
    plans_stay_right(300, false).await;
}
