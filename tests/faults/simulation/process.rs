//! One worker process as its engines see the world. At every wait it may die, and whatever it asks for
//! then never returns; or it stands still, and goes on when its leases are long over.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fleet_contracts::JobHint;
use fleet_domain::{
    ClaimGroup, ClaimVerdict, Commit, FactOutcome, Free, Heartbeat, Job, LaneLease, NewFact,
    TaskKey, TaskKind, Tick, TickReport,
};
use fleet_engine::{Committed, HintSink, Published, StoreFault, TaskStore};
use fleet_testkit::MemoryStore;
use tokio::time::Instant;

use super::judge;
use super::world::{World, pass};

/// A statement that is given up has a client that waited so long.
const GIVEN_UP: Duration = Duration::from_secs(2);

/// A process.
pub(super) struct Process {
    pub(super) id: usize,
    pub(super) world: Arc<World>,
    store: MemoryStore,
    life: Mutex<Life>,
}

#[derive(Debug, Clone, Copy)]
enum Life {
    Alive,
    Frozen(Instant),
    Dead,
}

/// How a statement goes.
enum Way {
    Well,
    NotWritten,
    AnswerLost,
    AfterItsTimeOut,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Process {
    pub(super) fn new(id: usize, world: Arc<World>) -> Arc<Self> {
        let store = world.memory.another_process();
        Arc::new(Self { id, world, store, life: Mutex::new(Life::Alive) })
    }

    pub(super) fn is_dead(&self) -> bool {
        matches!(self.life(), Life::Dead)
    }

    fn life(&self) -> Life {
        *self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lives(&self, life: Life) {
        *self.life.lock().unwrap_or_else(PoisonError::into_inner) = life;
    }

    pub(super) fn die(&self, why: &str) {
        self.world.note(|| format!("process {} dies: {why}", self.id));
        self.lives(Life::Dead);
        self.world.broker.detach(self.id);
    }

    fn freeze(&self) {
        let world = &self.world;
        world.reach("fault freeze");
        let time = world.millis(500, 40_000);
        world.note(|| format!("process {} stands still for {time:?}", self.id));
        let until = Instant::now().checked_add(time);
        self.lives(until.map_or(Life::Dead, Life::Frozen));
    }

    /// A wait at which anything may happen to the process.
    pub(super) async fn pass(&self, at: &'static str) {
        let world = &self.world;
        if matches!(self.life(), Life::Alive) {
            if world.chance(world.knobs.crash) {
                world.reach("fault crash");
                self.die(at);
            } else if world.chance(world.knobs.freeze) {
                self.freeze();
            }
        }
        loop {
            match self.life() {
                Life::Alive => break,
                Life::Frozen(until) if until <= Instant::now() => self.lives(Life::Alive),
                Life::Frozen(until) => tokio::time::sleep_until(until).await,
                Life::Dead => std::future::pending().await,
            }
        }
        // Others come in between.
        if world.is_troubled() && world.below(2) == 0 {
            tokio::task::yield_now().await;
        }
        world.now();
    }

    async fn way(&self) -> Way {
        let world = &self.world;
        let knobs = world.knobs;
        if world.chance(knobs.not_written) {
            world.reach("fault statement not written");
            return Way::NotWritten;
        }
        if world.chance(knobs.ghost) {
            world.reach("fault statement after its time-out");
            pass(GIVEN_UP).await;
            return Way::AfterItsTimeOut;
        }
        if world.chance(knobs.late) {
            world.reach("fault statement late");
            // Longer than some leases: whoever waits for a lock may come in after another claim.
            pass(world.millis(100, 20_000)).await;
            world.now();
        }
        if world.chance(knobs.answer_lost) {
            world.reach("fault statement answer lost");
            return Way::AnswerLost;
        }
        Way::Well
    }

    /// A statement by its way; `write` writes it now.
    async fn statement<T: 'static>(
        &self,
        at: &'static str,
        write: impl Fn(&World) -> Result<T, StoreFault> + Send + 'static,
    ) -> Result<T, StoreFault> {
        self.pass(at).await;
        let way = self.way().await;
        let written = match way {
            Way::NotWritten => Err(lost()),
            Way::AfterItsTimeOut => {
                let (world, after) = (Arc::clone(&self.world), self.world.millis(1, 3_000));
                tokio::spawn(async move {
                    pass(after).await;
                    world.now();
                    drop(write(&world));
                });
                Err(lost())
            }
            Way::AnswerLost => write(&self.world).and(Err(lost())),
            Way::Well => write(&self.world),
        };
        self.pass(at).await;
        written
    }
}

fn lost() -> StoreFault {
    StoreFault::Retry("connection is gone".to_owned())
}

/// The model answers at once: its futures are ready.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        // The model waits for nobody.
        std::task::Poll::Pending => std::process::abort(),
    }
}

