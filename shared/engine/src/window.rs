//! What a process holds of one kind of task: hints that wait for a permit, claims under way, jobs
//! in flight. Plain bookkeeping without any waiting; the runner drives it.
//!
//! A message is acknowledged once every task that it names got a verdict or was put back. A task is
//! asked for only with its lane's permit in hand. What finds no room goes back to the table, from
//! where the clock doles it out, so that one slow lane never fills the window, nor the broker's
//! prefetch: a lane keeps a quarter of that at the most, all lanes together half, whatever number of
//! tasks a message names. What is beyond is put back at once, the newest of the lane that keeps
//! most. A lane's first task stays while nothing of its lane is under way: it waits for one beat.
//!
//! What has a permit, and what is on its way to the table, is bounded by the store alone: groups and
//! put-backs are written one after the other as fast as it takes them, for all lanes alike. While the
//! store is slow healthy lanes are as slow, with these messages at hand or without them.
//!
//! Calls under way do not count for what may be read. Where they are more than the window holds, a
//! lane begins no more than its share of the window, and always one.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use chrono::{DateTime, Utc};
use fleet_domain::{
    ClaimAsk, ClaimToken, Directory, LaneAsk, LaneId, LaneLease, TaskKey, TaskKind, TickReport,
};
use tokio::time::Instant;

use crate::lane::{Change, Gate, Lane};
use crate::messages::Messages;
use crate::{EngineSettings, ReceivedHint};

/// How long a locked row is asked for again before the clock gets it.
const LOCKED_FOR: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Without a permit, in its lane's queue.
    Waiting,
    /// With a permit, to be claimed.
    Ready,
    /// In a claim.
    Claiming,
    /// Claimed by us: called, decided or committed right now.
    Running,
    /// On its way back to the table.
    Returning,
}

struct Entry {
    lane: LaneId,
    place: Place,
    /// It has no permit: nobody may be asked, and it is claimed only if it may end without that.
    only_ends: bool,
    messages: Vec<u64>,
    again: bool,
    locked_since: Option<Instant>,
}

/// The bookkeeping.
pub(crate) struct Window {
    settings: EngineSettings,
    kind: TaskKind,
    /// In an order of their own, whatever the process: one seed gives one history.
    lanes: BTreeMap<LaneId, Lane>,
    tasks: HashMap<TaskKey, Entry>,
    ready: VecDeque<TaskKey>,
    returning: Vec<TaskKey>,
    messages: Messages,
    /// Tasks in [`Place::Running`].
    running: usize,
    /// The lanes that the clock looks for.
    looked_for: Vec<LaneId>,
    watermark: Option<DateTime<Utc>>,
}

impl Window {
    pub(crate) fn new(kind: TaskKind, settings: EngineSettings) -> Self {
        Self {
            settings,
            kind,
            lanes: BTreeMap::new(),
            tasks: HashMap::new(),
            ready: VecDeque::new(),
            returning: Vec::new(),
            messages: Messages::default(),
            running: 0,
            looked_for: Vec::new(),
            watermark: None,
        }
    }

    /// Applies the directory's lanes.
    pub(crate) fn configure(&mut self, directory: &Directory) {
        for lane in directory.lanes.values().filter(|lane| lane.kind == self.kind) {
            self.lanes.entry(lane.id).or_default().limit(lane.concurrency);
        }
    }

    /// True while more hints may be read.
    pub(crate) fn has_room(&self) -> bool {
        self.tasks.len() - self.running < self.settings.window_tasks
    }

    /// Takes a hint in.
    pub(crate) fn receive(&mut self, received: ReceivedHint, now: Instant) {
        let hint = received.hint;
        self.watermark = self.watermark.max(Some(hint.published_at));
        let message = self.messages.received(hint.tasks.len(), received.ack);
        for task in hint.tasks {
            self.receive_task(task, false, Some(message), now);
        }
    }

