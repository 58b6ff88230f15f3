//! The tables.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use chrono::{DateTime, Utc};
use fleet_contracts::StoredContent;
use fleet_domain::{
    ClaimToken, ClientId, Delivery, DeliveryState, Fact, FollowUp, LaneId, LedgerEntry, Money,
    Order, ParkClass, Private, Progress, Purchase, PurchaseId, PurchaseStatus, TaskKey, TaskKind,
    TaskState, WayIn, between, later,
};
use fleet_store::{
    Accepted, DeliveryView, FactView, JournalView, LedgerView, NewPurchase, PurchaseView,
    ReportView, Stored, TaskView,
};
use uuid::Uuid;

use super::notify::NotificationRow;
use super::permits::{LaneRow, PermitRow};
use super::tokens::{TokenKey, TokenRow};

/// How long a published hint has before the clock looks at its task.
pub(super) const HINT_TIME: Duration = Duration::from_secs(10);
/// When a parked task is brought up again.
pub(super) const REMINDER: Duration = Duration::from_secs(86_400);
/// For how long a purchase in flight keeps similar ones away.
const SIMILAR_FOR: Duration = Duration::from_secs(30 * 86_400);

#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) state: TaskState,
    pub(super) due_at: DateTime<Utc>,
    pub(super) lane: LaneId,
    pub(super) token: Option<ClaimToken>,
    pub(super) claims: i32,
    pub(super) tries: i32,
    pub(super) ref_no: i32,
    pub(super) sent_until: Option<DateTime<Utc>>,
    pub(super) former_sent_until: Option<DateTime<Utc>>,
    pub(super) signals: i32,
    pub(super) lease: Option<DateTime<Utc>>,
    pub(super) hinted_at: Option<DateTime<Utc>>,
    pub(super) start_by: Option<DateTime<Utc>>,
    pub(super) deadline_at: Option<DateTime<Utc>>,
    pub(super) parked: Option<Parked>,
}

#[derive(Debug, Clone)]
pub(super) struct Parked {
    pub(super) class: ParkClass,
    pub(super) cause: String,
    pub(super) at_risk: Option<Money>,
    pub(super) at: DateTime<Utc>,
}

impl Task {
    /// A task that was queued and published just now.
    pub(super) fn queued(task: &FollowUp, now: DateTime<Utc>) -> Self {
        Self {
            state: TaskState::Queued,
            due_at: later(now, HINT_TIME),
            lane: task.lane,
            token: None,
            claims: 0,
            tries: 0,
            ref_no: 0,
            sent_until: None,
            former_sent_until: None,
            signals: 0,
            lease: None,
            hinted_at: Some(now),
            start_by: task.start_by,
            deadline_at: task.deadline_at,
            parked: None,
        }
    }

    /// Queued and published just now, whatever it was.
    pub(super) fn queue(&mut self, now: DateTime<Utc>) {
        self.state = TaskState::Queued;
        self.due_at = later(now, HINT_TIME);
        self.hinted_at = Some(now);
        self.parked = None;
    }
}

#[derive(Debug, Clone)]
pub(super) struct StoredFact {
    pub(super) about: TaskKey,
    pub(super) meaning: String,
    pub(super) fact: Fact,
}

#[derive(Debug, Clone)]
pub(super) struct DeliveryRow {
    pub(super) delivery: Delivery,
    pub(super) last_sent_at: Option<DateTime<Utc>>,
    pub(super) last_status: Option<i32>,
}

impl DeliveryRow {
    /// A row that nothing was tried with yet.
    pub(super) fn new(slot: i32, channel: &str, body: &Private) -> Self {
        let delivery = Delivery {
            slot,
            channel: channel.to_owned(),
            body: body.clone(),
            state: DeliveryState::Queued,
            attempts: 0,
            first_sent_at: None,
        };
        Self { delivery, last_sent_at: None, last_status: None }
    }
}

#[derive(Debug, Clone)]
pub(super) struct JournalRow {
    pub(super) token: Option<ClaimToken>,
    pub(super) view: JournalView,
}

#[derive(Debug, Clone)]
pub(super) struct PurchaseRow {
    pub(super) purchase: Purchase,
    pub(super) content: String,
    pub(super) way_in: WayIn,
    pub(super) journal: Vec<JournalRow>,
    pub(super) facts: Vec<StoredFact>,
}

