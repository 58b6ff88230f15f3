//! Intake: purchases stored with their first task, each client reference once.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use fleet_contracts::AcceptedOrder;
use fleet_domain::{ClientId, Private, Progress, PurchaseId, WayIn};
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::row::read_progress;
use crate::pool::{get, no_row};
use crate::{Keyring, Store, StoreError};

/// Purchases in one statement.
const BATCH_MAX: usize = 1_024;

/// An order to store, and how it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPurchase {
    /// The order.
    pub order: AcceptedOrder,
    /// How it came in.
    pub way_in: WayIn,
}

/// What became of one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// Stored now; its first task is queued and its hint is to be published.
    New(PurchaseId, Box<Progress>),
    /// Stored before, with the same content. Its hint was published then, or the clock sees to it.
    Same(PurchaseId, Box<Progress>),
    /// The client's reference is taken by another content; nothing was stored.
    Conflict,
    /// A similar purchase of the client, this one, is in flight; nothing was stored.
    Similar(PurchaseId),
}

/// A batch that was taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// One per order, in their order.
    pub stored: Vec<Stored>,
    /// The database's time: `published_at` of the hints that follow.
    pub now: DateTime<Utc>,
}

impl Store {
    /// Stores a batch in one round trip. The same batch again, whatever became of the first one,
    /// answers [`Stored::Same`] for what was stored.
    ///
    /// # Errors
    /// [`StoreError::Retry`] when it is unknown whether it was stored: the same again is safe.
    /// [`StoreError::Refused`] when a row cannot be stored: nothing of the batch was.
    pub async fn accept(&self, batch: &[NewPurchase]) -> Result<Accepted, StoreError> {
        if batch.is_empty() {
            return Ok(Accepted { stored: Vec::new(), now: self.now().await? });
        }
        if batch.len() > BATCH_MAX {
            return Err(StoreError::misuse("a batch has at most 1024 purchases"));
        }
        let query = bind(self.keyring(), batch)?;
        let rows = self.rows(query).await?;
        if rows.len() != batch.len() {
            return Err(StoreError::Unreadable("a purchase without an answer".to_owned()));
        }
        let now = get(rows.first().ok_or_else(no_row)?, "db_now")?;
        let mut told = HashSet::new();
        let stored = rows
            .iter()
            .zip(batch)
            .map(|(row, new)| stored(row, new.order.sent_fee, &mut told))
            .collect::<Result<_, _>>()?;
        Ok(Accepted { stored, now })
    }
}

impl Store {
    /// The purchase that a client's reference already has with this content; `None` when there is
    /// none, or another one.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn accepted_before(
        &self,
        client: ClientId,
        client_txn_ref: &str,
        content: &Private,
        sent_fee: Option<i64>,
    ) -> Result<Option<(PurchaseId, Progress)>, StoreError> {
        let query = sqlx::query(include_str!("accepted_before.sql"))
            .bind(client.0)
            .bind(client_txn_ref)
            .bind(self.keyring().lookup_hash("content", content.expose()))
            .bind(sent_fee);
        let row = self.row(query).await?;
        row.map(|row| Ok((PurchaseId(get(&row, "purchase")?), read_progress(&row, None)?)))
            .transpose()
    }
}

/// What one row of the answer says. Of equal orders in one batch only the first is new.
fn stored(
    row: &PgRow,
    sent_fee: Option<i64>,
    told: &mut HashSet<Uuid>,
) -> Result<Stored, StoreError> {
    if let Some(flying) = get(row, "similar_to")? {
        return Ok(Stored::Similar(PurchaseId(flying)));
    }
    let id: Uuid = get(row, "purchase")?;
    let fee: i64 = get(row, "fee_amount")?;
    if !get::<bool, _>(row, "is_same")? || sent_fee.is_some_and(|sent| sent != fee) {
        return Ok(Stored::Conflict);
    }
    let progress = Box::new(read_progress(row, None)?);
    let is_new = get(row, "is_new")? && told.insert(id);
    let id = PurchaseId(id);
    Ok(if is_new { Stored::New(id, progress) } else { Stored::Same(id, progress) })
}

