//! A broker in memory, and what everybody saw in which order.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use fleet_contracts::JobHint;
use fleet_domain::{CommitVerdict, TaskKey, TaskKind};
use fleet_engine::ReceivedHint;
use tokio::sync::mpsc;

/// What happened, in its order over all processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Claimed(Vec<TaskKey>),
    Acked(Vec<TaskKey>),
    Called(TaskKey),
    LookedUp(TaskKey),
    /// Whether or not it is written.
    CommitTried(Vec<TaskKey>),
    Committed(Vec<(TaskKey, CommitVerdict)>),
    Published(TaskKind, Vec<TaskKey>),
    PutBack(Vec<TaskKey>),
    Freed(TaskKey),
    Ticked,
}

#[derive(Debug, Default)]
pub(crate) struct Trace {
    events: Mutex<Vec<Event>>,
    broken: Mutex<Vec<String>>,
}

impl Trace {
    pub(crate) fn push(&self, event: Event) {
        self.events.lock().unwrap().push(event);
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, of: impl Fn(&Event) -> bool) -> usize {
        self.events.lock().unwrap().iter().filter(|event| of(event)).count()
    }

    /// Where the first such event stands.
    pub(crate) fn position(&self, of: impl Fn(&Event) -> bool) -> usize {
        let events = self.events();
        let found = events.iter().position(of);
        found.unwrap_or_else(|| panic!("no such event in {events:#?}"))
    }

    /// A rule that holds at every instant does not: the test fails at its end.
    pub(crate) fn break_rule(&self, how: String) {
        self.broken.lock().unwrap().push(how);
    }

    pub(crate) fn broken(&self) -> Vec<String> {
        self.broken.lock().unwrap().clone()
    }
}

struct Consumer {
    id: usize,
    to: mpsc::Sender<ReceivedHint>,
    /// Tasks that got a verdict from this process, or were put back by it.
    told: Arc<Mutex<HashSet<TaskKey>>>,
}

#[derive(Default)]
struct Queue {
    ready: VecDeque<JobHint>,
    unacked: BTreeMap<u64, (usize, JobHint)>,
    consumers: Vec<Consumer>,
    next: u64,
}

/// Holds each hint until it is acknowledged, and gives it to somebody else when its consumer goes.
pub(crate) struct Broker {
    queue: Mutex<Queue>,
    trace: Arc<Trace>,
    /// Messages that a consumer may hold unacknowledged.
    prefetch: AtomicUsize,
}

impl Broker {
    pub(crate) fn new(trace: Arc<Trace>) -> Arc<Self> {
        let prefetch = AtomicUsize::new(usize::MAX);
        Arc::new(Self { queue: Mutex::default(), trace, prefetch })
    }

    pub(crate) fn set_prefetch(&self, messages: usize) {
        self.prefetch.store(messages, Ordering::SeqCst);
    }

    pub(crate) fn attach(
        self: &Arc<Self>,
        id: usize,
        told: Arc<Mutex<HashSet<TaskKey>>>,
    ) -> mpsc::Receiver<ReceivedHint> {
        let (to, hints) = mpsc::channel(100_000);
        self.lock().consumers.push(Consumer { id, to, told });
        self.hand_out();
        hints
    }

    /// The consumer's connection is gone: what it has not acknowledged is ready again.
    pub(crate) fn detach(self: &Arc<Self>, id: usize) {
        {
            let mut queue = self.lock();
            queue.consumers.retain(|consumer| consumer.id != id);
            let all = std::mem::take(&mut queue.unacked);
            for (tag, (holder, hint)) in all {
                if holder == id {
                    queue.ready.push_back(hint);
                } else {
                    queue.unacked.insert(tag, (holder, hint));
                }
            }
        }
        self.hand_out();
    }

    pub(crate) fn publish(self: &Arc<Self>, hint: JobHint) {
        self.lock().ready.push_back(hint);
        self.hand_out();
    }

    pub(crate) fn ready(&self) -> usize {
        self.lock().ready.len()
    }

    pub(crate) fn unacked(&self) -> usize {
        self.lock().unacked.len()
    }

    fn hand_out(self: &Arc<Self>) {
        let mut queue = self.lock();
        let prefetch = self.prefetch.load(Ordering::SeqCst);
        while !queue.consumers.is_empty() {
            let tag = queue.next;
            let count = queue.consumers.len();
            let held = |of: usize| queue.unacked.values().filter(|(id, _)| *id == of).count();
            let first = usize::try_from(tag).unwrap();
            let turns = (0..count).map(|turn| (first + turn) % count);
            let room =
                |turn: &usize| prefetch == usize::MAX || held(queue.consumers[*turn].id) < prefetch;
            let Some(turn) = turns.clone().find(room) else { return };
            let Some(hint) = queue.ready.pop_front() else { return };
            queue.next += 1;
            let consumer = &queue.consumers[turn];
            let (id, told) = (consumer.id, Arc::clone(&consumer.told));
            let (broker, named) = (Arc::clone(self), hint.clone());
            let ack = Box::new(move || broker.acked(tag, id, &named, &told));
            let sent = consumer.to.try_send(ReceivedHint { hint: hint.clone(), ack });
            if sent.is_ok() {
                queue.unacked.insert(tag, (id, hint));
            } else {
                queue.consumers.remove(turn);
                queue.ready.push_front(hint);
            }
        }
    }

    fn acked(
        self: &Arc<Self>,
        tag: u64,
        id: usize,
        hint: &JobHint,
        told: &Mutex<HashSet<TaskKey>>,
    ) {
        let held = self.lock().unacked.remove(&tag);
        if held.as_ref().is_none_or(|(holder, _)| *holder != id) {
            // A dead process acknowledges nothing.
            if let Some(held) = held {
                self.lock().unacked.insert(tag, held);
            }
            return;
        }
        let keys: Vec<TaskKey> = hint.tasks.iter().map(|(key, _)| *key).collect();
        let told = told.lock().unwrap();
        for key in keys.iter().filter(|key| !told.contains(*key)) {
            self.trace.break_rule(format!("{key} was acknowledged before its verdict"));
        }
        self.trace.push(Event::Acked(keys));
        drop(told);
        self.hand_out();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap()
    }
}