#[derive(Debug, Clone)]
pub(super) struct Beat {
    pub(super) at: DateTime<Utc>,
    pub(super) watermark: Option<DateTime<Utc>>,
    pub(super) unclaimed: u32,
    pub(super) number: u64,
    pub(super) calls_until: DateTime<Utc>,
}

/// (source, kind, reference, status, id, meaning).
pub(super) type FactKey = [String; 6];

#[derive(Debug)]
pub(super) struct Model {
    pub(super) now: DateTime<Utc>,
    pub(super) purchases: BTreeMap<PurchaseId, PurchaseRow>,
    pub(super) references: HashMap<(ClientId, String), PurchaseId>,
    pub(super) tasks: BTreeMap<TaskKey, Task>,
    /// True of those that have a purchase.
    pub(super) fact_keys: HashMap<FactKey, bool>,
    /// Those of nobody, by source, the oldest first.
    pub(super) unmatched: HashMap<String, VecDeque<FactKey>>,
    pub(super) ledger: BTreeMap<(PurchaseId, i16), (LedgerEntry, Money)>,
    pub(super) deliveries: BTreeMap<(PurchaseId, i32), DeliveryRow>,
    pub(super) notifications: BTreeMap<(ClientId, String), NotificationRow>,
    pub(super) reports: BTreeMap<PurchaseId, ReportView>,
    pub(super) tokens: BTreeMap<TokenKey, TokenRow>,
    pub(super) beats: HashMap<(Uuid, TaskKind), Beat>,
    pub(super) lanes: BTreeMap<LaneId, LaneRow>,
    pub(super) permits: BTreeMap<(LaneId, Uuid), PermitRow>,
}

impl Model {
    pub(super) fn new(now: DateTime<Utc>) -> Self {
        Self {
            now,
            purchases: BTreeMap::new(),
            references: HashMap::new(),
            tasks: BTreeMap::new(),
            fact_keys: HashMap::new(),
            unmatched: HashMap::new(),
            ledger: BTreeMap::new(),
            deliveries: BTreeMap::new(),
            notifications: BTreeMap::new(),
            reports: BTreeMap::new(),
            tokens: BTreeMap::new(),
            beats: HashMap::new(),
            lanes: BTreeMap::new(),
            permits: BTreeMap::new(),
        }
    }

    pub(super) fn accept(&mut self, batch: &[NewPurchase]) -> Accepted {
        let stored = batch.iter().map(|new| self.accept_one(new)).collect();
        Accepted { stored, now: self.now }
    }

    fn accept_one(&mut self, new: &NewPurchase) -> Stored {
        let order = &new.order.order;
        let reference = (order.client, order.client_txn_ref.clone());
        let known = self.references.get(&reference).and_then(|id| self.purchases.get(id));
        if let Some(row) = known {
            let stored = StoredContent {
                fingerprint: row.content.as_bytes(),
                funding_source: &row.purchase.order.funding_source,
                fee_amount: row.purchase.order.fee_amount,
            };
            if !new.order.content.is_of(stored, |text| text.expose().as_bytes().to_vec()) {
                return Stored::Conflict;
            }
            let progress = Progress { voucher: None, ..row.purchase.progress.clone() };
            return Stored::Same(row.purchase.order.id, Box::new(progress));
        }
        if let Some(flying) = self.similar_in_flight(new) {
            return Stored::Similar(flying);
        }
        let progress = Progress::new(new.order.reserve, self.now);
        let row = PurchaseRow {
            purchase: Purchase { order: order.clone(), progress: progress.clone() },
            content: new.order.content.text().expose().to_owned(),
            way_in: new.way_in,
            journal: Vec::new(),
            facts: Vec::new(),
        };
        let first = &new.order.first_task;
        let key = TaskKey { purchase: order.id, kind: first.kind, slot: first.slot };
        self.references.insert(reference, order.id);
        self.purchases.insert(order.id, row);
        self.tasks.insert(key, Task::queued(first, self.now));
        self.know_token(order);
        Stored::New(order.id, Box::new(progress))
    }

