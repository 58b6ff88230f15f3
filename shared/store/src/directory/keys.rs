//! What opens the door to a client: API keys, made one by one and kept as hashes; access tokens, which
//! can be revoked.

use chrono::{DateTime, Utc};
use fleet_domain::{Client, ClientId, Private};
use sha2::{Digest, Sha256};

use super::across::another_owner;
use super::difference::Difference;
use super::import::{By, COMPARED_MAX, named, overtaken};
use crate::pool::{get, no_row};
use crate::{Store, StoreError};

/// Keys that a client may have at the same time.
pub(super) const KEYS_MAX: usize = 4;

/// What became of a new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOutcome {
    /// It is valid; the client has so many now.
    Added {
        /// This one included.
        keys: usize,
    },
    /// There is no such client.
    NoClient,
    /// The client has four already.
    Full,
    /// Another client has this very key: it would open both doors.
    OfAnother(ClientId),
}

impl Store {
    /// Refuses a client's access tokens made up to now, from the next look at the directory on;
    /// since when, or `None` when there is no such client.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away: the same again is safe.
    pub async fn revoke_tokens(
        &self,
        client: ClientId,
        by: By<'_>,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let query = sqlx::query("select fleet_revoke_tokens_v1($1, $2, $3)");
        let query = query.bind(client.0).bind(by.reason).bind(named(by.actor));
        get(&self.row(query).await?.ok_or_else(no_row)?, 0)
    }

    /// Adds an API key of a client, in place of all others if so wished.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn add_api_key(
        &self,
        client: ClientId,
        key: &Private,
        remove_others: bool,
        by: By<'_>,
    ) -> Result<KeyOutcome, StoreError> {
        for _ in 0..COMPARED_MAX {
            let loaded = self.load_all().await?;
            let Some(before) = loaded.directory.clients.get(&client) else {
                return Ok(KeyOutcome::NoClient);
            };
            let mut hashes = if remove_others { Vec::new() } else { before.api_key_hashes.clone() };
            let hash = Sha256::digest(key.expose()).to_vec();
            if let Some(other) = another_owner(&loaded.directory, client, &hash) {
                return Ok(KeyOutcome::OfAnother(other));
            }
            hashes.push(hash);
            let keys = hashes.len();
            if keys > KEYS_MAX {
                return Ok(KeyOutcome::Full);
            }
            let wanted = Client { api_key_hashes: hashes, ..before.clone() };
            let mut difference = Difference::default();
            difference.keys(self.keyring(), &loaded.directory, &wanted);
            let version = loaded.directory.version;
            if self.write_import(version, &difference, by).await?.is_some() {
                return Ok(KeyOutcome::Added { keys });
            }
        }
        Err(overtaken())
    }
}
