//! One run: send everything, wait for the ends, judge.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::lookup;
use crate::order::{Offers, Order, Way, orders, run_name};
use crate::progress::{Counters, Progress};
use crate::report::{Judged, Report};
use crate::send_amqp::{Broker, Publisher, Replies};
use crate::send_http;
use crate::send_sale::Shop;
use crate::watch::Watch;

/// Connections to the broker at most.
const PUBLISHERS_MAX: usize = 8;
/// The record is read this often.
const POLL_APART: Duration = Duration::from_millis(500);
/// Without any new effect for this long, the rest stands still. Longer than the waits of the
/// sample plans within the first minutes.
const STILL: Duration = Duration::from_secs(75);
/// The last replies may take this long after the last result.
const REPLIES_WAIT: Duration = Duration::from_secs(5);

/// What to send, and to whom.
#[derive(Debug, clap::Args)]
pub(crate) struct Settings {
    /// The gateway's base URL.
    #[arg(long, default_value = "http://127.0.0.1:21081")]
    gateway: String,
    /// The broker's URL; without it everything goes by HTTP.
    #[arg(long, env = "LOAD_AMQP", hide_env_values = true)]
    amqp: Option<String>,
    /// The simulator's base URL.
    #[arg(long, default_value = "http://127.0.0.1:21080")]
    simulator: String,
    /// How many purchases.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    purchases: u32,
    /// How many are being sent at the same time.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,
    /// Seeds the mix.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long to wait for the ends, once everything is sent.
    #[arg(long, default_value_t = 120)]
    wait_seconds: u64,
    /// Leave out purchases that the buyer pays by SMS or by card.
    #[arg(long)]
    without_asked: bool,
    /// Print the report as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What the sender was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Stored, under this reference.
    Accepted {
        /// The response code.
        code: String,
        /// The fleet's reference.
        raas_txn_ref: String,
    },
    /// Confirmed by the broker.
    Confirmed,
    /// Refused for good.
    Rejected {
        /// The response code.
        code: String,
        /// For people.
        cause: String,
    },
    /// No answer after all tries.
    None {
        /// Why the last try failed.
        cause: String,
    },
}

/// One sending.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) at: DateTime<Utc>,
    pub(crate) took: Duration,
    pub(crate) answer: Answer,
}

/// Orders waiting to be sent, and what came of those that were.
struct Work {
    orders: Vec<Order>,
    http: Mutex<VecDeque<usize>>,
    amqp: Mutex<VecDeque<usize>>,
    sent: Mutex<Vec<Option<Sent>>>,
    counters: Counters,
}

impl Work {
    fn new(orders: Vec<Order>) -> Self {
        let places = |http: bool| {
            let wanted = orders.iter().enumerate().filter(|(_, o)| (o.way == Way::Http) == http);
            Mutex::new(wanted.map(|(place, _)| place).collect())
        };
        let (http, amqp) = (places(true), places(false));
        let sent = Mutex::new(vec![None; orders.len()]);
        Self { orders, http, amqp, sent, counters: Counters::default() }
    }

    fn next(&self, queue: &Mutex<VecDeque<usize>>) -> Option<(usize, &Order)> {
        let place = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()?;
        Some((place, self.orders.get(place)?))
    }

    /// Tells the watch which purchases the accepted orders are.
    fn learn(&self, watch: &mut Watch) {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        for (order, sent) in self.orders.iter().zip(sent.iter()) {
            if let Some(Sent { answer: Answer::Accepted { raas_txn_ref, .. }, .. }) = sent {
                watch.is_purchase(order, raas_txn_ref);
            }
        }
    }

    fn done(&self, place: usize, sent: Sent) {
        self.counters.sent.fetch_add(1, Ordering::Relaxed);
        if matches!(sent.answer, Answer::Accepted { .. } | Answer::Confirmed) {
            self.counters.accepted.fetch_add(1, Ordering::Relaxed);
        }
        let mut all = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = all.get_mut(place) {
            *slot = Some(sent);
        }
    }
}

