//! The clock of one kind: queues what is due, publishes lost hints again, tells others that this
//! process lives. It takes nothing while hints cannot be published.

use std::sync::Arc;
use std::time::Duration;

use fleet_domain::{Heartbeat, Tick};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::commit::{hints_of, size};
use crate::runner::Shared;
use crate::{HintSink, TaskStore};

/// How often a process says that it lives.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// The next look while a lane has more waiting than it has room for.
const BUSY_EVERY: Duration = Duration::from_millis(20);

/// Runs until the stop.
pub(crate) async fn run<T: TaskStore, H: HintSink>(
    shared: Arc<Shared<T, H>>,
    stop: CancellationToken,
) {
    let mut next_beat = Instant::now();
    let mut wait = Duration::ZERO;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        let now = Instant::now();
        if now >= next_beat {
            beat(&shared).await;
            next_beat = now + BEAT_EVERY;
        }
        shared.window().promote_all(now);
        shared.changed.notify_one();
        let more = shared.sink.usable() && tick(&shared).await;
        wait = if more { BUSY_EVERY } else { shared.settings.clock_every };
    }
}

async fn beat<T: TaskStore, H: HintSink>(shared: &Shared<T, H>) {
    let (watermark, unclaimed) = shared.window().seen();
    let beat = Heartbeat { kind: shared.kind, watermark, unclaimed };
    let metrics = fleet_telemetry::metrics();
    metrics.unclaimed(shared.kind.name(), u64::from(unclaimed));
    metrics.in_flight(shared.kind.name(), size(shared.window().running()));
    match shared.store.beat(&beat).await {
        Ok(processes) => {
            let directory = shared.directory.borrow().clone();
            shared.window().configure(&directory, processes, Instant::now());
        }
        Err(error) => {
            tracing::warn!(kind = shared.kind.name(), error = %error, "heartbeat failed");
        }
    }
}

/// One look; true when a lane has more due than it has room for.
async fn tick<T: TaskStore, H: HintSink>(shared: &Shared<T, H>) -> bool {
    let kind = shared.kind;
    let queue_ready = shared.sink.ready(kind).await;
    let lane_room = shared.window().rooms(Instant::now());
    let take_max = shared.settings.take_max;
    let tick = Tick { kind, take_max, lane_room, queue_ready };
    let report = match shared.store.tick(&tick).await {
        Ok(report) if report.ours => report,
        Ok(_) => return false,
        Err(error) => {
            tracing::warn!(kind = kind.name(), error = %error, "clock failed");
            return false;
        }
    };
    if report.due.is_empty() && report.reminded == 0 {
        return false;
    }
    fleet_telemetry::crash_point(kind.name(), "clock.after");
    let (lost, reminded) = (u64::from(report.lost), u64::from(report.reminded));
    fleet_telemetry::metrics().clock(kind.name(), size(report.due.len()), lost, reminded);
    if reminded > 0 {
        tracing::warn!(kind = kind.name(), tasks = reminded, "parked tasks wait for a person");
    }
    let more = shared.window().doled(&report.due, &tick.lane_room, Instant::now());
    let tasks: Vec<_> = report.due.iter().map(|task| (task.key, task.lane)).collect();
    shared.publish(hints_of(&tasks, report.now, true), "clock.published");
    more
}
