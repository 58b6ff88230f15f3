//! The outside world, which never deduplicates, and a step that calls it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use fleet_domain::{
    Answer, Change, Decision, Directory, DispenseState, Fact, FollowUp, Job, LaneId, Next,
    ParkClass, Private, TaskKey, TaskKind, TaskState, Tries,
};
use fleet_engine::{Attempt, CallError, Learnt, LookUp, Refusal, Step, mark_tried};
use fleet_testkit::samples::DELIVER_LANE;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::bench::SLOW_LANE;
use crate::broker::Event;
use crate::process::{Point, Process};

/// How the other side takes one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    Done,
    /// The answer never arrives.
    Lost {
        effect: bool,
    },
    Refused {
        retryable: bool,
    },
    /// The connection is refused.
    NotSent,
    /// Nobody is tried: what is missing is ours.
    Ours,
    /// The step panics on it.
    Panic,
}

/// How it takes one look-up; unscripted, it tells the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Unclear,
    Panic,
}

#[derive(Debug, Default)]
struct State {
    replies: HashMap<TaskKey, VecDeque<Reply>>,
    told: HashMap<TaskKey, VecDeque<Told>>,
    effects: HashMap<TaskKey, usize>,
    decide_panics: HashSet<TaskKey>,
    refusing: HashSet<LaneId>,
    in_flight: usize,
    in_flight_max: usize,
    /// What was under way when a task with at least three claims was.
    beside_the_suspect: usize,
    suspects: usize,
}

/// The other side, and what it has done.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    state: Mutex<State>,
    held: watch::Sender<HashSet<TaskKey>>,
    held_look_ups: watch::Sender<HashSet<TaskKey>>,
}

impl Outside {
    pub(crate) fn script(&self, key: TaskKey, replies: &[Reply]) {
        self.lock().replies.insert(key, replies.iter().copied().collect());
    }

    pub(crate) fn script_look_ups(&self, key: TaskKey, told: &[Told]) {
        self.lock().told.insert(key, told.iter().copied().collect());
    }

    pub(crate) fn panic_in_decide(&self, key: TaskKey) {
        self.lock().decide_panics.insert(key);
    }

    /// Calls of these get their effect, and no answer until they are let go.
    pub(crate) fn hold(&self, keys: &[TaskKey]) {
        self.held.send_modify(|held| held.extend(keys));
    }

    /// The same for look-ups of these.
    pub(crate) fn hold_look_ups(&self, keys: &[TaskKey]) {
        self.held_look_ups.send_modify(|held| held.extend(keys));
    }

    pub(crate) fn let_look_ups_go(&self) {
        self.held_look_ups.send_modify(HashSet::clear);
    }

    pub(crate) fn let_go(&self, keys: &[TaskKey]) {
        self.held.send_modify(|held| held.retain(|key| !keys.contains(key)));
    }

    /// Connections of a lane are refused from now on, or taken again.
    pub(crate) fn refuse(&self, lane: LaneId, refuses: bool) {
        let mut state = self.lock();
        if refuses {
            state.refusing.insert(lane)
        } else {
            state.refusing.remove(&lane)
        };
    }

    pub(crate) fn effects(&self, key: TaskKey) -> usize {
        self.lock().effects.get(&key).copied().unwrap_or_default()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.lock().in_flight
    }

    pub(crate) fn in_flight_max(&self) -> usize {
        self.lock().in_flight_max
    }

    pub(crate) fn beside_the_suspect(&self) -> usize {
        self.lock().beside_the_suspect
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn begin(self: &Arc<Self>, job: &Job) -> InFlight {
        let mut state = self.lock();
        let is_suspect = job.task.claims >= 3;
        let others = state.in_flight;
        state.in_flight += 1;
        state.in_flight_max = state.in_flight_max.max(state.in_flight);
        if is_suspect || state.suspects > 0 {
            state.beside_the_suspect = state.beside_the_suspect.max(others);
        }
        state.suspects += usize::from(is_suspect);
        InFlight { outside: Arc::clone(self), is_suspect }
    }
}

struct InFlight {
    outside: Arc<Outside>,
    is_suspect: bool,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.outside.lock();
        state.in_flight -= 1;
        state.suspects -= usize::from(self.is_suspect);
    }
}

/// Dispenses in the outside world above, as the real step does.
pub(crate) struct ScriptedStep {
    pub(crate) process: Arc<Process>,
    pub(crate) longest_call: Duration,
    /// That of the slow lane.
    pub(crate) slow_call: Duration,
    pub(crate) call_deadline: Duration,
}

impl ScriptedStep {
    /// An exchange begins: it must be claimed, by this very claim, and marked as sent.
    async fn begin(&self, job: &Job, is_call: bool) -> InFlight {
        self.process.while_alive().await;
        let key = job.task.key;
        let trace = &self.process.trace;
        let view = self.process.memory.show(key.purchase).unwrap();
        let row = view.tasks.iter().find(|row| row.key == key);
        let claimed = row.is_some_and(|row| row.state == TaskState::Running);
        if !claimed {
            trace.break_rule(format!("{key} goes out without a claim: {row:?}"));
        }
        if is_call {
            if row.is_none_or(|row| row.sent_until.is_none()) {
                trace.break_rule(format!("{key} is called and not marked as sent"));
            }
            trace.push(Event::Called(key));
        } else {
            trace.push(Event::LookedUp(key));
        }
        self.process.outside.begin(job)
    }

    fn dies_over(&self, key: TaskKey) -> ! {
        self.process.forget(key);
        panic!("scripted");
    }

    async fn answer(&self, key: TaskKey) {
        let mut held = self.process.outside.held.subscribe();
        held.wait_for(|held| !held.contains(&key)).await.unwrap();
        self.process.point(Point::Called).await;
    }
}

