//! Personal data at rest: XChaCha20-Poly1305 under versioned keys, bound to table, column and row;
//! and keyed hashes for look-ups.

use std::collections::BTreeMap;
use std::sync::Arc;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use fleet_domain::Private;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

const VERSION_BYTES: usize = 2;
const NONCE_BYTES: usize = 24;
/// Bytes that are kept of a keyed hash.
const HASH_BYTES: usize = 16;

/// Why a sealed value cannot be read. It never holds any of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Too short to be one.
    #[error("{column}: not a sealed value")]
    Malformed {
        /// Table and column.
        column: String,
    },
    /// Its key is not in the settings.
    #[error("{column}: sealed with key version {version}, which is not in the settings")]
    UnknownKey {
        /// Table and column.
        column: String,
        /// The version.
        version: u16,
    },
    /// Changed, moved from another row, or sealed with another key of this version.
    #[error("{column}: cannot be unsealed")]
    Refused {
        /// Table and column.
        column: String,
    },
}

/// The keys: one current version to seal with, older ones to read with, one for look-ups.
#[derive(Clone)]
pub struct Keyring {
    current: u16,
    ciphers: Arc<BTreeMap<u16, XChaCha20Poly1305>>,
    lookup: Arc<Zeroizing<[u8; 32]>>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyring").field("current", &self.current).finish_non_exhaustive()
    }
}

impl Keyring {
    /// A keyring; `None` when the current version is not among the keys.
    #[must_use]
    pub fn new(current: u16, keys: &BTreeMap<u16, [u8; 32]>, lookup: [u8; 32]) -> Option<Self> {
        let ciphers: BTreeMap<_, _> = keys
            .iter()
            .map(|(version, key)| (*version, XChaCha20Poly1305::new(key.into())))
            .collect();
        ciphers.contains_key(&current).then(|| Self {
            current,
            ciphers: Arc::new(ciphers),
            lookup: Arc::new(Zeroizing::new(lookup)),
        })
    }

    /// Seals a text for one column of one row.
    #[must_use]
    pub fn seal(&self, column: &str, row: Uuid, text: &str) -> Vec<u8> {
        self.seal_bytes(column, row, text.as_bytes())
    }

    /// Seals any bytes for one column of one row.
    #[must_use]
    pub fn seal_bytes(&self, column: &str, row: Uuid, bytes: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let mut sealed = self.current.to_be_bytes().to_vec();
        sealed.extend_from_slice(&nonce);
        let aad = additional_data(column, row);
        let payload = Payload { msg: bytes, aad: &aad };
        let text = self
            .ciphers
            .get(&self.current)
            .and_then(|cipher| cipher.encrypt(&XNonce::from(nonce), payload).ok());
        // Encryption fails only for texts of 256 GiB; an empty tail is refused when it is read.
        sealed.extend(text.unwrap_or_default());
        sealed
    }

    /// Reads a sealed value.
    ///
    /// # Errors
    /// [`SealError`], which never holds any of the value.
    pub fn unseal(&self, column: &str, row: Uuid, sealed: &[u8]) -> Result<Private, SealError> {
        String::from_utf8(self.unseal_bytes(column, row, sealed)?)
            .map(Private::new)
            .map_err(|_invalid| SealError::Refused { column: column.to_owned() })
    }

    /// Reads sealed bytes.
    ///
    /// # Errors
    /// [`SealError`], which never holds any of the value.
    pub fn unseal_bytes(
        &self,
        column: &str,
        row: Uuid,
        sealed: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let column_name = || column.to_owned();
        let parts = sealed
            .split_first_chunk::<VERSION_BYTES>()
            .and_then(|(version, rest)| Some((version, rest.split_first_chunk::<NONCE_BYTES>()?)));
        let Some((version, (nonce, text))) = parts else {
            return Err(SealError::Malformed { column: column_name() });
        };
        let version = u16::from_be_bytes(*version);
        let Some(cipher) = self.ciphers.get(&version) else {
            return Err(SealError::UnknownKey { column: column_name(), version });
        };
        let aad = additional_data(column, row);
        let payload = Payload { msg: text, aad: &aad };
        cipher
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_opaque| SealError::Refused { column: column_name() })
    }

    /// A keyed hash of a text, for look-ups by equality. Phone numbers can be enumerated, so the
    /// key is as secret as the data's.
    #[must_use]
    pub fn lookup_hash(&self, field: &str, text: &str) -> Vec<u8> {
        let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(self.lookup.as_slice()) else {
            return Vec::new();
        };
        mac.update(field.as_bytes());
        mac.update(&[0]);
        mac.update(text.as_bytes());
        let mut hash = mac.finalize().into_bytes().to_vec();
        hash.truncate(HASH_BYTES);
        hash
    }
}

fn additional_data(column: &str, row: Uuid) -> Vec<u8> {
    let mut data = column.as_bytes().to_vec();
    data.push(0);
    data.extend_from_slice(row.as_bytes());
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyring(current: u16) -> Keyring {
        let keys = BTreeMap::from([(1, [1; 32]), (2, [2; 32])]);
        Keyring::new(current, &keys, [9; 32]).unwrap()
    }

    #[test]
    fn a_value_is_read_only_in_its_own_column_and_row() {
        let (ring, row) = (keyring(1), Uuid::now_v7());
        let sealed = ring.seal("purchase.target", row, "27821234567");
        assert_eq!(ring.unseal("purchase.target", row, &sealed).unwrap().expose(), "27821234567");
        assert!(ring.unseal("purchase.source", row, &sealed).is_err());
        assert!(ring.unseal("purchase.target", Uuid::now_v7(), &sealed).is_err());
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(ring.unseal("purchase.target", row, &changed).is_err());
        assert!(!sealed.windows(8).any(|part| part == b"27821234"));
    }

    #[test]
    fn values_of_an_older_key_stay_readable_and_unknown_ones_say_so() {
        let row = Uuid::now_v7();
        let old = keyring(1).seal("t.c", row, "x");
        assert_eq!(keyring(2).unseal("t.c", row, &old).unwrap().expose(), "x");
        let only_two = Keyring::new(2, &BTreeMap::from([(2, [2; 32])]), [9; 32]).unwrap();
        let error = only_two.unseal("t.c", row, &old).unwrap_err();
        assert_eq!(
            error.to_string(),
            "t.c: sealed with key version 1, which is not in the settings"
        );
        assert!(matches!(only_two.unseal("t.c", row, b"x"), Err(SealError::Malformed { .. })));
    }

    #[test]
    fn equal_texts_of_one_field_have_equal_hashes() {
        let ring = keyring(1);
        assert_eq!(ring.lookup_hash("source", "1"), ring.lookup_hash("source", "1"));
        assert_ne!(ring.lookup_hash("source", "1"), ring.lookup_hash("target", "1"));
        assert_eq!(ring.lookup_hash("source", "1").len(), HASH_BYTES);
    }
}
