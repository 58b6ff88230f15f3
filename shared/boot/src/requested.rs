//! What makes a message a purchase, and what becomes of it: one place for the worker that consumes
//! `fleet.requested` and for whoever takes a dead letter of it in again.

use fleet_contracts::{BODY_BYTES_MAX, DeadCause, PurchaseBody, Rejection, unknown_fields};
use fleet_domain::{ClientId, Directory, PurchaseId, Scenario};

use crate::{IntakeOutcome, similar_in_flight};

/// The version of the message that this build reads.
const VERSION: i64 = 1;

/// A message as it came, or as it was kept.
#[derive(Clone, Copy)]
pub struct RequestedMessage<'a> {
    /// The publisher's id of it.
    pub message_id: Option<&'a str>,
    /// Its body.
    pub body: &'a [u8],
    /// How long the body was, whether or not all of it is here.
    pub body_bytes: usize,
    /// The broker user who published it, as the broker checked it.
    pub user_id: Option<&'a str>,
}

impl std::fmt::Debug for RequestedMessage<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestedMessage")
            .field("body_bytes", &self.body_bytes)
            .finish_non_exhaustive()
    }
}

/// Why a message is no purchase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The cause of its dead letter.
    pub cause: DeadCause,
    /// The code and the field.
    pub rejection: Rejection,
}

impl Refusal {
    fn of(cause: DeadCause, field: &str, problem: &str) -> Self {
        Self { cause, rejection: Rejection::field(field, problem) }
    }
}

/// The purchase that a message is, as far as can be said before its intake.
///
/// # Errors
/// [`Refusal`] when it is none, or not this publisher's.
pub fn check_requested(
    directory: &Directory,
    message: RequestedMessage<'_>,
) -> Result<(PurchaseBody, Scenario), Refusal> {
    if message.message_id.unwrap_or_default().is_empty() {
        return Err(Refusal::of(DeadCause::NoMessageId, "message_id", "is missing"));
    }
    if message.body_bytes > BODY_BYTES_MAX {
        return Err(Refusal::of(DeadCause::TooLong, "body", "is longer than 65536 bytes"));
    }
    // First: a later version may look different in everything else.
    if PurchaseBody::version_of(message.body).is_some_and(|version| version > VERSION) {
        return Err(Refusal::of(DeadCause::NewerVersion, "v", "is newer than this build reads"));
    }
    let body = PurchaseBody::from_bytes(message.body)
        .map_err(|rejection| Refusal { cause: DeadCause::Invalid, rejection })?;
    let unknown = u64::try_from(unknown_fields(message.body)).unwrap_or(u64::MAX);
    fleet_telemetry::metrics().unknown_fields(unknown);
    if body.v.is_some_and(|version| version < VERSION) {
        return Err(Refusal::of(DeadCause::Invalid, "v", "must be 1"));
    }
    let scenario = body.scenario.as_deref().and_then(Scenario::from_name).ok_or_else(|| {
        Refusal::of(DeadCause::Invalid, "scenario", "must be client_reserved or we_reserve")
    })?;
    let Some(user) = message.user_id else {
        let problem = "is missing: publish it as the connection's user, the broker checks it";
        return Err(Refusal::of(DeadCause::NotAllowed, "user_id", problem));
    };
    // An unknown client is the body's fault, and intake names it.
    let client = directory.clients.get(&ClientId(body.client_id));
    if client.is_some_and(|client| !client.broker_users.iter().any(|allowed| allowed == user)) {
        let problem = "is not open to this broker user";
        return Err(Refusal::of(DeadCause::NotAllowed, "clientId", problem));
    }
    Ok((body, scenario))
}

/// What became of a message at its intake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It is this purchase; new, or stored before.
    Stored {
        /// Our reference.
        id: PurchaseId,
        /// Stored now.
        is_new: bool,
    },
    /// It is none.
    Refused(Refusal),
    /// The store did not say: the same again is safe.
    Again,
}

impl From<IntakeOutcome> for Taken {
    fn from(outcome: IntakeOutcome) -> Self {
        match outcome {
            IntakeOutcome::Stored { id, is_new, .. } => Self::Stored { id, is_new },
            IntakeOutcome::Conflict => {
                let problem = "was used before for another purchase";
                Self::Refused(Refusal::of(DeadCause::Conflict, "clientTxnRef", problem))
            }
            IntakeOutcome::Similar => {
                let (cause, rejection) = (DeadCause::SimilarInFlight, similar_in_flight());
                Self::Refused(Refusal { cause, rejection })
            }
            IntakeOutcome::Rejected(rejection) => {
                Self::Refused(Refusal { cause: DeadCause::Invalid, rejection })
            }
            IntakeOutcome::Unavailable => Self::Again,
        }
    }
}
