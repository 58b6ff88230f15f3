//! How a request shows who sends it: put on in one place, over the bytes that leave.

use std::fmt;

use reqwest::Request;
use reqwest::header::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::{SetupError, clients, hmac_sha256_base64};

/// A header or a certificate is no longer.
const BYTES_MAX: usize = 4_096;

/// How a request shows who sends it.
#[derive(Clone)]
pub enum Credentials {
    /// Not at all.
    None,
    /// By the header `Signature` over the body, whatever its form; over no byte where there is none.
    Signature(SecretString),
    /// By a header.
    Header {
        /// Its name.
        name: String,
        /// Its whole value.
        value: SecretString,
    },
    /// By a certificate in the TLS handshake.
    Certificate(Identity),
}

/// A certificate of ours and its key.
#[derive(Clone)]
pub struct Identity {
    /// Whose it is: one client is kept for each, and built anew when its certificate changes.
    owner: String,
    pem: SecretString,
    print: [u8; 32],
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Signature(_) => "Signature",
            Self::Header { .. } => "Header",
            Self::Certificate(_) => "Certificate",
        })
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("owner", &self.owner).finish_non_exhaustive()
    }
}

impl Credentials {
    /// The certificate, if it is one.
    pub(crate) const fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Certificate(identity) => Some(identity),
            Self::None | Self::Signature(_) | Self::Header { .. } => None,
        }
    }

    /// Puts them on a request that is whole otherwise; `None` when they cannot be put on.
    pub(crate) fn put_on(&self, request: &mut Request) -> Option<()> {
        let signature;
        let (name, value) = match self {
            Self::None | Self::Certificate(_) => return Some(()),
            Self::Signature(secret) => {
                let body = match request.body() {
                    Some(body) => body.as_bytes()?,
                    None => &[],
                };
                signature = SecretString::from(hmac_sha256_base64(secret.expose_secret(), body));
                ("signature", &signature)
            }
            Self::Header { name, value } => (name.as_str(), value),
        };
        let (name, value) = header(name, value)?;
        request.headers_mut().insert(name, value);
        Some(())
    }
}

impl Identity {
    /// A certificate (with those that sign it) and its key, both PEM, of an owner.
    #[must_use]
    pub fn new(owner: &str, certificate: &str, key: &str) -> Self {
        let pem = format!("{}\n{}\n", certificate.trim(), key.trim());
        let print = Sha256::digest(&pem).into();
        Self { owner: owner.to_owned(), pem: SecretString::from(pem), print }
    }

    /// Builds what a request would be sent with, and lets go of it.
    ///
    /// # Errors
    /// [`SetupError`] when the certificate or its key cannot be loaded, or one is not the other's.
    pub fn check(&self) -> Result<(), SetupError> {
        clients::check(self)
    }

    pub(crate) fn owner(&self) -> &str {
        &self.owner
    }

    pub(crate) const fn print(&self) -> &[u8; 32] {
        &self.print
    }

    pub(crate) fn load(&self) -> Result<reqwest::Identity, reqwest::Error> {
        reqwest::Identity::from_pem(self.pem.expose_secret().as_bytes())
    }
}

/// A header whose value no log shows; `None` when it is none.
pub(crate) fn header(name: &str, value: &SecretString) -> Option<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    let mut value = HeaderValue::from_str(value.expose_secret()).ok()?;
    value.set_sensitive(true);
    Some((name, value))
}

/// Whether a header can be sent as it is, and so that its receiver reads the same: nothing that a
/// reader trims, and none of the names that the transport itself writes.
#[must_use]
pub fn is_header(name: &str, value: &SecretString) -> bool {
    const TRANSPORT: [&str; 8] = [
        "connection",
        "content-length",
        "content-type",
        "expect",
        "host",
        "te",
        "transfer-encoding",
        "upgrade",
    ];
    let text = value.expose_secret();
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    let is_whole = !text.is_empty() && text.trim() == text && text.len() <= BYTES_MAX;
    let free = |name: &HeaderName| !TRANSPORT.contains(&name.as_str());
    is_plain && is_whole && header(name, value).is_some_and(|(name, _)| free(&name))
}
