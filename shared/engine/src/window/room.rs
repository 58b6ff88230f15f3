//! Who has room: a lane's share of the calls, and of the broker's prefetch.

use std::collections::VecDeque;

use fleet_domain::{LaneId, TaskKey};
use tokio::time::Instant;

use super::{Place, Window};

impl Window {
    /// Calls that a lane may have under way: a share of the window once they are that many.
    pub(super) fn share(&self) -> usize {
        if self.running < self.settings.window_tasks {
            return usize::MAX;
        }
        let busy = self.lanes.values().filter(|lane| lane.in_use() > 0).count();
        (self.settings.window_tasks / busy.max(1)).max(1)
    }

    /// Puts back what a lane, or all of them, keep of the prefetch beyond their part. With one lane
    /// alone there is nobody to keep it from.
    pub(super) fn trim(&mut self, lane: LaneId, now: Instant) {
        let (of_lane, of_all) = (self.settings.prefetch / 4, self.settings.prefetch / 2);
        if self.lanes.len() < 2 {
            return;
        }
        while self.messages.kept_by(lane) > of_lane && self.put_newest_back(lane, now) {}
        while self.messages.kept() > of_all {
            let weight = |(id, kept)| {
                let lane = self.lanes.get(&id)?;
                (lane.in_use() > 0 || lane.waiting.len() > 1).then(|| (kept, lane.in_use(), id))
            };
            let Some((_, _, most)) = self.messages.keepers().filter_map(weight).max() else {
                return;
            };
            if !self.put_newest_back(most, now) {
                return;
            }
        }
    }

    /// Puts a lane's newest message back, as far as its tasks wait; false when none may go.
    fn put_newest_back(&mut self, lane_id: LaneId, now: Instant) -> bool {
        let Some(lane) = self.lanes.get_mut(&lane_id) else { return false };
        let tasks = &self.tasks;
        let of = |key: &TaskKey| tasks.get(key).and_then(|entry| entry.messages.last()).copied();
        let stays = usize::from(lane.in_use() == 0);
        let waiting = lane.waiting.iter().skip(stays);
        let Some(newest) = waiting.rev().find_map(of) else { return false };
        let names = |key: &TaskKey| tasks.get(key).is_some_and(|e| e.messages.contains(&newest));
        let (mut kept, mut back) = (VecDeque::new(), Vec::new());
        for (place, key) in std::mem::take(&mut lane.waiting).into_iter().enumerate() {
            if place >= stays && names(&key) { back.push(key) } else { kept.push_back(key) }
        }
        lane.waiting = kept;
        lane.has_backlog(now);
        for key in back {
            self.waits_no_more(key, Place::Returning);
            self.returning.push(key);
        }
        true
    }
}
