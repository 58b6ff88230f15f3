//! Errors of a device sale, in its document's shape: `error.cause`, `error.code`, `error.message`.
//! They name the field and never repeat a value.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fleet_contracts::openapi::{Content, Document, Operation};
use fleet_contracts::{Rejection, SaleError, SaleErrorDetail};
use serde_json::json;

use crate::places::Shed;
use crate::problem::Problem;

/// Why a request of a sale ends here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SaleProblem {
    /// 400: the body is refused.
    Rejected(String),
    /// 403: it is not ours to vouch for.
    Refused(&'static str),
    /// 404: no such sale.
    NotFound,
    /// What no handler says.
    Told(StatusCode, &'static str),
    /// 503: Postgres is away, too much is under way, or it is not known yet.
    Unavailable,
}

impl From<Rejection> for SaleProblem {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection.message)
    }
}

impl From<Shed> for SaleProblem {
    fn from(_: Shed) -> Self {
        Self::Unavailable
    }
}

impl From<fleet_store::StoreError> for SaleProblem {
    fn from(error: fleet_store::StoreError) -> Self {
        tracing::error!(error = %error, "store failed");
        Self::Unavailable
    }
}

impl From<Problem> for SaleProblem {
    fn from(_: Problem) -> Self {
        Self::Unavailable
    }
}

impl SaleProblem {
    fn told(&self) -> (StatusCode, &'static str, &str) {
        match self {
            Self::Rejected(message) => (StatusCode::BAD_REQUEST, "INVALID_REQUEST", message),
            Self::Refused(message) => (StatusCode::FORBIDDEN, "FILTERED", message),
            Self::NotFound => (StatusCode::NOT_FOUND, "INVALID_REQUEST", "no such sale"),
            Self::Told(status, message) => (*status, "INVALID_REQUEST", message),
            Self::Unavailable => {
                let message = "not available: send the same request again";
                (StatusCode::SERVICE_UNAVAILABLE, "SERVER_UNAVAILABLE", message)
            }
        }
    }

    fn body(&self) -> SaleError {
        let (status, cause, message) = self.told();
        let error = SaleErrorDetail {
            cause: cause.to_owned(),
            code: status.as_str().to_owned(),
            message: message.to_owned(),
        };
        SaleError { error, invoice_id: None }
    }
}

/// Describes how an operation of a sale may fail.
pub(crate) fn fails_as_sale(
    mut operation: Operation,
    document: &mut Document,
    problems: &[SaleProblem],
) -> Operation {
    let shape = document.written::<SaleError>();
    for (number, problem) in problems.iter().enumerate() {
        let (status, cause, message) = problem.told();
        let text = format!("`{cause}`: {message}");
        let content = Content::json(shape.clone());
        let content = content.example(&format!("{cause}-{number}"), json!(problem.body()));
        operation = operation.reply(status.as_u16(), &text, content);
        if *problem == SaleProblem::Unavailable {
            operation = operation.header(status.as_u16(), "Retry-After", "seconds");
        }
    }
    operation
}

impl IntoResponse for SaleProblem {
    fn into_response(self) -> Response {
        let mut response = (self.told().0, Json(self.body())).into_response();
        if self == Self::Unavailable {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
