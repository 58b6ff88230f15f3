//! The rules of the task table, each as a test that the model in memory and Postgres must both
//! pass. `task_store_suite!` makes a test of each.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "these are tests, in a library so that two test binaries can run them"
)]

pub mod charges;
pub mod claims;
pub mod clock;
pub mod commits;
pub mod facts;
pub mod intake;
pub mod money;
pub mod notify;
pub mod permits;
mod rules;
pub mod tellers;
pub mod tokens;
pub mod turns;
pub mod unsigned;

use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, Utc};
use fleet_contracts::NewNotification;
use fleet_domain::{
    Answer, CALL, Change, ClaimAsk, ClaimGroup, ClaimToken, ClaimVerdict, Commit, CommitVerdict,
    Decision, DispenseState, FollowUp, Job, LaneId, LaneRoom, LedgerEntry, NewFact, Next, Private,
    PurchaseId, ReserveState, SUPPLIER_CALLBACK, Scenario, SentUntil, TaskKey, TaskKind, Tick,
    TickReport, Tries, later, told_by,
};
use fleet_engine::TaskStore;
use fleet_store::{Accepted, NewPurchase, Notified, PurchaseView, Stored, TaskView};

use crate::samples::{DISPENSE_LANE, RESERVE_LANE, new_purchase};
use crate::{MemoryStore, PostgresTasks};

/// The lease of the suite's claims.
pub const LEASE: Duration = Duration::from_secs(30);

/// A task store that a test can also fill, look into, and set the clock of.
pub trait SuiteStore: TaskStore + Clone {
    /// Takes purchases in.
    fn accept(&self, batch: &[NewPurchase]) -> impl Future<Output = Accepted> + Send;
    /// Everything about a purchase.
    fn show(&self, id: PurchaseId) -> impl Future<Output = PurchaseView> + Send;
    /// Its time.
    fn now(&self) -> impl Future<Output = DateTime<Utc>> + Send;
    /// Stores a message that a client asks for.
    fn notify(&self, new: &NewNotification) -> impl Future<Output = Notified> + Send;
    /// Sets what a lane allows.
    fn set_lane(
        &self,
        lane: LaneId,
        kind: TaskKind,
        concurrency: u32,
        rate: u32,
    ) -> impl Future<Output = ()> + Send;
    /// Moves its clock.
    fn advance(&self, by: Duration) -> impl Future<Output = ()> + Send;
    /// The same store as another process sees it.
    fn another_process(&self) -> Self;
}

impl SuiteStore for MemoryStore {
    async fn accept(&self, batch: &[NewPurchase]) -> Accepted {
        Self::accept(self, batch)
    }

    async fn show(&self, id: PurchaseId) -> PurchaseView {
        Self::show(self, id).unwrap()
    }

    async fn now(&self) -> DateTime<Utc> {
        Self::now(self)
    }

    async fn notify(&self, new: &NewNotification) -> Notified {
        Self::notify(self, new)
    }

    async fn set_lane(&self, lane: LaneId, kind: TaskKind, concurrency: u32, rate: u32) {
        Self::set_lane(self, lane, kind, concurrency, rate);
    }

    async fn advance(&self, by: Duration) {
        Self::advance(self, by);
    }

    fn another_process(&self) -> Self {
        Self::another_process(self)
    }
}

impl SuiteStore for PostgresTasks {
    async fn accept(&self, batch: &[NewPurchase]) -> Accepted {
        self.store().accept(batch).await.unwrap()
    }

    async fn show(&self, id: PurchaseId) -> PurchaseView {
        self.store().show_purchase(id).await.unwrap().unwrap()
    }

    async fn now(&self) -> DateTime<Utc> {
        self.store().now().await.unwrap()
    }

    async fn notify(&self, new: &NewNotification) -> Notified {
        self.store().notify(new).await.unwrap()
    }

    async fn set_lane(&self, lane: LaneId, kind: TaskKind, concurrency: u32, rate: u32) {
        Self::set_lane(self, lane, kind, concurrency, rate).await.unwrap();
    }

