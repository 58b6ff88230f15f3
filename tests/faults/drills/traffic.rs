//! Purchases of both scenarios, sent without a pause, so many that a wanted number of calls is in
//! flight at the outside parties.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fleet_domain::PurchaseId;
use fleet_simulator::EffectKind;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{RESERVE_AND_TRANSACT, TRANSACT, key_of, purchase};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use tokio::task::JoinHandle;

/// Clients that send at the same time.
const SENDERS: u64 = 48;
/// Purchases whose numbers are looked for in every log; all of them would take too long.
const PRIVATE_MAX: usize = 100;
/// Scripts of the simulator: mostly all is well, sometimes answers get lost or goods are refused.
const CODES: [&str; 12] = [
    "0000", "0000", "0000", "0000", "0000", "0000", "0000", "0000", "9101", "9201", "9202", "9404",
];

/// What was sent so far, and what came back.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    accepted: Mutex<Vec<PurchaseId>>,
    requests: AtomicUsize,
    unanswered: AtomicUsize,
    in_flight: AtomicU64,
    results: AtomicU64,
    stop: AtomicBool,
}

/// Senders at work.
#[derive(Debug)]
pub(crate) struct Traffic {
    sent: Arc<Sent>,
    tasks: Vec<JoinHandle<()>>,
}

impl Traffic {
    /// Sends until it is stopped, and holds back while `in_flight_max` calls are under way.
    pub(crate) fn start(fleet: &Arc<TestFleet>, seed: u64, in_flight_max: u64) -> Self {
        let sent = Arc::new(Sent::default());
        let mut tasks = vec![tokio::spawn(watch(Arc::clone(fleet), Arc::clone(&sent)))];
        for number in 0..SENDERS {
            let (fleet, sent) = (Arc::clone(fleet), Arc::clone(&sent));
            let random = StdRng::seed_from_u64(seed.wrapping_add(number));
            tasks.push(tokio::spawn(send(fleet, sent, random, in_flight_max)));
        }
        Self { sent, tasks }
    }

    /// Calls that the outside parties are serving.
    pub(crate) fn in_flight(&self) -> u64 {
        self.sent.in_flight.load(Ordering::Relaxed)
    }

    /// Results that clients have taken.
    pub(crate) fn results(&self) -> u64 {
        self.sent.results.load(Ordering::Relaxed)
    }

    /// Purchases whose answer said that they are stored.
    pub(crate) fn accepted(&self) -> usize {
        self.lock().len()
    }

    /// Requests, and how many of them were not answered with 200.
    pub(crate) fn requests(&self) -> (usize, usize) {
        let (all, none) = (&self.sent.requests, &self.sent.unanswered);
        (all.load(Ordering::Relaxed), none.load(Ordering::Relaxed))
    }

    /// Sends nothing more; what was accepted.
    pub(crate) async fn stop(mut self) -> Vec<PurchaseId> {
        self.sent.stop.store(true, Ordering::Relaxed);
        for task in self.tasks.drain(..) {
            if let Err(error) = task.await {
                panic!("a sender failed: {error}");
            }
        }
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<PurchaseId>> {
        self.sent.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sent {
    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

async fn watch(fleet: Arc<TestFleet>, sent: Arc<Sent>) {
    while !sent.is_over() {
        let summary = fleet.simulator().summary();
        let parties = summary.parties.values();
        let in_flight = parties.clone().map(|party| party.concurrency).sum();
        sent.in_flight.store(in_flight, Ordering::Relaxed);
        let results = parties.filter_map(|party| party.effects.get(&EffectKind::Result)).sum();
        sent.results.store(results, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn send(fleet: Arc<TestFleet>, sent: Arc<Sent>, mut random: StdRng, in_flight_max: u64) {
    while !sent.is_over() {
        if sent.in_flight.load(Ordering::Relaxed) >= in_flight_max {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        }
        let mut body = purchase(CODES.choose(&mut random).copied().unwrap_or("0000"));
        let path = if random.random_bool(0.5) {
            RESERVE_AND_TRANSACT
        } else {
            body["reserveFundsTxnRef"] = body["clientTxnRef"].clone();
            TRANSACT
        };
        if sent.requests.fetch_add(1, Ordering::Relaxed) < PRIVATE_MAX {
            fleet.keep_private(&body);
        }
        match ask(&fleet, path, &body).await {
            Some(id) => sent.accepted.lock().unwrap_or_else(PoisonError::into_inner).push(id),
            None => {
                sent.unanswered.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// The purchase of an answer that names one: it must exist from then on, whatever its code.
async fn ask(fleet: &TestFleet, path: &str, body: &Value) -> Option<PurchaseId> {
    let request = fleet.http().post(fleet.url(path)).header("x-api-key", key_of(1001));
    let answer = request.timeout(Duration::from_secs(20)).body(body.to_string()).send().await;
    let answer = answer.ok()?;
    if answer.status().as_u16() != 200 {
        return None;
    }
    let told: Value = serde_json::from_str(&answer.text().await.ok()?).ok()?;
    told["raasTxnRef"].as_str()?.parse().ok()
}
