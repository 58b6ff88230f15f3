//! Dead letters: what came out of `fleet.dead`, kept until a person decides.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::pool::{get, no_row};
use crate::{SealError, Store, StoreError};

/// Letters on one page at most: 1000, and the one that says that there are more.
const PAGE_MAX: u32 = 1_001;
/// Letters are counted so far.
const COUNTED_MAX: i64 = 10_000;
/// Table and column of a letter's body.
pub(super) const BODY: &str = "dead_letter.body";

/// What becomes of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadLetterState {
    /// Nobody has decided.
    New,
    /// Not to be done.
    Discarded,
    /// It was a valid purchase and is stored.
    Stored,
}

impl DeadLetterState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::New, Self::Discarded, Self::Stored];

    /// The word in the table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Discarded => "discarded",
            Self::Stored => "stored",
        }
    }

    /// The state of a word, if it is one.
    #[must_use]
    pub fn from_name(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == word)
    }
}

/// A letter to keep. The same id again is a no-op.
#[derive(Clone)]
pub struct NewDeadLetter {
    /// Its number, the same for the same message.
    pub id: Uuid,
    /// The queue it came from.
    pub queue: String,
    /// Why it is dead.
    pub cause: String,
    /// The field and what is wrong with it, never a value.
    pub detail: String,
    /// The publisher's id.
    pub message_id: Option<String>,
    /// The headers.
    pub headers: serde_json::Value,
    /// The bytes of the message.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for NewDeadLetter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewDeadLetter").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Which letters.
#[derive(Debug, Clone, Default)]
pub struct DeadLetterFilter {
    /// In this state.
    pub state: Option<DeadLetterState>,
    /// With this cause.
    pub cause: Option<String>,
    /// From this queue.
    pub queue: Option<String>,
    /// At most so many, 1 to 1001; 0 means 100.
    pub limit: u32,
    /// Older than this one: the last of the page before.
    pub before: Option<Uuid>,
}

/// A letter in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns of the dead_letter table, named there")]
pub struct DeadLetterRow {
    pub id: Uuid,
    pub received_at: DateTime<Utc>,
    pub queue: String,
    pub cause: String,
    pub detail: String,
    pub message_id: Option<String>,
    pub body_bytes: i32,
    pub state: DeadLetterState,
    pub actor: Option<String>,
    pub decided_at: Option<DateTime<Utc>>,
}

/// A letter with its body.
#[derive(Clone, PartialEq, Eq)]
pub struct DeadLetterView {
    /// What the list shows.
    pub row: DeadLetterRow,
    /// The headers.
    pub headers: serde_json::Value,
    /// The bytes of the message, or why they cannot be unsealed.
    pub body: Result<Vec<u8>, SealError>,
}

impl std::fmt::Debug for DeadLetterView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeadLetterView").field("row", &self.row).finish_non_exhaustive()
    }
}

impl Store {
    /// Keeps a letter; false when it was there already.
    ///
    /// # Errors
    /// [`StoreError::Retry`] while Postgres is away: the same again is safe.
    pub async fn store_dead_letter(&self, letter: &NewDeadLetter) -> Result<bool, StoreError> {
        let query = sqlx::query(include_str!("store_dead_letter.sql"))
            .bind(letter.id)
            .bind(&letter.queue)
            .bind(&letter.cause)
            .bind(&letter.detail)
            .bind(&letter.message_id)
            .bind(&letter.headers)
            .bind(self.keyring().seal_bytes(BODY, letter.id, &letter.body))
            .bind(i32::try_from(letter.body.len()).unwrap_or(i32::MAX));
        Ok(self.row(query).await?.is_some())
    }

    /// Letters, newest first, one page.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn dead_letters(
        &self,
        filter: &DeadLetterFilter,
    ) -> Result<Vec<DeadLetterRow>, StoreError> {
        let limit = if filter.limit == 0 { 100 } else { filter.limit.min(PAGE_MAX) };
        let query = sqlx::query(include_str!("dead_letters.sql"))
            .bind(filter.state.map(DeadLetterState::name))
            .bind(&filter.cause)
            .bind(&filter.queue)
            .bind(filter.before)
            .bind(i64::from(limit));
        self.rows(query).await?.iter().map(letter_row).collect()
    }

    /// How many letters a filter has, whatever its page; `None` for more than 10,000.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn dead_letter_count(
        &self,
        filter: &DeadLetterFilter,
    ) -> Result<Option<i64>, StoreError> {
        let query = sqlx::query(include_str!("dead_letter_count.sql"))
            .bind(filter.state.map(DeadLetterState::name))
            .bind(&filter.cause)
            .bind(&filter.queue)
            .bind(COUNTED_MAX);
        let count: i64 = get(&self.row(query).await?.ok_or_else(no_row)?, 0)?;
        Ok((count <= COUNTED_MAX).then_some(count))
    }

    /// One letter with its body.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn dead_letter(&self, id: Uuid) -> Result<Option<DeadLetterView>, StoreError> {
        let sql = "select * from dead_letter where letter = $1";
        let Some(row) = self.row(sqlx::query(sql).bind(id)).await? else { return Ok(None) };
        let sealed: Vec<u8> = get(&row, "body_sealed")?;
        Ok(Some(DeadLetterView {
            row: letter_row(&row)?,
            headers: get(&row, "headers")?,
            body: self.keyring().unseal_bytes(BODY, id, &sealed),
        }))
    }
}

fn letter_row(row: &PgRow) -> Result<DeadLetterRow, StoreError> {
    let state: String = get(row, "state")?;
    Ok(DeadLetterRow {
        id: get(row, "letter")?,
        received_at: get(row, "received_at")?,
        queue: get(row, "queue")?,
        cause: get(row, "cause")?,
        detail: get(row, "detail")?,
        message_id: get(row, "message_id")?,
        body_bytes: get(row, "body_bytes")?,
        state: DeadLetterState::from_name(&state)
            .ok_or_else(|| StoreError::Unreadable("dead_letter.state".to_owned()))?,
        actor: get(row, "actor")?,
        decided_at: get(row, "decided_at")?,
    })
}
