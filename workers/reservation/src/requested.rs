//! `purchase.requested`: the message is the purchase until it is stored. It is acknowledged only
//! after that, or after its dead letter is confirmed.

use std::time::Duration;

use fleet_boot::{Intake, IntakeOutcome, StoreDirectory, dead_letter, similar_in_flight};
use fleet_broker::{Incoming, Outgoing, Publisher, Target};
use fleet_contracts::{
    DeadCause, PurchaseBody, Queue, Rejection, RequestedOutcome, RequestedReply, codes,
    unknown_fields,
};
use fleet_domain::{ClientId, Directory, Scenario, WayIn};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Messages that are stored in one round trip.
const BATCH_MAX: usize = 256;
/// The version of the message that this build reads.
const VERSION: i64 = 1;
/// How long a batch waits before it is tried again while Postgres is away.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// A message that is a purchase, as far as can be said without the directory.
struct Request {
    message: Incoming,
    body: PurchaseBody,
    scenario: Scenario,
}

/// A message that is none.
struct Refused {
    message: Incoming,
    cause: DeadCause,
    rejection: Rejection,
}

/// Takes messages in until the consumer ends.
pub async fn take_requests(
    mut incoming: mpsc::Receiver<Incoming>,
    intake: Intake,
    directory: StoreDirectory,
    publisher: Publisher,
    stop: CancellationToken,
) {
    let mut messages = Vec::with_capacity(BATCH_MAX);
    while incoming.recv_many(&mut messages, BATCH_MAX).await > 0 {
        let present = directory.current();
        let mut requests = Vec::new();
        for message in messages.drain(..) {
            match read(&present, message) {
                Ok(request) => requests.push(request),
                Err(refused) => refuse(&publisher, *refused).await,
            }
        }
        take_in(&intake, &present, &publisher, requests, &stop).await;
    }
}

fn read(directory: &Directory, message: Incoming) -> Result<Request, Box<Refused>> {
    match check(directory, &message) {
        Ok((body, scenario)) => Ok(Request { message, body, scenario }),
        Err((cause, rejection)) => Err(Box::new(Refused { message, cause, rejection })),
    }
}

fn check(
    directory: &Directory,
    message: &Incoming,
) -> Result<(PurchaseBody, Scenario), (DeadCause, Rejection)> {
    let refuse = |cause, field: &str, problem: &str| (cause, Rejection::field(field, problem));
    if message.message_id.as_deref().unwrap_or_default().is_empty() {
        return Err(refuse(DeadCause::NoMessageId, "message_id", "is missing"));
    }
    if message.too_long() {
        return Err(refuse(DeadCause::TooLong, "body", "is longer than 65536 bytes"));
    }
    // First: a later version may look different in everything else.
    if PurchaseBody::version_of(&message.body).is_some_and(|version| version > VERSION) {
        return Err(refuse(DeadCause::NewerVersion, "v", "is newer than this build reads"));
    }
    let body = PurchaseBody::from_bytes(&message.body).map_err(|r| (DeadCause::Invalid, r))?;
    let unknown = u64::try_from(unknown_fields(&message.body)).unwrap_or(u64::MAX);
    fleet_telemetry::metrics().unknown_fields(unknown);
    if body.v.is_some_and(|version| version < VERSION) {
        return Err(refuse(DeadCause::Invalid, "v", "must be 1"));
    }
    let scenario = body.scenario.as_deref().and_then(Scenario::from_name).ok_or_else(|| {
        refuse(DeadCause::Invalid, "scenario", "must be client_reserved or we_reserve")
    })?;
    let Some(user) = message.user_id.as_deref() else {
        let problem = "is missing: publish it as the connection's user, the broker checks it";
        return Err(refuse(DeadCause::NotAllowed, "user_id", problem));
    };
    // An unknown client is the body's fault, and intake names it.
    let client = directory.clients.get(&ClientId(body.client_id));
    if client.is_some_and(|client| !client.broker_users.iter().any(|allowed| allowed == user)) {
        return Err(refuse(DeadCause::NotAllowed, "clientId", "is not open to this broker user"));
    }
    Ok((body, scenario))
}

