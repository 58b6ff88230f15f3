//! Callbacks that speak of no purchase of ours, and what a person decides about them.

use chrono::{DateTime, Utc};
use fleet_domain::{Private, Purchase, PurchaseId};
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::show::{FactView, fact};
use crate::pool::{get, no_row};
use crate::purchases::read_purchase_partly;
use crate::{SealError, Store, StoreError};

/// Callbacks on one page at most: 1000, and the one that says that there are more.
const PAGE_MAX: u32 = 1_001;
/// Purchases that one callback may speak of, at most.
const CANDIDATES_MAX: u32 = 20;
/// Table and column of what was told.
const BODY: &str = "fact.body";
/// The characters of a purchase's reference, which a vend's begins with.
const ID_CHARS: usize = 36;

/// Which callbacks.
#[derive(Debug, Clone, Default)]
pub struct UnmatchedFilter {
    /// Of this connector.
    pub connector: Option<String>,
    /// Older than this one: the last of the page before.
    pub before: Option<i64>,
    /// At most so many, 1 to 1001; 0 means 100.
    pub limit: u32,
    /// Also those that were decided.
    pub decided: bool,
}

/// A callback that named no purchase of ours when it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnmatchedFact {
    /// Its number.
    pub id: i64,
    /// What was told.
    pub fact: FactView,
    /// The document itself; `None` when its key is not at hand.
    pub body: Option<Private>,
    /// What was decided about it.
    pub decision: Option<FactDecision>,
    /// The database's time.
    pub now: DateTime<Utc>,
}

/// What a person decided about a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactDecision {
    /// The purchase that it was matched to; `None` when it was discarded.
    pub purchase: Option<PurchaseId>,
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: String,
    /// When.
    pub decided_at: DateTime<Utc>,
}

/// What a callback says of whom it may be about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CandidateAsk {
    /// Who told it.
    pub connector: String,
    /// The purchase that it names.
    pub named: Option<PurchaseId>,
    /// The buyer that it names.
    pub buyer: Option<Private>,
}

/// A purchase that a callback may speak of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The purchase.
    pub purchase: Purchase,
    /// True when the callback names it, false when it names its buyer.
    pub by_reference: bool,
    /// What of it cannot be unsealed; it stands there empty.
    pub unreadable: Vec<SealError>,
}

/// A callback that a person says is one of a purchase.
#[derive(Debug, Clone, Copy)]
pub struct FactMatch<'a> {
    /// The callback.
    pub id: i64,
    /// The purchase.
    pub purchase: PurchaseId,
    /// The transaction that it tells of, where it tells of one.
    pub transaction: Option<&'a str>,
    /// Why.
    pub reason: &'a str,
    /// Who says so.
    pub actor: &'a str,
}

/// What became of a match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matched {
    /// Its task waited or was parked, and is due now.
    Woken,
    /// Its task is under way and sees it.
    Told,
    /// It has no such task: the cause of the case that was opened, if the callback is contrary.
    Over(Option<String>),
    /// There is no such callback.
    NoFact,
    /// The callback has a purchase or was discarded.
    Decided,
    /// There is no such purchase.
    NoPurchase,
    /// Another connector funds, or supplies, that purchase.
    OtherConnector,
    /// Another callback of this connector tells of the same transaction.
    Copy,
}

/// What became of a discard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discarded {
    /// Nothing follows from it.
    Done,
    /// There is no such callback.
    NoFact,
    /// It has a purchase or was discarded before.
    Decided,
}

impl FactView {
    /// Whose callback it is.
    #[must_use]
    pub fn connector(&self) -> &str {
        self.source.split_once(':').map_or("", |(_, connector)| connector)
    }

    /// The purchase that its reference begins with, whether or not it exists.
    #[must_use]
    pub fn named(&self) -> Option<PurchaseId> {
        self.reference.get(..ID_CHARS)?.parse().ok()
    }
}