/// Runs and judges.
///
/// # Errors
/// When the simulator or, at the beginning, the broker cannot be reached.
pub(crate) async fn run(settings: &Settings) -> anyhow::Result<Report> {
    let base = |url: &str| url.trim_end_matches('/').to_owned();
    let (gateway, simulator) = (base(&settings.gateway), base(&settings.simulator));
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .pool_idle_timeout(Duration::from_secs(5));
    let http = http.build().context("the HTTP client")?;
    let run = run_name();
    let mut rng = StdRng::seed_from_u64(settings.seed);
    let offers = Offers { amqp: settings.amqp.is_some(), asked: !settings.without_asked };
    let orders = orders(&mut rng, &run, settings.purchases, offers);
    let (mut watch, before) = Watch::begin(http.clone(), &simulator).await?;
    let began = Instant::now();
    let work = Arc::new(Work::new(orders));
    let mut senders = JoinSet::new();
    let mut listener = JoinSet::new();
    let replies = Replies::default();
    if let Some(url) = &settings.amqp {
        let broker = Arc::new(Broker::new(url, &run)?);
        let ready = Arc::new(Notify::new());
        listener.spawn(replies.clone().listen(Arc::clone(&broker), Arc::clone(&ready)));
        ready.notified().await;
        for _ in 0..usize::from(settings.concurrency).min(PUBLISHERS_MAX) {
            senders.spawn(send_by_amqp(Arc::clone(&work), Arc::clone(&broker)));
        }
    }
    for _ in 0..settings.concurrency {
        let outside = (http.clone(), gateway.clone(), simulator.clone());
        senders.spawn(send_by_http(Arc::clone(&work), outside));
    }
    let wait = Duration::from_secs(settings.wait_seconds);
    let stood_still = follow(&work, &mut watch, &mut senders, (wait, settings.json)).await?;
    wait_for_replies(&work, &replies).await;
    let took = began.elapsed();
    let found = lookup::all(&http, &gateway, &work.orders).await;
    watch.poll().await?;
    let after = watch.figures().await?;
    let violations = watch.violations(before.newest).await?;
    let sent = work.sent.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let judged = work.orders.iter().zip(sent).zip(found).map(|((order, sent), found)| {
        let unsent = || Sent {
            at: Utc::now(),
            took: Duration::ZERO,
            answer: Answer::None { cause: "not sent in time".to_owned() },
        };
        let sent = sent.unwrap_or_else(unsent);
        Judged::new(order, sent, replies.get(&order.client_ref), (&found, &watch))
    });
    let judged: Vec<Judged<'_>> = judged.collect();
    let figures = (&before, &after);
    Ok(Report::new(&run, &judged, figures, violations, (took, stood_still)))
}

async fn send_by_http(
    work: Arc<Work>,
    (http, gateway, simulator): (reqwest::Client, String, String),
) {
    let shop = Shop { http: &http, gateway: &gateway, simulator: &simulator };
    while let Some((place, order)) = work.next(&work.http) {
        let sent = send_http::send(&shop, order).await;
        work.done(place, sent);
    }
}

async fn send_by_amqp(work: Arc<Work>, broker: Arc<Broker>) {
    let mut publisher = Publisher::new(broker);
    while let Some((place, order)) = work.next(&work.amqp) {
        let sent = publisher.send(order).await;
        work.done(place, sent);
    }
}

/// Shows the progress until everything has ended; true when the rest stands still.
async fn follow(
    work: &Work,
    watch: &mut Watch,
    senders: &mut JoinSet<()>,
    (wait, quiet): (Duration, bool),
) -> anyhow::Result<bool> {
    let total = u64::try_from(work.orders.len()).unwrap_or(u64::MAX);
    let mut progress = Progress::new(total, quiet);
    let mut all_sent_at = None;
    let mut newest_change = Instant::now();
    let mut open: Vec<&Order> = work.orders.iter().collect();
    let still = loop {
        if watch.poll().await? {
            newest_change = Instant::now();
        }
        work.learn(watch);
        open.retain(|order| !watch.is_final(order));
        let left = u64::try_from(open.len()).unwrap_or(u64::MAX);
        progress.show(&work.counters, total.saturating_sub(left));
        while senders.try_join_next().is_some() {}
        if senders.is_empty() {
            let since = all_sent_at.get_or_insert_with(|| {
                newest_change = Instant::now();
                newest_change
            });
            if open.is_empty() {
                break false;
            }
            if since.elapsed() >= wait || newest_change.elapsed() >= STILL {
                break true;
            }
        }
        sleep(POLL_APART).await;
    };
    progress.finish();
    Ok(still)
}

async fn wait_for_replies(work: &Work, replies: &Replies) {
    let missing = || {
        let mut asked = work.orders.iter().filter(|order| order.way == Way::AmqpReply);
        asked.any(|order| replies.get(&order.client_ref).is_none())
    };
    let all = async {
        while missing() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    // Late ones are counted as missing.
    timeout(REPLIES_WAIT, all).await.ok();
}

#[cfg(test)]
mod tests {
    use fleet_simulator::{Simulator, SimulatorSettings};

    use super::*;
    use crate::tiny_fleet::{Fault, TinyFleet};

    /// Draws a mix without the slowest scripts.
    const SEED: u64 = 12;

    /// Runs against a fleet of a few lines with this fault.
    async fn report(fault: Fault, wait_seconds: u64) -> Report {
        rustls::crypto::ring::default_provider().install_default().ok();
        let fleet = TinyFleet::bind(fault).await;
        let world = Simulator::start(SimulatorSettings::for_tests(&fleet.url)).await.unwrap();
        let simulator = world.url("");
        let settings = Settings {
            gateway: fleet.url.clone(),
            amqp: None,
            simulator,
            purchases: 50,
            concurrency: 8,
            seed: SEED,
            wait_seconds,
            without_asked: true,
            json: true,
        };
        fleet.serve(&world);
        let report = run(&settings).await.unwrap();
        world.stop().await;
        report
    }

    #[tokio::test]
    async fn a_fleet_that_keeps_its_promises_is_good() {
        let report = report(Fault::None, 60).await;
        assert!(report.is_good(), "{report:#?}");
    }

    #[tokio::test]
    async fn a_fleet_that_vends_twice_is_not_good() {
        assert!(!report(Fault::VendsTwice, 60).await.is_good());
    }

    #[tokio::test]
    async fn a_fleet_that_loses_what_it_accepted_is_not_good() {
        assert!(!report(Fault::LosesOne, 3).await.is_good());
    }
}
