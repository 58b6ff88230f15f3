//! `purchase.requested`: the message is the purchase until it is stored. It is acknowledged only
//! after that, or after its dead letter is confirmed.
//!
//! Of what the broker has handed out, each group takes from one client after the other: whoever
//! enqueues ten times as much as others waits behind his own messages. The window of the broker's
//! messages is several groups wide, so that others are seen behind a flood.

use std::time::Duration;

use fleet_boot::{
    Intake, Refusal, RequestedMessage, StoreDirectory, Taken, Turns, check_requested, dead_letter,
};
use fleet_broker::{Incoming, Outgoing, Publisher, Target};
use fleet_contracts::{DeadCause, PurchaseBody, Queue, RequestedOutcome, RequestedReply, codes};
use fleet_domain::{ClientId, Directory, Scenario, WayIn};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Messages that are stored in one round trip.
const BATCH_MAX: usize = 256;
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
    refusal: Refusal,
}

/// Whose turn a message waits for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Owner {
    /// A client that its publisher may speak for.
    Client(ClientId),
    /// A publisher whose message speaks for no client that there is: a new number in each would
    /// otherwise be a turn for each.
    Publisher(Option<String>),
}

/// What was handed out and is in no group yet, in turns.
#[derive(Default)]
struct Held(Turns<Owner, Result<Request, Box<Refused>>>);

impl Held {
    fn add(&mut self, directory: &Directory, message: Incoming) {
        let publisher = Owner::Publisher(message.user_id.clone());
        let read = read(directory, message);
        let client = read.as_ref().ok().map(|request| ClientId(request.body.client_id));
        let known = client.filter(|client| directory.clients.contains_key(client));
        self.0.push(known.map_or(publisher, Owner::Client), read);
    }
}

/// Takes messages in until the consumer ends.
pub async fn take_requests(
    mut incoming: mpsc::Receiver<Incoming>,
    intake: Intake,
    directory: StoreDirectory,
    publisher: Publisher,
    stop: CancellationToken,
) {
    let mut held = Held::default();
    loop {
        let present = directory.current();
        if held.0.waiting() == 0 {
            let Some(message) = incoming.recv().await else { return };
            held.add(&present, message);
        }
        // All that has come is looked at before it is said whose turn it is.
        while let Ok(message) = incoming.try_recv() {
            held.add(&present, message);
        }
        let mut requests = Vec::new();
        for read in held.0.take(BATCH_MAX) {
            match read {
                Ok(request) => requests.push(request),
                Err(refused) => refuse(&publisher, *refused).await,
            }
        }
        take_in(&intake, &present, &publisher, requests, &stop).await;
    }
}

fn read(directory: &Directory, message: Incoming) -> Result<Request, Box<Refused>> {
    let read = RequestedMessage {
        message_id: message.message_id.as_deref(),
        body: &message.body,
        body_bytes: message.body_bytes,
        user_id: message.user_id.as_deref(),
    };
    match check_requested(directory, read) {
        Ok((body, scenario)) => Ok(Request { message, body, scenario }),
        Err(refusal) => Err(Box::new(Refused { message, refusal })),
    }
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
            match Taken::from(outcome) {
                Taken::Stored { id, .. } => {
                    fleet_telemetry::metrics().requested("accepted", 1);
                    let reference = Some(id.to_string());
                    replies.extend(reply(&request.message, RequestedOutcome::Accepted, |reply| {
                        reply.raas_txn_ref = reference;
                    }));
                    fleet_telemetry::crash_point("requested", "ack.before");
                    request.message.ack.ack();
                }
                Taken::Refused(refusal) => {
                    refuse(publisher, Refused { message: request.message, refusal }).await;
                }
                Taken::Again => again.push(request),
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
    let Refused { mut message, refusal: Refusal { cause, rejection } } = refused;
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
    if rejection.is_of_a_card() {
        message.body.clear();
        message.body_bytes = 0;
    }
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
