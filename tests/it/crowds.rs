//! Many purchases at once: processes that come and go, a broker that is away.

use std::time::Duration;

use fleet_domain::{PlanClass, PurchaseId, PurchaseStatus, TaskKind};
use fleet_simulator::EffectKind;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{Builder, HttpAnswer, Letter, PROGRAMS, client, purchase};
use futures_util::StreamExt;
use serde_json::Value;

/// A hint whose loss cannot be told at the clock's first look is found at its second, two minutes
/// later.
const LONG: Duration = Duration::from_secs(240);

/// Plans of seconds, so that what is asked again is asked soon.
fn quick() -> Builder {
    let mut builder = TestFleet::builder().latency(0, 5);
    for (kind, class) in [
        (TaskKind::Reserve, PlanClass::NotDone),
        (TaskKind::Reserve, PlanClass::Unknown),
        (TaskKind::Dispense, PlanClass::NotDone),
        (TaskKind::Dispense, PlanClass::Unknown),
        (TaskKind::Dispense, PlanClass::Pending),
        (TaskKind::Settle, PlanClass::NotDone),
        (TaskKind::Settle, PlanClass::Unknown),
        (TaskKind::Deliver, PlanClass::NotDone),
    ] {
        builder = builder.plan(kind, class, &[1; 40]);
    }
    builder.directory(|import| {
        client(import, 1001).answer_within_ms = 500;
    })
}

async fn over_http(fleet: &TestFleet, bodies: &[(Value, &str)]) -> Vec<HttpAnswer> {
    let asked = bodies.iter().map(|(body, scenario)| async move {
        match *scenario {
            "we_reserve" => fleet.reserve_and_transact(body).await,
            _ => fleet.transact(body).await,
        }
    });
    futures_util::stream::iter(asked).buffer_unordered(24).collect().await
}

async fn over_amqp(fleet: &TestFleet, bodies: &[(Value, &str)]) {
    let shop = fleet.shop().await;
    for (body, scenario) in bodies {
        shop.request(&Letter::purchase(&fleet.message(body, scenario))).await;
    }
}

/// Purchases of both scenarios whose targets have these scripts, in turn.
fn mixed(count: usize, codes: &[&str]) -> Vec<(Value, &'static str)> {
    let codes = codes.iter().cycle();
    let scenarios = ["we_reserve", "client_reserved", "we_reserve"].into_iter().cycle();
    codes.zip(scenarios).take(count).map(|(code, scenario)| (purchase(code), scenario)).collect()
}

/// Those whose listener takes the result and resets the connection.
fn lost(purchases: &[(Value, &str)]) -> usize {
    let target = |body: &Value| body["targetIdentifier"].as_str().unwrap().to_owned();
    purchases.iter().filter(|(body, _)| target(body).ends_with("9404")).count()
}

async fn total(fleet: &TestFleet) -> i64 {
    fleet.summary().await.purchases.iter().map(|row| row.purchases).sum()
}

