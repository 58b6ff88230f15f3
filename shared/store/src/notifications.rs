//! Messages that clients ask for about their purchases.

use chrono::{DateTime, Utc};
use fleet_contracts::{NOTIFICATIONS_MAX, NewNotification};

use crate::pool::{get, no_row};
use crate::{Store, StoreError};

/// What became of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notified {
    /// Stored now; its task is queued and its hint is to be published.
    New {
        /// Its number within the purchase.
        slot: i32,
        /// The database's time: `published_at` of the hint.
        now: DateTime<Utc>,
    },
    /// Stored before, with the same content.
    Same {
        /// Its number within the purchase.
        slot: i32,
    },
    /// The client's reference is taken by another content.
    Conflict,
    /// The client has no such purchase.
    NotFound,
    /// Its channel is not offered (any more).
    NoChannel,
    /// The purchase has as many as it may have.
    TooMany,
}

impl Store {
    /// Stores a notification with its task, in one round trip. The same again answers
    /// [`Notified::Same`], whatever became of the first one.
    ///
    /// # Errors
    /// [`StoreError::Retry`] when it is unknown whether it was stored: the same again is safe.
    pub async fn notify(&self, new: &NewNotification) -> Result<Notified, StoreError> {
        let (keyring, row) = (self.keyring(), new.purchase.0);
        let query =
            sqlx::query("select * from fleet_notify_v1($1, $2, $3, $4, $5, $6, $7, $8, $9)")
                .bind(new.client.0)
                .bind(&new.reference)
                .bind(keyring.lookup_hash("notification", new.content.expose()))
                .bind(row)
                .bind(new.channel.name())
                .bind(keyring.seal("delivery.body", row, new.body.expose()))
                .bind(new.task.as_ref().map(|task| task.lane.0))
                .bind(new.task.as_ref().and_then(|task| task.start_by))
                .bind(NOTIFICATIONS_MAX);
        let row = self.row(query).await?.ok_or_else(no_row)?;
        let verdict: String = get(&row, "verdict")?;
        Ok(match verdict.as_str() {
            "new" => Notified::New { slot: get(&row, "slot")?, now: get(&row, "db_now")? },
            "same" => Notified::Same { slot: get(&row, "slot")? },
            "conflict" => Notified::Conflict,
            "not_found" => Notified::NotFound,
            "no_channel" => Notified::NoChannel,
            "too_many" => Notified::TooMany,
            _ => return Err(StoreError::Unreadable("an unknown verdict".to_owned())),
        })
    }
}
