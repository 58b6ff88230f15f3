//! Publishing with confirms, over one session after the other.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fleet_contracts::Queue;
use futures_util::future::{join_all, try_join_all};
use lapin::{Channel, Connection};
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::lane::{self, Batch, Lanes, QUEUED_MAX};
use crate::message::Outgoing;
use crate::session::{Link, Session, SessionError, Work, supervise};
use crate::settings::BrokerSettings;
use crate::topology;

/// Channels of a publisher, each with one batch in flight.
const LANES: usize = 4;
/// The most messages that one lane has in flight.
const LANE_MESSAGES_MAX: usize = 256;
/// Batches that may wait for a lane; more wait in `publish`, under its time limit.
const QUEUED_BATCHES_MAX: usize = 64;
/// How long a queue's length is remembered, and how long asking for it may take.
const READY_AGE_MAX: Duration = Duration::from_secs(1);

/// Publishes. Clones share one connection, which ends with the last of them or with the stop.
#[derive(Clone)]
pub struct Publisher {
    shared: Arc<Shared>,
}

struct Shared {
    batches: mpsc::Sender<Batch>,
    link: Arc<watch::Sender<Link>>,
    limit: Duration,
    ready: Mutex<HashMap<Queue, (Instant, Option<u64>)>>,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").field("usable", &self.usable()).finish_non_exhaustive()
    }
}

impl Publisher {
    /// Starts a publisher that connects, and connects again, until `stop` is cancelled. Batches
    /// that are queued by then are still published; the handle ends when the connection is closed.
    #[must_use]
    pub fn start(settings: BrokerSettings, stop: CancellationToken) -> (Self, JoinHandle<()>) {
        let (sender, receiver) = mpsc::channel(QUEUED_BATCHES_MAX);
        let (link, watcher) = watch::channel(Link::Down);
        let link = Arc::new(link);
        let limit = settings.confirm_timeout.saturating_add(QUEUED_MAX);
        let lanes = Lanes {
            service: settings.service.clone(),
            confirm_timeout: settings.confirm_timeout,
            batches: Mutex::new(receiver),
            link: watcher,
            stop: stop.clone(),
        };
        let shared =
            Shared { batches: sender, link: Arc::clone(&link), limit, ready: Mutex::default() };
        let work = Publishing { lanes, limit };
        let task = tokio::spawn(supervise(settings, "publish", link, stop, work));
        (Self { shared: Arc::new(shared) }, task)
    }

    /// Publishes a batch, pipelined, within the confirm time-out and a second, whatever the broker
    /// does. Per message: true means confirmed by the broker and routed to a queue; false means
    /// that it may or may not have arrived. Down or blocked, it answers false at once.
    pub async fn publish(&self, messages: Vec<Outgoing>) -> Vec<bool> {
        let count = messages.len();
        let mut link = self.shared.link.subscribe();
        let unusable = async { link.wait_for(|link| !matches!(link, Link::Up(_))).await.is_ok() };
        tokio::select! {
            biased;
            published = timeout(self.shared.limit, self.publish_chunks(messages)), if self.usable() => {
                published.unwrap_or_else(|_elapsed| vec![false; count])
            }
            _ = unusable => vec![false; count],
        }
    }

    async fn publish_chunks(&self, messages: Vec<Outgoing>) -> Vec<bool> {
        let mut messages = messages.into_iter();
        let mut waiting = Vec::new();
        loop {
            let chunk: Vec<Outgoing> = messages.by_ref().take(LANE_MESSAGES_MAX).collect();
            if chunk.is_empty() {
                break;
            }
            waiting.push(self.publish_chunk(chunk));
        }
        join_all(waiting).await.concat()
    }

    async fn publish_chunk(&self, messages: Vec<Outgoing>) -> Vec<bool> {
        let count = messages.len();
        let (done, answer) = oneshot::channel();
        let batch = Batch { messages, queued: Instant::now(), done };
        // Without a lane the batch is dropped, and with it `done`.
        drop(self.shared.batches.send(batch).await);
        answer.await.unwrap_or_else(|_dropped| vec![false; count])
    }

    /// False while the connection is down or the broker blocks it.
    #[must_use]
    pub fn usable(&self) -> bool {
        matches!(*self.shared.link.borrow(), Link::Up(_))
    }

    /// Waits until it can publish, so long at most; whether it can.
    pub async fn wait_usable(&self, limit: Duration) -> bool {
        let mut link = self.shared.link.subscribe();
        let up = async { link.wait_for(|link| matches!(link, Link::Up(_))).await.is_ok() };
        timeout(limit, up).await.unwrap_or(false)
    }

    /// Messages ready in a queue, at most a second old; `None` if the broker does not tell in
    /// time.
    pub async fn ready(&self, queue: Queue) -> Option<u64> {
        timeout(READY_AGE_MAX, self.look(queue)).await.ok().flatten()
    }

    async fn look(&self, queue: Queue) -> Option<u64> {
        let Link::Up(connection) = self.shared.link.borrow().clone() else { return None };
        let mut known = self.shared.ready.lock().await;
        if let Some((when, count)) = known.get(&queue)
            && when.elapsed() < READY_AGE_MAX
        {
            return *count;
        }
        let count = topology::ready(&connection, queue).await.ok().map(u64::from);
        known.insert(queue, (Instant::now(), count));
        count
    }
}

struct Publishing {
    lanes: Lanes,
    limit: Duration,
}

impl Work for Publishing {
    async fn run(&mut self, session: &Session) -> Result<(), SessionError> {
        let channels = tokio::select! {
            channels = open_lanes(&session.connection) => channels?,
            () = self.lanes.stop.cancelled() => return Ok(()),
        };
        session.up();
        let lanes = &self.lanes;
        let finished = try_join_all(channels.into_iter().map(|channel| lanes.run(channel)));
        let stopped = async {
            lanes.stop.cancelled().await;
            sleep(self.limit).await;
        };
        tokio::select! {
            finished = finished => finished.map(drop),
            () = stopped => Ok(()),
        }
    }
}

async fn open_lanes(connection: &Connection) -> Result<Vec<Channel>, SessionError> {
    topology::prepare(connection, None).await?;
    let mut channels = Vec::with_capacity(LANES);
    for _ in 0..LANES {
        channels.push(lane::open(connection).await?);
    }
    Ok(channels)
}
