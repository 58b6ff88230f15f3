//! A task that cannot start says why: to operators, in a metric, and in the log, once however many
//! wait; and it goes on as soon as that is mended.

use fleet_domain::{PlanClass, PurchaseId, PurchaseStatus, TaskKind};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{client, purchase};

/// How many wait for the same mistake.
const CROWD: usize = 10;

/// Writes into a connector's row what no import would take: a row of another build.
pub(crate) async fn rename_adapter(fleet: &TestFleet, connector: &str, adapter: &str) {
    let mut connection = fleet.database().connection().await.unwrap();
    let sql = "with renamed as (update connector set adapter = $2 where name = $1)
               update directory_version set version = version + 1";
    sqlx::query(sql).bind(connector).bind(adapter).execute(&mut connection).await.unwrap();
}

/// What `fleet purchase show` says of the task, as JSON and as text.
async fn waits_for(fleet: &TestFleet, id: PurchaseId, kind: TaskKind) -> (String, String) {
    let id = id.to_string();
    let shown = fleet.operator(&["purchase", "show", &id]).await;
    let tasks = shown["tasks"].as_array().unwrap();
    let task = tasks.iter().find(|task| task["kind"] == kind.name());
    let causes = task.map(|task| task["waits_for"].to_string()).unwrap_or_default();
    let output = fleet.run("fleet", &["purchase", "show", &id]).await;
    (causes, String::from_utf8_lossy(&output.stdout).into_owned())
}

fn times(log: &str, text: &str) -> usize {
    log.lines().filter(|line| line.contains(text)).count()
}

async fn metric(fleet: &TestFleet, worker: usize, line: &str) -> bool {
    let text = fleet.admin(worker, "/metrics").await.text;
    text.lines().any(|shown| shown == line)
}

/// Purchases that are stored wait for a worker whose connector names no adapter of this build.
async fn says_why(worker: &str, kind: TaskKind, connector: &str, scenario: &str) {
    let others: Vec<&str> = ["gateway", "reservation", "dispensing"]
        .into_iter()
        .filter(|program| *program != worker)
        .collect();
    let fleet = TestFleet::builder()
        .workers(&others)
        .directory(|import| client(import, 1001).answer_within_ms = 100)
        .plan(kind, PlanClass::NotDone, &[1; 100])
        .start()
        .await;
    fleet.allow_log("the lane's tasks cannot be started");
    let mut ids = Vec::new();
    for _ in 0..CROWD {
        let body = purchase("0000");
        let answer = match scenario {
            "client_reserved" => fleet.transact(&body).await,
            _ => fleet.reserve_and_transact(&body).await,
        };
        ids.push(answer.accepted());
    }
    rename_adapter(&fleet, connector, "vent").await;
    let index = fleet.start_worker(worker).await;
    let first = ids[0];
    let cause = format!("connector {connector} names the adapter vent");
    fleet
        .until("the task to be tried", async || {
            let (causes, _) = waits_for(&fleet, first, kind).await;
            causes.contains("ended as not_sent")
        })
        .await;
    let (causes, text) = waits_for(&fleet, first, kind).await;
    assert!(causes.contains(&format!("cannot be started: {cause}")), "{causes}");
    assert!(text.contains(&format!("{} 0: cannot be started: {cause}", kind.name())), "{text}");
    assert_eq!(times(&fleet.log_of(index), "the lane's tasks cannot be started"), lanes(kind));
    let hindered = |is: u8| {
        format!(
            "fleet_lane_hindered{{cause=\"unknown_adapter\",kind=\"{}\",owner=\"{connector}\"}} {is}",
            kind.name()
        )
    };
    fleet.until("the metric to say so", async || metric(&fleet, index, &hindered(1)).await).await;
    // Whoever comes now is told at once, and nothing more is reserved for nothing.
    let refused = async || {
        let answer = fleet.reserve_and_transact(&purchase("0000")).await;
        let message = answer.message();
        let told =
            ["productId is not available", "fundingSourceId is not an active funding source"];
        answer.code() == "4000" && told.iter().any(|told| message.starts_with(told))
    };
    fleet.until("the gateway to know it too", refused).await;
    // Nobody failed who was asked: the circuit is closed, and all goes on once it is mended.
    assert_eq!(times(&fleet.log_of(index), "circuit opened"), 0);
    rename_adapter(&fleet, connector, if kind == TaskKind::Dispense { "vend" } else { "bank" })
        .await;
    for id in ids {
        fleet.wait_status(id, PurchaseStatus::Success).await;
    }
    fleet.until("the metric to be over", async || metric(&fleet, index, &hindered(0)).await).await;
    assert_eq!(times(&fleet.log_of(index), "the lane's tasks cannot be started"), lanes(kind));
}

/// A bank has lanes for what is reserved, settled and refunded.
fn lanes(kind: TaskKind) -> usize {
    if kind == TaskKind::Reserve { 3 } else { 1 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dispense_whose_supplier_has_no_adapter_says_why_and_goes_on_once_it_has() {
    says_why("dispensing", TaskKind::Dispense, "supplier-lookup", "client_reserved").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_whose_supplier_has_no_adapter_says_why_and_goes_on_once_it_has() {
    says_why("dispensing", TaskKind::Dispense, "supplier-lookup", "we_reserve").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reservation_whose_bank_has_no_adapter_says_why_and_goes_on_once_it_has() {
    says_why("reservation", TaskKind::Reserve, "sample-bank", "we_reserve").await;
}
