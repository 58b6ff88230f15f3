//! Maintenance: while an operator has closed the gateway, every call of a client is told to come
//! again, in the shape of its own document. What suppliers and funding sources tell is still stored:
//! it is about money that has moved.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use fleet_contracts::TokenRefusal;

use crate::Gateway;
use crate::problem::Problem;
use crate::problem_json::ProblemJson;
use crate::routes::{QueryProblem, payment_page_unavailable};
use crate::sale_problem::SaleProblem;

/// When a client shall come again, in seconds.
const COME_AGAIN: HeaderValue = HeaderValue::from_static("30");

/// Lets a request through, unless the gateway is closed to it.
pub(crate) async fn closed(
    State(gateway): State<Gateway>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    if is_open(path) || !gateway.directory.current().maintenance {
        return next.run(request).await;
    }
    let mut response = refusal(path);
    response.headers_mut().insert(header::RETRY_AFTER, COME_AGAIN);
    response
}

/// What no client asks. A card gateway asks about sales that have begun already.
fn is_open(path: &str) -> bool {
    let is_sale = path.starts_with("/sale/") && path != "/sale/initiate-sale";
    path.starts_with("/callbacks/") || path == "/openapi.json" || is_sale
}

/// What the document of this path says of a service that is away.
fn refusal(path: &str) -> Response {
    let begins = |starts: &[&str]| starts.iter().any(|start| path.starts_with(start));
    if begins(&["/api/"]) {
        QueryProblem::Unavailable.into_response()
    } else if begins(&["/results", "/statements/", "/consumers/"]) {
        ProblemJson::Unavailable.into_response()
    } else if begins(&["/sale/"]) {
        SaleProblem::Unavailable.into_response()
    } else if begins(&["/pay/"]) {
        payment_page_unavailable()
    } else if path == "/oauth/token" {
        (StatusCode::SERVICE_UNAVAILABLE, Json(token_refusal())).into_response()
    } else {
        Problem::Unavailable.into_response()
    }
}

/// The Security Service's words.
pub(crate) fn token_refusal() -> TokenRefusal {
    TokenRefusal {
        error: "temporarily_unavailable".to_owned(),
        error_description: "not available, come again".to_owned(),
    }
}
