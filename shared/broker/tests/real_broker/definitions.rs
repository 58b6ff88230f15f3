use std::collections::BTreeSet;

use anyhow::{Context, Result};
use fleet_broker::Target;
use fleet_contracts::{DEAD_EXCHANGE, EXCHANGE, Queue};
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation};
use serde_json::{Value, json};

use crate::support::{Fixture, fixture, hints, message, publish_all, raw_channel, settings};

const DEFINITIONS: &str = include_str!("../../../../deploy/rabbitmq/definitions.json");

async fn defined() -> Result<Fixture> {
    let fixture = fixture().await?;
    fixture.vhost.import_definitions(DEFINITIONS).await?;
    Ok(fixture)
}

fn url(fixture: &Fixture, user: &str) -> Result<secrecy::SecretString> {
    fixture.vhost.url_for(user, &format!("sample-{user}"))
}

#[test]
fn the_definitions_name_what_the_contracts_name() -> Result<()> {
    let definitions: Value = serde_json::from_str(DEFINITIONS)?;
    let names = |section: &str| -> BTreeSet<String> {
        let entries = definitions[section].as_array().into_iter().flatten();
        entries.filter_map(|entry| entry["name"].as_str().map(str::to_owned)).collect()
    };
    assert_eq!(names("queues"), Queue::ALL.iter().map(|q| q.name().to_owned()).collect());
    assert_eq!(names("exchanges"), BTreeSet::from([EXCHANGE.into(), DEAD_EXCHANGE.into()]));
    let bindings = definitions["bindings"].as_array().context("no bindings")?;
    assert_eq!(bindings.len(), Queue::ALL.len());
    for queue in Queue::ALL {
        let (source, key) = queue.routing_key().map_or((DEAD_EXCHANGE, ""), |key| (EXCHANGE, key));
        let wanted = |b: &Value| {
            b["source"] == source && b["destination"] == queue.name() && b["routing_key"] == key
        };
        assert!(bindings.iter().any(wanted), "no binding of {}", queue.name());
    }
    for queue in definitions["queues"].as_array().into_iter().flatten() {
        assert_eq!(queue["arguments"], json!({"x-queue-type": "quorum"}));
    }
    Ok(())
}

/// Publishes as a service does: with its own client, its user name, and confirms.
async fn publish_as(channel: &Channel, user: &str, key: &str, body: &[u8]) -> lapin::Result<bool> {
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let properties = BasicProperties::default()
        .with_user_id(user.into())
        .with_message_id("order-1".into())
        .with_reply_to("reply.svc-shop.1".into())
        .with_delivery_mode(2);
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    let publishing = channel.basic_publish(EXCHANGE.into(), key.into(), options, body, properties);
    Ok(publishing.await?.await? == Confirmation::Ack(None))
}

