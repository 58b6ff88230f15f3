//! What operators decide about dead letters: batches of letters that are taken in again, and letters
//! that are discarded. Who decides first is decided by the letters' rows.

use chrono::{DateTime, Utc};
use fleet_contracts::USER_HEADER;
use fleet_domain::PurchaseId;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::dead_letters::BODY;
use crate::pool::{get, no_row};
use crate::{Store, StoreError};

/// Letters of one replay at most.
pub const REPLAY_LETTERS_MAX: usize = 10_000;

/// Letters that could be replayed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replayable {
    /// Letter and cause, oldest first.
    pub letters: Vec<(Uuid, String)>,
    /// How many there are, whatever the limit.
    pub matching: i64,
}

/// A replay to begin.
#[derive(Debug, Clone, Copy)]
pub struct NewReplay<'a> {
    /// Its number.
    pub id: Uuid,
    /// Its letters, at most 10,000.
    pub letters: &'a [Uuid],
    /// Which letters were asked for.
    pub criteria: &'a serde_json::Value,
    /// Letters a second at most.
    pub rate: u32,
    /// Percent of letters that may come back.
    pub stop_at: u32,
    /// Why, for other operators.
    pub reason: &'a str,
    /// Who decides it.
    pub actor: &'a str,
}

/// Why nothing can be decided about a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// There is none.
    NoLetter,
    /// Somebody has decided.
    Decided,
    /// It is of another queue than `fleet.requested`.
    OtherQueue,
    /// It is in the hands of this replay.
    InReplay(Uuid),
}

/// A letter of an open replay that has no outcome yet.
#[derive(Clone)]
pub struct ReplayLetter {
    /// Its number.
    pub letter: Uuid,
    /// False when somebody has decided about it while the replay was stopped: nothing follows.
    pub is_new: bool,
    /// Why it was dead.
    pub cause: String,
    /// The publisher's id of the message.
    pub message_id: Option<String>,
    /// The broker user who published it.
    pub user_id: Option<String>,
    /// How long the body is.
    pub body_bytes: usize,
    /// The body; `None` when it cannot be unsealed or is longer than a purchase may be.
    pub body: Option<Vec<u8>>,
}

impl std::fmt::Debug for ReplayLetter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReplayLetter").field("letter", &self.letter).finish_non_exhaustive()
    }
}

/// What became of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LetterOutcome {
    /// It is this purchase; stored now or before.
    Stored(PurchaseId, bool),
    /// It came back.
    Refused {
        /// Why, as it is now.
        cause: String,
        /// The field and what is wrong with it, never a value.
        detail: String,
    },
    /// Somebody else had decided; it was not taken in.
    DecidedBefore,
}

/// How a replay ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayEnd {
    /// Every letter has an outcome.
    Done,
    /// Too many came back, or somebody stopped it.
    Stopped,
}

impl ReplayEnd {
    /// The word in the table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Stopped => "stopped",
        }
    }

    fn read(row: &PgRow) -> Result<Option<Self>, StoreError> {
        let word: Option<String> = get(row, "ended")?;
        Ok(match word.as_deref() {
            None => None,
            Some("done") => Some(Self::Done),
            Some("stopped") => Some(Self::Stopped),
            Some(_) => return Err(StoreError::Unreadable("replay.ended".to_owned())),
        })
    }
}

/// A replay and how far it is.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the columns of the replay table, and counts of outcomes")]
pub struct ReplayView {
    pub id: Uuid,
    pub actor: String,
    pub reason: String,
    pub criteria: serde_json::Value,
    pub letters: i64,
    pub rate: u32,
    pub stop_at: u32,
    pub created_at: DateTime<Utc>,
    pub ended: Option<ReplayEnd>,
    pub ended_at: Option<DateTime<Utc>>,
    pub stored: i64,
    pub already_stored: i64,
    pub refused: i64,
    pub decided_before: i64,
    pub left: i64,
}

/// What was decided about a letter, once a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns of the dead_letter_decision table, named there")]
pub struct LetterDecision {
    pub replay: Option<Uuid>,
    pub outcome: String,
    pub cause: Option<String>,
    pub detail: Option<String>,
    pub purchase: Option<PurchaseId>,
    pub actor: String,
    pub reason: String,
    pub decided_at: DateTime<Utc>,
}

