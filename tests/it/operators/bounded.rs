//! What a command reads is what is open, not what has ever been.

use fleet_domain::TaskKind;
use fleet_testkit::TestFleet;
use uuid::Uuid;

use super::{change, parked, still, stored, text};
use crate::replay::keep;

/// Purchases that have ended, and as many of everything else that is decided.
const HISTORY: i64 = 40_000;
/// Rows that a command may read, of tables and indexes together.
const ROWS_MAX: i64 = 6_000;

/// Waits until nobody but the caller uses the database: what they have read is counted then.
async fn alone(fleet: &TestFleet, application: &'static str) {
    let gone = async || {
        let sql = "select count(*) from pg_stat_activity
                   where datname = current_database() and application_name = $1";
        let query = sqlx::query_scalar(sql).bind(application);
        let mut connection = fleet.database().connection().await.unwrap();
        let count: i64 = query.fetch_one(&mut connection).await.unwrap();
        count == 0
    };
    fleet.until("the command's connections to be gone", gone).await;
}

/// Rows that were read of all tables and indexes so far.
async fn rows_read(fleet: &TestFleet) -> i64 {
    let sql = "select ((select sum(seq_tup_read) from pg_stat_user_tables)
                       + (select sum(idx_tup_read) from pg_stat_user_indexes))::bigint";
    let mut connection = fleet.database().connection().await.unwrap();
    sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
}

async fn history(fleet: &TestFleet) {
    let sql = include_str!("history.sql").replace(":count", &HISTORY.to_string());
    let mut connection = fleet.database().connection().await.unwrap();
    sqlx::raw_sql("set application_name = 'history'").execute(&mut connection).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    for table in ["task", "purchase", "delivery", "fact", "dead_letter", "journal", "ledger_entry"]
    {
        let sql = format!("vacuum analyze {table}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    }
    sqlx::Connection::close(connection).await.unwrap();
    alone(fleet, "history").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_command_reads_does_not_grow_with_what_has_ended() {
    let fleet = still().await;
    history(&fleet).await;
    let mut open = Vec::new();
    for kind in [TaskKind::Reserve, TaskKind::Settle, TaskKind::Case] {
        let id = stored(&fleet, 3_450, "ZAR").await;
        parked(&fleet, id, kind, "unknown_outcome", "nobody can tell").await;
        open.push(id);
    }
    let letter = keep(&fleet, "conflict", 2).await[0].to_string();
    let facts = "insert into fact (source, fact_type, reference, status, external_id, meaning,
                                   received_at)
                 select 'callback:supplier-callback', 'vend', 'r' || n, 's', 'x', '', fleet_now()
                 from generate_series(1, 3) n where $1::uuid is not null";
    change(&fleet, facts, Uuid::nil()).await;
    let failed = "with d as (
            insert into delivery (purchase, slot, client_id, channel, body_sealed, state, created_at)
            values ($1, 1, 1001, 'ipn', '\\x00', 'failed', fleet_now()) returning *)
        insert into undelivered (purchase, slot, client_id, channel, state, ended_at)
        select purchase, slot, client_id, channel, state, created_at from d";
    change(&fleet, failed, open[0].0).await;
    let id = open[0].to_string();
    let commands: [&[&str]; 24] = [
        &["summary"],
        &["summary", "--since", "6h"],
        &["dead", "list"],
        &["dead", "list", "--cause", "conflict"],
        &["dead", "list", "--state", "stored"],
        &["dead", "list", "--state", "discarded", "--cause", "conflict"],
        &["dead", "list", "--client", "1002"],
        &["dead", "show", &id],
        &["dead", "show", &letter],
        &["dead", "replays"],
        &["dead", "replay", "--cause", "conflict", "--reason", "mended", "--dry-run"],
        &["purchase", "show", &id],
        &["callback", "list"],
        &["callback", "list", "--connector", "mo-sample"],
        &["delivery", "list"],
        &["delivery", "list", "--client", "1001"],
        &["delivery", "list", "--client", "1002"],
        &["delivery", "list", "--state", "failed"],
        &["delivery", "list", "--state", "retrying", "--client", "1001"],
        &["delivery", "failing"],
        &["delivery", "show", &id],
        &["terms", "history"],
        &["terms", "history", "1001.7"],
        &["client", "history"],
    ];
    for command in commands {
        // The server's own upkeep may read beside it once, but not each time.
        let (mut read, mut shown) = (i64::MAX, String::new());
        for _ in 0..3 {
            let before = rows_read(&fleet).await;
            shown = text(&fleet, command).await;
            alone(&fleet, "fleet-fleet").await;
            read = read.min(rows_read(&fleet).await - before);
            if read < ROWS_MAX {
                break;
            }
        }
        assert!(read < ROWS_MAX, "{command:?} reads {read} rows: {shown}");
        assert!(read > 0, "{command:?}: nothing is counted");
    }
    let failing = fleet.operator(&["delivery", "failing"]).await;
    assert_eq!(failing["failing"][0]["failed"], 1, "{failing}");
    let summary = fleet.operator(&["summary"]).await;
    assert_eq!(summary["covers"]["purchases"], 3, "what is open, however much has ended");
    assert_eq!(summary["undecided_callbacks"], 3, "{summary}");
}
