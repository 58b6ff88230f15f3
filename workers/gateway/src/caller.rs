//! Who calls: the client of an API key, and whether the body is signed by it.

use axum::http::HeaderMap;
use fleet_domain::{Client, Directory};
use fleet_outbound::verify_signature;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::problem::Problem;

/// Longer keys are refused without a look.
const KEY_BYTES_MAX: usize = 128;

/// The active client whose `X-API-Key` this is.
///
/// Keys are 128 bits or more of chance, stored as SHA-256; every client is compared, in constant
/// time each.
pub(crate) fn caller<'d>(
    directory: &'d Directory,
    headers: &HeaderMap,
) -> Result<&'d Client, Problem> {
    let key = headers.get("x-api-key").map(axum::http::HeaderValue::as_bytes).unwrap_or_default();
    client_of(directory, key).ok_or(Problem::NotAuthorised)
}

/// The active client of an API key.
pub(crate) fn client_of<'d>(directory: &'d Directory, key: &[u8]) -> Option<&'d Client> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return None;
    }
    let hash = Sha256::digest(key);
    let has_key = |client: &&Client| {
        let same = |stored: &Vec<u8>| bool::from(stored.as_slice().ct_eq(hash.as_slice()));
        client.active && client.api_key_hashes.iter().any(same)
    };
    directory.clients.values().find(has_key)
}

/// Checks `Signature` over the raw body: required when the client says so, valid whenever sent.
pub(crate) fn check_signature(
    client: &Client,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), Problem> {
    let sent = headers.get("signature").and_then(|value| value.to_str().ok());
    match (sent, &client.signature_secret) {
        (Some(sent), Some(secret)) if verify_signature(secret.expose(), body, sent) => Ok(()),
        (None, _) if !client.signature_required => Ok(()),
        (Some(_), None) if !client.signature_required => Ok(()),
        _ => Err(Problem::NotAuthorised),
    }
}
