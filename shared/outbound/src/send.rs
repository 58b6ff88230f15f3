//! Sending a request once.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use fleet_domain::Rule;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::multipart::Form;
use reqwest::{Client, Request, RequestBuilder, Response};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

use crate::clients::Clients;
use crate::credentials::header;
use crate::handover::{HANDOVER, Handover};
use crate::retry_after::retry_after;
use crate::{Body, Call, Cause, Counts, Method, Reply, Reuse, SendError, SetupError};

/// A longer body makes the reply unreadable.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// How long a body that does not count is waited for, so that its connection can be used again.
const UNCOUNTED_BODY: Duration = Duration::from_millis(250);
/// Finding the address, connecting and TLS together take no longer.
pub const CONNECT_SECONDS_MAX: u64 = 5;

/// Is told when the first byte left at the earliest.
pub type FirstByte = fn(Instant);
/// An exchange under way.
pub type Carried<'a> = Pin<Box<dyn Future<Output = Result<Reply, SendError>> + Send + 'a>>;

/// Who carries calls: [`Outbound`], or a simulated world.
pub trait Carry: Send + Sync + fmt::Debug {
    /// As [`Outbound::send_and_tell`].
    fn carry(&self, call: Call, first_byte: FirstByte) -> Carried<'_>;
}

/// Sends requests. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Outbound {
    clients: Arc<Clients>,
}

impl Outbound {
    /// A sender.
    ///
    /// # Errors
    /// When no TLS provider is installed or the system's certificates are unusable.
    pub fn new() -> Result<Self, SetupError> {
        let clients = Clients::default();
        // Whatever may be wrong with the system shows at the start and not at the first purchase.
        clients.get(Rule::Any, Reuse::Fresh, None)?;
        Ok(Self { clients: Arc::new(clients) })
    }

    /// Sends `call` at most once and reads the whole reply.
    ///
    /// # Errors
    /// `NotSent` while no connection was open, `Unknown` for anything later.
    pub async fn send(&self, call: Call) -> Result<Reply, SendError> {
        self.send_and_tell(call, |_first_byte| {}).await
    }

    /// As [`Outbound::send`], and tells when the first byte left at the earliest, if it may have.
    ///
    /// # Errors
    /// As [`Outbound::send`].
    pub async fn send_and_tell(
        &self,
        call: Call,
        first_byte: impl FnOnce(Instant),
    ) -> Result<Reply, SendError> {
        let Call { deadline, send_before, reuse, counts, .. } = call;
        let (client, request) = self.prepare(call).map_err(|cause| SendError::NotSent { cause })?;

        let now = Instant::now();
        if now >= send_before || now >= deadline {
            return Err(SendError::NotSent { cause: Cause::TooLate });
        }
        let longest = now.checked_add(Duration::from_secs(CONNECT_SECONDS_MAX)).unwrap_or(now);
        let handover = Handover::new(longest.min(send_before).min(deadline));
        let exchange = exchange(client, request, deadline, counts);
        let ended = HANDOVER.scope(Arc::clone(&handover), Box::pin(exchange)).await;
        // Without a connection of its own it left over one that was open before.
        let left_at = handover.connected().unwrap_or(now);
        let failure = match ended {
            Ok(reply) => {
                first_byte(left_at);
                return Ok(reply);
            }
            Err(failure) => failure,
        };
        let not_sent = match reuse {
            Reuse::Fresh => handover.connected().is_none(),
            // It may have left over a connection that was open before.
            Reuse::Pooled => failure.unconnected,
        };
        let cause = failure.cause;
        if not_sent {
            return Err(SendError::NotSent { cause });
        }
        first_byte(left_at);
        Err(SendError::Unknown { cause })
    }

    fn prepare(&self, call: Call) -> Result<(Client, Request), Cause> {
        let (url, rule) = call.policy.admit(&call.url).map_err(Cause::Blocked)?;
        let client = self.clients.get(rule, call.reuse, call.credentials.identity());
        let client = client.map_err(|_error| Cause::Setup)?;
        let method = match call.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
        };
        let mut builder = with_body(client.request(method, url), call.body);
        for (name, value) in &call.headers {
            let (name, value) = header(name, value).ok_or(Cause::Malformed)?;
            builder = builder.header(name, value);
        }
        let mut request = builder.build().map_err(|_error| Cause::Malformed)?;
        call.credentials.put_on(&mut request).ok_or(Cause::Malformed)?;
        Ok((client, request))
    }
}

impl Carry for Outbound {
    fn carry(&self, call: Call, first_byte: FirstByte) -> Carried<'_> {
        Box::pin(self.send_and_tell(call, first_byte))
    }
}

struct Failure {
    cause: Cause,
    /// The transport says that it failed to connect for this request.
    unconnected: bool,
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        let unconnected = error.is_connect() || error.is_builder();
        Self { cause: Cause::of(&error), unconnected }
    }
}

impl From<Elapsed> for Failure {
    fn from(_: Elapsed) -> Self {
        Self { cause: Cause::Deadline, unconnected: false }
    }
}

async fn exchange(
    client: Client,
    request: Request,
    deadline: Instant,
    counts: Counts,
) -> Result<Reply, Failure> {
    let mut response = timeout_at(deadline, client.execute(request)).await??;
    let status = response.status().as_u16();
    let retry_after = retry_after(response.headers(), Utc::now());
    let is_body_needed = match counts {
        Counts::Whole => true,
        Counts::BodyOfSuccess => response.status().is_success(),
        Counts::Status => false,
    };
    let body = if is_body_needed {
        timeout_at(deadline, read(&mut response)).await??
    } else {
        let now = Instant::now();
        let soon = now.checked_add(UNCOUNTED_BODY).unwrap_or(now).min(deadline);
        // Cut off, too long or never ended: the status stands.
        drop(timeout_at(soon, read(&mut response)).await);
        Vec::new()
    };
    Ok(Reply { status, retry_after, body })
}

async fn read(response: &mut Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len().saturating_add(chunk.len()) > BODY_BYTES_MAX {
            return Err(Failure { cause: Cause::TooLong, unconnected: false });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn with_body(builder: RequestBuilder, body: Body) -> RequestBuilder {
    match body {
        Body::Empty => builder,
        Body::Json(json) => {
            builder.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(json)
        }
        Body::Form(fields) => builder.form(&fields),
        Body::Multipart(fields) => {
            let (content_type, body) = multipart(&fields);
            builder.header(CONTENT_TYPE, content_type).body(body)
        }
    }
}

/// A form in one piece. The transport would write it part by part, and a receiver that has read the
/// last field before the last byte is there answers and closes: its answer gets lost in a reset.
fn multipart(fields: &[(String, String)]) -> (String, String) {
    let form = Form::new();
    let boundary = form.boundary();
    let mut body = String::new();
    for (name, text) in fields {
        let name = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
        let head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"");
        for part in [&head, "\r\n\r\n", text, "\r\n"] {
            body.push_str(part);
        }
    }
    body.push_str(&format!("--{boundary}--\r\n"));
    (format!("multipart/form-data; boundary={boundary}"), body)
}
