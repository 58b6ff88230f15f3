//! The bench: purchases of scenario B, five jobs each, enqueued while the workers are stopped; then
//! the time until the last task has ended. Rounds with workers that handle one task at a time and
//! rounds with the defaults take turns, so that both see the same machine.

#![expect(clippy::float_arithmetic, reason = "rates and shares; no money is counted here")]

mod figures;
mod overload;
mod programs;
mod round;
mod servers;
mod usage;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use figures::{Figures, machine};
use round::{Mode, round};
use tokio::time::Instant;

/// Where everything is, and how much to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Settings {
    #[command(flatten)]
    servers: servers::Servers,
    #[command(flatten)]
    places: programs::Places,
    /// Postgres' first process.
    #[arg(long)]
    postgres_pid: u32,
    /// RabbitMQ's process.
    #[arg(long)]
    rabbitmq_pid: u32,
    /// RabbitMQ's version, for the report.
    #[arg(long, default_value = "unknown")]
    rabbitmq_version: String,
    /// What was built, for the report.
    #[arg(long, default_value = "unknown")]
    commit: String,
    /// Purchases of a grouped round; the others have a quarter.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(100..=500_000))]
    purchases: u32,
    /// Rounds of each kind.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(0..=50))]
    rounds: u8,
    /// In place of all rounds: a polite client beside one that sends twice what the gateway takes in.
    #[arg(long)]
    overload: bool,
    /// How long each of its phases is measured.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(3..=600))]
    seconds: u16,
    /// Where its gateway listens.
    #[arg(long, default_value_t = 21_081)]
    gateway_port: u16,
    /// Only the grouped rounds.
    #[arg(long)]
    grouped_only: bool,
    /// Write all figures here.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Measures and prints.
///
/// # Errors
/// When anything is in the way, or a round broke a promise.
pub(crate) async fn bench(settings: &Settings) -> anyhow::Result<()> {
    if settings.overload {
        return overload::overload(settings).await;
    }
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
    let pair =
        [(Mode::OneAtATime, (settings.purchases / 4).max(1)), (Mode::Grouped, settings.purchases)];
    let wanted =
        pair.into_iter().filter(|(mode, _)| !settings.grouped_only || *mode == Mode::Grouped);
    let wanted: Vec<_> = (0..settings.rounds).flat_map(|_| wanted.clone()).collect();
    let mut show = Show::new(wanted.iter().map(|(mode, _)| *mode).collect());
    let mut rounds = Vec::new();
    for one in wanted {
        show.begin();
        let measured = round(settings, &http, one, &mut show).await;
        let measured = measured.with_context(|| format!("round {}", show.number))?;
        show.end(&figures::line(&measured));
        rounds.push(measured);
    }
    let figures = Figures::new(machine(settings).await?, rounds);
    figures.print()?;
    if let Some(path) = &settings.json {
        let json = serde_json::to_vec_pretty(&figures)?;
        std::fs::write(path, json).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// What a person sees while it lasts, on standard error.
struct Show {
    plan: Vec<Mode>,
    number: usize,
    began: Instant,
    /// How long a round of each kind took, everything included.
    took: BTreeMap<Mode, Duration>,
    newest_line: Option<Instant>,
}

/// Lines come this far apart.
const LINES_APART: Duration = Duration::from_secs(2);

impl Show {
    fn new(plan: Vec<Mode>) -> Self {
        let began = Instant::now();
        Self { plan, number: 0, began, took: BTreeMap::new(), newest_line: None }
    }

    fn begin(&mut self) {
        self.number = self.number.saturating_add(1);
        self.began = Instant::now();
        self.newest_line = None;
    }

    fn mode(&self) -> Option<Mode> {
        self.plan.get(self.number.checked_sub(1)?).copied()
    }

    fn step(&self, text: &str) {
        let name = self.mode().map_or("", Mode::name);
        let total = self.plan.len();
        crate::progress::note(&format!("round {}/{total}, {name}: {text}", self.number));
    }

    fn ended(&mut self, ended: u64, total: u64, took: Duration) {
        if self.newest_line.is_some_and(|line| line.elapsed() < LINES_APART) {
            return;
        }
        self.newest_line = Some(Instant::now());
        let left = Duration::from_millis(
            millis(took)
                .saturating_mul(total.saturating_sub(ended))
                .checked_div(ended)
                .unwrap_or(0),
        );
        let later = self.plan.iter().skip(self.number);
        let later: Duration = later.filter_map(|mode| self.took.get(mode)).sum();
        let eta = left.saturating_add(later).as_secs();
        let eta = if ended == 0 { "?".to_owned() } else { format!("{eta} s") };
        self.step(&format!("{ended} of {total} in {} s, eta {eta}", took.as_secs()));
    }

    fn end(&mut self, line: &str) {
        if let Some(mode) = self.mode() {
            self.took.insert(mode, self.began.elapsed());
        }
        self.step(line);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
