//! Looking purchases up.

use chrono::{DateTime, Utc};
use fleet_domain::{ClientId, Progress, Purchase, PurchaseId, TaskKind, TaskState};
use uuid::Uuid;

use super::row::{read_progress, read_purchase};
use crate::pool::get;
use crate::{Store, StoreError};

/// Purchases asked for in one query.
const ASKED_MAX: usize = 10_000;

/// What a client looks a purchase up by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// Ours (`raasTxnRef`).
    Ours(PurchaseId),
    /// The client's own (`clientTxnRef`).
    Client(String),
    /// A reservation's (`reserveFundsTxnRef`), whoever holds it.
    Reservation(String),
}

/// The task that a pending purchase waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenStep {
    /// What it does.
    pub kind: TaskKind,
    /// Where it stands.
    pub state: TaskState,
    /// When it is looked at next; while it runs, when its call is over at the latest.
    pub due_at: DateTime<Utc>,
}

impl Store {
    /// How far these purchases are; those that do not exist are missing. Nothing is unsealed.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away, or for more than 10,000 of them.
    pub async fn progress_of(
        &self,
        ids: &[PurchaseId],
    ) -> Result<Vec<(PurchaseId, Progress)>, StoreError> {
        if ids.len() > ASKED_MAX {
            return Err(StoreError::misuse("at most 10000 purchases in one query"));
        }
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let rows = self.rows(sqlx::query(include_str!("progress.sql")).bind(ids)).await?;
        rows.iter()
            .map(|row| Ok((PurchaseId(get(row, "purchase")?), read_progress(row, None)?)))
            .collect()
    }

    /// A client's purchase of the last 30 days; of several with one reservation the newest.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away or when the row cannot be read.
    pub async fn find_purchase(
        &self,
        client: ClientId,
        reference: &Reference,
    ) -> Result<Option<Purchase>, StoreError> {
        let query = match reference {
            Reference::Ours(id) => sqlx::query(include_str!("find_ours.sql")).bind(id.0),
            Reference::Client(text) => sqlx::query(include_str!("find_client.sql")).bind(text),
            Reference::Reservation(text) => {
                sqlx::query(include_str!("find_reservation.sql")).bind(text)
            }
        };
        let row = self.row(query.bind(client.0)).await?;
        row.map(|row| read_purchase(self.keyring(), &row)).transpose()
    }

    /// What is done next, or by a person, before a purchase is decided.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away or when the row cannot be read.
    pub async fn open_step(&self, id: PurchaseId) -> Result<Option<OpenStep>, StoreError> {
        let row = self.row(sqlx::query(include_str!("open_step.sql")).bind(id.0)).await?;
        let Some(row) = row else { return Ok(None) };
        let unreadable = |column: &str| StoreError::Unreadable(format!("task.{column}"));
        Ok(Some(OpenStep {
            kind: TaskKind::from_code(get(&row, "kind")?).ok_or_else(|| unreadable("kind"))?,
            state: TaskState::from_code(get(&row, "state")?).ok_or_else(|| unreadable("state"))?,
            due_at: get(&row, "due_at")?,
        }))
    }
}