impl Step for ScriptedStep {
    const KIND: TaskKind = TaskKind::Dispense;
    type Reply = ();

    fn longest_call(&self, _: &Directory) -> Duration {
        self.longest_call.max(self.slow_call)
    }

    fn longest_call_of(&self, _: &Directory, lane: LaneId) -> Duration {
        if lane == SLOW_LANE { self.slow_call } else { self.longest_call }
    }

    fn call_deadline(&self, _: &Directory, _: &Job) -> Duration {
        self.call_deadline
    }

    async fn call(&self, _: &Directory, job: &Job, attempt: Attempt) -> Result<(), CallError> {
        let key = job.task.key;
        // `outbound` does this right before the first byte.
        if Instant::now() > attempt.send_before {
            return Err(not_sent());
        }
        let _in_flight = self.begin(job, true).await;
        let outside = &self.process.outside;
        let reply = {
            let mut state = outside.lock();
            let scripted = state.replies.get_mut(&key).and_then(VecDeque::pop_front);
            let refuses = state.refusing.contains(&job.task.lane);
            let usual = if refuses { Reply::NotSent } else { Reply::Done };
            let reply = scripted.unwrap_or(usual);
            if matches!(reply, Reply::Done | Reply::Lost { effect: true }) {
                *state.effects.entry(key).or_default() += 1;
            }
            reply
        };
        self.answer(key).await;
        match reply {
            Reply::Done => Ok(()),
            Reply::Lost { .. } => Err(CallError::Unknown { cause: "no answer".to_owned() }),
            Reply::Refused { retryable } => Err(CallError::Refused { refusal: refusal(retryable) }),
            Reply::NotSent => {
                mark_tried();
                Err(not_sent())
            }
            Reply::Ours => Err(not_sent()),
            Reply::Panic => self.dies_over(key),
        }
    }

    async fn look_up(&self, _: &Directory, job: &Job, _: Attempt) -> Result<LookUp<()>, CallError> {
        let key = job.task.key;
        let _in_flight = self.begin(job, false).await;
        let told = self.process.outside.lock().told.get_mut(&key).and_then(VecDeque::pop_front);
        let mut held = self.process.outside.held_look_ups.subscribe();
        held.wait_for(|held| !held.contains(&key)).await.unwrap();
        self.process.point(Point::Called).await;
        match told {
            Some(Told::Unclear) => Ok(LookUp::Unclear),
            Some(Told::Panic) => self.dies_over(key),
            None if self.process.outside.effects(key) > 0 => Ok(LookUp::Done(())),
            None => Ok(LookUp::NotDone),
        }
    }

    fn read_fact(&self, _: &Directory, _: &Job, fact: &Fact) -> Option<Learnt<()>> {
        match (fact.kind.as_str(), fact.status.as_str()) {
            ("vend", "0000") => Some(Learnt::Done(())),
            ("vend", "2210") => Some(Learnt::Refused(refusal(false))),
            _ => None,
        }
    }

    fn decide(&self, _: &Directory, job: &Job, learnt: Learnt<()>) -> Decision {
        let key = job.task.key;
        let panics = self.process.outside.lock().decide_panics.remove(&key);
        if panics {
            self.dies_over(key);
        }
        let second = Duration::from_secs(1);
        let ends = |state, outcome| Decision {
            change: Change::dispense(state),
            follow_ups: vec![FollowUp {
                kind: TaskKind::Deliver,
                slot: 1,
                lane: DELIVER_LANE,
                start_by: None,
                deadline_at: None,
            }],
            ..Decision::only(Next::Finish, Tries::Count, outcome)
        };
        let waits = |tries, outcome| Decision::only(Next::Wait(second), tries, outcome);
        match learnt {
            Learnt::Done(()) => ends(DispenseState::Dispensed, "dispensed"),
            Learnt::Refused(refusal) if refusal.retryable => waits(Tries::Count, "refused_yet"),
            Learnt::Refused(_) => ends(DispenseState::Failed, "refused"),
            Learnt::Ended(_) => ends(DispenseState::Failed, "expired"),
            Learnt::Unknown { .. } | Learnt::Pending | Learnt::Asked { .. } => Decision {
                change: Change::dispense(DispenseState::Unknown),
                ..waits(Tries::Count, "answer_lost")
            },
            Learnt::NotSent { .. } => waits(Tries::Keep, "not_sent"),
            Learnt::NotDone => Decision::only(Next::Now, Tries::Count, "not_done"),
            Learnt::CannotTell => {
                let (class, cause) = (ParkClass::UnknownOutcome, String::new());
                let next = Next::Park { class, cause, at_risk: None };
                Decision::only(next, Tries::Keep, "cannot_tell")
            }
        }
    }

    fn as_fact(&self, job: &Job, learnt: &Learnt<()>) -> Option<Answer> {
        let status = match learnt {
            Learnt::Done(()) => "0000",
            Learnt::Refused(refusal) if !refusal.retryable => "2210",
            Learnt::Refused(_)
            | Learnt::Unknown { .. }
            | Learnt::Pending
            | Learnt::Asked { .. }
            | Learnt::NotSent { .. }
            | Learnt::NotDone
            | Learnt::CannotTell
            | Learnt::Ended(_) => return None,
        };
        Some(Answer {
            kind: "vend",
            reference: job.purchase.order.vend_ref(job.task.ref_no),
            status: status.to_owned(),
            body: Private::new("{}"),
        })
    }
}

fn not_sent() -> CallError {
    CallError::NotSent { cause: "not connected".to_owned(), retry_after: None }
}

fn refusal(retryable: bool) -> Refusal {
    Refusal {
        code: "2210".to_owned(),
        own_code: None,
        retryable,
        reference_used: false,
        retry_after: None,
    }
}
