//! The clock of one kind: takes what is due, or whose hint was lost, as far as this process has permits
//! for it, and hands it to this process's own engine: by permits, and by turns of the clients in each
//! lane. Hints are speed, not life: while they cannot be published, everything goes this way.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fleet_domain::{ClientId, LaneId, LaneRoom, Tick, TickReport};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::commit::size;
use crate::runner::Shared;
use crate::{HintSink, TaskStore};

/// The next look while a lane with room has more waiting.
const BUSY_EVERY: Duration = Duration::from_millis(20);
/// Looks that somebody asks for are no closer together than this.
const ASKED_EVERY: Duration = Duration::from_millis(10);

/// What one look leaves to the next.
#[derive(Default)]
struct Left {
    /// Who had the last turn in each lane.
    turns: HashMap<LaneId, ClientId>,
    /// Where the look was cut short.
    from: Option<(LaneId, ClientId)>,
}

impl Left {
    fn lanes(&self, rooms: Vec<(LaneId, u32)>) -> Vec<LaneRoom> {
        let after = |lane: LaneId| self.turns.get(&lane).copied().unwrap_or(ClientId(0));
        rooms
            .into_iter()
            .map(|(lane, room)| LaneRoom { after: after(lane), ..LaneRoom::new(lane, room) })
            .collect()
    }

    fn looked(&mut self, report: &TickReport) {
        self.turns.extend(report.turns.iter().copied());
        self.from = report.goes_on;
    }
}

/// Runs until the stop.
pub(crate) async fn run<T: TaskStore, H: HintSink>(
    shared: Arc<Shared<T, H>>,
    stop: CancellationToken,
) {
    let mut left = Left::default();
    loop {
        let looked_at = Instant::now();
        shared.window().promote_all(looked_at);
        shared.changed.notify_one();
        let more = tick(&shared, &mut left).await;
        let wait = if more { BUSY_EVERY } else { shared.settings.clock_every };
        loop {
            let mut at = looked_at + wait;
            {
                let mut window = shared.window();
                let now = Instant::now();
                if window.wants_tasks(now) {
                    at = at.min(now.max(looked_at + ASKED_EVERY));
                }
                if let Some(next_call) = window.next_call() {
                    at = at.min(next_call.max(looked_at + ASKED_EVERY));
                }
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(at) => break,
                () = shared.looks.notified() => {}
            }
        }
    }
}

/// One look; true when a lane has more due than it had room for, and has room by now, or when the look
/// was cut short.
async fn tick<T: TaskStore, H: HintSink>(shared: &Shared<T, H>, left: &mut Left) -> bool {
    let kind = shared.kind;
    let unpublished = !shared.sink.usable();
    let queue_ready = if unpublished { None } else { shared.sink.ready(kind).await };
    let lanes = left.lanes(shared.window().rooms(Instant::now()));
    let (take_max, from) = (shared.settings.take_max, left.from);
    let tick = Tick { kind, take_max, lanes, from, queue_ready, unpublished };
    let report = match shared.store.tick(&tick).await {
        Ok(report) if report.ours => report,
        Ok(_) => return false,
        Err(error) => {
            tracing::warn!(kind = kind.name(), error = %error, "clock failed");
            return false;
        }
    };
    left.looked(&report);
    let found = !report.due.is_empty() || report.reminded > 0;
    if found {
        fleet_telemetry::crash_point(kind.name(), "clock.after");
    }
    let more = shared.window().doled(&report, Instant::now()) || report.goes_on.is_some();
    shared.changed.notify_one();
    shared.asks.notify_one();
    if !found {
        return more;
    }
    fleet_telemetry::crash_point(kind.name(), "clock.handed");
    let (lost, reminded) = (u64::from(report.lost), u64::from(report.reminded));
    fleet_telemetry::metrics().clock(kind.name(), size(report.due.len()), lost, reminded);
    if reminded > 0 {
        tracing::warn!(kind = kind.name(), tasks = reminded, "parked tasks wait for a person");
    }
    more
}
