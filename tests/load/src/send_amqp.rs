//! Sending by the broker, as another service does: persistent, confirmed, again when in doubt.
//!
//! Each worker has its own connection and channel with one message in flight, so that a confirm
//! or a returned message can only be its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use chrono::Utc;
use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, timeout};

use crate::order::{Order, Way};
use crate::run::{Answer, Sent};

/// How often one message is sent at most, and how long apart.
const TRIES_MAX: u32 = 60;
const TRIES_APART: Duration = Duration::from_secs(1);
/// Connecting, or publishing with its confirm, may take this long.
const STEP_DEADLINE: Duration = Duration::from_secs(10);

/// Where messages go.
pub(crate) struct Broker {
    url: String,
    user: String,
    reply_queue: String,
}

impl Broker {
    /// # Errors
    /// When the URL names no user.
    pub(crate) fn new(url: &str, run: &str) -> anyhow::Result<Self> {
        let parsed = url::Url::parse(url).context("--amqp is no URL")?;
        let user = parsed.username().to_owned();
        anyhow::ensure!(!user.is_empty(), "--amqp must name a user: amqp://user:password@host");
        let reply_queue = format!("reply.{user}.{run}");
        Ok(Self { url: url.to_owned(), user, reply_queue })
    }

    async fn connect(&self) -> anyhow::Result<Connection> {
        let properties = ConnectionProperties::default().with_connection_name("load".into());
        let connected = Connection::connect(&self.url, properties);
        Ok(timeout(STEP_DEADLINE, connected).await.context("connecting takes too long")??)
    }
}

/// One worker's connection, rebuilt when it fails.
pub(crate) struct Publisher {
    broker: Arc<Broker>,
    session: Option<(Connection, Channel)>,
}

impl Publisher {
    pub(crate) const fn new(broker: Arc<Broker>) -> Self {
        Self { broker, session: None }
    }

    /// Publishes one purchase; accepted is known only to whoever gets a reply or looks it up.
    pub(crate) async fn send(&mut self, order: &Order) -> Sent {
        let (at, began) = (Utc::now(), Instant::now());
        let body = order.message();
        let mut cause = String::new();
        for number in 0..TRIES_MAX {
            if number > 0 {
                sleep(TRIES_APART).await;
            }
            match self.once(order, &body).await {
                Ok(()) => return Sent { at, took: began.elapsed(), answer: Answer::Confirmed },
                Err(error) => {
                    cause = format!("{error:#}");
                    self.session = None;
                }
            }
        }
        Sent { at, took: began.elapsed(), answer: Answer::None { cause } }
    }

    async fn once(&mut self, order: &Order, body: &str) -> anyhow::Result<()> {
        if self.session.is_none() {
            let connection = self.broker.connect().await?;
            let opened = async {
                let channel = connection.create_channel().await?;
                channel.confirm_select(ConfirmSelectOptions::default()).await?;
                anyhow::Ok(channel)
            };
            let channel = timeout(STEP_DEADLINE, opened).await.context("the channel hangs")??;
            self.session = Some((connection, channel));
        }
        let (_, channel) = self.session.as_ref().context("there is no session")?;
        let mut properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_delivery_mode(2)
            .with_message_id(order.client_ref.as_str().into())
            .with_user_id(self.broker.user.as_str().into());
        if order.way == Way::AmqpReply {
            properties = properties
                .with_reply_to(self.broker.reply_queue.as_str().into())
                .with_correlation_id(order.client_ref.as_str().into());
        }
        let options = BasicPublishOptions { mandatory: true, immediate: false };
        let published = async {
            let confirm = channel
                .basic_publish(
                    "fleet".into(),
                    "requested".into(),
                    options,
                    body.as_bytes(),
                    properties,
                )
                .await?;
            confirm.await
        };
        match timeout(STEP_DEADLINE, published).await.context("no confirm in time")?? {
            Confirmation::Ack(None) => Ok(()),
            Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) => {
                anyhow::bail!("returned: {}", returned.reply_text)
            }
            Confirmation::Nack(None) => anyhow::bail!("refused by the broker"),
            Confirmation::NotRequested => anyhow::bail!("the channel has no confirms"),
        }
    }
}

/// What a publisher is told.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reply {
    pub(crate) outcome: String,
    #[serde(default)]
    pub(crate) response_code: String,
    #[serde(default)]
    pub(crate) response_message: String,
}

/// Replies by `correlation_id`.
#[derive(Clone, Default)]
pub(crate) struct Replies(Arc<Mutex<HashMap<String, Reply>>>);

impl Replies {
    pub(crate) fn get(&self, client_ref: &str) -> Option<Reply> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(client_ref).cloned()
    }

    fn put(&self, client_ref: &str, reply: Reply) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(client_ref.to_owned(), reply);
    }

    /// Listens until it is dropped. The queue is the connection's own and goes with it; after a
    /// lost connection it is declared again, and replies in between are lost.
    pub(crate) async fn listen(self, broker: Arc<Broker>, ready: Arc<tokio::sync::Notify>) {
        loop {
            let ended = self.session(&broker, &ready).await;
            if let Err(error) = ended {
                crate::progress::note(&format!("replies: {error:#}"));
            }
            ready.notify_one();
            sleep(TRIES_APART).await;
        }
    }

    async fn session(&self, broker: &Broker, ready: &tokio::sync::Notify) -> anyhow::Result<()> {
        let connection = broker.connect().await?;
        let channel = connection.create_channel().await?;
        let options =
            QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
        let queue = broker.reply_queue.as_str();
        channel.queue_declare(queue.into(), options, FieldTable::default()).await?;
        let options = BasicConsumeOptions::default();
        let mut letters = channel
            .basic_consume(queue.into(), "load".into(), options, FieldTable::default())
            .await?;
        ready.notify_one();
        while let Some(letter) = letters.next().await {
            let letter = letter?;
            let correlation_id = letter.properties.correlation_id();
            let reply = serde_json::from_slice(&letter.data);
            if let (Some(client_ref), Ok(reply)) = (correlation_id, reply) {
                self.put(client_ref.as_str(), reply);
            }
            letter.ack(BasicAckOptions::default()).await?;
        }
        anyhow::bail!("the reply queue is gone")
    }
}
