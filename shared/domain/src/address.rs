//! Where requests may go.
//!
//! Clients choose the endpoints that we call, so an endpoint is an attack until its scheme, port
//! and every one of its addresses are known to be harmless. The list of what is not public is the
//! union of those that public webhook senders use.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

/// This machine's own addresses.
pub const LOOPBACK: IpNet = IpNet::V4(v4(127, 0, 0, 8));

const URL_BYTES_MAX: usize = 2048;
const PORTS: [u16; 2] = [443, 8443];

/// Where requests may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressPolicy(Reach);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Reach {
    Any { plain_http: bool },
    PublicAnd(Arc<[IpNet]>),
}

impl Default for AddressPolicy {
    fn default() -> Self {
        Self::public_only()
    }
}

/// Which addresses one request may connect to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Rule {
    /// All.
    Any,
    /// Public ones and those in the ranges.
    PublicOr(Arc<[IpNet]>),
    /// Those in the ranges.
    Only(Arc<[IpNet]>),
}

/// Why a request must not go there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Blocked {
    /// It is no URL with a host, or one that readers and machines read differently.
    #[error("the URL is malformed: it wants a host, ASCII only, and nothing in it is left out")]
    Url,
    /// It is over 2048 bytes.
    #[error("the URL is too long")]
    TooLong,
    /// Neither http nor https, or http where only https will do.
    #[error("the URL's scheme is not allowed: it must be https")]
    Scheme,
    /// Plain http to a host that may be anywhere, without a word that this is meant.
    #[error("plain http goes to this machine and to private networks only")]
    PlainHttp,
    /// A name or a password stands before the host.
    #[error("the URL holds credentials: they have a setting of their own")]
    Credentials,
    /// What stands behind `#` is never sent.
    #[error("the URL holds a fragment, which is never sent")]
    Fragment,
    /// The host is no name that a machine can have.
    #[error("the URL's host must be letters, digits, dots and dashes")]
    Host,
    /// Only 443 and 8443 are open to clients, and nobody listens on 0.
    #[error("the URL's port is not allowed: 443 and 8443 are, within allowed networks any but 0")]
    Port,
    /// The host is, or resolves to, an address that is not public.
    #[error("the address is not allowed")]
    Address,
}

impl AddressPolicy {
    /// Any address by https, and by http what is no public host by its name or address: for
    /// connectors, whose URLs stand in our own directory.
    #[must_use]
    pub const fn trusted() -> Self {
        Self(Reach::Any { plain_http: false })
    }

    /// As [`AddressPolicy::trusted`], and by http any address: where a connector's row says so.
    #[must_use]
    pub const fn trusted_in_plain_http() -> Self {
        Self(Reach::Any { plain_http: true })
    }

    /// What a connector's row says.
    #[must_use]
    pub const fn of_connector(plain_http: bool) -> Self {
        if plain_http { Self::trusted_in_plain_http() } else { Self::trusted() }
    }

    /// Public addresses by https: for clients' endpoints.
    #[must_use]
    pub fn public_only() -> Self {
        Self::public_and(Vec::new())
    }

    /// As [`AddressPolicy::public_only`], and by http or https on any port the addresses in
    /// `allowed`. A name counts as allowed only if all of its addresses are.
    #[must_use]
    pub fn public_and(allowed: Vec<IpNet>) -> Self {
        Self(Reach::PublicAnd(allowed.into()))
    }

    /// Whether a request could ever go to `url`: the check at registration. Names are not
    /// resolved here; their addresses are checked each time a request is sent.
    ///
    /// # Errors
    /// Says what is wrong with the URL.
    pub fn check_url(&self, url: &str) -> Result<(), Blocked> {
        self.admit(url).map(|_admitted| ())
    }

    /// The URL as the transport reads it, and where it may lead.
    ///
    /// # Errors
    /// Says what is wrong with the URL.
    pub fn admit(&self, text: &str) -> Result<(Url, Rule), Blocked> {
        let url = parse(text)?;
        let rule = match &self.0 {
            Reach::PublicAnd(allowed) => client_rule(&url, allowed)?,
            Reach::Any { plain_http } => {
                if url.scheme() == "http" && !plain_http && may_be_public(&url) {
                    return Err(Blocked::PlainHttp);
                }
                Rule::Any
            }
        };
        // Last: what else is wrong says more.
        if url.fragment().is_some() {
            return Err(Blocked::Fragment);
        }
        Ok((url, rule))
    }
}

