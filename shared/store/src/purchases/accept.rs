//! Intake: purchases stored with their first task, each client reference once.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use fleet_contracts::{AcceptedOrder, Content, StoredContent};
use fleet_domain::{ClientId, Progress, PurchaseId, WayIn};
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
            .map(|(row, new)| stored(self.keyring(), row, &new.order.content, &mut told))
            .collect::<Result<_, _>>()?;
        Ok(Accepted { stored, now })
    }
}

/// A purchase that may have been accepted before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// Whose.
    pub client: ClientId,
    /// The client's reference.
    pub client_txn_ref: String,
    /// What it is compared by.
    pub content: Content,
}

impl Store {
    /// What became of each before, in their order: [`Stored::Same`], [`Stored::Conflict`], or `None`
    /// where the client's reference is free.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn accepted_before(
        &self,
        asked: &[&Earlier],
    ) -> Result<Vec<Option<Stored>>, StoreError> {
        let mut found = vec![None; asked.len()];
        if asked.is_empty() {
            return Ok(found);
        }
        let query = sqlx::query(include_str!("accepted_before.sql"))
            .bind(asked.iter().map(|one| one.client.0).collect::<Vec<_>>())
            .bind(asked.iter().map(|one| one.client_txn_ref.clone()).collect::<Vec<_>>());
        for row in self.rows(query).await? {
            let index: i64 = get(&row, "i")?;
            let index = usize::try_from(index).unwrap_or(0).saturating_sub(1);
            let (Some(one), Some(place)) = (asked.get(index), found.get_mut(index)) else {
                return Err(StoreError::Unreadable("a purchase nobody asked for".to_owned()));
            };
            *place = Some(known(self.keyring(), &row, &one.content)?);
        }
        Ok(found)
    }
}

/// What one row of the answer says. Of equal orders in one batch only the first is new.
fn stored(
    keyring: &Keyring,
    row: &PgRow,
    content: &Content,
    told: &mut HashSet<Uuid>,
) -> Result<Stored, StoreError> {
    if let Some(flying) = get(row, "similar_to")? {
        return Ok(Stored::Similar(PurchaseId(flying)));
    }
    let is_new: bool = get(row, "is_new")?;
    Ok(match known(keyring, row, content)? {
        Stored::Same(id, progress) if is_new && told.insert(id.0) => Stored::New(id, progress),
        known @ (Stored::New(..) | Stored::Same(..) | Stored::Conflict | Stored::Similar(_)) => {
            known
        }
    })
}

/// The purchase of a row, to whoever sends this content.
fn known(keyring: &Keyring, row: &PgRow, content: &Content) -> Result<Stored, StoreError> {
    let fingerprint: Vec<u8> = get(row, "fingerprint")?;
    let funding_source: String = get(row, "funding_source")?;
    let stored = StoredContent {
        fingerprint: &fingerprint,
        funding_source: &funding_source,
        fee_amount: get(row, "fee_amount")?,
    };
    if !content.is_of(stored, |text| keyring.lookup_hash("content", text.expose())) {
        return Ok(Stored::Conflict);
    }
    let id = PurchaseId(get(row, "purchase")?);
    Ok(Stored::Same(id, Box::new(read_progress(row, None)?)))
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
        .bind(column!(new => keyring.lookup_hash("content", new.order.content.text().expose())))
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
