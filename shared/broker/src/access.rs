//! What a user may do at the broker, found out without taking, sending or leaving anything.
//!
//! The broker looks at permissions before it looks at anything else. So each question is one that
//! it must refuse for another reason: a consumer with a priority that is no number, a message with
//! an expiry that is none. Who is told of that reason may do the thing itself.

use fleet_contracts::{DEAD_EXCHANGE, EXCHANGE, Queue};
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection};

use crate::session::{SessionError, bounded, chain, close, connect, open_channel};
use crate::settings::BrokerSettings;
use crate::topology::ready;

/// Refused for what the question asks, not for who asks it.
const PRECONDITION_FAILED: u16 = 406;
const ACCESS_REFUSED: u16 = 403;
const NOT_FOUND: u16 = 404;
/// No such virtual host, or not for this user.
const NOT_ALLOWED: u16 = 530;

/// Logs in and asks whether this user may read these queues and publish what their reader publishes;
/// everything that it may not, in words.
pub async fn check_access(settings: &BrokerSettings, reads: &[Queue]) -> Vec<String> {
    let (connection, _socket) = match connect(settings, "check").await {
        Ok(connected) => connected,
        Err(error) => return vec![log_in_problem(&error)],
    };
    let mut problems = Vec::new();
    for queue in reads {
        problems.extend(reading(&connection, *queue).await);
    }
    for queue in Queue::ALL.into_iter().filter(|queue| !matches!(queue, Queue::Requested)) {
        if let Some(key) = queue.routing_key() {
            problems.extend(publishing(&connection, EXCHANGE, key).await);
        }
    }
    // Whoever reads keeps what it cannot read; whoever takes purchases in answers who asked.
    if !reads.is_empty() {
        problems.extend(publishing(&connection, DEAD_EXCHANGE, "").await);
    }
    if reads.contains(&Queue::Requested) {
        problems.extend(publishing(&connection, "", "reply.check").await);
    }
    close(&connection).await;
    problems
}

fn log_in_problem(error: &SessionError) -> String {
    match error.code() {
        Some(ACCESS_REFUSED) => "the log-in is refused: mend its user or password".to_owned(),
        Some(NOT_ALLOWED) => {
            "its virtual host is not there, or not for this user: mend it, or load \
             deploy/rabbitmq/definitions.json"
                .to_owned()
        }
        _ => format!("the broker cannot be reached: {}", chain(error)),
    }
}

async fn reading(connection: &Connection, queue: Queue) -> Option<String> {
    let name = queue.name();
    if let Err(error) = ready(connection, queue).await {
        return Some(problem(&error, &format!("read queue {name}"), &format!("queue {name}")));
    }
    let asked = async {
        let channel = open_channel(connection).await?;
        let mut arguments = FieldTable::default();
        arguments.insert("x-priority".into(), AMQPValue::LongString("none".into()));
        let options = BasicConsumeOptions::default();
        let consuming = channel.basic_consume(name.into(), "check".into(), options, arguments);
        bounded("starting a consumer", consuming).await.map(drop)
    };
    told(asked.await, &format!("read queue {name}"), &format!("queue {name}"))
}

async fn publishing(connection: &Connection, exchange: &str, key: &str) -> Option<String> {
    let asked = async {
        let channel = open_channel(connection).await?;
        let confirms = channel.confirm_select(ConfirmSelectOptions::default());
        bounded("asking for confirms", confirms).await?;
        let options = BasicPublishOptions { mandatory: true, immediate: false };
        let properties = BasicProperties::default().with_expiration("none".into());
        let sent = channel.basic_publish(exchange.into(), key.into(), options, &[], properties);
        let confirm = bounded("publishing", sent).await?;
        bounded("publishing", confirm).await.map(drop)
    };
    let exchange = if exchange.is_empty() { "amq.default" } else { exchange };
    let may = format!("write to exchange {exchange} with the key \"{key}\"");
    told(asked.await, &may, &format!("exchange {exchange}"))
}

/// `None` when the question was refused for what it asks.
fn told(answer: Result<(), SessionError>, may: &str, what: &str) -> Option<String> {
    match answer {
        Ok(()) => None,
        Err(error) if error.code() == Some(PRECONDITION_FAILED) => None,
        Err(error) => Some(problem(&error, may, what)),
    }
}

fn problem(error: &SessionError, may: &str, what: &str) -> String {
    match error.code() {
        Some(ACCESS_REFUSED) => format!("its user may not {may}: give it that permission"),
        Some(NOT_FOUND) => {
            format!("{what} is missing: load deploy/rabbitmq/definitions.json")
        }
        _ => format!("whether its user may {may} is not known: {}", chain(error)),
    }
}
