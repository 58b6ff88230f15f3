//! The claimer: asks for groups, spawns what it got, gives back what may not start.

use std::sync::Arc;
use std::time::Duration;

use fleet_domain::{ClaimAsk, ClaimGroup, ClaimVerdict, Free, Job, LaneId, TaskKey};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::commit::{Decided, retry_delays, size};
use crate::exchange::{self, Allowed, Health, POISON_CLAIMS};
use crate::lane::{Change, Gate};
use crate::pace::Pace;
use crate::runner::Shared;
use crate::sent;
use crate::{HintSink, LEASE_EXTRA, Step, StoreFault, TaskStore};

/// How long a job that may take its process down waits for the others to finish.
const ALONE_WITHIN: Duration = Duration::from_secs(4);
/// How long a group of which every row was locked waits before it is asked for again.
const LOCKED_PAUSE: Duration = Duration::from_millis(5);

/// A claimed job on its way through this process.
struct Running<S> {
    step: Arc<S>,
    job: Box<Job>,
    allowed: Allowed,
    claim_began: Instant,
    lease: Duration,
    /// Without one nobody may be asked.
    has_permit: bool,
}

/// A lane's permit in the hands of one job: given back once, whatever becomes of the job.
struct Permit<T: TaskStore, H: HintSink> {
    shared: Arc<Shared<T, H>>,
    lane: LaneId,
    /// False of a task that was claimed to end only.
    is_held: bool,
    /// The lane's circuit let it pass and was not told how the call ended.
    passed: bool,
}

impl<T: TaskStore, H: HintSink> Drop for Permit<T, H> {
    fn drop(&mut self) {
        if self.is_held {
            let mut window = self.shared.window();
            if self.passed {
                window.call_not_made(self.lane);
            }
            window.release(self.lane, Instant::now());
        }
        self.shared.permit_released();
    }
}

pub(crate) struct Claimer<S, T, H> {
    pub(crate) shared: Arc<Shared<T, H>>,
    pub(crate) step: Arc<S>,
    pub(crate) decide: mpsc::Sender<Decided>,
    pub(crate) tracker: TaskTracker,
    /// Jobs hold it for reading; one that took processes down before runs alone, writing.
    pub(crate) alone: Arc<tokio::sync::RwLock<()>>,
    pub(crate) stop: CancellationToken,
}

impl<S: Step, T: TaskStore, H: HintSink> Claimer<S, T, H> {
    /// Runs until the stop.
    pub(crate) async fn run(self) {
        let this = Arc::new(self);
        let slots = Arc::new(Semaphore::new(this.shared.settings.groups_at_once));
        let pace = Arc::new(Pace::default());
        while !this.stop.is_cancelled() {
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
            this.put_back();
            let ready = this.shared.window().ready_count();
            let settings = &this.shared.settings;
            let wait = pace.wait(ready, settings.group_max, settings.linger);
            if ready > 0 && !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            let directory = this.shared.directory.borrow().clone();
            let lease = |lane| this.step.longest_call_of(&directory, lane) + LEASE_EXTRA;
            let asks = this.shared.window().next_group(Instant::now(), lease);
            if asks.is_empty() {
                drop(slot);
                tokio::select! {
                    biased;
                    () = this.stop.cancelled() => {}
                    () = this.shared.changed.notified() => {}
                }
                continue;
            }
            let (claimer, pace) = (Arc::clone(&this), Arc::clone(&pace));
            this.tracker.spawn(async move {
                claimer.claim(asks, &pace).await;
                drop(slot);
                claimer.shared.changed.notify_one();
            });
        }
    }

    /// Writes what goes back to the table, beside the claims.
    fn put_back(self: &Arc<Self>) {
        let keys = self.shared.window().take_returning();
        if keys.is_empty() {
            return;
        }
        let this = Arc::clone(self);
        self.tracker.spawn(async move {
            match this.shared.store.put_back(&keys).await {
                Ok(()) => this.shared.window().returned(&keys),
                Err(error) => {
                    tracing::warn!(error = %error, "hints could not be put back yet");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    this.shared.window().not_returned(keys);
                }
            }
            this.shared.changed.notify_one();
        });
    }

