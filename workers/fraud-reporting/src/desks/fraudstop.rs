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
    let reply: DeskReply = decision(connector, &answer)?;
    if reply.success {
        return Ok(());
    }
    let passes = is_for_now(connector, &reply.status) || is_for_now(connector, &reply.message);
    Err(refused(&answer, "success 0 inside a 2xx".to_owned(), passes))
}

/// Whether a word of the desk's, or a status, means that it may say otherwise later: 429 and 5xx, and
/// what its connector lists.
fn is_for_now(connector: &Connector, word: &str) -> bool {
    let status: Option<u16> = word.trim().parse().ok();
    let is_usual = status.is_some_and(|status| matches!(status, 429 | 500..=599));
    is_usual || connector.desk.as_ref().is_some_and(|rules| rules.is_later(word))
}

pub(super) async fn validate(
    exchange: &Exchange,
    connector: &Connector,
    mut fields: Vec<(&'static str, String)>,
    attempt: Attempt,
) -> Result<ValidateReply, CallError> {
    fields.push(api_key(connector));
    let answer = exchange.send(Request::post(connector, VALIDATE).form(fields), attempt).await?;
    decision(connector, &answer)
}

fn api_key(connector: &Connector) -> (&'static str, String) {
    let key = connector.secret.as_ref().map(|secret| secret.expose().to_owned());
    ("api_key", key.unwrap_or_default())
}

/// A 2xx is read; a status that passes is a refusal for now, any other for good.
fn decision<T: FromTold>(connector: &Connector, answer: &Answer) -> Result<T, CallError> {
    match answer.status {
        200..=299 => answer.decision(),
        status => {
            let status = status.to_string();
            let passes = is_for_now(connector, &status);
            Err(refused(answer, status, passes))
        }
    }
}

fn refused(answer: &Answer, code: String, retryable: bool) -> CallError {
    let retry_after = answer.retry_after;
    let refusal = Refusal { code, own_code: None, retryable, reference_used: false, retry_after };
    CallError::Refused { refusal }
}
