//! A range of simulated histories, on all cores.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use fleet_faults::simulation::{Coverage, Ended, Knobs, MUST_BE_REACHED, run as history};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

/// Lines come this far apart where there is no terminal.
const LINES_APART: Duration = Duration::from_secs(15);
/// From so many histories on, every branch must have been reached.
const ENOUGH: u64 = 10_000;
/// Violations that are shown.
const SHOWN: usize = 10;

/// One line for the summary.
pub(crate) fn run(first: u64, count: u64, traced: bool) -> Result<String> {
    if traced {
        for seed in first..first.saturating_add(count) {
            tell(seed, &history(seed, Knobs::of(seed), true));
        }
    }
    let began = Instant::now();
    let found = all(first, count);
    let took = began.elapsed();
    for (branch, reached) in found.coverage.iter() {
        println!("{reached:>12}  {branch}");
    }
    let last = first.saturating_add(count).saturating_sub(1);
    for (seed, violation) in found.violations.iter().take(SHOWN) {
        println!("seed {seed}: {violation}");
    }
    if let Some(seed) = found.violations.keys().next() {
        bail!(
            "{} of {count} histories broke a promise; make drill ARGS='simulation --histories 1 \
             --trace' SEED={seed} shows the first of these",
            found.violations.len()
        );
    }
    let missing = found.coverage.missing();
    ensure!(count < ENOUGH || missing.is_empty(), "never reached: {}", missing.join(", "));
    Ok(format!(
        "{count} histories, seeds {first} to {last}, in {} s; {} of {} branches reached",
        took.as_secs(),
        MUST_BE_REACHED.len() - missing.len(),
        MUST_BE_REACHED.len()
    ))
}

#[derive(Default)]
struct Found {
    coverage: Coverage,
    violations: BTreeMap<u64, String>,
}

fn all(first: u64, count: u64) -> Found {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, found) = (AtomicU64::new(0), Mutex::new(Found::default()));
    let bar = bar(count);
    let (working, ended) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let working = working.clone();
            let (next, found, bar) = (&next, &found, &bar);
            scope.spawn(move || {
                let _working = working;
                let mut own = Found::default();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    let seed = first.wrapping_add(number);
                    let ended = history(seed, Knobs::of(seed), false);
                    own.coverage.add(&ended.coverage);
                    if let Some(violation) = ended.violations.first() {
                        own.violations.insert(seed, violation.clone());
                    }
                    bar.inc(1);
                }
                let mut found = found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                found.coverage.add(&own.coverage);
                found.violations.extend(own.violations);
            });
        }
        // The last thread that ends closes the channel.
        drop(working);
        let bar = &bar;
        scope.spawn(move || lines(bar, count, &ended));
    });
    bar.finish_and_clear();
    found.into_inner().unwrap_or_default()
}

fn bar(count: u64) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(count), target);
    let template = "{elapsed_precise} {bar:30} {pos}/{len} histories {per_sec} eta {eta}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// Says how far it is, until nobody makes histories any more.
fn lines(bar: &ProgressBar, count: u64, ended: &Receiver<()>) {
    let began = Instant::now();
    while ended.recv_timeout(LINES_APART) == Err(RecvTimeoutError::Timeout) {
        let done = bar.position();
        if !bar.is_hidden() {
            continue;
        }
        let rate = (done / began.elapsed().as_secs().max(1)).max(1);
        let left = (count - done) / rate;
        println!("{done} of {count} histories, {rate}/s, ETA {left} s");
    }
}

fn tell(seed: u64, ended: &Ended) {
    println!("seed {seed}, {:?}", Knobs::of(seed));
    for line in &ended.lines {
        println!("  {line}");
    }
    println!("  {:016x}, violations: {:?}", ended.hash, ended.violations);
}