    async fn claim(self: &Arc<Self>, asks: Vec<ClaimAsk>, pace: &Pace) {
        let claim_began = Instant::now();
        let kind = self.shared.kind;
        let group = ClaimGroup { kind, asks, skip_locked: true };
        fleet_telemetry::crash_point(kind.name(), "claim.before");
        let verdicts = self.claim_until_told(&group, claim_began).await;
        fleet_telemetry::crash_point(kind.name(), "claim.after");
        pace.wrote(group.asks.len(), claim_began.elapsed());
        let metrics = fleet_telemetry::metrics();
        metrics.group("claim", kind.name(), size(group.asks.len()));
        if verdicts.iter().all(|verdict| matches!(verdict, ClaimVerdict::Locked)) {
            tokio::time::sleep(LOCKED_PAUSE).await;
        }
        let now = Instant::now();
        for (ask, verdict) in group.asks.iter().zip(verdicts) {
            metrics.claim_verdict(kind.name(), verdict.name(), 1);
            let key = &ask.key;
            let (job, allowed) = match verdict {
                ClaimVerdict::Started(job) => (job, Allowed::Call),
                ClaimVerdict::Resumed(job) => (job, Allowed::LookUp),
                ClaimVerdict::Expired(job) => (job, Allowed::OnlyLookUp),
                ClaimVerdict::Busy
                | ClaimVerdict::NotDue
                | ClaimVerdict::Parked
                | ClaimVerdict::Gone => {
                    self.shared.window().dismissed(key, now);
                    continue;
                }
                ClaimVerdict::OtherLane(_) | ClaimVerdict::Held => {
                    self.shared.window().goes_back(key, now);
                    continue;
                }
                ClaimVerdict::Locked => {
                    self.shared.window().locked(key, now);
                    continue;
                }
                ClaimVerdict::Unreadable(cause) => {
                    self.unreadable(ask, &cause).await;
                    continue;
                }
            };
            let has_permit = self.shared.window().claimed(key);
            if self.stop.is_cancelled() {
                self.free(ask, has_permit).await;
                continue;
            }
            let (step, lease) = (Arc::clone(&self.step), ask.lease);
            self.spawn(Running { step, job, allowed, claim_began, lease, has_permit });
        }
    }

    /// The verdicts of a group. An unknown outcome is resolved by the same claim again with the
    /// same tokens; once half its shortest lease is over the group is left to lease and clock.
    async fn claim_until_told(
        &self,
        group: &ClaimGroup,
        claim_began: Instant,
    ) -> Vec<ClaimVerdict<Box<Job>>> {
        let mut delays = retry_delays(self.shared.settings.seed);
        let lease = group.asks.iter().map(|ask| ask.lease).min().unwrap_or(LEASE_EXTRA);
        loop {
            match self.shared.store.claim(group).await {
                Ok(verdicts) => return verdicts,
                Err(StoreFault::Refused(cause)) => {
                    tracing::error!(cause, "the store refuses a claim");
                    return vec![ClaimVerdict::Busy; group.asks.len()];
                }
                Err(StoreFault::Retry(cause)) => {
                    tracing::warn!(kind = group.kind.name(), cause, "not claimed, again");
                }
            }
            if claim_began.elapsed() > lease / 2 {
                return vec![ClaimVerdict::Busy; group.asks.len()];
            }
            tokio::time::sleep(delays.next().unwrap_or(Duration::from_secs(1))).await;
        }
    }

    fn spawn(self: &Arc<Self>, running: Running<S>) {
        let this = Arc::clone(self);
        let key = running.job.task.key;
        // A panic leaves the attempt open: lease and clock bring the task back, and count it.
        let work = tokio::spawn({
            let this = Arc::clone(&this);
            async move { this.work(running).await }
        });
        self.tracker.spawn(async move {
            let now = Instant::now;
            match work.await {
                Ok(Some(decided)) => {
                    if this.decide.send(decided).await.is_err() {
                        this.shared.window().finished(&key, now());
                    }
                }
                Ok(None) => this.shared.window().finished(&key, now()),
                Err(_panic) => {
                    tracing::error!(task = %key, "a step panicked; its lease brings it back");
                    this.shared.window().finished(&key, now());
                    this.shared.changed.notify_one();
                }
            }
        });
    }

    /// One claim, one exchange. `None` when the claim was given back.
    async fn work(&self, running: Running<S>) -> Option<Decided> {
        let claims = running.job.task.claims;
        let lane = running.job.task.lane;
        let (shared, is_held) = (Arc::clone(&self.shared), running.has_permit);
        let permit = Permit { shared, lane, is_held, passed: false };
        if claims >= POISON_CLAIMS {
            drop(permit);
            let commit = exchange::poison(&running.job);
            return Some(Decided { commit, lane, alone: true });
        }
        if claims < 3 {
            let _among_others = self.alone.read().await;
            return self.exchange(running, permit).await;
        }
        // Alone if that can be had before leases suffer; a slow neighbour must not keep it waiting
        // for ever. It reaches the end of its claims before any neighbour does.
        let _alone = tokio::time::timeout(ALONE_WITHIN, self.alone.write()).await;
        self.exchange(running, permit).await
    }

