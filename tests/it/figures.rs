//! Figures of the running programs: each one moves, and none outlives what it counts.

use std::collections::BTreeSet;
use std::time::Duration;

use fleet_domain::{PlanClass, PurchaseId, ReserveState, TaskKind, TaskState};
use fleet_simulator::{Action, AnswerKind, Behaviour};
use fleet_store::BacklogRow;
use fleet_telemetry::METRIC_NAMES;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{Letter, connector, purchase};
use serde_json::json;
use tokio::time::Instant;

use crate::setups::rename_adapter;
use crate::unknown::{at_plain, impatient, target};

/// Gauges of what is in the database.
const OF_THE_DATABASE: [&str; 7] = [
    "fleet_backlog_tasks",
    "fleet_facts_unmatched",
    "fleet_holds",
    "fleet_money_minor",
    "fleet_oldest_due_seconds",
    "fleet_parked_tasks",
    "fleet_unfinished_seconds",
];
/// Gauges of a process that has more to do than its supplier takes, and a lane that it cannot serve.
const OF_DISPENSING: [&str; 3] =
    ["fleet_in_flight_tasks", "fleet_lane_hindered", "fleet_unclaimed_tasks"];
/// What a flood and a full disk cost: the tests of both look at these.
const OF_TROUBLE: [&str; 2] = ["fleet_log_lines_dropped_total", "fleet_shed_total"];
/// A look that is slow is followed by a pause of a hundred times its length.
const SOON: Duration = Duration::from_secs(60);

/// The samples of the programs that run: name, labels, value.
async fn samples(fleet: &TestFleet, running: &[usize]) -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for index in running {
        let text = fleet.admin(*index, "/metrics").await.text;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = name.split_once('{').unwrap_or((name, ""));
            let name = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| name.strip_suffix(end).filter(|name| METRIC_NAMES.contains(name)))
                .unwrap_or(name);
            all.push((name.to_owned(), labels.to_owned(), value.to_owned()));
        }
    }
    all
}

/// Looks until each of these has had another value than none in some program.
async fn wait_moved(fleet: &TestFleet, running: &[usize], names: &[&str]) {
    let mut missing: BTreeSet<&str> = names.iter().copied().collect();
    let began = Instant::now();
    while !missing.is_empty() {
        assert!(began.elapsed() < Duration::from_secs(40), "these never move: {missing:?}");
        for (name, _, value) in samples(fleet, running).await {
            if value != "0" {
                missing.remove(name.as_str());
            }
        }
    }
}

/// Those of the database that are not none.
async fn left(fleet: &TestFleet, running: &[usize]) -> Vec<(String, String, String)> {
    let mut left = samples(fleet, running).await;
    left.retain(|(name, _, value)| OF_THE_DATABASE.contains(&name.as_str()) && value != "0");
    left
}

/// Purchases in every way in, one that waits for a person, and one on a hold that gets old.
async fn drive(fleet: &TestFleet) {
    for number in 0..4 {
        let mut body = purchase("0000");
        let asked = if number % 2 == 0 {
            fleet.transact(&body).await
        } else {
            fleet.reserve_and_transact(&body).await
        };
        asked.accepted();
        body["purchaseAmount"] = 1_600.into();
        assert_eq!(fleet.transact(&body).await.status, 409);
    }
    let shop = fleet.shop().await;
    fleet.allow_log("dead letter");
    let mut body = purchase("0000");
    body["scenario"] = "client_reserved".into();
    body["colour"] = "red".into();
    shop.request(&Letter::purchase(&body)).await;
    shop.request(&Letter::new("no purchase")).await;
    // A confirmation about nobody.
    let told =
        json!({ "vendRef": format!("{}-0000", uuid::Uuid::now_v7()), "responseCode": "0000" });
    let text = told.to_string();
    let signature = fleet_outbound::hmac_sha256_base64("sample-callback-secret", text.as_bytes());
    let url = fleet.url("/callbacks/suppliers/supplier-callback");
    let told = fleet.http().post(url).header("signature", signature).body(text);
    assert_eq!(fleet.send(told).await.status, 200);
}

/// Six at once at a supplier that takes one at a time and never answers: five are held, all are parked.
async fn park(fleet: &TestFleet) -> Vec<PurchaseId> {
    let mut parked = Vec::new();
    for _ in 0..6 {
        let body = at_plain(purchase("0000"));
        fleet.keep_private(&body);
        let lost = vec![Behaviour::effect_then(AnswerKind::Hang)];
        fleet.simulator().script(target(&body), Action::Vend, lost);
        parked.push(fleet.transact(&body).await.accepted());
    }
    parked
}

