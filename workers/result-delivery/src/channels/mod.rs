//! Channels of results, and providers of messages. A new one is one file here, one row in
//! [`ResultChannel`] or [`NotifyChannel`] and its arm below.

mod card_get;
mod email;
mod ipn;
mod sms;
mod transact_result;

use fleet_boot::{Answer, Exchange, Request};
use fleet_contracts::{Message, message_ref};
use fleet_domain::{
    Client, Connector, Delivery, Directory, Job, NotifyChannel, Party, ResultChannel,
};
use fleet_engine::{Attempt, CallError, Refusal, connectors};

use crate::Acknowledged;

/// The name of the connector that a message goes by: its lane's, whatever the client has set up
/// since, because only that one knows the reference.
#[must_use]
pub fn provider_name<'d>(directory: &'d Directory, job: &Job) -> &'d str {
    directory.lanes.get(&job.task.lane).map_or("", |lane| lane.owner.as_str())
}

/// The connector that a message goes by.
///
/// # Errors
/// `NotSent` when it is not in the directory.
pub fn provider<'d>(directory: &'d Directory, job: &Job) -> Result<&'d Connector, CallError> {
    let found = connectors::connector(directory, provider_name(directory, job))?;
    if found.party != Party::Channel {
        return Err(not_sent(format!("connector {} is no channel", found.name)));
    }
    Ok(found)
}

/// Sends one message; any 2xx takes it.
///
/// # Errors
/// `Refused` for good with any other 4xx; for now with 429 and what means the same, and while it does
/// not accept how we authenticate.
pub async fn notify(
    exchange: &Exchange,
    directory: &Directory,
    job: &Job,
    attempt: Attempt,
) -> Result<Acknowledged, CallError> {
    let provider = provider(directory, job)?;
    let delivery = row(job)?;
    let message = Message::from_text(delivery.body.expose());
    let message = message.ok_or_else(|| not_sent("the frozen message is unreadable"))?;
    let reference = message_ref(job.purchase.order.id, delivery.slot);
    let body = match connectors::adapter(provider.channel(), provider)? {
        NotifyChannel::Sms => sms::body(reference, &message),
        NotifyChannel::Email => email::body(reference, &message),
    };
    let request = Request::post(provider, "messages").json(&body).told_by_status();
    let answer = exchange.send(request, attempt).await?;
    match answer.status {
        200..300 => Ok(Acknowledged(answer.status)),
        // 401 and 403: it does not accept how we authenticate, which our row decides, not the message.
        401 | 403 | 408 | 425 | 429 => Err(refused(&answer)),
        400..500 => Err(CallError::Refused { refusal: refusal(&answer, false) }),
        status => Err(CallError::Unknown { cause: status.to_string() }),
    }
}

/// Sends one result.
///
/// # Errors
/// `Refused` with the HTTP status when the listener did not acknowledge; it may be sent again.
pub async fn send(
    exchange: &Exchange,
    client: &Client,
    delivery: &Delivery,
    attempt: Attempt,
) -> Result<Acknowledged, CallError> {
    let channel = ResultChannel::from_name(&delivery.channel)
        .ok_or_else(|| not_sent(format!("channel {} is unknown", delivery.channel)))?;
    let url = client.channels.get(&delivery.channel);
    let url = url.ok_or_else(|| not_sent(format!("no URL for channel {}", delivery.channel)))?;
    match channel {
        ResultChannel::TransactResult => {
            transact_result::send(exchange, client, url, delivery, attempt).await
        }
        ResultChannel::Ipn => ipn::send(exchange, client, url, delivery, attempt).await,
        ResultChannel::CardGet => card_get::send(exchange, url, delivery, attempt).await,
    }
}

/// The row that a task sends.
pub(crate) fn row(job: &Job) -> Result<&Delivery, CallError> {
    job.delivery.as_ref().ok_or_else(|| not_sent("the delivery row is missing"))
}

pub(crate) fn not_sent(cause: impl Into<String>) -> CallError {
    CallError::NotSent { cause: cause.into(), retry_after: None }
}

/// An answer that acknowledges nothing; the same is sent again later.
fn refused(answer: &Answer) -> CallError {
    CallError::Refused { refusal: refusal(answer, true) }
}

fn refusal(answer: &Answer, retryable: bool) -> Refusal {
    Refusal {
        code: answer.status.to_string(),
        own_code: None,
        retryable,
        reference_used: false,
        retry_after: answer.retry_after,
    }
}