impl Store {
    /// New letters of `fleet.requested` that no replay has, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn replayable(
        &self,
        cause: Option<&str>,
        limit: u32,
    ) -> Result<Replayable, StoreError> {
        let sql = "select letter, cause, matching from fleet_replayable_v1($1, $2)";
        let query = sqlx::query(sql).bind(cause).bind(i32::try_from(limit).unwrap_or(i32::MAX));
        let mut found = Replayable::default();
        for row in self.rows(query).await? {
            found.matching = get(&row, "matching")?;
            found.letters.push((get(&row, "letter")?, get(&row, "cause")?));
        }
        Ok(found)
    }

    /// Of these letters, those that cannot be replayed.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn unfit_letters(&self, letters: &[Uuid]) -> Result<Vec<(Uuid, Unfit)>, StoreError> {
        let sql = "select letter, verdict, replay from fleet_unfit_letters($1, true)";
        unfit(&self.rows(sqlx::query(sql).bind(letters)).await?)
    }

    /// Begins a replay; or changes nothing and names the letters that keep it from beginning.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away; whether it began, [`Store::replay`] tells.
    pub async fn begin_replay(
        &self,
        new: &NewReplay<'_>,
    ) -> Result<Vec<(Uuid, Unfit)>, StoreError> {
        if new.letters.is_empty() || new.letters.len() > REPLAY_LETTERS_MAX {
            return Err(StoreError::misuse("a replay has 1 to 10,000 letters"));
        }
        let sql = "select letter, verdict, replay
                   from fleet_begin_replay_v1($1, $2, $3, $4, $5, $6, $7)";
        let query = sqlx::query(sql)
            .bind(new.id)
            .bind(new.letters)
            .bind(new.criteria)
            .bind(i32::try_from(new.rate).unwrap_or(i32::MAX))
            .bind(i32::try_from(new.stop_at).unwrap_or(i32::MAX))
            .bind(new.reason)
            .bind(new.actor);
        unfit(&self.rows(query).await?)
    }

    /// Opens a replay that was stopped and has letters left; false when there is no such replay.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away: the same again is safe.
    pub async fn continue_replay(&self, id: Uuid) -> Result<bool, StoreError> {
        let query = sqlx::query("select fleet_continue_replay_v1($1)").bind(id);
        get(&self.row(query).await?.ok_or_else(no_row)?, 0)
    }

    /// The next letters of an open replay, oldest first; none when it has ended.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn replay_letters(
        &self,
        id: Uuid,
        max: u32,
    ) -> Result<Vec<ReplayLetter>, StoreError> {
        let sql = "select * from fleet_replay_letters_v1($1, $2)";
        let query = sqlx::query(sql).bind(id).bind(i32::try_from(max).unwrap_or(i32::MAX));
        self.rows(query).await?.iter().map(|row| self.replay_letter(row)).collect()
    }

    fn replay_letter(&self, row: &PgRow) -> Result<ReplayLetter, StoreError> {
        let letter = get(row, "letter")?;
        let headers: serde_json::Value = get(row, "headers")?;
        let bytes: i32 = get(row, "body_bytes")?;
        let sealed: Option<Vec<u8>> = get(row, "body_sealed")?;
        // One letter under a lost key may not keep the others waiting.
        let body = sealed.and_then(|body| self.keyring().unseal_bytes(BODY, letter, &body).ok());
        Ok(ReplayLetter {
            letter,
            is_new: get(row, "is_new")?,
            cause: get(row, "cause")?,
            message_id: get(row, "message_id")?,
            user_id: headers.get(USER_HEADER).and_then(|user| user.as_str()).map(str::to_owned),
            body_bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
            body,
        })
    }

    /// Writes what became of letters of a replay; returns what was written now, each letter once.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away: the same again is safe.
    pub async fn decide_letters(
        &self,
        replay: Uuid,
        outcomes: &[(Uuid, LetterOutcome)],
    ) -> Result<Vec<(Uuid, String)>, StoreError> {
        let (mut letters, mut words, mut purchases) = (Vec::new(), Vec::new(), Vec::new());
        let (mut causes, mut details) = (Vec::new(), Vec::new());
        for (letter, outcome) in outcomes {
            let (word, purchase, cause, detail) = match outcome {
                LetterOutcome::Stored(id, true) => ("stored", Some(id.0), None, None),
                LetterOutcome::Stored(id, false) => ("already_stored", Some(id.0), None, None),
                LetterOutcome::Refused { cause, detail } => {
                    ("refused", None, Some(cause.as_str()), Some(detail.as_str()))
                }
                LetterOutcome::DecidedBefore => ("decided_before", None, None, None),
            };
            letters.push(*letter);
            words.push(word);
            purchases.push(purchase);
            causes.push(cause);
            details.push(detail);
        }
        let sql = "select letter, outcome from fleet_decide_letters_v1($1, $2, $3, $4, $5, $6)";
        let query = sqlx::query(sql)
            .bind(replay)
            .bind(letters)
            .bind(words)
            .bind(causes)
            .bind(details)
            .bind(purchases);
        let written = self.rows(query).await?;
        written.iter().map(|row| Ok((get(row, "letter")?, get(row, "outcome")?))).collect()
    }

    /// Ends an open replay; false when it had ended, or is not done.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away: the same again is safe.
    pub async fn end_replay(&self, id: Uuid, end: ReplayEnd) -> Result<bool, StoreError> {
        let query = sqlx::query("select fleet_end_replay_v1($1, $2)").bind(id).bind(end.name());
        get(&self.row(query).await?.ok_or_else(no_row)?, 0)
    }

    /// Replays, newest first, one page: older than that one.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn replays(
        &self,
        limit: u32,
        before: Option<Uuid>,
    ) -> Result<Vec<ReplayView>, StoreError> {
        let query = sqlx::query(include_str!("replays.sql")).bind(None::<Uuid>).bind(before);
        self.rows(query.bind(i64::from(limit))).await?.iter().map(replay_view).collect()
    }

    /// One replay.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn replay(&self, id: Uuid) -> Result<Option<ReplayView>, StoreError> {
        let query =
            sqlx::query(include_str!("replays.sql")).bind(id).bind(None::<Uuid>).bind(1_i64);
        self.row(query).await?.as_ref().map(replay_view).transpose()
    }

    /// What was decided about a letter, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn letter_decisions(&self, letter: Uuid) -> Result<Vec<LetterDecision>, StoreError> {
        let sql = "select * from dead_letter_decision where letter = $1 order by decision";
        self.rows(sqlx::query(sql).bind(letter)).await?.iter().map(decision).collect()
    }

    /// Discards letters; or changes nothing and names those that keep it from that.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn discard_letters(
        &self,
        letters: &[Uuid],
        reason: &str,
        actor: &str,
    ) -> Result<Vec<(Uuid, Unfit)>, StoreError> {
        let sql = "select letter, verdict, replay from fleet_discard_letters_v1($1, $2, $3)";
        let query = sqlx::query(sql).bind(letters).bind(reason).bind(actor);
        unfit(&self.rows(query).await?)
    }
}

