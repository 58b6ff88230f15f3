//! What the bench prints.

use std::collections::BTreeMap;
use std::io::Write;

use comfy_table::Table;
use serde::Serialize;

use super::Settings;
use super::round::{Mode, Round};

/// Above this share of foreign CPU time a rate says little.
const FOREIGN_MAX: f64 = 0.15;

/// The machine, in a few words each.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Machine {
    processor: String,
    cores: usize,
    memory_gib: u64,
    kernel: String,
    postgres: String,
    rabbitmq: String,
    commit: String,
}

/// All that was measured.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    machine: Machine,
    /// Medians by kind of round.
    medians: BTreeMap<Mode, Median>,
    /// Grouped over one at a time, by purchases per second.
    ratio: Option<f64>,
    /// The same by CPU time, on which other processes have less influence.
    cpu_ratio: Option<f64>,
    rounds: Vec<Round>,
}

#[derive(Debug, Clone, Serialize)]
struct Median {
    purchases_per_second: f64,
    cpu_us_per_purchase: BTreeMap<String, u64>,
    cpu_us_per_purchase_all: u64,
    wal_bytes_per_purchase: u64,
    foreign: f64,
    /// Tasks in an average group, by operation and kind.
    group_tasks: BTreeMap<String, f64>,
}

/// Asks what machine this is.
///
/// # Errors
/// When Postgres does not answer.
pub(super) async fn machine(settings: &Settings) -> anyhow::Result<Machine> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim());
        value.unwrap_or("unknown").to_owned()
    };
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let memory_kib: u64 = memory.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0);
    let mut look = settings.servers.look().await?;
    Ok(Machine {
        processor: field(&read("/proc/cpuinfo"), "model name"),
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        memory_gib: memory_kib / 1_048_576,
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        postgres: look.setting("server_version").await?,
        rabbitmq: settings.rabbitmq_version.clone(),
        commit: settings.commit.clone(),
    })
}

/// A round in one line.
pub(super) fn line(round: &Round) -> String {
    let all: u64 = round.cpu_us_per_purchase.values().sum();
    format!(
        "{:.0} purchases/s, {all} us of CPU and {} bytes of WAL each, F {:.2}, idle {:.2}",
        round.purchases_per_second, round.wal_bytes_per_purchase, round.foreign, round.idle
    )
}

impl Figures {
    pub(super) fn new(machine: Machine, rounds: Vec<Round>) -> Self {
        let mut medians = BTreeMap::new();
        for mode in [Mode::OneAtATime, Mode::Grouped] {
            let of_mode: Vec<&Round> = rounds.iter().filter(|round| round.mode == mode).collect();
            medians.extend(median_of(&of_mode).map(|median| (mode, median)));
        }
        let pair = || Some((medians.get(&Mode::OneAtATime)?, medians.get(&Mode::Grouped)?));
        let ratio =
            pair().map(|(one, group)| group.purchases_per_second / one.purchases_per_second);
        let cpu_ratio = pair().map(|(one, group)| {
            float(one.cpu_us_per_purchase_all) / float(group.cpu_us_per_purchase_all)
        });
        Self { machine, medians, ratio, cpu_ratio, rounds }
    }

