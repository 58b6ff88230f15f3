//! Everything about one purchase, for an operator.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use fleet_domain::{
    LaneId, Money, ParkClass, Purchase, PurchaseId, TaskKey, TaskKind, TaskState, TokenState,
};
use sqlx::postgres::PgRow;

use super::parked::{at_risk, class_of, key, kind, state};
use super::unmatched::{FactDecision, decision};
use crate::pool::get;
use crate::purchases::read_purchase_partly;
use crate::{SealError, Store, StoreError};

/// Rows of the journal, and facts, that are read of one purchase at most.
const ROWS_MAX: usize = 1_000;

/// A purchase with everything that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurchaseView {
    /// The purchase.
    pub purchase: Purchase,
    /// How it came in.
    pub way_in: String,
    /// Its unfinished tasks.
    pub tasks: Vec<TaskView>,
    /// What happened, oldest first; the newest 1000 rows.
    pub journal: Vec<JournalView>,
    /// Its lines of the books.
    pub ledger: Vec<LedgerView>,
    /// Its results.
    pub deliveries: Vec<DeliveryView>,
    /// What others told us, oldest first; the newest 1000.
    pub facts: Vec<FactView>,
    /// Which of these facts a person said are this purchase's, by their numbers.
    pub matches: BTreeMap<i64, FactDecision>,
    /// Its report to the fraud desk.
    pub report: Option<ReportView>,
    /// Why it is not shown to its client.
    pub hidden: Option<HiddenView>,
    /// Whether it has a voucher, which nobody is shown.
    pub has_voucher: bool,
    /// What cannot be unsealed; it stands there empty.
    pub unreadable: Vec<SealError>,
    /// How the lanes of the unfinished tasks are used now.
    pub lanes: HashMap<LaneId, LaneUse>,
    /// Older rows of the journal, or facts, than those that are here exist.
    pub is_cut: bool,
}

impl PurchaseView {
    /// The money at risk: one hold is one, however many of its tasks wait for a person.
    #[must_use]
    pub fn at_risk(&self) -> Option<Money> {
        self.tasks.iter().filter_map(|task| task.at_risk).max_by_key(|money| money.minor)
    }
}

/// What an operator decided about showing a purchase to its client.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns of the transaction_hold table, named there")]
pub struct HiddenView {
    pub removed: bool,
    pub reason: String,
    pub actor: String,
    pub since: DateTime<Utc>,
}

/// An unfinished task.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns of the task table, named there")]
pub struct TaskView {
    pub key: TaskKey,
    pub state: TaskState,
    pub due_at: DateTime<Utc>,
    pub lane: LaneId,
    pub claims: i32,
    pub tries: i32,
    pub ref_no: i32,
    pub sent_until: Option<DateTime<Utc>>,
    pub signals: i32,
    pub lease: Option<DateTime<Utc>>,
    pub hinted_at: Option<DateTime<Utc>>,
    pub start_by: Option<DateTime<Utc>>,
    pub deadline_at: Option<DateTime<Utc>>,
    pub park_class: Option<ParkClass>,
    pub park_cause: Option<String>,
    pub at_risk: Option<Money>,
    pub parked_at: Option<DateTime<Utc>>,
}

/// How live processes use a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneUse {
    /// Calls that may be under way by what they have leased.
    pub permits: i32,
    /// Processes whose circuit is open: their calls failed, and one at a time is tried.
    pub open: i32,
}

/// A row of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalView {
    /// When, by the database's real clock.
    pub at: DateTime<Utc>,
    /// The kind of task.
    pub kind: TaskKind,
    /// Its slot.
    pub slot: i32,
    /// The number of the outside reference at that time.
    pub ref_no: i32,
    /// The word for what happened.
    pub outcome: String,
    /// A code or cause.
    pub detail: String,
    /// The operator, when one decided it.
    pub actor: Option<String>,
}

/// A line of the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerView {
    /// 1 the hold, 2 its resolution, 3 the money's end.
    pub step: i16,
    /// The word.
    pub entry: String,
    /// ISO 4217.
    pub currency: String,
    /// Minor units.
    pub amount: i64,
}

/// A result and its attempts; its body stays sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns of the delivery table, named there")]
pub struct DeliveryView {
    pub slot: i32,
    pub channel: String,
    pub state: String,
    pub attempts: i32,
    pub first_sent_at: Option<DateTime<Utc>>,
    pub last_sent_at: Option<DateTime<Utc>>,
    pub last_status: Option<i32>,
}

