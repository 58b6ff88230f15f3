use std::collections::HashSet;
use std::time::Duration;

use anyhow::Result;
use fleet_broker::{Outgoing, Publisher, Target};
use fleet_contracts::Queue;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, timeout};

use crate::support::{
    eventually, fixture, hints, id_of, message, publish_all, raw_channel, settings,
};

#[tokio::test(flavor = "multi_thread")]
async fn every_message_of_large_batches_arrives_and_is_acknowledged() -> Result<()> {
    let fixture = fixture().await?;
    let publisher = fixture.publisher().await?;
    let mut consumer = fixture.consumer(Queue::Reserve, 512);
    let sender = publisher.clone();
    let sending = tokio::spawn(async move {
        for batch in 0..5 {
            let from = batch * 1_000;
            publish_all(&sender, hints(Queue::Reserve, from..from + 1_000)).await?;
        }
        anyhow::Ok(())
    });
    let mut seen = HashSet::new();
    while seen.len() < 5_000 {
        let message = consumer.next().await?;
        assert!(!message.redelivered);
        let id = id_of(&message)?;
        assert_eq!(message.body, format!("{{\"n\":\"{id}\"}}").into_bytes());
        assert!(seen.insert(id), "{id} came twice");
        message.ack.ack();
    }
    sending.await??;
    consumer.finish().await?;
    eventually("an empty queue", async || Ok(publisher.ready(Queue::Reserve).await == Some(0)))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn properties_and_headers_survive_the_way() -> Result<()> {
    let fixture = fixture().await?;
    let publisher = fixture.publisher().await?;
    let mut consumer = fixture.consumer(Queue::Dead, 10);
    let letter = Outgoing {
        correlation_id: Some("question-7".to_owned()),
        headers: vec![("fleet-cause".to_owned(), "invalid".to_owned())],
        ..message(Target::Dead, 1)
    };
    publish_all(&publisher, vec![letter]).await?;
    let received = consumer.next().await?;
    assert_eq!(received.correlation_id.as_deref(), Some("question-7"));
    assert_eq!(received.headers["fleet-cause"], "invalid");
    assert_eq!(received.body_bytes, received.body.len());
    assert!(!received.too_long());
    received.ack.ack();
    consumer.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_ready_messages_is_told_or_unknown() -> Result<()> {
    let fixture = fixture().await?;
    let publisher = fixture.publisher().await?;
    assert_eq!(publisher.ready(Queue::Notify).await, Some(0));
    publish_all(&publisher, hints(Queue::Notify, 0..7)).await?;
    eventually("seven ready", async || Ok(publisher.ready(Queue::Notify).await == Some(7))).await?;
    fixture.vhost.delete_queue(Queue::Report.name()).await?;
    assert_eq!(publisher.ready(Queue::Report).await, None);
    assert!(publisher.usable(), "looking at a missing queue must not end the session");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_broker_everything_answers_at_once_and_stops_at_once() -> Result<()> {
    // Accepts connections and never says a word.
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("amqp://guest:guest@{}/%2f", mute.local_addr()?);
    let stop = tokio_util::sync::CancellationToken::new();
    let (publisher, task) = Publisher::start(settings(url.into()), stop.clone());
    let _connection = mute.accept().await?;
    let started = Instant::now();
    assert_eq!(publisher.publish(hints(Queue::Settle, 0..3)).await, [false; 3]);
    assert_eq!(publisher.publish(Vec::new()).await, [false; 0]);
    assert_eq!(publisher.ready(Queue::Settle).await, None);
    assert!(!publisher.usable());
    stop.cancel();
    timeout(Duration::from_secs(5), task).await??;
    assert!(started.elapsed() < Duration::from_secs(5));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_declared_otherwise_is_named_and_left_alone() -> Result<()> {
    let fixture = fixture().await?;
    let url = fixture.vhost.url();
    let (connection, channel) = raw_channel(&url).await?;
    let options = lapin::options::QueueDeclareOptions { durable: true, ..Default::default() };
    let name = Queue::Report.name().into();
    channel.queue_declare(name, options, lapin::types::FieldTable::default()).await?;
    let Err(error) = fleet_broker::declare_topology(&settings(url)).await else {
        anyhow::bail!("a classic queue is no quorum queue")
    };
    let error = format!("{:#}", anyhow::Error::from(error));
    assert!(error.contains("queue fleet.report is refused"), "{error}");
    assert!(error.contains("inequivalent arg"), "{error}");
    connection.close(200, "done".into()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_queued_at_the_stop_is_still_published() -> Result<()> {
    let fixture = fixture().await?;
    let stop = fixture.stop.child_token();
    let (publisher, task) = Publisher::start(settings(fixture.vhost.url()), stop.clone());
    crate::support::usable(&publisher).await?;
    let mut publishing = std::pin::pin!(publisher.publish(hints(Queue::Settle, 0..2_000)));
    tokio::select! {
        biased;
        _ = &mut publishing => anyhow::bail!("nothing can be confirmed yet"),
        () = std::future::ready(()) => stop.cancel(),
    }
    assert_eq!(publishing.await, [true; 2_000]);
    timeout(Duration::from_secs(15), task).await??;
    assert!(!publisher.usable());
    assert_eq!(publisher.publish(hints(Queue::Settle, 0..1)).await, [false]);
    let other = fixture.publisher().await?;
    eventually("all of them", async || Ok(other.ready(Queue::Settle).await == Some(2_000))).await
}

/// Connections on threads of their own that the client has given up must not pile up.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_never_answers_is_let_go() -> Result<()> {
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = mute.local_addr()?;
    for scheme in ["amqp", "amqps"] {
        let stop = tokio_util::sync::CancellationToken::new();
        let url = format!("{scheme}://worker:secret@{address}/%2f");
        let (_publisher, task) = Publisher::start(settings(url.into()), stop.clone());
        let (mut socket, _) = mute.accept().await?;
        let mut byte = [0];
        socket.read_exact(&mut byte).await?;
        stop.cancel();
        timeout(Duration::from_secs(5), task).await??;
        // The peer sees the end of what was sent, which only comes when the socket is closed.
        let mut rest = Vec::new();
        timeout(Duration::from_secs(5), socket.read_to_end(&mut rest)).await??;
    }
    Ok(())
}
