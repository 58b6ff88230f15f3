//! A running program: store, directory, broker, its engines and its admin port.

use std::collections::HashMap;
use std::num::NonZeroU16;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fleet_broker::{Incoming, Publisher};
use fleet_contracts::Queue;
use fleet_domain::TaskKind;
use fleet_engine::{Engine, ReceivedHint, Step};
use fleet_outbound::Outbound;
use fleet_store::{Store, StoreError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::check::enough_grace;
use crate::program::{Program, at_start};
use crate::serve::{Ready, Served, admin_router, bind, plainly, serve};
use crate::{
    Exchange, HintPublisher, Settings, StoreDirectory, StoreTasks, hindered, hints, upkeep,
};

/// How long a start waits for the broker. Without it the program goes on: it is not ready, and what
/// it does is left to the clock.
const BROKER_AT_START: Duration = Duration::from_secs(5);

/// The parts of a program.
#[derive(Debug)]
pub struct Worker {
    /// Its name and needs.
    pub program: Program,
    /// Its settings.
    pub settings: Settings,
    /// Postgres.
    pub store: Store,
    /// Clients, products, connectors, lanes, plans.
    pub directory: StoreDirectory,
    /// Where hints go.
    pub hints: HintPublisher,
    /// Everything else that is published.
    pub publisher: Publisher,
    /// Cancelled by SIGTERM.
    pub stop: CancellationToken,
    tasks: Arc<StoreTasks>,
    routes: HashMap<Queue, hints::Routes>,
    kinds: Vec<TaskKind>,
    tracker: TaskTracker,
    publishing: tokio::task::JoinHandle<()>,
    stop_publishing: CancellationToken,
    unfit: Arc<OnceLock<StoreError>>,
}

impl Worker {
    /// Opens everything. `None` when it was stopped while it waited for Postgres.
    pub(crate) async fn start(
        program: Program,
        settings: Settings,
        stop: CancellationToken,
    ) -> anyhow::Result<Option<Self>> {
        let store = settings.open_store(program.name)?;
        let tracker = TaskTracker::new();
        let broker = settings.broker(program.name);
        broker.check()?;
        // Publishing goes on until everything else has ended.
        let stop_publishing = CancellationToken::new();
        let (publisher, publishing) = Publisher::start(broker, stop_publishing.clone());
        let ready = ProgramReady { store: store.clone(), publisher: publisher.clone(), program };
        let listener = bind("admin.listen", settings.admin.listen).await?;
        let admin = listener.local_addr()?;
        tracker.spawn(serve(
            listener,
            Served { router: admin_router(ready), worded: plainly },
            64,
            Duration::from_secs(1),
            stop.clone(),
        ));
        let checked = at_start("the schema", &stop, async || store.check_schema().await).await?;
        if checked.is_none() {
            return Ok(None);
        }
        // What is taken in before it can be told onwards would wait for the clock.
        if program.needs_broker {
            let up = publisher.wait_usable(BROKER_AT_START);
            let _up: Option<bool> = stop.run_until_cancelled(up).await;
        }
        let load = async || StoreDirectory::load(&store, stop.clone()).await;
        let loaded = at_start("the directory", &stop, load).await?;
        let Some((directory, renewing)) = loaded else { return Ok(None) };
        enough_grace(program, &settings, &directory.current())?;
        tracker.spawn(renewing);
        tracker.spawn(upkeep::watch_backlog(store.clone(), stop.clone()));
        tracker.spawn(upkeep::prepare_partitions(store.clone(), stop.clone()));
        let unfit = Arc::new(OnceLock::new());
        tracker.spawn(stop_when_unfit(store.clone(), Arc::clone(&unfit), stop.clone()));
        tracing::info!(admin.listen = %admin, "started");
        let tasks = Arc::new(StoreTasks::new(store.clone()));
        Ok(Some(Self {
            program,
            hints: HintPublisher::new(publisher.clone(), Arc::clone(&tasks)),
            tasks,
            settings,
            store,
            directory,
            publisher,
            stop,
            routes: HashMap::new(),
            kinds: Vec::new(),
            tracker,
            publishing,
            stop_publishing,
            unfit,
        }))
    }

    /// A sender for the program's steps.
    ///
    /// # Errors
    /// When TLS cannot be set up, or a setting is wrong.
    pub fn exchange(&self) -> anyhow::Result<Exchange> {
        let to_clients = self.settings.to_clients().map_err(anyhow::Error::msg)?;
        Ok(Exchange::new(Arc::new(Outbound::new()?), to_clients))
    }

    /// Runs an engine for a step; its hints come from the queue of its kind.
    pub fn engine<S: Step>(&mut self, step: S) {
        let settings = self.settings.engine(S::KIND);
        let (tell, hints) = mpsc::channel::<ReceivedHint>(64);
        if let Some(queue) = Queue::of(S::KIND) {
            self.routes.entry(queue).or_default().insert(S::KIND, tell);
        }
        let engine = Engine {
            step,
            store: Arc::clone(&self.tasks),
            sink: Arc::new(self.hints.clone()),
            hints,
            directory: self.directory.watch(),
            settings,
        };
        self.tracker.spawn(engine.run(self.stop.clone()));
        self.kinds.push(S::KIND);
    }

    /// Consumes a queue that carries no hints.
    #[must_use]
    pub fn consume(&self, queue: Queue, prefetch: u16) -> mpsc::Receiver<Incoming> {
        if !self.program.reads.contains(&queue) {
            // The check before a start would not have asked for it.
            tracing::error!(queue = queue.name(), "a queue is read that the program does not name");
        }
        let prefetch = NonZeroU16::new(prefetch).unwrap_or(NonZeroU16::MIN);
        // Room for all that the broker hands out: who reads sees whose messages there are.
        let (into, incoming) = mpsc::channel(usize::from(prefetch.get()));
        let broker = self.settings.broker(self.program.name);
        let consuming = fleet_broker::consume(broker, queue, prefetch, into, self.stop.clone());
        self.tracker.spawn(async move { drop(consuming.await) });
        incoming
    }

    /// Runs something beside; it must end soon after the stop.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(work);
    }

    /// Starts to consume and runs until everything has ended.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        for (queue, routes) in std::mem::take(&mut self.routes) {
            let incoming = self.consume(queue, self.settings.broker.prefetch);
            self.tracker.spawn(hints::route(queue, incoming, routes, self.publisher.clone()));
        }
        let kinds = std::mem::take(&mut self.kinds);
        self.tracker.spawn(hindered::watch(self.directory.watch(), kinds, self.stop.clone()));
        self.stop.cancelled().await;
        self.tracker.close();
        // The engines keep to the grace time themselves; this is for what hangs.
        let patience = self.settings.grace().saturating_add(Duration::from_secs(5));
        if tokio::time::timeout(patience, self.tracker.wait()).await.is_err() {
            tracing::warn!("stopped with work left");
        }
        self.stop_publishing.cancel();
        drop(tokio::time::timeout(Duration::from_secs(5), self.publishing).await);
        self.store.close().await;
        tracing::info!("stopped");
        match self.unfit.get() {
            Some(error) => Err(error.clone().into()),
            None => Ok(()),
        }
    }
}

/// A program that cannot work with its database ends, as at a stop: whoever started it sees that, and what
/// its calls have brought is written as far as it can be.
async fn stop_when_unfit(store: Store, told: Arc<OnceLock<StoreError>>, stop: CancellationToken) {
    let Some(error) = stop.run_until_cancelled(store.unfit()).await else { return };
    tracing::error!(error = %error, "stopping: work in flight is finished first");
    told.set(error).ok();
    stop.cancel();
}

#[derive(Debug, Clone)]
struct ProgramReady {
    store: Store,
    publisher: Publisher,
    program: Program,
}

impl Ready for ProgramReady {
    async fn problem(&self) -> Option<&'static str> {
        let ping = tokio::time::timeout(Duration::from_secs(2), self.store.ping()).await;
        if !matches!(ping, Ok(Ok(()))) {
            return Some("postgres does not answer");
        }
        let broker_missing = self.program.needs_broker && !self.publisher.usable();
        broker_missing.then_some("the broker cannot be published to")
    }
}

/// Every kind that a program may have an engine for.
pub(crate) type Kinds = HashMap<TaskKind, mpsc::Sender<ReceivedHint>>;
