//! Messages to buyer and recipient.
#![expect(missing_docs, reason = "a test's name is its documentation")]

use fleet_contracts::NOTIFICATIONS_MAX;
use fleet_domain::{
    ClientId, DeliveryState, MESSAGE_SLOTS, NOTIFICATION_SLOTS, NewDelivery, NotifyChannel,
};

use super::*;
use crate::samples::{DELIVER_LANE, NOTIFY_LANE};

const DAY: Duration = Duration::from_secs(86_400);

/// A purchase that has ended with a result and a message.
async fn told<S: SuiteStore>(store: &S) -> TaskKey {
    let key = dispensing(store).await;
    let job = claimed(store, key).await;
    let mut one = dispensed(&job);
    let until = Some(later(job.task.now, DAY));
    for (kind, slot, lane, start_by) in [
        (TaskKind::Deliver, 1, DELIVER_LANE, None),
        (TaskKind::Notify, MESSAGE_SLOTS, NOTIFY_LANE, until),
    ] {
        let task = FollowUp { kind, slot, lane, start_by, deadline_at: start_by };
        one.decision.follow_ups.push(task);
        let body = Private::new(format!("frozen for {slot}"));
        one.decision.deliveries.push(NewDelivery { slot, channel: "sms".to_owned(), body });
    }
    assert_eq!(commit(store, one).await, CommitVerdict::Done);
    TaskKey { kind: TaskKind::Notify, slot: MESSAGE_SLOTS, ..key }
}

fn notification(purchase: PurchaseId, reference: &str, text: &str) -> NewNotification {
    NewNotification {
        client: ClientId(1001),
        reference: reference.to_owned(),
        purchase,
        channel: NotifyChannel::Email,
        body: Private::new(text),
        content: Private::new(text),
        task: Some(FollowUp {
            kind: TaskKind::Notify,
            slot: NOTIFICATION_SLOTS,
            lane: NOTIFY_LANE,
            start_by: None,
            deadline_at: None,
        }),
    }
}

pub async fn a_message_is_claimed_with_what_was_frozen_and_beside_its_result<S: SuiteStore>(
    store: S,
) {
    let message = told(&store).await;
    let result = TaskKey { kind: TaskKind::Deliver, slot: 1, ..message };
    for (key, text) in [(message, "frozen for 100"), (result, "frozen for 1")] {
        let job = claimed(&store, key).await;
        let delivery = job.delivery.as_ref().unwrap();
        assert_eq!((delivery.slot, delivery.body.expose()), (key.slot, text));
        let decision = Decision {
            change: Change::Deliver {
                state: DeliveryState::Sent,
                http_status: Some(202),
                sent_at: Some(job.task.now),
            },
            ..Decision::only(Next::Finish, Tries::Count, "taken")
        };
        commit(&store, definite(&job, decision)).await;
    }
    let view = store.show(message.purchase).await;
    assert_eq!(view.tasks, []);
    assert!(view.deliveries.iter().all(|row| row.state == "sent" && row.attempts == 1));
}

pub async fn a_message_counts_attempts_and_ends_in_its_row<S: SuiteStore>(store: S) {
    let key = told(&store).await;
    for (state, next, sent, attempts) in [
        (DeliveryState::Retrying, Next::Now, true, 1),
        (DeliveryState::Retrying, Next::Now, false, 1),
        (DeliveryState::Failed, Next::Finish, true, 2),
    ] {
        let job = claimed(&store, key).await;
        let sent_at = sent.then_some(job.task.now);
        let decision = Decision {
            change: Change::Deliver { state, http_status: Some(500), sent_at },
            ..Decision::only(next, Tries::Count, "tried")
        };
        commit(&store, definite(&job, decision)).await;
        let rows = store.show(key.purchase).await.deliveries;
        let row = rows.into_iter().find(|row| row.slot == key.slot).unwrap();
        assert_eq!((row.state.as_str(), row.attempts), (state.name(), attempts));
    }
    assert!(find_row(&store, key).await.is_none(), "nobody has to look at it");
}

