//! Facts: what others told us, stored once each; they wake a task and never move a purchase.

use fleet_domain::{DueTask, FactOutcome, LaneId, NewFact};
use uuid::Uuid;

use crate::pool::{get, no_row};
use crate::{Store, StoreError};

/// What the digest of a fact's meaning is keyed for.
const MEANING: &str = "fact.meaning";

impl Store {
    /// Stores a fact; the second copy is a no-op. One whose source may not speak of the purchase
    /// ([`fleet_domain::Order::is_told_by`]) is stored as a fact of nobody.
    ///
    /// # Errors
    /// [`StoreError::Retry`] while Postgres is away: the same again is safe.
    pub async fn store_fact(&self, fact: &NewFact) -> Result<FactOutcome, StoreError> {
        let id = fact.task.map_or(Uuid::nil(), |key| key.purchase.0);
        let sql = "select verdict, woken_lane from fleet_fact_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let query = sqlx::query(sql)
            .bind(&fact.source)
            .bind(&fact.kind)
            .bind(&fact.reference)
            .bind(&fact.status)
            .bind(&fact.external_id)
            .bind(fact.task.map(|key| key.purchase.0))
            .bind(fact.task.map(|key| key.kind.code()))
            .bind(fact.task.map(|key| key.slot))
            .bind(self.keyring().lookup_hash(MEANING, fact.meaning.expose()))
            .bind(self.keyring().seal("fact.body", id, fact.body.expose()));
        let row = self.row(query).await?.ok_or_else(no_row)?;
        let lane: Option<i32> = get(&row, "woken_lane")?;
        let verdict: String = get(&row, "verdict")?;
        Ok(match verdict.as_str() {
            "stored" => {
                let woken = fact.task.zip(lane);
                let woken = woken.map(|(key, lane)| DueTask { key, lane: LaneId(lane) });
                FactOutcome::Stored { woken }
            }
            "duplicate" => FactOutcome::Duplicate,
            "unmatched" => FactOutcome::Unmatched,
            _ => return Err(StoreError::Unreadable("an unknown verdict".to_owned())),
        })
    }
}
