//! The Notification API: one message that a client wants sent about one of its purchases.

use chrono::{DateTime, Utc};
use fleet_domain::{
    Client, ClientId, Directory, FollowUp, NOTIFICATION_SLOTS, NotifyChannel, Private, PurchaseId,
    is_a_card_number,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Message, SMS_CHARS_MAX, message_ref, msisdn, send_task};
use crate::order::read_body;
use crate::{Rejection, check_unseen, codes, number, source_of};

/// `channelId` of an SMS, as in the documents.
pub const SMS_CHANNEL_ID: i64 = 6;
/// `channelId` of an e-mail [ours]: the documents number 1 to 8 and name none.
pub const EMAIL_CHANNEL_ID: i64 = 9;
/// The most messages that clients may ask for about one purchase.
pub const NOTIFICATIONS_MAX: i32 = 20;

/// The most characters of an e-mail's text.
pub(super) const EMAIL_CHARS_MAX: usize = 10_000;
/// The longest e-mail address.
pub(crate) const EMAIL_BYTES_MAX: usize = 254;

/// The body of `POST /notification/1.0`; unknown fields are ignored.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Notification, version 1")]
pub struct NotificationBody {
    /// The client.
    #[serde(deserialize_with = "number::required")]
    #[schemars(schema_with = "number::schema")]
    pub client_id: i64,
    /// The client's unique reference: the identity of the notification.
    #[schemars(length(min = 1, max = 64))]
    pub client_notification_ref: String,
    /// The purchase that it is about: its `raasTxnRef`.
    #[schemars(length(equal = 36))]
    pub transaction_ref: String,
    /// 6 SMS, 9 e-mail.
    #[serde(deserialize_with = "number::required")]
    #[schemars(schema_with = "number::message_channel_schema")]
    pub channel_id: i64,
    /// An MSISDN, or an e-mail address.
    #[schemars(length(min = 1, max = 254))]
    pub destination_identifier: String,
    /// The buyer; kept with the request only.
    #[schemars(length(max = 32))]
    pub source_identifier: Option<String>,
    /// The text: 1600 characters of an SMS, 10000 of an e-mail.
    #[schemars(length(min = 1, max = 10_000))]
    pub message: String,
}

impl std::fmt::Debug for NotificationBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NotificationBody")
            .field("client_id", &self.client_id)
            .field("channel_id", &self.channel_id)
            .finish_non_exhaustive()
    }
}

impl NotificationBody {
    /// Reads a body of at most [`crate::BODY_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// [`Rejection`] with `4000` that names the field and never repeats a value.
    pub fn from_bytes(body: &[u8]) -> Result<Self, Rejection> {
        read_body(body)
    }
}

/// The reply of the Notification API: the message is stored and will be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Notification reply, version 1")]
pub struct NotificationReply {
    /// `0000`.
    pub response_code: String,
    /// For people.
    pub response_message: String,
    /// The purchase that it is about.
    pub transaction_ref: String,
    /// The client's reference.
    pub client_notification_ref: String,
    /// Ours, which the provider gets too.
    pub notification_ref: String,
}

/// A notification that may be stored, if the purchase is the client's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNotification {
    /// Whose.
    pub client: ClientId,
    /// The client's reference; unique for the client.
    pub reference: String,
    /// The purchase.
    pub purchase: PurchaseId,
    /// By what it goes.
    pub channel: NotifyChannel,
    /// The frozen message.
    pub body: Private,
    /// What "the same content" means, as text; stored as a keyed hash only.
    pub content: Private,
    /// The task that sends it, where the channel is offered now; its slot is given by the store, from
    /// [`NOTIFICATION_SLOTS`] on.
    pub task: Option<FollowUp>,
}

impl NewNotification {
    /// The reply, once it is stored under a slot.
    #[must_use]
    pub fn reply(&self, slot: i32) -> NotificationReply {
        NotificationReply {
            response_code: codes::OK.to_owned(),
            response_message: "Processing Request".to_owned(),
            transaction_ref: self.purchase.to_string(),
            client_notification_ref: self.reference.clone(),
            notification_ref: message_ref(self.purchase, slot),
        }
    }
}

