//! A lane: one confirm channel, used by nobody else, with one batch in flight.
//!
//! Within a batch all messages are sent before the first confirm is awaited. The client hands a
//! returned message to whichever confirm it processes next, so nothing is concluded before every
//! confirm is in; then the returned messages name themselves by their `message_id`.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation, Connection};
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::message::Outgoing;
use crate::session::{Link, SessionError, bounded, open_channel};

/// A batch that waited longer for a free lane is given up unsent.
pub(crate) const QUEUED_MAX: Duration = Duration::from_secs(1);

/// A batch for one lane.
pub(crate) struct Batch {
    pub(crate) messages: Vec<Outgoing>,
    pub(crate) queued: Instant,
    pub(crate) done: oneshot::Sender<Vec<bool>>,
}

/// What all lanes of a publisher share.
pub(crate) struct Lanes {
    pub(crate) service: String,
    pub(crate) confirm_timeout: Duration,
    pub(crate) batches: Mutex<mpsc::Receiver<Batch>>,
    pub(crate) link: watch::Receiver<Link>,
    pub(crate) stop: CancellationToken,
}

/// Opens the channel of a lane.
pub(crate) async fn open(connection: &Connection) -> Result<Channel, SessionError> {
    let channel = open_channel(connection).await?;
    let selecting = channel.confirm_select(ConfirmSelectOptions::default());
    bounded("asking for confirms", selecting).await?;
    Ok(channel)
}

impl Lanes {
    /// Publishes batches one after the other; after a stop only those that are already queued.
    pub(crate) async fn run(&self, channel: Channel) -> Result<(), SessionError> {
        loop {
            let batch = tokio::select! {
                biased;
                batch = self.next() => batch,
                () = self.stop.cancelled() => return Ok(()),
            };
            let Some(batch) = batch else { return Ok(()) };
            if batch.done.is_closed() || batch.queued.elapsed() > QUEUED_MAX {
                continue; // nobody waits for it any more: its sender learns "not published"
            }
            let published = self.publish(&channel, &batch.messages).await?;
            drop(batch.done.send(published));
        }
    }

    async fn next(&self) -> Option<Batch> {
        self.batches.lock().await.recv().await
    }

    /// Any error taints the channel, and with it the session: a late confirm must never meet a
    /// later batch.
    async fn publish(
        &self,
        channel: &Channel,
        messages: &[Outgoing],
    ) -> Result<Vec<bool>, SessionError> {
        let all = join_all(messages.iter().map(|message| self.publish_one(channel, message)));
        let mut all = std::pin::pin!(all);
        let mut limit = Instant::now();
        let answers = loop {
            limit = limit.checked_add(self.confirm_timeout).unwrap_or(limit);
            tokio::select! {
                answers = &mut all => break answers,
                () = sleep_until(limit) => {
                    // A blocked broker reads nothing, and a new connection would change nothing.
                    if !matches!(*self.link.borrow(), Link::Blocked) {
                        return Err(SessionError::TimedOut { doing: "confirming" });
                    }
                }
            }
        };
        let mut acked = Vec::with_capacity(messages.len());
        let mut returned = HashSet::new();
        for answer in answers {
            let (ack, message) = match answer.map_err(SessionError::broker("publishing"))? {
                None | Some(Confirmation::NotRequested) => (false, None),
                Some(Confirmation::Ack(message)) => (true, message),
                Some(Confirmation::Nack(message)) => (false, message),
            };
            acked.push(ack);
            if let Some(message) = message {
                let id = message.delivery.properties.message_id().clone();
                // Every message has an id; one without could be any of them.
                let Some(id) = id else { return Ok(vec![false; messages.len()]) };
                returned.insert(id.to_string());
            }
        }
        let published = messages.iter().zip(acked);
        Ok(published.map(|(m, acked)| acked && !returned.contains(&m.message_id)).collect())
    }

    /// `None` if it does not fit. The channel numbers and queues it in one poll, so that
    /// concurrent ones of this task do not get into each other's way.
    async fn publish_one(
        &self,
        channel: &Channel,
        message: &Outgoing,
    ) -> lapin::Result<Option<Confirmation>> {
        let Some(to) = message.address(&self.service) else { return Ok(None) };
        let options = BasicPublishOptions { mandatory: true, immediate: false };
        let (exchange, key) = (to.exchange, to.routing_key);
        let publishing =
            channel.basic_publish(exchange, key, options, &message.body, to.properties);
        let confirming = publishing.await?;
        fleet_telemetry::crash_point("broker", "publish.sent");
        confirming.await.map(Some)
    }
}
