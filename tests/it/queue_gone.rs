//! A queue that is deleted under its worker. Workers may declare none, so theirs says so and goes on
//! asking; once the definitions are loaded again it reads on by itself.

use std::time::Duration;

use fleet_contracts::Queue;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::purchase;

/// Who may not declare asks again after ten seconds or more.
const LONG: Duration = Duration::from_secs(90);

async fn consumers(fleet: &TestFleet) -> u64 {
    let queue = fleet.vhost().queue(Queue::Dispense.name()).await.unwrap_or_default();
    queue["consumers"].as_u64().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_reads_on_once_its_deleted_queue_is_there_again() {
    let fleet = TestFleet::builder().workers(&["gateway", "dispensing"]).start().await;
    for text in ["broker session ended", "queue is missing"] {
        fleet.allow_log(text);
    }
    let worker = fleet.index_of("dispensing");
    fleet.until_within(LONG, "its consumer", async || consumers(&fleet).await == 1).await;
    fleet.vhost().delete_queue(Queue::Dispense.name()).await.unwrap();
    let told = "fleet.dispense is missing and this user may not declare it";
    fleet.until_within(LONG, "it to say so", async || fleet.log_of(worker).contains(told)).await;
    assert_eq!(fleet.admin(worker, "/live").await.status, 200);

    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/rabbitmq/definitions.json");
    let definitions = std::fs::read_to_string(path).unwrap();
    fleet.vhost().import_definitions(&definitions).await.unwrap();
    fleet.until_within(LONG, "its consumer again", async || consumers(&fleet).await == 1).await;
    let id = fleet.transact(&purchase("0000")).await.accepted();
    let vended = async || {
        let view = fleet.purchase(id).await;
        view.purchase.progress.supplier_ref.is_some()
    };
    fleet.until_within(LONG, "a purchase to be vended", vended).await;
}
