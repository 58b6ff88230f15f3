//! Holds that get old, and facts that speak of nobody.

use fleet_domain::PurchaseId;
use uuid::Uuid;

use super::show::{FactView, fact};
use crate::pool::{get, no_row};
use crate::{Store, StoreError};

/// What one look at the unsettled holds found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HoldWatch {
    /// False when another process was looking: nothing was opened, closed or reminded.
    pub ours: bool,
    /// Unsettled holds past half of their time, those that ran out included.
    pub past_half: i64,
    /// Unsettled holds that ran out.
    pub expired: i64,
    /// Cases that were opened now.
    pub opened: i64,
    /// Cases that a settlement closed.
    pub closed: i64,
    /// Cases whose reminder came up.
    pub reminded: i64,
    /// Cases that nobody was told of so far, whoever opened them.
    pub new_cases: Vec<NewCase>,
}

/// A case to be told of, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCase {
    /// Of which purchase.
    pub purchase: PurchaseId,
    /// Whose fault.
    pub class: String,
    /// One line for the operator.
    pub cause: String,
}

impl Store {
    /// Looks at all unsettled holds: one that ran out undecided opens a case, once.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away: the next look does it.
    pub async fn watch_holds(&self) -> Result<HoldWatch, StoreError> {
        let query = sqlx::query("select * from fleet_watch_holds_v1()");
        let row = self.row(query).await?.ok_or_else(no_row)?;
        let purchases: Option<Vec<Uuid>> = get(&row, "new_purchase")?;
        let classes: Option<Vec<String>> = get(&row, "new_class")?;
        let causes: Option<Vec<String>> = get(&row, "new_cause")?;
        let words = classes.unwrap_or_default().into_iter().zip(causes.unwrap_or_default());
        let cases = purchases.unwrap_or_default().into_iter().zip(words);
        Ok(HoldWatch {
            new_cases: cases
                .map(|(id, (class, cause))| NewCase { purchase: PurchaseId(id), class, cause })
                .collect(),
            ours: get(&row, "ours")?,
            past_half: get(&row, "past_half")?,
            expired: get(&row, "expired")?,
            opened: get(&row, "opened")?,
            closed: get(&row, "closed")?,
            reminded: get(&row, "reminded")?,
        })
    }

    /// Undecided facts that speak of no purchase of ours, the newest first, at most 1000.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn unmatched_facts(&self) -> Result<Vec<FactView>, StoreError> {
        let sql = "select f.* from fact f where f.purchase is null and not f.discarded \
                   order by f.fact desc limit 1000";
        self.rows(sqlx::query(sql)).await?.iter().map(fact).collect()
    }

    /// How many undecided facts speak of no purchase of ours.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn unmatched_count(&self) -> Result<i64, StoreError> {
        let sql = "select count(*) from fact f where f.purchase is null and not f.discarded";
        get(&self.row(sqlx::query(sql)).await?.ok_or_else(no_row)?, 0)
    }
}
