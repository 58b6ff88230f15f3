//! Results on their way to clients, for operators; and which transactions are not shown.

use chrono::{DateTime, Utc};
use fleet_domain::{ClientId, DeliveryState, Private, Purchase, PurchaseId};
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::show::{self, DeliveryView};
use crate::pool::{get, no_row};
use crate::purchases::read_purchase;
use crate::{Store, StoreError};

/// Deliveries on one page at most: 1000, and the one that says that there are more.
const PAGE_MAX: u32 = 1_001;

/// Which deliveries.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// Of this client.
    pub client: Option<ClientId>,
    /// By this channel.
    pub channel: Option<String>,
    /// In this state.
    pub state: Option<DeliveryState>,
    /// At most so many, 1 to 1001; 0 means 100.
    pub limit: u32,
    /// Before this purchase and slot: the last of the page before.
    pub before: Option<(PurchaseId, i32)>,
}

/// A delivery in a list; its body stays sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Whose result it is.
    pub purchase: PurchaseId,
    /// Who gets it.
    pub client: ClientId,
    /// The delivery.
    pub view: DeliveryView,
    /// When the result was made.
    pub created_at: DateTime<Utc>,
    /// When it is tried next, while it is tried.
    pub due_at: Option<DateTime<Utc>>,
}

/// An endpoint that does not acknowledge all it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailingEndpoint {
    /// Whose.
    pub client: ClientId,
    /// Which of its channels.
    pub channel: String,
    /// Results that are tried again.
    pub retrying: i64,
    /// Results whose four days are used up.
    pub failed: i64,
    /// Results that it answered with 410.
    pub disabled: i64,
    /// When the oldest of them was made.
    pub oldest: DateTime<Utc>,
    /// The newest HTTP status, if it ever answered.
    pub last_status: Option<i32>,
}

/// What became of a resend by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resend {
    /// It is due now.
    Due,
    /// It is being sent at this moment.
    UnderWay,
    /// There is no such delivery, or no lane for it.
    NotFound,
}

/// A transaction as Transaction Query sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// The purchase.
    pub purchase: Purchase,
    /// What was frozen of its IPN.
    pub ipn: Option<Private>,
    /// What an operator decided about showing it.
    pub hold: Option<TransactionHold>,
}

/// Why a transaction is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionHold {
    /// Held back for now.
    Held,
    /// For good.
    Removed,
}

impl Store {
    /// Deliveries, those of the newest purchases first, one page. Where neither a client nor a state of
    /// results that are not acknowledged is asked for, it looks at 50,000 of them.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn deliveries(
        &self,
        filter: &DeliveryFilter,
    ) -> Result<Vec<DeliveryRow>, StoreError> {
        let limit = if filter.limit == 0 { 100 } else { filter.limit.min(PAGE_MAX) };
        let sql = match filter.state {
            Some(DeliveryState::Queued | DeliveryState::Retrying) => {
                include_str!("deliveries_open.sql")
            }
            Some(DeliveryState::Failed | DeliveryState::Disabled) => {
                include_str!("deliveries_ended.sql")
            }
            Some(DeliveryState::Sent) | None => include_str!("deliveries.sql"),
        };
        let (purchase, slot) = filter.before.map_or((Uuid::max(), i32::MAX), |(id, s)| (id.0, s));
        let query = sqlx::query(sql)
            .bind(filter.client.map(|client| client.0))
            .bind(&filter.channel)
            .bind(filter.state.map(DeliveryState::name))
            .bind(purchase)
            .bind(slot)
            .bind(i64::from(limit));
        self.rows(query).await?.iter().map(delivery).collect()
    }

    /// Endpoints with results that are tried again, or that have ended in the last 30 days without an
    /// acknowledgement, the longest list first.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn failing_endpoints(&self) -> Result<Vec<FailingEndpoint>, StoreError> {
        let rows = self.rows(sqlx::query(include_str!("failing_endpoints.sql"))).await?;
        rows.iter().map(endpoint).collect()
    }

    /// Sends a result once more, now, whatever became of it; its bytes stay what they are. After its
    /// four days it is one attempt, before their end the plan goes on.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away: the same again is safe.
    pub async fn resend_delivery(
        &self,
        purchase: PurchaseId,
        slot: i32,
        reason: &str,
        actor: &str,
    ) -> Result<Resend, StoreError> {
        let query = sqlx::query("select fleet_resend_v1($1, $2, $3, $4)");
        let query = query.bind(purchase.0).bind(slot).bind(reason).bind(actor);
        let word: String = get(&self.row(query).await?.ok_or_else(no_row)?, 0)?;
        Ok(match word.as_str() {
            "due" => Resend::Due,
            "under_way" => Resend::UnderWay,
            _ => Resend::NotFound,
        })
    }

    /// A client's transaction, of any age: how long it is shown is the gateway's setting.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away or when the rows cannot be read.
    pub async fn find_transaction(
        &self,
        client: ClientId,
        id: PurchaseId,
    ) -> Result<Option<Transaction>, StoreError> {
        let query = sqlx::query(include_str!("find_transaction.sql")).bind(id.0).bind(client.0);
        let Some(row) = self.row(query).await? else { return Ok(None) };
        let removed: Option<bool> = get(&row, "removed")?;
        let sealed: Option<Vec<u8>> = get(&row, "ipn_sealed")?;
        let unseal = |sealed: Vec<u8>| self.keyring().unseal("delivery.body", id.0, &sealed);
        Ok(Some(Transaction {
            purchase: read_purchase(self.keyring(), &row)?,
            ipn: sealed.map(unseal).transpose()?,
            hold: removed.map(|removed| {
                if removed { TransactionHold::Removed } else { TransactionHold::Held }
            }),
        }))
    }

    /// Keeps a transaction from being shown; false when there is no such purchase.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn hold_transaction(
        &self,
        id: PurchaseId,
        hold: TransactionHold,
        reason: &str,
        actor: &str,
    ) -> Result<bool, StoreError> {
        let query = sqlx::query(include_str!("hold_transaction.sql"))
            .bind(id.0)
            .bind(hold == TransactionHold::Removed)
            .bind(reason)
            .bind(actor);
        Ok(self.row(query).await?.is_some())
    }

    /// Shows a transaction again; false when it was not held.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn release_transaction(
        &self,
        id: PurchaseId,
        reason: &str,
        actor: &str,
    ) -> Result<bool, StoreError> {
        let query = sqlx::query(include_str!("release_transaction.sql"));
        Ok(self.row(query.bind(id.0).bind(reason).bind(actor)).await?.is_some())
    }
}

fn delivery(row: &PgRow) -> Result<DeliveryRow, StoreError> {
    Ok(DeliveryRow {
        purchase: PurchaseId(get(row, "purchase")?),
        client: ClientId(get(row, "client_id")?),
        view: show::delivery(row)?,
        created_at: get(row, "created_at")?,
        due_at: get(row, "due_at")?,
    })
}

fn endpoint(row: &PgRow) -> Result<FailingEndpoint, StoreError> {
    Ok(FailingEndpoint {
        client: ClientId(get(row, "client_id")?),
        channel: get(row, "channel")?,
        retrying: get(row, "retrying")?,
        failed: get(row, "failed")?,
        disabled: get(row, "disabled")?,
        oldest: get(row, "oldest")?,
        last_status: get(row, "last_status")?,
    })
}
