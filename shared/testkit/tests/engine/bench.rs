//! What each test has: a store, a broker, an outside world, and processes that come and go.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use fleet_contracts::{HINT_TASKS_MAX, JobHint};
use fleet_domain::{Directory, DispenseState, Lane, LaneId, Scenario, TaskKey, TaskKind, later};
use fleet_engine::{Engine, EngineSettings};
use fleet_store::{PurchaseView, Stored, TaskView};
use fleet_testkit::MemoryStore;
use fleet_testkit::samples::{DISPENSE_LANE, new_purchase};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::broker::{Broker, Trace};
use crate::outside::{Outside, ScriptedStep};
use crate::process::{Faults, Process};

/// A lane beside the usual one.
pub(crate) const SLOW_LANE: LaneId = LaneId(77);
/// A machine that is this slow fails the test.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process and its engine.
pub(crate) struct Started {
    pub(crate) process: Arc<Process>,
    pub(crate) stop: CancellationToken,
    pub(crate) engine: JoinHandle<()>,
}

pub(crate) struct Bench {
    pub(crate) memory: MemoryStore,
    pub(crate) outside: Arc<Outside>,
    pub(crate) broker: Arc<Broker>,
    pub(crate) trace: Arc<Trace>,
    pub(crate) settings: EngineSettings,
    pub(crate) longest_call: Duration,
    pub(crate) slow_call: Duration,
    pub(crate) call_deadline: Duration,
    pub(crate) start_within: Duration,
    directory: watch::Sender<Arc<Directory>>,
    processes: Mutex<Vec<Arc<Process>>>,
}

impl Bench {
    pub(crate) fn new(concurrency: u32) -> Self {
        let trace = Arc::new(Trace::default());
        let settings = EngineSettings {
            linger: Duration::ZERO,
            clock_every: Duration::from_millis(2),
            circuit_failures: u32::MAX,
            ..EngineSettings::default()
        };
        let mut directory = Directory::default();
        for (id, concurrency) in [(DISPENSE_LANE, concurrency), (SLOW_LANE, 1)] {
            let (kind, owner) = (TaskKind::Dispense, id.to_string());
            let lane = Lane { id, kind, owner, concurrency, rate_per_second: 0 };
            directory.lanes.insert(id, lane);
        }
        let memory = MemoryStore::new(later(DateTime::<Utc>::UNIX_EPOCH, Duration::from_secs(1)));
        memory.set_lanes(&directory);
        Self {
            memory,
            outside: Arc::default(),
            broker: Broker::new(Arc::clone(&trace)),
            trace,
            settings,
            longest_call: Duration::from_secs(5),
            slow_call: Duration::from_secs(5),
            call_deadline: Duration::from_secs(5),
            start_within: Duration::from_secs(86_400),
            directory: watch::Sender::new(Arc::new(directory)),
            processes: Mutex::default(),
        }
    }

    /// Purchases that are to be dispensed, on a lane.
    pub(crate) fn purchases(&self, count: usize, lane: LaneId) -> Vec<TaskKey> {
        let start_by = later(self.memory.now(), self.start_within);
        let new = |_| {
            let reference = uuid::Uuid::now_v7().to_string();
            let mut new = new_purchase(&reference, Scenario::ClientReserved, start_by).unwrap();
            new.order.first_task.lane = lane;
            new
        };
        let batch: Vec<_> = (0..count).map(new).collect();
        let stored = self.memory.accept(&batch).stored;
        let key = |stored: Stored| match stored {
            Stored::New(purchase, _) => TaskKey { purchase, kind: TaskKind::Dispense, slot: 0 },
            Stored::Same(..) | Stored::Conflict | Stored::Similar(_) => panic!("not new"),
        };
        stored.into_iter().map(key).collect()
    }

    /// One more lane.
    pub(crate) fn lane(&self, id: LaneId, concurrency: u32) {
        let (kind, owner) = (TaskKind::Dispense, id.to_string());
        self.directory.send_modify(|directory| {
            let lane = Lane { id, kind, owner, concurrency, rate_per_second: 0 };
            Arc::make_mut(directory).lanes.insert(id, lane);
        });
        self.memory.set_lanes(&self.directory.borrow());
    }

    /// Publishes their hints, as many as fit in each message.
    pub(crate) fn hint(&self, keys: &[TaskKey], lane: LaneId) {
        self.hint_of(HINT_TASKS_MAX, keys, lane);
    }

