//! The heartbeat of one kind: tells others that this process lives and leases its permits.
//!
//! A lease runs from before its beat leaves, on this process's monotonic clock; the database counts it
//! from when it was written, and counts the permits for as long as calls that began under it may
//! be under way. So a process that stands still or loses its database never shares its permits with
//! those who get them next.

use std::sync::Arc;
use std::time::Duration;

use fleet_domain::Heartbeat;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::commit::size;
use crate::runner::Shared;
use crate::{HintSink, TaskStore};

/// How often a process says that it lives.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// How long permits may be used after a beat.
const LEASE: Duration = Duration::from_secs(5);
/// What is added to the longest call before others get the permits of a process that is silent.
const MARGIN: Duration = Duration::from_secs(1);
/// Beats are no closer together than this: what asks for one meanwhile shares it.
const APART: Duration = Duration::from_millis(2);
/// The next beat after one that failed.
const AFTER_FAILURE: Duration = Duration::from_millis(200);

/// Runs until `ended`, when nothing is in flight any more. From `stop` on it only gives back.
pub(crate) async fn run<T: TaskStore, H: HintSink>(
    shared: Arc<Shared<T, H>>,
    longest_call: impl Fn(&fleet_domain::Directory) -> Duration,
    stop: CancellationToken,
    ended: CancellationToken,
) {
    let mut number = 0;
    let mut next_beat = Instant::now();
    loop {
        let is_last = ended.is_cancelled();
        let now = Instant::now();
        let regular = now >= next_beat;
        number += 1;
        let calls_for = LEASE + longest_call(&shared.directory.borrow().clone()) + MARGIN;
        let told = beat(&shared, (number, calls_for), regular, stop.is_cancelled()).await;
        if is_last {
            return;
        }
        if regular {
            next_beat = now + BEAT_EVERY;
        }
        wait(&shared, told, next_beat, &stop, &ended).await;
    }
}

/// Waits for the next beat that is worth it.
async fn wait<T: TaskStore, H: HintSink>(
    shared: &Shared<T, H>,
    told: bool,
    next_beat: Instant,
    stop: &CancellationToken,
    ended: &CancellationToken,
) {
    let not_before = Instant::now() + if told { APART } else { AFTER_FAILURE };
    let was_stopping = stop.is_cancelled();
    loop {
        let now = Instant::now();
        let next_beat = next_beat.max(not_before);
        let asks_at = shared.window().asks_at(now).map(|at| at.max(not_before));
        let at = asks_at.map_or(next_beat, |at| at.min(next_beat));
        if at <= now {
            return;
        }
        tokio::select! {
            biased;
            () = ended.cancelled() => return,
            () = stop.cancelled(), if !was_stopping => return,
            () = tokio::time::sleep_until(at) => return,
            () = shared.asks.notified() => {}
        }
    }
}

async fn beat<T: TaskStore, H: HintSink>(
    shared: &Shared<T, H>,
    (number, calls_for): (u64, Duration),
    regular: bool,
    stopping: bool,
) -> bool {
    let directory = shared.directory.borrow().clone();
    let kind = shared.kind;
    let (beat, in_flight) = {
        let mut window = shared.window();
        window.configure(&directory);
        let (watermark, unclaimed) = window.seen();
        let lanes = window.asks(Instant::now(), (regular, stopping));
        let beat = Heartbeat { kind, watermark, unclaimed, number, calls_for, lanes };
        (beat, window.running())
    };
    let metrics = fleet_telemetry::metrics();
    metrics.unclaimed(kind.name(), u64::from(beat.unclaimed));
    metrics.in_flight(kind.name(), size(in_flight));
    let sent_at = Instant::now();
    match shared.store.beat(&beat).await {
        Ok(leases) => {
            shared.window().leased(&leases, sent_at + LEASE, Instant::now());
            shared.changed.notify_one();
            shared.looks.notify_one();
            true
        }
        Err(error) => {
            tracing::warn!(kind = kind.name(), error = %error, "heartbeat failed");
            false
        }
    }
}
