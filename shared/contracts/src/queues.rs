//! Exchanges, queues and routing keys: the only place where one is named.

use fleet_domain::TaskKind;

/// The exchange that everything is published to (topic, durable).
pub const EXCHANGE: &str = "fleet";
/// The exchange of dead letters (fanout, durable).
pub const DEAD_EXCHANGE: &str = "fleet.dead";

/// A queue of the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Queue {
    /// `purchase.requested` messages: the purchase itself, until it is stored.
    Requested,
    /// Hints of reserve tasks.
    Reserve,
    /// Hints of settle and refund tasks.
    Settle,
    /// Hints of dispense tasks.
    Dispense,
    /// Hints of deliver tasks.
    Deliver,
    /// Hints of notify tasks.
    Notify,
    /// Hints of report tasks.
    Report,
    /// Dead letters.
    Dead,
}

impl Queue {
    /// Every queue.
    pub const ALL: [Self; 8] = [
        Self::Requested,
        Self::Reserve,
        Self::Settle,
        Self::Dispense,
        Self::Deliver,
        Self::Notify,
        Self::Report,
        Self::Dead,
    ];

    /// Its name at the broker.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requested => "fleet.requested",
            Self::Reserve => "fleet.reserve",
            Self::Settle => "fleet.settle",
            Self::Dispense => "fleet.dispense",
            Self::Deliver => "fleet.deliver",
            Self::Notify => "fleet.notify",
            Self::Report => "fleet.report",
            Self::Dead => "fleet.dead",
        }
    }

    /// Its routing key at [`EXCHANGE`]: the part after the dot. Dead letters have none.
    #[must_use]
    pub const fn routing_key(self) -> Option<&'static str> {
        match self {
            Self::Requested => Some("requested"),
            Self::Reserve => Some("reserve"),
            Self::Settle => Some("settle"),
            Self::Dispense => Some("dispense"),
            Self::Deliver => Some("deliver"),
            Self::Notify => Some("notify"),
            Self::Report => Some("report"),
            Self::Dead => None,
        }
    }

    /// The queue that carries hints of a kind; cases wait for a person and have none.
    #[must_use]
    pub const fn of(kind: TaskKind) -> Option<Self> {
        match kind {
            TaskKind::Reserve => Some(Self::Reserve),
            TaskKind::Dispense => Some(Self::Dispense),
            TaskKind::Settle | TaskKind::Refund => Some(Self::Settle),
            TaskKind::Deliver => Some(Self::Deliver),
            TaskKind::Notify => Some(Self::Notify),
            TaskKind::Report | TaskKind::Validate => Some(Self::Report),
            TaskKind::Case => None,
        }
    }
}
