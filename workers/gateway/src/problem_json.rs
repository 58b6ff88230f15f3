//! Errors of our own endpoints, those that no document describes: `application/problem+json`
//! (RFC 9457). They name the parameter and never repeat a value.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fleet_contracts::openapi::{Content, Document, Operation};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::places::Shed;

const KIND: &str = "application/problem+json";

/// Why a request to one of our own endpoints ends here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProblemJson {
    /// 400: a parameter is refused; its name and why.
    Parameter(&'static str, &'static str),
    /// 400: the body is refused; the text names the field.
    Rejected(String),
    /// 401: no key, or not a valid one.
    NotAuthorised,
    /// 404: not there, or not yet; the text says which.
    NotFound(&'static str),
    /// 429: too many queries.
    TooMany,
    /// What no handler says.
    Told(StatusCode, &'static str),
    /// 503: Postgres is away, or too much is under way.
    Unavailable,
}

impl From<Shed> for ProblemJson {
    fn from(_: Shed) -> Self {
        Self::Unavailable
    }
}

impl From<fleet_store::StoreError> for ProblemJson {
    fn from(error: fleet_store::StoreError) -> Self {
        tracing::error!(error = %error, "store failed");
        Self::Unavailable
    }
}

impl From<fleet_contracts::Rejection> for ProblemJson {
    fn from(rejection: fleet_contracts::Rejection) -> Self {
        Self::Rejected(rejection.message)
    }
}

/// The body of an error.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
struct Body {
    /// Always `about:blank`: the status says what it is.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    /// For people; a parameter is named.
    detail: String,
}

impl ProblemJson {
    fn status(&self) -> StatusCode {
        match self {
            Self::Parameter(..) | Self::Rejected(_) => StatusCode::BAD_REQUEST,
            Self::NotAuthorised => StatusCode::UNAUTHORIZED,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Told(status, _) => *status,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn body(&self) -> Body {
        let status = self.status();
        let detail = match self {
            Self::Parameter(name, why) => format!("{name} {why}"),
            Self::Rejected(message) => message.clone(),
            Self::NotAuthorised => {
                "X-API-Key or the bearer token is missing or not valid".to_owned()
            }
            Self::NotFound(text) | Self::Told(_, text) => (*text).to_owned(),
            Self::TooMany => "too many queries, come again later".to_owned(),
            Self::Unavailable => "not available, come again".to_owned(),
        };
        let title = status.canonical_reason().unwrap_or_default();
        Body { kind: "about:blank", title, status: status.as_u16(), detail }
    }

    const fn comes_again(&self) -> bool {
        matches!(self, Self::TooMany | Self::Unavailable)
    }
}

/// Describes how one of our own operations may fail.
pub(crate) fn fails_as_problem(
    mut operation: Operation,
    document: &mut Document,
    problems: &[ProblemJson],
) -> Operation {
    let shape = document.written::<Body>();
    for problem in problems {
        let (status, body) = (problem.status().as_u16(), problem.body());
        let content = Content::of(KIND, shape.clone()).example("error", json!(body));
        operation = operation.reply(status, &body.detail, content);
        if problem.comes_again() {
            operation = operation.header(status, "Retry-After", "seconds");
        }
    }
    operation
}

impl IntoResponse for ProblemJson {
    fn into_response(self) -> Response {
        let body = json!(self.body());
        let mut response = (self.status(), body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(KIND));
        if self.comes_again() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
