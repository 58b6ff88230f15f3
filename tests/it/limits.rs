//! What a connector's row allows holds over all processes: counted at the connector.

use std::time::Duration;

use fleet_domain::{PlanClass, PurchaseId, TaskKind};
use fleet_simulator::{Action, Behaviour, Call, EffectKind, PartyCount};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{Builder, connector, purchase};
use futures_util::{StreamExt, stream};
use serde_json::Value;

/// The supplier of the purchases.
const SUPPLIER: &str = "supplier-lookup";
/// On a machine that others use too.
const LONG: Duration = Duration::from_secs(120);
/// The longest call of these fleets, and so what a dead process's permits wait for.
const CALL_MS: i64 = 1_500;

/// A gateway and so many processes that call the supplier.
fn fleet(processes: usize, concurrency: i64, rate: i64) -> Builder {
    let mut programs = vec!["gateway"];
    programs.extend(std::iter::repeat_n("dispensing", processes));
    TestFleet::builder()
        .workers(&programs)
        .plan(TaskKind::Dispense, PlanClass::Unknown, &[1; 30])
        .plan(TaskKind::Dispense, PlanClass::NotDone, &[1; 30])
        .directory(move |import| {
            let row = connector(import, SUPPLIER);
            (row.concurrency, row.rate_per_second) = (concurrency, rate);
            for row in &mut import.connectors {
                row.call_deadline_ms = CALL_MS;
            }
        })
}

/// References of letters: among many random ones some would look like card numbers.
fn numbered(mut body: Value) -> Value {
    let letter = |_| char::from(rand::random_range(b'a'..=b'z'));
    body["clientTxnRef"] = (0..32).map(letter).collect::<String>().into();
    body
}

async fn accept(fleet: &TestFleet, count: usize) -> Vec<PurchaseId> {
    stream::iter(0..count)
        .map(async |_| fleet.transact(&numbered(purchase("0000"))).await.accepted())
        .buffer_unordered(16)
        .collect()
        .await
}

/// Waits until one of these purchases is said to wait for this.
async fn says(fleet: &TestFleet, ids: &[PurchaseId], cause: &str) {
    let said = async || {
        for id in ids {
            let shown = fleet.operator(&["purchase", "show", &id.to_string()]).await;
            if shown["tasks"].to_string().contains(cause) {
                return true;
            }
        }
        false
    };
    fleet.until_within(LONG, cause, said).await;
}

fn supplier(fleet: &TestFleet) -> PartyCount {
    fleet.simulator().summary().parties.get(SUPPLIER).cloned().unwrap_or_default()
}

fn vends(fleet: &TestFleet) -> usize {
    let vends = supplier(fleet).effects.get(&EffectKind::Vend).copied().unwrap_or_default();
    usize::try_from(vends).unwrap()
}

async fn until_vended(fleet: &TestFleet, count: usize) {
    fleet.until_within(LONG, "all vends", async || vends(fleet) == count).await;
}

/// The permits that the dispensing processes hold by the fleet's count.
async fn counted(fleet: &TestFleet) -> (i64, i64) {
    let sql = "select coalesce(sum(m.permits), 0)::bigint, count(distinct m.process)
               from lane_permit m join lane l on l.lane = m.lane
               where l.owner = $1 and m.permits > 0";
    let mut connection = fleet.database().connection().await.unwrap();
    sqlx::query_as(sql).bind(SUPPLIER).fetch_one(&mut connection).await.unwrap()
}