fn claim(
    world: &World,
    store: &MemoryStore,
    group: &ClaimGroup,
) -> Result<Vec<ClaimVerdict<Box<Job>>>, StoreFault> {
    let verdicts = ready(store.claim(group))?;
    for (ask, verdict) in group.asks.iter().zip(&verdicts) {
        world.reach(&format!("claim {}", verdict.name()));
        world.note(|| format!("claim {} {}", short(&ask.key), verdict.name()));
    }
    Ok(verdicts)
}

fn commit(
    world: &World,
    store: &MemoryStore,
    kind: TaskKind,
    group: &[Commit],
) -> Result<Committed, StoreFault> {
    let committed = ready(store.commit(kind, group))?;
    for (commit, verdict) in group.iter().zip(&committed.verdicts) {
        world.reach(&format!("commit {}", verdict.name()));
        let outcome = commit.decision.outcome;
        world.note(|| format!("commit {} {outcome}: {}", short(&commit.key), verdict.name()));
        if *verdict == fleet_domain::CommitVerdict::Done {
            world.reach(&format!("{} {outcome}", kind.name()));
            if outcome == "poison" {
                world.reach(outcome);
            }
        } else if *verdict == fleet_domain::CommitVerdict::FactFirst {
            world.reach(&format!("{} fact_first", kind.name()));
        }
        judge::instant(world, commit.key.purchase);
    }
    Ok(committed)
}

/// A task in few words: purchases of a history are numbered.
pub(super) fn short(key: &TaskKey) -> String {
    format!("{} {}/{}", key.purchase.0.as_u128() & 0xffff, key.kind.name(), key.slot)
}

impl TaskStore for Process {
    async fn claim(&self, group: &ClaimGroup) -> Result<Vec<ClaimVerdict<Box<Job>>>, StoreFault> {
        let (store, group) = (self.store.clone(), group.clone());
        self.statement("claim", move |world| claim(world, &store, &group)).await
    }

    async fn commit(&self, kind: TaskKind, group: &[Commit]) -> Result<Committed, StoreFault> {
        let (store, group) = (self.store.clone(), group.to_vec());
        self.statement("commit", move |world| commit(world, &store, kind, &group)).await
    }

    async fn store_fact(&self, fact: &NewFact) -> Result<FactOutcome, StoreFault> {
        self.pass("fact").await;
        self.store.store_fact(fact).await
    }

    async fn put_back(&self, keys: &[TaskKey]) -> Result<(), StoreFault> {
        let (store, keys) = (self.store.clone(), keys.to_vec());
        self.world.reach("put_back");
        self.statement("put back", move |_| ready(store.put_back(&keys))).await
    }

    async fn free(&self, frees: &[Free]) -> Result<(), StoreFault> {
        let (store, frees) = (self.store.clone(), frees.to_vec());
        self.world.reach("free");
        self.statement("free", move |_| ready(store.free(&frees))).await
    }

    async fn tick(&self, tick: &Tick) -> Result<TickReport, StoreFault> {
        let (store, tick) = (self.store.clone(), tick.clone());
        let report = self.statement("tick", move |_| ready(store.tick(&tick))).await?;
        for (count, branch) in
            [(report.due.len(), "clock due"), (usize::from(report.lost > 0), "clock lost")]
        {
            if count > 0 {
                self.world.reach(branch);
            }
        }
        Ok(report)
    }

    async fn beat(&self, beat: &Heartbeat) -> Result<Vec<LaneLease>, StoreFault> {
        self.pass("beat").await;
        self.store.beat(beat).await
    }
}

impl HintSink for Process {
    async fn publish(&self, hints: Vec<JobHint>) -> Published {
        self.pass("publish").await;
        let confirmed = hints.len();
        for hint in hints {
            self.world.publish(hint);
        }
        self.pass("published").await;
        Published { confirmed, left_to_clock: 0 }
    }

    fn usable(&self) -> bool {
        self.world.broker_is_usable()
    }

    async fn ready(&self, kind: TaskKind) -> Option<u64> {
        self.pass("ready").await;
        // It may not tell in time.
        (!self.world.chance(100)).then(|| self.world.broker.ready(kind))
    }
}
