//! What every program does beside its work: figures of the backlog, and the journal's partitions.

use std::time::Duration;

use fleet_store::Store;
use tokio_util::sync::CancellationToken;

/// How often the fleet's backlog is asked for, for the metrics.
const BACKLOG_EVERY: Duration = Duration::from_secs(10);
/// How often the journal's partitions are looked after; they are made months ahead.
const PARTITIONS_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// Makes the journal's partitions of the next months, now and once a day, until the stop. Several
/// programs may do it at once; where the database's user may not create tables, `fleet migrate` or
/// the default partition serve.
pub(crate) async fn prepare_partitions(store: Store, stop: CancellationToken) {
    loop {
        match store.prepare_partitions().await {
            Ok(0) => {}
            Ok(made) => tracing::info!(partitions = made, "journal is prepared"),
            Err(error) => tracing::warn!(error = %error, "journal's partitions are not prepared"),
        }
        tokio::select! {
            () = tokio::time::sleep(PARTITIONS_EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Tells the metrics what waits in the database, until the stop.
pub(crate) async fn watch_backlog(store: Store, stop: CancellationToken) {
    loop {
        match (store.backlog().await, store.parked_counts().await) {
            (Ok(backlog), Ok(parked)) => {
                let metrics = fleet_telemetry::metrics();
                for row in backlog {
                    metrics.backlog(row.kind.name(), row.state.name(), count(row.tasks));
                    if row.state == fleet_domain::TaskState::Queued {
                        metrics.oldest_due_seconds(row.kind.name(), count(row.oldest_due_seconds));
                    }
                }
                for (class, tasks) in parked {
                    metrics.parked(class.name(), count(tasks));
                }
            }
            (Err(error), _) | (_, Err(error)) => {
                tracing::warn!(error = %error, "backlog is not known");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(BACKLOG_EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
