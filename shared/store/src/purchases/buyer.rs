//! One buyer's purchases at one client, found by the keyed hash of the buyer.

use chrono::{DateTime, Utc};
use fleet_domain::{ClientId, ProductId, Purchase, PurchaseId};

use super::row::read_purchase;
use crate::pool::get;
use crate::{Store, StoreError};

/// Purchases in one answer at most.
const FOUND_MAX: u32 = 100;

/// The five fields that make two purchases of a client similar.
#[derive(Debug, Clone, Copy)]
pub struct Similar<'a> {
    /// Whose.
    pub client: ClientId,
    /// The buyer.
    pub source: &'a str,
    /// The recipient.
    pub target: &'a str,
    /// What is bought.
    pub product: ProductId,
    /// Minor units.
    pub purchase_amount: i64,
}

/// Which of a buyer's purchases.
#[derive(Debug, Clone, Copy)]
pub struct OfBuyer<'a> {
    /// Whose.
    pub client: ClientId,
    /// The buyer.
    pub source: &'a str,
    /// Through this channel only.
    pub channel: Option<i32>,
    /// Of these products only.
    pub products: Option<&'a [ProductId]>,
    /// At most so many, and at most 100.
    pub limit: u32,
}

impl Store {
    /// Similar purchases of the last 30 days that are in flight, the newest first, at most 100.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn in_flight(
        &self,
        similar: Similar<'_>,
    ) -> Result<Vec<(PurchaseId, DateTime<Utc>)>, StoreError> {
        let hash = |field, text| self.keyring().lookup_hash(field, text);
        let query = sqlx::query(include_str!("in_flight.sql"))
            .bind(similar.client.0)
            .bind(hash("source", similar.source))
            .bind(hash("target", similar.target))
            .bind(similar.product.0)
            .bind(similar.purchase_amount)
            .bind(i64::from(FOUND_MAX));
        let rows = self.rows(query).await?;
        rows.iter()
            .map(|row| Ok((PurchaseId(get(row, "purchase")?), get(row, "created_at")?)))
            .collect()
    }

    /// The buyer's latest purchase of each product within 30 days, failed ones left out.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away or when a row cannot be read.
    pub async fn recent_purchases(&self, of: OfBuyer<'_>) -> Result<Vec<Purchase>, StoreError> {
        self.of_buyer(include_str!("recent.sql"), of).await
    }

    /// The buyer's purchases that brought a voucher, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away or when a row cannot be read.
    pub async fn voucher_purchases(&self, of: OfBuyer<'_>) -> Result<Vec<Purchase>, StoreError> {
        self.of_buyer(include_str!("vouchers.sql"), of).await
    }

    async fn of_buyer(
        &self,
        sql: &'static str,
        of: OfBuyer<'_>,
    ) -> Result<Vec<Purchase>, StoreError> {
        let products = of.products.map(|ids| ids.iter().map(|id| id.0).collect::<Vec<_>>());
        let query = sqlx::query(sql)
            .bind(of.client.0)
            .bind(self.keyring().lookup_hash("source", of.source))
            .bind(of.channel)
            .bind(products)
            .bind(i64::from(of.limit.min(FOUND_MAX)));
        let rows = self.rows(query).await?;
        rows.iter().map(|row| read_purchase(self.keyring(), row)).collect()
    }
}
