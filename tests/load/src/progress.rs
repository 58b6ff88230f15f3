//! What a person sees while a run lasts: a bar on a terminal, else a line every few seconds.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

/// Lines come this far apart where there is no terminal.
const LINES_APART: Duration = Duration::from_secs(5);

/// Counters that senders raise.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sent: AtomicU64,
    pub(crate) accepted: AtomicU64,
}

/// The bar.
pub(crate) struct Progress {
    bar: ProgressBar,
    lines: bool,
    newest_line: Option<Instant>,
    length: u64,
}

impl Progress {
    pub(crate) fn new(length: u64, quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if quiet || !terminal {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(Some(length), target);
        let template = "{elapsed_precise} {bar:30} final {pos}/{len} {msg} {per_sec} eta {eta}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar, lines: !quiet && !terminal, newest_line: None, length }
    }

    pub(crate) fn show(&mut self, counters: &Counters, ended: u64) {
        let sent = counters.sent.load(Ordering::Relaxed);
        let accepted = counters.accepted.load(Ordering::Relaxed);
        self.bar.set_position(ended);
        self.bar.set_message(format!("sent {sent} accepted {accepted}"));
        let due = self.newest_line.is_none_or(|line| line.elapsed() >= LINES_APART);
        if self.lines && due {
            self.newest_line = Some(Instant::now());
            let length = self.length;
            note(&format!("sent {sent} accepted {accepted} final {ended} of {length}"));
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// A line on standard error; a closed one is no reason to stop.
pub(crate) fn note(text: &str) {
    writeln!(std::io::stderr(), "{text}").ok();
}
