//! A request and its reply.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use secrecy::SecretString;
use tokio::time::Instant;

use crate::{AddressPolicy, Credentials};

/// One request, to be sent at most once.
pub struct Call {
    /// The method.
    pub method: Method,
    /// Where to; may hold secrets in its query.
    pub url: String,
    /// Headers beside those that the body brings.
    pub headers: Vec<(&'static str, SecretString)>,
    /// How it shows who sends it.
    pub credentials: Credentials,
    /// The body.
    pub body: Body,
    /// When the whole exchange, the reply's body included, must be over.
    pub deadline: Instant,
    /// No byte of the request leaves at this moment or later.
    pub send_before: Instant,
    /// Whether an open connection may be used.
    pub reuse: Reuse,
    /// Where the request may go.
    pub policy: AddressPolicy,
    /// What of the reply counts.
    pub counts: Counts,
}

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Write.
    Post,
}

/// A request's body.
#[derive(Clone)]
pub enum Body {
    /// None.
    Empty,
    /// JSON, byte for byte as it was signed.
    Json(Bytes),
    /// `application/x-www-form-urlencoded`.
    Form(Vec<(String, String)>),
    /// `multipart/form-data` of text fields.
    Multipart(Vec<(String, String)>),
}

/// Whether a request may use a connection that another one has left open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reuse {
    /// A connection of its own, closed afterwards: a failure to connect proves that nothing left.
    Fresh,
    /// An open connection if there is one. When it has gone stale the outcome is unknown.
    Pooled,
}

/// What of a reply counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// Status and body: a reply whose body breaks off is none.
    Whole,
    /// The status, and of a 2xx the body too.
    BodyOfSuccess,
    /// The status alone: whatever becomes of the body changes nothing, and it is not kept.
    Status,
}

/// A reply, whatever its status.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// How long the other side asks us to wait; a day at most.
    pub retry_after: Option<Duration>,
    /// The body, as it came; empty where the status alone counts.
    pub body: Vec<u8>,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("body", &self.body)
            .field("reuse", &self.reuse)
            .field("policy", &self.policy)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Json(json) => write!(f, "Json({} bytes)", json.len()),
            Self::Form(fields) => write!(f, "Form({} fields)", fields.len()),
            Self::Multipart(fields) => write!(f, "Multipart({} fields)", fields.len()),
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status)
            .field("retry_after", &self.retry_after)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}
