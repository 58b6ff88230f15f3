//! The backlog, and the tasks that stand in front of a person.

use chrono::{DateTime, Utc};
use fleet_domain::{
    ClientId, Currency, Money, ParkClass, PurchaseId, TaskKey, TaskKind, TaskState,
};
use sqlx::postgres::PgRow;

use crate::pool::get;
use crate::{Store, StoreError};

/// Parked tasks on one page at most: 1000, and the one that says that there are more.
const PAGE_MAX: u32 = 1_001;

/// Unfinished tasks of one kind and state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BacklogRow {
    /// The kind.
    pub kind: TaskKind,
    /// The state.
    pub state: TaskState,
    /// How many.
    pub tasks: i64,
    /// How long the oldest is due, or, of running ones, how long its lease is over; 0 when none is.
    pub oldest_due_seconds: i64,
}

/// What a task waits for that moves money or goods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitsFor {
    /// To be done: it is tried, asked about or queued until it succeeds.
    Success,
    /// The supplier took the order and confirms later.
    Confirmation,
    /// The buyer was asked and has time to answer.
    Buyer,
}

impl WaitsFor {
    /// Everything.
    pub const ALL: [Self; 3] = [Self::Success, Self::Confirmation, Self::Buyer];

    /// The word in the query and in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Confirmation => "confirmation",
            Self::Buyer => "buyer",
        }
    }
}

/// The oldest unfinished task of a kind that moves money or goods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedRow {
    /// The kind.
    pub kind: TaskKind,
    /// What it waits for.
    pub waits_for: WaitsFor,
    /// How long ago it was made.
    pub oldest_seconds: i64,
}

/// Which parked tasks.
#[derive(Debug, Clone, Default)]
pub struct ParkedFilter {
    /// Of this kind.
    pub kind: Option<TaskKind>,
    /// Of this class.
    pub class: Option<ParkClass>,
    /// Of this client.
    pub client: Option<ClientId>,
    /// With these words in its cause.
    pub cause: Option<String>,
    /// At most so many, 1 to 1001; 0 means 100.
    pub limit: u32,
    /// After this one: the last of the page before.
    pub after: Option<TaskKey>,
}

/// All parked tasks of a filter, whatever its page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParkedTotals {
    /// How many.
    pub tasks: i64,
    /// Money at risk, once a currency.
    pub at_risk: Vec<AtRisk>,
}

/// Money at risk in one currency. A purchase has one hold, and counts once, however many of its tasks
/// are parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtRisk {
    /// How much.
    pub money: Money,
    /// Of how many purchases.
    pub purchases: i64,
}

/// A task in front of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedTask {
    /// Which task.
    pub key: TaskKey,
    /// Whose fault.
    pub class: ParkClass,
    /// One line.
    pub cause: String,
    /// Money at risk.
    pub at_risk: Option<Money>,
    /// False when another parked task of its purchase stands for the same hold.
    pub at_risk_counts: bool,
    /// Since when.
    pub parked_at: Option<DateTime<Utc>>,
    /// Finished exchanges.
    pub tries: i32,
    /// The number of the outside reference.
    pub ref_no: i32,
    /// Whose purchase.
    pub client: ClientId,
    /// The client's reference.
    pub client_txn_ref: String,
    /// The supplier's connector.
    pub supplier: String,
    /// The funding source's connector; empty when the client holds the funds.
    pub funding_source: String,
}

