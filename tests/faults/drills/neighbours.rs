//! One bad neighbour harms nobody: what a healthy party's purchases wait beside a slow supplier, ten of
//! them, a client who floods a supplier, and a dead listener, as ratios to the same beside good ones, who
//! use the machine as much, and to the same alone.

use std::sync::Arc;
use std::time::Duration;

use fleet_simulator::Action;
use fleet_store::DirectoryImport;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{Builder, connector};

use crate::servers::Servers;
use crate::steady::{Load, Phase, Waits, phase};

const ALONE: Duration = Duration::from_secs(30);
const BESIDE: Duration = Duration::from_secs(40);
/// No more than this times what it is beside good neighbours.
const RATIO_MAX: f64 = 1.5;
/// The same within a lane that a flood keeps full: whoever comes finds all permits in use, and some who came
/// before.
const RATIO_MAX_IN_LANE: f64 = 5.0;
/// Waits that differ by less say nothing: one look of the clock.
const NOISE_MS: f64 = 200.0;
const SLOW_MS: u64 = 20_000;
/// Products and suppliers that the drill adds.
const ADDED: i64 = 9_000;
/// Merchants that the drill adds.
const MERCHANTS: i64 = 1_000;

const HEALTHY: Load = Load { client: 1003, product: 101, currency: "ZAR", rate: 5, slow: None };
const DISPENSED: (Option<&str>, &str) = (None, "dispensed");

/// Three clients that send without a signature, and two processes of whatever waits outside.
fn builder() -> Builder {
    TestFleet::builder().latency(20, 60).directory(|import| {
        let sample = import.clients.iter().find(|row| row.client_id == 1001).cloned();
        let sample = sample.unwrap_or_else(|| panic!("the sample has client 1001"));
        for id in [1003, 1004] {
            let mut row = sample.clone();
            row.client_id = id;
            row.api_keys = Some(vec![format!("sample-key-{id}").into()]);
            row.oauth_secrets = None;
            import.clients.push(row);
        }
    })
}

async fn start(builder: Builder) -> Arc<TestFleet> {
    let fleet = Arc::new(builder.start().await);
    fleet.allow_log("");
    for program in ["dispensing", "result-delivery"] {
        fleet.start_worker(program).await;
    }
    fleet
}

/// A product of a supplier of its own that takes no more than so many calls at a time.
fn add_supplier(import: &mut DirectoryImport, number: i64, concurrency: i64) {
    let mut supplier = connector(import, "supplier-plain").clone();
    supplier.name = format!("supplier-{number}");
    supplier.concurrency = concurrency;
    supplier.call_deadline_ms = 40_000;
    import.connectors.push(supplier);
    let product = import.products.iter().find(|row| row.product_id == 301).cloned();
    let mut product = product.unwrap_or_else(|| panic!("the sample has product 301"));
    product.product_id = ADDED + number;
    product.supplier = format!("supplier-{number}");
    import.products.push(product);
}

fn at_supplier(number: i64, client: i64, rate: u32, slow_ms: Option<u64>) -> Load {
    let slow = slow_ms.map(|slow_ms| (Action::Vend, slow_ms));
    Load { client, product: ADDED + number, currency: "KWD", rate, slow }
}

