//! Why a message stands in `fleet.dead`.

/// The header that names the cause.
pub const CAUSE_HEADER: &str = "fleet-cause";
/// The header that says more: the field and what is wrong with it, never a value.
pub const DETAIL_HEADER: &str = "fleet-detail";
/// The header that names the queue it came from.
pub const QUEUE_HEADER: &str = "fleet-queue";

/// The header that keeps the publisher's `reply_to`.
pub const REPLY_HEADER: &str = "fleet-reply-to";
/// The header that keeps the broker user who published, as the broker checked it.
pub const USER_HEADER: &str = "fleet-user-id";
/// The header that keeps the publisher's `correlation_id` in the table of letters.
pub const CORRELATION_HEADER: &str = "fleet-correlation-id";

/// A cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeadCause {
    /// Not a purchase: the detail names the field.
    Invalid,
    /// The client's reference is taken by another content.
    Conflict,
    /// A similar purchase of a client that wants no second one was in flight.
    SimilarInFlight,
    /// Longer than 64 KiB.
    TooLong,
    /// No `message_id`.
    NoMessageId,
    /// A later version than this build reads; to be replayed after the upgrade.
    NewerVersion,
    /// The broker user may not enqueue for this client.
    NotAllowed,
    /// A job queue got something that is no hint.
    UnreadableHint,
    /// The broker gave it up (delivery limit, expired, rejected).
    Broker,
}

impl DeadCause {
    /// Every cause.
    pub const ALL: [Self; 9] = [
        Self::Invalid,
        Self::Conflict,
        Self::SimilarInFlight,
        Self::TooLong,
        Self::NoMessageId,
        Self::NewerVersion,
        Self::NotAllowed,
        Self::UnreadableHint,
        Self::Broker,
    ];

    /// The word in headers, tables and commands.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::SimilarInFlight => "similar_in_flight",
            Self::TooLong => "too_long",
            Self::NoMessageId => "no_message_id",
            Self::NewerVersion => "newer_version",
            Self::NotAllowed => "not_allowed",
            Self::UnreadableHint => "unreadable_hint",
            Self::Broker => "broker",
        }
    }
}
