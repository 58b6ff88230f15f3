//! The committer: groups what is decided, writes it in one round trip, publishes what follows.
//!
//! A group that could not be written, or of which nobody knows whether it was, is written again
//! with the same tokens. A group of which the store refuses a row is split until the row stands
//! alone, and then its task is parked as our fault.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use backon::BackoffBuilder;
use chrono::{DateTime, Utc};
use fleet_contracts::{HINT_TASKS_MAX, JobHint, Queue};
use fleet_domain::{Commit, CommitVerdict, LaneId, Next, TaskKey, TaskKind};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::exchange::{REFUSED_BY_STORE, refused_by_store};
use crate::pace::Pace;
use crate::runner::Shared;
use crate::{HintSink, StoreFault, TaskStore};

/// A decided job.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) commit: Commit,
    pub(crate) lane: LaneId,
    /// To be written in a group of its own: it may be what takes processes down.
    pub(crate) alone: bool,
}

/// Writes groups until the channel closes; every group runs on `tracker`.
pub(crate) async fn run<T: TaskStore, H: HintSink>(
    shared: Arc<Shared<T, H>>,
    mut decided: mpsc::Receiver<Decided>,
    tracker: TaskTracker,
) {
    let slots = Arc::new(tokio::sync::Semaphore::new(shared.settings.groups_at_once));
    let max = shared.settings.group_max;
    let mut buffer = Vec::with_capacity(max);
    let pace = Arc::new(Pace::default());
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        if decided.recv_many(&mut buffer, max).await == 0 {
            return;
        }
        let wait = pace.wait(buffer.len(), max, shared.settings.linger);
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
            while buffer.len() < max {
                let Ok(more) = decided.try_recv() else { break };
                buffer.push(more);
            }
        }
        let (alone, group): (Vec<_>, Vec<_>) = buffer.drain(..).partition(|job| job.alone);
        let (shared, pace) = (Arc::clone(&shared), Arc::clone(&pace));
        tracker.spawn(async move {
            let (tasks, began) = (group.len(), tokio::time::Instant::now());
            write(&shared, group).await;
            pace.wrote(tasks, began.elapsed());
            for job in alone {
                write(&shared, vec![job]).await;
            }
            drop(slot);
        });
    }
}

async fn write<T: TaskStore, H: HintSink>(shared: &Shared<T, H>, group: Vec<Decided>) {
    let kind = shared.kind;
    let mut groups = VecDeque::from([group]);
    while let Some(mut group) = groups.pop_front() {
        if group.is_empty() {
            continue;
        }
        let commits: Vec<Commit> = group.iter().map(|job| job.commit.clone()).collect();
        fleet_telemetry::crash_point(kind.name(), "commit.before");
        match write_until_told(shared, &commits).await {
            Ok(written) => {
                fleet_telemetry::crash_point(kind.name(), "commit.after");
                fleet_telemetry::metrics().group("commit", kind.name(), size(group.len()));
                let hints = hints_after(&group, &written.verdicts, written.now);
                let now = tokio::time::Instant::now();
                {
                    let mut window = shared.window();
                    for job in &group {
                        window.finished(&job.commit.key, now);
                    }
                }
                shared.changed.notify_one();
                tell_parked(&group, &written.verdicts);
                shared.publish(hints, "publish.after");
            }
            Err(cause) if group.len() == 1 => {
                let Some(job) = group.pop() else { continue };
                let key = job.commit.key;
                if job.commit.decision.outcome == REFUSED_BY_STORE {
                    // Its lease brings it back; its claims count, so that it ends as poison.
                    tracing::error!(task = %key, cause, "the store refuses to park a task");
                    shared.window().finished(&key, tokio::time::Instant::now());
                    shared.changed.notify_one();
                    continue;
                }
                tracing::error!(task = %key, cause, "the store refuses a decision");
                let commit = refused_by_store(&job.commit, &cause);
                groups.push_front(vec![Decided { commit, ..job }]);
            }
            Err(_) => {
                let rest = group.split_off(group.len() / 2);
                groups.push_front(rest);
                groups.push_front(group);
            }
        }
    }
}