    async fn exchange(&self, running: Running<S>, mut permit: Permit<T, H>) -> Option<Decided> {
        let Running { step, mut job, allowed, claim_began, lease, has_permit } = running;
        let directory = self.shared.directory.borrow().clone();
        let lane = job.task.lane;
        let alone = job.task.claims > 1;
        let known = exchange::from_facts(&*step, &directory, &job);
        // Nobody answers there, and its time is up: that is not our fault.
        let is_over = job.is_past_deadline() && self.shared.window().is_open(lane);
        let ends = job.only_ends() || is_over;
        if let Some(exchanged) = known.or_else(|| ends.then(exchange::end)) {
            drop(permit);
            let commit = exchange::commit_of(&*step, &directory, &job, exchanged);
            return Some(Decided { commit, lane, alone });
        }
        let began = Instant::now();
        // Whoever may only end needs no open circuit for that.
        let asks = allowed != Allowed::OnlyLookUp || job.task.former_sent_until.is_some();
        let gate = if asks && !has_permit {
            Gate::HeldBack
        } else {
            self.shared.window().gate(lane, began, asks)
        };
        // Claimed just before the circuit opened, or its facts decide nothing: as if it had not been.
        let Gate::Go(leased_until) = gate else {
            drop(permit);
            self.give_back(Free { key: job.task.key, token: job.task.token }).await;
            return None;
        };
        permit.passed = asks;
        let deadline = step.call_deadline(&directory, &job);
        let mut attempt = exchange::attempt(claim_began, lease, deadline);
        attempt.send_before = attempt.send_before.min(leased_until);
        let asking = exchange::exchange(&*step, &directory, &job, allowed, attempt);
        fleet_telemetry::crash_point(self.shared.kind.name(), "call.before");
        let (exchanged, sent_at) = sent::watched(asking).await;
        fleet_telemetry::crash_point(self.shared.kind.name(), "call.answered");
        job.task.exchange = sent::times(&job.task, claim_began, sent_at);
        let too_late = sent_at.is_none() && Instant::now() >= attempt.send_before;
        self.told(&directory, permit, &exchanged, (began, too_late));
        let commit = exchange::commit_of(&*step, &directory, &job, exchanged);
        Some(Decided { commit, lane, alone })
    }

    /// The call has ended: its permit, the lane's circuit and the metrics are told.
    fn told(
        &self,
        directory: &fleet_domain::Directory,
        mut permit: Permit<T, H>,
        exchanged: &exchange::Exchanged<S::Reply>,
        (began, too_late): (Instant, bool),
    ) {
        let lane = permit.lane;
        let owner = directory.lanes.get(&lane).map_or("", |lane| lane.owner.as_str());
        let kind = self.shared.kind.name();
        let now = Instant::now();
        fleet_telemetry::metrics().exchange(kind, owner, exchanged.word(), now - began);
        // What was not sent because we were too slow says nothing about the other side.
        if exchanged.health != Health::NotAsked && !too_late {
            permit.passed = false;
            let failed = exchanged.health == Health::Failed;
            let changed = self.shared.window().call_ended(lane, failed, now);
            match changed {
                Some(Change::Opened) => {
                    let cause = exchanged.cause().unwrap_or_default();
                    tracing::warn!(kind, lane = lane.0, owner, cause, "circuit opened");
                }
                Some(Change::Closed(after)) => {
                    let seconds = after.as_secs();
                    tracing::info!(kind, lane = lane.0, owner, seconds, "circuit closed");
                }
                None => {}
            }
        }
        drop(permit);
    }

    fn release(&self, lane: LaneId) {
        self.shared.window().release(lane, Instant::now());
        self.shared.permit_released();
    }

    /// A row that cannot be read is parked by a commit that needs nothing of it.
    async fn unreadable(&self, ask: &ClaimAsk, cause: &str) {
        tracing::error!(task = %ask.key, cause, "a task's rows cannot be read");
        if self.shared.window().claimed(&ask.key) {
            self.release(ask.lane);
        }
        let commit = exchange::unreadable(ask, cause);
        let decided = Decided { commit, lane: ask.lane, alone: true };
        if self.decide.send(decided).await.is_err() {
            self.shared.window().finished(&ask.key, Instant::now());
        }
    }

    async fn free(&self, ask: &ClaimAsk, has_permit: bool) {
        if has_permit {
            self.release(ask.lane);
        }
        self.give_back(Free { key: ask.key, token: ask.token }).await;
        self.forget(&ask.key);
    }

    async fn give_back(&self, free: Free) {
        if let Err(error) = self.shared.store.free(&[free]).await {
            tracing::warn!(error = %error, "a claim could not be given back; its lease ends it");
        }
    }

    fn forget(&self, key: &TaskKey) {
        self.shared.window().finished(key, Instant::now());
    }
}
