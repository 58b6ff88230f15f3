//! The loop that every worker runs for each of its kinds.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fleet_contracts::JobHint;
use fleet_domain::TaskKind;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::claimer::Claimer;
use crate::commit::{self, size};
use crate::publish::publish_or_put_back;
use crate::window::Window;
use crate::{DirectoryWatch, EngineSettings, HintSink, ReceivedHint, Step, TaskStore, beat, clock};

/// What an engine works with.
#[derive(Debug)]
pub struct Engine<S, T, H> {
    /// What to do with a job.
    pub step: S,
    /// The task table.
    pub store: Arc<T>,
    /// Where hints go.
    pub sink: Arc<H>,
    /// Hints that come in.
    pub hints: mpsc::Receiver<ReceivedHint>,
    /// Clients, products, connectors, lanes, plans.
    pub directory: DirectoryWatch,
    /// Limits.
    pub settings: EngineSettings,
}

/// What the parts of one engine share.
pub(crate) struct Shared<T, H> {
    pub(crate) kind: TaskKind,
    pub(crate) store: Arc<T>,
    pub(crate) sink: Arc<H>,
    pub(crate) directory: DirectoryWatch,
    pub(crate) settings: EngineSettings,
    pub(crate) changed: Notify,
    /// Somebody waits for a permit, or a permit is to be given back.
    pub(crate) asks: Notify,
    /// There is room for what waits in the table.
    pub(crate) looks: Notify,
    window: Mutex<Window>,
    publishing: TaskTracker,
}

impl<T: TaskStore, H: HintSink> Shared<T, H> {
    pub(crate) fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A permit is free: for whoever waits here, for what waits in the table, or to be given back.
    pub(crate) fn permit_released(&self) {
        self.changed.notify_one();
        self.looks.notify_one();
        self.asks.notify_one();
    }

    /// Publishes beside everything else. `done` names the crash point behind it.
    pub(crate) fn publish(&self, hints: Vec<JobHint>, done: &'static str) {
        if hints.is_empty() {
            return;
        }
        let (kind, sink, store) = (self.kind, Arc::clone(&self.sink), Arc::clone(&self.store));
        self.publishing.spawn(async move {
            let told = publish_or_put_back(&*store, &*sink, hints).await;
            fleet_telemetry::crash_point(kind.name(), done);
            let (confirmed, left) = (size(told.confirmed), size(told.left_to_clock));
            fleet_telemetry::metrics().published(kind.name(), confirmed, left);
        });
    }
}

impl<S: Step, T: TaskStore, H: HintSink> Engine<S, T, H> {
    /// Runs until `stop`, then finishes what is in flight within the grace time. Claims of which
    /// nothing has left are given back, unclaimed hints go back to the broker.
    pub async fn run(self, stop: CancellationToken) {
        let shared = Arc::new(Shared {
            kind: S::KIND,
            store: self.store,
            sink: self.sink,
            directory: self.directory,
            settings: self.settings,
            changed: Notify::new(),
            asks: Notify::new(),
            looks: Notify::new(),
            window: Mutex::new(Window::new(S::KIND, self.settings)),
            publishing: TaskTracker::new(),
        });
        let directory = shared.directory.borrow().clone();
        shared.window().configure(&directory);
        let (decide, decided) = mpsc::channel(self.settings.window_tasks.max(1));
        let tracker = TaskTracker::new();
        let step = Arc::new(self.step);
        let claimer = Claimer {
            shared: Arc::clone(&shared),
            step: Arc::clone(&step),
            decide,
            tracker: tracker.clone(),
            alone: Arc::new(tokio::sync::RwLock::new(())),
            stop: stop.clone(),
        };
        let commits = TaskTracker::new();
        let committer = commit::run(Arc::clone(&shared), decided, commits.clone());
        let work = async {
            tokio::join!(read_hints(&shared, self.hints, &stop), claimer.run());
            // Whoever holds a sender is a job in flight: the committer ends after the last of them.
            tracker.close();
            tracker.wait().await;
        };
        let done = CancellationToken::new();
        let longest_call = |directory: &fleet_domain::Directory| step.longest_call(directory);
        let beating = beat::run(Arc::clone(&shared), longest_call, stop.clone(), done.clone());
        let working = async {
            tokio::join!(work, committer, clock::run(Arc::clone(&shared), stop.clone()));
            // A look that was under way at the stop has doled since.
            put_unclaimed_back(&shared).await;
            done.cancel();
        };
        let ended = async {
            tokio::join!(working, beating);
            commits.close();
            commits.wait().await;
            shared.publishing.close();
            shared.publishing.wait().await;
        };
        let grace = async {
            stop.cancelled().await;
            tokio::time::sleep(shared.settings.grace).await;
        };
        // Everywhere in the engine the same order of looks: one seed gives one history.
        tokio::select! {
            biased;
            () = ended => {}
            () = grace => tracing::warn!(kind = S::KIND.name(), "grace time is over, work is left"),
        }
    }
}

async fn read_hints<T: TaskStore, H: HintSink>(
    shared: &Shared<T, H>,
    mut hints: mpsc::Receiver<ReceivedHint>,
    stop: &CancellationToken,
) {
    let mut buffer = Vec::with_capacity(64);
    loop {
        if !shared.window().has_room() {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = tokio::time::sleep(Duration::from_millis(5)) => continue,
            }
        }
        let read = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            read = hints.recv_many(&mut buffer, 64) => read,
        };
        if read == 0 {
            break;
        }
        let now = Instant::now();
        {
            let mut window = shared.window();
            for hint in buffer.drain(..) {
                window.receive(hint, now);
            }
        }
        shared.changed.notify_one();
        shared.asks.notify_one();
    }
    put_unclaimed_back(shared).await;
}

/// Gives up what is not claimed, with its permits.
async fn put_unclaimed_back<T: TaskStore, H: HintSink>(shared: &Shared<T, H>) {
    let doled = shared.window().drop_unclaimed();
    for keys in doled.chunks(shared.settings.group_max) {
        if let Err(error) = shared.store.put_back(keys).await {
            tracing::warn!(error = %error, "tasks could not be put back; the clock finds them");
        }
    }
}
