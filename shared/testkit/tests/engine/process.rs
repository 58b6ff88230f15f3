//! One process as its engine sees the world: the task table and the broker, with faults on the way
//! to them. A process that crashed does nothing any more: whatever it asks for never returns.

use std::collections::{HashMap, HashSet, VecDeque};
use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fleet_contracts::JobHint;
use fleet_domain::{
    ClaimGroup, ClaimVerdict, Commit, CommitVerdict, FactOutcome, Free, Heartbeat, Job, LaneLease,
    NewFact, TaskKey, TaskKind, Tick, TickReport,
};
use fleet_engine::{Committed, HintSink, Published, StoreFault, TaskStore};
use fleet_testkit::MemoryStore;

use crate::broker::{Broker, Event, Trace};
use crate::outside::Outside;

/// Where a process may die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    /// The claim is committed, nothing has left.
    Claimed,
    /// The effect took place, nothing is decided.
    Called,
    /// Decided, not written.
    Committing,
    /// Written, nothing is published.
    Committed,
    /// Published, and nothing else.
    Published,
}

impl Point {
    pub(crate) const ALL: [Self; 5] =
        [Self::Claimed, Self::Called, Self::Committing, Self::Committed, Self::Published];
}

/// What goes wrong with one round trip to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    NotWritten,
    /// Written, and the connection breaks before the answer.
    AnswerLost,
    /// Written, and the answer takes its time.
    Slow(Duration),
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) claims: VecDeque<Fault>,
    pub(crate) commits: VecDeque<Fault>,
    /// Rows of these tasks are refused, whatever else is in their group.
    pub(crate) refused: HashSet<TaskKey>,
    /// So are the commits that would park them.
    pub(crate) refuses_parking: bool,
    /// Rows that somebody else has locked.
    pub(crate) locked: HashSet<TaskKey>,
    /// Where it dies, and at which passage.
    pub(crate) dies: Option<(Point, u32)>,
    pub(crate) loses_hints: bool,
    pub(crate) is_blocked: bool,
    /// Beats do not get through.
    pub(crate) loses_beats: bool,
}

pub(crate) struct Process {
    pub(crate) id: usize,
    pub(crate) memory: MemoryStore,
    pub(crate) outside: Arc<Outside>,
    pub(crate) broker: Arc<Broker>,
    pub(crate) trace: Arc<Trace>,
    pub(crate) told: Arc<Mutex<HashSet<TaskKey>>>,
    pub(crate) faults: Mutex<Faults>,
    dead: AtomicBool,
    /// Lanes that its clock has looked for, over all looks.
    looked_for: AtomicUsize,
    busy: AtomicU32,
    claimed: Mutex<HashMap<TaskKey, u32>>,
}

impl Process {
    pub(crate) fn new(
        id: usize,
        memory: MemoryStore,
        outside: Arc<Outside>,
        (broker, trace): (Arc<Broker>, Arc<Trace>),
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            memory,
            outside,
            broker,
            trace,
            told: Arc::default(),
            faults: Mutex::default(),
            dead: AtomicBool::new(false),
            looked_for: AtomicUsize::new(0),
            busy: AtomicU32::new(0),
            claimed: Mutex::default(),
        })
    }

    pub(crate) fn crash(&self) {
        self.dead.store(true, Ordering::SeqCst);
        self.broker.detach(self.id);
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    /// Tasks that it claimed and has not committed, and writes under way.
    pub(crate) fn has_work(&self) -> bool {
        let claimed = !self.claimed.lock().unwrap().is_empty();
        !self.is_dead() && (claimed || self.busy.load(Ordering::SeqCst) > 0)
    }

    /// How many lanes its clock has looked for, over all looks.
    pub(crate) fn looked_for(&self) -> usize {
        self.looked_for.load(Ordering::SeqCst)
    }

    /// Tasks whose claim is not committed yet.
    pub(crate) fn claimed(&self) -> usize {
        self.claimed.lock().unwrap().len()
    }

    /// A panic ends a claim as a crash does.
    pub(crate) fn forget(&self, key: TaskKey) {
        self.claimed.lock().unwrap().remove(&key);
    }

    pub(crate) async fn while_alive(&self) {
        if self.is_dead() {
            pending::<()>().await;
        }
    }

    /// Passes a point at which the process may be told to die.
    pub(crate) async fn point(&self, point: Point) {
        {
            let mut faults = self.faults.lock().unwrap();
            if let Some((at, left)) = &mut faults.dies
                && *at == point
            {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    drop(faults);
                    self.crash();
                }
            }
        }
        self.while_alive().await;
    }

    fn refuses(&self, group: &[Commit]) -> bool {
        let faults = self.faults.lock().unwrap();
        group.iter().any(|commit| {
            let parks = commit.decision.outcome == "refused_by_store";
            faults.refused.contains(&commit.key) && (!parks || faults.refuses_parking)
        })
    }

    fn check_group(&self, keys: &[TaskKey]) {
        let distinct: HashSet<_> = keys.iter().collect();
        if distinct.len() != keys.len() || keys.len() > 256 || keys.is_empty() {
            self.trace.break_rule(format!("a group of {} with doubles", keys.len()));
        }
    }
}

fn lost() -> StoreFault {
    StoreFault::Retry("connection is gone".to_owned())
}

