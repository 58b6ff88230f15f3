//! A client that enqueues many purchases keeps nobody else's behind them: each group is filled from one
//! client after the other, as far as the broker's window shows them.

use fleet_contracts::Queue;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{Letter, purchase};

use crate::gate::{groups, open, shut};

/// Of one client, enqueued first: four groups or more, and within the broker's window.
const MANY: usize = 900;
/// Of another, behind them.
const FEW: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_enqueued_behind_another_clients_flood_is_in_the_next_group() {
    let builder = TestFleet::builder().workers(&["reservation"]);
    let fleet = builder.setting("database.statement_timeout_ms", 60_000).start().await;
    shut(&fleet).await;
    let shop = fleet.shop().await;
    for (client, count) in [(1001, MANY), (1002, FEW)] {
        for _ in 0..count {
            let mut body = purchase("0000");
            body["clientId"] = client.into();
            let message = fleet.message(&body, "client_reserved");
            shop.request(&Letter::purchase(&message)).await;
        }
    }
    let handed_out = async || shop.ready(Queue::Requested).await == 0;
    fleet.until("the broker to hand all of them out", handed_out).await;
    open(&fleet).await;
    let all = async || groups(&fleet).await.concat().len() == MANY + FEW;
    fleet.until("all of them to be stored", all).await;
    let groups = groups(&fleet).await;
    let last = groups.iter().rposition(|group| group.contains(&1002)).unwrap();
    let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
    // The first had begun before any of them came; on a busy machine not all are there for the next.
    assert!(last <= 2, "not behind the flood: in group {last} of {sizes:?}");
}
