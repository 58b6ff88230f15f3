//! One client floods the gateway while the store stands still: who finds no place is told so while
//! nothing moves, and all others are served as if there were no flood.

use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{Builder, HttpAnswer, key_of, purchase};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::{Value, json};

use crate::gate::{groups, open, shut};

/// Places of one client.
const PLACES: usize = 24;
/// Purchases of one group.
const GROUP: usize = 4;

fn fleet() -> Builder {
    TestFleet::builder()
        .workers(&["gateway"])
        .setting("gateway.requests_per_client", i64::try_from(PLACES).unwrap())
        .setting("gateway.group_max", i64::try_from(GROUP).unwrap())
        .setting("gateway.request_wait_ms", 10_000)
        .setting("database.statement_timeout_ms", 60_000)
}

fn of_client(client: i64) -> Value {
    let mut body = purchase("0000");
    body["clientId"] = client.into();
    body
}

async fn metric(fleet: &TestFleet, name: &str) -> String {
    let text = fleet.admin(fleet.index_of("gateway"), "/metrics").await.text;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_default().trim().to_owned()
}

/// Sends them all at once and waits until so many were told to come again.
macro_rules! flood {
    ($fleet:expr, $bodies:expr, $shed:expr) => {{
        let sent = $bodies.iter().map(async |body| (body, $fleet.transact(body).await));
        let mut sent: FuturesUnordered<_> = sent.collect();
        let mut shed: Vec<&Value> = Vec::new();
        while shed.len() < $shed {
            let (body, answer) = sent.next().await.unwrap();
            assert_eq!((answer.status, answer.code().as_str()), (503, "0001"), "{answer:?}");
            assert_eq!(answer.headers["retry-after"], "1");
            shed.push(body);
        }
        (sent, shed)
    }};
}

/// A supplier's confirmation of nobody's vend.
async fn confirm(fleet: &TestFleet) -> u16 {
    let body = json!({ "vendRef": "x", "responseCode": "0000", "supplierRef": "s-1" }).to_string();
    let signature = fleet_outbound::hmac_sha256_base64("sample-callback-secret", body.as_bytes());
    let url = fleet.url("/callbacks/suppliers/supplier-callback");
    fleet.send(fleet.http().post(url).header("signature", signature).body(body)).await.status
}

async fn nobodys(fleet: &TestFleet) -> HttpAnswer {
    let request = fleet.http().post(fleet.url("/transact/4.0")).header("x-api-key", "nobody's");
    fleet.send(request.body("x".repeat(60_000))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_told_to_come_again_at_once_and_who_comes_after_it_is_in_the_next_group() {
    let fleet = fleet().start().await;
    shut(&fleet).await;
    let flood: Vec<Value> = (0..PLACES * 10).map(|_| of_client(1001)).collect();
    let (mut flooding, shed) = flood!(fleet, flood, PLACES * 9);
    let told = "fleet_shed_total{owner=\"1001\",sort=\"purchase\"}";
    assert_eq!(metric(&fleet, told).await, (PLACES * 9).to_string());
    let failed = "fleet_intake_total{outcome=\"unavailable\",way_in=\"http\"}";
    assert_eq!(metric(&fleet, failed).await, "", "nobody waited for a connection in vain");

    // Whatever else comes meanwhile is served: nothing of it waits for a purchase.
    assert_eq!(confirm(&fleet).await, 200);
    for client in [1001, 1002] {
        let query = "raasTxnRef=0198f000-0000-7000-8000-000000000000";
        assert_eq!(fleet.look_up(client, query).await.status, 404);
    }
    for _ in 0..PLACES {
        assert_eq!(nobodys(&fleet).await.status, 401);
    }
    // Another client has its own places: once one of it is sent away, all others wait in them.
    let other: Vec<Value> = (0..=PLACES).map(|_| of_client(1002)).collect();
    let (mut waiting, others_shed) = flood!(fleet, other, 1);
    assert_eq!(groups(&fleet).await.len(), 0, "all this while nothing was stored");

    open(&fleet).await;
    let mut accepted = Vec::new();
    while let Some((_, answer)) = flooding.next().await {
        accepted.push(answer.accepted());
    }
    while let Some((_, answer)) = waiting.next().await {
        accepted.push(answer.accepted());
    }
    assert_eq!(accepted.len(), PLACES * 2);
    let groups = groups(&fleet).await;
    let stored: usize = groups.iter().map(Vec::len).sum();
    assert_eq!(stored, PLACES * 2, "all that were accepted, once each");
    let before = groups.iter().position(|group| group.contains(&1002)).unwrap();
    assert_eq!(before, 1, "only what had begun went before: {groups:?}");
    for group in &groups[1..=(PLACES - GROUP) / 2] {
        assert_eq!(group, &[1001, 1001, 1002, 1002], "in turns: {groups:?}");
    }

    for body in [shed[0], others_shed[0]] {
        let stored = fleet.transact(body).await.accepted();
        assert_eq!(fleet.transact(body).await.accepted(), stored);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_in_no_group_in_time_is_told_so_and_nothing_of_it_is_stored() {
    let fleet = fleet()
        .setting("gateway.group_max", 1)
        .setting("gateway.request_wait_ms", 200)
        .start()
        .await;
    shut(&fleet).await;
    let bodies: Vec<Value> = (0..6).map(|_| of_client(1001)).collect();
    let (mut sent, shed) = flood!(fleet, bodies, 5);
    open(&fleet).await;
    let (_, answer) = sent.next().await.unwrap();
    answer.accepted();
    assert_eq!(groups(&fleet).await, [[1001]], "none of those that were told to come again");
    for body in shed {
        fleet.transact(body).await.accepted();
    }
    assert_eq!(groups(&fleet).await.len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_hangs_up_cuts_nothing_and_leaves_its_place() {
    let fleet = fleet().setting("gateway.requests_per_client", 2).start().await;
    shut(&fleet).await;
    let bodies: Vec<Value> = (0..3).map(|_| of_client(1001)).collect();
    let (sent, shed) = flood!(fleet, bodies, 1);
    drop(sent);
    open(&fleet).await;
    let both = async || groups(&fleet).await.concat().len() == 2;
    fleet.until("what was given up is stored all the same", both).await;
    for body in shed {
        fleet.transact(body).await.accepted();
    }
    let mut request = fleet.http().post(fleet.url("/transact/4.0"));
    request = request.header("x-api-key", key_of(1001)).body(bodies[0].to_string());
    fleet.send(request).await.accepted();
    assert_eq!(groups(&fleet).await.concat().len(), 3);
}
