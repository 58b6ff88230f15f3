//! One round: everything empty, purchases enqueued, then the workers started and timed until the
//! last task has ended.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::programs::Programs;
use super::servers::Look;
use super::usage::{Machine, Processes};
use super::{Settings, Show};
use crate::order::{plain_orders, run_name};

/// How often the simulator is asked how far it is, and the database whether all has ended.
const LOOK_APART: Duration = Duration::from_millis(50);
/// Without any new effect for this long, the round has failed.
const STILL: Duration = Duration::from_secs(60);
/// What must take effect once for each purchase.
const EFFECTS: [&str; 5] = ["reserve", "vend", "capture", "result", "report"];
/// The fleet's metrics that explain a figure.
const METRICS: [&str; 6] = [
    "fleet_group_tasks_sum",
    "fleet_group_tasks_count",
    "fleet_claim_verdicts_total",
    "fleet_clock_tasks_total",
    "fleet_published_hints_total",
    "fleet_store_round_trip_seconds_",
];

/// How the workers work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    /// Each claim and commit is one task's, each hint of theirs names one; many at the same time.
    OneAtATime,
    /// The defaults.
    Grouped,
}

impl Mode {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::OneAtATime => "one at a time",
            Self::Grouped => "grouped",
        }
    }

    /// The settings that differ from the defaults.
    pub(super) fn settings(self) -> BTreeMap<&'static str, String> {
        let pairs: &[_] = match self {
            Self::OneAtATime => &[
                ("FLEET__ENGINE__GROUP_MAX", "1"),
                ("FLEET__ENGINE__GROUPS_AT_ONCE", "16"),
                ("FLEET__ENGINE__LINGER_MS", "0"),
                ("FLEET__BROKER__PREFETCH", "100"),
            ],
            Self::Grouped => &[],
        };
        pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
    }
}

/// What a round measured.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Round {
    pub(super) mode: Mode,
    pub(super) purchases: u32,
    pub(super) seconds: f64,
    pub(super) purchases_per_second: f64,
    /// CPU time by process.
    pub(super) cpu_us_per_purchase: BTreeMap<String, u64>,
    pub(super) wal_bytes_per_purchase: u64,
    /// The share of all CPU time that other processes took.
    pub(super) foreign: f64,
    /// The share of all CPU time that nobody took.
    pub(super) idle: f64,
    pub(super) metrics: BTreeMap<String, f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct World {
    parties: BTreeMap<String, Party>,
    holds_open: u64,
    duplicates: BTreeMap<String, u64>,
    repeats: BTreeMap<String, u64>,
    violations_by_rule: BTreeMap<String, u64>,
}

#[derive(Debug, Default, Deserialize)]
struct Party {
    effects: BTreeMap<String, u64>,
}

impl World {
    fn count(&self, kind: &str) -> u64 {
        self.parties.values().filter_map(|party| party.effects.get(kind)).sum()
    }

    /// The least of what must take effect.
    fn ended(&self) -> u64 {
        EFFECTS.iter().map(|kind| self.count(kind)).min().unwrap_or(0)
    }

    fn effects(&self) -> u64 {
        EFFECTS.iter().map(|kind| self.count(kind)).sum()
    }
}

