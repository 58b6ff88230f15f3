//! Errors in the documents' own shape: `responseCode` and `responseMessage`. They name the field
//! and never repeat a value.

use std::collections::BTreeSet;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use fleet_contracts::openapi::{Content, Document, Operation};
use fleet_contracts::{BODY_BYTES_MAX, Rejection, TransactReply, codes};
use schemars::json_schema;
use serde_json::json;

use crate::places::Shed;

/// Why a request ends here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// No key, token or signature, or not a valid one: the same answer for all.
    NotAuthorised,
    /// The body or a parameter is refused.
    Rejected(Rejection),
    /// The same where every refusal is a 400, whatever its code.
    BadRequest(Rejection),
    /// The client's reference is taken by another content.
    Conflict,
    /// The client's reference of a notification is taken by another content.
    NotificationConflict,
    /// Nothing found.
    NotFound,
    /// What no handler says.
    Told(StatusCode, &'static str),
    /// Postgres is not available, or did not say whether it stored the purchase.
    Unavailable,
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<Shed> for Problem {
    fn from(_: Shed) -> Self {
        Self::Unavailable
    }
}

impl From<fleet_store::StoreError> for Problem {
    fn from(error: fleet_store::StoreError) -> Self {
        tracing::error!(error = %error, "store failed");
        Self::Unavailable
    }
}

impl Problem {
    /// The status, the code, and the message for people.
    fn told(&self) -> (StatusCode, &'static str, &str) {
        let malformed = codes::BAD_FORMAT;
        match self {
            Self::NotAuthorised => (
                StatusCode::UNAUTHORIZED,
                malformed,
                "X-API-Key, the bearer token or Signature is missing or not valid",
            ),
            // Only a malformed request is HTTP's business; other refusals are answers.
            Self::Rejected(rejection) if rejection.code == malformed => {
                (StatusCode::BAD_REQUEST, malformed, &rejection.message)
            }
            Self::Rejected(rejection) => (StatusCode::OK, rejection.code, &rejection.message),
            Self::BadRequest(rejection) => {
                (StatusCode::BAD_REQUEST, rejection.code, &rejection.message)
            }
            Self::Conflict => (
                StatusCode::CONFLICT,
                malformed,
                "clientTxnRef was used before for another purchase",
            ),
            Self::NotificationConflict => (
                StatusCode::CONFLICT,
                malformed,
                "clientNotificationRef was used before for another notification",
            ),
            Self::NotFound => (StatusCode::NOT_FOUND, malformed, "no such transaction"),
            Self::Told(status, message) => (*status, malformed, message),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                codes::UNEXPECTED,
                "not available: send the same request again",
            ),
        }
    }

    /// A field that is refused, for documents.
    pub(crate) fn of_field(field: &str, problem: &str) -> Self {
        Self::Rejected(Rejection::field(field, problem))
    }
}

/// Describes how an operation may fail.
pub(crate) fn fails(
    mut operation: Operation,
    document: &mut Document,
    problems: &[Problem],
) -> Operation {
    let shape = document.written::<TransactReply>();
    for (number, problem) in problems.iter().enumerate() {
        let (status, code, message) = problem.told();
        let of_status = problems.iter().map(Problem::told).filter(|told| told.0 == status);
        let codes: BTreeSet<&str> = of_status.map(|told| told.1).collect();
        let schema = json_schema!({
            "allOf": [shape],
            "properties": { "responseCode": { "enum": codes } },
        });
        let text = format!("`{code}`: {message}");
        let example = json!({ "responseCode": code, "responseMessage": message });
        let name = format!("{code}-{number}");
        let content = Content::json(schema).example(&name, example);
        operation = operation.reply(status.as_u16(), &text, content);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            operation = operation.header(status.as_u16(), "Retry-After", "seconds");
        }
    }
    operation
}

/// A body that was read to its end.
pub(crate) fn whole(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Rejection> {
    use axum::extract::rejection::FailedToBufferBody::LengthLimitError;
    match body {
        Ok(body) if body.len() <= BODY_BYTES_MAX => Ok(body),
        Ok(_) | Err(BytesRejection::FailedToBufferBody(LengthLimitError(_))) => {
            Err(Rejection::field("body", "is longer than 65536 bytes"))
        }
        Err(_cut) => Err(Rejection::field("body", "did not arrive")),
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code, message) = self.told();
        let body = TransactReply {
            response_code: code.to_owned(),
            response_message: message.to_owned(),
            raas_txn_ref: None,
        };
        let mut response = (status, Json(body)).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let retry = axum::http::HeaderValue::from_static("1");
            response.headers_mut().insert(header::RETRY_AFTER, retry);
        }
        response
    }
}
