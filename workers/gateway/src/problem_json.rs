//! Errors of our own endpoints, those that no document describes: `application/problem+json`
//! (RFC 9457). They name the parameter and never repeat a value.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a request to one of our own endpoints ends here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProblemJson {
    /// 400: a parameter is refused; its name and why.
    Parameter(&'static str, &'static str),
    /// 401: no key, or not a valid one.
    NotAuthorised,
    /// 404: not there, or not yet; the text says which.
    NotFound(&'static str),
    /// 429: too many queries.
    TooMany,
    /// 503: Postgres is away, or too much is under way.
    Unavailable,
}

impl From<fleet_store::StoreError> for ProblemJson {
    fn from(error: fleet_store::StoreError) -> Self {
        tracing::error!(error = %error, "store failed");
        Self::Unavailable
    }
}

impl IntoResponse for ProblemJson {
    fn into_response(self) -> Response {
        let again = matches!(self, Self::TooMany | Self::Unavailable);
        let (status, detail) = match self {
            Self::Parameter(name, why) => (StatusCode::BAD_REQUEST, format!("{name} {why}")),
            Self::NotAuthorised => {
                (StatusCode::UNAUTHORIZED, "X-API-Key is missing or not valid".to_owned())
            }
            Self::NotFound(what) => (StatusCode::NOT_FOUND, what.to_owned()),
            Self::TooMany => {
                (StatusCode::TOO_MANY_REQUESTS, "too many queries, come again later".to_owned())
            }
            Self::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "not available, come again".to_owned())
            }
        };
        let title = status.canonical_reason().unwrap_or_default();
        let body = json!({
            "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail,
        });
        let mut response = (status, body.to_string()).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        if again {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
