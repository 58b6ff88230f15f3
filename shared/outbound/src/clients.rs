//! One HTTP client for each address rule and way of using connections.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fleet_domain::Rule;
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use reqwest::{Client, redirect, retry};

use crate::handover::GateLayer;
use crate::resolver::Resolver;
use crate::{Reuse, SetupError};

/// Rules come from settings, so there are few; should there be more, clients are built anew.
const CLIENTS_MAX: usize = 16;
/// Open connections kept for each host.
const IDLE_MAX: usize = 32;
/// An open connection that was not used for so long is closed: before common servers close theirs
/// (5 s), because a request that meets a closing connection has an unknown outcome.
const IDLE_SECONDS_MAX: u64 = 4;

/// The clients built so far.
#[derive(Debug, Default)]
pub(crate) struct Clients(Mutex<HashMap<(Rule, Reuse), Client>>);

impl Clients {
    /// The client for a rule.
    pub(crate) fn get(&self, rule: Rule, reuse: Reuse) -> Result<Client, SetupError> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (rule, reuse);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = build(&key.0, reuse)?;
        if clients.len() >= CLIENTS_MAX {
            clients.clear();
        }
        clients.insert(key, client.clone());
        Ok(client)
    }
}

fn build(rule: &Rule, reuse: Reuse) -> Result<Client, SetupError> {
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
    let client = Client::builder()
        .user_agent("purchase-fleet")
        .default_headers(headers)
        .http1_only()
        .pool_max_idle_per_host(idle_max)
        .pool_idle_timeout(Duration::from_secs(IDLE_SECONDS_MAX))
        .redirect(redirect::Policy::none())
        .referer(false)
        // Our own schedule is the only one that repeats anything.
        .retry(retry::never())
        // A proxy would connect to addresses that nobody checked.
        .no_proxy()
        .dns_resolver(Resolver::new(rule.clone()))
        .connector_layer(GateLayer)
        .build()?;
    Ok(client)
}
