use std::time::Duration;

use anyhow::Result;
use fleet_contracts::Queue;
use serde_json::json;
use tokio::time::Instant;

use crate::support::{
    BROKER, Fixture, eventually, fixture_alone, hints, id_of, publish_all, usable,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_alarm_refuses_publishes_at_once_and_lets_answers_through() -> Result<()> {
    let _alone = BROKER.write().await;
    let fixture = fixture_alone().await?;
    let outcome = under_alarm(&fixture).await;
    fixture.vhost.rabbitmqctl("set_vm_memory_high_watermark 0.4").await?;
    outcome?;
    Ok(())
}

async fn under_alarm(fixture: &Fixture) -> Result<()> {
    let publisher = fixture.publisher().await?;
    let mut consumer = fixture.consumer(Queue::Deliver, 10);
    publish_all(&publisher, hints(Queue::Deliver, 0..20)).await?;
    let mut held = Vec::new();
    while held.len() < 10 {
        held.push(consumer.next().await?.ack);
    }
    fixture.vhost.rabbitmqctl("set_vm_memory_high_watermark 0").await?;

    // The broker says so only to who publishes.
    let started = Instant::now();
    let published = publisher.publish(hints(Queue::Deliver, 20..30)).await;
    assert_eq!(published, [false; 10]);
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert!(!publisher.usable());
    let started = Instant::now();
    assert_eq!(publisher.publish(hints(Queue::Deliver, 30..40)).await, [false; 10]);
    assert_eq!(publisher.ready(Queue::Deliver).await, None);
    assert!(started.elapsed() < Duration::from_millis(100), "{:?}", started.elapsed());

    for ack in held {
        ack.ack();
    }
    for _ in 0..10 {
        consumer.next().await?.ack.ack();
    }
    let name = Queue::Deliver.name();
    eventually("all are acknowledged", async || {
        Ok(fixture.vhost.queue(name).await?.get("messages") == Some(&json!(0)))
    })
    .await?;
    assert!(!publisher.usable());

    fixture.vhost.rabbitmqctl("set_vm_memory_high_watermark 0.4").await?;
    usable(&publisher).await?;
    publish_all(&publisher, hints(Queue::Deliver, 40..50)).await?;
    // What was already on its way when the alarm came may have arrived as well.
    for _ in 0..30 {
        let message = consumer.next().await?;
        let is_last = id_of(&message)? == 49;
        message.ack.ack();
        if is_last {
            return Ok(());
        }
    }
    anyhow::bail!("the last message does not come")
}
