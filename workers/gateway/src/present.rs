//! The directory as one request sees it, with what proves who its caller is.

use std::ops::Deref;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use fleet_boot::StoreDirectory;
use fleet_domain::{Client, Directory};
use fleet_store::Keyring;

use crate::tokens::Tokens;

/// The directory that renews itself, and the reader of access tokens; cheap to clone.
#[derive(Debug, Clone)]
pub struct PresentDirectory {
    directory: StoreDirectory,
    tokens: Tokens,
}

impl PresentDirectory {
    /// Of this directory, with the fleet's keys.
    #[must_use]
    pub const fn new(directory: StoreDirectory, keyring: Keyring) -> Self {
        Self { directory, tokens: Tokens::new(keyring) }
    }

    /// What a request decides with.
    #[must_use]
    pub fn current(&self) -> Present {
        let (directory, now) = (self.directory.current(), self.directory.now());
        Present { directory, tokens: self.tokens.clone(), now }
    }
}

/// One request's directory and time.
#[derive(Debug, Clone)]
pub struct Present {
    directory: Arc<Directory>,
    tokens: Tokens,
    now: DateTime<Utc>,
}

impl Present {
    /// The database's time, a moment late at most.
    #[must_use]
    pub const fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// A new access token of a client.
    pub(crate) fn new_token(&self, client: &Client) -> String {
        self.tokens.issue(client.id, self.now)
    }

    /// Whether it is a valid access token of this client.
    pub(crate) fn proves(&self, token: &[u8], client: &Client) -> bool {
        self.tokens.proves(token, client, self.now)
    }
}

impl Deref for Present {
    type Target = Directory;

    fn deref(&self) -> &Directory {
        &self.directory
    }
}