/// Stores a batch; while Postgres is away, or does not say, the same batch again.
async fn take_in(
    intake: &Intake,
    directory: &Directory,
    publisher: &Publisher,
    mut requests: Vec<Request>,
    stop: &CancellationToken,
) {
    while !requests.is_empty() {
        let bodies = requests.iter().map(|r| (r.body.clone(), r.scenario)).collect();
        let outcomes = intake.take_in(directory, bodies, WayIn::Amqp).await;
        let mut again = Vec::new();
        let mut replies = Vec::new();
        for (request, outcome) in requests.into_iter().zip(outcomes) {
            match outcome {
                IntakeOutcome::Stored { id, .. } => {
                    let reference = Some(id.to_string());
                    replies.extend(reply(&request.message, RequestedOutcome::Accepted, |reply| {
                        reply.raas_txn_ref = reference;
                    }));
                    fleet_telemetry::crash_point("requested", "ack.before");
                    request.message.ack.ack();
                }
                IntakeOutcome::Conflict => {
                    let problem = "was used before for another purchase";
                    let rejection = Rejection::field("clientTxnRef", problem);
                    let (message, cause) = (request.message, DeadCause::Conflict);
                    refuse(publisher, Refused { message, cause, rejection }).await;
                }
                IntakeOutcome::Similar => {
                    let (message, cause) = (request.message, DeadCause::SimilarInFlight);
                    let rejection = similar_in_flight();
                    refuse(publisher, Refused { message, cause, rejection }).await;
                }
                IntakeOutcome::Rejected(rejection) => {
                    let (message, cause) = (request.message, DeadCause::Invalid);
                    refuse(publisher, Refused { message, cause, rejection }).await;
                }
                IntakeOutcome::Unavailable => again.push(request),
            }
        }
        drop(publisher.publish(replies).await);
        requests = again;
        if !requests.is_empty() {
            tokio::select! {
                () = tokio::time::sleep(AGAIN_AFTER) => {}
                // Unacknowledged, they go back to the broker.
                () = stop.cancelled() => return,
            }
        }
    }
}

/// Tells the publisher, if it wants to know, and keeps the message as a dead letter.
async fn refuse(publisher: &Publisher, refused: Refused) {
    let Refused { message, cause, rejection } = refused;
    fleet_telemetry::metrics().requested(cause.name(), 1);
    let outcome = match cause {
        DeadCause::Conflict => RequestedOutcome::Conflict,
        DeadCause::Invalid
        | DeadCause::SimilarInFlight
        | DeadCause::TooLong
        | DeadCause::NoMessageId
        | DeadCause::NewerVersion
        | DeadCause::NotAllowed
        | DeadCause::UnreadableHint
        | DeadCause::Broker => RequestedOutcome::Invalid,
    };
    let told = reply(&message, outcome, |reply| {
        reply.response_code = rejection.code.to_owned();
        reply.response_message.clone_from(&rejection.message);
        reply.field.clone_from(&rejection.field);
    });
    drop(publisher.publish(told.into_iter().collect()).await);
    dead_letter(publisher, Queue::Requested, message, cause, &rejection.message).await;
}

fn reply(
    message: &Incoming,
    outcome: RequestedOutcome,
    fill: impl FnOnce(&mut RequestedReply),
) -> Option<Outgoing> {
    let queue = message.reply_to.clone().filter(|queue| !queue.is_empty())?;
    let mut reply = RequestedReply {
        v: 1,
        outcome,
        raas_txn_ref: None,
        response_code: codes::OK.to_owned(),
        response_message: "Processing Request".to_owned(),
        field: None,
    };
    fill(&mut reply);
    Some(Outgoing {
        target: Target::Reply(queue),
        body: serde_json::to_vec(&reply).unwrap_or_default(),
        message_id: Uuid::now_v7().to_string(),
        correlation_id: message.correlation_id.clone(),
        headers: Vec::new(),
    })
}
