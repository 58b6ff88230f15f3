//! Who may speak for a party that calls us: by where it calls from, by what it signs with, or by both.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::Private;

/// Who is believed to be the party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Callers {
    /// Whoever calls: somebody said so.
    Anybody,
    /// Who fulfils all of these.
    Only(CallerRules),
}

/// What shows who calls. One of networks and signature is there at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerRules {
    /// Where it calls from; empty = from anywhere.
    pub networks: Vec<IpNet>,
    /// Proxies of ours, whose `X-Forwarded-For` is believed; nobody else's is.
    pub proxies: Vec<IpNet>,
    /// What it signs with.
    pub signature: Option<CallerSignature>,
}

/// A header with the Base64 of HMAC-SHA256 over the raw body, or a GET's raw query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerSignature {
    /// The header's name.
    pub header: String,
    /// The key, which nothing else is made with.
    pub secret: Private,
}

impl CallerRules {
    /// Whether a call of this peer comes from where the party calls from. `forwarded` is what the lines
    /// of `X-Forwarded-For` say, in their order; each proxy adds at the end whom it was called by.
    #[must_use]
    pub fn is_near(&self, peer: IpAddr, forwarded: &[&str]) -> bool {
        if self.networks.is_empty() {
            return true;
        }
        let caller = self.caller(peer.to_canonical(), forwarded);
        caller.is_some_and(|caller| is_in(&self.networks, caller))
    }

    /// Who called the outermost of our proxies; `None` when one of them says what is no address.
    fn caller(&self, peer: IpAddr, forwarded: &[&str]) -> Option<IpAddr> {
        let mut caller = peer;
        let mut hops = forwarded.iter().flat_map(|line| line.split(',')).rev();
        while is_in(&self.proxies, caller) {
            let Some(hop) = hops.next() else { return Some(caller) };
            caller = hop.trim().parse::<IpAddr>().ok()?.to_canonical();
        }
        Some(caller)
    }
}

fn is_in(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(networks: &[&str], proxies: &[&str]) -> CallerRules {
        let read = |all: &[&str]| all.iter().map(|text| text.parse().unwrap()).collect();
        CallerRules { networks: read(networks), proxies: read(proxies), signature: None }
    }

    fn is_near(rules: &CallerRules, peer: &str, forwarded: &[&str]) -> bool {
        rules.is_near(peer.parse().unwrap(), forwarded)
    }

    #[test]
    fn a_caller_is_known_by_its_address_and_nobody_is_believed_about_it() {
        let rules = rules(&["203.0.113.0/24", "2001:db8::/32"], &[]);
        for peer in ["203.0.113.9", "::ffff:203.0.113.9", "2001:db8::1"] {
            assert!(is_near(&rules, peer, &[]), "{peer}");
        }
        for peer in ["203.0.114.9", "127.0.0.1", "2001:db9::1"] {
            assert!(!is_near(&rules, peer, &["203.0.113.9"]), "{peer}");
        }
    }

    #[test]
    fn only_a_proxy_of_ours_says_who_called_it() {
        let rules = rules(&["203.0.113.0/24"], &["10.0.0.0/8"]);
        for forwarded in
            [&["203.0.113.9"][..], &["198.51.100.1, 203.0.113.9"], &["x", "203.0.113.9, 10.0.0.2"]]
        {
            assert!(is_near(&rules, "10.0.0.1", forwarded), "{forwarded:?}");
        }
        for forwarded in [
            &[][..],
            &["203.0.113.9, 198.51.100.1"],
            &["203.0.113.9", "198.51.100.1"],
            &["203.0.113.9, unknown"],
            &["203.0.113.9,"],
            &["10.0.0.2"],
        ] {
            assert!(!is_near(&rules, "10.0.0.1", forwarded), "{forwarded:?}");
        }
        assert!(!is_near(&rules, "198.51.100.1", &["203.0.113.9"]), "no proxy of ours");
        assert!(is_near(&rules, "203.0.113.9", &["198.51.100.1"]), "itself");
    }
}
