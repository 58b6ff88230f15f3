//! How outside parties are spoken to: a closed list by party. Imports parse it, workers match on it,
//! and what each adapter cannot do is refused before anybody waits for it.

use serde::{Deserialize, Serialize};

use crate::NotifyChannel;

/// The kind of party behind a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// Reserves, captures, cancels.
    Bank,
    /// Dispenses.
    Supplier,
    /// Takes fraud reports.
    Desk,
    /// Sends messages to people.
    Channel,
}

impl Party {
    /// Every kind of party.
    pub const ALL: [Self; 4] = [Self::Bank, Self::Supplier, Self::Desk, Self::Channel];

    /// The word in files and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bank => "bank",
            Self::Supplier => "supplier",
            Self::Desk => "desk",
            Self::Channel => "channel",
        }
    }
}

/// How an unknown outcome can be cleared up with this party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inquiry {
    /// It answers look-ups; "not found" is trusted once `settle_time` has passed.
    LookUp,
    /// The same reference again is safe and brings the first answer.
    Repeat,
    /// It calls us back, and answers nothing.
    Callback,
    /// Neither: a person asks.
    None,
}

impl Inquiry {
    /// The word in files and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LookUp => "look_up",
            Self::Repeat => "repeat",
            Self::Callback => "callback",
            Self::None => "none",
        }
    }
}

/// How a funding source is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceAdapter {
    /// The bank interface of the contract.
    Bank,
    /// The same, but the money is taken at once, and goes back when that is asked.
    Charge,
    /// The same without a call for giving it back.
    ChargeOnly,
    /// An operator asks the buyer by SMS, and charges.
    MoCharge,
    /// The buyer pays on the source's page.
    CardPayment,
    /// The buyer's app pays at the source.
    CardSale,
}

impl SourceAdapter {
    /// Every adapter; each has its file in `workers/reservation/src/sources`.
    pub const ALL: [Self; 6] = [
        Self::Bank,
        Self::Charge,
        Self::ChargeOnly,
        Self::MoCharge,
        Self::CardPayment,
        Self::CardSale,
    ];

    /// The word in connectors' rows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bank => "bank",
            Self::Charge => "charge",
            Self::ChargeOnly => "charge-only",
            Self::MoCharge => "mo-charge",
            Self::CardPayment => "card-payment",
            Self::CardSale => "card-sale",
        }
    }

    /// Whether the source asks the buyer, so that it decides nothing by itself.
    #[must_use]
    pub const fn asks_the_buyer(self) -> bool {
        match self {
            Self::MoCharge | Self::CardPayment | Self::CardSale => true,
            Self::Bank | Self::Charge | Self::ChargeOnly => false,
        }
    }
}

/// How a supplier is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SupplierAdapter {
    /// The supplier interface of the contract.
    Vend,
    /// The client hands the goods over itself.
    OwnGoods,
}

impl SupplierAdapter {
    /// Every adapter; each has its file in `workers/dispensing/src/suppliers`.
    pub const ALL: [Self; 2] = [Self::Vend, Self::OwnGoods];

    /// The word in connectors' rows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vend => "vend",
            Self::OwnGoods => "own-goods",
        }
    }
}

/// How a fraud desk is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeskAdapter {
    /// The transaction report of the contract's section 4.
    FraudStop,
}

impl DeskAdapter {
    /// Every adapter; each has its file in `workers/fraud-reporting/src/desks`.
    pub const ALL: [Self; 1] = [Self::FraudStop];

    /// The word in connectors' rows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FraudStop => "fraudstop",
        }
    }
}

/// The adapter of a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Adapter {
    /// Of a bank.
    Source(SourceAdapter),
    /// Of a supplier.
    Supplier(SupplierAdapter),
    /// Of a fraud desk.
    Desk(DeskAdapter),
    /// Of a provider of messages.
    Channel(NotifyChannel),
    /// A word that this build does not know for the connector's party. An import refuses it; in a
    /// stored row it was written by another build, and nothing can be sent there.
    Unknown(String),
}

