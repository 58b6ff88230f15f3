//! Messages to buyer and recipient (contracts, section 1, "Notification"): what the end of a purchase
//! makes of the client's templates, what a client asks for by the API, and what providers get.

mod request;
mod template;

use chrono::{DateTime, Utc};
use fleet_domain::{
    Directory, FollowUp, LaneId, MESSAGE_SLOTS, NewDelivery, NotifyChannel, NotifyEvent, Private,
    ProductType, Purchase, PurchaseId, TaskKind, later, phone_number,
};
use serde::{Deserialize, Serialize};

pub(crate) use request::{EMAIL_BYTES_MAX, email};
pub use request::{
    EMAIL_CHANNEL_ID, NOTIFICATIONS_MAX, NewNotification, NotificationBody, NotificationReply,
    SMS_CHANNEL_ID, accept_notification,
};
pub use template::check_template;

use crate::Outcome;

/// The most characters of an SMS' text, as the documents' provider takes them.
const SMS_CHARS_MAX: usize = 1_600;
/// Nothing new is sent of a message after this: late news is of no use to anybody.
const SEND_FOR: std::time::Duration = std::time::Duration::from_secs(86_400);

/// A message as it is frozen: the same each time it is sent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// An MSISDN or an e-mail address.
    pub destination: String,
    /// Of e-mails only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The whole text.
    pub text: String,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Message([private])")
    }
}

impl Message {
    /// The text to freeze.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What was frozen; `None` for anything else.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// What a provider gets, by `POST {base}/messages` [ours].
#[derive(Serialize)]
#[expect(missing_debug_implementations, reason = "it holds personal data and lives for one line")]
pub struct ProviderMessage<'m> {
    /// The message's reference, by which a provider deduplicates.
    pub reference: String,
    /// An MSISDN or an e-mail address.
    pub destination: &'m str,
    /// Of e-mails only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<&'m str>,
    /// The whole text.
    pub text: &'m str,
}

/// The reference of a message at its provider: the purchase's and the message's number within it.
#[must_use]
pub fn message_ref(purchase: PurchaseId, slot: i32) -> String {
    format!("{purchase}-n{slot}")
}

/// The task that sends a message which is made now.
pub(crate) fn send_task(slot: i32, lane: LaneId, now: DateTime<Utc>) -> FollowUp {
    let until = Some(later(now, SEND_FOR));
    FollowUp { kind: TaskKind::Notify, slot, lane, start_by: until, deadline_at: until }
}

/// What the end of a purchase tells buyer or recipient: one message by each channel that the order
/// asks for, where it says to whom.
pub(crate) fn messages(
    directory: &Directory,
    purchase: &Purchase,
    outcome: &Outcome,
    now: DateTime<Utc>,
) -> Vec<(NewDelivery, FollowUp)> {
    let asked = &purchase.order.details.notify;
    let asks = |channel: &NotifyChannel| asked.iter().any(|name| name == channel.name());
    let channels = NotifyChannel::ALL.into_iter().filter(asks);
    channels.filter_map(|channel| message(directory, purchase, outcome, channel, now)).collect()
}

fn message(
    directory: &Directory,
    purchase: &Purchase,
    outcome: &Outcome,
    channel: NotifyChannel,
    now: DateTime<Utc>,
) -> Option<(NewDelivery, FollowUp)> {
    let order = &purchase.order;
    let lane = directory.promised_lane(order.client, channel)?;
    let product = directory.products.get(&order.product)?;
    let event = if outcome.code == crate::codes::OK {
        NotifyEvent::RecipientSuccess
    } else {
        NotifyEvent::BuyerFailed
    };
    let (destination, subject, most) = match channel {
        NotifyChannel::Sms => (phone(purchase, &product.product_type, event)?, None, SMS_CHARS_MAX),
        NotifyChannel::Email => {
            let address = order.details.notify_email.clone()?;
            (address, Some(request::subject(&order.id.to_string())), request::EMAIL_CHARS_MAX)
        }
    };
    let own = directory.template(order.client, event);
    let text = template::render(own, event, purchase, &product.name, outcome);
    let text = text.chars().take(most).collect();
    let message = Message { destination, subject, text };
    let slot = slot(channel, event);
    let delivery = NewDelivery {
        slot,
        channel: channel.name().to_owned(),
        body: Private::new(message.to_text()),
    };
    Some((delivery, send_task(slot, lane, now)))
}

/// The slot of a message that a purchase's end makes: no two have the same.
const fn slot(channel: NotifyChannel, event: NotifyEvent) -> i32 {
    let place = match (channel, event) {
        (NotifyChannel::Sms, NotifyEvent::RecipientSuccess) => 0,
        (NotifyChannel::Sms, NotifyEvent::BuyerFailed) => 1,
        (NotifyChannel::Email, NotifyEvent::RecipientSuccess) => 2,
        (NotifyChannel::Email, NotifyEvent::BuyerFailed) => 3,
    };
    MESSAGE_SLOTS.saturating_add(place)
}

/// The number that an SMS goes to.
fn phone(purchase: &Purchase, product_type: &str, event: NotifyEvent) -> Option<String> {
    let order = &purchase.order;
    let buyer = || msisdn(order.source.expose());
    match event {
        NotifyEvent::BuyerFailed => buyer(),
        // A meter's or an account's number may look like a stranger's phone. Who bought for it is
        // told in the recipient's place.
        NotifyEvent::RecipientSuccess => {
            let is_phone =
                ProductType::from_name(product_type).is_some_and(ProductType::targets_a_phone);
            msisdn(order.target.expose()).filter(|_| is_phone).or_else(buyer)
        }
    }
}

/// A number that can be called from anywhere, in its one form: 8 to 15 digits, the first no 0.
fn msisdn(text: &str) -> Option<String> {
    phone_number(text).filter(|number| number.len() >= 8 && !number.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_cannot_be_called_is_no_msisdn() {
        for yes in ["+27 82-123 4567", "0027821234567", "27821234567"] {
            assert_eq!(msisdn(yes).as_deref(), Some("27821234567"), "{yes}");
        }
        for no in ["", "0821234567", "1234567", "1234567890123456", "meter12345678", "+", "++27821"]
        {
            assert_eq!(msisdn(no), None, "{no}");
        }
    }

    #[test]
    fn a_message_is_thawed_as_it_was_frozen_and_never_printed() {
        let message = Message {
            destination: "27821234567".to_owned(),
            subject: Some("A subject".to_owned()),
            text: "Hi \"you\"\n1234".to_owned(),
        };
        assert_eq!(Message::from_text(&message.to_text()), Some(message.clone()));
        assert_eq!(format!("{message:?}"), "Message([private])");
        assert_eq!(Message::from_text("{}"), None);
    }
}
