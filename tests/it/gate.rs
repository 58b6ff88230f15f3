//! A gate in front of the table of purchases: while it is shut, whatever a group has begun waits, so that
//! a test sees what is in the next one.

use std::collections::BTreeMap;

use fleet_testkit::TestFleet;

/// Whoever waits at it holds no lock that would time out.
const GATE: &str = "
    create table gate (is_shut boolean not null);
    insert into gate values (true);
    create function wait_at_gate() returns trigger language plpgsql volatile as $$
    begin
        while (select is_shut from gate) loop
            perform pg_sleep(0.02);
        end loop;
        return null;
    end $$;
    create trigger gate before insert on purchase for each statement execute function wait_at_gate();";

async fn run(fleet: &TestFleet, sql: &'static str) {
    let mut connection = fleet.database().connection().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
}

/// From now on groups wait.
pub(crate) async fn shut(fleet: &TestFleet) {
    run(fleet, GATE).await;
}

/// Lets them go on.
pub(crate) async fn open(fleet: &TestFleet) {
    run(fleet, "update gate set is_shut = false").await;
}

/// The clients of what is stored, by groups in the order in which these began.
pub(crate) async fn groups(fleet: &TestFleet) -> Vec<Vec<i64>> {
    let sql = "select created_at::text, client_id from purchase order by created_at, client_id";
    let mut connection = fleet.database().connection().await.unwrap();
    let rows: Vec<(String, i64)> = sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap();
    let mut groups = BTreeMap::<String, Vec<i64>>::new();
    for (began, client) in rows {
        groups.entry(began).or_default().push(client);
    }
    groups.into_values().collect()
}