    fn receive_task(
        &mut self,
        (key, lane_id): (TaskKey, LaneId),
        paced: bool,
        message: Option<u64>,
        now: Instant,
    ) {
        if let Some(entry) = self.tasks.get_mut(&key) {
            if entry.place == Place::Running {
                entry.again = true;
                message.into_iter().for_each(|id| self.messages.settle(id));
                return;
            }
            entry.messages.extend(message);
            if entry.place == Place::Waiting {
                let lane = entry.lane;
                message.into_iter().for_each(|id| self.messages.waits(id, lane));
                self.trim(lane, now);
            }
            return;
        }
        let lane = self.lanes.entry(lane_id).or_default();
        // At least one may wait, however small the window is.
        let cap = lane.waiting_max().min(self.settings.window_tasks / 4).max(1);
        let crowded = lane.waiting.len() >= cap && self.lanes.len() > 1;
        let Some(lane) = self.lanes.get_mut(&lane_id) else { return };
        let only_ends = lane.is_open() && (!paced || lane.is_held(now));
        let behind = !paced && !only_ends && lane.is_backlogged(now);
        let mut entry = Entry {
            lane: lane_id,
            place: Place::Waiting,
            only_ends,
            messages: message.into_iter().collect(),
            again: false,
            locked_since: None,
        };
        if crowded || behind {
            lane.has_backlog(now);
            entry.place = Place::Returning;
            self.returning.push(key);
            self.tasks.insert(key, entry);
        } else if only_ends {
            entry.place = Place::Ready;
            self.ready.push_back(key);
            self.tasks.insert(key, entry);
        } else {
            lane.waiting.push_back(key);
            self.tasks.insert(key, entry);
            message.into_iter().for_each(|id| self.messages.waits(id, lane_id));
            self.promote(lane_id, now);
            self.trim(lane_id, now);
        }
    }

    fn promote(&mut self, lane_id: LaneId, now: Instant) {
        let share = self.share();
        let Some(lane) = self.lanes.get_mut(&lane_id) else { return };
        let mut promoted = Vec::new();
        while lane.in_use() < share && !lane.waiting.is_empty() && lane.take_permit(now) {
            promoted.extend(lane.waiting.pop_front());
        }
        // The circuit has opened: nobody is waited for any more.
        let held =
            if lane.is_held(now) { std::mem::take(&mut lane.waiting) } else { VecDeque::new() };
        for key in &held {
            if let Some(entry) = self.tasks.get_mut(key) {
                entry.only_ends = true;
            }
        }
        for key in promoted.into_iter().chain(held) {
            self.waits_no_more(key, Place::Ready);
            self.ready.push_back(key);
        }
    }

    /// A task that has left its lane's queue.
    fn waits_no_more(&mut self, key: TaskKey, place: Place) {
        let Some(entry) = self.tasks.get_mut(&key) else { return };
        entry.place = place;
        for id in &entry.messages {
            self.messages.waits_no_more(*id, entry.lane);
        }
    }

    /// Gives permits to whoever may have one by now (rates).
    pub(crate) fn promote_all(&mut self, now: Instant) {
        let hungry = self.lanes.iter().filter(|(_, lane)| !lane.waiting.is_empty());
        let hungry: Vec<LaneId> = hungry.map(|(id, _)| *id).collect();
        for lane in hungry {
            self.promote(lane, now);
        }
    }

    /// How many could be claimed now.
    pub(crate) fn ready_count(&self) -> usize {
        self.ready.len()
    }

    /// The next group of claims, each with a permit and a new token. A permit whose lease is over is
    /// none: its task waits for the next.
    pub(crate) fn next_group(
        &mut self,
        now: Instant,
        lease: impl Fn(LaneId) -> Duration,
    ) -> Vec<ClaimAsk> {
        let count = self.ready.len().min(self.settings.group_max);
        let keys: Vec<TaskKey> = self.ready.drain(..count).collect();
        let mut asks = Vec::with_capacity(keys.len());
        for key in keys {
            let Some(entry) = self.tasks.get_mut(&key) else { continue };
            let lane = self.lanes.get_mut(&entry.lane).filter(|_| !entry.only_ends);
            if let Some(lane) = lane.filter(|lane| !lane.is_leased(now)) {
                lane.release();
                lane.waiting.push_back(key);
                entry.place = Place::Waiting;
                entry.messages.iter().for_each(|id| self.messages.waits(*id, entry.lane));
                continue;
            }
            entry.place = Place::Claiming;
            let (lane, token, only_ends) = (entry.lane, ClaimToken::generate(), entry.only_ends);
            asks.push(ClaimAsk { key, lane, token, lease: lease(lane), only_ends });
        }
        asks
    }

