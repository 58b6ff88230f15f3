//! What the tests share.

use std::num::NonZeroU16;
use std::time::Duration;

use anyhow::{Context, Result};
use fleet_broker::{BrokerSettings, Incoming, Outgoing, Publisher, Target, consume};
use fleet_contracts::Queue;
use fleet_testkit::broker::TestVhost;
use secrecy::SecretString;
use tokio::sync::{RwLock, RwLockReadGuard, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// An alarm blocks the whole broker: that test takes it for itself.
pub(crate) static BROKER: RwLock<()> = RwLock::const_new(());
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A test's virtual host and what runs in it.
pub(crate) struct Fixture {
    pub(crate) vhost: TestVhost,
    pub(crate) stop: CancellationToken,
    _shared: Option<RwLockReadGuard<'static, ()>>,
}

pub(crate) async fn fixture() -> Result<Fixture> {
    let shared = Some(BROKER.read().await);
    Ok(Fixture {
        vhost: TestVhost::create().await?,
        stop: CancellationToken::new(),
        _shared: shared,
    })
}

/// For the one test that holds [`BROKER`] itself.
pub(crate) async fn fixture_alone() -> Result<Fixture> {
    Ok(Fixture { vhost: TestVhost::create().await?, stop: CancellationToken::new(), _shared: None })
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(crate) fn settings(url: SecretString) -> BrokerSettings {
    BrokerSettings::new(url, "test")
}

impl Fixture {
    pub(crate) async fn publisher(&self) -> Result<Publisher> {
        self.publisher_as(self.vhost.url()).await
    }

    pub(crate) async fn publisher_as(&self, url: SecretString) -> Result<Publisher> {
        let (publisher, _task) = Publisher::start(settings(url), self.stop.clone());
        usable(&publisher).await?;
        Ok(publisher)
    }

    pub(crate) fn consumer(&self, queue: Queue, prefetch: u16) -> Consumer {
        self.consumer_with(settings(self.vhost.url()), queue, prefetch)
    }

    pub(crate) fn consumer_with(
        &self,
        settings: BrokerSettings,
        queue: Queue,
        prefetch: u16,
    ) -> Consumer {
        let stop = self.stop.child_token();
        let (into, messages) = mpsc::channel(1);
        let prefetch = NonZeroU16::new(prefetch).unwrap_or(NonZeroU16::MIN);
        let task = consume(settings, queue, prefetch, into, stop.clone());
        Consumer { messages, stop, task }
    }
}

pub(crate) struct Consumer {
    pub(crate) messages: mpsc::Receiver<Incoming>,
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<()>,
}

impl Consumer {
    pub(crate) async fn next(&mut self) -> Result<Incoming> {
        let next = timeout(PATIENCE, self.messages.recv()).await;
        next.context("no message in time")?.context("the consumer has ended")
    }

    /// Stops it and waits until everything handed out is answered.
    pub(crate) async fn finish(self) -> Result<()> {
        self.stop.cancel();
        drop(self.messages);
        timeout(PATIENCE, self.task).await.context("the consumer does not end")??;
        Ok(())
    }
}

pub(crate) async fn usable(publisher: &Publisher) -> Result<()> {
    eventually("a usable publisher", async || Ok(publisher.usable())).await
}

pub(crate) async fn eventually(
    what: &str,
    condition: impl AsyncFn() -> Result<bool>,
) -> Result<()> {
    let started = Instant::now();
    while !condition().await? {
        anyhow::ensure!(started.elapsed() < PATIENCE, "waited in vain for {what}");
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

pub(crate) fn message(target: Target, id: impl std::fmt::Display) -> Outgoing {
    let message_id = id.to_string();
    let body = format!("{{\"n\":\"{message_id}\"}}").into_bytes();
    Outgoing { target, body, message_id, correlation_id: None, headers: Vec::new() }
}

pub(crate) fn hints(queue: Queue, ids: impl Iterator<Item = usize>) -> Vec<Outgoing> {
    ids.map(|id| message(Target::Hint(queue), id)).collect()
}

/// Publishes and wants every message confirmed.
pub(crate) async fn publish_all(publisher: &Publisher, messages: Vec<Outgoing>) -> Result<()> {
    let published = publisher.publish(messages).await;
    anyhow::ensure!(published.iter().all(|published| *published), "not all are confirmed");
    Ok(())
}

pub(crate) fn id_of(message: &Incoming) -> Result<usize> {
    Ok(message.message_id.as_deref().context("no message id")?.parse()?)
}

/// A connection of the client itself, without any of our care.
pub(crate) async fn raw_channel(url: &SecretString) -> Result<(lapin::Connection, lapin::Channel)> {
    use secrecy::ExposeSecret;
    let properties = lapin::ConnectionProperties::default();
    let connection = lapin::Connection::connect(url.expose_secret(), properties).await?;
    let channel = connection.create_channel().await?;
    Ok((connection, channel))
}
