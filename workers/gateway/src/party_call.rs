//! Whether a call is the card gateway's own. All else that a check, a card's mapping or a callback
//! proves was handed to the buyer's app, or may have been seen by others.

use std::net::IpAddr;

use axum::http::HeaderMap;
use fleet_domain::{CallerRules, Callers, Connector};
use fleet_outbound::verify_signature;

use crate::caller::only;

/// The header in which proxies say whom they were called by.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// What shows who makes a call.
pub(crate) struct PartyCall<'r> {
    /// The other end of its connection.
    pub(crate) peer: IpAddr,
    /// Its headers.
    pub(crate) headers: &'r HeaderMap,
    /// Its raw body; of a GET its raw query.
    pub(crate) signed: &'r [u8],
}

impl PartyCall<'_> {
    /// Whether the connector's row lets it speak for its party.
    pub(crate) fn is_from(&self, connector: &Connector) -> bool {
        let is_it = match &connector.callers {
            Some(Callers::Anybody) => true,
            Some(Callers::Only(rules)) => self.is_near(rules) && self.is_signed(rules),
            // Nobody has said who may.
            None => false,
        };
        if !is_it {
            tracing::warn!(connector = connector.name, "a call is not the card gateway's");
        }
        is_it
    }

    fn is_near(&self, rules: &CallerRules) -> bool {
        let lines = self.headers.get_all(FORWARDED_FOR).iter();
        // What is no text is no address.
        let lines: Vec<&str> = lines.map(|line| line.to_str().unwrap_or("?")).collect();
        rules.is_near(self.peer, &lines)
    }

    fn is_signed(&self, rules: &CallerRules) -> bool {
        rules.signature.as_ref().is_none_or(|signature| {
            let sent = only(self.headers, &*signature.header).and_then(|value| value.to_str().ok());
            let secret = signature.secret.expose();
            sent.is_some_and(|sent| verify_signature(secret, self.signed, sent))
        })
    }
}