    /// The claim is ours: its messages are settled, its permit stays until the call ends. True when
    /// it has one.
    pub(crate) fn claimed(&mut self, key: &TaskKey) -> bool {
        let Some(entry) = self.tasks.get_mut(key) else { return false };
        self.running += usize::from(entry.place != Place::Running);
        entry.place = Place::Running;
        for message in std::mem::take(&mut entry.messages) {
            self.messages.settle(message);
        }
        !entry.only_ends
    }

    /// The task is nothing for us (gone, busy, not due, parked).
    pub(crate) fn dismissed(&mut self, key: &TaskKey, now: Instant) {
        let Some(entry) = self.tasks.remove(key) else { return };
        if !entry.only_ends {
            self.release(entry.lane, now);
        }
        for message in entry.messages {
            self.messages.settle(message);
        }
    }

    /// The row is locked by somebody: ask again in the next group, for 2 s at most.
    pub(crate) fn locked(&mut self, key: &TaskKey, now: Instant) {
        let Some(entry) = self.tasks.get_mut(key) else { return };
        let since = *entry.locked_since.get_or_insert(now);
        if now - since < LOCKED_FOR {
            entry.place = Place::Ready;
            self.ready.push_back(*key);
        } else {
            self.dismissed(key, now);
        }
    }

