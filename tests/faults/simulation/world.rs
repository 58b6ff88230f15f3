//! What everybody in a history shares: the seed's numbers, the clock, the table, the broker, the
//! parties, and what was seen.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use fleet_contracts::JobHint;
use fleet_domain::{FactOutcome, LaneId, NewFact, TaskKey, TaskKind};
use fleet_engine::TaskStore as _;
use fleet_store::TaskView;
use fleet_testkit::MemoryStore;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;

use super::broker::Broker;
use super::coverage::Coverage;
use super::knobs::Knobs;
use super::parties::Parties;

/// Lets simulated time pass. The clock is paused and jumps to whoever is due next: nobody waits.
pub(super) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Everything of one history.
pub(super) struct World {
    pub(super) knobs: Knobs,
    pub(super) memory: MemoryStore,
    pub(super) broker: Arc<Broker>,
    pub(super) validates: bool,
    parties: Mutex<Parties>,
    random: Mutex<StdRng>,
    clock: Mutex<Instant>,
    trouble: AtomicBool,
    /// Effects that are still to come of calls that were given up.
    pub(super) late_effects: AtomicU32,
    /// Buyers who are still to be heard of.
    pub(super) buyers: AtomicU32,
    blocked_until: Mutex<Instant>,
    seen: Mutex<Seen>,
}

/// What was seen.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) coverage: Coverage,
    pub(super) violations: Vec<String>,
    /// Of everything that happened, in its order.
    hash: DefaultHasher,
    /// Kept only when it is to be read.
    lines: Option<Vec<String>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub(super) fn new(seed: u64, knobs: Knobs, validates: bool, traced: bool) -> Arc<Self> {
        let now = Instant::now();
        let epoch = DateTime::from_timestamp(1_800_000_000, 0).unwrap_or_default();
        Arc::new(Self {
            knobs,
            memory: MemoryStore::new(epoch),
            broker: Arc::default(),
            validates,
            parties: Mutex::default(),
            random: Mutex::new(StdRng::seed_from_u64(seed)),
            clock: Mutex::new(now),
            trouble: AtomicBool::new(true),
            late_effects: AtomicU32::new(0),
            buyers: AtomicU32::new(0),
            blocked_until: Mutex::new(now),
            seen: Mutex::new(Seen { lines: traced.then(Vec::new), ..Seen::default() }),
        })
    }

    /// The table's clock goes with the history's.
    pub(super) fn now(&self) -> DateTime<Utc> {
        let mut clock = lock(&self.clock);
        let now = Instant::now();
        let passed = now.saturating_duration_since(*clock);
        if !passed.is_zero() {
            self.memory.advance(passed);
            *clock = now;
        }
        self.memory.now()
    }

    pub(super) fn chance(&self, per_mille: u32) -> bool {
        per_mille > 0 && self.is_troubled() && self.below(1_000) < u64::from(per_mille)
    }

    pub(super) fn below(&self, end: u64) -> u64 {
        lock(&self.random).random_range(0..end.max(1))
    }

    pub(super) fn millis(&self, from: u64, to: u64) -> Duration {
        let span = to.saturating_sub(from).saturating_add(1);
        Duration::from_millis(from.saturating_add(self.below(span)))
    }

    /// Nothing is out whose time a jump would end: no real clock does that.
    pub(super) fn may_jump(&self) -> bool {
        self.memory.running() == 0 && self.late_effects.load(Ordering::Relaxed) == 0
    }

    pub(super) fn is_troubled(&self) -> bool {
        self.trouble.load(Ordering::Relaxed)
    }

    /// From now on nothing goes wrong any more.
    pub(super) fn calm_down(&self) {
        self.trouble.store(false, Ordering::Relaxed);
    }

    pub(super) fn block_broker(&self, time: Duration) {
        self.reach("fault broker blocked");
        let until = Instant::now().checked_add(time);
        *lock(&self.blocked_until) = until.unwrap_or_else(Instant::now);
    }

    pub(super) fn broker_is_usable(&self) -> bool {
        !self.is_troubled() || Instant::now() >= *lock(&self.blocked_until)
    }

    pub(super) fn parties(&self) -> MutexGuard<'_, Parties> {
        lock(&self.parties)
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }

    pub(super) fn reach(&self, branch: &str) {
        self.seen().coverage.reach(branch);
    }

    /// Something that happened: part of what a seed must bring again.
    pub(super) fn note(&self, what: impl FnOnce() -> String) {
        let at = self.memory.now();
        let mut seen = self.seen();
        let line = what();
        (at, &line).hash(&mut seen.hash);
        if let Some(lines) = &mut seen.lines {
            lines.push(format!("{} {line}", at.format("%H:%M:%S%.3f")));
        }
    }

    pub(super) fn violate(&self, what: String) {
        self.note(|| format!("VIOLATION {what}"));
        self.seen().violations.push(what);
    }

    /// Hints reach the broker, or do not, or twice, in any order.
    pub(super) fn publish(&self, hint: JobHint) {
        if self.chance(self.knobs.hint_lost) {
            self.reach("fault hint lost");
            return;
        }
        if self.chance(self.knobs.hint_double) {
            self.reach("fault hint doubled");
            self.put(hint.clone());
        }
        self.put(hint);
    }

    fn put(&self, hint: JobHint) {
        let place = self.is_troubled().then(|| self.below(1 << 20));
        if self.broker.publish(hint, place) {
            self.reach("fault hint overtaken");
        }
    }

    /// The gateway stores what it is told, and wakes its task.
    pub(super) async fn tell(&self, fact: &NewFact) {
        let now = self.now();
        let Ok(outcome) = self.memory.store_fact(fact).await else { return };
        self.note(|| format!("fact {} {outcome:?}", fact.status));
        match outcome {
            FactOutcome::Stored { woken: Some(woken) } => {
                self.reach("fact woke");
                self.publish_one(woken.key, woken.lane, now);
            }
            FactOutcome::Stored { woken: None } => self.reach("fact stored"),
            FactOutcome::Duplicate => self.reach("fact duplicate"),
            FactOutcome::Unmatched => self.reach("fact unmatched"),
        }
        let case = |task: &TaskView| task.key.kind == TaskKind::Case;
        let view = fact.task.and_then(|key| self.memory.show(key.purchase));
        if view.is_some_and(|view| view.tasks.iter().any(case)) {
            self.reach("case case_opened");
        }
    }

    pub(super) fn publish_one(&self, key: TaskKey, lane: LaneId, at: DateTime<Utc>) {
        let tasks = vec![(key, lane)];
        self.publish(JobHint { kind: key.kind, published_at: at, tasks });
    }
}

impl Seen {
    pub(super) fn hash(&self) -> u64 {
        self.hash.finish()
    }

    pub(super) fn take_lines(&mut self) -> Vec<String> {
        self.lines.take().unwrap_or_default()
    }
}
