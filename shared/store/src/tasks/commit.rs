//! Commits: a group of decisions, each under its fence, in one round trip.

use chrono::{DateTime, Utc};
use fleet_domain::{Commit, CommitVerdict, TaskKind};

use super::check_keys;
use super::columns::CommitColumns;
use crate::pool::{get, no_row};
use crate::{Store, StoreError};

/// A group that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitOutcome {
    /// One verdict per commit, in their order.
    pub verdicts: Vec<CommitVerdict>,
    /// The database's time of the commit.
    pub now: DateTime<Utc>,
}

impl Store {
    /// Commits a group of one kind. The same group again answers `Already` for what was written.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when a row of the group cannot be written: nothing of it was.
    /// [`StoreError::Retry`] when it is unknown whether it was written: the same again is safe.
    pub async fn commit(
        &self,
        kind: TaskKind,
        group: &[Commit],
    ) -> Result<CommitOutcome, StoreError> {
        if group.is_empty() {
            return Ok(CommitOutcome { verdicts: Vec::new(), now: self.now().await? });
        }
        check_keys(kind, group.iter().map(|commit| commit.key))?;
        let c = CommitColumns::of(self.keyring(), group);
        let query = sqlx::query(include_str!("commit.sql"))
            .bind(kind.code())
            .bind(c.purchase)
            .bind(c.slot)
            .bind(c.token)
            .bind(c.signals)
            .bind(c.definite)
            .bind(c.sent)
            .bind(c.sent_value)
            .bind(c.next)
            .bind(c.wait_ms)
            .bind(c.tries)
            .bind(c.new_reference)
            .bind(c.outcome)
            .bind(c.detail)
            .bind(c.park_class)
            .bind(c.park_cause)
            .bind(c.risk_minor)
            .bind(c.risk_currency);
        let (track, answer, made) = (c.track, c.answer, c.made);
        let own_code = track.own_code;
        let query = query
            .bind(track.state)
            .bind(track.code)
            .bind(track.reference)
            .bind(track.hold_ms)
            .bind(track.vend_amount)
            .bind(track.voucher)
            .bind(track.settle_as)
            .bind(track.flag)
            .bind(track.http_status)
            .bind(answer.kind)
            .bind(answer.reference)
            .bind(answer.status)
            .bind(answer.body);
        let query = query
            .bind(made.task_of)
            .bind(made.task_kind)
            .bind(made.task_slot)
            .bind(made.task_lane)
            .bind(made.task_start_by)
            .bind(made.task_deadline)
            .bind(made.delivery_of)
            .bind(made.delivery_slot)
            .bind(made.delivery_channel)
            .bind(made.delivery_body)
            .bind(made.entry_of)
            .bind(made.entry)
            .bind(made.entry_amount)
            .bind(made.entry_currency)
            .bind(own_code)
            .bind(c.case);
        let rows = self.rows(query).await?;
        if rows.len() != group.len() {
            return Err(StoreError::Unreadable("a commit without a verdict".to_owned()));
        }
        let now = get(rows.first().ok_or_else(no_row)?, "db_now")?;
        let verdicts =
            rows.iter().map(|row| verdict(get(row, "verdict")?)).collect::<Result<_, _>>()?;
        Ok(CommitOutcome { verdicts, now })
    }
}

fn verdict(code: i16) -> Result<CommitVerdict, StoreError> {
    Ok(match code {
        1 => CommitVerdict::Done,
        2 => CommitVerdict::Already,
        3 => CommitVerdict::FactFirst,
        4 => CommitVerdict::Late,
        5 => CommitVerdict::LateGone,
        _ => return Err(StoreError::Unreadable("an unknown verdict".to_owned())),
    })
}
