//! Who calls: the client of an API key, whose bearer token it is, and whether it signed the body.

use axum::http::header::AsHeaderName;
use axum::http::{HeaderMap, HeaderValue, header};
use fleet_domain::{API_KEY_BYTES_MAX, Client, ClientId, Directory};
use fleet_outbound::verify_signature;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::Present;
use crate::problem::Problem;

/// Secrets that a client has at most.
const SECRETS_MAX: usize = 4;

/// The active client whose `X-API-Key` this is. A bearer token has to be there where the client
/// says so, and has to be the same client's wherever there is one.
///
/// Keys are 128 bits or more of chance, stored as SHA-256; every client is compared, in constant
/// time each.
pub(crate) fn caller<'d>(present: &'d Present, headers: &HeaderMap) -> Result<&'d Client, Problem> {
    let key = only(headers, "x-api-key").map(HeaderValue::as_bytes).unwrap_or_default();
    let client = client_of(present, key).ok_or(Problem::NotAuthorised)?;
    match bearer(headers)? {
        Some(token) if present.proves(token, client) => Ok(client),
        None if !client.token_required => Ok(client),
        Some(_) | None => Err(Problem::NotAuthorised),
    }
}

/// A header that stands there once. Of one that stands there twice nobody says which is meant, so it
/// proves nothing.
pub(crate) fn only(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&HeaderValue> {
    let mut sent = headers.get_all(name).iter();
    sent.next().filter(|_| sent.next().is_none())
}

/// The bearer token that a request carries. Another scheme is none.
fn bearer(headers: &HeaderMap) -> Result<Option<&[u8]>, Problem> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = sent.next() else { return Ok(None) };
    if sent.next().is_some() {
        return Err(Problem::NotAuthorised);
    }
    let value = value.as_bytes().trim_ascii();
    let scheme_ends = value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len());
    let (scheme, token) = value.split_at(scheme_ends);
    Ok(scheme.eq_ignore_ascii_case(b"bearer").then(|| token.trim_ascii()))
}

/// The active client of an API key; nobody when it is more than one client's, so that no chance
/// decides whose door it opens.
pub(crate) fn client_of<'d>(directory: &'d Directory, key: &[u8]) -> Option<&'d Client> {
    if key.is_empty() || key.len() > API_KEY_BYTES_MAX {
        return None;
    }
    let hash = Sha256::digest(key);
    let client = only_holder(directory, &hash)?;
    let is_key = client.api_key_hashes.iter().any(|stored| same(stored, &hash));
    Some(client).filter(|client| client.active && is_key)
}

/// The one client that has this key or secret.
fn only_holder<'d>(directory: &'d Directory, hash: &[u8]) -> Option<&'d Client> {
    // Every client is compared, whoever has it.
    let holds = |client: &&Client| client.credentials().filter(|held| same(held, hash)).count() > 0;
    let mut holders = directory.clients.values().filter(holds);
    let (first, second) = (holders.next(), holders.next());
    if second.is_none() { first } else { None }
}

fn same(stored: &[u8], hash: &[u8]) -> bool {
    bool::from(stored.ct_eq(hash))
}

/// The active client of a number and one of its secrets. An unknown client takes the same steps as
/// a wrong secret.
pub(crate) fn client_of_secret<'d>(
    directory: &'d Directory,
    number: &str,
    secret: &str,
) -> Option<&'d Client> {
    let client = number.parse().ok().and_then(|id| directory.clients.get(&ClientId(id)));
    let client = client.filter(|client| client.active);
    let hash = Sha256::digest(secret);
    let nobody = [0_u8; 32];
    let mut matches = Choice::from(0);
    for place in 0..SECRETS_MAX {
        let stored = client.and_then(|client| client.oauth_secret_hashes.get(place));
        let is_one = Choice::from(u8::from(stored.is_some()));
        matches |= stored.map_or(nobody.as_slice(), Vec::as_slice).ct_eq(hash.as_slice()) & is_one;
    }
    // Also where two clients have it, and none may come in by it.
    let is_its_own = only_holder(directory, &hash).map(|holder| holder.id);
    client.filter(|client| bool::from(matches) && is_its_own == Some(client.id))
}

/// Checks `Signature` over the raw body: required when the client says so, valid whenever sent.
pub(crate) fn check_signature(
    client: &Client,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), Problem> {
    let is_sent = headers.contains_key("signature");
    let sent = only(headers, "signature").and_then(|value| value.to_str().ok());
    let sent = is_sent.then(|| sent.unwrap_or_default());
    match (sent, &client.signature_secret) {
        (Some(sent), Some(secret)) if verify_signature(secret.expose(), body, sent) => Ok(()),
        (None, _) if !client.signature_required => Ok(()),
        (Some(_), None) if !client.signature_required => Ok(()),
        _ => Err(Problem::NotAuthorised),
    }
}
