//! Messages that are not acknowledged yet, and which lanes keep them so.
//!
//! The broker sends no more than its prefetch of unacknowledged messages, to all lanes of a queue
//! together. A hint may name one task or 32, so that what a lane keeps from the others is counted in
//! messages: every message of which a task of the lane waits for a permit.

use std::collections::{BTreeMap, HashMap};

use fleet_domain::LaneId;

pub(crate) type AckFn = Box<dyn FnOnce() + Send>;

struct Message {
    left: usize,
    ack: Option<AckFn>,
    /// Its tasks that wait for a permit, by lane: at most as many as a hint names.
    waiting: Vec<(LaneId, usize)>,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Messages {
    open: HashMap<u64, Message>,
    next: u64,
    /// Messages that each lane keeps; a lane without any is not in it. In an order of its own.
    kept: BTreeMap<LaneId, usize>,
    /// Messages that any lane keeps, each once.
    kept_by_any: usize,
}

impl Messages {
    /// A message that names so many tasks.
    pub(crate) fn received(&mut self, tasks: usize, ack: AckFn) -> u64 {
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        self.open.insert(id, Message { left: tasks, ack: Some(ack), waiting: Vec::new() });
        id
    }

    /// One of its tasks got a verdict or is back in the table: the last one acknowledges it.
    pub(crate) fn settle(&mut self, id: u64) {
        let Some(message) = self.open.get_mut(&id) else { return };
        message.left = message.left.saturating_sub(1);
        if message.left == 0
            && let Some(Message { ack: Some(ack), .. }) = self.open.remove(&id)
        {
            ack();
        }
    }

    /// One of its tasks waits for a permit of the lane.
    pub(crate) fn waits(&mut self, id: u64, lane: LaneId) {
        let Some(message) = self.open.get_mut(&id) else { return };
        if let Some((_, tasks)) = message.waiting.iter_mut().find(|(of, _)| *of == lane) {
            *tasks += 1;
            return;
        }
        self.kept_by_any += usize::from(message.waiting.is_empty());
        message.waiting.push((lane, 1));
        *self.kept.entry(lane).or_default() += 1;
    }

    /// One of its tasks waits no more.
    pub(crate) fn waits_no_more(&mut self, id: u64, lane: LaneId) {
        let Some(message) = self.open.get_mut(&id) else { return };
        let Some(at) = message.waiting.iter().position(|(of, _)| *of == lane) else { return };
        if let Some((_, tasks)) = message.waiting.get_mut(at).filter(|(_, tasks)| *tasks > 1) {
            *tasks -= 1;
            return;
        }
        message.waiting.swap_remove(at);
        self.kept_by_any -= usize::from(message.waiting.is_empty());
        if let Some(kept) = self.kept.get_mut(&lane) {
            *kept -= 1;
            if *kept == 0 {
                self.kept.remove(&lane);
            }
        }
    }

    /// Messages that a lane keeps.
    pub(crate) fn kept_by(&self, lane: LaneId) -> usize {
        self.kept.get(&lane).copied().unwrap_or(0)
    }

    /// Messages that any lane keeps.
    pub(crate) const fn kept(&self) -> usize {
        self.kept_by_any
    }

    /// Lanes that keep any, with how many.
    pub(crate) fn keepers(&self) -> impl Iterator<Item = (LaneId, usize)> {
        self.kept.iter().map(|(lane, kept)| (*lane, *kept))
    }
}
