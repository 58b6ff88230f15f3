//! `FraudStop`: a transaction report is a multipart form, a validation a plain one. A `success` of 0
//! inside a 200 is an error.

use fleet_boot::{Answer, Exchange, Request};
use fleet_contracts::{DeskReply, FromTold, ValidateReply};
use fleet_domain::Connector;
use fleet_engine::{Attempt, CallError, Refusal};

const REPORT: &str = "api/v2/transaction-report/";
const VALIDATE: &str = "api/v1/token/validate/";

pub(super) async fn report(
    exchange: &Exchange,
    connector: &Connector,
    mut fields: Vec<(&'static str, String)>,
    attempt: Attempt,
) -> Result<(), CallError> {
    fields.push(api_key(connector));
    let answer = exchange.send(Request::post(connector, REPORT).multipart(fields), attempt).await?;
    let reply: DeskReply = decision(&answer)?;
    if reply.success {
        return Ok(());
    }
    Err(refused(&answer, "success 0 inside a 2xx".to_owned(), false))
}

pub(super) async fn validate(
    exchange: &Exchange,
    connector: &Connector,
    mut fields: Vec<(&'static str, String)>,
    attempt: Attempt,
) -> Result<ValidateReply, CallError> {
    fields.push(api_key(connector));
    let answer = exchange.send(Request::post(connector, VALIDATE).form(fields), attempt).await?;
    decision(&answer)
}

fn api_key(connector: &Connector) -> (&'static str, String) {
    let key = connector.secret.as_ref().map(|secret| secret.expose().to_owned());
    ("api_key", key.unwrap_or_default())
}

/// A 2xx is read; 5xx and 429 are refusals for now, everything else for good.
fn decision<T: FromTold>(answer: &Answer) -> Result<T, CallError> {
    match answer.status {
        200..=299 => answer.decision(),
        429 | 500..=599 => Err(refused(answer, answer.status.to_string(), true)),
        status => Err(refused(answer, status.to_string(), false)),
    }
}

fn refused(answer: &Answer, code: String, retryable: bool) -> CallError {
    let retry_after = answer.retry_after;
    let refusal = Refusal { code, own_code: None, retryable, reference_used: false, retry_after };
    CallError::Refused { refusal }
}