fn refusal<T: std::fmt::Debug>(answer: lapin::Result<T>) -> String {
    answer.map_or_else(|error| error.to_string(), |good| format!("no refusal: {good:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_enqueues_purchases_under_its_own_name_and_nothing_else() -> Result<()> {
    let fixture = defined().await?;
    let service = url(&fixture, "svc-shop")?;
    let (connection, channel) = raw_channel(&service).await?;
    assert!(publish_as(&channel, "svc-shop", "requested", b"{}").await?);
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare("reply.svc-shop.1".into(), options, FieldTable::default()).await?;

    let refused = refusal(publish_as(&channel, "svc-shop", "dispense", b"{}").await);
    assert!(refused.contains("ACCESS_REFUSED"), "{refused}");
    let channel = connection.create_channel().await?;
    let refused = refusal(publish_as(&channel, "svc-other", "requested", b"{}").await);
    assert!(refused.contains("user_id property set to 'svc-other'"), "{refused}");
    let channel = connection.create_channel().await?;
    let name = "reply.svc-other.1".into();
    let refused = refusal(channel.queue_declare(name, options, FieldTable::default()).await);
    assert!(refused.contains("ACCESS_REFUSED"), "{refused}");
    let channel = connection.create_channel().await?;
    let consuming = BasicConsumeOptions::default();
    let queue = Queue::Requested.name().into();
    let reading = channel.basic_consume(queue, "".into(), consuming, FieldTable::default());
    let refused = refusal(reading.await);
    assert!(refused.contains("ACCESS_REFUSED"), "{refused}");
    connection.close(200, "done".into()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_reads_its_own_queues_only_and_works_without_declaring() -> Result<()> {
    let fixture = defined().await?;
    let dispensing = url(&fixture, "dispensing")?;
    let (connection, channel) = raw_channel(&dispensing).await?;
    let consuming = BasicConsumeOptions::default();
    let queue = Queue::Settle.name().into();
    let reading = channel.basic_consume(queue, "".into(), consuming, FieldTable::default());
    let refused = refusal(reading.await);
    assert!(refused.contains("ACCESS_REFUSED"), "{refused}");
    let channel = connection.create_channel().await?;
    let refused = refusal(publish_as(&channel, "dispensing", "requested", b"{}").await);
    assert!(refused.contains("ACCESS_REFUSED"), "{refused}");
    connection.close(200, "done".into()).await?;

    let publisher = fixture.publisher_as(dispensing.clone()).await?;
    let mut consumer = fixture.consumer_with(settings(dispensing), Queue::Dispense, 4);
    publish_all(&publisher, hints(Queue::Dispense, 0..1)).await?;
    publish_all(&publisher, hints(Queue::Settle, 1..2)).await?;
    publish_all(&publisher, vec![message(Target::Dead, 2)]).await?;
    assert_eq!(publisher.ready(Queue::Settle).await, Some(1));
    let received = consumer.next().await?;
    assert_eq!(received.user_id, None);
    received.ack.ack();
    consumer.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_worker_and_the_operator_can_do_its_part() -> Result<()> {
    let fixture = defined().await?;
    fleet_broker::declare_topology(&settings(url(&fixture, "operator")?)).await?;
    let parts: [(&str, &[Queue]); 5] = [
        ("reservation", &[Queue::Requested, Queue::Reserve, Queue::Settle, Queue::Dead]),
        ("dispensing", &[Queue::Dispense]),
        ("result-delivery", &[Queue::Deliver, Queue::Notify]),
        ("fraud-reporting", &[Queue::Report]),
        ("operator", &[Queue::Dead]),
    ];
    let everywhere = fixture.publisher().await?;
    for (user, queues) in parts {
        for queue in queues {
            let target = if *queue == Queue::Dead { Target::Dead } else { Target::Hint(*queue) };
            publish_all(&everywhere, vec![message(target, 1)]).await?;
            let mut consumer = fixture.consumer_with(settings(url(&fixture, user)?), *queue, 4);
            consumer.next().await.with_context(|| format!("{user} {queue:?}"))?.ack.ack();
            consumer.finish().await?;
        }
    }
    let gateway = fixture.publisher_as(url(&fixture, "gateway")?).await?;
    publish_all(&gateway, hints(Queue::Reserve, 0..1)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_purchase_reaches_the_dead_letters_intact() -> Result<()> {
    let fixture = defined().await?;
    let body: Vec<u8> = (0..1_000_000u32).map(|n| n.to_le_bytes()[0]).collect();
    let (connection, channel) = raw_channel(&url(&fixture, "svc-shop")?).await?;
    assert!(publish_as(&channel, "svc-shop", "requested", &body).await?);
    connection.close(200, "done".into()).await?;

    let reservation = settings(url(&fixture, "reservation")?);
    let mut consumer = fixture.consumer_with(reservation, Queue::Requested, 4);
    let received = consumer.next().await?;
    assert_eq!(received.user_id.as_deref(), Some("svc-shop"));
    assert_eq!(received.reply_to.as_deref(), Some("reply.svc-shop.1"));
    assert!(received.too_long());
    assert_eq!(received.body_bytes, body.len());
    assert_eq!(received.body, body, "kept whole, for the dead letters");
    received.ack.reject();

    let (connection, channel) = raw_channel(&fixture.vhost.url()).await?;
    let started = tokio::time::Instant::now();
    let letter = loop {
        let getting = channel.basic_get(Queue::Dead.name().into(), Default::default());
        if let Some(letter) = getting.await? {
            break letter.delivery;
        }
        anyhow::ensure!(started.elapsed() < crate::support::PATIENCE, "no letter");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!(letter.data, body);
    assert_eq!(letter.properties.user_id().as_ref().map(ShortString::as_str), Some("svc-shop"));
    assert_eq!(letter.properties.message_id().as_ref().map(ShortString::as_str), Some("order-1"));
    connection.close(200, "done".into()).await?;
    consumer.finish().await
}