impl Adapter {
    /// The adapter that a party's row names.
    #[must_use]
    pub fn of(party: Party, word: &str) -> Self {
        let known = Self::all_of(party).into_iter().find(|adapter| adapter.name() == word);
        known.unwrap_or_else(|| Self::Unknown(word.to_owned()))
    }

    /// Every adapter of a party.
    #[must_use]
    pub fn all_of(party: Party) -> Vec<Self> {
        match party {
            Party::Bank => SourceAdapter::ALL.map(Self::Source).into(),
            Party::Supplier => SupplierAdapter::ALL.map(Self::Supplier).into(),
            Party::Desk => DeskAdapter::ALL.map(Self::Desk).into(),
            Party::Channel => NotifyChannel::ALL.map(Self::Channel).into(),
        }
    }

    /// Whether no worker of this build can speak to it.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }

    /// The word in connectors' rows.
    #[must_use]
    pub const fn name(&self) -> &str {
        match self {
            Self::Source(adapter) => adapter.name(),
            Self::Supplier(adapter) => adapter.name(),
            Self::Desk(adapter) => adapter.name(),
            Self::Channel(adapter) => adapter.name(),
            Self::Unknown(word) => word.as_str(),
        }
    }

    /// How an unknown outcome can be cleared up by this adapter.
    #[must_use]
    pub const fn inquiries(&self) -> &'static [Inquiry] {
        match self {
            // Nobody calls us back for these, so a wait for it would end with a person.
            Self::Source(
                SourceAdapter::Bank | SourceAdapter::Charge | SourceAdapter::ChargeOnly,
            ) => &[Inquiry::LookUp, Inquiry::Repeat, Inquiry::None],
            Self::Source(
                SourceAdapter::MoCharge | SourceAdapter::CardPayment | SourceAdapter::CardSale,
            ) => &[Inquiry::Callback],
            Self::Supplier(SupplierAdapter::Vend) => {
                &[Inquiry::LookUp, Inquiry::Repeat, Inquiry::Callback, Inquiry::None]
            }
            Self::Supplier(SupplierAdapter::OwnGoods) => &[Inquiry::None],
            // A report or question that is told twice counts once.
            Self::Desk(DeskAdapter::FraudStop) => &[Inquiry::Repeat],
            Self::Channel(NotifyChannel::Sms | NotifyChannel::Email) => {
                &[Inquiry::Repeat, Inquiry::None]
            }
            Self::Unknown(_) => &[],
        }
    }
}

/// Where a client's results can go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResultChannel {
    /// Transact Result.
    TransactResult,
    /// Instant Payment Notification.
    Ipn,
    /// The end of a card payment.
    CardGet,
}

impl ResultChannel {
    /// Every channel; each has its file in `workers/result-delivery/src/channels`.
    pub const ALL: [Self; 3] = [Self::TransactResult, Self::Ipn, Self::CardGet];

    /// The word in clients' rows, orders and delivery rows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TransactResult => "transact_result",
            Self::Ipn => "ipn",
            Self::CardGet => "card_get",
        }
    }

    /// The channel of a word, if it is one.
    #[must_use]
    pub fn from_name(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.name() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_an_adapter_of_its_own_party_only() {
        for party in Party::ALL {
            for adapter in Adapter::all_of(party) {
                assert_eq!(Adapter::of(party, adapter.name()), adapter);
                assert!(!adapter.inquiries().is_empty(), "{adapter:?}");
                for other in Party::ALL.into_iter().filter(|other| *other != party) {
                    let word = adapter.name();
                    assert_eq!(Adapter::of(other, word), Adapter::Unknown(word.to_owned()));
                }
            }
            for word in ["", "Bank", "vend ", "frausdtop"] {
                assert_eq!(Adapter::of(party, word), Adapter::Unknown(word.to_owned()));
                assert!(Adapter::of(party, word).inquiries().is_empty());
            }
        }
    }
}
