//! Where the broker is and how we speak to it.

use std::net::IpAddr;
use std::time::Duration;

use lapin::uri::{AMQPScheme, AMQPUri};
use secrecy::{ExposeSecret, SecretString};

/// Both sides give the other up after twice this long without a frame.
const HEARTBEAT_SECONDS: u16 = 10;
/// Room for " consume fleet.requested" behind the service's name.
const SERVICE_BYTES_MAX: usize = 64;

/// Where the broker is and how we speak to it.
#[derive(Debug, Clone)]
pub struct BrokerSettings {
    /// `amqp://user:password@host:port/vhost`, or `amqps`; several hosts of one cluster with commas
    /// between them.
    pub url: SecretString,
    /// The name of our connections, and the `app_id` of what we publish.
    pub service: String,
    /// How long a confirm may take.
    pub confirm_timeout: Duration,
    /// How long a stopped consumer waits for the acknowledgements of what it handed out.
    pub grace: Duration,
    /// Allows plain text and `guest` on other hosts than this one.
    pub insecure: bool,
}

/// What is wrong with the settings or with the broker's answer.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Not readable as a url.
    #[error("the broker's url is no amqp or amqps url with a host")]
    NotAUrl,
    /// The client would take it for this host.
    #[error("the broker's url has an ipv6 literal: use a host name")]
    Ipv6Literal,
    /// Passwords and purchases would be readable on the way.
    #[error("the broker's url is plain text to another host: use amqps or set `insecure`")]
    PlainText,
    /// The well-known user.
    #[error("the broker's user is guest on another host: use an own user or set `insecure`")]
    Guest,
    /// No name, or one that does not fit.
    #[error("the service's name has to be 1 to {SERVICE_BYTES_MAX} bytes long")]
    Service,
    /// A time that is zero.
    #[error("the confirm time-out has to be longer than zero")]
    ConfirmTimeout,
    /// The topology could not be declared.
    #[error("declaring the topology failed")]
    Topology(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl BrokerSettings {
    /// Settings with the usual times: 5 s for a confirm, 25 s of grace, and nothing insecure.
    #[must_use]
    pub fn new(url: SecretString, service: impl Into<String>) -> Self {
        Self {
            url,
            service: service.into(),
            confirm_timeout: Duration::from_secs(5),
            grace: Duration::from_secs(25),
            insecure: false,
        }
    }

    /// Checks everything that can be checked without a broker.
    ///
    /// # Errors
    /// [`BrokerError`] names the first thing that is wrong, never the url.
    pub fn check(&self) -> Result<(), BrokerError> {
        self.uris().map(drop)
    }

    /// The checked url as the client wants it, once for each of its hosts.
    pub(crate) fn uris(&self) -> Result<Vec<AMQPUri>, BrokerError> {
        if self.service.is_empty() || self.service.len() > SERVICE_BYTES_MAX {
            return Err(BrokerError::Service);
        }
        if self.confirm_timeout.is_zero() {
            return Err(BrokerError::ConfirmTimeout);
        }
        let text = self.url.expose_secret();
        let (scheme, rest) = text.split_once("://").ok_or(BrokerError::NotAUrl)?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).ok_or(BrokerError::NotAUrl)?;
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (format!("{user}@"), hosts),
            None => (String::new(), authority),
        };
        let each =
            hosts.split(',').map(|host| self.uri(host, &format!("{scheme}://{user}{host}{path}")));
        each.collect()
    }

    fn uri(&self, host: &str, url: &str) -> Result<AMQPUri, BrokerError> {
        // The client's parser replaces such hosts, and missing ones, by "localhost" without a word.
        if host.contains('[') {
            return Err(BrokerError::Ipv6Literal);
        }
        if host.is_empty() || host.starts_with(':') {
            return Err(BrokerError::NotAUrl);
        }
        // The parser's own text may quote the url.
        let mut uri: AMQPUri = url.parse().ok().ok_or(BrokerError::NotAUrl)?;
        let trusted = self.insecure || is_loopback(&uri.authority.host);
        if !trusted && uri.scheme == AMQPScheme::AMQP {
            return Err(BrokerError::PlainText);
        }
        if !trusted && uri.authority.userinfo.username == "guest" {
            return Err(BrokerError::Guest);
        }
        uri.query.heartbeat = Some(HEARTBEAT_SECONDS);
        Ok(uri)
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, insecure: bool) -> Result<(), BrokerError> {
        let mut settings = BrokerSettings::new(url.into(), "test");
        settings.insecure = insecure;
        settings.check()
    }

    #[test]
    fn plain_text_and_guest_stay_on_this_host() {
        assert!(check("amqp://guest:guest@127.0.0.1:5672/%2f", false).is_ok());
        assert!(check("amqp://localhost", false).is_ok());
        assert!(check("amqps://worker:secret@mq.example:5671/fleet", false).is_ok());
        assert!(matches!(check("amqp://a:b@mq.example", false), Err(BrokerError::PlainText)));
        assert!(matches!(
            check("amqp://a:b@127.0.0.1.example", false),
            Err(BrokerError::PlainText)
        ));
        assert!(matches!(check("amqps://guest:b@mq.example", false), Err(BrokerError::Guest)));
        assert!(matches!(check("amqps://mq.example", false), Err(BrokerError::Guest)));
        assert!(check("amqp://guest:guest@mq.example", true).is_ok());
    }

    #[test]
    fn an_address_that_the_client_would_misread_is_refused() {
        assert!(matches!(check("amqp://a:b@[2001:db8::1]/", true), Err(BrokerError::Ipv6Literal)));
        for url in [
            "",
            "mq.example",
            "http://mq.example",
            "amqp:///fleet",
            "amqp://h:99999/",
            "amqp://a:b@/",
        ] {
            assert!(matches!(check(url, true), Err(BrokerError::NotAUrl)), "{url}");
        }
    }

    #[test]
    fn each_of_several_hosts_is_a_broker_of_the_same_user_and_vhost() {
        let url = "amqps://worker:a%2Cb@one.example:5671,two.example,10.0.0.3/fleet";
        let uris = BrokerSettings::new(url.into(), "test").uris().unwrap();
        let of = |uri: &AMQPUri| {
            assert_eq!((&*uri.authority.userinfo.password, &*uri.vhost), ("a,b", "fleet"));
            (uri.authority.host.clone(), uri.authority.port)
        };
        let hosts: Vec<_> = uris.iter().map(of).collect();
        let host = |name: &str| (name.to_owned(), 5671);
        assert_eq!(hosts, [host("one.example"), host("two.example"), host("10.0.0.3")]);
        let mixed = "amqp://guest:guest@127.0.0.1,mq.example/";
        assert!(matches!(check(mixed, false), Err(BrokerError::PlainText)));
        assert!(matches!(check("amqp://a:b@one.example,/", true), Err(BrokerError::NotAUrl)));
    }

    #[test]
    fn no_error_and_no_debug_output_shows_the_password() {
        let settings = BrokerSettings::new("amqp:s3cret".into(), "test");
        let error = settings.check().unwrap_err();
        assert!(!format!("{settings:?} {error:?} {error}").contains("s3cret"));
    }

    #[test]
    fn a_service_without_a_name_and_a_time_of_zero_are_refused() {
        let mut settings = BrokerSettings::new("amqp://localhost".into(), "");
        assert!(matches!(settings.check(), Err(BrokerError::Service)));
        settings.service = "x".repeat(65);
        assert!(matches!(settings.check(), Err(BrokerError::Service)));
        settings.service = "x".to_owned();
        settings.confirm_timeout = Duration::ZERO;
        assert!(matches!(settings.check(), Err(BrokerError::ConfirmTimeout)));
    }
}
