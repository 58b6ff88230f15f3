//! From messages to hints: each goes to the engine of its kind. What is no hint of ours is
//! published to the dead letters before it is acknowledged; a newer version is acknowledged, the
//! clock covers it.

use std::time::Duration;

use fleet_broker::{HEADERS_MAX, Incoming, Outgoing, Publisher, Target};
use fleet_contracts::{
    CAUSE_HEADER, DETAIL_HEADER, DeadCause, HintError, JobHint, QUEUE_HEADER, Queue, REPLY_HEADER,
    USER_HEADER,
};
use fleet_engine::ReceivedHint;
use tokio::sync::mpsc;

pub(crate) use crate::worker::Kinds as Routes;

/// Runs until the consumer ends.
pub(crate) async fn route(
    queue: Queue,
    mut incoming: mpsc::Receiver<Incoming>,
    routes: Routes,
    publisher: Publisher,
) {
    while let Some(message) = incoming.recv().await {
        let detail = match JobHint::from_bytes(&message.body) {
            Ok(hint) => match routes.get(&hint.kind) {
                Some(engine) => {
                    let (ack, kind) = (message.ack, hint.kind);
                    let ack = move || {
                        fleet_telemetry::crash_point(kind.name(), "ack.before");
                        ack.ack();
                    };
                    let received = ReceivedHint { hint, ack: Box::new(ack) };
                    // A closed engine has stopped: the message goes back to the broker.
                    drop(engine.send(received).await);
                    continue;
                }
                None => format!("tasks of kind {} do not belong into this queue", hint.kind),
            },
            Err(HintError::NewerVersion(version)) => {
                tracing::info!(queue = queue.name(), version, "a newer hint is left to the clock");
                message.ack.ack();
                continue;
            }
            Err(HintError::Unreadable(detail)) => detail,
        };
        dead_letter(&publisher, queue, message, DeadCause::UnreadableHint, &detail).await;
    }
}

/// Publishes a message to the dead letters with its cause, the original intact, and acknowledges it
/// once that is confirmed. Unconfirmed to the end, it stays with the broker and comes again.
pub async fn dead_letter(
    publisher: &Publisher,
    queue: Queue,
    message: Incoming,
    cause: DeadCause,
    detail: &str,
) {
    if message.body.len() < message.body_bytes {
        // Only its beginning is here: the broker dead-letters the whole of it.
        tracing::warn!(queue = queue.name(), bytes = message.body_bytes, "rejected: too long");
        message.ack.reject();
        return;
    }
    let detail: String = detail.chars().filter(|c| !c.is_control()).take(200).collect();
    tracing::warn!(queue = queue.name(), cause = cause.name(), detail, "dead letter");
    let letter = Outgoing {
        target: Target::Dead,
        headers: letter_headers(&message, queue, cause, detail),
        body: message.body,
        message_id: message.message_id.unwrap_or_default(),
        correlation_id: message.correlation_id,
    };
    for _ in 0..TRIES {
        if publisher.publish(vec![letter.clone()]).await == [true] {
            fleet_telemetry::crash_point("letter", "published");
            message.ack.ack();
            return;
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
    tracing::error!(queue = queue.name(), "a dead letter could not be published yet");
}

/// Why it is dead and who sent it, then the publisher's own headers as far as there is room. Names
/// that only we or the broker give are not taken over from a publisher.
fn letter_headers(
    message: &Incoming,
    queue: Queue,
    cause: DeadCause,
    detail: String,
) -> Vec<(String, String)> {
    let ours = [
        (CAUSE_HEADER, Some(cause.name().to_owned())),
        (DETAIL_HEADER, Some(detail)),
        (QUEUE_HEADER, Some(queue.name().to_owned())),
        (USER_HEADER, message.user_id.clone()),
        (REPLY_HEADER, message.reply_to.clone()),
    ];
    let ours = ours.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let own = |name: &str| name.starts_with("fleet-") || name.starts_with("x-");
    let theirs = message.headers.iter().filter(|(name, _)| !own(name));
    let theirs = theirs.map(|(name, value)| (name.clone(), value.clone()));
    ours.chain(theirs).take(HEADERS_MAX).collect()
}

/// How often a letter is published before it is left with the broker.
const TRIES: u32 = 10;
const AGAIN_AFTER: Duration = Duration::from_millis(500);
