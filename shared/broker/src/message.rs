//! Messages as the rest of the fleet sees them.

use std::collections::BTreeMap;

use fleet_contracts::{BODY_BYTES_MAX, DEAD_EXCHANGE, EXCHANGE, Queue};
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};

use crate::ack::Ack;

/// The most of a body that is kept or sent. It is more than the contract allows, so that a body that
/// is too long reaches the dead letters as it came; the broker's own `max_message_size` is the same.
pub const KEPT_BYTES_MAX: usize = 1_048_576;
/// The most headers that are read or sent.
pub const HEADERS_MAX: usize = 32;
/// The most characters that are kept of a header's name or value.
const HEADER_CHARACTERS_MAX: usize = 256;
/// The longest header value that is sent: all headers together have to fit into one frame.
const HEADER_BYTES_MAX: usize = 2_048;
const PERSISTENT: u8 = 2;

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// To a queue of the fleet, by its routing key.
    Hint(Queue),
    /// To the dead letters.
    Dead,
    /// To the queue that a publisher named in `reply_to`; never to one of the fleet's.
    Reply(String),
}

/// A message to publish.
#[derive(Clone)]
pub struct Outgoing {
    /// Where it goes.
    pub target: Target,
    /// At most [`KEPT_BYTES_MAX`].
    pub body: Vec<u8>,
    /// Tells returned messages apart: unique in its batch.
    pub message_id: String,
    /// The asker's word for its question.
    pub correlation_id: Option<String>,
    /// At most 32, each value at most 2 KiB.
    pub headers: Vec<(String, String)>,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outgoing")
            .field("target", &self.target)
            .field("message_id", &self.message_id)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The parts of a message that go into the publish method.
pub(crate) struct Addressed {
    pub(crate) exchange: ShortString,
    pub(crate) routing_key: ShortString,
    pub(crate) properties: BasicProperties,
}

impl Outgoing {
    /// `None` if it does not fit the protocol or our limits: then nothing is sent.
    pub(crate) fn address(&self, service: &str) -> Option<Addressed> {
        if self.body.len() > KEPT_BYTES_MAX || self.headers.len() > HEADERS_MAX {
            return None;
        }
        let (exchange, routing_key) = match &self.target {
            Target::Hint(queue) => (EXCHANGE, queue.routing_key()?),
            Target::Dead => (DEAD_EXCHANGE, ""),
            Target::Reply(queue) if queue.is_empty() || queue.starts_with("fleet.") => return None,
            Target::Reply(queue) => ("", queue.as_str()),
        };
        let mut headers = FieldTable::default();
        for (name, value) in &self.headers {
            if value.len() > HEADER_BYTES_MAX {
                return None;
            }
            headers.insert(short(name)?, AMQPValue::LongString(value.as_str().into()));
        }
        let mut properties = BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_content_type("application/json".into())
            .with_app_id(short(service)?)
            .with_message_id(short(&self.message_id)?)
            .with_headers(headers);
        if let Some(correlation_id) = &self.correlation_id {
            properties = properties.with_correlation_id(short(correlation_id)?);
        }
        Some(Addressed { exchange: short(exchange)?, routing_key: short(routing_key)?, properties })
    }
}

fn short(text: &str) -> Option<ShortString> {
    ShortString::try_new(text).ok()
}

/// A message that came in.
pub struct Incoming {
    /// Its body, cut after [`KEPT_BYTES_MAX`]; the broker still holds all of it.
    pub body: Vec<u8>,
    /// How long the body was before it was cut.
    pub body_bytes: usize,
    /// The publisher's id of it.
    pub message_id: Option<String>,
    /// The publisher's word for its question.
    pub correlation_id: Option<String>,
    /// Where the publisher wants an answer.
    pub reply_to: Option<String>,
    /// The broker user who published it, checked by the broker.
    pub user_id: Option<String>,
    /// True when it may have been delivered before.
    pub redelivered: bool,
    /// True when the broker itself moved it here: then its publisher wrote all of its headers but
    /// those that begin with `x-death` or `x-first-death`.
    pub given_up: bool,
    /// Its text headers: at most 32, names and values cut after 256 characters.
    pub headers: BTreeMap<String, String>,
    /// Answers the broker.
    pub ack: Ack,
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming")
            .field("message_id", &self.message_id)
            .field("body_bytes", &self.body_bytes)
            .field("redelivered", &self.redelivered)
            .finish_non_exhaustive()
    }
}

impl Incoming {
    /// True when it is longer than the contract allows, whether or not `body` had to be cut.
    #[must_use]
    pub const fn too_long(&self) -> bool {
        self.body_bytes > BODY_BYTES_MAX
    }

    pub(crate) fn new(delivery: Delivery, ack: Ack) -> Self {
        let Delivery { data: mut body, properties, redelivered, .. } = delivery;
        let body_bytes = body.len();
        if body_bytes > KEPT_BYTES_MAX {
            body.truncate(KEPT_BYTES_MAX);
            body.shrink_to_fit();
        }
        Self {
            body,
            body_bytes,
            message_id: text(properties.message_id()),
            correlation_id: text(properties.correlation_id()),
            reply_to: text(properties.reply_to()),
            user_id: text(properties.user_id()),
            redelivered,
            given_up: properties.headers().as_ref().is_some_and(was_given_up),
            headers: properties.headers().as_ref().map(text_headers).unwrap_or_default(),
            ack,
        }
    }
}