/// What was told, without the document.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns of the fact table, named there")]
pub struct FactView {
    pub id: i64,
    pub source: String,
    pub fact_type: String,
    pub reference: String,
    pub status: String,
    pub external_id: String,
    pub kind: Option<i16>,
    pub slot: Option<i32>,
    pub received_at: DateTime<Utc>,
}

/// A report to the fraud desk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportView {
    /// Where it stands.
    pub state: String,
    /// What was reported.
    pub success: Option<bool>,
    /// When.
    pub reported_at: Option<DateTime<Utc>>,
    /// Since when it waits for another report on its token.
    pub waits_since: Option<DateTime<Utc>>,
    /// Its token, when it has one.
    pub token: Option<TokenView>,
}

/// A fraud desk's token; what it says stays sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns of the fraud_token table, named there")]
pub struct TokenView {
    pub desk: String,
    pub told: TokenState,
    pub success_due: bool,
    pub expires_at: DateTime<Utc>,
    pub busy_until: Option<DateTime<Utc>>,
    pub is_valid: Option<bool>,
    pub threat_code: Option<i64>,
    pub threat_flags: Option<String>,
    pub validated_at: Option<DateTime<Utc>>,
}

impl Store {
    /// Everything about one purchase; `None` when there is none.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away or when a state cannot be read; what cannot be unsealed
    /// is named in the view.
    pub async fn show_purchase(&self, id: PurchaseId) -> Result<Option<PurchaseView>, StoreError> {
        let ask = |sql: &'static str| sqlx::query(sql).bind(id.0);
        let sql = "select * from purchase where purchase = $1";
        let Some(row) = self.row(ask(sql)).await? else { return Ok(None) };
        let tasks = "select * from task where purchase = $1 order by kind, slot";
        let journal = "select * from journal where purchase = $1 order by at desc limit 1001";
        // By those that told within ten beats that they live.
        let lanes = "select m.lane, sum(m.permits)::integer as permits, \
                     count(*) filter (where m.probe)::integer as open from lane_permit m \
                     join heartbeat h on h.process = m.process and h.kind = m.kind \
                     where m.lane in (select t.lane from task t where t.purchase = $1) \
                     and h.alive_at > fleet_now() - interval '10 seconds' group by m.lane";
        let ledger = "select * from ledger_entry where purchase = $1 order by step";
        let deliveries = "select * from delivery where purchase = $1 order by slot";
        // Not in the order of any index: a plan that was made on an empty table would walk that.
        let facts = "select * from fact where purchase = $1 order by fact + 0 desc limit 1001";
        let matches = "select d.* from (select fact from fact where purchase = $1 offset 0) f \
                       cross join lateral (select * from fact_decision where fact = f.fact \
                       offset 0) d order by d.fact desc limit 1000";
        let hidden = "select * from transaction_hold where purchase = $1";
        let report = "select r.*, k.* from fraud_report r left join lateral (select * from fraud_token t \
                      where t.token_hash = r.token_hash offset 0) k on true where r.purchase = $1";
        let mut is_cut = false;
        let journal = each(&self.newest(ask(journal), &mut is_cut).await?, journal_row)?;
        let facts = each(&self.newest(ask(facts), &mut is_cut).await?, fact)?;
        let (purchase, unreadable) = read_purchase_partly(self.keyring(), &row)?;
        Ok(Some(PurchaseView {
            purchase,
            way_in: get(&row, "way_in")?,
            tasks: each(&self.rows(ask(tasks)).await?, task)?,
            lanes: each(&self.rows(ask(lanes)).await?, |row| {
                let used = LaneUse { permits: get(row, "permits")?, open: get(row, "open")? };
                Ok((LaneId(get(row, "lane")?), used))
            })?
            .into_iter()
            .collect(),
            journal,
            ledger: each(&self.rows(ask(ledger)).await?, ledger_row)?,
            deliveries: each(&self.rows(ask(deliveries)).await?, delivery)?,
            facts,
            matches: each(&self.rows(ask(matches)).await?, |row| {
                Ok((get(row, "fact")?, decision(row, "purchase")?))
            })?
            .into_iter()
            .collect(),
            report: self.row(ask(report)).await?.as_ref().map(report_row).transpose()?,
            hidden: self.row(ask(hidden)).await?.as_ref().map(hidden_row).transpose()?,
            has_voucher: get::<Option<Vec<u8>>, _>(&row, "voucher_sealed")?.is_some(),
            unreadable,
            is_cut,
        }))
    }