/// Runs one round.
///
/// # Errors
/// When anything is in the way, a purchase does not end well, or anything took effect twice.
pub(super) async fn round(
    settings: &Settings,
    http: &reqwest::Client,
    (mode, purchases): (Mode, u32),
    show: &mut Show,
) -> anyhow::Result<Round> {
    let (servers, places) = (&settings.servers, &settings.places);
    show.step("emptying, enqueueing");
    servers.empty().await?;
    places.prepare(servers).await?;
    let mut simulator = places.simulator(http).await?;
    let mut rng = StdRng::seed_from_u64(1);
    servers.enqueue(&plain_orders(&mut rng, &run_name(), purchases)).await?;
    let mut look = servers.look().await?;

    let standing = [("postgres", settings.postgres_pid), ("rabbitmq", settings.rabbitmq_pid)];
    let standing: Vec<_> = standing.into_iter().chain(simulator.pids()).collect();
    let own = std::process::id();
    let before = Processes::now()?;
    let machine_before = Machine::now()?;
    let wal_before = look.wal_bytes().await?;
    let began = Instant::now();
    let mut workers = places.workers(servers, &mode.settings())?;
    let running = (&mut workers, &mut simulator);
    watch(settings, http, running, (purchases, began), (&mut look, show)).await?;
    let took = began.elapsed();
    let after = Processes::now()?;
    let machine = Machine::now()?.since(machine_before);
    let wal = look.wal_bytes().await?.saturating_sub(wal_before);

    let mut cpu = BTreeMap::new();
    for (name, pid) in standing.iter().copied().chain(workers.pids()) {
        let used = after.tree_us(pid).saturating_sub(before.tree_us(pid));
        cpu.insert(name.to_owned(), used);
    }
    // The workers and the simulator are below the bench.
    let below: u64 = cpu.iter().filter(|(name, _)| !is_server(name)).map(|(_, us)| *us).sum();
    let with_below = after.tree_us(own).saturating_sub(before.tree_us(own));
    let ours: u64 = cpu.values().sum::<u64>().saturating_add(with_below.saturating_sub(below));
    let metrics = metrics(settings, http).await?;
    judge(settings, http, purchases, &mut look).await?;
    workers.stop().await?;
    simulator.stop().await?;

    let count = u64::from(purchases);
    let share = |part: u64| share(part, machine.all_us);
    Ok(Round {
        mode,
        purchases,
        seconds: took.as_secs_f64(),
        purchases_per_second: f64::from(purchases) / took.as_secs_f64(),
        cpu_us_per_purchase: cpu
            .into_iter()
            .map(|(k, us)| (k, us.checked_div(count).unwrap_or(0)))
            .collect(),
        wal_bytes_per_purchase: wal.checked_div(count).unwrap_or(0),
        foreign: share(machine.busy_us.saturating_sub(ours)),
        idle: share(machine.all_us.saturating_sub(machine.busy_us)),
        metrics,
    })
}

fn is_server(name: &str) -> bool {
    ["postgres", "rabbitmq"].contains(&name)
}

pub(super) fn share(part: u64, whole: u64) -> f64 {
    let seconds = |us| Duration::from_micros(us).as_secs_f64();
    seconds(part) / seconds(whole.max(1))
}

async fn world(settings: &Settings, http: &reqwest::Client) -> anyhow::Result<World> {
    let answer = http.get(settings.places.simulator_url("control/summary")).send().await;
    answer.context("the simulator")?.json().await.context("the simulator's summary")
}

/// Waits until every effect has happened and no task is left.
async fn watch(
    settings: &Settings,
    http: &reqwest::Client,
    (workers, simulator): (&mut Programs, &mut Programs),
    (purchases, began): (u32, Instant),
    (look, show): (&mut Look, &mut Show),
) -> anyhow::Result<()> {
    let mut effects = 0;
    let mut changed = Instant::now();
    loop {
        workers.all_run()?;
        simulator.all_run()?;
        let world = world(settings, http).await?;
        if world.effects() > effects {
            (effects, changed) = (world.effects(), Instant::now());
        }
        let ended = world.ended();
        show.ended(ended, u64::from(purchases), began.elapsed());
        if ended >= u64::from(purchases) && look.tasks().await? == 0 {
            return Ok(());
        }
        if changed.elapsed() > STILL {
            anyhow::bail!(
                "{ended} of {purchases} ended and it stands still: {}",
                look.open().await?
            );
        }
        sleep(LOOK_APART).await;
    }
}

async fn metrics(
    settings: &Settings,
    http: &reqwest::Client,
) -> anyhow::Result<BTreeMap<String, f64>> {
    let mut found = BTreeMap::new();
    for (worker, url) in settings.places.metrics_urls() {
        let text = http.get(url).send().await?.text().await?;
        let lines = text.lines().filter(|line| !line.contains("_bucket{"));
        for line in lines.filter(|line| METRICS.iter().any(|name| line.starts_with(name))) {
            if let Some((name, value)) = line.rsplit_once(' ') {
                found.insert(format!("{worker} {name}"), value.parse()?);
            }
        }
    }
    Ok(found)
}

/// # Errors
/// When not all purchases were successful, or anything took effect twice.
async fn judge(
    settings: &Settings,
    http: &reqwest::Client,
    purchases: u32,
    look: &mut Look,
) -> anyhow::Result<()> {
    let world = world(settings, http).await?;
    let clean = world.duplicates.is_empty()
        && world.repeats.is_empty()
        && world.violations_by_rule.is_empty()
        && world.holds_open == 0
        && EFFECTS.iter().all(|kind| world.count(kind) == u64::from(purchases));
    anyhow::ensure!(clean, "the simulator's record is not clean: {world:?}");
    let left = look.left().await?;
    let good = left.successful == i64::from(purchases) && left.purchases == left.successful;
    anyhow::ensure!(good && left.tasks == 0, "not every purchase was successful: {left:?}");
    Ok(())
}
