//! How a step speaks to the outside: requests to connectors and clients, and the one place where
//! a transport's failure becomes "not sent" or "unknown".

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use fleet_contracts::{FromTold, codes, read_told};
use fleet_domain::{Authentication, Connector, Private};
use fleet_engine::{Attempt, CallError, Refusal, mark_sent, mark_tried};
use fleet_outbound::{
    AddressPolicy, Body, Call, Carry, Counts, Credentials, Identity, Method, Reuse, SendError,
};
use secrecy::SecretString;
use serde::Serialize;
use url::form_urlencoded;

/// The sender that all steps of a process share.
#[derive(Debug, Clone)]
pub struct Exchange {
    carrier: Arc<dyn Carry>,
    to_clients: AddressPolicy,
}

/// One request.
#[derive(Debug)]
pub struct Request {
    method: Method,
    url: String,
    body: Body,
    headers: Vec<(&'static str, SecretString)>,
    credentials: Credentials,
    to: Receiver,
    counts: Counts,
}

/// Whose endpoint a request goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Receiver {
    /// A client's own.
    Client,
    /// A connector's.
    Connector { plain_http: bool },
}

impl Request {
    /// A POST to a connector's path.
    #[must_use]
    pub fn post(connector: &Connector, path: &str) -> Self {
        Self::to(Method::Post, connector, path)
    }

    /// A GET of a connector's path.
    #[must_use]
    pub fn get(connector: &Connector, path: &str) -> Self {
        Self::to(Method::Get, connector, path)
    }

    fn to(method: Method, connector: &Connector, path: &str) -> Self {
        let url = format!("{}/{path}", connector.base_url.trim_end_matches('/'));
        let to = Receiver::Connector { plain_http: connector.plain_http };
        let credentials = credentials(connector);
        Self { credentials, ..Self::new(method, url, to) }
    }

    /// A POST to a client's own endpoint: only public addresses, unless the settings allow more.
    #[must_use]
    pub fn to_client(url: &str) -> Self {
        Self::of_client(Method::Post, url)
    }

    /// A GET of a client's own endpoint, as [`Self::to_client`].
    #[must_use]
    pub fn get_of_client(url: &str) -> Self {
        Self::of_client(Method::Get, url)
    }

    fn of_client(method: Method, url: &str) -> Self {
        Self::new(method, url.to_owned(), Receiver::Client)
    }

    fn new(method: Method, url: String, to: Receiver) -> Self {
        let (headers, credentials) = (Vec::new(), Credentials::None);
        let counts = Counts::Whole;
        Self { method, url, body: Body::Empty, headers, credentials, to, counts }
    }

    /// Its answer is the status alone, whatever becomes of the body.
    #[must_use]
    pub const fn told_by_status(mut self) -> Self {
        self.counts = Counts::Status;
        self
    }

    /// Its answer is the status, and the body of a 2xx.
    #[must_use]
    pub const fn told_by_success(mut self) -> Self {
        self.counts = Counts::BodyOfSuccess;
        self
    }

