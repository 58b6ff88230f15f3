//! A merchant that was dead for days and comes back.

use std::time::Duration;

use fleet_domain::{ClientId, DeliveryState};
use fleet_simulator::{Action, Mode};
use fleet_store::DeliveryFilter;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{client, purchase};
use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::order;

/// Results that are due when the merchant comes back.
const DUE: usize = 2_000;
/// Purchases of somebody else meanwhile.
const OTHERS: usize = 40;
/// What the merchant takes at the same time.
const AT_ONCE: u64 = 12;

/// How many of a client's results are acknowledged.
async fn sent(fleet: &TestFleet, client: i64) -> i64 {
    let sql = "select count(*) from delivery where client_id = $1 and state = 'sent'";
    let mut connection = fleet.database().connection().await.unwrap();
    sqlx::query_scalar(sql).bind(client).fetch_one(&mut connection).await.unwrap()
}

async fn count(fleet: &TestFleet, client: i64) -> i64 {
    let sql = "select count(*) from delivery where client_id = $1";
    let mut connection = fleet.database().connection().await.unwrap();
    sqlx::query_scalar(sql).bind(client).fetch_one(&mut connection).await.unwrap()
}

/// Among thousands of random references some would look like card numbers, which are refused.
fn numbered(mut body: Value) -> Value {
    let letter = |_| char::from(rand::random_range(b'a'..=b'z'));
    body["clientTxnRef"] = (0..32).map(letter).collect::<String>().into();
    body
}

/// Somebody else's purchases, told to the end.
async fn others(fleet: &TestFleet) {
    let body = |_| numbered(purchase("0000"));
    let bodies: Vec<_> = (0..OTHERS).map(body).collect();
    let before = sent(fleet, 1001).await;
    stream::iter(&bodies)
        .for_each_concurrent(8, async |body| {
            let _id = fleet.transact(body).await.accepted();
        })
        .await;
    let wanted = before + i64::try_from(OTHERS).unwrap();
    let all = async || sent(fleet, 1001).await == wanted;
    fleet.until_within(Duration::from_secs(120), "the others' results", all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merchant_dead_for_three_days_comes_back_without_hurting_others() {
    let fleet = TestFleet::builder()
        .directory(|import| client(import, 1011).concurrency = i64::try_from(AT_ONCE).unwrap())
        .latency(0, 0)
        .start()
        .await;
    fleet.allow_log("circuit opened");
    fleet.simulator().set_listener(1011, Mode::Dead);
    stream::iter(0..DUE)
        .for_each_concurrent(32, async |_| {
            let _id = fleet.transact(&numbered(order("0000"))).await.accepted();
        })
        .await;
    let due = i64::try_from(DUE).unwrap();
    let all = async || count(&fleet, 1011).await == due;
    fleet.until_within(Duration::from_secs(180), "the merchant's results", all).await;
    fleet.advance_clock(Duration::from_secs(3 * 86_400)).await;

    // Dead: the circuit keeps its results in the table, and others do not notice.
    others(&fleet).await;
    assert_eq!(sent(&fleet, 1011).await, 0);
    let failing = fleet.operator(&["delivery", "failing"]).await;
    assert_eq!(failing["failing"][0]["client_id"], 1011, "{failing}");

    // Back, and slow: others' results all end while its own backlog is still there.
    fleet.simulator().set_listener(1011, Mode::Slow(100));
    let first = async || sent(&fleet, 1011).await > 0;
    fleet.until_within(Duration::from_secs(60), "the probe", first).await;
    others(&fleet).await;
    assert!(sent(&fleet, 1011).await < due, "the merchant's backlog outlives the others' results");

    let all = async || sent(&fleet, 1011).await == due;
    fleet.until_within(Duration::from_secs(240), "the whole backlog", all).await;
    let queued = DeliveryFilter { client: Some(ClientId(1011)), ..DeliveryFilter::default() };
    let queued = DeliveryFilter { state: Some(DeliveryState::Retrying), ..queued };
    assert_eq!(fleet.store().deliveries(&queued).await.unwrap(), []);
    let party = fleet.simulator().summary().parties["client-1011"].clone();
    assert!(party.concurrency_max <= AT_ONCE, "{party:?}");
    assert!(party.calls[&Action::Ipn] >= u64::try_from(DUE).unwrap());
    fleet.assert_all_ended().await;
}
