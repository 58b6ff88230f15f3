//! Names to addresses: the addresses that were checked are the ones connected to.

use std::io;
use std::net::SocketAddr;

use fleet_domain::Rule;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::Blocked;

/// More addresses of one name than this are not tried.
const ADDRESSES_MAX: usize = 8;

/// Resolves by the system and refuses a name with any address outside the rule.
#[derive(Debug)]
pub(crate) struct Resolver {
    rule: Rule,
}

impl Resolver {
    /// A resolver for one rule.
    pub(crate) const fn new(rule: Rule) -> Self {
        Self { rule }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let rule = self.rule.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let addresses = admit(&rule, found.collect())?;
            if addresses.is_empty() {
                return Err(io::Error::from(io::ErrorKind::NotFound).into());
            }
            let addresses: Addrs = Box::new(addresses.into_iter());
            Ok(addresses)
        })
    }
}

/// All addresses or none: a name that mixes public and private ones is an attack or a mistake.
fn admit(rule: &Rule, mut addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Blocked> {
    if addresses.iter().any(|address| !rule.allows(address.ip())) {
        return Err(Blocked::Address);
    }
    addresses.truncate(ADDRESSES_MAX);
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 0)).collect()
    }

    #[test]
    fn one_private_address_refuses_the_whole_name() {
        let public = Rule::PublicOr([].into());
        for mixed in [
            &["8.8.8.8", "127.0.0.1"][..],
            &["2606:4700::1111", "fd00::1"],
            &["8.8.8.8", "::ffff:169.254.169.254"],
            &["10.0.0.1"],
        ] {
            assert_eq!(admit(&public, addresses(mixed)), Err(Blocked::Address), "{mixed:?}");
        }
        let fine = addresses(&["8.8.8.8", "2606:4700::1111"]);
        assert_eq!(admit(&public, fine.clone()), Ok(fine));
    }

    #[test]
    fn no_more_than_a_few_addresses_are_tried() {
        let many = addresses(&["8.8.8.8"; 50]);
        assert_eq!(admit(&Rule::Any, many).unwrap().len(), ADDRESSES_MAX);
    }
}
