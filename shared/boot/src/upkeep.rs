//! What every program does beside its work: figures of the backlog, and the journal's partitions.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fleet_domain::{ParkClass, TaskKind, TaskState};
use fleet_store::{
    BacklogRow, Holds, Invariant, MoneyRow, Store, StoreError, UnfinishedRow, WaitsFor, invariants,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often the fleet's backlog and the books are asked for, for the metrics.
const FIGURES_EVERY: Duration = Duration::from_secs(10);
/// Looking takes no larger part of the time than one in so many, however much there is to look at.
const LOOK_PART: u32 = 100;
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
///
/// A gauge shows its last value for ever. So every value that there can be is told at each look, zeros
/// too: an alert on what is gone has to end, and whoever starts workers by a figure has to stop them.
pub(crate) async fn watch_backlog(store: Store, stop: CancellationToken) {
    loop {
        let began = Instant::now();
        if let Err(error) = look_at_backlog(&store).await {
            tracing::warn!(error = %error, "backlog is not known");
        }
        if stops(began, FIGURES_EVERY, &stop).await {
            return;
        }
    }
}

async fn look_at_backlog(store: &Store) -> Result<(), StoreError> {
    let metrics = fleet_telemetry::metrics();
    tell_backlog(&store.backlog().await?);
    tell_age(&store.unfinished().await?);
    let parked = store.parked_counts().await?;
    for class in ParkClass::ALL {
        let tasks = parked.iter().find(|(one, _)| *one == class).map_or(0, |(_, tasks)| *tasks);
        metrics.parked(class.name(), count(tasks));
    }
    metrics.unmatched_facts(count(store.unmatched_count().await?));
    Ok(())
}

fn tell_backlog(rows: &[BacklogRow]) {
    let metrics = fleet_telemetry::metrics();
    for kind in TaskKind::ALL {
        for state in TaskState::ALL {
            let row = rows.iter().find(|row| (row.kind, row.state) == (kind, state));
            metrics.backlog(kind.name(), state.name(), count(row.map_or(0, |row| row.tasks)));
        }
        // A parked task is due when its next reminder is.
        let open = rows.iter().filter(|row| row.kind == kind && row.state != TaskState::Parked);
        let oldest = open.map(|row| row.oldest_due_seconds).max();
        metrics.oldest_due_seconds(kind.name(), count(oldest.unwrap_or(0)));
    }
}

fn tell_age(rows: &[UnfinishedRow]) {
    for kind in TaskKind::ALL {
        for waits_for in WaitsFor::ALL {
            let row = rows.iter().find(|row| (row.kind, row.waits_for) == (kind, waits_for));
            let seconds = count(row.map_or(0, |row| row.oldest_seconds));
            fleet_telemetry::metrics().unfinished_seconds(kind.name(), waits_for.name(), seconds);
        }
    }
}

/// Waits between two looks, longer where there is much to look at; true at the stop.
async fn stops(began: Instant, wait: Duration, stop: &CancellationToken) -> bool {
    let pause = wait.max(began.elapsed().saturating_mul(LOOK_PART));
    stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none()
}

/// Tells the metrics what is in the books and has not come to its end, until the stop.
pub async fn watch_money(store: Store, stop: CancellationToken) {
    // Money of a currency that has come to its end may have no row any more.
    let mut currencies = BTreeSet::new();
    loop {
        let began = Instant::now();
        match store.money().await {
            Ok(rows) => tell_money(&rows, &mut currencies),
            Err(error) => tracing::warn!(error = %error, "what is in the books is not known"),
        }
        if stops(began, FIGURES_EVERY, &stop).await {
            return;
        }
    }
}

fn tell_money(rows: &[MoneyRow], currencies: &mut BTreeSet<String>) {
    let mut sums: BTreeMap<(&str, &'static str), i64> = BTreeMap::new();
    for row in rows {
        for (state, minor) in [("held", row.held), ("undecided", row.undecided), ("owed", row.owed)]
        {
            let sum = sums.entry((&row.currency, state)).or_default();
            *sum = sum.saturating_add(minor);
        }
        currencies.insert(row.currency.clone());
    }
    for currency in currencies.iter() {
        for state in ["held", "undecided", "owed"] {
            let minor = sums.get(&(currency.as_str(), state)).copied().unwrap_or(0);
            fleet_telemetry::metrics().money(currency, state, count(minor));
        }
    }
}

/// Looks at the invariants that are cheap enough, until the stop: a violation is an alarm.
pub async fn watch_invariants(store: Store, stop: CancellationToken) {
    let mut broken = BTreeSet::new();
    loop {
        let began = Instant::now();
        for invariant in invariants().iter().filter(|one| one.live) {
            // One that takes too long says nothing about the others.
            if let Err(error) = look_at(&store, invariant, &mut broken).await {
                let code = invariant.code;
                tracing::warn!(code, error = %error, "whether the invariant holds is not known");
            }
        }
        if stops(began, INVARIANTS_EVERY, &stop).await {
            return;
        }
    }
}

/// What holds only once nothing is under way is an alarm when it was broken (`before`) at the last
/// look too.
async fn look_at(
    store: &Store,
    invariant: &Invariant,
    before: &mut BTreeSet<&'static str>,
) -> Result<(), StoreError> {
    let found = store.violations(invariant, VIOLATIONS_MAX, INVARIANT_WITHIN).await?;
    let rows = found.len();
    let metrics = fleet_telemetry::metrics();
    metrics.violations(invariant.code, u64::try_from(rows).unwrap_or(u64::MAX));
    let was_broken = if found.is_empty() {
        before.remove(invariant.code)
    } else {
        !before.insert(invariant.code)
    };
    let is_alarm = was_broken || invariant.holds == Holds::Always;
    if let Some(first) = found.first().filter(|_| is_alarm) {
        let purchase = first.purchase.map(|id| id.to_string()).unwrap_or_default();
        let Invariant { code, says, .. } = invariant;
        let detail = &first.detail;
        tracing::error!(code, says, purchase, detail, rows, "invariant is broken");
    }
    Ok(())
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
