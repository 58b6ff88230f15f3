//! The consumer of `fleet.dead`: writes every letter into the table, one by one, under an id made
//! of its content, so that a letter that comes twice is one row.

use std::collections::BTreeMap;
use std::time::Duration;

use fleet_broker::Incoming;
use fleet_contracts::{
    CAUSE_HEADER, CORRELATION_HEADER, DETAIL_HEADER, DeadCause, QUEUE_HEADER, Queue, USER_HEADER,
};
use fleet_store::{NewDeadLetter, Store, StoreError};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long a letter waits while Postgres is away.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Keeps letters until the consumer ends.
pub async fn keep_letters(
    mut incoming: mpsc::Receiver<Incoming>,
    store: Store,
    stop: CancellationToken,
) {
    while let Some(message) = incoming.recv().await {
        let mut letter = letter(&message);
        loop {
            match store.store_dead_letter(&letter).await {
                Ok(_) => {
                    fleet_telemetry::crash_point("letter", "stored");
                    message.ack.ack();
                    break;
                }
                // One odd letter may not keep all others waiting: its body is what counts.
                Err(StoreError::Refused { sqlstate, .. }) if letter.headers != Value::Null => {
                    tracing::warn!(sqlstate, "a dead letter is kept without its headers");
                    letter.headers = Value::Null;
                    letter.message_id = None;
                    letter.detail = String::new();
                    continue;
                }
                Err(error) => tracing::warn!(error = %error, "a dead letter is not stored yet"),
            }
            tokio::select! {
                () = tokio::time::sleep(AGAIN_AFTER) => {}
                // Unacknowledged, it goes back to the broker.
                () = stop.cancelled() => return,
            }
        }
    }
}

fn letter(message: &Incoming) -> NewDeadLetter {
    let header = |name: &str| message.headers.get(name).map(|value| storable(value));
    // A letter that the broker gave up names the queue of its first death; what else its headers
    // say, its publisher wrote.
    let (queue, cause, detail) = if message.given_up {
        (header("x-first-death-queue"), None, header("x-first-death-reason"))
    } else {
        (header(QUEUE_HEADER), header(CAUSE_HEADER), header(DETAIL_HEADER))
    };
    let queue = queue.unwrap_or_else(|| Queue::Requested.name().to_owned());
    let names = message.headers.iter().map(|(name, value)| (storable(name), storable(value)));
    let mut headers: BTreeMap<String, String> = names.collect();
    if message.given_up {
        // Who published it is what the broker checked, never what a header says.
        headers.remove(USER_HEADER);
        let user = message.user_id.as_deref().map(storable);
        headers.extend(user.map(|user| (USER_HEADER.to_owned(), user)));
    }
    if let Some(word) = &message.correlation_id {
        headers.insert(CORRELATION_HEADER.to_owned(), storable(word));
    }
    NewDeadLetter {
        id: id_of(message, &queue),
        queue,
        cause: cause.unwrap_or_else(|| DeadCause::Broker.name().to_owned()),
        detail: detail.unwrap_or_default().chars().take(200).collect(),
        message_id: message.message_id.as_deref().filter(|id| !id.is_empty()).map(storable),
        headers: serde_json::json!(headers),
        body: message.body.clone(),
    }
}

/// Postgres stores no NUL in a text; a publisher may send one.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn id_of(message: &Incoming, queue: &str) -> Uuid {
    let mut hash = Sha256::new();
    for part in [queue.as_bytes(), message.message_id.as_deref().unwrap_or_default().as_bytes()] {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hash.update(&message.body);
    let digest = hash.finalize();
    let mut bytes = [0; 16];
    for (byte, from) in bytes.iter_mut().zip(digest) {
        *byte = from;
    }
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