pub async fn a_message_past_its_day_leaves_no_more<S: SuiteStore>(store: S) {
    let key = told(&store).await;
    store.advance(DAY).await;
    assert!(matches!(claim(&store, ask(key)).await, ClaimVerdict::Expired(_)));
    assert_eq!(row(&store, key).await.sent_until, None);
}

pub async fn a_notification_is_stored_once_with_its_task<S: SuiteStore>(store: S) {
    let purchase = reserving(&store).await.purchase;
    let reference = uuid::Uuid::new_v4().to_string();
    let new = notification(purchase, &reference, "hello");
    let Notified::New { slot, now } = store.notify(&new).await else { panic!("not new") };
    assert_eq!(slot, NOTIFICATION_SLOTS);
    let key = TaskKey { purchase, kind: TaskKind::Notify, slot };
    let task = row(&store, key).await;
    assert_eq!(task.due_at, later(now, Duration::from_secs(10)), "its hint has time to arrive");
    assert_eq!(store.notify(&new).await, Notified::Same { slot });
    let other = notification(purchase, &format!("{reference}-2"), "hello");
    assert!(matches!(store.notify(&other).await, Notified::New { slot: 201, .. }));
    let job = claimed(&store, key).await;
    let delivery = job.delivery.as_ref().unwrap();
    assert_eq!((delivery.channel.as_str(), delivery.body.expose()), ("email", "hello"));
    // Whatever becomes of the message, its reference stays taken.
    commit(&store, definite(&job, Decision::only(Next::Finish, Tries::Count, "taken"))).await;
    assert_eq!(store.notify(&new).await, Notified::Same { slot });
    // And whatever becomes of its channel.
    let without = |new: NewNotification| NewNotification { task: None, ..new };
    assert_eq!(store.notify(&without(new)).await, Notified::Same { slot });
    let changed = without(notification(purchase, &reference, "bye"));
    assert_eq!(store.notify(&changed).await, Notified::Conflict);
    let fresh = without(notification(purchase, &format!("{reference}-3"), "hello"));
    assert_eq!(store.notify(&fresh).await, Notified::NoChannel);
    assert_eq!(store.show(purchase).await.deliveries.len(), 2);
}

pub async fn a_reference_with_another_content_is_a_conflict_and_stores_nothing<S: SuiteStore>(
    store: S,
) {
    let (first, second) = (reserving(&store).await.purchase, reserving(&store).await.purchase);
    let reference = uuid::Uuid::new_v4().to_string();
    store.notify(&notification(first, &reference, "hello")).await;
    for (purchase, text) in [(first, "bye"), (second, "hello there")] {
        let other = notification(purchase, &reference, text);
        assert_eq!(store.notify(&other).await, Notified::Conflict);
    }
    assert_eq!(store.show(first).await.deliveries.len(), 1);
    assert_eq!(store.show(second).await.deliveries.len(), 0);
}

pub async fn another_clients_purchase_is_not_found<S: SuiteStore>(store: S) {
    let purchase = reserving(&store).await.purchase;
    let own = notification(purchase, "r", "hello");
    let stranger = NewNotification { client: ClientId(1002), ..own.clone() };
    assert_eq!(store.notify(&stranger).await, Notified::NotFound);
    let nobodys = NewNotification { purchase: PurchaseId::generate(), ..own };
    assert_eq!(store.notify(&nobodys).await, Notified::NotFound);
    assert_eq!(store.show(purchase).await.deliveries.len(), 0);
}

pub async fn a_purchase_has_so_many_notifications_and_no_more<S: SuiteStore>(store: S) {
    let purchase = reserving(&store).await.purchase;
    let reference = uuid::Uuid::new_v4();
    let nth = |number: i32| notification(purchase, &format!("{reference}-{number}"), "hello");
    for number in 0..NOTIFICATIONS_MAX {
        assert!(matches!(store.notify(&nth(number)).await, Notified::New { .. }), "{number}");
    }
    assert_eq!(store.notify(&nth(NOTIFICATIONS_MAX)).await, Notified::TooMany);
    assert!(matches!(store.notify(&nth(0)).await, Notified::Same { .. }), "told before");
    let other = reserving(&store).await.purchase;
    let own = notification(other, &format!("{reference}-x"), "hello");
    assert!(matches!(store.notify(&own).await, Notified::New { .. }));
}