/// One line for each, that says whose fault it is and why.
fn assert_told(log: &str, parked: &[PurchaseId]) {
    for id in parked {
        let id = id.to_string();
        let told = |line: &&str| line.contains("a task is parked") && line.contains(&id);
        let lines: Vec<&str> = log.lines().filter(told).collect();
        let [line] = lines[..] else { panic!("{lines:?}") };
        for word in ["\"WARN\"", "\"dispense\"", "\"unknown_outcome\"", "\"cause\""] {
            assert!(line.contains(word), "no {word} in {line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_figure_moves_and_what_is_gone_is_shown_as_none() {
    let fleet = impatient()
        .workers(&["gateway", "reservation", "result-delivery", "fraud-reporting", "dispensing"])
        .directory(|import| {
            connector(import, "supplier-plain").concurrency = 1;
            connector(import, "sample-bank").hold_seconds = Some(1_000);
        })
        .plan(TaskKind::Dispense, PlanClass::NotDone, &[900, 900, 900])
        .start()
        .await;
    fleet.allow_log("unsettled holds are past half of their time");
    fleet.allow_log("invariant is broken");
    fleet.allow_log("the lane's tasks cannot be started");
    rename_adapter(&fleet, "sandbox-supplier", "vent").await;
    let (dispensing, mut running) = (fleet.index_of("dispensing"), vec![0, 1, 2, 3]);
    drive(&fleet).await;
    let parked = park(&fleet).await;
    let both = [running.clone(), vec![dispensing]].concat();
    wait_moved(&fleet, &both, &OF_DISPENSING).await;
    let held = fleet.reserve_and_transact(&purchase("9220")).await.accepted();
    fleet.wait_reserve(held, ReserveState::Reserved).await;
    for id in &parked {
        fleet.wait_parked(*id).await;
    }
    let refused = async || {
        fleet.purchase(held).await.journal.iter().any(|row| row.outcome == "refused_for_now")
    };
    fleet.until("a vend to be refused", refused).await;

    assert_told(&fleet.log_of(dispensing), &parked);

    // Work that nobody takes up, books that are broken, and a second process that looks at the holds.
    fleet.stop(dispensing).await;
    fleet.transact(&purchase("0000")).await.accepted();
    fleet.advance_clock(Duration::from_secs(510)).await;
    let mut connection = fleet.database().connection().await.unwrap();
    let victim = "update ledger_entry set amount = amount + 1 where step = 1";
    sqlx::raw_sql(victim).execute(&mut connection).await.unwrap();
    running.push(fleet.start_worker("reservation").await);
    let (clock, seen) = ("fleet_clock_tasks_total", OF_DISPENSING);
    let others = |name: &&str| *name != clock && !seen.contains(name) && !OF_TROUBLE.contains(name);
    wait_moved(&fleet, &running, &METRIC_NAMES.into_iter().filter(others).collect::<Vec<_>>())
        .await;
    wait_moved(&fleet, &running[4..], &OF_THE_DATABASE).await;
    // Only the clock brings back what has waited.
    running.push(fleet.start_worker("dispensing").await);
    fleet.advance_clock(Duration::from_secs(400)).await;
    wait_moved(&fleet, &running[5..], &[clock]).await;

    let waits = |row: &BacklogRow| row.state == TaskState::Waiting;
    let quiet = async || fleet.open_tasks().await.iter().all(waits);
    fleet.until("nothing to be under way", quiet).await;

    // What is gone is gone from every program.
    let empty = "truncate task, fact, ledger_entry, purchase cascade";
    sqlx::raw_sql(empty).execute(&mut connection).await.unwrap();
    let began = Instant::now();
    while !left(&fleet, &running).await.is_empty() {
        assert!(began.elapsed() < SOON, "still shown: {:?}", left(&fleet, &running).await);
    }
    // Every value that there can be is told, not only those that there were.
    let told = samples(&fleet, &running[..1]).await;
    let count = |name: &str| told.iter().filter(|one| one.0 == name).count();
    assert_eq!((count("fleet_backlog_tasks"), count("fleet_parked_tasks")), (9 * 4, 6));
    assert_eq!((count("fleet_oldest_due_seconds"), count("fleet_unfinished_seconds")), (9, 9 * 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_counted_by_route_and_purchases_by_how_they_came_and_ended() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    let body = purchase("0000");
    fleet.transact(&body).await.accepted();
    fleet.transact(&body).await.accepted();
    let mut other = body.clone();
    other["purchaseAmount"] = 1_600.into();
    assert_eq!(fleet.transact(&other).await.status, 409);
    other["productId"] = 999.into();
    other["clientTxnRef"] = "other".into();
    assert_eq!(fleet.transact(&other).await.status, 400);
    let get = async |path: &str| fleet.send(fleet.http().get(fleet.url(path))).await.status;
    let refused = get("/api/transactions/27820001234?accountID=1").await;
    assert!((400..500).contains(&refused), "{refused}");
    assert_eq!(get("/nowhere/27820001234?msisdn=27820001234").await, 404);
    let url = fleet.url("/transact/4.0");
    let invented = reqwest::Method::from_bytes(b"INVENTED").unwrap();
    assert_eq!(fleet.send(fleet.http().request(invented, url)).await.status, 405);
    let told = fleet.admin(fleet.index_of("gateway"), "/metrics").await.text;
    let count = |labels: &str| {
        let ends = [format!("_count{{{labels}}} "), format!("_total{{{labels}}} ")];
        let line = told.lines().find(|line| ends.iter().any(|end| line.contains(end)));
        line.map(|line| line.rsplit(' ').next().unwrap().to_owned())
    };
    for (labels, times) in [
        ("method=\"POST\",route=\"/transact/4.0\",status=\"2xx\"", "2"),
        ("method=\"POST\",route=\"/transact/4.0\",status=\"4xx\"", "2"),
        ("method=\"GET\",route=\"/api/transactions/{id}\",status=\"4xx\"", "1"),
        // One asked whether the gateway serves yet.
        ("method=\"GET\",route=\"none\",status=\"4xx\"", "2"),
        ("method=\"other\",route=\"/transact/4.0\",status=\"4xx\"", "1"),
        ("outcome=\"created\",way_in=\"http\"", "1"),
        ("outcome=\"repeated\",way_in=\"http\"", "1"),
        ("outcome=\"conflict\",way_in=\"http\"", "1"),
        ("outcome=\"rejected\",way_in=\"http\"", "1"),
    ] {
        assert_eq!(count(labels).as_deref(), Some(times), "{labels} in {told}");
    }
    assert!(!told.contains("27820001234"), "{told}");
}
