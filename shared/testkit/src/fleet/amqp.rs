//! Services that enqueue purchases, and others who publish.

use std::time::Duration;

use fleet_contracts::{EXCHANGE, Queue, RequestedReply};
use futures_util::StreamExt;
use lapin::options::{
    BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, BasicRejectOptions,
    ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::time::timeout;

use super::TestFleet;

const PATIENCE: Duration = Duration::from_secs(20);

/// A connection to the test's virtual host, with publisher confirms.
#[derive(Debug)]
pub struct Shop {
    connection: Connection,
    channel: Channel,
    user: Option<String>,
}

/// Answers to a publisher.
#[derive(Debug)]
pub struct Replies {
    queue: String,
    consumer: Consumer,
}

/// A message to publish, with everything that a publisher may set.
#[derive(Debug, Clone, Default)]
pub struct Letter {
    /// The bytes.
    pub body: Vec<u8>,
    /// `message_id`.
    pub message_id: Option<String>,
    /// `reply_to`.
    pub reply_to: Option<String>,
    /// `correlation_id`.
    pub correlation_id: Option<String>,
    /// Headers, as texts.
    pub headers: Vec<(String, String)>,
}

impl Letter {
    /// A message with an id.
    #[must_use]
    pub fn new(body: impl Into<Vec<u8>>) -> Self {
        let message_id = Some(uuid::Uuid::new_v4().to_string());
        Self { body: body.into(), message_id, ..Self::default() }
    }

    /// A purchase as a message, with an id.
    #[must_use]
    pub fn purchase(body: &Value) -> Self {
        Self::new(body.to_string())
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With an answer wanted: the id is the word for the question too.
    #[must_use]
    pub fn answered(mut self, replies: &Replies) -> Self {
        self.reply_to = Some(replies.queue.clone());
        self.correlation_id = Some(uuid::Uuid::new_v4().to_string());
        self
    }
}

impl Shop {
    pub(super) async fn connect(url: &SecretString, user: Option<&str>) -> Self {
        let connected = Connection::connect(url.expose_secret(), ConnectionProperties::default());
        let connection = connected.await.expect("a connection to the broker");
        let channel = connection.create_channel().await.expect("a channel");
        let confirms = channel.confirm_select(ConfirmSelectOptions::default()).await;
        confirms.expect("publisher confirms");
        Self { connection, channel, user: user.map(str::to_owned) }
    }

    /// Publishes to a queue of the fleet by its routing key; the broker has confirmed it.
    pub async fn publish(&self, queue: Queue, letter: &Letter) {
        let mut properties = BasicProperties::default().with_delivery_mode(2);
        if let Some(user) = &self.user {
            properties = properties.with_user_id(user.as_str().into());
        }
        if let Some(id) = &letter.message_id {
            properties = properties.with_message_id(id.as_str().into());
        }
        if let Some(queue) = &letter.reply_to {
            properties = properties.with_reply_to(queue.as_str().into());
        }
        if let Some(id) = &letter.correlation_id {
            properties = properties.with_correlation_id(id.as_str().into());
        }
        if !letter.headers.is_empty() {
            let mut table = FieldTable::default();
            for (name, value) in &letter.headers {
                table.insert(name.as_str().into(), AMQPValue::LongString(value.as_str().into()));
            }
            properties = properties.with_headers(table);
        }
        let options = BasicPublishOptions { mandatory: true, immediate: false };
        let key = queue.routing_key().expect("a queue that is published to");
        let body = letter.body.as_slice();
        let sent =
            self.channel.basic_publish(EXCHANGE.into(), key.into(), options, body, properties);
        let confirmed = sent.await.expect("published").await.expect("an answer of the broker");
        assert_eq!(confirmed, Confirmation::Ack(None), "not taken by the broker");
    }

    /// Publishes a purchase.
    pub async fn request(&self, letter: &Letter) {
        self.publish(Queue::Requested, letter).await;
    }

    /// Messages that wait in a queue and are not with a consumer, at this moment.
    pub async fn ready(&self, queue: Queue) -> u32 {
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        let found =
            self.channel.queue_declare(queue.name().into(), options, FieldTable::default()).await;
        found.expect("a queue of the fleet").message_count()
    }

    /// Takes the first message of a queue and gives it up: what its consumer never accepts.
    pub async fn reject_first(&self, queue: Queue) {
        let getting = self.channel.basic_get(queue.name().into(), BasicGetOptions::default());
        let message = getting.await.expect("a queue of the fleet").expect("a message in it");
        let options = BasicRejectOptions { requeue: false };
        message.delivery.acker.reject(options).await.expect("rejected");
    }

    /// A queue for answers.
    pub async fn replies(&self) -> Replies {
        let queue = format!("reply.svc-shop.{}", uuid::Uuid::new_v4());
        let channel = self.connection.create_channel().await.expect("a channel");
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        let declared =
            channel.queue_declare(queue.as_str().into(), options, FieldTable::default()).await;
        declared.expect("a queue for replies");
        let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
        let consumer =
            channel.basic_consume(queue.as_str().into(), "".into(), options, FieldTable::default());
        Replies { queue, consumer: consumer.await.expect("a consumer of replies") }
    }
}

impl Replies {
    /// The next answer and the word for its question.
    pub async fn next(&mut self) -> (RequestedReply, Option<String>) {
        let next = timeout(PATIENCE, self.consumer.next()).await.expect("no reply in time");
        let delivery = next.expect("the consumer ended").expect("a delivery");
        let word = delivery.properties.correlation_id().as_ref().map(ToString::to_string);
        let reply = serde_json::from_slice(&delivery.data).expect("a reply of the contract");
        (reply, word)
    }
}

impl TestFleet {
    /// A connection as the sample's service, which may enqueue for clients 1001 and 1002.
    pub async fn shop(&self) -> Shop {
        let url = self.vhost.url_for("svc-shop", "sample-svc-shop").expect("the service's url");
        Shop::connect(&url, Some("svc-shop")).await
    }

    /// A connection as the administrator, who may publish anything to any queue.
    pub async fn administrator(&self) -> Shop {
        Shop::connect(&self.vhost.url(), None).await
    }

    /// Enqueues a purchase as a service does; `scenario` stands in the message.
    pub async fn enqueue(&self, body: &Value, scenario: &str) {
        let shop = self.shop().await;
        shop.request(&Letter::purchase(&self.message(body, scenario))).await;
        drop(shop.connection.close(200, "done".into()).await);
    }

    /// A purchase's fields as a message.
    #[must_use]
    pub fn message(&self, body: &Value, scenario: &str) -> Value {
        self.keep_private(body);
        let mut message = body.clone();
        message["scenario"] = scenario.into();
        message
    }
}
