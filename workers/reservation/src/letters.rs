//! The consumer of `fleet.dead`: writes every letter into the table, one by one, under an id made
//! of its content, so that a letter that comes twice is one row.

use std::time::Duration;

use fleet_broker::Incoming;
use fleet_contracts::{CAUSE_HEADER, DETAIL_HEADER, DeadCause, QUEUE_HEADER, Queue};
use fleet_store::{NewDeadLetter, Store};
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
        let letter = letter(&message);
        loop {
            match store.store_dead_letter(&letter).await {
                Ok(_) => {
                    message.ack.ack();
                    break;
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
    let header = |name: &str| message.headers.get(name).cloned();
    // Without our own headers it is the broker that gave it up; the first death names the queue.
    let queue = header(QUEUE_HEADER)
        .or_else(|| header("x-first-death-queue"))
        .unwrap_or_else(|| Queue::Requested.name().to_owned());
    let cause = header(CAUSE_HEADER).unwrap_or_else(|| DeadCause::Broker.name().to_owned());
    let detail =
        header(DETAIL_HEADER).or_else(|| header("x-first-death-reason")).unwrap_or_default();
    NewDeadLetter {
        id: id_of(message, &queue),
        queue,
        cause,
        detail: detail.chars().take(200).collect(),
        message_id: message.message_id.clone().filter(|id| !id.is_empty() && id.len() <= 255),
        headers: serde_json::json!(message.headers),
        body: message.body.clone(),
    }
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
