//! Messages that clients ask for, as `fleet_notify_v1`.

use fleet_contracts::{NOTIFICATIONS_MAX, NewNotification};
use fleet_domain::{FollowUp, NOTIFICATION_SLOTS, PurchaseId, TaskKey, TaskKind};
use fleet_store::Notified;

use super::model::{DeliveryRow, Model, Task};

#[derive(Debug, Clone)]
pub(super) struct NotificationRow {
    purchase: PurchaseId,
    slot: i32,
    content: String,
}

impl Model {
    pub(super) fn notify(&mut self, new: &NewNotification) -> Notified {
        let key = (new.client, new.reference.clone());
        if let Some(known) = self.notifications.get(&key) {
            return if known.content == new.content.expose() {
                Notified::Same { slot: known.slot }
            } else {
                Notified::Conflict
            };
        }
        let Some(task) = &new.task else { return Notified::NoChannel };
        let row = self.purchases.get(&new.purchase);
        if row.is_none_or(|row| row.purchase.order.client != new.client) {
            return Notified::NotFound;
        }
        let own = self.notifications.values().filter(|row| row.purchase == new.purchase);
        let count = i32::try_from(own.count()).unwrap_or(i32::MAX);
        if count >= NOTIFICATIONS_MAX {
            return Notified::TooMany;
        }
        let (id, now) = (new.purchase, self.now);
        let slot = NOTIFICATION_SLOTS.saturating_add(count);
        let content = new.content.expose().to_owned();
        self.notifications.insert(key, NotificationRow { purchase: id, slot, content });
        let row = DeliveryRow::new(slot, new.channel.name(), &new.body);
        self.deliveries.insert((id, slot), row);
        let key = TaskKey { purchase: id, kind: TaskKind::Notify, slot };
        let task = FollowUp { slot, ..task.clone() };
        self.tasks.insert(key, Task::queued(&task, now));
        Notified::New { slot, now }
    }
}
