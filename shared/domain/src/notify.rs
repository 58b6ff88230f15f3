//! Messages to buyer and recipient: what goes by what, and what a client has set up for them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ClientId, Directory, LaneId, Party, TaskKind};

/// Slots of messages that the end of a purchase makes begin here; below are results.
pub const MESSAGE_SLOTS: i32 = 100;
/// Slots of messages that a client asked for by the Notification API begin here.
pub const NOTIFICATION_SLOTS: i32 = 200;

/// The kind of task that works on a delivery row.
#[must_use]
pub const fn delivery_kind(slot: i32) -> TaskKind {
    if slot < MESSAGE_SLOTS { TaskKind::Deliver } else { TaskKind::Notify }
}

/// By what a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotifyChannel {
    /// To an MSISDN.
    Sms,
    /// To an e-mail address.
    Email,
}

impl NotifyChannel {
    /// Every channel.
    pub const ALL: [Self; 2] = [Self::Sms, Self::Email];

    /// The word in orders, delivery rows, and adapters of connectors.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Email => "email",
        }
    }

    /// The channel of a word, if it is one.
    #[must_use]
    pub fn from_name(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.name() == word)
    }
}

/// What a message tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotifyEvent {
    /// The buyer is told that the purchase failed.
    BuyerFailed,
    /// The recipient is told that the goods are out, with the voucher.
    RecipientSuccess,
}

impl NotifyEvent {
    /// The word in files and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BuyerFailed => "buyer_failed",
            Self::RecipientSuccess => "recipient_success",
        }
    }
}

/// What a client has set up for messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotifyRules {
    /// The connector of each channel; what is missing is not offered.
    pub connectors: BTreeMap<NotifyChannel, String>,
    /// Which of the client's templates are taken first; `None` = those without a language.
    pub language: Option<String>,
}

impl Directory {
    /// The lane of a client's messages by a channel: its connector's, while that takes new ones.
    #[must_use]
    pub fn notify_lane(&self, client: ClientId, channel: NotifyChannel) -> Option<LaneId> {
        let name = self.clients.get(&client)?.notify.connectors.get(&channel)?;
        let connector = self.connectors.get(name);
        connector.filter(|found| found.active && found.party == Party::Channel)?;
        self.promised_lane(client, channel)
    }

    /// The same for what an order was promised when that took new ones.
    #[must_use]
    pub fn promised_lane(&self, client: ClientId, channel: NotifyChannel) -> Option<LaneId> {
        let name = self.clients.get(&client)?.notify.connectors.get(&channel)?;
        self.lane_of(TaskKind::Notify, name)
    }

    /// A client's own text for an event: in its language, or without one.
    #[must_use]
    pub fn template(&self, client: ClientId, event: NotifyEvent) -> Option<&str> {
        let of = |language: &str| self.templates.get(&(client, event, language.to_owned()));
        let language = self.clients.get(&client).and_then(|row| row.notify.language.as_deref());
        language.and_then(of).or_else(|| of("")).map(String::as_str)
    }
}