async fn write_until_told<T: TaskStore, H: HintSink>(
    shared: &Shared<T, H>,
    commits: &[Commit],
) -> Result<crate::Committed, String> {
    let mut delays = retry_delays(shared.settings.seed);
    loop {
        match shared.store.commit(shared.kind, commits).await {
            Ok(written) => {
                count(shared.kind, &written.verdicts);
                return Ok(written);
            }
            Err(StoreFault::Refused(cause)) => return Err(cause),
            Err(StoreFault::Retry(cause)) => {
                tracing::warn!(kind = shared.kind.name(), cause, "commit not written, again");
                let delay = delays.next().unwrap_or(Duration::from_secs(2));
                tokio::time::sleep(delay).await;
            }
        }
    }
}

/// Waits between two tries of the same group; they differ between processes.
pub(crate) fn retry_delays(seed: u64) -> impl Iterator<Item = Duration> {
    backon::ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_secs(1))
        .with_jitter()
        .with_jitter_seed(seed)
        .without_max_times()
        .build()
}

/// Somebody has to look at it: one line, when it is parked and never again.
fn tell_parked(group: &[Decided], verdicts: &[CommitVerdict]) {
    for (job, verdict) in group.iter().zip(verdicts) {
        let Next::Park { class, cause, .. } = &job.commit.decision.next else { continue };
        if *verdict == CommitVerdict::Done {
            let TaskKey { purchase, kind, .. } = job.commit.key;
            let (kind, class) = (kind.name(), class.name());
            tracing::warn!(%purchase, kind, class, cause, "a task is parked");
        }
    }
}

fn count(kind: TaskKind, verdicts: &[CommitVerdict]) {
    let all = [
        CommitVerdict::Done,
        CommitVerdict::Already,
        CommitVerdict::FactFirst,
        CommitVerdict::Late,
        CommitVerdict::LateGone,
    ];
    for verdict in all {
        let number = verdicts.iter().filter(|v| **v == verdict).count();
        if number > 0 {
            fleet_telemetry::metrics().commit_verdict(kind.name(), verdict.name(), size(number));
        }
    }
}

pub(crate) fn size(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// The hints of what a group of commits has queued.
fn hints_after(group: &[Decided], verdicts: &[CommitVerdict], now: DateTime<Utc>) -> Vec<JobHint> {
    let mut tasks = Vec::new();
    for (job, verdict) in group.iter().zip(verdicts) {
        let decision = &job.commit.decision;
        let again = match verdict {
            CommitVerdict::FactFirst => true,
            CommitVerdict::Done | CommitVerdict::Already => decision.next == Next::Now,
            CommitVerdict::Late | CommitVerdict::LateGone => false,
        };
        if again {
            tasks.push((job.commit.key, job.lane));
        }
        if matches!(verdict, CommitVerdict::Done | CommitVerdict::Already) {
            tasks.extend(decision.follow_ups.iter().map(|task| {
                let purchase = job.commit.key.purchase;
                (TaskKey { purchase, kind: task.kind, slot: task.slot }, task.lane)
            }));
        }
    }
    hints_of(&tasks, now)
}

/// Hints of up to 32 tasks each, one kind a hint. Kinds without a queue have none.
#[must_use]
pub fn hints_of(tasks: &[(TaskKey, LaneId)], published_at: DateTime<Utc>) -> Vec<JobHint> {
    let mut hints = Vec::new();
    for kind in TaskKind::ALL {
        if Queue::of(kind).is_none() {
            continue;
        }
        let of_kind: Vec<_> = tasks.iter().filter(|(key, _)| key.kind == kind).copied().collect();
        for chunk in of_kind.chunks(HINT_TASKS_MAX) {
            hints.push(JobHint { kind, published_at, tasks: chunk.to_vec() });
        }
    }
    hints
}