/// Every purchase has ended, was vended and told once, and the books agree. `again` results were
/// acknowledged in vain, and are told twice.
async fn all_ended_once(fleet: &TestFleet, count: i64, again: usize) {
    fleet.until_within(LONG, "everything to be stored", async || total(fleet).await == count).await;
    fleet.wait_idle(LONG).await;
    fleet.assert_conserved().await;
    assert!(fleet.parked().await.is_empty(), "{:?}", fleet.parked().await);
    let summary = fleet.summary().await;
    let pending = summary.purchases.iter().filter(|row| row.status == PurchaseStatus::Pending);
    assert_eq!(pending.count(), 0, "{:?}", summary.purchases);
    assert!(summary.money.iter().all(|row| row.held == 0), "{:?}", summary.money);
    let of = |status| -> i64 {
        let rows = summary.purchases.iter().filter(|row| row.status == status);
        rows.map(|row| row.purchases).sum()
    };
    let outside = fleet.simulator().summary();
    let effects = |kind| i64::try_from(outside.effect_count(kind)).unwrap();
    assert_eq!(effects(EffectKind::Vend), of(PurchaseStatus::Success), "one vend each");
    let again = i64::try_from(again).unwrap();
    assert_eq!(effects(EffectKind::Result), count + again, "one result each");
    assert_eq!(outside.holds_open, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_mixed_purchases_take_effect_once_each() {
    let fleet = quick().start().await;
    let codes = [
        "0000", "0000", "9101", "0000", "9201", "0000", "9202", "9205", "0000", "9203", "0000",
        "9106", "9204", "0000", "9122", "0000", "9404",
    ];
    // Banks and suppliers that lose answers by the dozen look as if they were down.
    fleet.allow_log("circuit opened");
    let purchases = mixed(1_000, &codes);
    let (http, amqp) = purchases.split_at(500);
    let (answers, ()) = tokio::join!(over_http(&fleet, http), over_amqp(&fleet, amqp));
    for answer in &answers {
        assert!(answer.status == 200, "{answer:?}");
    }
    all_ended_once(&fleet, 1_000, lost(&purchases)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_second_process_of_each_kind_may_come_and_go_while_purchases_run() {
    let fleet = quick().latency(5, 40).start().await;
    let purchases = mixed(300, &["0000", "0000", "9201", "9202", "9404"]);
    let (http, amqp) = purchases.split_at(150);
    let workers: Vec<&str> = PROGRAMS.into_iter().filter(|name| *name != "gateway").collect();
    let come_and_go = async {
        for program in workers {
            let second = fleet.start_worker(program).await;
            // The first goes and the second stays, or the other way round.
            let first = fleet.index_of(program);
            fleet.stop(if program == "dispensing" { second } else { first }).await;
        }
    };
    let ((), answers, ()) =
        tokio::join!(come_and_go, over_http(&fleet, http), over_amqp(&fleet, amqp));
    for answer in &answers {
        answer.accepted();
    }
    // A hint that got lost with its process is found at the clock's second look, two minutes after
    // the first: nobody has to wait for that here.
    fleet.until_within(LONG, "everything to be stored", async || total(&fleet).await == 300).await;
    fleet.advance_clock(Duration::from_secs(121)).await;
    all_ended_once(&fleet, 300, lost(&purchases)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_broker_purchases_come_in_and_end_all_the_same() {
    let fleet = quick().with_broker_proxy().start().await;
    // Programs say that they lost the broker, and that they are not what they should be.
    for text in ["broker", "connection", "consum", "publish"] {
        fleet.allow_log(text);
    }
    let earlier = fleet.reserve_and_transact(&purchase("0000")).await.accepted();
    fleet.wait_final(earlier).await;
    fleet.broker_proxy().cut();
    let worker = fleet.index_of("reservation");
    fleet
        .until("the worker to miss the broker", async || {
            fleet.admin(worker, "/ready").await.status == 503
        })
        .await;
    let purchases = mixed(40, &["0000"]);
    let answers = over_http(&fleet, &purchases).await;
    let ids: Vec<PurchaseId> = answers.iter().map(HttpAnswer::accepted).collect();
    assert_eq!(ids.len(), 40);
    let gateway = fleet.index_of("gateway");
    assert_eq!(fleet.admin(gateway, "/ready").await.status, 200, "it can do its job");
    assert_eq!(fleet.admin(worker, "/live").await.status, 200, "a restart would help nobody");
    // Hints are speed, not life.
    all_ended_once(&fleet, 41, 0).await;
    assert_eq!(fleet.admin(worker, "/ready").await.status, 503);
    fleet.broker_proxy().heal();
    fleet.until_ready(worker).await;
    let later = fleet.reserve_and_transact(&purchase("0000")).await.accepted();
    fleet.wait_final(later).await;
    all_ended_once(&fleet, 42, 0).await;
}
