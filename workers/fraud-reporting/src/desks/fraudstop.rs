//! `FraudStop`'s transaction report: a multipart form; a `success` of 0 inside a 200 is an error.

use fleet_boot::{Exchange, Request};
use fleet_contracts::DeskReply;
use fleet_domain::Connector;
use fleet_engine::{Attempt, CallError, Refusal};

const PATH: &str = "api/v2/transaction-report/";

pub(super) async fn report(
    exchange: &Exchange,
    connector: &Connector,
    mut fields: Vec<(&'static str, String)>,
    attempt: Attempt,
) -> Result<(), CallError> {
    let key = connector.secret.as_ref().map(|secret| secret.expose().to_owned());
    fields.push(("api_key", key.unwrap_or_default()));
    let answer = exchange.send(Request::post(connector, PATH).multipart(fields), attempt).await?;
    let refused = |code: String, retryable| {
        let retry_after = answer.retry_after;
        let refusal = Refusal { code, retryable, reference_used: false, retry_after };
        Err(CallError::Refused { refusal })
    };
    match answer.status {
        200..=299 => match answer.decision::<DeskReply>() {
            Ok(reply) if reply.success => Ok(()),
            Ok(_) => refused("success 0 inside a 2xx".to_owned(), false),
            Err(error) => Err(error),
        },
        429 | 500..=599 => refused(answer.status.to_string(), true),
        status => refused(status.to_string(), false),
    }
}