fn bind<'q>(keyring: &Keyring, batch: &[NewPurchase]) -> Result<Query<'q>, StoreError> {
    macro_rules! column {
        ($new:ident => $value:expr) => {
            batch.iter().map(|$new| $value).collect::<Vec<_>>()
        };
    }
    let details = batch
        .iter()
        .map(|new| {
            let order = &new.order.order;
            let text = serde_json::to_string(&order.details)
                .map_err(|_error| StoreError::misuse("an order's details cannot be written"))?;
            Ok(keyring.seal("purchase.details", order.id.0, &text))
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    let seal = |new: &NewPurchase, column: &str, text: &str| {
        keyring.seal(column, new.order.order.id.0, text)
    };
    let query = sqlx::query(include_str!("accept.sql"))
        .bind(column!(new => new.order.order.id.0))
        .bind(column!(new => new.order.order.client.0))
        .bind(column!(new => new.order.order.client_txn_ref.clone()))
        .bind(column!(new => keyring.lookup_hash("content", new.order.content.expose())))
        .bind(column!(new => new.way_in.name()))
        .bind(column!(new => new.order.order.scenario.name()))
        .bind(column!(new => new.order.order.funding.name()))
        .bind(column!(new => new.order.order.funding_source.clone()))
        .bind(column!(new => new.order.order.product.0))
        .bind(column!(new => new.order.order.supplier.clone()))
        .bind(column!(new => new.order.order.currency.code()))
        .bind(column!(new => new.order.order.purchase_amount))
        .bind(column!(new => new.order.order.fee_amount))
        .bind(column!(new => new.order.order.client_reservation.clone()))
        .bind(column!(new => new.order.order.channel_id))
        .bind(column!(new => seal(new, "purchase.source", new.order.order.source.expose())))
        .bind(column!(new => keyring.lookup_hash("source", new.order.order.source.expose())))
        .bind(column!(new => seal(new, "purchase.target", new.order.order.target.expose())))
        .bind(column!(new => keyring.lookup_hash("target", new.order.order.target.expose())));
    let query = query
        .bind(column!(new => {
            let account = new.order.order.account.as_ref();
            account.map(|account| seal(new, "purchase.account", account.expose()))
        }))
        .bind(column!(new => {
            let account = new.order.order.account.as_ref();
            account.map(|account| keyring.lookup_hash("account", account.expose()))
        }))
        .bind(details)
        .bind(column!(new => new.order.order.start_by))
        .bind(column!(new => new.order.reserve.name()))
        .bind(column!(new => new.order.first_task.kind.code()))
        .bind(column!(new => new.order.first_task.slot))
        .bind(column!(new => new.order.first_task.lane.0))
        .bind(column!(new => new.order.first_task.start_by))
        .bind(column!(new => new.order.first_task.deadline_at));
    let query = bind_tokens(query, keyring, batch);
    Ok(query.bind(column!(new => new.order.refuse_similar)))
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

/// The fraud desk's tokens: one entry per purchase, empty for those that name none.
fn bind_tokens<'q>(query: Query<'q>, keyring: &Keyring, batch: &[NewPurchase]) -> Query<'q> {
    let mut hashes = Vec::new();
    let (mut desks, mut sealed) = (Vec::new(), Vec::new());
    let (mut made, mut timestamps) = (Vec::new(), Vec::new());
    for new in batch {
        let named = new.order.order.fraud_token();
        let named = named.and_then(|(fraud, token)| Some((fraud, fraud.desk.clone()?, token)));
        let hash = named.as_ref().map(|(_, desk, token)| {
            keyring.lookup_hash("fraud_token", &format!("{desk}\n{token}"))
        });
        // A hash has the length of a UUID: the sealed text is bound to it.
        let row = hash.as_ref().and_then(|hash| Uuid::from_slice(hash).ok()).unwrap_or_default();
        let seal = |token: &str| keyring.seal("fraud_token.token", row, token);
        sealed.push(named.as_ref().map(|(_, _, token)| seal(token)));
        made.push(named.as_ref().and_then(|(fraud, ..)| fraud.token_created_at));
        timestamps.push(named.as_ref().and_then(|(fraud, ..)| fraud.validate_timestamp.clone()));
        desks.push(named.map(|(_, desk, _)| desk));
        hashes.push(hash);
    }
    query.bind(hashes).bind(desks).bind(sealed).bind(made).bind(timestamps)
}
