//! What the fleet has done, in figures.

use fleet_domain::{DispenseState, ParkClass, PurchaseStatus, ReserveState};
use sqlx::postgres::PgRow;

use super::deliveries::FailingEndpoint;
use super::parked::{AtRisk, ParkedFilter, class};
use crate::pool::get;
use crate::{Store, StoreError};

/// The figures.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FleetSummary {
    /// Purchases by where their tracks stand.
    pub purchases: Vec<PurchaseCount>,
    /// The books.
    pub money: Vec<MoneyRow>,
    /// Results by state.
    pub deliveries: Vec<Count>,
    /// Messages to buyers and recipients by state.
    pub messages: Vec<Count>,
    /// Endpoints that do not acknowledge.
    pub failing: Vec<FailingEndpoint>,
    /// Reports by state.
    pub reports: Vec<Count>,
    /// Money at risk in parked tasks.
    pub at_risk: Vec<AtRisk>,
    /// Parked tasks by class and cause, the most frequent first.
    pub parked: Vec<ParkedCause>,
    /// Undecided facts that speak of no purchase of ours, the newest 1000.
    pub unmatched: Vec<super::FactView>,
    /// How many of them there are.
    pub unmatched_count: i64,
    /// Times between stages.
    pub stages: Vec<StageTime>,
}

/// Purchases that stand alike.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns of the purchase table, named there")]
pub struct PurchaseCount {
    pub scenario: String,
    pub way_in: String,
    /// `transactionStatus`.
    pub status: PurchaseStatus,
    pub reserve_state: String,
    pub dispense_state: String,
    pub settle_state: String,
    pub purchases: i64,
}

/// The books of one currency, client and funding source, in minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns of the money_conservation view, named there")]
pub struct MoneyRow {
    pub currency: String,
    pub client_id: i64,
    pub funding_source: String,
    pub reserved: i64,
    pub captured: i64,
    pub cancelled: i64,
    pub held: i64,
    pub kept: i64,
    pub refunded: i64,
    pub owed: i64,
    pub undecided: i64,
}

/// What is recorded of one kind at one outside party: minor units of a funding source (`reserve`,
/// `capture`, `cancel`, `refund`), or vends of a supplier (`vend`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The connector.
    pub party: String,
    /// What.
    pub kind: String,
    /// What happened there, by the books and tracks.
    pub recorded: i64,
    /// What may have happened besides: not answered yet, or unknown.
    pub open: i64,
}

/// How many are in a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The state.
    pub state: String,
    /// How many.
    pub count: i64,
}

/// Parked tasks with one cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedCause {
    /// Whose fault.
    pub class: ParkClass,
    /// The cause.
    pub cause: String,
    /// How many.
    pub tasks: i64,
}

/// How long one stage took.
#[derive(Debug, Clone, PartialEq)]
pub struct StageTime {
    /// From where to where.
    pub stage: String,
    /// Purchases measured.
    pub purchases: i64,
    /// The average.
    pub average_ms: f64,
    /// 95 of 100 took at most so long.
    pub p95_ms: f64,
}

impl Store {
    /// The figures of all purchases. It reads whole tables: for reports, not for dashboards.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn summary(&self) -> Result<FleetSummary, StoreError> {
        let deliveries = "select state, count(*) as count from delivery where slot < 100 \
                          group by state order by state";
        let messages = "select state, count(*) as count from delivery where slot >= 100 \
                        group by state order by state";
        let reports =
            "select state, count(*) as count from fraud_report group by state order by state";
        Ok(FleetSummary {
            purchases: self.each(include_str!("summary_purchases.sql"), purchase_count).await?,
            money: self.money().await?,
            deliveries: self.each(deliveries, count).await?,
            messages: self.each(messages, count).await?,
            failing: self.failing_endpoints().await?,
            reports: self.each(reports, count).await?,
            at_risk: self.parked_totals(&ParkedFilter::default()).await?.at_risk,
            parked: self.each(include_str!("summary_parked.sql"), parked_cause).await?,
            unmatched: self.unmatched_facts().await?,
            unmatched_count: self.unmatched_count().await?,
            stages: self.each(include_str!("summary_stages.sql"), stage).await?,
        })
    }

    /// The books, per currency, client and funding source.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn money(&self) -> Result<Vec<MoneyRow>, StoreError> {
        let money = "select * from money_conservation order by currency, client_id, funding_source";
        self.each(money, money_row).await
    }

    /// What is recorded of each outside party, to be compared with its own record.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn recorded(&self) -> Result<Vec<Recorded>, StoreError> {
        self.each(include_str!("recorded.sql"), recorded).await
    }

    async fn each<T>(
        &self,
        sql: &'static str,
        read: impl Fn(&PgRow) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.rows(sqlx::query(sql)).await?.iter().map(read).collect()
    }
}

fn purchase_count(row: &PgRow) -> Result<PurchaseCount, StoreError> {
    let reserve_state: String = get(row, "reserve_state")?;
    let dispense_state: String = get(row, "dispense_state")?;
    let states = ReserveState::from_name(&reserve_state)
        .zip(DispenseState::from_name(&dispense_state))
        .ok_or_else(|| StoreError::Unreadable("a track of a purchase".to_owned()))?;
    Ok(PurchaseCount {
        scenario: get(row, "scenario")?,
        way_in: get(row, "way_in")?,
        status: PurchaseStatus::of(states.0, states.1),
        reserve_state,
        dispense_state,
        settle_state: get(row, "settle_state")?,
        purchases: get(row, "purchases")?,
    })
}

fn money_row(row: &PgRow) -> Result<MoneyRow, StoreError> {
    Ok(MoneyRow {
        currency: get(row, "currency")?,
        client_id: get(row, "client_id")?,
        funding_source: get(row, "funding_source")?,
        reserved: get(row, "reserved")?,
        captured: get(row, "captured")?,
        cancelled: get(row, "cancelled")?,
        held: get(row, "held")?,
        kept: get(row, "kept")?,
        refunded: get(row, "refunded")?,
        owed: get(row, "owed")?,
        undecided: get(row, "undecided")?,
    })
}

fn recorded(row: &PgRow) -> Result<Recorded, StoreError> {
    Ok(Recorded {
        party: get(row, "party")?,
        kind: get(row, "kind")?,
        recorded: get(row, "recorded")?,
        open: get(row, "open")?,
    })
}

fn count(row: &PgRow) -> Result<Count, StoreError> {
    Ok(Count { state: get(row, "state")?, count: get(row, "count")? })
}

fn parked_cause(row: &PgRow) -> Result<ParkedCause, StoreError> {
    Ok(ParkedCause {
        class: class(row, "park_class")?,
        cause: get(row, "park_cause")?,
        tasks: get(row, "tasks")?,
    })
}

fn stage(row: &PgRow) -> Result<StageTime, StoreError> {
    Ok(StageTime {
        stage: get(row, "stage")?,
        purchases: get(row, "purchases")?,
        average_ms: get(row, "average_ms")?,
        p95_ms: get(row, "p95_ms")?,
    })
}