impl Store {
    /// Callbacks of nobody, newest first, one page.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn unmatched(
        &self,
        filter: &UnmatchedFilter,
    ) -> Result<Vec<UnmatchedFact>, StoreError> {
        let limit = if filter.limit == 0 { 100 } else { filter.limit.min(PAGE_MAX) };
        let query = sqlx::query(include_str!("unmatched.sql"))
            .bind(filter.decided)
            .bind(&filter.connector)
            .bind(filter.before)
            .bind(i64::from(limit));
        self.rows(query).await?.iter().map(|row| self.unmatched_row(row)).collect()
    }

    /// One callback of nobody, decided or not.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn unmatched_fact(&self, id: i64) -> Result<Option<UnmatchedFact>, StoreError> {
        let query = sqlx::query(include_str!("unmatched_one.sql")).bind(id);
        self.row(query).await?.map(|row| self.unmatched_row(&row)).transpose()
    }

    /// The purchases that each of these callbacks may speak of: the one that it names first, then the
    /// buyer's latest at that connector within 7 days.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn candidate_ids(
        &self,
        asks: &[CandidateAsk],
    ) -> Result<Vec<Vec<(PurchaseId, bool)>>, StoreError> {
        let hash = |buyer: &Private| self.keyring().lookup_hash("source", buyer.expose());
        let named: Vec<Option<Uuid>> = asks.iter().map(|ask| ask.named.map(|id| id.0)).collect();
        let buyers: Vec<Option<Vec<u8>>> =
            asks.iter().map(|ask| ask.buyer.as_ref().map(hash)).collect();
        let connectors: Vec<String> = asks.iter().map(|ask| ask.connector.clone()).collect();
        let query = sqlx::query(include_str!("candidates.sql"))
            .bind(named)
            .bind(buyers)
            .bind(connectors)
            .bind(i64::from(CANDIDATES_MAX));
        let mut found = vec![Vec::new(); asks.len()];
        for row in self.rows(query).await? {
            let at: i32 = get(&row, "i")?;
            let at = usize::try_from(at).ok().and_then(|at| at.checked_sub(1));
            let list: Option<&mut Vec<_>> = at.and_then(|at| found.get_mut(at));
            let one = (PurchaseId(get(&row, "purchase")?), get(&row, "by_reference")?);
            list.ok_or_else(no_row)?.push(one);
        }
        Ok(found)
    }

    /// The purchases that a callback may speak of, at most 20.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away or when a purchase's states cannot be read.
    pub async fn candidates(&self, ask: &CandidateAsk) -> Result<Vec<Candidate>, StoreError> {
        let found = self.candidate_ids(std::slice::from_ref(ask)).await?;
        let max = usize::try_from(CANDIDATES_MAX).unwrap_or(usize::MAX);
        let found: Vec<_> = found.into_iter().flatten().take(max).collect();
        let ids: Vec<Uuid> = found.iter().map(|(id, _)| id.0).collect();
        let sql = "select * from purchase where purchase = any($1)";
        let mut purchases = Vec::new();
        for row in self.rows(sqlx::query(sql).bind(ids)).await? {
            purchases.push(read_purchase_partly(self.keyring(), &row)?);
        }
        let candidate = |(id, by_reference)| {
            let found = purchases.iter().find(|(purchase, _)| purchase.order.id == id)?.clone();
            Some(Candidate { purchase: found.0, by_reference, unreadable: found.1 })
        };
        Ok(found.into_iter().filter_map(candidate).collect())
    }

    /// The purchase that a transaction of a funding source paid for.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn paid_for(
        &self,
        funding_source: &str,
        transaction: &str,
    ) -> Result<Option<PurchaseId>, StoreError> {
        let sql = "select purchase from charge where funding_source = $1 and reference = $2";
        let row = self.row(sqlx::query(sql).bind(funding_source).bind(transaction)).await?;
        row.map(|row| Ok(PurchaseId(get(&row, "purchase")?))).transpose()
    }

    /// Makes a callback of nobody one of this purchase and wakes its task.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away, when the same again is safe, or when the body cannot be
    /// unsealed.
    pub async fn match_fact(&self, wanted: FactMatch<'_>) -> Result<Matched, StoreError> {
        let id = wanted.purchase.0;
        let Some(found) = self.unmatched_fact(wanted.id).await? else {
            return Ok(Matched::NoFact);
        };
        if found.decision.is_some() {
            return Ok(Matched::Decided);
        }
        let body = found.body.ok_or_else(|| StoreError::Unreadable(BODY.to_owned()))?;
        let external_id = wanted.transaction.unwrap_or(&found.fact.external_id);
        let sql = "select verdict, contrary from fleet_match_fact_v1($1, $2, $3, $4, $5, $6)";
        let query = sqlx::query(sql)
            .bind(wanted.id)
            .bind(id)
            .bind(external_id)
            .bind(self.keyring().seal(BODY, id, body.expose()))
            .bind(wanted.reason)
            .bind(wanted.actor);
        let row = self.row(query).await?.ok_or_else(no_row)?;
        let verdict: String = get(&row, "verdict")?;
        Ok(match verdict.as_str() {
            "woken" => Matched::Woken,
            "told" => Matched::Told,
            "over" => Matched::Over(get(&row, "contrary")?),
            "no_fact" => Matched::NoFact,
            "decided" => Matched::Decided,
            "no_purchase" => Matched::NoPurchase,
            "other_connector" => Matched::OtherConnector,
            "copy" => Matched::Copy,
            _ => return Err(StoreError::Unreadable("an unknown verdict".to_owned())),
        })
    }

    /// Decides that nothing follows from a callback of nobody. It is kept.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn discard_fact(
        &self,
        id: i64,
        reason: &str,
        actor: &str,
    ) -> Result<Discarded, StoreError> {
        let query = sqlx::query("select fleet_discard_fact_v1($1, $2, $3)");
        let query = query.bind(id).bind(reason).bind(actor);
        let verdict: String = get(&self.row(query).await?.ok_or_else(no_row)?, 0)?;
        Ok(match verdict.as_str() {
            "discarded" => Discarded::Done,
            "no_fact" => Discarded::NoFact,
            "decided" => Discarded::Decided,
            _ => return Err(StoreError::Unreadable("an unknown verdict".to_owned())),
        })
    }

    fn unmatched_row(&self, row: &PgRow) -> Result<UnmatchedFact, StoreError> {
        let view = fact(row)?;
        let action: Option<String> = get(row, "action")?;
        let decision = match action {
            Some(_) => Some(decision(row, "matched_with")?),
            None => None,
        };
        // Under the purchase that it has; without one under none, or under the one that it names.
        let rows = [get::<Option<Uuid>, _>(row, "purchase")?, Some(Uuid::nil())];
        let rows = rows.into_iter().flatten().chain(view.named().map(|id| id.0));
        let sealed: Option<Vec<u8>> = get(row, "body_sealed")?;
        let body = sealed.and_then(|sealed| {
            rows.into_iter().find_map(|id| self.keyring().unseal(BODY, id, &sealed).ok())
        });
        Ok(UnmatchedFact {
            id: get(row, "fact")?,
            fact: view,
            body,
            decision,
            now: get(row, "db_now")?,
        })
    }
}

pub(super) fn decision(row: &PgRow, purchase: &str) -> Result<FactDecision, StoreError> {
    Ok(FactDecision {
        purchase: get::<Option<Uuid>, _>(row, purchase)?.map(PurchaseId),
        reason: get(row, "reason")?,
        actor: get(row, "actor")?,
        decided_at: get(row, "decided_at")?,
    })
}
