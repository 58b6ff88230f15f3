//! A provider of short messages: a JSON POST of reference, destination and text.

use fleet_boot::{Answer, Exchange, Request};
use fleet_contracts::{Message, ProviderMessage};
use fleet_domain::Connector;
use fleet_engine::{Attempt, CallError};

pub(super) async fn send(
    exchange: &Exchange,
    provider: &Connector,
    reference: String,
    message: &Message,
    attempt: Attempt,
) -> Result<Answer, CallError> {
    let body = ProviderMessage {
        reference,
        destination: &message.destination,
        subject: None,
        text: &message.text,
    };
    let request =
        Request::post(provider, "messages").json(&body).signed_by(provider.secret.as_ref());
    exchange.send(request, attempt).await
}