    /// A query; texts are escaped.
    #[must_use]
    pub fn query(mut self, fields: &[(&'static str, String)]) -> Self {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(fields);
        self.url = format!("{}?{}", self.url, query.finish());
        self
    }

    /// A query that is text already, behind one that stands in the URL.
    #[must_use]
    pub fn raw_query(mut self, query: &str) -> Self {
        let joint = if self.url.contains('?') { '&' } else { '?' };
        self.url = format!("{}{joint}{query}", self.url);
        self
    }

    /// `Authorization: Basic`.
    #[must_use]
    pub fn basic(mut self, user: &str, password: Option<&Private>) -> Self {
        let password = password.map(Private::expose).unwrap_or_default();
        self.credentials = basic(user, password);
        self
    }

    /// The key itself as `Authorization`.
    #[must_use]
    pub fn raw_key(mut self, key: Option<&Private>) -> Self {
        if let Some(key) = key {
            self.credentials = own_header("authorization", key.expose());
        }
        self
    }

    /// `Accept: application/json`.
    #[must_use]
    pub fn accepts_json(mut self) -> Self {
        self.headers.push(("accept", SecretString::from("application/json".to_owned())));
        self
    }

    /// A JSON body.
    #[must_use]
    pub fn json(self, body: &impl Serialize) -> Self {
        // These bodies are plain structs of strings and numbers: they always serialise.
        self.body(serde_json::to_vec(body).unwrap_or_default())
    }

    /// A JSON body that is bytes already.
    #[must_use]
    pub fn body(mut self, body: Vec<u8>) -> Self {
        self.body = Body::Json(Bytes::from(body));
        self
    }

    /// A form.
    #[must_use]
    pub fn form(mut self, fields: Vec<(&'static str, String)>) -> Self {
        let fields = fields.into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
        self.body = Body::Form(fields);
        self
    }

    /// A multipart form.
    #[must_use]
    pub fn multipart(mut self, fields: Vec<(&'static str, String)>) -> Self {
        let fields = fields.into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
        self.body = Body::Multipart(fields);
        self
    }

    /// The header `Signature` over the body, when there is a secret: for clients, whose row has no
    /// other way. Calls to connectors carry what their row says from the beginning.
    #[must_use]
    pub fn signed_by(mut self, secret: Option<&Private>) -> Self {
        if let Some(secret) = secret {
            self.credentials = signature(secret);
        }
        self
    }
}

/// What a connector's row says that its calls carry.
fn credentials(connector: &Connector) -> Credentials {
    match &connector.authentication {
        Authentication::ByAdapter | Authentication::None => Credentials::None,
        Authentication::Signature(secret) => signature(secret),
        Authentication::ApiKey { header, key } => own_header(header, key.expose()),
        Authentication::Basic { user, password } => basic(user, password.expose()),
        Authentication::Mtls(identity) => Credentials::Certificate(Identity::new(
            &connector.name,
            &identity.certificate,
            identity.key.expose(),
        )),
    }
}

fn signature(secret: &Private) -> Credentials {
    Credentials::Signature(SecretString::from(secret.expose().to_owned()))
}

fn own_header(name: &str, value: &str) -> Credentials {
    Credentials::Header { name: name.to_owned(), value: SecretString::from(value.to_owned()) }
}

fn basic(user: &str, password: &str) -> Credentials {
    let text = BASE64_STANDARD.encode(format!("{user}:{password}"));
    own_header("authorization", &format!("Basic {text}"))
}

/// What came back, whatever its status.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// What the other side asked for.
    pub retry_after: Option<Duration>,
    body: Vec<u8>,
}

impl Answer {
    /// The body, as it came.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// A 4xx says that the other side looked at the request and did nothing. Not so 408 and 429: it did
    /// not look, or not to the end.
    #[must_use]
    pub fn plain_no(&self) -> Option<PlainNo> {
        let status = self.status;
        let is_no = (400..500).contains(&status) && !matches!(status, 408 | 429);
        is_no.then(|| PlainNo { status, text: cause_of(status) })
    }

    /// The decision in a 2xx answer.
    ///
    /// # Errors
    /// 429 is a refusal for now; everything else that is no readable 2xx leaves the outcome unknown.
    pub fn decision<T: FromTold>(&self) -> Result<T, CallError> {
        if self.status == 429 {
            let refusal = Refusal {
                code: codes::ASKED_TOO_OFTEN.to_owned(),
                own_code: None,
                retryable: true,
                reference_used: false,
                retry_after: self.retry_after,
            };
            return Err(CallError::Refused { refusal });
        }
        if !(200..300).contains(&self.status) {
            return Err(CallError::Unknown { cause: cause_of(self.status) });
        }
        read_told(&self.body)
            .map_err(|unreadable| CallError::Unknown { cause: unreadable.to_string() })
    }
}

/// A plain no, in words for the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainNo {
    /// The HTTP status.
    pub status: u16,
    /// What it says.
    pub text: String,
}

/// A status in words. Which of the two sides has to do something about a 401 shows in no other place.
fn cause_of(status: u16) -> String {
    match status {
        401 | 403 => format!("HTTP status {status}: it does not accept how we authenticate"),
        _ => format!("HTTP status {status}"),
    }
}

impl Exchange {
    /// A sender; `to_clients` says where clients' endpoints may be.
    #[must_use]
    pub fn new(carrier: Arc<dyn Carry>, to_clients: AddressPolicy) -> Self {
        Self { carrier, to_clients }
    }

    /// Sends once and reads the answer.
    ///
    /// # Errors
    /// `NotSent` when nothing has left, `Unknown` for anything after the first byte.
    pub async fn send(&self, request: Request, attempt: Attempt) -> Result<Answer, CallError> {
        let policy = match request.to {
            Receiver::Client => self.to_clients.clone(),
            Receiver::Connector { plain_http } => AddressPolicy::of_connector(plain_http),
        };
        let call = Call {
            method: request.method,
            url: request.url,
            headers: request.headers,
            credentials: request.credentials,
            body: request.body,
            deadline: attempt.deadline,
            send_before: attempt.send_before,
            // A call that moves money or goods must know that nothing has left when it could not
            // connect; a result may arrive twice.
            reuse: match request.to {
                Receiver::Client => Reuse::Pooled,
                Receiver::Connector { .. } => Reuse::Fresh,
            },
            policy,
            counts: request.counts,
        };
        match self.carrier.carry(call, mark_sent).await {
            Ok(reply) => Ok(Answer {
                status: reply.status,
                retry_after: reply.retry_after,
                body: reply.body,
            }),
            Err(SendError::NotSent { cause }) => {
                if !cause.is_ours() {
                    mark_tried();
                }
                Err(CallError::NotSent { cause: cause.to_string(), retry_after: None })
            }
            Err(SendError::Unknown { cause }) => {
                Err(CallError::Unknown { cause: cause.to_string() })
            }
        }
    }

    /// Sends once and reads the decision in a 2xx answer.
    ///
    /// # Errors
    /// As [`Exchange::send`] and [`Answer::decision`].
    pub async fn send_decision<T: FromTold>(
        &self,
        request: Request,
        attempt: Attempt,
    ) -> Result<T, CallError> {
        self.send(request, attempt).await?.decision()
    }
}
