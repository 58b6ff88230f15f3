//! The connections of a process.
//!
//! Whoever has a statement to run takes one that is idle, or waits until one is. It never makes one: a
//! single task does, one after the other, while somebody waits who could have one. So a server that
//! comes back meets one attempt at a time of each process, and an attempt is never given up because
//! whoever wanted it has no more time: what it opens serves the next one. After a failure the task
//! waits, longer each time, and never as long as others.
//!
//! A connection goes back only after its statement was answered. One that was given up in the middle is
//! closed, and what shows that its server has gone closes the idle ones too, which are of the same server.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep, timeout};

use crate::StoreError;
use crate::hosts::{Hosts, takes_writes};

/// One that was idle for so long may be dead, or its server may have become a standby: it is asked.
const ASKED_AFTER: Duration = Duration::from_secs(1);
const ASKED_WITHIN: Duration = Duration::from_secs(2);
/// Idle ones that nobody wanted for so long are closed, and each after its life, which differs a little.
const IDLE_MAX: Duration = Duration::from_secs(60);
const LIFE: Duration = Duration::from_secs(300);
/// The waits between attempts while the server is away.
const DELAY_MIN: Duration = Duration::from_millis(50);
const DELAY_MAX: Duration = Duration::from_secs(1);

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Connections(Arc<Shared>);

struct Shared {
    hosts: Arc<Hosts>,
    max: usize,
    acquire_within: Duration,
    state: Mutex<State>,
    /// As many permits as there are idle connections.
    ready: Semaphore,
    changed: Arc<Notify>,
    is_begun: AtomicBool,
}

#[derive(Default)]
struct State {
    idle: Vec<Kept>,
    /// Who waits for an idle one.
    waiting: usize,
    /// Connections that are idle or in use, and the one that is being made.
    open: usize,
    is_closed: bool,
    /// Why the last attempt failed, until one succeeds.
    trouble: Option<String>,
}

struct Kept {
    connection: PgConnection,
    ends: Instant,
    since: Instant,
}

/// A connection in use. Dropped, it is closed.
pub(crate) struct Lease {
    kept: Kept,
    place: Place,
}

/// What an open connection counts for.
struct Place {
    shared: Arc<Shared>,
    is_kept: bool,
}

struct Waiting<'a>(&'a Shared);

impl Connections {
    /// None yet: the first is made when it is wanted.
    pub(crate) fn new(hosts: Hosts, max: u32, acquire_within: Duration) -> Self {
        Self(Arc::new(Shared {
            hosts: Arc::new(hosts),
            max: usize::try_from(max).unwrap_or(usize::MAX),
            acquire_within,
            state: Mutex::default(),
            ready: Semaphore::new(0),
            changed: Arc::new(Notify::new()),
            is_begun: AtomicBool::new(false),
        }))
    }

    /// Waits for one, for as long as the settings say.
    pub(crate) async fn acquire(&self) -> Result<Lease, StoreError> {
        let shared = &self.0;
        if !shared.is_begun.swap(true, Ordering::SeqCst) {
            tokio::spawn(make(Arc::downgrade(shared), Arc::clone(&shared.changed)));
        }
        match timeout(shared.acquire_within, lease(shared)).await {
            Ok(lease) => lease,
            Err(_elapsed) => Err(StoreError::Retry { cause: shared.why() }),
        }
    }

    /// Closes those that are idle, and the others as they come back; nobody gets one any more.
    pub(crate) async fn close(&self) {
        let idle = self.0.state().close();
        self.0.ready.close();
        self.0.changed.notify_one();
        for kept in idle {
            drop(timeout(ASKED_WITHIN, kept.connection.close()).await);
        }
    }
}

async fn lease(shared: &Arc<Shared>) -> Result<Lease, StoreError> {
    loop {
        let Some(kept) = take(shared).await? else { continue };
        let place = Place { shared: Arc::clone(shared), is_kept: false };
        let mut lease = Lease { kept, place };
        if lease.is_fit().await {
            return Ok(lease);
        }
        lease.spoilt();
    }
}

/// The idle one that was used last; none when they were closed in between.
async fn take(shared: &Shared) -> Result<Option<Kept>, StoreError> {
    let mut waiting = None;
    let permit = match shared.ready.try_acquire() {
        Ok(permit) => Ok(permit),
        Err(_none_is_idle) => {
            waiting = Some(Waiting::begin(shared));
            shared.ready.acquire().await
        }
    };
    let Ok(permit) = permit else {
        return Err(StoreError::Retry { cause: "the pool is closed".to_owned() });
    };
    permit.forget();
    let mut state = shared.state();
    let taken = state.idle.pop();
    let others_wait = state.waiting > state.idle.len();
    drop(state);
    drop(waiting);
    // What was idle when they came is not any more.
    if others_wait {
        shared.changed.notify_one();
    }
    Ok(taken)
}

