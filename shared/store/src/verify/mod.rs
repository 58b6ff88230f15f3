//! What must hold of the rows whatever happens: each invariant is a query that returns no row. The
//! queries stand in the `.sql` files beside this one, each under its code, the time at which it
//! holds, what it says and what to do when it does not.
//!
//! Of the list that they come from, these have no query here. M4 and M5: a hold has one resolution of
//! its own amount by the books' primary key, see M2. M6, T2: there are no buckets, no tenants with
//! row security and no service roles. I2, I3: an answer is made of the purchase's own row. I4, I5:
//! there is no outbox; S3, S4, S8 say what its queries said. D1, D4: letters are told from a
//! purchase's messages by nobody. E1 to E4 need the other side's record.

use std::sync::LazyLock;
use std::time::Duration;

use fleet_domain::PurchaseId;
use sqlx::{AssertSqlSafe, PgConnection, Row};
use tokio::time::timeout;
use uuid::Uuid;

use crate::{Store, StoreError};

const FILES: [&str; 4] = [
    include_str!("money.sql"),
    include_str!("tracks.sql"),
    include_str!("told.sql"),
    include_str!("others.sql"),
];

/// When an invariant holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// At every instant, under load and in the middle of a fault.
    Always,
    /// Once nothing is under way any more.
    Settled,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invariant {
    /// Its code, for programs and alerts.
    pub code: &'static str,
    /// When it holds.
    pub holds: Holds,
    /// Whether it is cheap enough to be looked at all the time.
    pub live: bool,
    /// What it says.
    pub says: &'static str,
    /// What to do when it does not hold.
    pub action: &'static str,
    /// The query: `purchase` (may be null) and `detail` of each row that breaks it.
    pub sql: &'static str,
}

/// A row that breaks one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The purchase, if it is about one.
    pub purchase: Option<PurchaseId>,
    /// What is wrong; no personal data.
    pub detail: String,
}

/// All of them, in the order of the files.
#[must_use]
pub fn invariants() -> &'static [Invariant] {
    static ALL: LazyLock<Vec<Invariant>> = LazyLock::new(|| {
        FILES.into_iter().flat_map(|file| file.split("\n\n")).filter_map(read).collect()
    });
    &ALL
}

/// Reads one block: code and time, what it says, what to do, the query.
fn read(block: &'static str) -> Option<Invariant> {
    let mut lines = block.splitn(4, '\n');
    let mut comment = || lines.next()?.strip_prefix("-- ");
    let mut words = comment()?.split(' ');
    let code = words.next()?;
    let holds = match words.next()? {
        "always" => Holds::Always,
        "settled" => Holds::Settled,
        _ => return None,
    };
    let live = words.next() == Some("live");
    let says = comment()?;
    let action = comment()?.strip_prefix("Do: ")?;
    let sql = lines.next()?.trim_end().strip_suffix(';')?;
    Some(Invariant { code, holds, live, says, action, sql })
}

impl Store {
    /// The first rows that break an invariant, at most `limit` of them, on one snapshot. It only
    /// reads and locks nothing, so it may run beside the workers.
    ///
    /// # Errors
    /// [`StoreError::Retry`] while Postgres is away, or when the query takes longer than `within`.
    pub async fn violations(
        &self,
        invariant: &Invariant,
        limit: u32,
        within: Duration,
    ) -> Result<Vec<Violation>, StoreError> {
        let mut connection = self.connection().await?;
        // Postgres gives up first; a silent one is left alone. Whichever does, it is closed.
        let patience = within.saturating_add(Duration::from_secs(5));
        match timeout(patience, ask(&mut connection, invariant, limit, within)).await {
            Ok(Ok(found)) => {
                connection.keep();
                Ok(found)
            }
            Ok(Err(error)) => Err(StoreError::of(&error)),
            Err(_elapsed) => Err(StoreError::Retry { cause: "no answer in time".to_owned() }),
        }
    }
}

async fn ask(
    connection: &mut PgConnection,
    invariant: &Invariant,
    limit: u32,
    within: Duration,
) -> Result<Vec<Violation>, sqlx::Error> {
    let begin = format!(
        // What must hold of all rows reads them all.
        "begin isolation level repeatable read read only; set local enable_seqscan = on;
         set local statement_timeout = {}",
        within.as_millis()
    );
    sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut *connection).await?;
    let sql = format!("select v.purchase, v.detail from (\n{}\n) v limit {limit}", invariant.sql);
    let rows =
        sqlx::query(AssertSqlSafe(sql)).persistent(false).fetch_all(&mut *connection).await?;
    sqlx::raw_sql("commit").execute(&mut *connection).await?;
    let read = |row: &sqlx::postgres::PgRow| {
        let purchase: Option<Uuid> = row.try_get("purchase")?;
        Ok(Violation { purchase: purchase.map(PurchaseId), detail: row.try_get("detail")? })
    };
    rows.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_block_of_the_files_is_an_invariant_with_a_code_of_its_own() {
        let blocks = FILES.into_iter().flat_map(|file| file.trim().split("\n\n"));
        for block in blocks.clone() {
            assert!(read(block).is_some(), "no invariant: {block}");
        }
        let codes: BTreeSet<_> = invariants().iter().map(|one| one.code).collect();
        assert_eq!((codes.len(), invariants().len()), (blocks.clone().count(), codes.len()));
        for one in invariants() {
            assert!(!one.sql.contains(';'), "{}: more than one statement", one.code);
            assert!(one.says.ends_with('.') && one.action.ends_with('.'), "{}", one.code);
        }
    }
}
