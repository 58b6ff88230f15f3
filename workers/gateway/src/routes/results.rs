//! What a client missed: the feed of its results, and a statement of each of its days. Both are
//! signed with the client's secret, as Transact Result is.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use chrono::NaiveDate;
use fleet_contracts::openapi::{Content, Document, Operation, Parameter};
use fleet_contracts::{FEED_PAGE_MAX, ResultFeed, Statement};
use fleet_domain::{Client, ClientId};
use fleet_outbound::hmac_sha256_base64;
use fleet_store::StatementOf;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;

use crate::Gateway;
use crate::api::by_client;
use crate::caller::caller;
use crate::parameters::Sent;
use crate::places::Pass;
use crate::problem::Problem;
use crate::problem_json::{ProblemJson, fails_as_problem};

/// The query of the feed; unknown parameters are refused.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    /// The number of the last result that the client has; 0 at first.
    #[schemars(with = "Option<i64>", extend("minimum" = 0, "maximum" = i64::MAX))]
    since: Option<String>,
    /// Results on the page; 100 when absent.
    #[schemars(with = "Option<i64>", extend("minimum" = 1, "maximum" = FEED_PAGE_MAX))]
    limit: Option<String>,
}

const SIGNED: &str =
    "the body's signature, as Transact Result has it, where the client has a secret";

/// What the feed is.
pub(crate) fn describe_since(document: &mut Document) -> Operation {
    let query = document.query::<Parameters>();
    let reply = Content::json(document.written::<ResultFeed>());
    let operation = Operation::new("results", "Catch-up feed of the client's results")
        .about(
            "Every ended purchase of the caller, numbered without a gap, vouchers included. Ask \
             again with `since` = the answer's `next` while `more` is true.",
        )
        .tag("look-ups")
        .parameters(query)
        .reply(200, "one page", reply)
        .header(200, "Signature", SIGNED);
    let limit = ProblemJson::Parameter("limit", "must be 1 to 500");
    fails_as_problem(
        by_client(operation),
        document,
        &[limit, ProblemJson::NotAuthorised, ProblemJson::TooMany, ProblemJson::Unavailable],
    )
}

/// What a statement is.
pub(crate) fn describe_statement(document: &mut Document) -> Operation {
    let reply = Content::json(document.written::<Statement>());
    let operation = Operation::new("statement", "What a day's results add up to")
        .about("The same bytes for ever, from five minutes after the end of the day (UTC).")
        .tag("look-ups")
        .parameters([Parameter::path_day("date", "the day, as 2026-01-31")])
        .reply(200, "the day's statement", reply)
        .header(200, "Signature", SIGNED);
    let problems = [
        ProblemJson::Parameter("date", DAY),
        ProblemJson::NotAuthorised,
        ProblemJson::NotFound(NOT_OVER),
        ProblemJson::TooMany,
        ProblemJson::Unavailable,
    ];
    fails_as_problem(by_client(operation), document, &problems)
}

const DAY: &str = "must be a day, as 2026-01-31";
const NOT_OVER: &str = "the statement of a day (UTC) can be had five minutes after its end";

/// GET `/results?since={number}&limit={1..500}`.
pub(crate) async fn since(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    parameters: Result<Sent<Parameters>, Problem>,
) -> Result<Response, ProblemJson> {
    let directory = gateway.directory.current();
    let client = caller(&directory, &headers).map_err(|_refused| ProblemJson::NotAuthorised)?;
    let _pass = admit(&gateway, client).await?;
    let unknown = ProblemJson::Parameter("query", "may have since and limit, once each");
    let Sent(parameters) = parameters.map_err(|_unreadable| unknown)?;
    let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number >= 0);
    let since = number(parameters.since.as_deref().unwrap_or("0"))
        .ok_or(ProblemJson::Parameter("since", "must be a number, 0 or more"))?;
    let limit = parameters.limit.as_deref().map_or(Ok(100), str::parse::<u32>);
    let limit = limit.ok().filter(|limit| (1..=FEED_PAGE_MAX).contains(limit));
    let limit = limit.ok_or(ProblemJson::Parameter("limit", "must be 1 to 500"))?;
    let results = gateway.store.results_since(client.id, since, limit).await?;
    let feed = ResultFeed {
        client_id: client.id.0,
        next: results.last().map_or(since, |result| result.sequence),
        more: u32::try_from(results.len()).is_ok_and(|count| count == limit),
        results,
    };
    // Plain structs of strings and numbers always serialise.
    Ok(signed(client, serde_json::to_string(&feed).unwrap_or_default()))
}

/// GET `/statements/{yyyy-mm-dd}`.
pub(crate) async fn statement(
    State(gateway): State<Gateway>,
    date: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ProblemJson> {
    let directory = gateway.directory.current();
    let client = caller(&directory, &headers).map_err(|_refused| ProblemJson::NotAuthorised)?;
    let _pass = admit(&gateway, client).await?;
    let date = date.map(|Path(date)| date).unwrap_or_default();
    let day = day(&date).ok_or(ProblemJson::Parameter("date", DAY))?;
    match gateway.store.statement(client.id, day).await? {
        StatementOf::Day(text) => Ok(signed(client, text)),
        StatementOf::NotOver => Err(ProblemJson::NotFound(NOT_OVER)),
    }
}

/// Exactly ten characters: other forms of a day would be other names of one statement.
fn day(text: &str) -> Option<NaiveDate> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    (text.len() == 10 && day.to_string() == text).then_some(day)
}

async fn admit(gateway: &Gateway, client: &Client) -> Result<Pass<ClientId>, ProblemJson> {
    if !gateway.queries.take(client.id, Instant::now()) {
        return Err(ProblemJson::TooMany);
    }
    Ok(gateway.doors.client(client.id).await?)
}

/// The exact bytes with their signature; they may hold vouchers, so nobody keeps a copy.
fn signed(client: &Client, body: String) -> Response {
    let secret = client.signature_secret.as_ref();
    let signature = secret.map(|secret| hmac_sha256_base64(secret.expose(), body.as_bytes()));
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(value) = signature.and_then(|text| HeaderValue::try_from(text).ok()) {
        headers.insert("signature", value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_one_name() {
        assert!(day("2026-02-28").is_some());
        for no in ["2026-2-28", "2026-02-30", "26-02-28", "+2026-02-28", "2026-02-28 ", "today", ""]
        {
            assert_eq!(day(no), None, "{no}");
        }
    }
}