    /// Rows that come newest first, oldest first, without the one that says that there are more.
    async fn newest(
        &self,
        query: sqlx::query::Query<'_, sqlx::Postgres, sqlx::postgres::PgArguments>,
        is_cut: &mut bool,
    ) -> Result<Vec<PgRow>, StoreError> {
        let mut rows = self.rows(query).await?;
        if rows.len() > ROWS_MAX {
            rows.truncate(ROWS_MAX);
            *is_cut = true;
        }
        rows.reverse();
        Ok(rows)
    }
}

fn each<T>(
    rows: &[PgRow],
    read: impl Fn(&PgRow) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    rows.iter().map(read).collect()
}

fn task(row: &PgRow) -> Result<TaskView, StoreError> {
    let class: Option<String> = get(row, "park_class")?;
    Ok(TaskView {
        key: key(row)?,
        state: state(row)?,
        due_at: get(row, "due_at")?,
        lane: LaneId(get(row, "lane")?),
        claims: get(row, "claims")?,
        tries: get(row, "tries")?,
        ref_no: get(row, "ref_no")?,
        sent_until: get(row, "sent_until")?,
        signals: get(row, "signals")?,
        lease: get(row, "lease")?,
        hinted_at: get(row, "hinted_at")?,
        start_by: get(row, "start_by")?,
        deadline_at: get(row, "deadline_at")?,
        park_class: class.as_deref().map(class_of).transpose()?,
        park_cause: get(row, "park_cause")?,
        at_risk: at_risk(row)?,
        parked_at: get(row, "parked_at")?,
    })
}

fn journal_row(row: &PgRow) -> Result<JournalView, StoreError> {
    Ok(JournalView {
        at: get(row, "at")?,
        kind: kind(row)?,
        slot: get(row, "slot")?,
        ref_no: get(row, "ref_no")?,
        outcome: get(row, "outcome")?,
        detail: get(row, "detail")?,
        actor: get(row, "actor")?,
    })
}

fn hidden_row(row: &PgRow) -> Result<HiddenView, StoreError> {
    Ok(HiddenView {
        removed: get(row, "removed")?,
        reason: get(row, "reason")?,
        actor: get(row, "actor")?,
        since: get(row, "created_at")?,
    })
}

fn ledger_row(row: &PgRow) -> Result<LedgerView, StoreError> {
    Ok(LedgerView {
        step: get(row, "step")?,
        entry: get(row, "entry")?,
        currency: get(row, "currency")?,
        amount: get(row, "amount")?,
    })
}

pub(super) fn delivery(row: &PgRow) -> Result<DeliveryView, StoreError> {
    Ok(DeliveryView {
        slot: get(row, "slot")?,
        channel: get(row, "channel")?,
        state: get(row, "state")?,
        attempts: get(row, "attempts")?,
        first_sent_at: get(row, "first_sent_at")?,
        last_sent_at: get(row, "last_sent_at")?,
        last_status: get(row, "last_status")?,
    })
}

pub(super) fn fact(row: &PgRow) -> Result<FactView, StoreError> {
    Ok(FactView {
        id: get(row, "fact")?,
        source: get(row, "source")?,
        fact_type: get(row, "fact_type")?,
        reference: get(row, "reference")?,
        status: get(row, "status")?,
        external_id: get(row, "external_id")?,
        kind: get(row, "kind")?,
        slot: get(row, "slot")?,
        received_at: get(row, "received_at")?,
    })
}

fn report_row(row: &PgRow) -> Result<ReportView, StoreError> {
    let told: Option<String> = get(row, "told")?;
    let told = told
        .map(|word| TokenState::from_name(&word))
        .map(|told| told.ok_or_else(|| StoreError::Unreadable("fraud_token.told".to_owned())))
        .transpose()?;
    Ok(ReportView {
        waits_since: get(row, "waits_since")?,
        token: told.map(|told| token_row(row, told)).transpose()?,
        state: get(row, "state")?,
        success: get(row, "success")?,
        reported_at: get(row, "reported_at")?,
    })
}

fn token_row(row: &PgRow, told: TokenState) -> Result<TokenView, StoreError> {
    Ok(TokenView {
        desk: get(row, "desk")?,
        told,
        success_due: get(row, "success_due")?,
        expires_at: get(row, "expires_at")?,
        busy_until: get(row, "busy_until")?,
        is_valid: get(row, "is_valid")?,
        threat_code: get(row, "threat_code")?,
        threat_flags: get(row, "threat_flags")?,
        validated_at: get(row, "validated_at")?,
    })
}