    /// The newest purchase that keeps a new one from being stored.
    fn similar_in_flight(&self, new: &NewPurchase) -> Option<PurchaseId> {
        if !new.order.refuse_similar {
            return None;
        }
        let what = |order: &Order| {
            let (source, target) = (order.source.clone(), order.target.clone());
            (order.client, order.product, order.purchase_amount, source, target)
        };
        let wanted = what(&new.order.order);
        let similar = self.purchases.values().map(|row| &row.purchase).filter(|flying| {
            between(flying.progress.created_at, self.now) < SIMILAR_FOR
                && flying.status() == PurchaseStatus::Pending
                && what(&flying.order) == wanted
        });
        similar.max_by_key(|flying| flying.progress.created_at).map(|flying| flying.order.id)
    }

    pub(super) fn write_journal(
        &mut self,
        key: TaskKey,
        token: Option<ClaimToken>,
        ref_no: i32,
        (outcome, detail): (&str, &str),
    ) {
        let view = JournalView {
            at: self.now,
            kind: key.kind,
            slot: key.slot,
            ref_no,
            outcome: outcome.to_owned(),
            detail: detail.chars().take(500).collect(),
            actor: None,
        };
        if let Some(row) = self.purchases.get_mut(&key.purchase) {
            row.journal.push(JournalRow { token, view });
        }
    }

    pub(super) fn show(&self, id: PurchaseId) -> Option<PurchaseView> {
        let row = self.purchases.get(&id)?;
        Some(PurchaseView {
            lanes: HashMap::new(),
            purchase: row.purchase.clone(),
            way_in: row.way_in.name().to_owned(),
            tasks: self.tasks.iter().filter(|(key, _)| key.purchase == id).map(task_view).collect(),
            journal: row.journal.iter().map(|entry| entry.view.clone()).collect(),
            ledger: self
                .ledger
                .range((id, i16::MIN)..=(id, i16::MAX))
                .map(|((_, step), (entry, money))| LedgerView {
                    step: *step,
                    entry: entry.name().to_owned(),
                    currency: money.currency.code().to_owned(),
                    amount: money.minor,
                })
                .collect(),
            deliveries: self
                .deliveries
                .range((id, i32::MIN)..=(id, i32::MAX))
                .map(|(_, row)| delivery_view(row))
                .collect(),
            facts: row.facts.iter().zip(1..).map(fact_view).collect(),
            matches: BTreeMap::new(),
            report: self.report_view(id),
            hidden: None,
            has_voucher: row.purchase.progress.voucher.is_some(),
            unreadable: Vec::new(),
            is_cut: false,
        })
    }
}

fn task_view((key, task): (&TaskKey, &Task)) -> TaskView {
    let parked = task.parked.as_ref();
    TaskView {
        key: *key,
        state: task.state,
        due_at: task.due_at,
        lane: task.lane,
        claims: task.claims,
        tries: task.tries,
        ref_no: task.ref_no,
        sent_until: task.sent_until,
        signals: task.signals,
        lease: task.lease,
        hinted_at: task.hinted_at,
        start_by: task.start_by,
        deadline_at: task.deadline_at,
        park_class: parked.map(|parked| parked.class),
        park_cause: parked.map(|parked| parked.cause.clone()),
        at_risk: parked.and_then(|parked| parked.at_risk),
        parked_at: parked.map(|parked| parked.at),
    }
}

fn delivery_view(row: &DeliveryRow) -> DeliveryView {
    DeliveryView {
        slot: row.delivery.slot,
        channel: row.delivery.channel.clone(),
        state: row.delivery.state.name().to_owned(),
        attempts: row.delivery.attempts,
        first_sent_at: row.delivery.first_sent_at,
        last_sent_at: row.last_sent_at,
        last_status: row.last_status,
    }
}

fn fact_view((stored, id): (&StoredFact, i64)) -> FactView {
    FactView {
        id,
        source: stored.fact.source.clone(),
        fact_type: stored.fact.kind.clone(),
        reference: stored.fact.reference.clone(),
        status: stored.fact.status.clone(),
        external_id: stored.fact.external_id.clone(),
        kind: Some(stored.about.kind.code()),
        slot: Some(stored.about.slot),
        received_at: stored.fact.received_at,
    }
}