/// The processes that hold permits by the fleet's count.
async fn holders(fleet: &TestFleet) -> Vec<String> {
    let sql = "select distinct m.process::text from lane_permit m join lane l on l.lane = m.lane
               where l.owner = $1 and m.permits > 0";
    let mut connection = fleet.database().connection().await.unwrap();
    sqlx::query_scalar(sql).bind(SUPPLIER).fetch_all(&mut connection).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_under_way_are_never_more_than_the_row_allows_and_as_many() {
    for (concurrency, processes, purchases) in [(4, 3, 60), (2, 3, 30), (1, 10, 20)] {
        let fleet = fleet(processes, concurrency, 0).latency(40, 80).start().await;
        let ids = accept(&fleet, purchases).await;
        let cause = format!("{concurrency} of {concurrency} calls to {SUPPLIER} are taken");
        says(&fleet, &ids[purchases - 8..], &cause).await;
        until_vended(&fleet, purchases).await;
        let seen = supplier(&fleet).concurrency_max;
        let allowed = u64::try_from(concurrency).unwrap();
        assert_eq!(seen, allowed, "{concurrency} allowed, {processes} processes");
        let (permits, _) = counted(&fleet).await;
        assert!(permits <= concurrency, "{permits} of {concurrency}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_holds_over_all_processes() {
    for (rate, processes) in [(10, 3), (20, 3), (5, 2)] {
        let fleet = fleet(processes, 64, rate).latency(0, 0).start().await;
        let wanted = usize::try_from(rate * 5).unwrap();
        drop(accept(&fleet, wanted + 10).await);
        fleet.until_within(LONG, "five seconds of calls", async || vends(&fleet) >= wanted).await;
        let calls = fleet.simulator().calls();
        let mut at: Vec<_> = calls.iter().filter(|call| &*call.party == SUPPLIER).collect();
        at.sort_unstable_by_key(|call| call.at);
        for (first, call) in at.iter().enumerate() {
            for millis in [1_000, 5_000] {
                let is_within = |other: &&&Call| (other.at - call.at).num_milliseconds() < millis;
                let seen = i64::try_from(at[first..].iter().filter(is_within).count()).unwrap();
                // Half a second's calls may come late, all at once.
                let most = rate * (millis + 500) / 1_000 + 1;
                assert!(seen <= most, "{seen} calls in {millis} ms at {rate} a second");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_processs_permits_come_back_once_its_calls_are_over() {
    for concurrency in [1, 2, 5] {
        let fleet = fleet(1, concurrency, 0).latency(900, 1_000).start().await;
        fleet.allow_log("\"level\":\"WARN\"");
        let first = usize::try_from(concurrency).unwrap() * 4;
        drop(accept(&fleet, first).await);
        let busy = u64::try_from(concurrency).unwrap();
        fleet.until_within(LONG, "its calls", async || supplier(&fleet).concurrency == busy).await;
        let second = fleet.start_worker("dispensing").await;
        fleet.kill(fleet.index_of("dispensing"));
        assert!(fleet.exit_of(second).is_none());
        until_vended(&fleet, first).await;
        assert_eq!(supplier(&fleet).concurrency_max, busy);
        let (permits, processes) = counted(&fleet).await;
        assert!(permits <= concurrency && processes <= 1, "{permits} of {processes}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_stops_in_order_gives_its_permits_back_at_once() {
    for concurrency in [1, 3, 8] {
        let fleet = fleet(1, concurrency, 0).latency(300, 400).start().await;
        drop(accept(&fleet, 20).await);
        let busy = u64::try_from(concurrency).unwrap();
        fleet.until_within(LONG, "its calls", async || supplier(&fleet).concurrency == busy).await;
        let first = fleet.index_of("dispensing");
        let [holder] = holders(&fleet).await.try_into().expect("one process");
        fleet.start_worker("dispensing").await;
        fleet.stop(first).await;
        // A dead one's would stay for its lease and its longest call.
        let held = holders(&fleet).await;
        assert!(!held.contains(&holder), "{holder} is gone and holds permits");
        until_vended(&fleet, 20).await;
        assert_eq!(supplier(&fleet).concurrency_max, busy);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_supplier_is_probed_by_one_process_at_a_time() {
    for (processes, failures) in [(3, 2), (2, 3), (4, 1)] {
        let fleet = fleet(processes, 32, 0)
            .latency(200, 200)
            .plan(TaskKind::Dispense, PlanClass::Unknown, &[1; 200])
            .setting("engine.circuit_failures", failures)
            .setting("engine.circuit_open_ms", 500)
            .start()
            .await;
        fleet.allow_log("circuit opened");
        fleet.allow_log("\"level\":\"WARN\"");
        let ids: Vec<PurchaseId> = stream::iter(0..40)
            .map(async |_| {
                let body = numbered(purchase("0000"));
                let target = body["targetIdentifier"].as_str().unwrap();
                let dead = vec![Behaviour::status(503); 500];
                fleet.simulator().script(target, Action::Vend, dead.clone());
                fleet.simulator().script(target, Action::VendLookUp, dead);
                fleet.transact(&body).await.accepted()
            })
            .buffer_unordered(16)
            .collect()
            .await;
        // All of them have seen it fail; from then on only probes come.
        let opened = || {
            let logs = (0..=processes).map(|index| fleet.log_of(index));
            logs.filter(|log| log.contains("circuit opened")).count()
        };
        fleet.until_within(LONG, "all circuits open", async || opened() == processes).await;
        let cause = format!("{SUPPLIER}'s circuit is open in {processes} of the processes");
        says(&fleet, &ids[..3], &cause).await;
        fleet
            .until_within(LONG, "the last calls", async || supplier(&fleet).concurrency <= 1)
            .await;
        let seen = fleet.simulator().calls().len();
        let probed = async || fleet.simulator().calls().len() >= seen + 5;
        fleet.until_within(LONG, "five probes", probed).await;
        let mut at: Vec<_> = fleet.simulator().calls()[seen..].iter().map(|call| call.at).collect();
        at.sort_unstable();
        for two in at.windows(2) {
            let apart = (two[1] - two[0]).num_milliseconds();
            assert!(apart >= 190, "a probe {apart} ms after another that took 200 ms");
        }
    }
}
