//! Everything that goes over the broker, read beside whom it is meant for.

use fleet_contracts::{DEAD_EXCHANGE, EXCHANGE};
use lapin::options::{BasicGetOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties};
use secrecy::ExposeSecret;

use super::TestFleet;

/// A queue that gets a copy of every message of both exchanges.
#[derive(Debug)]
pub struct Tap {
    queue: String,
    channel: Channel,
    // Closed when dropped.
    _connection: Connection,
}

impl Tap {
    /// What has come since the last time: body and properties of each message, as texts.
    pub async fn messages(&self) -> Vec<String> {
        let mut messages = Vec::new();
        let options = BasicGetOptions { no_ack: true };
        loop {
            let got = self.channel.basic_get(self.queue.as_str().into(), options).await;
            let Some(message) = got.expect("an answer of the broker") else { break };
            let body = String::from_utf8_lossy(&message.delivery.data).into_owned();
            messages.push(format!("{body} {:?}", message.delivery.properties));
        }
        messages
    }
}

impl TestFleet {
    /// Listens to everything that is published from now on.
    pub async fn tap(&self) -> Tap {
        let url = self.vhost.url();
        let connected = Connection::connect(url.expose_secret(), ConnectionProperties::default());
        let connection = connected.await.expect("a connection to the broker");
        let channel = connection.create_channel().await.expect("a channel");
        let queue = format!("fleet.tap.{}", uuid::Uuid::new_v4());
        let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
        let table = FieldTable::default;
        let declared = channel.queue_declare(queue.as_str().into(), options, table()).await;
        declared.expect("a queue to listen with");
        for exchange in [EXCHANGE, DEAD_EXCHANGE] {
            let options = QueueBindOptions::default();
            let bound = channel.queue_bind(
                queue.as_str().into(),
                exchange.into(),
                "#".into(),
                options,
                table(),
            );
            bound.await.expect("bound to an exchange");
        }
        Tap { queue, channel, _connection: connection }
    }
}