    /// The task belongs to another lane, or would have to ask while nobody may be asked: it goes
    /// back, and the clock doles it out by its own lane, once there is room.
    pub(crate) fn goes_back(&mut self, key: &TaskKey, now: Instant) {
        let Some(entry) = self.tasks.get_mut(key) else { return };
        entry.place = Place::Returning;
        let (lane, has_permit) = (entry.lane, !entry.only_ends);
        self.returning.push(*key);
        if has_permit {
            self.release(lane, now);
        } else if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.has_backlog(now);
        }
    }

    /// What has to be put back, in one update.
    pub(crate) fn take_returning(&mut self) -> Vec<TaskKey> {
        let count = self.returning.len().min(self.settings.group_max);
        self.returning.drain(..count).collect()
    }

    /// The update that puts these back has not been written.
    pub(crate) fn not_returned(&mut self, keys: Vec<TaskKey>) {
        self.returning.extend(keys);
    }

    /// These are back in the table.
    pub(crate) fn returned(&mut self, keys: &[TaskKey]) {
        for key in keys {
            let Some(entry) = self.tasks.remove(key) else { continue };
            for message in entry.messages {
                self.messages.settle(message);
            }
        }
    }

    /// A call ended: its permit is free for the next.
    pub(crate) fn release(&mut self, lane_id: LaneId, now: Instant) {
        if let Some(lane) = self.lanes.get_mut(&lane_id) {
            lane.release();
        }
        self.promote(lane_id, now);
    }

    /// A job's commit is written, or it was given up. A hint that came meanwhile is looked at now.
    pub(crate) fn finished(&mut self, key: &TaskKey, now: Instant) {
        let Some(entry) = self.tasks.remove(key) else { return };
        self.running -= usize::from(entry.place == Place::Running);
        if entry.again {
            self.receive_task((*key, entry.lane), true, None, now);
        }
    }

    /// Asks for a lane's lease before a call, and for its circuit if anybody is to be asked.
    pub(crate) fn gate(&mut self, lane: LaneId, now: Instant, asks: bool) -> Gate {
        self.lanes.get_mut(&lane).map_or(Gate::LeaseOver, |lane| lane.gate(now, asks))
    }

    /// A lane's gate was passed and no call was made.
    pub(crate) fn call_not_made(&mut self, lane: LaneId) {
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.call_not_made();
        }
    }

    /// Tells a lane's circuit how a call ended, and what became of it.
    pub(crate) fn call_ended(
        &mut self,
        lane: LaneId,
        failed: bool,
        now: Instant,
    ) -> Option<Change> {
        let (max, open) = (self.settings.circuit_failures, self.settings.circuit_open);
        self.lanes.get_mut(&lane)?.call_ended(failed, now, max, open)
    }

    /// True while a lane's circuit is open.
    pub(crate) fn is_open(&self, lane: LaneId) -> bool {
        self.lanes.get(&lane).is_some_and(Lane::is_open)
    }

    /// What the clock may dole out, per lane that has anything to look for.
    pub(crate) fn rooms(&mut self, now: Instant) -> Vec<(LaneId, u32)> {
        let share = self.share();
        let room = |lane: &mut Lane| {
            let left = u32::try_from(share - lane.in_use().min(share)).unwrap_or(u32::MAX);
            lane.room(now).min(left)
        };
        let lanes = self.lanes.iter_mut().filter(|(_, lane)| !lane.sleeps(now));
        let rooms: Vec<(LaneId, u32)> = lanes.map(|(id, lane)| (*id, room(lane))).collect();
        self.looked_for = rooms.iter().map(|(id, _)| *id).collect();
        rooms
    }

    /// Takes in what the clock doled out to this process; true while a lane with room has more due.
    pub(crate) fn doled(&mut self, report: &TickReport, now: Instant) -> bool {
        for id in &self.looked_for {
            if let Some(lane) = self.lanes.get_mut(id) {
                lane.looked_at(report.more.contains(id), now);
            }
        }
        for task in &report.due {
            self.receive_task((task.key, task.lane), true, None, now);
        }
        self.wants_tasks(now)
    }

    /// What a beat asks for of every lane.
    pub(crate) fn asks(&mut self, now: Instant, what: (bool, bool)) -> Vec<LaneAsk> {
        let lanes = self.lanes.iter_mut();
        lanes.filter_map(|(id, lane)| lane.ask(*id, now, what)).collect()
    }

    /// What a beat has brought. What has no permit while others have them goes to the table.
    pub(crate) fn leased(&mut self, leases: &[LaneLease], until: Instant, now: Instant) {
        let leases: HashMap<LaneId, &LaneLease> =
            leases.iter().map(|lease| (lease.lane, lease)).collect();
        let mut refused = Vec::new();
        for (id, lane) in &mut self.lanes {
            lane.leased(leases.get(id).copied(), until, now);
            refused.extend(lane.take_refused(now));
        }
        for key in refused {
            self.waits_no_more(key, Place::Returning);
            self.returning.push(key);
        }
        self.promote_all(now);
    }

    /// When the next beat is worth it before its time.
    pub(crate) fn asks_at(&self, now: Instant) -> Option<Instant> {
        self.lanes.values().filter_map(|lane| lane.asks_at(now)).min()
    }

    /// True while a lane with room has more due in the table.
    pub(crate) fn wants_tasks(&mut self, now: Instant) -> bool {
        let share = self.share();
        self.lanes.values_mut().any(|lane| lane.in_use() < share && lane.wants_tasks(now))
    }

    /// When the next booked call may begin that somebody waits for.
    pub(crate) fn next_call(&self) -> Option<Instant> {
        self.lanes.values().filter_map(Lane::next_call).min()
    }

    /// The newest `published_at` received, and the tasks that are received and not claimed.
    pub(crate) fn seen(&self) -> (Option<DateTime<Utc>>, u32) {
        let unclaimed = self.tasks.len() - self.running;
        (self.watermark, u32::try_from(unclaimed).unwrap_or(u32::MAX))
    }

    /// The tasks that are claimed by this process.
    pub(crate) const fn running(&self) -> usize {
        self.running
    }

    /// Forgets what is not claimed: its messages go back to the broker. What has none, because the
    /// clock doled it out, is to be put back.
    pub(crate) fn drop_unclaimed(&mut self) -> Vec<TaskKey> {
        for key in self.ready.drain(..) {
            let entry = self.tasks.get(&key).filter(|entry| !entry.only_ends);
            let lane = entry.and_then(|entry| self.lanes.get_mut(&entry.lane));
            lane.into_iter().for_each(Lane::release);
        }
        self.returning.clear();
        for lane in self.lanes.values_mut() {
            lane.waiting.clear();
        }
        let is_ours = |entry: &Entry| matches!(entry.place, Place::Running | Place::Claiming);
        let left = self.tasks.iter().filter(|(_, entry)| !is_ours(entry));
        let doled = left.filter(|(_, entry)| entry.messages.is_empty());
        let mut doled: Vec<TaskKey> = doled.map(|(key, _)| *key).collect();
        doled.sort_unstable();
        self.tasks.retain(|_, entry| is_ours(entry));
        doled
    }
}

mod room;
#[cfg(test)]
mod tests;
