//! A provider of e-mail: a JSON POST of reference, destination, subject and text.

use fleet_contracts::{Message, ProviderMessage};

pub(super) fn body(reference: String, message: &Message) -> ProviderMessage<'_> {
    ProviderMessage {
        reference,
        destination: &message.destination,
        subject: Some(message.subject.as_deref().unwrap_or_default()),
        text: &message.text,
    }
}
