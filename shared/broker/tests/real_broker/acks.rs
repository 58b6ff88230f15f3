use std::collections::HashSet;
use std::time::Duration;

use anyhow::Result;
use fleet_contracts::Queue;
use rand::RngExt;
use tokio::time::{Instant, sleep, timeout};

use crate::support::{eventually, fixture, hints, id_of, publish_all, settings};

/// A tag that is answered twice or unknown ends the channel: its messages would come again.
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_answers_in_random_order_never_disturb_the_channel() -> Result<()> {
    let fixture = fixture().await?;
    let publisher = fixture.publisher().await?;
    for from in (0..10_000).step_by(2_000) {
        publish_all(&publisher, hints(Queue::Settle, from..from + 2_000)).await?;
    }
    let mut consumer = fixture.consumer(Queue::Settle, 1_000);
    let (mut seen, mut held) = (HashSet::new(), Vec::new());
    while seen.len() < 10_000 {
        let message = consumer.next().await?;
        assert!(!message.redelivered, "the channel was closed");
        assert!(seen.insert(id_of(&message)?));
        held.push(message.ack);
        if held.len() == 900 || seen.len() == 10_000 {
            let keep = if seen.len() == 10_000 { 0 } else { rand::rng().random_range(0..900) };
            while held.len() > keep {
                let ack = held.swap_remove(rand::rng().random_range(0..held.len()));
                assert!(ack.usable());
                // Without a dead-letter exchange a rejected one is simply gone.
                if rand::rng().random_range(0..50) == 0 { ack.reject() } else { ack.ack() }
            }
        }
    }
    consumer.finish().await?;
    eventually("an empty queue", async || Ok(publisher.ready(Queue::Settle).await == Some(0))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_late_answer_does_not_starve_the_window() -> Result<()> {
    let fixture = fixture().await?;
    let publisher = fixture.publisher().await?;
    publish_all(&publisher, hints(Queue::Settle, 0..500)).await?;
    let mut consumer = fixture.consumer(Queue::Settle, 8);
    let late = consumer.next().await?;
    for _ in 1..500 {
        consumer.next().await?.ack.ack();
    }
    assert!(late.ack.usable());
    late.ack.ack();
    consumer.finish().await?;
    eventually("an empty queue", async || Ok(publisher.ready(Queue::Settle).await == Some(0))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_answers_and_gives_back_what_got_none() -> Result<()> {
    let fixture = fixture().await?;
    let publisher = fixture.publisher().await?;
    publish_all(&publisher, hints(Queue::Report, 0..50)).await?;
    let mut consumer = fixture.consumer(Queue::Report, 40);
    let mut held = Vec::new();
    while held.len() < 20 {
        held.push(consumer.next().await?.ack);
    }
    consumer.stop.cancel();
    drop(consumer.messages);
    let mut task = consumer.task;
    assert!(timeout(Duration::from_millis(300), &mut task).await.is_err(), "answers are open");
    for ack in held.drain(..19) {
        assert!(ack.usable());
        ack.ack();
    }
    assert!(timeout(Duration::from_millis(300), &mut task).await.is_err(), "one answer is open");
    drop(held);
    timeout(Duration::from_secs(10), task).await??;
    eventually("31 left", async || Ok(publisher.ready(Queue::Report).await == Some(31))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_with_its_grace_when_no_answer_comes() -> Result<()> {
    let fixture = fixture().await?;
    let publisher = fixture.publisher().await?;
    publish_all(&publisher, hints(Queue::Report, 0..1)).await?;
    let mut settings = settings(fixture.vhost.url());
    settings.grace = Duration::from_millis(500);
    let mut consumer = fixture.consumer_with(settings, Queue::Report, 4);
    let held = consumer.next().await?;
    let started = Instant::now();
    consumer.finish().await?;
    assert!(started.elapsed() >= Duration::from_millis(500));
    assert!(!held.ack.usable());
    held.ack.ack();
    eventually("it is back", async || Ok(publisher.ready(Queue::Report).await == Some(1))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_answers_bring_their_messages_back_before_the_window_is_full_of_them() -> Result<()>
{
    let fixture = fixture().await?;
    let publisher = fixture.publisher().await?;
    publish_all(&publisher, hints(Queue::Report, 0..3)).await?;
    let mut consumer = fixture.consumer(Queue::Report, 4);
    let mut open = HashSet::from([0, 1, 2]);
    for _ in 0..2 {
        drop(consumer.next().await?);
    }
    while !open.is_empty() {
        let message = consumer.next().await?;
        // One that was dropped comes from the next session; the third may come from either.
        sleep(Duration::from_millis(1)).await;
        if message.ack.usable() {
            open.remove(&id_of(&message)?);
            message.ack.ack();
        }
    }
    consumer.finish().await?;
    eventually("an empty queue", async || Ok(publisher.ready(Queue::Report).await == Some(0))).await
}