    /// Publishes their hints, so many tasks in each.
    pub(crate) fn hint_of(&self, tasks: usize, keys: &[TaskKey], lane: LaneId) {
        for keys in keys.chunks(tasks) {
            let tasks = keys.iter().map(|key| (*key, lane)).collect();
            let published_at = self.memory.now();
            let kind = TaskKind::Dispense;
            self.broker.publish(JobHint { kind, published_at, tasks });
        }
    }

    /// Purchases on the usual lane whose hints are published.
    pub(crate) fn hinted(&self, count: usize) -> Vec<TaskKey> {
        let keys = self.purchases(count, DISPENSE_LANE);
        self.hint(&keys, DISPENSE_LANE);
        keys
    }

    pub(crate) fn start(&self) -> Started {
        self.start_with(Faults::default())
    }

    pub(crate) fn start_with(&self, faults: Faults) -> Started {
        let mut processes = self.processes.lock().unwrap();
        let parts = (Arc::clone(&self.broker), Arc::clone(&self.trace));
        let memory = self.memory.another_process();
        let process = Process::new(processes.len(), memory, Arc::clone(&self.outside), parts);
        *process.faults.lock().unwrap() = faults;
        processes.push(Arc::clone(&process));
        let stop = CancellationToken::new();
        let engine = Engine {
            step: ScriptedStep {
                process: Arc::clone(&process),
                longest_call: self.longest_call,
                slow_call: self.slow_call,
                call_deadline: self.call_deadline,
            },
            store: Arc::clone(&process),
            sink: Arc::clone(&process),
            hints: self.broker.attach(process.id, Arc::clone(&process.told)),
            directory: self.directory.subscribe(),
            settings: self.settings,
        };
        let engine = tokio::spawn(engine.run(stop.clone()));
        Started { process, stop, engine }
    }

    /// Waits for a condition; the table's time stands still.
    pub(crate) async fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while !holds() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        if waited.await.is_err() {
            panic!("{what} never came true: {:#?} {:#?}", self.trace.broken(), self.unfinished());
        }
    }

    /// Waits for a condition while the table's time runs, in steps of a second that are taken only
    /// while no live process has a claim: a lease that ends belongs to a dead one.
    pub(crate) async fn pass_until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        self.until(what, || {
            let done = holds();
            let busy = self.processes.lock().unwrap().iter().any(|process| process.has_work());
            if !done && !busy {
                self.memory.advance(Duration::from_secs(1));
            }
            done
        })
        .await;
    }

    /// Lets so much time pass, for the table and for the processes alike.
    pub(crate) async fn pass(&self, time: Duration) {
        let step = Duration::from_millis(100);
        let end = tokio::time::Instant::now() + time;
        while tokio::time::Instant::now() < end {
            self.memory.advance(step);
            tokio::time::sleep(step).await;
        }
    }

    /// Waits until every dispense task has ended.
    pub(crate) async fn pass_until_all_ended(&self) {
        self.pass_until("the end of all tasks", || self.unfinished().is_empty()).await;
    }

    pub(crate) fn unfinished(&self) -> Vec<TaskKey> {
        let all = self.memory.unfinished();
        all.into_iter().filter(|key| key.kind == TaskKind::Dispense).collect()
    }

    pub(crate) fn view(&self, key: TaskKey) -> PurchaseView {
        self.memory.show(key.purchase).unwrap()
    }

    pub(crate) fn row(&self, key: TaskKey) -> TaskView {
        self.view(key).tasks.into_iter().find(|row| row.key == key).unwrap()
    }

    /// Each was dispensed once, its result is queued once.
    pub(crate) fn assert_dispensed_once(&self, keys: &[TaskKey]) {
        for key in keys {
            let view = self.view(*key);
            assert_eq!(self.outside.effects(*key), 1, "{key}: {:#?}", view.journal);
            assert_eq!(view.purchase.progress.dispense, DispenseState::Dispensed);
            let kinds: Vec<TaskKind> = view.tasks.iter().map(|row| row.key.kind).collect();
            assert_eq!(kinds, [TaskKind::Deliver], "{key}");
            let dispensed = view.journal.iter().filter(|row| row.outcome == "dispensed");
            assert_eq!(dispensed.count(), 1, "{key}");
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let broken = self.trace.broken();
            assert!(broken.is_empty(), "{broken:#?}");
        }
    }
}
