//! Access tokens: sealed with the fleet's own keys, so that every gateway reads those of all others
//! and none of them is stored.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use fleet_domain::{Client, ClientId, later};
use fleet_store::Keyring;
use uuid::Uuid;

/// How long a token is valid.
pub(crate) const VALID_FOR: Duration = Duration::from_secs(300);
/// What a token is sealed as: no sealed column's text is ever taken for one.
const COLUMN: &str = "oauth.access_token";
/// Longer ones are refused without a look.
const TOKEN_BYTES_MAX: usize = 256;

/// Makes and reads access tokens.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    keyring: Keyring,
}

impl Tokens {
    /// With the fleet's keys.
    pub(crate) const fn new(keyring: Keyring) -> Self {
        Self { keyring }
    }

    /// A token of a client, made now.
    pub(crate) fn issue(&self, client: ClientId, now: DateTime<Utc>) -> String {
        let mut content = client.0.to_be_bytes().to_vec();
        content.extend(now.timestamp_micros().to_be_bytes());
        URL_SAFE_NO_PAD.encode(self.keyring.seal_bytes(COLUMN, Uuid::nil(), &content))
    }

    /// Whether it is a valid token of this client.
    pub(crate) fn proves(&self, token: &[u8], client: &Client, now: DateTime<Utc>) -> bool {
        let Some((owner, made_at)) = self.read(token) else { return false };
        let revoked = client.tokens_valid_from.is_some_and(|from| made_at <= from);
        owner == client.id && now < later(made_at, VALID_FOR) && !revoked
    }

    fn read(&self, token: &[u8]) -> Option<(ClientId, DateTime<Utc>)> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(token).ok()?;
        let content = self.keyring.unseal_bytes(COLUMN, Uuid::nil(), &sealed).ok()?;
        let (client, made_at) = content.split_first_chunk()?;
        let made_at = i64::from_be_bytes(made_at.try_into().ok()?);
        let client = ClientId(i64::from_be_bytes(*client));
        Some((client, DateTime::from_timestamp_micros(made_at)?))
    }
}