/// Turns a body of this client into a notification. Whether its channel is offered now decides only
/// about a new one.
///
/// # Errors
/// [`Rejection`] with `4000`; it names the field and never repeats a value.
pub fn accept_notification(
    directory: &Directory,
    client: &Client,
    body: &NotificationBody,
    now: DateTime<Utc>,
) -> Result<NewNotification, Rejection> {
    if body.client_id != client.id.0 {
        return Err(Rejection::field("clientId", "is not the client of this API key"));
    }
    text("clientNotificationRef", &body.client_notification_ref, 64, false)?;
    if is_a_card_number(&body.client_notification_ref) && !client.references_are_numbers {
        return Err(Rejection::card("clientNotificationRef"));
    }
    let source = body.source_identifier.as_deref();
    let source = source.map(|text| source_of("sourceIdentifier", text)).transpose()?;
    let purchase = body.transaction_ref.parse();
    let purchase = purchase.map_err(|_error| not_a_transaction())?;
    let channel = match body.channel_id {
        SMS_CHANNEL_ID => NotifyChannel::Sms,
        EMAIL_CHANNEL_ID => NotifyChannel::Email,
        _ => return Err(Rejection::field("channelId", "is not 6 (SMS) or 9 (e-mail)")),
    };
    let message = message(channel, body)?;
    let parts = [
        body.transaction_ref.to_ascii_lowercase(),
        channel.name().to_owned(),
        message.destination.clone(),
        message.text.clone(),
        source.unwrap_or_default(),
    ];
    let content: String = parts.iter().map(|part| format!("{}:{part}", part.len())).collect();
    Ok(NewNotification {
        client: client.id,
        reference: body.client_notification_ref.clone(),
        purchase,
        channel,
        body: Private::new(message.to_text()),
        content: Private::new(content),
        task: directory
            .notify_lane(client.id, channel)
            .map(|lane| send_task(NOTIFICATION_SLOTS, lane, now)),
    })
}

/// The purchase is none of this client: malformed, unknown and another's get one answer.
fn not_a_transaction() -> Rejection {
    Rejection::field("transactionRef", "is not a transaction of this client")
}

fn message(channel: NotifyChannel, body: &NotificationBody) -> Result<Message, Rejection> {
    let sent = body.destination_identifier.as_str();
    check_unseen("destinationIdentifier", sent)?;
    let (destination, subject, most) = match channel {
        NotifyChannel::Sms => (msisdn(sent), None, SMS_CHARS_MAX),
        NotifyChannel::Email => {
            (email(sent), Some(subject(&body.transaction_ref)), EMAIL_CHARS_MAX)
        }
    };
    let destination = destination.ok_or_else(|| match channel {
        NotifyChannel::Sms => Rejection::field("destinationIdentifier", "is not an MSISDN"),
        NotifyChannel::Email => {
            Rejection::field("destinationIdentifier", "is not an e-mail address")
        }
    })?;
    text("message", &body.message, most, true)?;
    Ok(Message { destination, subject, text: body.message.clone() })
}

/// The subject of an e-mail about a purchase.
pub(super) fn subject(purchase: &str) -> String {
    format!("Your purchase {}", purchase.to_ascii_lowercase())
}

fn text(field: &str, text: &str, most: usize, lines: bool) -> Result<(), Rejection> {
    if text.trim().is_empty() {
        return Err(Rejection::field(field, "is empty"));
    }
    if text.chars().count() > most {
        return Err(Rejection::field(field, &format!("is longer than {most} characters")));
    }
    if text.chars().any(|c| c.is_control() && !(lines && matches!(c, '\n' | '\r' | '\t'))) {
        return Err(Rejection::field(field, "has control characters"));
    }
    Ok(())
}

/// An address of the common form, with nothing in it that a mail's header would read as more.
pub(crate) fn email(text: &str) -> Option<String> {
    let text = text.trim_matches(' ');
    let (local, domain) = text.split_once('@')?;
    let is_local = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let is_domain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let labels = || domain.split('.');
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    let holds = text.len() <= EMAIL_BYTES_MAX
        && (1..=64).contains(&local.len())
        && local.chars().all(is_local)
        && domain.chars().all(is_domain)
        && labels().count() >= 2
        && labels().all(is_label);
    holds.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_could_be_read_as_more_is_none() {
        for yes in ["a@b.co", "first.last+tag@mail.example.com", " a@b.co "] {
            assert_eq!(email(yes).as_deref(), Some(yes.trim()), "{yes}");
        }
        let long = format!("{}@b.co", "a".repeat(65));
        for no in [
            "",
            "a",
            "@b.co",
            "a@b",
            "a@@b.co",
            "a@b..co",
            "a@-b.co",
            "a b@c.co",
            "a@b.co\r\nBcc: c@d.co",
            "<a@b.co>",
            "a@b.co,c@d.co",
            &long,
        ] {
            assert_eq!(email(no), None, "{no}");
        }
    }

    #[test]
    fn a_body_names_the_field_that_it_lacks_and_never_a_value() {
        let error = NotificationBody::from_bytes(br#"{"clientId":1,"channelId":"x7"}"#);
        assert_eq!(error.unwrap_err().to_string(), "channelId has the wrong type");
        let error = NotificationBody::from_bytes(br#"{"clientId":1}"#).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("clientNotificationRef"));
    }
}
