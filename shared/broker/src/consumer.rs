//! A consumer: hands deliveries out and answers them, over one session after the other.

use std::num::NonZeroU16;
use std::time::Duration;

use fleet_contracts::Queue;
use futures_util::StreamExt;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, Consumer};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::ack::{AckSession, send_answers};
use crate::message::Incoming;
use crate::session::{Link, Session, SessionError, Work, bounded, open_channel, supervise};
use crate::settings::BrokerSettings;
use crate::topology;

/// After this long without a delivery the queue is looked at.
const QUIET: Duration = Duration::from_secs(60);
/// The broker hands acknowledgements on to a quorum queue in the background, and forgets those under
/// way when the channel closes: answered messages would come again. It tells nobody when it is done.
const SETTLING: Duration = Duration::from_millis(250);
const TAG: &str = "fleet";

/// Consumes a queue on a connection of its own until `stop` is cancelled or nobody reads `into`.
///
/// At most `prefetch` messages are unanswered at a time. On `stop` the broker sends no more; what
/// was handed out can still be answered within the settings' grace, then the connection closes.
#[must_use]
pub fn consume(
    settings: BrokerSettings,
    queue: Queue,
    prefetch: NonZeroU16,
    into: mpsc::Sender<Incoming>,
    stop: CancellationToken,
) -> JoinHandle<()> {
    let grace = settings.grace;
    let (link, _) = watch::channel(Link::Down);
    let work = Consuming { queue, prefetch, into, stop: stop.clone(), grace };
    tokio::spawn(supervise(settings, queue.name(), link.into(), stop, work))
}

struct Consuming {
    queue: Queue,
    prefetch: NonZeroU16,
    into: mpsc::Sender<Incoming>,
    stop: CancellationToken,
    grace: Duration,
}

impl Work for Consuming {
    async fn run(&mut self, session: &Session) -> Result<(), SessionError> {
        let opened = tokio::select! {
            opened = self.open(&session.connection) => opened?,
            () = self.stop.cancelled() => return Ok(()),
        };
        let (channel, consumer) = opened;
        session.up();

        let ended = CancellationToken::new();
        // Also when this future is dropped in the middle: no answer outlives its session.
        let _ended = ended.clone().drop_guard();
        let (acks, answers) = AckSession::new(ended);
        let mut sending =
            std::pin::pin!(send_answers(&channel, answers, self.prefetch.get(), || self
                .stop
                .is_cancelled()
                || self.into.is_closed(),));
        tokio::select! {
            read = self.read(&session.connection, &channel, consumer, acks) => read?,
            sent = &mut sending => return sent.and(Err(SessionError::Lost(None))),
        }
        // The reader has given its sender back: sending ends with the last answer handed out.
        match timeout(self.grace, sending).await {
            Ok(sent) => sent?,
            Err(_elapsed) => warn!(queue = self.queue.name(), "messages are left unanswered"),
        }
        sleep(SETTLING).await;
        drop(bounded("closing a channel", channel.close(200, "done".into())).await);
        Ok(())
    }
}

impl Consuming {
    async fn open(&self, connection: &Connection) -> Result<(Channel, Consumer), SessionError> {
        topology::prepare(connection, Some(self.queue)).await?;
        let channel = open_channel(connection).await?;
        // Before the consumer: deliveries wait in memory without a limit of their own.
        let qos = channel.basic_qos(self.prefetch.get(), BasicQosOptions { global: false });
        bounded("setting the prefetch count", qos).await?;
        let name = self.queue.name().into();
        let options = BasicConsumeOptions::default();
        let consuming = channel.basic_consume(name, TAG.into(), options, FieldTable::default());
        let consumer = bounded("starting the consumer", consuming).await?;
        Ok((channel, consumer))
    }

    /// Hands deliveries out; `Ok` once the broker was told to send no more.
    async fn read(
        &self,
        connection: &Connection,
        channel: &Channel,
        mut consumer: Consumer,
        acks: AckSession,
    ) -> Result<(), SessionError> {
        let mut found_before = false;
        loop {
            let delivery = tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                () = self.into.closed() => break,
                delivery = consumer.next() => delivery,
                () = sleep(QUIET) => {
                    // A consumer can fall silent on a connection that looks alive.
                    let ready = topology::ready(connection, self.queue).await?;
                    let found = ready > 0 && acks.handed_out() == 0;
                    if found && found_before {
                        return Err(SessionError::Silent);
                    }
                    found_before = found;
                    continue;
                }
            };
            found_before = false;
            let delivery = delivery
                .ok_or(SessionError::ConsumerEnded)?
                .map_err(SessionError::broker("consuming"))?;
            let ack = acks.hand_out(delivery.delivery_tag, delivery.acker.clone());
            let incoming = Incoming::new(delivery, ack);
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                sent = self.into.send(incoming) => if sent.is_err() { break },
            }
        }
        let cancelling = channel.basic_cancel(TAG.into(), BasicCancelOptions::default());
        bounded("cancelling the consumer", cancelling).await
    }
}
