//! In whose document's words a path answers. One home for what no handler says itself: a path that
//! is none of ours, a wrong method, a head that was refused, maintenance.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fleet_contracts::TokenRefusal;
use fleet_contracts::openapi::{Content, Document, Operation};
use schemars::json_schema;
use serde_json::json;

use crate::problem::{Problem, fails};
use crate::problem_json::{ProblemJson, fails_as_problem};
use crate::routes::{Page, QueryProblem, describe_problems};
use crate::sale_problem::{SaleProblem, fails_as_sale};

/// When a client shall come again, in seconds, while the gateways are closed.
const COME_AGAIN: HeaderValue = HeaderValue::from_static("30");

/// A status and what it says to people.
pub(crate) type Told = (StatusCode, &'static str);

/// No path of ours.
pub(crate) const NO_SUCH_PATH: Told = (StatusCode::NOT_FOUND, "no such path");
/// A path of ours, asked in another way.
pub(crate) const WRONG_METHOD: Told =
    (StatusCode::METHOD_NOT_ALLOWED, "this method is not allowed here");

/// Whose words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Clickatell's `responseCode` and `responseMessage`; also of every path that is nobody's.
    Purchases,
    /// `ClickPayAfrica`'s `error` with `code` and `message`.
    Query,
    /// Billblend's `error` with `cause`, `code` and `message`.
    Sale,
    /// Our own: problem+json.
    Own,
    /// OAuth's `error` and `error_description`.
    Token,
    /// A page for a buyer's browser.
    Page,
}

impl Shape {
    /// The shape of a path, or of the template of one; known by its first part, so that whatever
    /// stands under it answers alike.
    pub(crate) fn of(path: &str) -> Self {
        match path.trim_start_matches('/').split('/').next().unwrap_or_default() {
            "api" => Self::Query,
            "sale" => Self::Sale,
            "results" | "statements" | "consumers" => Self::Own,
            "oauth" => Self::Token,
            "pay" => Self::Page,
            _ => Self::Purchases,
        }
    }

    /// An answer that no handler gives.
    pub(crate) fn answer(self, (status, message): Told) -> Response {
        match self {
            Self::Purchases => Problem::Told(status, message).into_response(),
            Self::Query => QueryProblem::Told(status, message).into_response(),
            Self::Sale => SaleProblem::Told(status, message).into_response(),
            Self::Own => ProblemJson::Told(status, message).into_response(),
            Self::Token => {
                let refusal = token_refusal("invalid_request", message);
                (status, Json(refusal)).into_response()
            }
            Self::Page => Page::Other(status, message).into_response(),
        }
    }

    /// The gateways are closed.
    pub(crate) fn closed(self) -> Response {
        let mut response = match self {
            Self::Purchases => Problem::Unavailable.into_response(),
            Self::Query => QueryProblem::Unavailable.into_response(),
            Self::Sale => SaleProblem::Unavailable.into_response(),
            Self::Own => ProblemJson::Unavailable.into_response(),
            Self::Token => {
                (StatusCode::SERVICE_UNAVAILABLE, Json(token_unavailable())).into_response()
            }
            Self::Page => Page::Unavailable.into_response(),
        };
        response.headers_mut().insert(header::RETRY_AFTER, COME_AGAIN);
        response
    }

    /// Says of an operation how [`Self::closed`] looks, where it does not say so itself.
    pub(crate) fn describe_closed(
        self,
        operation: Operation,
        document: &mut Document,
    ) -> Operation {
        let operation = if operation.tells(503) {
            operation
        } else {
            match self {
                Self::Purchases => fails(operation, document, &[Problem::Unavailable]),
                Self::Query => describe_problems(operation, document, &[QueryProblem::Unavailable]),
                Self::Sale => fails_as_sale(operation, document, &[SaleProblem::Unavailable]),
                Self::Own => fails_as_problem(operation, document, &[ProblemJson::Unavailable]),
                Self::Token => {
                    let content = Content::json(document.written::<TokenRefusal>());
                    let content = content.example("error", json!(token_unavailable()));
                    operation.reply(503, "not available, come again", content)
                }
                Self::Page => {
                    let page = Content::of("text/html", json_schema!({ "type": "string" }));
                    operation.reply(503, "not available, come again", page)
                }
            }
        };
        operation.header(503, "Retry-After", "seconds")
    }
}

/// The Security Service's words while it is away.
fn token_unavailable() -> TokenRefusal {
    token_refusal("temporarily_unavailable", "not available, come again")
}

fn token_refusal(error: &str, description: &str) -> TokenRefusal {
    TokenRefusal { error: error.to_owned(), error_description: description.to_owned() }
}