fn parse(text: &str) -> Result<Url, Blocked> {
    if text.len() > URL_BYTES_MAX {
        return Err(Blocked::TooLong);
    }
    // The parser drops tabs and line ends, and maps look-alikes to ASCII.
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Blocked::Url);
    }
    let url = Url::parse(text).map_err(|_error| Blocked::Url)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Blocked::Scheme);
    }
    // The parser takes any number of slashes for two, and none as well.
    let behind = text.split_once("://").map_or("/", |(_, behind)| behind);
    if behind.starts_with(['/', '\\']) {
        return Err(Blocked::Url);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Blocked::Credentials);
    }
    if url.port() == Some(0) {
        return Err(Blocked::Port);
    }
    match url.host() {
        Some(Host::Domain(name)) if !is_host_name(name) => Err(Blocked::Host),
        Some(_) => Ok(url),
        None => Err(Blocked::Url),
    }
}

/// Labels of letters, digits and inner dashes, as resolvers and certificates take them.
fn is_host_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// Whether the host may be one that strangers' networks lead to. Names are not resolved here: one
/// that is not of a network of one's own counts as public.
fn may_be_public(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_public(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => is_public(IpAddr::V6(address)),
        Some(Host::Domain(name)) => !is_local_name(name),
        None => true,
    }
}

/// A literal is checked here, because the transport resolves only names.
fn client_rule(url: &Url, allowed: &Arc<[IpNet]>) -> Result<Rule, Blocked> {
    let only = Rule::Only(Arc::clone(allowed));
    let literal = match url.host().ok_or(Blocked::Url)? {
        Host::Ipv4(address) => IpAddr::V4(address),
        Host::Ipv6(address) => IpAddr::V6(address),
        Host::Domain(name) => return name_rule(url, name, allowed),
    };
    if only.allows(literal) {
        return Ok(only);
    }
    check_public_form(url)?;
    if is_public(literal) { Ok(Rule::PublicOr(Arc::clone(allowed))) } else { Err(Blocked::Address) }
}

fn name_rule(url: &Url, name: &str, allowed: &Arc<[IpNet]>) -> Result<Rule, Blocked> {
    let public_form = check_public_form(url);
    if allowed.is_empty() {
        public_form?;
        if is_local_name(name) {
            return Err(Blocked::Address);
        }
    }
    Ok(match public_form {
        Ok(()) => Rule::PublicOr(Arc::clone(allowed)),
        // Only an allowed address excuses the form; which one it is shows when it resolves.
        Err(_form) => Rule::Only(Arc::clone(allowed)),
    })
}

fn check_public_form(url: &Url) -> Result<(), Blocked> {
    if url.scheme() != "https" {
        return Err(Blocked::Scheme);
    }
    let port = url.port_or_known_default().ok_or(Blocked::Port)?;
    if PORTS.contains(&port) { Ok(()) } else { Err(Blocked::Port) }
}

/// Names that only ever mean a machine or a network of one's own.
fn is_local_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let own = [".localhost", ".local", ".internal", ".home.arpa"];
    !name.contains('.') || own.iter().any(|suffix| name.ends_with(suffix))
}

impl Rule {
    /// Whether a connection to `address` is allowed.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        let within =
            |ranges: &[IpNet]| ranges.iter().any(|range| range.contains(&address.to_canonical()));
        match self {
            Self::Any => true,
            Self::PublicOr(ranges) => is_public(address) || within(ranges),
            Self::Only(ranges) => within(ranges),
        }
    }
}

fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => !NOT_PUBLIC_V4.iter().any(|range| range.contains(&address)),
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address)
                && !NOT_PUBLIC_V6.iter().any(|range| range.contains(&address))
        }
    }
}

const fn v4(a: u8, b: u8, c: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), length)
}

const fn v6(a: u16, b: u16, c: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), length)
}

