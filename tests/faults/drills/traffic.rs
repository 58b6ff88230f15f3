//! Purchases of both scenarios, sent without a pause, so many that a wanted number of calls is in
//! flight at the outside parties.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fleet_domain::PurchaseId;
use fleet_simulator::EffectKind;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{RESERVE_AND_TRANSACT, TRANSACT, key_of, purchase};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::interval;

/// Clients that send at the same time.
const SENDERS: u64 = 48;
/// Tokens of the fraud desk; some are named by several purchases.
const TOKENS: u32 = 100_000;
/// Purchases whose numbers are looked for in every log; all of them would take too long.
const PRIVATE_MAX: usize = 100;
/// Scripts of the simulator: mostly all is well, sometimes answers get lost or goods are refused.
const CODES: [&str; 12] = [
    "0000", "0000", "0000", "0000", "0000", "0000", "0000", "0000", "9101", "9201", "9202", "9404",
];

/// How often the simulator is asked for its figures.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What was sent so far, and what came back.
#[derive(Debug, Default)]
struct Sent {
    accepted: Mutex<Vec<PurchaseId>>,
    requests: AtomicUsize,
    unanswered: AtomicUsize,
    results: AtomicU64,
}

/// Senders at work.
#[derive(Debug)]
pub(crate) struct Traffic {
    sent: Arc<Sent>,
    /// Calls that the outside parties are serving; `None` once nothing more is to be sent.
    in_flight: watch::Sender<Option<u64>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Traffic {
    /// Sends until it is stopped, and holds back while `in_flight_max` calls are under way.
    pub(crate) fn start(fleet: &Arc<TestFleet>, seed: u64, in_flight_max: u64) -> Self {
        let sent = Arc::new(Sent::default());
        let (in_flight, _) = watch::channel(Some(0));
        let looking = look(Arc::clone(fleet), Arc::clone(&sent), in_flight.clone());
        let mut tasks = vec![tokio::spawn(looking)];
        for number in 0..SENDERS {
            let random = StdRng::seed_from_u64(seed.wrapping_add(number));
            let sender = Sender {
                fleet: Arc::clone(fleet),
                sent: Arc::clone(&sent),
                in_flight: in_flight.subscribe(),
                in_flight_max,
            };
            tasks.push(tokio::spawn(sender.run(random)));
        }
        Self { sent, in_flight, tasks }
    }

    /// Calls that the outside parties are serving.
    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.borrow().unwrap_or(0)
    }

    /// Results that clients have taken.
    pub(crate) fn results(&self) -> u64 {
        self.sent.results.load(Ordering::Relaxed)
    }

    /// Purchases whose answer said that they are stored.
    pub(crate) fn accepted(&self) -> usize {
        self.sent.lock().len()
    }

    /// Requests, and how many of them were not answered with 200.
    pub(crate) fn requests(&self) -> (usize, usize) {
        let (all, none) = (&self.sent.requests, &self.sent.unanswered);
        (all.load(Ordering::Relaxed), none.load(Ordering::Relaxed))
    }

    /// Sends nothing more; what was accepted.
    pub(crate) async fn stop(mut self) -> Vec<PurchaseId> {
        self.in_flight.send_replace(None);
        for task in self.tasks.drain(..) {
            if let Err(error) = task.await {
                panic!("a sender failed: {error}");
            }
        }
        self.sent.lock().clone()
    }
}

impl Sent {
    fn lock(&self) -> MutexGuard<'_, Vec<PurchaseId>> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn look(fleet: Arc<TestFleet>, sent: Arc<Sent>, in_flight: watch::Sender<Option<u64>>) {
    let mut often = interval(LOOK_EVERY);
    while in_flight.borrow().is_some() {
        let summary = fleet.simulator().summary();
        let parties = summary.parties.values();
        let now = parties.clone().map(|party| party.concurrency).sum();
        let results = parties.filter_map(|party| party.effects.get(&EffectKind::Result)).sum();
        sent.results.store(results, Ordering::Relaxed);
        in_flight.send_modify(|known| *known = known.map(|_open| now));
        often.tick().await;
    }
}

struct Sender {
    fleet: Arc<TestFleet>,
    sent: Arc<Sent>,
    in_flight: watch::Receiver<Option<u64>>,
    in_flight_max: u64,
}

impl Sender {
    async fn run(mut self, mut random: StdRng) {
        while self.may_send().await {
            let mut body = purchase(CODES.choose(&mut random).copied().unwrap_or("0000"));
            if random.random_bool(0.3) {
                let token = format!("token-{}", random.random_range(0..TOKENS));
                body["additionalData"]["fraud"] = json!({ "token": token, "userIp": "192.0.2.1" });
            }
            let path = if random.random_bool(0.5) {
                RESERVE_AND_TRANSACT
            } else {
                body["reserveFundsTxnRef"] = body["clientTxnRef"].clone();
                TRANSACT
            };
            if self.sent.requests.fetch_add(1, Ordering::Relaxed) < PRIVATE_MAX {
                self.fleet.keep_private(&body);
            }
            match ask(&self.fleet, path, &body).await {
                Some(id) => self.sent.lock().push(id),
                None => {
                    self.sent.unanswered.fetch_add(1, Ordering::Relaxed);
                    // The gateway is away: the next figures come soon enough to try again.
                    drop(self.in_flight.changed().await);
                }
            }
        }
    }

    /// Waits until there is room outside; false when nothing more is to be sent.
    async fn may_send(&mut self) -> bool {
        let room = |now: &Option<u64>| now.is_none_or(|calls| calls < self.in_flight_max);
        self.in_flight.wait_for(room).await.is_ok_and(|now| now.is_some())
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