fn unfit(rows: &[PgRow]) -> Result<Vec<(Uuid, Unfit)>, StoreError> {
    let read = |row| {
        let verdict: String = get(row, "verdict")?;
        let why = match verdict.as_str() {
            "no_letter" => Unfit::NoLetter,
            "decided" => Unfit::Decided,
            "other_queue" => Unfit::OtherQueue,
            "in_replay" => Unfit::InReplay(get(row, "replay")?),
            _ => return Err(StoreError::Unreadable("an unknown verdict".to_owned())),
        };
        Ok((get(row, "letter")?, why))
    };
    rows.iter().map(read).collect()
}

fn replay_view(row: &PgRow) -> Result<ReplayView, StoreError> {
    let count = |column: &str| get::<i32, _>(row, column);
    let small = |column: &str| count(column).map(|value| u32::try_from(value).unwrap_or(0));
    Ok(ReplayView {
        id: get(row, "replay")?,
        actor: get(row, "actor")?,
        reason: get(row, "reason")?,
        criteria: get(row, "criteria")?,
        letters: count("letters")?.into(),
        rate: small("rate")?,
        stop_at: small("stop_at")?,
        created_at: get(row, "created_at")?,
        ended: ReplayEnd::read(row)?,
        ended_at: get(row, "ended_at")?,
        stored: get(row, "stored")?,
        already_stored: get(row, "already_stored")?,
        refused: get(row, "refused")?,
        decided_before: get(row, "decided_before")?,
        left: get(row, "left_over")?,
    })
}

fn decision(row: &PgRow) -> Result<LetterDecision, StoreError> {
    Ok(LetterDecision {
        replay: get(row, "replay")?,
        outcome: get(row, "outcome")?,
        cause: get(row, "cause")?,
        detail: get(row, "detail")?,
        purchase: get::<Option<Uuid>, _>(row, "purchase")?.map(PurchaseId),
        actor: get(row, "actor")?,
        reason: get(row, "reason")?,
        decided_at: get(row, "decided_at")?,
    })
}
