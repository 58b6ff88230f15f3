use std::collections::HashSet;

use anyhow::Result;
use fleet_broker::Publisher;
use fleet_contracts::Queue;

use crate::support::{Consumer, eventually, fixture, hints, id_of, publish_all, settings};

/// Publishes until everything is confirmed, as the clock does.
async fn publish_until_confirmed(publisher: &Publisher, ids: Vec<usize>) -> Result<()> {
    let mut left = ids;
    for _ in 0..2_000 {
        let published = publisher.publish(hints(Queue::Dispense, left.iter().copied())).await;
        left = left.into_iter().zip(published).filter(|(_, p)| !p).map(|(id, _)| id).collect();
        if left.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    anyhow::bail!("{} messages are never confirmed", left.len())
}

async fn receive(consumer: &mut Consumer, wanted: usize, seen: &mut HashSet<usize>) -> Result<()> {
    while seen.len() < wanted {
        let message = consumer.next().await?;
        seen.insert(id_of(&message)?);
        message.ack.ack();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_deleted_under_its_consumer_is_made_again() -> Result<()> {
    let fixture = fixture().await?;
    let publisher = fixture.publisher().await?;
    let mut consumer = fixture.consumer(Queue::Dispense, 16);
    let mut seen = HashSet::new();
    publish_all(&publisher, hints(Queue::Dispense, 0..10)).await?;
    receive(&mut consumer, 10, &mut seen).await?;
    fixture.vhost.delete_queue(Queue::Dispense.name()).await?;
    publish_until_confirmed(&publisher, (10..20).collect()).await?;
    receive(&mut consumer, 20, &mut seen).await?;
    consumer.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_connections_come_back_and_nothing_confirmed_is_lost() -> Result<()> {
    let fixture = fixture().await?;
    let publisher = fixture.publisher().await?;
    let mut consumer = fixture.consumer(Queue::Dispense, 64);
    let mut seen = HashSet::new();
    publish_all(&publisher, hints(Queue::Dispense, 0..1)).await?;
    receive(&mut consumer, 1, &mut seen).await?;
    let sender = publisher.clone();
    let sending = tokio::spawn(async move {
        for from in (1..3_001).step_by(100) {
            publish_until_confirmed(&sender, (from..from + 100).collect()).await?;
        }
        anyhow::Ok(())
    });
    for part in [1_000, 2_000] {
        receive(&mut consumer, part, &mut seen).await?;
        eventually("connections to close", async || {
            Ok(fixture.vhost.close_connections().await? > 0)
        })
        .await?;
    }
    receive(&mut consumer, 3_001, &mut seen).await?;
    sending.await??;
    // Whatever was closed last, there is a good session again.
    publish_until_confirmed(&publisher, vec![3_001]).await?;
    receive(&mut consumer, 3_002, &mut seen).await?;
    consumer.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_an_ended_session_is_void_and_the_message_comes_again() -> Result<()> {
    let fixture = fixture().await?;
    let publisher = fixture.publisher().await?;
    let mut consumer = fixture.consumer(Queue::Dispense, 4);
    publish_all(&publisher, hints(Queue::Dispense, 0..2)).await?;
    let (first, second) = (consumer.next().await?, consumer.next().await?);
    assert!(first.ack.usable() && second.ack.usable());
    eventually("connections to close", async || Ok(fixture.vhost.close_connections().await? > 0))
        .await?;
    eventually("void answers", async || Ok(!first.ack.usable() && !second.ack.usable())).await?;
    first.ack.ack();
    second.ack.reject();
    let mut again = HashSet::new();
    while again.len() < 2 {
        let message = consumer.next().await?;
        assert!(message.redelivered && message.ack.usable());
        assert!(again.insert(id_of(&message)?), "a void answer has disturbed the next session");
        message.ack.ack();
    }
    consumer.finish().await?;
    eventually("an empty queue", async || Ok(publisher.ready(Queue::Dispense).await == Some(0)))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_the_first_connection_loses_no_message_to_the_start() -> Result<()> {
    let fixture = fixture().await?;
    let _consumer = fixture.consumer(Queue::Dispense, 16);
    let url = fixture.vhost.url();
    let (publisher, _task) = Publisher::start(settings(url), fixture.stop.clone());
    assert!(publisher.wait_usable(std::time::Duration::from_secs(30)).await);
    publish_all(&publisher, hints(Queue::Dispense, 0..10)).await?;
    let nobody = secrecy::SecretString::from("amqp://nobody:wrong@127.0.0.1:1/none");
    let (away, _task) = Publisher::start(settings(nobody), fixture.stop.clone());
    assert!(!away.wait_usable(std::time::Duration::from_millis(50)).await, "it does not wait on");
    Ok(())
}
