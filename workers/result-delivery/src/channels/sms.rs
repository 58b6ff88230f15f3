//! A provider of short messages: a JSON POST of reference, destination and text.

use fleet_contracts::{Message, ProviderMessage};

pub(super) fn body(reference: String, message: &Message) -> ProviderMessage<'_> {
    ProviderMessage {
        reference,
        destination: &message.destination,
        subject: None,
        text: &message.text,
    }
}
