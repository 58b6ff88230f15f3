//! Put back, free, the clock.

use std::time::Duration;

use crate::samples::{DELIVER_LANE, NOTIFY_LANE};
use chrono::{DateTime, Utc};
use fleet_domain::{
    DeliveryState, DueTask, FollowUp, Free, LaneId, PurchaseId, TaskKey, TaskKind, TaskState, Tick,
    TickReport, delivery_kind, later,
};

use super::model::{HINT_TIME, Model, REMINDER, Task};

/// Rows that are read beyond a lane's room, so that those that only look due do not use it up.
const READ_BEYOND: u32 = 16;
/// How long after its hint a queued task is looked at for the second time.
const LOOKED_AT_AGAIN: Duration = Duration::from_secs(30);
/// A process that is silent for longer is not alive.
const ALIVE: Duration = Duration::from_secs(5);

impl Model {
    pub(super) fn put_back(&mut self, keys: &[TaskKey]) {
        for key in keys {
            if let Some(task) = self.tasks.get_mut(key)
                && task.state == TaskState::Queued
            {
                task.state = TaskState::Waiting;
                task.due_at = self.now;
            }
        }
    }

    pub(super) fn free(&mut self, frees: &[Free]) {
        for free in frees {
            if let Some(task) = self.tasks.get_mut(&free.key)
                && task.state == TaskState::Running
                && task.token == Some(free.token)
            {
                task.state = TaskState::Waiting;
                task.due_at = self.now;
                task.claims = task.claims.saturating_sub(1).max(0);
                task.token = None;
                task.lease = None;
                task.sent_until = task.former_sent_until.take();
                if free.key.kind == TaskKind::Report {
                    self.give_token(free.key.purchase, free.token, None);
                }
            }
        }
    }

    /// As `fleet_resend_v1`.
    pub(super) fn resend(&mut self, purchase: PurchaseId, slot: i32) -> bool {
        let kind = delivery_kind(slot);
        let key = TaskKey { purchase, kind, slot };
        let now = self.now;
        if self.tasks.get(&key).is_some_and(|task| task.state == TaskState::Running) {
            return false;
        }
        let Some(row) = self.deliveries.get_mut(&(purchase, slot)) else { return false };
        let sent = row.delivery.first_sent_at.is_some();
        row.delivery.state = if sent { DeliveryState::Retrying } else { DeliveryState::Queued };
        let made = FollowUp {
            kind: key.kind,
            slot,
            lane: if kind == TaskKind::Notify { NOTIFY_LANE } else { DELIVER_LANE },
            start_by: None,
            deadline_at: None,
        };
        let task = self.tasks.entry(key).or_insert_with(|| Task::queued(&made, now));
        task.state = TaskState::Waiting;
        task.due_at = now;
        task.tries = task.tries.max(1);
        task.start_by = None;
        task.parked = None;
        self.write_journal(key, None, 0, ("resent_by_hand", ""));
        true
    }

    pub(super) fn tick(&mut self, tick: &Tick) -> TickReport {
        let lost = self.lost_rule(tick);
        let mut report = TickReport { ours: true, now: self.now, ..TickReport::default() };
        for (lane, room) in &tick.lane_room {
            let room = (*room).min(tick.take_max);
            self.tick_lane(tick.kind, (*lane, room), &lost, &mut report);
        }
        report
    }

    fn tick_lane(
        &mut self,
        kind: TaskKind,
        (lane, room): (LaneId, u32),
        lost: &LostRule,
        report: &mut TickReport,
    ) {
        let now = self.now;
        let mut due: Vec<(DateTime<Utc>, TaskKey)> = self
            .tasks
            .iter()
            .filter(|(key, task)| key.kind == kind && task.lane == lane && task.due_at <= now)
            .map(|(key, task)| (task.due_at, *key))
            .collect();
        due.sort_unstable();
        due.truncate(usize::try_from(room.saturating_add(READ_BEYOND)).unwrap_or(usize::MAX));
        let mut taken = 0_u32;
        for (_, key) in due {
            let Some(task) = self.tasks.get_mut(&key) else { continue };
            let is_lost = task.state == TaskState::Queued && lost.says(task, now);
            let wants = match task.state {
                TaskState::Waiting => true,
                TaskState::Queued => is_lost,
                TaskState::Running => task.lease.is_none_or(|lease| lease <= now),
                TaskState::Parked => false,
            };
            if wants {
                // Without room it keeps its place: it is the next to go.
                if taken == room {
                    if !report.more.contains(&lane) {
                        report.more.push(lane);
                    }
                } else {
                    taken = taken.saturating_add(1);
                    task.state = TaskState::Queued;
                    task.hinted_at = None;
                    task.due_at = later(now, HINT_TIME);
                    report.due.push(DueTask { key, lane });
                    report.lost = report.lost.saturating_add(u32::from(is_lost));
                }
                continue;
            }
            match task.state {
                TaskState::Running => task.due_at = task.lease.unwrap_or(now),
                TaskState::Parked => {
                    task.due_at = later(now, REMINDER);
                    report.reminded = report.reminded.saturating_add(1);
                }
                // Whether a hint was lost shows once a later one was received.
                TaskState::Queued | TaskState::Waiting => {
                    let soon = task.hinted_at.map(|at| later(at, LOOKED_AT_AGAIN));
                    let soon = soon.filter(|soon| now < *soon);
                    task.due_at = soon.unwrap_or_else(|| later(now, Duration::from_secs(120)));
                }
            }
        }
    }

    fn lost_rule(&self, tick: &Tick) -> LostRule {
        let alive = || {
            self.beats
                .iter()
                .filter(|((_, kind), beat)| *kind == tick.kind && later(beat.at, ALIVE) > self.now)
                .map(|(_, beat)| beat)
        };
        LostRule {
            watermark: alive().filter_map(|beat| beat.watermark).max(),
            idle: tick.queue_ready == Some(0) && alive().all(|beat| beat.unclaimed == 0),
        }
    }
}

struct LostRule {
    watermark: Option<DateTime<Utc>>,
    idle: bool,
}

impl LostRule {
    fn says(&self, task: &Task, now: DateTime<Utc>) -> bool {
        let Some(hinted_at) = task.hinted_at else { return true };
        self.idle
            || self.watermark.is_some_and(|seen| seen > later(hinted_at, HINT_TIME))
            || later(hinted_at, Duration::from_secs(600)) < now
    }
}
