//! Exchanges, queues and bindings, declared at the start of every session.
//!
//! Queues are declared with nothing but their type: limits, lengths and dead-lettering are the
//! broker's policies, so that changing one never makes a declaration inequivalent. A user who may
//! not declare only looks.

use fleet_contracts::{DEAD_EXCHANGE, EXCHANGE, Queue};
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ExchangeKind};
use tracing::{debug, warn};

use crate::session::{RPC_TIMEOUT, SessionError, bounded, close, connect, open_channel};
use crate::settings::{BrokerError, BrokerSettings};

/// Declares the whole topology once, as a user who may: idempotent.
///
/// # Errors
/// [`BrokerError`] for bad settings, an unreachable broker, a refused declaration.
pub async fn declare_topology(settings: &BrokerSettings) -> Result<(), BrokerError> {
    settings.check()?;
    let failed = |error: SessionError| BrokerError::Topology(Box::new(error));
    let (connection, _socket) = connect(settings, "topology").await.map_err(failed)?;
    let outcome = declare(&connection).await.map_err(failed);
    close(&connection).await;
    outcome
}

/// Declares the topology or, without the permission, looks whether what is needed exists.
pub(crate) async fn prepare(
    connection: &Connection,
    needed: Option<Queue>,
) -> Result<(), SessionError> {
    match declare(connection).await {
        Err(error) if error.code() == Some(403) => {
            debug!("this user may not declare the topology");
            look(connection, needed).await
        }
        other => other,
    }
}

async fn declare(connection: &Connection) -> Result<(), SessionError> {
    let channel = open_channel(connection).await?;
    let exchanges = [(EXCHANGE, ExchangeKind::Topic), (DEAD_EXCHANGE, ExchangeKind::Fanout)];
    for (name, kind) in exchanges {
        let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
        let declared = channel.exchange_declare(name.into(), kind, options, FieldTable::default());
        refused_as("exchange", name, bounded("declaring an exchange", declared).await)?;
    }
    for queue in Queue::ALL {
        let name = queue.name();
        let declared = declare_queue(&channel, queue).await;
        refused_as("queue", name, declared)?;
        let (exchange, key) = match queue.routing_key() {
            Some(key) => (EXCHANGE, key),
            None => (DEAD_EXCHANGE, ""),
        };
        let bound = channel.queue_bind(
            name.into(),
            exchange.into(),
            key.into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        refused_as("binding of", name, bounded("binding a queue", bound).await)?;
    }
    drop(bounded("closing a channel", channel.close(200, "done".into())).await);
    Ok(())
}

async fn declare_queue(channel: &Channel, queue: Queue) -> Result<(), SessionError> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    let declared = channel.queue_declare(queue.name().into(), options, arguments);
    bounded("declaring a queue", declared).await.map(drop)
}

/// Names what the broker refused.
fn refused_as(
    what: &str,
    name: &str,
    answer: Result<(), SessionError>,
) -> Result<(), SessionError> {
    match answer {
        Err(SessionError::Broker { source, .. }) if source.is_amqp_error() => {
            Err(SessionError::Refused { what: format!("{what} {name}"), source })
        }
        other => other,
    }
}

/// Looks only. A publisher needs the exchanges, and learns from returns which queue is missing; a
/// consumer needs its queue.
async fn look(connection: &Connection, needed: Option<Queue>) -> Result<(), SessionError> {
    if let Some(queue) = needed {
        return match ready(connection, queue).await {
            Err(error) if error.code() == Some(404) => Err(SessionError::Missing(queue.name())),
            other => other.map(drop),
        };
    }
    for name in [EXCHANGE, DEAD_EXCHANGE] {
        let channel = open_channel(connection).await?;
        let options = ExchangeDeclareOptions { passive: true, ..Default::default() };
        let kind = ExchangeKind::Topic; // not looked at by a passive declaration
        let found = channel.exchange_declare(name.into(), kind, options, FieldTable::default());
        match bounded("looking for an exchange", found).await {
            Err(error) if error.code() == Some(404) => return Err(SessionError::Missing(name)),
            other => other?,
        }
        drop(bounded("closing a channel", channel.close(200, "done".into())).await);
    }
    for queue in Queue::ALL {
        match ready(connection, queue).await {
            Err(error) if error.code() == Some(404) => {
                warn!(queue = queue.name(), "queue is missing and this user may not declare it");
            }
            other => drop(other?),
        }
    }
    Ok(())
}

/// Messages ready in a queue. The channel is thrown away: a missing queue would end it.
pub(crate) async fn ready(connection: &Connection, queue: Queue) -> Result<u32, SessionError> {
    let channel = open_channel(connection).await?;
    let options = QueueDeclareOptions { passive: true, ..Default::default() };
    let found = channel.queue_declare(queue.name().into(), options, FieldTable::default());
    let count = bounded("looking at a queue", found).await?.message_count();
    drop(tokio::time::timeout(RPC_TIMEOUT, channel.close(200, "done".into())).await);
    Ok(count)
}