const NOT_PUBLIC_V4: [Ipv4Net; 18] = [
    v4(0, 0, 0, 8),       // this network
    v4(10, 0, 0, 8),      // private
    v4(100, 64, 0, 10),   // carrier-grade NAT
    v4(127, 0, 0, 8),     // loopback
    v4(169, 254, 0, 16),  // link-local, cloud metadata
    v4(172, 16, 0, 12),   // private
    v4(192, 0, 0, 24),    // protocol assignments
    v4(192, 0, 2, 24),    // documentation
    v4(192, 31, 196, 24), // AS112
    v4(192, 52, 193, 24), // multicast tunnels
    v4(192, 88, 99, 24),  // 6to4 relays
    v4(192, 168, 0, 16),  // private
    v4(192, 175, 48, 24), // AS112
    v4(198, 18, 0, 15),   // benchmarks
    v4(198, 51, 100, 24), // documentation
    v4(203, 0, 113, 24),  // documentation
    v4(224, 0, 0, 4),     // multicast
    v4(240, 0, 0, 4),     // reserved, broadcast
];

/// Everything outside is refused: loopback, IPv4-compatible, NAT64 (`64:ff9b::/96` and
/// `64:ff9b:1::/48`), discard (`100::/64`), segment routing (`5f00::/16`), unique local (`fc00::/7`),
/// link-local (`fe80::/10`), site-local (`fec0::/10`) and multicast (`ff00::/8`).
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 0, 3);