impl Lease {
    async fn is_fit(&mut self) -> bool {
        if self.kept.since.elapsed() < ASKED_AFTER {
            return true;
        }
        let asked = timeout(ASKED_WITHIN, takes_writes(&mut self.kept.connection)).await;
        matches!(asked, Ok(Ok(true)))
    }

    /// Goes back: its last statement was answered, and no transaction is open.
    pub(crate) fn keep(self) {
        let Self { mut kept, mut place } = self;
        let mut state = place.shared.state();
        if state.is_closed || kept.ends <= Instant::now() {
            return;
        }
        kept.since = Instant::now();
        state.idle.push(kept);
        drop(state);
        place.is_kept = true;
        place.shared.ready.add_permits(1);
    }

    /// Its server has gone, or is going, or takes no writes any more.
    pub(crate) fn spoilt(self) {
        let idle = self.place.shared.clear(|_| true);
        drop((idle, self));
    }
}

impl Deref for Lease {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.kept.connection
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.kept.connection
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.is_kept {
            self.shared.gone(1);
        }
    }
}

impl<'a> Waiting<'a> {
    fn begin(shared: &'a Shared) -> Self {
        let mut state = shared.state();
        state.waiting = state.waiting.saturating_add(1);
        drop(state);
        shared.changed.notify_one();
        Self(shared)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.waiting = state.waiting.saturating_sub(1);
    }
}

impl State {
    fn close(&mut self) -> Vec<Kept> {
        self.is_closed = true;
        std::mem::take(&mut self.idle)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn why(&self) -> String {
        let trouble = self.state().trouble.clone();
        trouble.unwrap_or_else(|| "no free connection in time".to_owned())
    }

    fn gone(&self, count: usize) {
        let mut state = self.state();
        state.open = state.open.saturating_sub(count);
        drop(state);
        self.changed.notify_one();
    }

    /// Takes idle ones out, to be closed.
    fn clear(&self, which: impl Fn(&Kept) -> bool) -> Vec<Kept> {
        let cleared: Vec<Kept> = self.state().idle.extract_if(.., |kept| which(kept)).collect();
        if !cleared.is_empty() {
            self.ready.forget_permits(cleared.len());
            self.gone(cleared.len());
        }
        cleared
    }

    /// Whether somebody waits who could have one more; then it counts from now on.
    fn begins(self: &Arc<Self>) -> Option<Place> {
        let mut state = self.state();
        if state.is_closed || state.waiting <= state.idle.len() || state.open >= self.max {
            return None;
        }
        state.open = state.open.saturating_add(1);
        Some(Place { shared: Arc::clone(self), is_kept: false })
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.changed.notify_one();
    }
}

/// Makes connections, one at a time, until the store is closed or dropped.
async fn make(shared: Weak<Shared>, changed: Arc<Notify>) {
    let mut delay = DELAY_MIN;
    while let Some(strong) = shared.upgrade().filter(|shared| !shared.state().is_closed) {
        let idle_since = Instant::now().checked_sub(IDLE_MAX);
        drop(strong.clear(|kept| idle_since.is_some_and(|since| kept.since < since)));
        let Some(place) = strong.begins() else {
            drop(strong);
            drop(timeout(IDLE_MAX, changed.notified()).await);
            continue;
        };
        drop(strong);
        let outcome = place.shared.hosts.connect().await;
        place.shared.state().trouble = outcome.as_ref().err().cloned();
        match outcome {
            Ok(connection) => {
                delay = DELAY_MIN;
                let life = LIFE.mul_f64(rand::random_range(0.9..1.0));
                let ends = Instant::now().checked_add(life).unwrap_or_else(Instant::now);
                Lease { kept: Kept { connection, ends, since: Instant::now() }, place }.keep();
            }
            Err(_cause) => {
                drop(place);
                sleep(delay.mul_f64(rand::random_range(0.5..1.0))).await;
                delay = delay.saturating_mul(2).min(DELAY_MAX);
            }
        }
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The hosts' options hold the password.
        formatter.debug_struct("Connections").field("max", &self.0.max).finish_non_exhaustive()
    }
}