impl Store {
    /// Unfinished tasks by kind and state.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn backlog(&self) -> Result<Vec<BacklogRow>, StoreError> {
        let rows = self.rows(sqlx::query(include_str!("backlog.sql"))).await?;
        rows.iter()
            .map(|row| {
                Ok(BacklogRow {
                    kind: kind(row)?,
                    state: state(row)?,
                    tasks: get(row, "tasks")?,
                    oldest_due_seconds: get(row, "oldest_due_seconds")?,
                })
            })
            .collect()
    }

    /// The age of what moves money or goods and is not parked, where it is half a minute or more.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn unfinished(&self) -> Result<Vec<UnfinishedRow>, StoreError> {
        let rows = self.rows(sqlx::query("select * from fleet_unfinished_v1()")).await?;
        rows.iter()
            .map(|row| {
                let word: String = get(row, "waits_for")?;
                let waits_for = WaitsFor::ALL.into_iter().find(|one| one.name() == word);
                Ok(UnfinishedRow {
                    kind: kind(row)?,
                    waits_for: waits_for.unwrap_or(WaitsFor::Success),
                    oldest_seconds: get(row, "oldest_seconds")?,
                })
            })
            .collect()
    }

    /// Parked tasks by class.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn parked_counts(&self) -> Result<Vec<(ParkClass, i64)>, StoreError> {
        let rows = self.rows(sqlx::query(include_str!("parked_counts.sql"))).await?;
        rows.iter().map(|row| Ok((class(row, "class")?, get(row, "tasks")?))).collect()
    }

    /// Parked tasks in the order of their keys, one page.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn parked(&self, filter: &ParkedFilter) -> Result<Vec<ParkedTask>, StoreError> {
        let limit = if filter.limit == 0 { 100 } else { filter.limit.min(PAGE_MAX) };
        let query = sqlx::query(include_str!("parked.sql"))
            .bind(filter.kind.map(TaskKind::code))
            .bind(filter.class.map(ParkClass::name))
            .bind(filter.client.map(|client| client.0))
            .bind(&filter.cause)
            .bind(filter.after.map(|key| key.purchase.0))
            .bind(filter.after.map(|key| key.kind.code()))
            .bind(filter.after.map(|key| key.slot))
            .bind(i64::from(limit));
        self.rows(query).await?.iter().map(parked_task).collect()
    }

    /// How many parked tasks a filter has, and the money at risk in them.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn parked_totals(&self, filter: &ParkedFilter) -> Result<ParkedTotals, StoreError> {
        let query = sqlx::query(include_str!("parked_totals.sql"))
            .bind(filter.kind.map(TaskKind::code))
            .bind(filter.class.map(ParkClass::name))
            .bind(filter.client.map(|client| client.0))
            .bind(&filter.cause);
        let mut totals = ParkedTotals::default();
        for row in self.rows(query).await? {
            totals.tasks = get(&row, "tasks")?;
            let purchases: Option<i64> = get(&row, "purchases")?;
            if let Some((money, purchases)) = at_risk(&row)?.zip(purchases) {
                totals.at_risk.push(AtRisk { money, purchases });
            }
        }
        Ok(totals)
    }
}

fn parked_task(row: &PgRow) -> Result<ParkedTask, StoreError> {
    Ok(ParkedTask {
        key: key(row)?,
        class: class(row, "park_class")?,
        cause: get::<Option<String>, _>(row, "park_cause")?.unwrap_or_default(),
        at_risk: at_risk(row)?,
        at_risk_counts: get(row, "at_risk_counts")?,
        parked_at: get(row, "parked_at")?,
        tries: get(row, "tries")?,
        ref_no: get(row, "ref_no")?,
        client: ClientId(get(row, "client_id")?),
        client_txn_ref: get(row, "client_txn_ref")?,
        supplier: get(row, "supplier")?,
        funding_source: get(row, "funding_source")?,
    })
}

pub(super) fn key(row: &PgRow) -> Result<TaskKey, StoreError> {
    Ok(TaskKey {
        purchase: PurchaseId(get(row, "purchase")?),
        kind: kind(row)?,
        slot: get(row, "slot")?,
    })
}

pub(super) fn kind(row: &PgRow) -> Result<TaskKind, StoreError> {
    TaskKind::from_code(get(row, "kind")?)
        .ok_or_else(|| StoreError::Unreadable("kind of task".to_owned()))
}

pub(super) fn state(row: &PgRow) -> Result<TaskState, StoreError> {
    TaskState::from_code(get(row, "state")?)
        .ok_or_else(|| StoreError::Unreadable("task.state".to_owned()))
}

pub(super) fn class(row: &PgRow, column: &str) -> Result<ParkClass, StoreError> {
    let word: String = get(row, column)?;
    class_of(&word)
}

pub(super) fn class_of(word: &str) -> Result<ParkClass, StoreError> {
    ParkClass::ALL
        .into_iter()
        .find(|class| class.name() == word)
        .ok_or_else(|| StoreError::Unreadable("task.park_class".to_owned()))
}

pub(super) fn at_risk(row: &PgRow) -> Result<Option<Money>, StoreError> {
    let minor: Option<i64> = get(row, "at_risk_minor")?;
    let currency: Option<String> = get(row, "at_risk_currency")?;
    let Some((minor, code)) = minor.zip(currency) else { return Ok(None) };
    let currency = Currency::from_code(&code)
        .map_err(|_error| StoreError::Unreadable("task.at_risk_currency".to_owned()))?;
    Ok(Some(Money::new(minor, currency)))
}
