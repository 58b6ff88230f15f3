//! Errors in the documents' own shape: `responseCode` and `responseMessage`. They name the field
//! and never repeat a value.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use fleet_contracts::{Rejection, TransactReply, codes};

/// Why a request ends here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// No key, or not a valid one: the same answer for all.
    NotAuthorised,
    /// The body or a parameter is refused.
    Rejected(Rejection),
    /// The client's reference is taken by another content.
    Conflict,
    /// Nothing found.
    NotFound,
    /// Postgres is not available, or did not say whether it stored the purchase.
    Unavailable,
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<fleet_store::StoreError> for Problem {
    fn from(error: fleet_store::StoreError) -> Self {
        tracing::error!(error = %error, "store failed");
        Self::Unavailable
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code, message) = match self {
            Self::NotAuthorised => (
                StatusCode::UNAUTHORIZED,
                codes::BAD_FORMAT,
                "X-API-Key or Signature is missing or not valid".to_owned(),
            ),
            // Only a malformed request is HTTP's business; other refusals are answers.
            Self::Rejected(rejection) if rejection.code == codes::BAD_FORMAT => {
                (StatusCode::BAD_REQUEST, rejection.code, rejection.message)
            }
            Self::Rejected(rejection) => (StatusCode::OK, rejection.code, rejection.message),
            Self::Conflict => (
                StatusCode::CONFLICT,
                codes::BAD_FORMAT,
                "clientTxnRef was used before for another purchase".to_owned(),
            ),
            Self::NotFound => {
                (StatusCode::NOT_FOUND, codes::BAD_FORMAT, "no such transaction".to_owned())
            }
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                codes::UNEXPECTED,
                "not available: send the same request again".to_owned(),
            ),
        };
        let body = TransactReply {
            response_code: code.to_owned(),
            response_message: message,
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
