//! Put back, free, the clock.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::samples::{DELIVER_LANE, NOTIFY_LANE};
use chrono::{DateTime, Utc};
use fleet_domain::{
    ClientId, DeliveryState, DueTask, FollowUp, Free, LaneRoom, PurchaseId, TaskKey, TaskKind,
    TaskState, Tick, TickReport, delivery_kind, later,
};

use super::model::{HINT_TIME, Model, REMINDER, Task};

/// Rows that are read beyond a lane's room, so that those that only look due do not use it up.
const READ_BEYOND: usize = 16;
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
        for lane in &tick.lanes {
            let lane = LaneRoom { room: lane.room.min(tick.take_max), ..*lane };
            let seen = self.turns(tick, lane);
            let (wanted, others) = self.sorted(seen, &lost);
            self.take(lane, wanted, &lost, &mut report);
            for key in others {
                self.look_again(key, &mut report);
            }
        }
        report
    }

    /// What the lane's clients have due, those whose turn is next first: as `fleet_turns_v1` and the
    /// reading of each one's share.
    fn turns(&self, tick: &Tick, lane: LaneRoom) -> Vec<Vec<TaskKey>> {
        let mut clients: BTreeMap<ClientId, Vec<(DateTime<Utc>, TaskKey)>> = BTreeMap::new();
        for (key, task) in &self.tasks {
            let is_due = key.kind == tick.kind && task.lane == lane.lane && task.due_at <= self.now;
            let Some(row) = self.purchases.get(&key.purchase).filter(|_| is_due) else { continue };
            let client = row.purchase.order.client;
            if tick.from.is_none_or(|from| (lane.lane, client) > from) {
                clients.entry(client).or_default().push((task.due_at, *key));
            }
        }
        let room = usize::try_from(lane.room).unwrap_or(usize::MAX);
        // Of a lane without room nothing more is asked than whether there is any.
        let mut seen: Vec<_> = clients.into_iter().collect();
        seen.truncate(if room == 0 { 1 } else { usize::MAX });
        seen.sort_by_key(|(client, _)| (*client <= lane.after, *client));
        let count = seen.len().max(1);
        let twice = room.saturating_mul(2);
        let share = room.min(twice.div_ceil(count)).saturating_add(READ_BEYOND.div_ceil(count));
        seen.truncate(twice.saturating_add(READ_BEYOND));
        seen.into_iter()
            .map(|(_, mut due)| {
                due.sort_unstable();
                due.into_iter().take(share).map(|(_, key)| key).collect()
            })
            .collect()
    }

    /// Those that are to be done, one of each client in turn, and those that only look due.
    fn sorted(&self, seen: Vec<Vec<TaskKey>>, lost: &LostRule) -> (Vec<TaskKey>, Vec<TaskKey>) {
        let (mut wanted, mut others) = (Vec::new(), Vec::new());
        for (turn, keys) in seen.into_iter().enumerate() {
            let wants =
                |key: &TaskKey| self.tasks.get(key).is_some_and(|t| lost.wants(t, self.now));
            let (wants, looks): (Vec<_>, Vec<_>) = keys.into_iter().partition(wants);
            wanted.extend(wants.into_iter().enumerate().map(|(round, key)| (round, turn, key)));
            others.extend(looks);
        }
        wanted.sort_unstable();
        (wanted.into_iter().map(|(_, _, key)| key).collect(), others)
    }

    /// Takes as many as there is room for. Without room a task keeps its place: it is the next to go.
    fn take(
        &mut self,
        lane: LaneRoom,
        wanted: Vec<TaskKey>,
        lost: &LostRule,
        report: &mut TickReport,
    ) {
        let room = usize::try_from(lane.room).unwrap_or(usize::MAX);
        if wanted.len() > room {
            report.more.push(lane.lane);
        }
        for key in wanted.into_iter().take(room) {
            let Some(task) = self.tasks.get_mut(&key) else { continue };
            let is_lost = task.state == TaskState::Queued && lost.says(task, self.now);
            task.state = TaskState::Queued;
            task.hinted_at = None;
            task.due_at = later(self.now, HINT_TIME);
            report.due.push(DueTask { key, lane: lane.lane });
            report.lost = report.lost.saturating_add(u32::from(is_lost));
            let Some(row) = self.purchases.get(&key.purchase) else { continue };
            report.turns.retain(|(other, _)| *other != lane.lane);
            report.turns.push((lane.lane, row.purchase.order.client));
        }
    }

    /// One that only looked due gets a new due time.
    fn look_again(&mut self, key: TaskKey, report: &mut TickReport) {
        let now = self.now;
        let Some(task) = self.tasks.get_mut(&key) else { return };
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
            unpublished: tick.unpublished,
        }
    }
}

struct LostRule {
    watermark: Option<DateTime<Utc>>,
    idle: bool,
    unpublished: bool,
}

impl LostRule {
    fn wants(&self, task: &Task, now: DateTime<Utc>) -> bool {
        match task.state {
            TaskState::Waiting => true,
            TaskState::Queued => self.says(task, now),
            TaskState::Running => task.lease.is_none_or(|lease| lease <= now),
            TaskState::Parked => false,
        }
    }

    fn says(&self, task: &Task, now: DateTime<Utc>) -> bool {
        let Some(hinted_at) = task.hinted_at else { return true };
        self.unpublished
            || self.idle
            || self.watermark.is_some_and(|seen| seen > later(hinted_at, HINT_TIME))
            || later(hinted_at, Duration::from_secs(600)) < now
    }
}
