//! What every program does beside its work: figures of the backlog, and the journal's partitions.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fleet_store::{Holds, Invariant, Store, StoreError, invariants};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often the fleet's backlog is asked for, for the metrics.
const BACKLOG_EVERY: Duration = Duration::from_secs(10);
/// How often the invariants are looked at.
const INVARIANTS_EVERY: Duration = Duration::from_secs(60);
/// One invariant's query may take so long.
const INVARIANT_WITHIN: Duration = Duration::from_secs(30);
/// Rows that are counted of one.
const VIOLATIONS_MAX: u32 = 100;
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
        let (backlog, parked) = (store.backlog().await, store.parked_counts().await);
        match (backlog, parked, store.unmatched_count().await) {
            (Ok(backlog), Ok(parked), Ok(unmatched)) => {
                let metrics = fleet_telemetry::metrics();
                metrics.unmatched_facts(count(unmatched));
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
            (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => {
                tracing::warn!(error = %error, "backlog is not known");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(BACKLOG_EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Looks at the invariants that are cheap enough and at the books, until the stop: a violation is an
/// alarm. Looking takes no more than a hundredth of the time, however much there is to look at.
pub async fn watch_invariants(store: Store, stop: CancellationToken) {
    let mut broken = BTreeSet::new();
    loop {
        let began = Instant::now();
        if let Err(error) = look_at_invariants(&store, &mut broken).await {
            tracing::warn!(error = %error, "whether the invariants hold is not known");
        }
        let pause = INVARIANTS_EVERY.max(began.elapsed().saturating_mul(100));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// What holds only once nothing is under way is an alarm when it was broken (`before`) at the last
/// look too.
async fn look_at_invariants(
    store: &Store,
    before: &mut BTreeSet<&'static str>,
) -> Result<(), StoreError> {
    let metrics = fleet_telemetry::metrics();
    for invariant in invariants().iter().filter(|one| one.live) {
        let found = store.violations(invariant, VIOLATIONS_MAX, INVARIANT_WITHIN).await?;
        metrics.violations(invariant.code, u64::try_from(found.len()).unwrap_or(u64::MAX));
        let was_broken = if found.is_empty() {
            before.remove(invariant.code)
        } else {
            !before.insert(invariant.code)
        };
        let is_alarm = was_broken || invariant.holds == Holds::Always;
        if let Some(first) = found.first().filter(|_| is_alarm) {
            let purchase = first.purchase.map(|id| id.to_string()).unwrap_or_default();
            let Invariant { code, says, .. } = invariant;
            let rows = found.len();
            tracing::error!(
                code,
                says,
                purchase,
                detail = first.detail,
                rows,
                "invariant is broken"
            );
        }
    }
    let mut sums: BTreeMap<(String, &'static str), i64> = BTreeMap::new();
    for row in store.money().await? {
        for (state, minor) in [("held", row.held), ("undecided", row.undecided), ("owed", row.owed)]
        {
            let sum = sums.entry((row.currency.clone(), state)).or_default();
            *sum = sum.saturating_add(minor);
        }
    }
    for ((currency, state), minor) in sums {
        metrics.money(currency, state, count(minor));
    }
    Ok(())
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
