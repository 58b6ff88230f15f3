//! Watches the age of holds: an alarm at half of their time, a case when one ran out undecided.

use std::time::Duration;

use fleet_store::{HoldWatch, NewCase, Store};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often the holds are looked at: far below the margin that a vend keeps from a hold's end.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Looking takes no larger part of the time than one in so many, however many tasks there are.
const LOOK_PART: u32 = 100;

/// Looks until `stop`.
pub async fn watch_holds(store: Store, stop: CancellationToken) {
    let mut before = HoldWatch::default();
    loop {
        let began = Instant::now();
        match store.watch_holds().await {
            Ok(found) => {
                tell(&before, &found);
                before = found;
            }
            Err(error) => tracing::warn!(error = %error, "the age of holds is not known"),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY.max(began.elapsed().saturating_mul(LOOK_PART))) => {}
            () = stop.cancelled() => return,
        }
    }
}

fn tell(before: &HoldWatch, found: &HoldWatch) {
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    let metrics = fleet_telemetry::metrics();
    metrics.holds("past_half", count(found.past_half));
    metrics.holds("expired", count(found.expired));
    metrics.clock("case", 0, 0, count(found.reminded));
    if found.ours && found.past_half > before.past_half {
        tracing::warn!(holds = found.past_half, "unsettled holds are past half of their time");
    }
    for NewCase { purchase, class, cause } in &found.new_cases {
        tracing::warn!(%purchase, kind = "case", class, cause, "a task is parked");
    }
    if found.opened > 0 {
        tracing::warn!(cases = found.opened, "holds ran out undecided, a person must look");
    }
    if found.closed > 0 {
        tracing::info!(cases = found.closed, "cases closed, their holds are settled");
    }
}