    async fn advance(&self, by: Duration) {
        self.store().advance_clock(by).await.unwrap();
    }

    fn another_process(&self) -> Self {
        Self::another_process(self)
    }
}

/// A purchase that we reserve for (its first task is reserve) and that may start within ten minutes.
pub(crate) async fn reserving<S: SuiteStore>(store: &S) -> TaskKey {
    taken_in(store, Scenario::WeReserve, Duration::from_secs(600)).await
}

/// A purchase whose first task is dispense.
pub(crate) async fn dispensing<S: SuiteStore>(store: &S) -> TaskKey {
    taken_in(store, Scenario::ClientReserved, Duration::from_secs(600)).await
}

pub(crate) async fn taken_in<S: SuiteStore>(
    store: &S,
    scenario: Scenario,
    start_within: Duration,
) -> TaskKey {
    let start_by = later(store.now().await, start_within);
    let reference = uuid::Uuid::new_v4().to_string();
    let new = new_purchase(&reference, scenario, start_by).unwrap();
    let first = &new.order.first_task;
    let (kind, slot) = (first.kind, first.slot);
    let accepted = store.accept(std::slice::from_ref(&new)).await;
    let Stored::New(purchase, _) = accepted.stored[0] else { panic!("not new") };
    TaskKey { purchase, kind, slot }
}

pub(crate) const fn lane_of(kind: TaskKind) -> LaneId {
    match kind {
        TaskKind::Reserve => RESERVE_LANE,
        TaskKind::Settle => crate::samples::SETTLE_LANE,
        TaskKind::Deliver => crate::samples::DELIVER_LANE,
        TaskKind::Notify => crate::samples::NOTIFY_LANE,
        TaskKind::Case => LaneId(0),
        TaskKind::Dispense | TaskKind::Refund | TaskKind::Report | TaskKind::Validate => {
            DISPENSE_LANE
        }
    }
}

pub(crate) fn ask(key: TaskKey) -> ClaimAsk {
    let (lane, token) = (lane_of(key.kind), ClaimToken::generate());
    ClaimAsk { key, lane, token, lease: LEASE, only_ends: false }
}

pub(crate) fn group(asks: &[ClaimAsk]) -> ClaimGroup {
    let kind = asks[0].key.kind;
    ClaimGroup { kind, asks: asks.to_vec(), skip_locked: true }
}

pub(crate) async fn claim<S: SuiteStore>(store: &S, ask: ClaimAsk) -> ClaimVerdict<Box<Job>> {
    store.claim(&group(&[ask])).await.unwrap().pop().unwrap()
}

/// Claims a task that is to be had, whatever is said about its past.
pub(crate) async fn claimed<S: SuiteStore>(store: &S, key: TaskKey) -> Job {
    job_of(claim(store, ask(key)).await)
}

pub(crate) fn job_of(verdict: ClaimVerdict<Box<Job>>) -> Job {
    match verdict {
        ClaimVerdict::Started(job) | ClaimVerdict::Resumed(job) | ClaimVerdict::Expired(job) => {
            *job
        }
        other => panic!("not claimed: {}", other.name()),
    }
}

/// A definite decision on a claimed job.
pub(crate) fn definite(job: &Job, decision: Decision) -> Commit {
    Commit {
        key: job.task.key,
        token: job.task.token,
        signals: job.task.signals,
        sent: SentUntil::Clear,
        definite: true,
        answer: None,
        decision,
    }
}

/// The decision of a call whose answer got lost: look up in a minute.
pub(crate) fn unknown(job: &Job) -> Commit {
    let change = match job.task.key.kind {
        TaskKind::Reserve => Change::reserve(ReserveState::Unknown),
        TaskKind::Dispense => Change::dispense(DispenseState::Unknown),
        TaskKind::Settle => Change::Settle { state: fleet_domain::SettleState::Unknown },
        _ => Change::None,
    };
    let decision = Decision {
        change,
        ..Decision::only(Next::Wait(Duration::from_secs(60)), Tries::Count, "answer_lost")
    };
    Commit { sent: SentUntil::Keep, definite: false, ..definite(job, decision) }
}

