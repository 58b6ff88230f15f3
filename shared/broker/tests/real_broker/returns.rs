use anyhow::Result;
use fleet_broker::{KEPT_BYTES_MAX, Outgoing, Target};
use fleet_contracts::{EXCHANGE, Queue};
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use rand::seq::SliceRandom;

use crate::support::{fixture, message, publish_all, raw_channel};

#[tokio::test(flavor = "multi_thread")]
async fn unroutable_messages_are_told_apart_from_good_ones_exactly() -> Result<()> {
    let fixture = fixture().await?;
    let publisher = fixture.publisher().await?;
    let queue = Queue::Notify;
    let key = queue.routing_key().unwrap_or_default();
    fixture.vhost.delete_binding(EXCHANGE, queue.name(), key).await?;
    for round in 0..5 {
        let mut messages: Vec<Outgoing> = (0..1_000)
            .map(|n| {
                let queue = if n < 400 { queue } else { Queue::Deliver };
                message(Target::Hint(queue), round * 1_000 + n)
            })
            .collect();
        messages.shuffle(&mut rand::rng());
        let wanted: Vec<bool> =
            messages.iter().map(|m| m.target == Target::Hint(Queue::Deliver)).collect();
        assert_eq!(publisher.publish(messages).await, wanted, "round {round}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_a_queue_is_false_and_disturbs_no_other() -> Result<()> {
    let fixture = fixture().await?;
    let publisher = fixture.publisher().await?;
    let (connection, channel) = raw_channel(&fixture.vhost.url()).await?;
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare("reply.svc.1".into(), options, FieldTable::default()).await?;
    let reply = |queue: &str, id: usize| message(Target::Reply(queue.to_owned()), id);
    let batch = vec![
        reply("reply.svc.1", 1),
        reply("reply.svc.gone", 2),
        message(Target::Dead, 3),
        reply(Queue::Settle.name(), 4),
        reply("reply.svc.1", 5),
    ];
    assert_eq!(publisher.publish(batch).await, [true, false, true, false, true]);
    connection.close(200, "done".into()).await?;
    Ok(())
}

/// A classic queue confirms at once, and the broker then confirms good and bad ones with one
/// acknowledgement: here the client gives returned messages to the wrong confirms.
#[tokio::test(flavor = "multi_thread")]
async fn returned_messages_are_known_by_their_own_name() -> Result<()> {
    let fixture = fixture().await?;
    let publisher = fixture.publisher().await?;
    let (connection, channel) = raw_channel(&fixture.vhost.url()).await?;
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare("reply.svc.1".into(), options, FieldTable::default()).await?;
    for round in 0..40 {
        let good: Vec<bool> = (0..800).map(|n| n % 2 == 0).collect();
        let target = |good: &bool| if *good { "reply.svc.1" } else { "reply.svc.gone" };
        let messages = good.iter().enumerate().map(|(n, good)| {
            let target = Target::Reply(target(good).to_owned());
            message(target, round * 1_000 + n)
        });
        assert_eq!(publisher.publish(messages.collect()).await, good, "round {round}");
    }
    connection.close(200, "done".into()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_false_and_the_rest_of_its_batch_arrives() -> Result<()> {
    let fixture = fixture().await?;
    let publisher = fixture.publisher().await?;
    let long = Outgoing { body: vec![b' '; KEPT_BYTES_MAX + 1], ..message(Target::Dead, 1) };
    let odd = message(Target::Dead, "x".repeat(300));
    let good = message(Target::Dead, 2);
    assert_eq!(publisher.publish(vec![long, odd, good]).await, [false, false, true]);
    publish_all(&publisher, vec![message(Target::Dead, 3)]).await
}
