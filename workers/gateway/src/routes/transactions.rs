//! Transaction Query: the caller's own purchases, as long as they are kept, by the id that the IPN tells.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fleet_contracts::openapi::{Content, Document, Operation, Parameter};
use fleet_contracts::{FrozenIpn, TransactionReply};
use fleet_domain::{Client, PurchaseId, later};
use fleet_store::{StoreError, Transaction, TransactionHold};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::accept::accepts_json;
use crate::api::RAW_KEY;
use crate::caller::{client_of, only};
use crate::places::Shed;
use crate::shape::WRONG_METHOD;
use crate::{Gateway, Present};

/// Why a query ends here; the body is `{"error":{"code","message"}}`, the code the HTTP status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum QueryProblem {
    /// 400: the id is none of ours.
    BadId,
    /// 400: the body is refused.
    Rejected(String),
    /// 401: no API key, or not a valid one.
    NotAuthorised,
    /// 403: an operator holds it back.
    Held,
    /// 404: no such transaction of this organisation.
    NotFound,
    /// What no handler says.
    Told(StatusCode, &'static str),
    /// 406: something else than JSON is wanted.
    NotJson,
    /// 410: it was removed, or is older than what is shown.
    Removed,
    /// 429: too many queries.
    TooMany,
    /// 500: what is stored cannot be read.
    Ours,
    /// 503: Postgres is away, or too much is under way.
    Unavailable,
}

impl QueryProblem {
    fn told(&self) -> (StatusCode, &str) {
        match self {
            Self::Rejected(message) => (StatusCode::BAD_REQUEST, message),
            Self::BadId => (StatusCode::BAD_REQUEST, "the transaction id is malformed"),
            Self::NotAuthorised => {
                (StatusCode::UNAUTHORIZED, "Authorization holds no valid API key")
            }
            Self::Held => (StatusCode::FORBIDDEN, "the transaction is held back"),
            Self::NotFound => (StatusCode::NOT_FOUND, "there is no such transaction"),
            Self::Told(status, message) => (*status, message),
            Self::NotJson => (StatusCode::NOT_ACCEPTABLE, "only application/json is offered"),
            Self::Removed => (StatusCode::GONE, "the transaction is not kept any more"),
            Self::TooMany => (StatusCode::TOO_MANY_REQUESTS, "too many queries, come again later"),
            Self::Ours => (StatusCode::INTERNAL_SERVER_ERROR, "the transaction cannot be read"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "not available, come again"),
        }
    }
}

impl QueryProblem {
    fn body(&self) -> Value {
        let (status, message) = self.told();
        let error = QueryErrorDetail { code: status.as_u16(), message: message.to_owned() };
        json!(QueryError { error })
    }
}

impl IntoResponse for QueryProblem {
    fn into_response(self) -> Response {
        let status = self.told().0;
        let mut response = (status, Json(self.body())).into_response();
        if matches!(self, Self::TooMany | Self::Unavailable) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<StoreError> for QueryProblem {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = %error, "store failed");
        match error {
            StoreError::Retry { .. } => Self::Unavailable,
            StoreError::Refused { .. }
            | StoreError::Unfit { .. }
            | StoreError::Unreadable(_)
            | StoreError::Schema(_) => Self::Ours,
        }
    }
}

impl From<Shed> for QueryProblem {
    fn from(_: Shed) -> Self {
        Self::Unavailable
    }
}

/// Another method than the path's.
pub(crate) const WRONG: QueryProblem = QueryProblem::Told(WRONG_METHOD.0, WRONG_METHOD.1);

impl QueryProblem {
    /// All that a query may meet.
    const ALL: [Self; 10] = [
        Self::BadId,
        Self::NotAuthorised,
        Self::Held,
        Self::NotFound,
        WRONG,
        Self::NotJson,
        Self::Removed,
        Self::TooMany,
        Self::Ours,
        Self::Unavailable,
    ];
}

/// The body of an error, as the document has it.
#[derive(Debug, Serialize, JsonSchema)]
struct QueryError {
    error: QueryErrorDetail,
}

/// What is wrong.
#[derive(Debug, Serialize, JsonSchema)]
struct QueryErrorDetail {
    /// The HTTP status.
    code: u16,
    /// For people.
    message: String,
}

/// What Transaction Query is.
pub(crate) fn describe(document: &mut Document) -> Operation {
    let reply = Content::json(document.written::<TransactionReply>());
    let mut operation = Operation::new("transactionQuery", "Transaction Query (ClickPayAfrica)")
        .about("The caller's own purchases, 400 days unless it is set up otherwise. Other methods are answered 405.")
        .tag("look-ups")
        .allowed_by(&[RAW_KEY])
        .parameters([Parameter::path_reference(
            "id",
            "`transactionid` of the IPN, our `raasTxnRef`",
        )])
        .reply(200, "found", reply);
    operation = describe_problems(operation, document, &QueryProblem::ALL);
    operation.header(405, "Allow", "`GET`")
}

/// Describes how an operation of this document may fail.
pub(crate) fn describe_problems(
    mut operation: Operation,
    document: &mut Document,
    problems: &[QueryProblem],
) -> Operation {
    let shape = document.written::<QueryError>();
    for problem in problems {
        let (status, message) = problem.told();
        let content = Content::json(shape.clone()).example("error", problem.body());
        operation = operation.reply(status.as_u16(), message, content);
        if matches!(problem, QueryProblem::TooMany | QueryProblem::Unavailable) {
            operation = operation.header(status.as_u16(), "Retry-After", "seconds");
        }
    }
    operation
}

/// The client whose raw key `Authorization` holds, while it may ask and takes JSON: what every path of
/// this document begins with.
pub(crate) fn client_of_raw_key<'d>(
    gateway: &Gateway,
    directory: &'d Present,
    headers: &HeaderMap,
) -> Result<&'d Client, QueryProblem> {
    let key = only(headers, header::AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    let client = client_of(directory, key).ok_or(QueryProblem::NotAuthorised)?;
    if !gateway.queries.take(client.id, Instant::now()) {
        return Err(QueryProblem::TooMany);
    }
    if !accepts_json(headers) {
        return Err(QueryProblem::NotJson);
    }
    Ok(client)
}

/// GET `/api/transactions/{id}`.
pub(crate) async fn query(
    State(gateway): State<Gateway>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Json<TransactionReply>, QueryProblem> {
    let directory = gateway.directory.current();
    let client = client_of_raw_key(&gateway, &directory, &headers)?;
    let Path(id) = id.map_err(|_no_text| QueryProblem::BadId)?;
    let id: PurchaseId = id.parse().map_err(|_error| QueryProblem::BadId)?;
    let _pass = gateway.doors.client(client.id).await?;
    let found = gateway.store.find_transaction(client.id, id).await?;
    let found = found.ok_or(QueryProblem::NotFound)?;
    match found.hold {
        Some(TransactionHold::Held) => return Err(QueryProblem::Held),
        Some(TransactionHold::Removed) => return Err(QueryProblem::Removed),
        None => {}
    }
    let created_at = found.purchase.progress.created_at;
    if later(created_at, gateway.transactions_kept) < directory.now() {
        return Err(QueryProblem::Removed);
    }
    reply(client, &found).map(Json).ok_or(QueryProblem::Ours)
}

fn reply(client: &Client, found: &Transaction) -> Option<TransactionReply> {
    let frozen = found.ipn.as_ref().and_then(|text| FrozenIpn::from_text(text.expose()));
    TransactionReply::of(&found.purchase, client, frozen.as_ref())
}
