//! Why there is no reply, in words that are safe to log and to store.

use std::error::Error;
use std::io;

use crate::Blocked;
use crate::handover::TooLate;

/// Why there is no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Not one byte of the request has left.
    #[error("not sent: {cause}")]
    NotSent {
        /// What went wrong.
        cause: Cause,
    },
    /// The request may have been received and acted upon.
    #[error("outcome unknown: {cause}")]
    Unknown {
        /// What went wrong.
        cause: Cause,
    },
}

/// What went wrong. It holds no text from either side, so nothing secret can be in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The address policy forbids it.
    #[error("{0}")]
    Blocked(Blocked),
    /// The URL or a header cannot be sent at all.
    #[error("the request is malformed")]
    Malformed,
    /// This process cannot send at all.
    #[error("the sender cannot be set up")]
    Setup,
    /// The moment before which the request had to leave has passed.
    #[error("the time to send has passed")]
    TooLate,
    /// The host's name has no address.
    #[error("the name does not resolve")]
    Name,
    /// No connection came about.
    #[error("no connection: {0}")]
    Connection(io::ErrorKind),
    /// The other side's certificate or its TLS is not acceptable.
    #[error("no secure connection")]
    Tls,
    /// The deadline passed first.
    #[error("no complete reply before the deadline")]
    Deadline,
    /// The connection broke.
    #[error("no complete reply: {0}")]
    Broken(io::ErrorKind),
    /// What came back is not HTTP, or it ended too early.
    #[error("no complete reply")]
    Incomplete,
    /// The reply's body is over the limit.
    #[error("the reply is too long")]
    TooLong,
}

/// Why this process cannot send at all.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// `main` has to choose one before the first request.
    #[error("no TLS provider is installed")]
    NoTlsProvider,
    /// The HTTP client cannot be built, most likely because the system's certificates are missing.
    #[error("the HTTP client cannot be built")]
    Client(#[from] reqwest::Error),
}

impl Cause {
    /// True when it tells nothing about the other side: it was not tried, or what failed is on this
    /// side of it. Whose fault a name without an address is, nobody can tell.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        match self {
            Self::Blocked(_) | Self::Malformed | Self::Setup | Self::TooLate | Self::Name => true,
            Self::Connection(kind) => matches!(
                kind,
                io::ErrorKind::AddrNotAvailable
                    | io::ErrorKind::NetworkDown
                    | io::ErrorKind::NetworkUnreachable
                    | io::ErrorKind::PermissionDenied
                    | io::ErrorKind::OutOfMemory
            ),
            Self::Tls | Self::Deadline | Self::Broken(_) | Self::Incomplete | Self::TooLong => {
                false
            }
        }
    }

    /// What is known from an error of the transport.
    pub(crate) fn of(error: &reqwest::Error) -> Self {
        if error.is_builder() {
            return Self::Malformed;
        }
        let connecting = error.is_connect();
        let mut source: Option<&(dyn Error + 'static)> = error.source();
        while let Some(inner) = source {
            if let Some(blocked) = inner.downcast_ref::<Blocked>() {
                return Self::Blocked(*blocked);
            }
            if inner.is::<TooLate>() {
                return Self::TooLate;
            }
            if let Some(broken) = inner.downcast_ref::<io::Error>() {
                return Self::of_io(broken, error.is_dns(), connecting);
            }
            source = inner.source();
        }
        if connecting { Self::Connection(io::ErrorKind::Other) } else { Self::Incomplete }
    }

    fn of_io(error: &io::Error, naming: bool, connecting: bool) -> Self {
        if is_of_tls(error) {
            return Self::Tls;
        }
        match (naming, connecting) {
            (true, _) => Self::Name,
            (false, true) => Self::Connection(error.kind()),
            (false, false) => Self::Broken(error.kind()),
        }
    }
}

/// Whether TLS is what failed. Transports wrap one error of input and output into another, and the
/// source of such a one is its content's source: the content itself has to be asked for.
fn is_of_tls(error: &io::Error) -> bool {
    let Some(inner) = error.get_ref() else { return false };
    inner.is::<rustls::Error>() || inner.downcast_ref::<io::Error>().is_some_and(is_of_tls)
}