fn text(property: &Option<ShortString>) -> Option<String> {
    property.as_ref().map(ToString::to_string)
}

/// Of any type: whoever writes it without being the broker only spoils its own headers.
fn was_given_up(table: &FieldTable) -> bool {
    table.contains_key("x-death") || table.contains_key("x-first-death-queue")
}

fn text_headers(table: &FieldTable) -> BTreeMap<String, String> {
    let cut = |text: &str| text.chars().take(HEADER_CHARACTERS_MAX).collect::<String>();
    let mut headers = BTreeMap::new();
    for (name, value) in table.inner() {
        if headers.len() == HEADERS_MAX {
            break;
        }
        if let AMQPValue::LongString(value) = value {
            headers.insert(cut(name.as_str()), cut(&readable(value)));
        } else if let AMQPValue::ShortString(value) = value {
            headers.insert(cut(name.as_str()), cut(value.as_str()));
        }
    }
    headers
}

/// Only the start is looked at: a header may be as long as a frame.
fn readable(value: &LongString) -> String {
    let bytes = value.as_bytes();
    let start = bytes.get(..HEADER_CHARACTERS_MAX.saturating_mul(4)).unwrap_or(bytes);
    String::from_utf8_lossy(start).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing(target: Target) -> Outgoing {
        Outgoing {
            target,
            body: b"{}".to_vec(),
            message_id: "m".to_owned(),
            correlation_id: None,
            headers: Vec::new(),
        }
    }

    #[test]
    fn each_target_has_its_exchange_and_key() {
        let address = |target| {
            outgoing(target)
                .address("test")
                .map(|a| (a.exchange.to_string(), a.routing_key.to_string()))
        };
        let pair = |exchange: &str, key: &str| Some((exchange.to_owned(), key.to_owned()));
        assert_eq!(address(Target::Hint(Queue::Settle)), pair("fleet", "settle"));
        assert_eq!(address(Target::Dead), pair("fleet.dead", ""));
        assert_eq!(address(Target::Reply("reply.svc".to_owned())), pair("", "reply.svc"));
        assert_eq!(address(Target::Hint(Queue::Dead)), None);
    }

    #[test]
    fn an_answer_never_goes_into_a_queue_of_the_fleet() {
        for name in ["fleet.settle", "fleet.dead", ""] {
            assert!(outgoing(Target::Reply(name.to_owned())).address("test").is_none(), "{name}");
        }
    }

    #[test]
    fn what_does_not_fit_is_not_sent() {
        let odd = |change: fn(&mut Outgoing)| {
            let mut message = outgoing(Target::Dead);
            change(&mut message);
            message.address("test").is_none()
        };
        assert!(!odd(|m| m.body = vec![0; KEPT_BYTES_MAX]));
        assert!(odd(|m| m.body = vec![0; KEPT_BYTES_MAX + 1]));
        assert!(odd(|m| m.message_id = "x".repeat(256)));
        assert!(odd(|m| m.correlation_id = Some("x".repeat(256))));
        assert!(odd(|m| m.target = Target::Reply("x".repeat(256))));
        assert!(odd(|m| m.headers = vec![("a".to_owned(), "x".repeat(2_049))]));
        assert!(odd(|m| m.headers = vec![("a".to_owned(), String::new()); 33]));
    }

    #[test]
    fn headers_are_cut_and_only_text_is_kept() {
        let mut table = FieldTable::default();
        table.insert("long".into(), AMQPValue::LongString("é".repeat(5_000).into()));
        table.insert("odd".into(), AMQPValue::LongString(vec![0xff, b'a'].into()));
        table.insert("number".into(), AMQPValue::LongInt(7));
        let headers = text_headers(&table);
        assert_eq!(headers.len(), 2);
        assert_eq!(headers["long"], "é".repeat(256));
        assert_eq!(headers["odd"], "\u{fffd}a");
        for i in 0..50 {
            table.insert(format!("h{i}").into(), AMQPValue::LongString("x".into()));
        }
        assert_eq!(text_headers(&table).len(), 32);
    }

    #[test]
    fn what_the_broker_gave_up_is_known_however_many_headers_its_publisher_wrote() {
        let mut table = FieldTable::default();
        for i in 0..50 {
            table.insert(format!("h{i}").into(), AMQPValue::LongString("x".into()));
        }
        assert!(!was_given_up(&table));
        let queue = AMQPValue::LongString("fleet.requested".into());
        table.insert("x-first-death-queue".into(), queue);
        assert!(was_given_up(&table));
        assert!(!text_headers(&table).contains_key("x-first-death-queue"), "there is no room");
        let mut odd = FieldTable::default();
        odd.insert("x-first-death-queue".into(), AMQPValue::LongInt(7));
        assert!(was_given_up(&odd));
    }
}
