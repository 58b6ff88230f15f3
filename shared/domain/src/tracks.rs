//! The tracks of a purchase: one state machine per kind of work, each written by that kind alone.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An event that a state does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{track} track: {event} is not allowed in state {state}")]
pub struct IllegalTransition {
    /// The track.
    pub track: &'static str,
    /// The state it is in.
    pub state: &'static str,
    /// The event that was refused.
    pub event: &'static str,
}

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident => $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_meta])* #[serde(rename = $word)] $variant),+
        }

        impl $name {
            /// Every value, in the order of the source.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word in tables, messages and commands.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The value of a word, if it is one.
            #[must_use]
            pub fn from_name(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

words! {
    /// Who reserves the funds.
    Scenario {
        /// The client holds the reservation (Transact).
        ClientReserved => "client_reserved",
        /// We reserve at the funding source (Reserve and Transact).
        WeReserve => "we_reserve",
    }
}

words! {
    /// How a purchase came in.
    WayIn {
        /// The gateway.
        Http => "http",
        /// A `purchase.requested` message.
        Amqp => "amqp",
    }
}

words! {
    /// The kind of funding source.
    FundingType {
        /// The client's own reservation.
        Client => "client",
        /// A bank: reserve, then capture or cancel.
        Bank => "bank",
        /// An operator's SMS charge: money is taken at once.
        MoCharge => "mo_charge",
        /// A card sale on a device: money is taken at once.
        CardSale => "card_sale",
        /// A card payment on the source's own page: money is taken at once.
        CardPayment => "card_payment",
    }
}

words! {
    /// The buyer's funds.
    ReserveState {
        /// The client holds them: nothing for us to do.
        NotNeeded => "not_needed",
        /// The fraud desk is asked about the purchase's token first.
        Validating => "validating",
        /// To be reserved.
        Pending => "pending",
        /// The source has asked the buyer, who has not answered: nothing is charged so far.
        Asked => "buyer_asked",
        /// Nobody knows whether they are reserved.
        Unknown => "reservation_unknown",
        /// Reserved.
        Reserved => "reserved",
        /// The funding source took the money at once: there is no hold to settle.
        Charged => "charged",
        /// The funding source refused.
        Refused => "refused",
        /// Known not to be reserved: the plan or the validity ended.
        Failed => "failed",
    }
}

words! {
    /// What a reserve task learnt, or the validate task before it.
    ReserveEvent {
        /// The fraud desk has nothing against the token: we reserve next.
        Admitted => "admitted",
        /// The same, and the client holds the funds already.
        AdmittedHeld => "admitted_held",
        /// The funding source holds the funds.
        Reserved => "reserved",
        /// It took the money at once.
        Charged => "charged",
        /// It asked the buyer, who decides.
        Asked => "buyer_asked",
        /// It refused.
        Refused => "refused",
        /// The answer got lost.
        Lost => "lost",
        /// A trusted look-up says that nothing happened.
        NotDone => "not_done",
        /// Known not done, and nothing more will be tried.
        GaveUp => "gave_up",
    }
}

impl ReserveState {
    /// Whether the source was let at it and may still take the funds.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Asked | Self::Unknown)
    }

    /// The state after an event. The same final event again leaves it unchanged.
    ///
    /// # Errors
    /// [`IllegalTransition`] when a final state is contradicted.
    pub fn on(self, event: ReserveEvent) -> Result<Self, IllegalTransition> {
        let refuse =
            || Err(IllegalTransition { track: "reserve", state: self.name(), event: event.name() });
        match self {
            Self::Validating => match event {
                ReserveEvent::Admitted => Ok(Self::Pending),
                ReserveEvent::AdmittedHeld => Ok(Self::NotNeeded),
                ReserveEvent::Refused => Ok(Self::Refused),
                ReserveEvent::GaveUp => Ok(Self::Failed),
                ReserveEvent::Reserved
                | ReserveEvent::Charged
                | ReserveEvent::Asked
                | ReserveEvent::Lost
                | ReserveEvent::NotDone => refuse(),
            },
            Self::Pending | Self::Asked | Self::Unknown => match event {
                ReserveEvent::Asked => Ok(Self::Asked),
                ReserveEvent::Reserved => Ok(Self::Reserved),
                ReserveEvent::Charged => Ok(Self::Charged),
                ReserveEvent::Refused => Ok(Self::Refused),
                ReserveEvent::Lost => Ok(Self::Unknown),
                ReserveEvent::NotDone => Ok(Self::Pending),
                ReserveEvent::GaveUp => Ok(Self::Failed),
                ReserveEvent::Admitted | ReserveEvent::AdmittedHeld => refuse(),
            },
            Self::Reserved if event == ReserveEvent::Reserved => Ok(self),
            Self::Charged if event == ReserveEvent::Charged => Ok(self),
            Self::Refused if event == ReserveEvent::Refused => Ok(self),
            Self::Failed if event == ReserveEvent::GaveUp => Ok(self),
            Self::NotNeeded | Self::Reserved | Self::Charged | Self::Refused | Self::Failed => {
                refuse()
            }
        }
    }
}

words! {
    /// The goods.
    DispenseState {
        /// No supplier has answered yet.
        NotStarted => "not_started",
        /// The supplier works on it.
        Pending => "dispense_pending",
        /// Nobody knows whether they were dispensed.
        Unknown => "dispense_unknown",
        /// Dispensed.
        Dispensed => "dispensed",
        /// Known not to be dispensed, for good.
        Failed => "failed",
    }
}

words! {
    /// What a dispense task learnt.
    DispenseEvent {
        /// The goods are out.
        Dispensed => "dispensed",
        /// The supplier accepted and is not done.
        Accepted => "accepted",
        /// The answer got lost.
        Lost => "lost",
        /// The supplier refused this vend, or a trusted look-up does not know it.
        NotDone => "not_done",
        /// Known not done, and nothing more will be tried.
        GaveUp => "gave_up",
    }
}

impl DispenseState {
    /// The state after an event. The same final event again leaves it unchanged.
    ///
    /// # Errors
    /// [`IllegalTransition`] when a final state is contradicted.
    pub fn on(self, event: DispenseEvent) -> Result<Self, IllegalTransition> {
        let refuse = || {
            Err(IllegalTransition { track: "dispense", state: self.name(), event: event.name() })
        };
        match self {
            Self::NotStarted | Self::Pending | Self::Unknown => Ok(match event {
                DispenseEvent::Dispensed => Self::Dispensed,
                DispenseEvent::Accepted => Self::Pending,
                DispenseEvent::Lost => Self::Unknown,
                DispenseEvent::NotDone => Self::NotStarted,
                DispenseEvent::GaveUp => Self::Failed,
            }),
            Self::Dispensed if event == DispenseEvent::Dispensed => Ok(self),
            Self::Failed if event == DispenseEvent::GaveUp => Ok(self),
            Self::Dispensed | Self::Failed => refuse(),
        }
    }
}

words! {
    /// What the reservation is to become; written once, by the commit that decides it.
    SettleAs {
        /// Deduct the funds.
        Capture => "capture",
        /// Give them free.
        Cancel => "cancel",
    }
}

words! {
    /// The end of a reservation, or of money that was taken at once and has to go back.
    SettleState {
        /// Nothing decided or nothing answered yet.
        NotStarted => "not_started",
        /// Nobody knows whether the funding source did it.
        Unknown => "settle_unknown",
        /// The funds are deducted.
        Captured => "captured",
        /// The funds are free again.
        Cancelled => "cancelled",
        /// The funding source refuses: in front of a person, the money at risk.
        Refused => "settle_refused",
        /// The money that was taken at once went back to the buyer.
        Refunded => "refunded",
        /// It cannot go back by itself: it is owed to the buyer, in front of a person.
        Owed => "owed_to_buyer",
    }
}

words! {
    /// What a settle or a refund task learnt.
    SettleEvent {
        /// Deducted.
        Captured => "captured",
        /// Given free.
        Cancelled => "cancelled",
        /// The answer got lost.
        Lost => "lost",
        /// The funding source refused.
        Refused => "refused",
        /// The money went back.
        Refunded => "refunded",
        /// The funding source does not give it back.
        Owed => "owed",
    }
}

impl SettleState {
    /// The state after an event. The same final event again leaves it unchanged.
    ///
    /// # Errors
    /// [`IllegalTransition`] when a final state is contradicted.
    pub fn on(self, event: SettleEvent) -> Result<Self, IllegalTransition> {
        let refuse =
            || Err(IllegalTransition { track: "settle", state: self.name(), event: event.name() });
        match self {
            Self::NotStarted | Self::Unknown | Self::Refused => Ok(match event {
                SettleEvent::Captured => Self::Captured,
                SettleEvent::Cancelled => Self::Cancelled,
                SettleEvent::Lost => Self::Unknown,
                SettleEvent::Refused => Self::Refused,
                SettleEvent::Refunded => Self::Refunded,
                SettleEvent::Owed => Self::Owed,
            }),
            Self::Captured if event == SettleEvent::Captured => Ok(self),
            Self::Cancelled if event == SettleEvent::Cancelled => Ok(self),
            Self::Owed if event == SettleEvent::Refunded => Ok(Self::Refunded),
            Self::Owed if event == SettleEvent::Owed => Ok(self),
            Self::Refunded if event == SettleEvent::Refunded => Ok(self),
            Self::Captured | Self::Cancelled | Self::Refunded | Self::Owed => refuse(),
        }
    }
}

words! {
    /// One result on its way to one target.
    DeliveryState {
        /// Not tried yet.
        Queued => "queued",
        /// Tried and not acknowledged.
        Retrying => "retrying",
        /// Acknowledged.
        Sent => "sent",
        /// Its four days are used up.
        Failed => "failed",
        /// The endpoint said that it is gone.
        Disabled => "disabled",
    }
}

words! {
    /// A report to the fraud desk.
    ReportState {
        /// Not accepted yet.
        Queued => "queued",
        /// Accepted.
        Reported => "reported",
        /// Not to be told any more: a purchase on the same token succeeded.
        Superseded => "superseded",
        /// Its week is over.
        Expired => "expired",
        /// Refused for good.
        Dead => "dead",
        /// There was no token to report on.
        NotNeeded => "not_needed",
    }
}

words! {
    /// What the fraud desk was told about a token, over all purchases that name it.
    TokenState {
        /// Nothing yet.
        Nothing => "nothing_sent",
        /// A failure; a success may follow.
        Failure => "failed_sent",
        /// A success: it is never turned back.
        Success => "success_sent",
    }
}

words! {
    /// The fraud desk's seven reasons for a purchase that did not succeed.
    FailureReason {
        /// Low credit.
        NoCredit => "no_credit",
        /// Barred from value-added services.
        VasBar => "vas_bar",
        /// Blacklisted by merchant, aggregator or network.
        BlacklistedMsisdn => "blacklisted_msisdn",
        /// Barred from services for adults.
        ChildBar => "child_bar",
        /// Anything technical, and whatever has no reason of its own.
        TechnicalFault => "technical_fault",
        /// Too many transactions.
        BillingFrequency => "billing_frequency",
        /// The service may not bill at the moment.
        ServiceSuspended => "service_suspended",
    }
}

words! {
    /// `transactionStatus` of the Transaction Lookup.
    PurchaseStatus {
        /// Under way.
        Pending => "PENDING",
        /// The goods are out.
        Success => "SUCCESS",
        /// They never will be.
        Failed => "FAILED",
    }
}

impl PurchaseStatus {
    /// What the tracks of funds and goods add up to for the client.
    #[must_use]
    pub const fn of(reserve: ReserveState, dispense: DispenseState) -> Self {
        match (reserve, dispense) {
            (_, DispenseState::Dispensed) => Self::Success,
            (_, DispenseState::Failed) | (ReserveState::Refused | ReserveState::Failed, _) => {
                Self::Failed
            }
            (
                ReserveState::NotNeeded
                | ReserveState::Validating
                | ReserveState::Pending
                | ReserveState::Asked
                | ReserveState::Unknown
                | ReserveState::Reserved
                | ReserveState::Charged,
                DispenseState::NotStarted | DispenseState::Pending | DispenseState::Unknown,
            ) => Self::Pending,
        }
    }
}

/// The whole table of transitions as text: it stands as a golden file and documents the tracks.
#[must_use]
pub fn transition_table() -> String {
    let mut lines = vec!["track | state | event | next".to_owned()];
    let mut add = |track: &str, state: &str, event: &str, next: Option<&str>| {
        lines.push(format!("{track} | {state} | {event} | {}", next.unwrap_or("-")));
    };
    for state in ReserveState::ALL {
        for event in ReserveEvent::ALL {
            let next = state.on(*event).ok().map(ReserveState::name);
            add("reserve", state.name(), event.name(), next);
        }
    }
    for state in DispenseState::ALL {
        for event in DispenseEvent::ALL {
            let next = state.on(*event).ok().map(DispenseState::name);
            add("dispense", state.name(), event.name(), next);
        }
    }
    for state in SettleState::ALL {
        for event in SettleEvent::ALL {
            let next = state.on(*event).ok().map(SettleState::name);
            add("settle", state.name(), event.name(), next);
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_printed_table_is_the_golden_one() {
        let golden = include_str!("../../../tests/golden/transitions.txt");
        assert_eq!(transition_table(), golden, "run `make schemas` and read the difference");
    }

    proptest! {
        #[test]
        fn no_sequence_of_events_leaves_a_final_state(
            events in proptest::collection::vec(0..6_usize, 0..40)
        ) {
            let mut dispense = DispenseState::NotStarted;
            let mut settle = SettleState::NotStarted;
            for event in events {
                let before = (dispense, settle);
                if let Some(event) = DispenseEvent::ALL.get(event)
                    && let Ok(next) = dispense.on(*event) { dispense = next; }
                if let Some(event) = SettleEvent::ALL.get(event)
                    && let Ok(next) = settle.on(*event) { settle = next; }
                if matches!(before.0, DispenseState::Dispensed | DispenseState::Failed) {
                    prop_assert_eq!(dispense, before.0);
                }
                let ends =
                    [SettleState::Captured, SettleState::Cancelled, SettleState::Refunded];
                if ends.contains(&before.1) {
                    prop_assert_eq!(settle, before.1);
                }
            }
        }
    }
}
