//! A broker in memory: a queue for each kind, hints that are given to somebody else when their
//! consumer goes, and no order that anybody could rely on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fleet_contracts::JobHint;
use fleet_domain::TaskKind;
use fleet_engine::ReceivedHint;
use tokio::sync::mpsc;

/// Hints that one consumer holds at most; the window is smaller.
const PREFETCH: usize = 4_096;

#[derive(Default)]
struct Queue {
    ready: Vec<JobHint>,
    unacked: BTreeMap<u64, (usize, JobHint)>,
    consumers: Vec<(usize, mpsc::Sender<ReceivedHint>)>,
    next: u64,
}

/// All queues.
#[derive(Default)]
pub(super) struct Broker(Mutex<BTreeMap<TaskKind, Queue>>);

impl Broker {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<TaskKind, Queue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn attach(
        self: &Arc<Self>,
        kind: TaskKind,
        id: usize,
    ) -> mpsc::Receiver<ReceivedHint> {
        let (to, hints) = mpsc::channel(PREFETCH);
        self.lock().entry(kind).or_default().consumers.push((id, to));
        self.hand_out(kind);
        hints
    }

    /// A consumer's connection is gone: what it has not acknowledged is ready again.
    pub(super) fn detach(self: &Arc<Self>, id: usize) {
        let mut kinds = Vec::new();
        for (kind, queue) in self.lock().iter_mut() {
            queue.consumers.retain(|(consumer, _)| *consumer != id);
            let all = std::mem::take(&mut queue.unacked);
            for (tag, (holder, hint)) in all {
                if holder == id {
                    queue.ready.push(hint);
                } else {
                    queue.unacked.insert(tag, (holder, hint));
                }
            }
            kinds.push(*kind);
        }
        for kind in kinds {
            self.hand_out(kind);
        }
    }

    /// `place` says where it stands among those that wait, last if it says nothing; true when it
    /// overtakes one.
    pub(super) fn publish(self: &Arc<Self>, hint: JobHint, place: Option<u64>) -> bool {
        let kind = hint.kind;
        let overtakes = {
            let mut queues = self.lock();
            let queue = queues.entry(kind).or_default();
            let length = u64::try_from(queue.ready.len()).unwrap_or(u64::MAX);
            let at = place
                .and_then(|place| place.checked_rem(length.saturating_add(1)))
                .unwrap_or(length);
            let at = usize::try_from(at).unwrap_or(0);
            let overtakes = at < queue.ready.len();
            queue.ready.insert(at, hint);
            overtakes
        };
        self.hand_out(kind);
        overtakes
    }

    pub(super) fn ready(&self, kind: TaskKind) -> u64 {
        let waits = self.lock().get(&kind).map_or(0, |queue| queue.ready.len());
        u64::try_from(waits).unwrap_or(u64::MAX)
    }

    fn hand_out(self: &Arc<Self>, kind: TaskKind) {
        let mut queues = self.lock();
        let queue = queues.entry(kind).or_default();
        while !queue.ready.is_empty() && !queue.consumers.is_empty() {
            let tag = queue.next;
            let consumers = u64::try_from(queue.consumers.len()).unwrap_or(1);
            let turn = usize::try_from(tag.checked_rem(consumers).unwrap_or(0)).unwrap_or(0);
            let Some((id, to)) = queue.consumers.get(turn).cloned() else { return };
            let Ok(permit) = to.try_reserve() else { return };
            queue.next = tag.wrapping_add(1);
            let hint = queue.ready.remove(0);
            queue.unacked.insert(tag, (id, hint.clone()));
            let broker = Arc::clone(self);
            let ack = Box::new(move || broker.acked(kind, tag));
            permit.send(ReceivedHint { hint, ack });
        }
    }

    fn acked(&self, kind: TaskKind, tag: u64) {
        if let Some(queue) = self.lock().get_mut(&kind) {
            queue.unacked.remove(&tag);
        }
    }
}