    /// # Errors
    /// When nobody reads.
    pub(super) fn print(&self) -> anyhow::Result<()> {
        let mut out = std::io::stdout();
        let m = &self.machine;
        writeln!(
            out,
            "\n{} ({} cores), {} GiB, Linux {}, PostgreSQL {}, RabbitMQ {}, commit {}",
            m.processor, m.cores, m.memory_gib, m.kernel, m.postgres, m.rabbitmq, m.commit
        )?;
        let mut table = Table::new();
        table.set_header(["scenario B, five jobs", "one at a time", "grouped"]);
        let mut row = |name: &str, cell: &dyn Fn(&Median) -> String| {
            let cell = |mode| self.medians.get(&mode).map_or_else(String::new, cell);
            table.add_row([name.to_owned(), cell(Mode::OneAtATime), cell(Mode::Grouped)]);
        };
        let rates = |mode: Mode| {
            let of_mode = self.rounds.iter().filter(|round| round.mode == mode);
            let rates: Vec<String> =
                of_mode.map(|round| format!("{:.0}", round.purchases_per_second)).collect();
            rates.join(", ")
        };
        row("purchases/s, median", &|median| format!("{:.0}", median.purchases_per_second));
        let processes = self.medians.values().flat_map(|median| median.cpu_us_per_purchase.keys());
        let processes: std::collections::BTreeSet<&String> = processes.collect();
        for name in processes {
            let cell = |median: &Median| {
                median.cpu_us_per_purchase.get(name).map_or_else(String::new, u64::to_string)
            };
            row(&format!("CPU us/purchase, {name}"), &cell);
        }
        row("CPU us/purchase, all", &|median| median.cpu_us_per_purchase_all.to_string());
        row("WAL bytes/purchase", &|median| median.wal_bytes_per_purchase.to_string());
        row("F, others' share of the CPU", &|median| format!("{:.2}", median.foreign));
        writeln!(out, "{table}")?;
        writeln!(out, "rounds, one at a time: {}", rates(Mode::OneAtATime))?;
        writeln!(out, "rounds, grouped:       {}", rates(Mode::Grouped))?;
        for (mode, median) in &self.medians {
            let sizes = median.group_tasks.iter().map(|(name, size)| format!("{name} {size:.0}"));
            let sizes: Vec<String> = sizes.collect();
            writeln!(out, "tasks in a group, {}: {}", mode.name(), sizes.join(", "))?;
        }
        if let (Some(ratio), Some(cpu_ratio)) = (self.ratio, self.cpu_ratio) {
            writeln!(out, "grouped / one at a time: {ratio:.2} by rate, {cpu_ratio:.2} by CPU")?;
        }
        if self.medians.values().any(|median| median.foreign > FOREIGN_MAX) {
            writeln!(out, "F is above {FOREIGN_MAX}: judge by CPU time, not by rates")?;
        }
        Ok(())
    }
}

/// The medians, each figure for itself.
fn median_of(rounds: &[&Round]) -> Option<Median> {
    let first = rounds.first()?;
    let floats =
        |figure: &dyn Fn(&Round) -> f64| middle(rounds.iter().map(|r| figure(r)).collect());
    let numbers = |figure: &dyn Fn(&Round) -> u64| {
        let mut all: Vec<u64> = rounds.iter().map(|round| figure(round)).collect();
        all.sort_unstable();
        let at = |place: usize| all.get(place).copied().unwrap_or(0);
        u64::midpoint(at(all.len().saturating_sub(1) / 2), at(all.len() / 2))
    };
    let names = first.cpu_us_per_purchase.keys();
    let cpu = names.map(|name| {
        let of = |round: &Round| round.cpu_us_per_purchase.get(name).copied().unwrap_or(0);
        (name.clone(), numbers(&of))
    });
    Some(Median {
        purchases_per_second: floats(&|round| round.purchases_per_second),
        cpu_us_per_purchase: cpu.collect(),
        cpu_us_per_purchase_all: numbers(&|round| round.cpu_us_per_purchase.values().sum()),
        wal_bytes_per_purchase: numbers(&|round| round.wal_bytes_per_purchase),
        foreign: floats(&|round| round.foreign),
        group_tasks: group_tasks(first),
    })
}

fn middle(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    let at = |place: usize| all.get(place).copied().unwrap_or(0.0);
    // Of an even number the two in the middle.
    f64::midpoint(at(all.len().saturating_sub(1) / 2), at(all.len() / 2))
}

/// From the metrics: `… fleet_group_tasks_sum{kind="reserve",operation="claim"}`.
fn group_tasks(round: &Round) -> BTreeMap<String, f64> {
    let mut sizes = BTreeMap::new();
    for (name, sum) in round.metrics.iter().filter(|(name, _)| name.contains("_tasks_sum{")) {
        let count = round.metrics.get(&name.replace("_tasks_sum{", "_tasks_count{"));
        let words: Vec<&str> = name.split('"').skip(1).step_by(2).collect();
        if let (Some(count), [kind, operation, ..]) = (count, words.as_slice()) {
            sizes.insert(format!("{operation} {kind}"), sum / count.max(1.0));
        }
    }
    sizes
}

/// CPU microseconds of one purchase are far below 2^32.
fn float(number: u64) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}
