//! What the fleet has done, in figures.

use std::time::Duration;

use chrono::{DateTime, Utc};
use fleet_domain::{DispenseState, ParkClass, PurchaseStatus, ReserveState};
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::deliveries::FailingEndpoint;
use super::parked::{AtRisk, ParkedFilter, class};
use crate::pool::{get, no_row};
use crate::{Store, StoreError};

/// How far the clock of a process that numbers purchases may be from the database's.
const CLOCKS_DIFFER: Duration = Duration::from_secs(3_600);

/// What a summary covers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Covers {
    /// Purchases accepted from then on; besides, all that have unfinished work.
    pub since: DateTime<Utc>,
    /// How many they are.
    pub purchases: i64,
    /// More than 50,000 were accepted since then: only the newest of them are counted.
    pub is_cut: bool,
}

/// The figures.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FleetSummary {
    /// Whose purchases, books, results, reports and times these are.
    pub covers: Covers,
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

/// Which purchases a summary begins with.
struct Cohort {
    since: DateTime<Utc>,
    /// No purchase that was accepted since then has a smaller number.
    from: Uuid,
}

impl Cohort {
    async fn of(store: &Store, within: Duration) -> Result<Self, StoreError> {
        let sql = "select greatest(fleet_now() - $1 * interval '1 second', '-infinity') as since,
                          greatest(extract(epoch from clock_timestamp()) - $1 - $2, 0)::bigint as real
                   from fleet_clock";
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let query = sqlx::query(sql).bind(seconds(within)).bind(seconds(CLOCKS_DIFFER));
        let row = store.row(query).await?.ok_or_else(no_row)?;
        let real: i64 = get(&row, "real")?;
        // The first 48 bits of a purchase's number are the milliseconds of its making.
        let millis = u128::try_from(real).unwrap_or(0).saturating_mul(1_000);
        let from = Uuid::from_u128(millis.checked_shl(80).unwrap_or(0));
        Ok(Self { since: get(&row, "since")?, from })
    }
}

/// A query of a summary, with what it covers before it.
macro_rules! cohort {
    ($file:literal) => {
        concat!(include_str!("summary_cohort.sql"), include_str!($file))
    };
}

impl Store {
    /// The figures of purchases that were accepted within a time, and of all that have unfinished work:
    /// what it reads does not grow with history.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn summary(&self, within: Duration) -> Result<FleetSummary, StoreError> {
        let of = Cohort::of(self, within).await?;
        let covers = self.of(&of, cohort!("summary_covers.sql"), |row| {
            Ok(Covers {
                since: of.since,
                purchases: get(row, "purchases")?,
                is_cut: get(row, "is_cut")?,
            })
        });
        let covers = covers.await?.pop().ok_or_else(no_row)?;
        let deliveries = self.of(&of, cohort!("summary_deliveries.sql"), |row| {
            Ok((get::<bool, _>(row, "is_message")?, count(row)?))
        });
        let (messages, deliveries): (Vec<_>, Vec<_>) =
            deliveries.await?.into_iter().partition(|(is_message, _)| *is_message);
        let counts = |rows: Vec<(bool, Count)>| rows.into_iter().map(|(_, count)| count).collect();
        Ok(FleetSummary {
            covers,
            purchases: self.of(&of, cohort!("summary_purchases.sql"), purchase_count).await?,
            money: self.of(&of, cohort!("summary_money.sql"), money_row).await?,
            deliveries: counts(deliveries),
            messages: counts(messages),
            failing: self.failing_endpoints().await?,
            reports: self.of(&of, cohort!("summary_reports.sql"), count).await?,
            at_risk: self.parked_totals(&ParkedFilter::default()).await?.at_risk,
            parked: self.each(include_str!("summary_parked.sql"), parked_cause).await?,
            unmatched: self.unmatched_facts().await?,
            unmatched_count: self.unmatched_count().await?,
            stages: self.of(&of, cohort!("summary_stages.sql"), stage).await?,
        })
    }

    /// The books of purchases with unfinished work, per currency, client and funding source: all that is
    /// held, undecided or owed is theirs, and history is not read for it.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn money(&self) -> Result<Vec<MoneyRow>, StoreError> {
        let sql = concat!(
            "with cohort as materialized (select distinct t.purchase from task t)
",
            include_str!("summary_money.sql")
        );
        self.each(sql, money_row).await
    }

    /// What is recorded of each outside party, to be compared with its own record.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn recorded(&self) -> Result<Vec<Recorded>, StoreError> {
        self.each(include_str!("recorded.sql"), recorded).await
    }

    async fn of<T>(
        &self,
        of: &Cohort,
        sql: &'static str,
        read: impl Fn(&PgRow) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let query = sqlx::query(sql).bind(of.since).bind(of.from);
        self.rows(query).await?.iter().map(read).collect()
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