const NOT_PUBLIC_V6: [Ipv6Net; 5] = [
    v6(0x2001, 0, 0, 23),         // protocol assignments, Teredo
    v6(0x2001, 0xdb8, 0, 32),     // documentation
    v6(0x2002, 0, 0, 16),         // 6to4
    v6(0x2620, 0x4f, 0x8000, 48), // AS112
    v6(0x3fff, 0, 0, 20),         // documentation
];

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> AddressPolicy {
        let ranges = ["127.0.0.0/8", "::1/128"];
        AddressPolicy::public_and(ranges.iter().map(|range| range.parse().unwrap()).collect())
    }

    #[test]
    fn public_https_endpoints_are_allowed() {
        for url in [
            "https://example.com/hook?key=1",
            "https://example.com.:443/hook",
            "https://example.com:8443/hook",
            "https://8.8.8.8/",
            "https://[2606:4700:4700::1111]/",
            "https://[::ffff:8.8.8.8]/",
            "https://xn--bcher-kva.example.com/",
        ] {
            assert_eq!(AddressPolicy::public_only().check_url(url), Ok(()), "{url}");
            assert_eq!(sample().check_url(url), Ok(()), "{url}");
        }
    }

    #[test]
    fn every_spelling_of_an_address_that_is_not_public_is_blocked() {
        for host in [
            "127.0.0.1",
            "2130706433",
            "0x7f.1",
            "0177.0.0.1",
            "127.1",
            "017700000001",
            "0.0.0.0",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::127.0.0.1]",
            "[::ffff:a9fe:a9fe]",
            "localhost",
            "localhost.",
            "LOCALHOST",
            "a.localhost",
            "printer.local",
            "intranet",
            "metadata.google.internal",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.169.254",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "[fc00::1]",
            "[fd12::1]",
            "[fe80::1]",
            "[fec0::1]",
            "[ff02::1]",
            "[64:ff9b::7f00:1]",
            "[64:ff9b:1::1]",
            "[2002:7f00:1::]",
            "[2001::1]",
            "[2001:db8::1]",
            "[3fff::1]",
            "[100::1]",
            "[5f00::1]",
        ] {
            let url = format!("https://{host}/hook");
            let checked = AddressPolicy::public_only().check_url(&url);
            assert_eq!(checked, Err(Blocked::Address), "{url}");
        }
    }

    #[test]
    fn urls_that_are_read_in_two_ways_are_blocked() {
        let long = format!("https://example.com/{}", "a".repeat(4096));
        for (url, why) in [
            ("https://user:pass@example.com/", Blocked::Credentials),
            ("https://example.com@127.0.0.1/", Blocked::Credentials),
            ("https://127.0.0.1#@example.com/", Blocked::Address),
            ("https://①②⑦.⓪.⓪.①/", Blocked::Url),
            ("https://exаmple.com/", Blocked::Url),
            ("https://exa\tmple.com/", Blocked::Url),
            ("https://example.com/\n", Blocked::Url),
            (" https://example.com/", Blocked::Url),
            ("https://[fe80::1%eth0]/", Blocked::Url),
            ("https://[fe80::1%25eth0]/", Blocked::Url),
            ("https:///", Blocked::Url),
            ("https://8.8.8.8/hook#part", Blocked::Fragment),
            ("example.com/hook", Blocked::Url),
            ("", Blocked::Url),
            (&long, Blocked::TooLong),
            ("file:///etc/passwd", Blocked::Scheme),
            ("gopher://example.com/", Blocked::Scheme),
            ("http://example.com/", Blocked::Scheme),
            ("http://8.8.8.8/", Blocked::Scheme),
            ("https://example.com:22/", Blocked::Port),
            ("https://example.com:25/", Blocked::Port),
            ("https://example.com:5432/", Blocked::Port),
            ("https://8.8.8.8:5672/", Blocked::Port),
        ] {
            assert_eq!(AddressPolicy::public_only().check_url(url), Err(why), "{url}");
        }
    }

    #[test]
    fn an_allowed_range_permits_http_and_any_port_to_itself_alone() {
        for url in ["http://127.0.0.1:8080/", "https://127.0.0.1:9/", "http://[::1]/"] {
            let (_url, rule) = sample().admit(url).unwrap();
            assert!(matches!(rule, Rule::Only(_)), "{url}");
        }
        for (url, why) in [
            ("http://8.8.8.8/", Blocked::Scheme),
            ("https://8.8.8.8:8080/", Blocked::Port),
            ("https://10.0.0.1/", Blocked::Address),
            ("http://user@127.0.0.1/", Blocked::Credentials),
        ] {
            assert_eq!(sample().check_url(url), Err(why), "{url}");
        }
    }

    #[test]
    fn a_name_by_http_may_only_resolve_into_the_allowed_ranges() {
        let (_url, rule) = sample().admit("http://client.example.com:8080/").unwrap();
        assert!(rule.allows("127.0.0.5".parse().unwrap()));
        assert!(rule.allows("::ffff:127.0.0.5".parse().unwrap()));
        assert!(!rule.allows("8.8.8.8".parse().unwrap()));
        let (_url, rule) = sample().admit("https://client.example.com/").unwrap();
        assert!(rule.allows("127.0.0.5".parse().unwrap()));
        assert!(rule.allows("8.8.8.8".parse().unwrap()));
        assert!(!rule.allows("10.0.0.1".parse().unwrap()));
    }

    #[test]
    fn our_own_connectors_may_be_anywhere_but_speak_http() {
        let trusted = AddressPolicy::trusted();
        assert_eq!(trusted.check_url("http://10.0.0.1:8080/pay"), Ok(()));
        assert_eq!(trusted.check_url("https://bank.internal/pay"), Ok(()));
        assert_eq!(trusted.check_url("ftp://bank.internal/"), Err(Blocked::Scheme));
        for url in ["http://[::1]:80/", "http://bank/", "http://stub.local/", "https://8.8.8.8/"] {
            assert_eq!(trusted.check_url(url), Ok(()), "{url}");
        }
    }

    #[test]
    fn plain_http_leaves_our_networks_only_where_that_is_said() {
        for url in ["http://bank.example.com/pay", "http://8.8.8.8/", "http://[2606:4700::1]/"] {
            assert_eq!(AddressPolicy::trusted().check_url(url), Err(Blocked::PlainHttp), "{url}");
            assert_eq!(AddressPolicy::trusted_in_plain_http().check_url(url), Ok(()), "{url}");
        }
    }

    #[test]
    fn a_url_that_could_never_be_called_is_refused_for_connectors_and_clients_alike() {
        for (url, why) in [
            ("https://user:pw@127.0.0.1/", Blocked::Credentials),
            ("https://token@127.0.0.1/", Blocked::Credentials),
            ("https://127.0.0.1:0/", Blocked::Port),
            ("https://127.0.0.1:99999/", Blocked::Url),
            ("https://127.0.0.1:-1/", Blocked::Url),
            ("https://", Blocked::Url),
            ("https:///pay", Blocked::Url),
            ("https://b\u{fc}cher.example/", Blocked::Url),
            ("https://bank_stub.example.com/", Blocked::Host),
            ("https://-bank.example.com/", Blocked::Host),
            ("https://bank..example.com/", Blocked::Host),
            ("https://127.0.0.1/pay#now", Blocked::Fragment),
            ("https://127.0.0.1/pa y", Blocked::Url),
            ("https://127.0.0.1/\0", Blocked::Url),
        ] {
            for policy in [AddressPolicy::trusted_in_plain_http(), sample()] {
                assert_eq!(policy.check_url(url), Err(why), "{url}");
            }
        }
    }
}