pub(crate) async fn run(servers: Servers) -> String {
    let servers = servers.pids();
    let mut told = Vec::new();

    let fleet = start(builder().directory(|import| add_supplier(import, 0, 128))).await;
    let loads = [HEALTHY, at_supplier(0, 1001, 60, Some(SLOW_MS))];
    told.push(compare("one slow supplier", &fleet, &servers, &loads, DISPENSED).await);
    drop(fleet);

    let ten = |import: &mut DirectoryImport| (0..10).for_each(|n| add_supplier(import, n, 16));
    let fleet = start(builder().directory(ten)).await;
    let mut loads = vec![HEALTHY];
    loads.extend((0..10).map(|number| at_supplier(number, 1001, 6, Some(SLOW_MS))));
    told.push(compare("ten slow of eleven", &fleet, &servers, &loads, DISPENSED).await);
    drop(fleet);

    // It takes 20 a second.
    let fleet = start(builder().directory(|import| add_supplier(import, 0, 4))).await;
    let loads = [at_supplier(0, 1003, 5, Some(200)), at_supplier(0, 1001, 50, Some(200))];
    told.push(compare("a client who floods", &fleet, &servers, &loads, DISPENSED).await);
    drop(fleet);

    let fleet = start(builder().directory(merchants)).await;
    let dead = Load { rate: 30, slow: Some((Action::Result, 100_000)), client: 1001, ..HEALTHY };
    let delivered = (Some("dispensed"), "acknowledged");
    let loads = [HEALTHY, dead];
    told.push(compare("one dead of a thousand", &fleet, &servers, &loads, delivered).await);
    let ratios: Vec<&str> = told.iter().map(|(ratio, _)| ratio.as_str()).collect();
    let ratios = format!("p99 beside bad / good neighbours (/ alone): {}", ratios.join(", "));
    assert!(told.iter().all(|(_, held)| *held), "{ratios}");
    ratios
}

fn merchants(import: &mut DirectoryImport) {
    let sample = import.clients.iter().find(|row| row.client_id == 1003).cloned();
    let sample = sample.unwrap_or_else(|| panic!("the drill added client 1003"));
    for id in 0..MERCHANTS {
        let mut row = sample.clone();
        row.client_id = ADDED + id;
        row.api_keys = None;
        import.clients.push(row);
    }
}

/// The first load alone, beside good neighbours, and beside the bad ones: the ratios, and whether they may
/// be so.
async fn compare(
    name: &str,
    fleet: &Arc<TestFleet>,
    servers: &[u32],
    loads: &[Load],
    words: (Option<&str>, &str),
) -> (String, bool) {
    let well: Vec<Load> = loads.iter().map(good).collect();
    let mut p99 = [0.0; 3];
    let phases =
        [("alone", &well[..1], ALONE), ("good", &well[..], BESIDE), ("bad", loads, BESIDE)];
    for (place, (what, loads, lasts)) in phases.into_iter().enumerate() {
        let phase = phase(fleet, servers, loads, lasts).await;
        let waits = measured(fleet, &loads[0], &phase, words).await;
        let (median, worst) = (waits.percentile(50), waits.percentile(99));
        println!(
            "{name}, {what}: {} of {} ended, p50 {median:.0} p99 {worst:.0} ms, F {:.2}",
            waits.count(),
            phase.accepted[0],
            phase.foreign,
        );
        p99[place] = worst;
    }
    let [alone, good, bad] = p99;
    let is_one_lane = loads.iter().all(|load| load.product == loads[0].product);
    let is_flood = is_one_lane && words == DISPENSED;
    let most = if is_flood { RATIO_MAX_IN_LANE } else { RATIO_MAX };
    let held = bad <= good * most || bad < good + NOISE_MS;
    (format!("{name} {:.2} ({:.2})", bad / good, bad / alone), held)
}

/// The same load, by one who is neither slow nor dead, and who does not flood.
fn good(load: &Load) -> Load {
    let slow = load.slow.filter(|(_, slow_ms)| *slow_ms < SLOW_MS);
    let rate = if slow.is_some() { HEALTHY.rate } else { load.rate };
    Load { slow, rate, ..load.clone() }
}

/// Waits until all of the load's purchases have come so far.
async fn measured(
    fleet: &Arc<TestFleet>,
    load: &Load,
    phase: &Phase,
    words: (Option<&str>, &str),
) -> Waits {
    let all = async || Waits::of(fleet, load, phase, words).await.count() >= phase.accepted[0];
    fleet.until_within(Duration::from_secs(30), "the healthy purchases to end", all).await;
    Waits::of(fleet, load, phase, words).await
}
