//! What is asked about purchases whose buyer pays at the funding source.

use fleet_domain::{Private, Progress, Purchase, PurchaseId, TaskKey};

use super::row::{read_progress, read_purchase};
use crate::pool::get;
use crate::tasks::PAYMENT_PAGE;
use crate::{Store, StoreError};

/// The page of a card payment, and how the payment stands.
#[derive(Debug)]
pub struct PaymentPage {
    /// How far it is.
    pub progress: Progress,
    /// Where the buyer pays, once the source has told it.
    pub url: Option<Private>,
}

impl Store {
    /// The purchase of this reference, whoever's, if this source funds it.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away or when the row cannot be read.
    pub async fn find_funded_by(
        &self,
        id: PurchaseId,
        source: &str,
    ) -> Result<Option<Purchase>, StoreError> {
        let sql = "select p.* from purchase p where p.purchase = $1 and p.funding_source = $2";
        let row = self.row(sqlx::query(sql).bind(id.0).bind(source)).await?;
        row.map(|row| read_purchase(self.keyring(), &row)).transpose()
    }

    /// The purchase whose part this source speaks of, if it may
    /// ([`fleet_domain::Order::is_told_by`]).
    ///
    /// # Errors
    /// As [`Self::find_funded_by`].
    pub async fn find_told_by(
        &self,
        part: TaskKey,
        source: &str,
    ) -> Result<Option<Purchase>, StoreError> {
        let sql = "select p.* from purchase p where p.purchase = $1";
        let row = self.row(sqlx::query(sql).bind(part.purchase.0)).await?;
        let found = row.map(|row| read_purchase(self.keyring(), &row)).transpose()?;
        Ok(found.filter(|purchase| purchase.order.is_told_by(part.kind, source)))
    }

    /// The page of a card payment; `None` for anything else.
    ///
    /// # Errors
    /// As [`Self::find_funded_by`].
    pub async fn payment_page(&self, id: PurchaseId) -> Result<Option<PaymentPage>, StoreError> {
        let query = sqlx::query(include_str!("payment_page.sql")).bind(id.0);
        let Some(row) = self.row(query).await? else { return Ok(None) };
        let sealed: Option<Vec<u8>> = get(&row, "url_sealed")?;
        let url = sealed.map(|sealed| self.keyring().unseal(PAYMENT_PAGE, id.0, &sealed));
        Ok(Some(PaymentPage { progress: read_progress(&row, None)?, url: url.transpose()? }))
    }
}