impl TaskStore for Process {
    async fn claim(&self, group: &ClaimGroup) -> Result<Vec<ClaimVerdict<Box<Job>>>, StoreFault> {
        self.while_alive().await;
        let keys: Vec<TaskKey> = group.asks.iter().map(|ask| ask.key).collect();
        self.check_group(&keys);
        let (fault, locked) = {
            let mut faults = self.faults.lock().unwrap();
            (faults.claims.pop_front(), faults.locked.clone())
        };
        if fault == Some(Fault::NotWritten) {
            return Err(lost());
        }
        let free = group.asks.iter().filter(|ask| !locked.contains(&ask.key)).copied();
        let mut written = self
            .memory
            .claim(&ClaimGroup { asks: free.collect(), ..group.clone() })
            .await?
            .into_iter();
        let mut verdicts = Vec::new();
        let mut claimed = Vec::new();
        for key in keys {
            if locked.contains(&key) {
                verdicts.push(ClaimVerdict::Locked);
                continue;
            }
            let verdict = written.next().unwrap();
            if let ClaimVerdict::Started(_) | ClaimVerdict::Resumed(_) | ClaimVerdict::Expired(_) =
                &verdict
            {
                claimed.push(key);
            }
            verdicts.push(verdict);
        }
        self.claimed.lock().unwrap().extend(claimed.iter().map(|key| (*key, 1)));
        self.trace.push(Event::Claimed(claimed));
        self.point(Point::Claimed).await;
        match fault {
            Some(Fault::AnswerLost) => return Err(lost()),
            Some(Fault::Slow(by)) => tokio::time::sleep(by).await,
            Some(Fault::NotWritten) | None => {}
        }
        let told = group.asks.iter().zip(&verdicts);
        let told = told.filter(|(_, verdict)| !matches!(verdict, ClaimVerdict::OtherLane(_)));
        self.told.lock().unwrap().extend(told.map(|(ask, _)| ask.key));
        Ok(verdicts)
    }

    async fn commit(&self, kind: TaskKind, group: &[Commit]) -> Result<Committed, StoreFault> {
        self.point(Point::Committing).await;
        let keys: Vec<TaskKey> = group.iter().map(|commit| commit.key).collect();
        self.check_group(&keys);
        self.trace.push(Event::CommitTried(keys.clone()));
        if self.refuses(group) {
            return Err(StoreFault::Refused("a row is refused".to_owned()));
        }
        let fault = self.faults.lock().unwrap().commits.pop_front();
        if fault == Some(Fault::NotWritten) {
            return Err(lost());
        }
        let committed = self.memory.commit(kind, group).await?;
        let verdicts: Vec<(TaskKey, CommitVerdict)> =
            keys.into_iter().zip(committed.verdicts.iter().copied()).collect();
        self.trace.push(Event::Committed(verdicts.clone()));
        self.point(Point::Committed).await;
        match fault {
            Some(Fault::AnswerLost) => return Err(lost()),
            Some(Fault::Slow(by)) => tokio::time::sleep(by).await,
            Some(Fault::NotWritten) | None => {}
        }
        let mut claimed = self.claimed.lock().unwrap();
        for (key, _) in verdicts {
            claimed.remove(&key);
        }
        Ok(committed)
    }

    async fn store_fact(&self, fact: &NewFact) -> Result<FactOutcome, StoreFault> {
        self.memory.store_fact(fact).await
    }

    async fn put_back(&self, keys: &[TaskKey]) -> Result<(), StoreFault> {
        self.while_alive().await;
        self.trace.push(Event::PutBack(keys.to_vec()));
        self.memory.put_back(keys).await?;
        self.told.lock().unwrap().extend(keys);
        Ok(())
    }

    async fn free(&self, frees: &[Free]) -> Result<(), StoreFault> {
        self.while_alive().await;
        self.memory.free(frees).await?;
        for free in frees {
            self.trace.push(Event::Freed(free.key));
            self.forget(free.key);
        }
        Ok(())
    }

    async fn tick(&self, tick: &Tick) -> Result<TickReport, StoreFault> {
        self.while_alive().await;
        self.trace.push(Event::Ticked);
        self.looked_for.fetch_add(tick.lanes.len(), Ordering::SeqCst);
        self.memory.tick(tick).await
    }

    async fn beat(&self, beat: &Heartbeat) -> Result<Vec<LaneLease>, StoreFault> {
        self.while_alive().await;
        if self.faults.lock().unwrap().loses_beats {
            return Err(lost());
        }
        self.memory.beat(beat).await
    }
}

impl HintSink for Process {
    async fn publish(&self, hints: Vec<JobHint>) -> Published {
        self.while_alive().await;
        self.busy.fetch_add(1, Ordering::SeqCst);
        let count = hints.len();
        let unfinished = self.memory.unfinished();
        for hint in hints {
            let keys: Vec<TaskKey> = hint.tasks.iter().map(|(key, _)| *key).collect();
            for key in &keys {
                let made = unfinished.binary_search(key).is_ok();
                // Somebody else may have finished it since; it was there once.
                let told = key.kind == TaskKind::Dispense;
                if !made && !told {
                    self.trace.break_rule(format!("{key} is published before it is written"));
                }
            }
            if self.faults.lock().unwrap().loses_hints {
                continue;
            }
            self.trace.push(Event::Published(hint.kind, keys));
            if hint.kind == TaskKind::Dispense {
                self.broker.publish(hint);
            }
            self.point(Point::Published).await;
        }
        self.busy.fetch_sub(1, Ordering::SeqCst);
        Published { confirmed: count, left_to_clock: 0 }
    }

    fn usable(&self) -> bool {
        !self.faults.lock().unwrap().is_blocked
    }

    async fn ready(&self, _: TaskKind) -> Option<u64> {
        self.while_alive().await;
        u64::try_from(self.broker.ready()).ok()
    }
}
