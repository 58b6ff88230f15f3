//! One HTTP client for each address rule and way of using connections, and one for each certificate
//! of ours.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fleet_domain::Rule;
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use reqwest::{Client, redirect, retry};

use crate::handover::GateLayer;
use crate::resolver::Resolver;
use crate::{Identity, Reuse, SetupError};

/// Rules come from settings and certificates from connectors, so there are few; should there be more,
/// clients are built anew.
const CLIENTS_MAX: usize = 64;
/// Open connections kept for each host.
const IDLE_MAX: usize = 32;
/// An open connection that was not used for so long is closed: before common servers close theirs
/// (5 s), because a request that meets a closing connection has an unknown outcome.
const IDLE_SECONDS_MAX: u64 = 4;

/// Header lines of a reply at most. The transport makes room for all of them with each reply.
const HEADERS_MAX: usize = 1_024;

/// What clients differ in. A certificate counts by its owner: a new one takes the place of the old.
type Key = (Rule, Reuse, Option<String>);

/// A client, and of which certificate.
#[derive(Debug)]
struct Built {
    print: Option<[u8; 32]>,
    client: Client,
}

/// The clients built so far.
#[derive(Debug, Default)]
pub(crate) struct Clients(Mutex<HashMap<Key, Built>>);

impl Clients {
    /// The client for a rule and a certificate.
    pub(crate) fn get(
        &self,
        rule: Rule,
        reuse: Reuse,
        identity: Option<&Identity>,
    ) -> Result<Client, SetupError> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let print = identity.map(|identity| *identity.print());
        let key = (rule, reuse, identity.map(|identity| identity.owner().to_owned()));
        if let Some(built) = clients.get(&key).filter(|built| built.print == print) {
            return Ok(built.client.clone());
        }
        let client = build(&key.0, reuse, identity)?;
        if clients.len() >= CLIENTS_MAX && !clients.contains_key(&key) {
            clients.clear();
        }
        clients.insert(key, Built { print, client: client.clone() });
        Ok(client)
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Builds what a request with this certificate would be sent with.
pub(crate) fn check(identity: &Identity) -> Result<(), SetupError> {
    build(&Rule::Any, Reuse::Fresh, Some(identity)).map(drop)
}

fn build(rule: &Rule, reuse: Reuse, identity: Option<&Identity>) -> Result<Client, SetupError> {
    // Without one the builder panics.
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        return Err(SetupError::NoTlsProvider);
    }
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let idle_max = match reuse {
        Reuse::Fresh => 0,
        Reuse::Pooled => IDLE_MAX,
    };
    let mut builder = Client::builder()
        .user_agent("purchase-fleet")
        .default_headers(headers)
        .http1_only()
        // Money or goods may be out: a reply counts by its status and its body, whatever else stands
        // among its headers.
        .http1_ignore_invalid_headers_in_responses(true)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_max_headers(HEADERS_MAX)
        .pool_max_idle_per_host(idle_max)
        .pool_idle_timeout(Duration::from_secs(IDLE_SECONDS_MAX))
        .redirect(redirect::Policy::none())
        .referer(false)
        // Our own schedule is the only one that repeats anything.
        .retry(retry::never())
        // A proxy would connect to addresses that nobody checked.
        .no_proxy()
        .dns_resolver(Resolver::new(rule.clone()))
        .connector_layer(GateLayer);
    if let Some(identity) = identity {
        builder = builder.identity(identity.load()?);
    }
    Ok(builder.build()?)
}
