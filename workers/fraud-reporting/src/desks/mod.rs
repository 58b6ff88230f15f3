//! Fraud desks. A new one is one file here, one row in [`DeskAdapter`] and its arm below.

mod fraudstop;

use fleet_boot::Exchange;
use fleet_contracts::ValidateReply;
use fleet_domain::{Connector, DeskAdapter, Directory, Job, MsisdnForm, Party, Private};
use fleet_engine::{Attempt, CallError, connectors};
use fleet_outbound::{AES_256_KEY_BYTES, encrypt_aes_256_gcm};

/// The name of a job's desk: the owner of its lane.
#[must_use]
pub fn name(directory: &Directory, job: &Job) -> String {
    directory.lanes.get(&job.task.lane).map(|lane| lane.owner.clone()).unwrap_or_default()
}

/// The desk of a job.
///
/// # Errors
/// `NotSent` when it is not in the directory.
pub fn connector<'d>(directory: &'d Directory, job: &Job) -> Result<&'d Connector, CallError> {
    let name = name(directory, job);
    let found = directory.connectors.get(&name).filter(|connector| connector.party == Party::Desk);
    found.ok_or_else(|| CallError::NotSent {
        cause: format!("connector {name} is not a fraud desk in the directory"),
        retry_after: None,
    })
}

fn adapter(connector: &Connector) -> Result<DeskAdapter, CallError> {
    connectors::adapter(connector.desk_adapter(), connector)
}

/// The buyer's MSISDN in the form that the desk is to get; `None` when it gets none.
///
/// # Errors
/// `NotSent` when it cannot be encrypted: it never leaves in another form.
fn msisdn(connector: &Connector, job: &Job) -> Result<Option<String>, CallError> {
    let source = job.purchase.order.source.expose();
    let Some(rules) = &connector.desk else { return Ok(None) };
    match rules.msisdn {
        MsisdnForm::Omitted => Ok(None),
        MsisdnForm::Plain => Ok(Some(source.to_owned())),
        MsisdnForm::Encrypted => {
            let mut key = [0; AES_256_KEY_BYTES];
            let text = rules.msisdn_key.as_ref().map_or("", Private::expose);
            let read = hex::decode_to_slice(text, &mut key).ok();
            let sealed = read.and_then(|()| encrypt_aes_256_gcm(&key, source));
            sealed.map(Some).ok_or_else(|| CallError::NotSent {
                cause: format!("the msisdn cannot be encrypted for {}", connector.name),
                retry_after: None,
            })
        }
    }
}

/// Asks about the token of a job.
///
/// # Errors
/// `Refused` when the desk gives no word on it; retryable for 5xx and 429.
pub async fn validate(
    exchange: &Exchange,
    connector: &Connector,
    fields: Vec<(&'static str, String)>,
    attempt: Attempt,
) -> Result<ValidateReply, CallError> {
    match adapter(connector)? {
        DeskAdapter::FraudStop => fraudstop::validate(exchange, connector, fields, attempt).await,
    }
}

/// Reports.
///
/// # Errors
/// `Refused` for a definite refusal, retryable for 5xx and 429.
pub async fn report(
    exchange: &Exchange,
    connector: &Connector,
    job: &Job,
    mut fields: Vec<(&'static str, String)>,
    attempt: Attempt,
) -> Result<(), CallError> {
    fields.extend(msisdn(connector, job)?.map(|text| ("msisdn", text)));
    match adapter(connector)? {
        DeskAdapter::FraudStop => fraudstop::report(exchange, connector, fields, attempt).await,
    }
}
