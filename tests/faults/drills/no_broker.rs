//! The broker is stopped for a minute under a steady load: purchases end meanwhile, nothing twice, and
//! nothing comes in a burst when it is back. With one process of each kind, and with three.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fleet_domain::PurchaseId;
use fleet_testkit::TestFleet;
use sqlx::Row;

use crate::servers::{Server, Servers};
use crate::steady::{Load, phase};
use crate::verdict;

const LOAD: Load = Load { client: 1001, product: 101, currency: "ZAR", rate: 20, slow: None };
const BEFORE: Duration = Duration::from_secs(20);
const STOPPED: Duration = Duration::from_secs(60);
const AFTER: Duration = Duration::from_secs(20);
const WORKERS: [&str; 4] = ["reservation", "dispensing", "result-delivery", "fraud-reporting"];

pub(crate) async fn run(servers: Servers) -> String {
    let mut told = Vec::new();
    for processes in [1, 3] {
        told.push(stopped(&servers, processes).await);
    }
    told.join("; ")
}

async fn stopped(servers: &Servers, processes: usize) -> String {
    let fleet = Arc::new(verdict::builder().latency(20, 60).start().await);
    fleet.allow_log("");
    for program in WORKERS {
        for _ in 1..processes {
            fleet.start_worker(program).await;
        }
    }
    let pids = servers.pids();
    let before = phase(&fleet, &pids, &[LOAD], BEFORE).await;
    servers.kill(Server::Rabbitmq).await.unwrap_or_else(|error| panic!("{error:#}"));
    let during = phase(&fleet, &[pids[0]], &[LOAD], STOPPED).await;
    servers.start(Server::Rabbitmq).await.unwrap_or_else(|error| panic!("{error:#}"));
    let after = phase(&fleet, &servers.pids(), &[LOAD], AFTER).await;
    let sent = before.accepted[0] + during.accepted[0] + after.accepted[0];
    fleet
        .until_within(Duration::from_secs(120), "all to end", async || {
            ended(&fleet, before.began, Utc::now()).await.iter().sum::<i64>()
                == i64::try_from(sent).unwrap_or(i64::MAX)
        })
        .await;
    let rate = |counts: &[i64]| {
        let all = f64::from(i32::try_from(counts.iter().sum::<i64>()).unwrap_or(i32::MAX));
        all / f64::from(u32::try_from(counts.len()).unwrap_or(1))
    };
    let usual = rate(&ended(&fleet, before.began, before.ended).await);
    let meanwhile = rate(&ended(&fleet, during.began, during.ended).await);
    let back = ended(&fleet, after.began, after.ended + TimeDelta::seconds(10)).await;
    let burst = back.iter().max().copied().unwrap_or(0);
    println!(
        "{processes} of each kind: {usual:.1}/s before (F {:.2}), {meanwhile:.1}/s without a broker \
         (F {:.2}), at most {burst} in one second afterwards (F {:.2})",
        before.foreign, during.foreign, after.foreign,
    );
    assert!(meanwhile >= usual / 2.0, "purchases hardly end without a broker");
    assert!(burst < 5 * i64::from(LOAD.rate), "a burst when the broker was back");
    let verdict = verdict::of(&fleet, &accepted(&fleet).await).await;
    format!("{processes} of each kind: {:.2} of the usual rate; {verdict}", meanwhile / usual)
}

/// How many purchases were dispensed in each second.
async fn ended(fleet: &TestFleet, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<i64> {
    let sql = "select count(j.purchase) as ended
               from generate_series(0, extract(epoch from $2::timestamptz - $1)::integer) s
               left join journal j on j.outcome = 'dispensed' and j.at >= $1 + s * interval '1 second'
                                  and j.at < least($2, $1 + (s + 1) * interval '1 second')
               group by s order by s";
    let mut connection = fleet.database().connection().await.unwrap_or_else(|e| panic!("{e:#}"));
    let rows = sqlx::query(sql).bind(from).bind(to).fetch_all(&mut connection).await;
    rows.unwrap_or_else(|error| panic!("{error}")).iter().map(|row| row.get("ended")).collect()
}

async fn accepted(fleet: &TestFleet) -> Vec<PurchaseId> {
    let mut connection = fleet.database().connection().await.unwrap_or_else(|e| panic!("{e:#}"));
    let ids: Result<Vec<uuid::Uuid>, _> =
        sqlx::query_scalar("select purchase from purchase").fetch_all(&mut connection).await;
    let ids = ids.unwrap_or_else(|error| panic!("{error}"));
    ids.into_iter().map(PurchaseId).collect()
}