pub(crate) fn wait(seconds: u64) -> Decision {
    Decision::only(Next::Wait(Duration::from_secs(seconds)), Tries::Count, "not_yet")
}

/// Goods are out, and nothing follows.
pub(crate) fn dispensed(job: &Job) -> Commit {
    let decision = Decision {
        change: Change::Dispense {
            state: DispenseState::Dispensed,
            code: Some("0000".to_owned()),
            supplier_code: None,
            supplier_ref: Some("S-1".to_owned()),
            vend_amount: Some(3_400),
            voucher: Some(Private::new("1234-5678")),
            settle_as: None,
        },
        ..Decision::only(Next::Finish, Tries::Count, "dispensed")
    };
    definite(job, decision)
}

/// Known not to be dispensed, for good.
pub(crate) fn failed(job: &Job) -> Commit {
    let change = Change::dispense(DispenseState::Failed);
    definite(job, Decision { change, ..Decision::only(Next::Finish, Tries::Count, "refused") })
}

/// Funds are held; dispensing follows.
pub(crate) fn reserved(job: &Job) -> Commit {
    funded(job, ReserveState::Reserved, TaskKind::Dispense)
}

/// The funding source has answered; what follows is of this kind.
pub(crate) fn funded(job: &Job, state: ReserveState, kind: TaskKind) -> Commit {
    let follow_up =
        FollowUp { kind, slot: 0, lane: DISPENSE_LANE, start_by: None, deadline_at: None };
    let decision = Decision {
        change: Change::Reserve {
            state,
            code: Some("0000".to_owned()),
            reservation: Some("R-1".to_owned()),
            hold: Some(Duration::from_secs(172_800)),
            page: None,
        },
        follow_ups: vec![follow_up],
        ledger: vec![(LedgerEntry::Reserved, job.purchase.order.reserved())],
        ..Decision::only(Next::Finish, Tries::Count, "reserved")
    };
    definite(job, decision)
}

/// A vend's answer in the form of a fact.
pub(crate) fn vend_answer(job: &Job, status: &str) -> Answer {
    Answer {
        kind: "vend",
        reference: job.purchase.order.vend_ref(job.task.ref_no),
        status: status.to_owned(),
        body: Private::new(format!("{{\"responseCode\":\"{status}\"}}")),
    }
}

/// A supplier's callback.
pub(crate) fn callback(key: TaskKey, number: u32, status: &str, id: &str) -> NewFact {
    NewFact {
        source: told_by(SUPPLIER_CALLBACK, "supplier-lookup"),
        kind: "vend".to_owned(),
        task: Some(key),
        reference: format!("{}-{number:04}", key.purchase),
        status: status.to_owned(),
        external_id: id.to_owned(),
        meaning: Private::new(""),
        body: Private::new(format!("{{\"responseCode\":\"{status}\"}}")),
    }
}

pub(crate) async fn commit<S: SuiteStore>(store: &S, one: Commit) -> CommitVerdict {
    store.commit(one.key.kind, &[one]).await.unwrap().verdicts[0]
}

/// The row of a task that must exist.
pub(crate) async fn row<S: SuiteStore>(store: &S, key: TaskKey) -> TaskView {
    find_row(store, key).await.unwrap()
}

pub(crate) async fn find_row<S: SuiteStore>(store: &S, key: TaskKey) -> Option<TaskView> {
    store.show(key.purchase).await.tasks.into_iter().find(|task| task.key == key)
}

pub(crate) async fn tick<S: SuiteStore>(store: &S, kind: TaskKind, room: u32) -> TickReport {
    tick_with(store, kind, room, None).await
}

pub(crate) async fn tick_with<S: SuiteStore>(
    store: &S,
    kind: TaskKind,
    room: u32,
    queue_ready: Option<u64>,
) -> TickReport {
    let lanes = vec![LaneRoom::new(lane_of(kind), room)];
    let tick = Tick { kind, take_max: 500, lanes, from: None, queue_ready, unpublished: false };
    let report = store.tick(&tick).await.unwrap();
    assert!(report.ours, "nobody else runs this clock");
    report
}
