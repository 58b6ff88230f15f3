//! One lane in one process: the permits and calls that it has leased, its circuit, and who waits.
//! A circuit counts what the other side did: time lost here and what is missing here open none.

use std::collections::VecDeque;
use std::time::Duration;

use fleet_domain::{LaneAsk, LaneId, LaneLease, TaskKey};
use tokio::time::Instant;

/// How long fresh hints are put back after the lane was seen to have waiting rows.
const BACKLOG_FOR: Duration = Duration::from_millis(500);
/// A booked call that has not begun within this time is dropped: no more than this much of a lane's
/// rate comes at once.
const LATE_MAX: Duration = Duration::from_millis(500);
/// A lane that was used within this time keeps permits at hand.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// How soon a process asks again for what it did not get.
const ASK_AGAIN: Duration = Duration::from_millis(250);
/// Permits that are asked for while more waits in the table than anybody has counted.
const BACKLOG_NEED: usize = 8;
/// So many may wait for a permit of a lane, however few permits it has.
const WAITING_MIN: usize = 8;
/// A circuit never stays open longer than this before one probe.
const OPEN_MAX: Duration = Duration::from_secs(30);

/// Calls at the same time right after a circuit closed; each success adds one, up to the limit.
const RAMP_BEGIN: usize = 2;

/// May a call leave?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Yes, before the lease ends.
    Go(Instant),
    /// No: the circuit is open.
    HeldBack,
    /// No: the lease of its permit is over.
    LeaseOver,
}

/// What became of a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It was closed and is open.
    Opened,
    /// It was open for that long and is closed.
    Closed(Duration),
}

/// A circuit: closed, open, then one probe, then a ramp.
///
/// While it is open nobody is asked but by the probe, which is one of all processes. What would have
/// to ask is not claimed and stays in the table, where nobody looks for it before the probe is due.
/// What may end without asking still ends, in one of two ways:
/// - A hint (a fact that came in has one) is claimed without a permit, and only if its row says that
///   it may end; otherwise it goes to the table, once.
/// - When the probe is due the clock doles the lane's tasks one at a time, each client's longest due
///   first. What is over ends, and the next one comes; the first that has to ask is the probe. So
///   what is over waits for no more probes than tasks that must ask come before it, 30 s each at the
///   most.
#[derive(Debug, Default)]
struct Circuit {
    failures: u32,
    opened_at: Option<Instant>,
    open_until: Option<Instant>,
    open_for: Duration,
    probing: bool,
    /// Calls at the same time while the lane comes back; `None` = its limit.
    ramp: Option<usize>,
}

/// Calls that are booked at a lane's rate.
#[derive(Debug)]
struct Booked {
    next: Instant,
    gap: Duration,
    left: u32,
}

/// The state of a lane.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    /// The row's own limit, as far as the directory tells.
    limit: usize,
    /// Calls that may be under way until the lease ends.
    leased: usize,
    /// What the fleet counts as ours.
    counted: usize,
    lease_until: Option<Instant>,
    /// Calls a second; 0 = no limit.
    rate: u32,
    booked: VecDeque<Booked>,
    in_use: usize,
    /// The most that was in use or waiting lately.
    peak: usize,
    used_at: Option<Instant>,
    /// What the latest beat asked for; `None` = the next one says it.
    asked: Option<LaneAsk>,
    ask_again_at: Option<Instant>,
    /// Others have the permits: what has none goes to the table, from where they are doled.
    refused: bool,
    /// More is due in the table than there was room for.
    more_due: bool,
    backlog_until: Option<Instant>,
    circuit: Circuit,
    /// Tasks without a permit, oldest first.
    pub(crate) waiting: VecDeque<TaskKey>,
}

impl Lane {
    /// Applies the directory's limit.
    pub(crate) fn limit(&mut self, concurrency: u32) {
        self.limit = usize::try_from(concurrency).unwrap_or(usize::MAX);
    }

    /// Takes a permit if there is one.
    pub(crate) fn take_permit(&mut self, now: Instant) -> bool {
        if self.in_use >= self.permits(now) || !self.take_call(now) {
            return false;
        }
        self.in_use += 1;
        self.peak = self.peak.max(self.in_use);
        self.used_at = Some(now);
        true
    }

    /// Takes a booked call, where the lane has a rate.
    fn take_call(&mut self, now: Instant) -> bool {
        if self.rate == 0 {
            return true;
        }
        self.drop_late(now);
        let Some(booked) = self.booked.front_mut().filter(|booked| booked.next <= now) else {
            return false;
        };
        booked.next += booked.gap;
        booked.left -= 1;
        true
    }

    fn drop_late(&mut self, now: Instant) {
        while let Some(booked) = self.booked.front_mut() {
            while booked.left > 0 && booked.next + LATE_MAX < now {
                booked.next += booked.gap;
                booked.left -= 1;
            }
            if booked.left > 0 {
                break;
            }
            self.booked.pop_front();
        }
    }

    fn booked_calls(&self) -> usize {
        let left = self.booked.iter().map(|booked| booked.left).sum::<u32>();
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    /// Permits in hand, for a claim or a call.
    pub(crate) const fn in_use(&self) -> usize {
        self.in_use
    }

    /// True while its circuit is open, the time of its probe included.
    pub(crate) const fn is_open(&self) -> bool {
        self.circuit.open_until.is_some()
    }

    /// True while nobody may be asked: the circuit is open, and its probe is under way or not due.
    pub(crate) fn is_held(&self, now: Instant) -> bool {
        self.circuit.open_until.is_some_and(|until| now < until || self.circuit.probing)
    }

    /// True while the clock has nothing to look for: nobody may be asked, or somebody else's probe is
    /// waited for. What is due stays as it is, and is not even read.
    pub(crate) fn sleeps(&self, now: Instant) -> bool {
        self.is_held(now) || self.is_open() && self.refused
    }

    /// Tasks that may wait here for a permit. What waits here goes in the order in which it came, so it is
    /// no more than keeps the permits busy; in the table clients take turns.
    pub(crate) fn waiting_max(&self) -> usize {
        self.limit.saturating_mul(2).max(WAITING_MIN)
    }

    /// Gives a permit back.
    pub(crate) const fn release(&mut self) {
        self.in_use = self.in_use.saturating_sub(1);
    }

    /// What the clock may dole out: permits that nobody here waits for.
    pub(crate) fn room(&mut self, now: Instant) -> u32 {
        self.drop_late(now);
        let held = self.in_use + self.waiting.len();
        let mut room = self.permits(now).saturating_sub(held);
        if self.rate > 0 {
            room = room.min(self.booked_calls().saturating_sub(self.waiting.len()));
        }
        u32::try_from(room).unwrap_or(u32::MAX)
    }

    /// The lane has due rows that wait in the table: fresh hints go behind them.
    pub(crate) fn has_backlog(&mut self, now: Instant) {
        // Nobody looks for them before the probe, and then one is needed.
        self.more_due |= self.is_open();
        self.backlog_until = Some(now + BACKLOG_FOR);
    }

    /// Whether more was due in the table than there was room for.
    pub(crate) fn looked_at(&mut self, more_due: bool, now: Instant) {
        self.more_due = more_due;
        if more_due {
            self.has_backlog(now);
        } else {
            self.refused = false;
        }
    }

    /// True while more is due than there was room for, and there is room.
    pub(crate) fn wants_tasks(&mut self, now: Instant) -> bool {
        self.more_due && self.room(now) > 0
    }

    /// True while fresh hints are to be put back.
    pub(crate) fn is_backlogged(&self, now: Instant) -> bool {
        self.refused || self.backlog_until.is_some_and(|until| now < until)
    }

    /// What a beat asks for; until the answer the lane uses no more than it says. At the stop it only
    /// gives back.
    pub(crate) fn ask(
        &mut self,
        lane: LaneId,
        now: Instant,
        (regular, stopping): (bool, bool),
    ) -> Option<LaneAsk> {
        let busy = self.in_use + self.waiting.len();
        let more = if self.more_due { self.leased.max(BACKLOG_NEED) } else { 0 };
        // While the circuit is open one permit of all processes is for the probe. The rest stays in
        // the table.
        let probe = self.circuit.open_until.is_some() && !stopping;
        let need = match (stopping, probe) {
            (true, _) => 0,
            (false, true) => (busy + more).min(1),
            (false, false) => busy + more,
        };
        let recent = self.used_at.is_some_and(|at| now - at < KEPT_FOR);
        let spare = if recent && !stopping && !probe { self.peak.max(need) + 1 - need } else { 0 };
        self.peak = if regular { busy.max(self.peak / 2) } else { busy.max(self.peak) };
        self.leased = self.permits_leased(now).min(need + spare);
        let held = self.leased.max(self.in_use);
        self.counted = held;
        let rate = usize::try_from(self.rate).unwrap_or(usize::MAX);
        let more_calls = if self.more_due { rate.max(1) } else { 0 };
        let calls = (self.waiting.len() + more_calls).saturating_sub(self.booked_calls());
        let ask = LaneAsk {
            lane,
            held: size(held),
            need: size(need),
            spare: size(spare),
            calls: if stopping { 0 } else { size(calls) },
            probe,
        };
        // An open circuit is told while nobody waits for it too, so that people can see it.
        let nothing = held == 0 && need == 0 && spare == 0 && !probe;
        self.asked = (!nothing).then_some(ask);
        self.asked
    }

    /// What the beat that asked has brought; the lease runs from before it left.
    pub(crate) fn leased(&mut self, lease: Option<&LaneLease>, until: Instant, now: Instant) {
        let Some(ask) = self.asked else { return };
        let leased = lease.map_or(0, |lease| lease.permits);
        self.leased = usize::try_from(leased).unwrap_or(usize::MAX);
        self.counted = self.counted.max(self.leased);
        self.lease_until = Some(until);
        let mut short = leased < ask.need;
        if let Some(lease) = lease {
            self.rate = lease.rate_per_second;
            if let Some(gap) = Duration::from_secs(1).checked_div(self.rate) {
                short |= lease.calls < ask.calls;
                if lease.calls > 0 {
                    let next = now + lease.first_call;
                    self.booked.push_back(Booked { next, gap, left: lease.calls });
                }
            }
        }
        self.ask_again_at = short.then(|| now + ASK_AGAIN);
        self.refused = leased == 0 && ask.need > 0;
    }

    /// Tasks that go to the table because others have the permits.
    pub(crate) fn take_refused(&mut self, now: Instant) -> VecDeque<TaskKey> {
        if !self.refused {
            return VecDeque::new();
        }
        self.more_due |= !self.waiting.is_empty();
        self.has_backlog(now);
        std::mem::take(&mut self.waiting)
    }

    /// When a beat of its own is worth it: somebody waits for a permit or a call that may be had, or
    /// permits are to be given back.
    pub(crate) fn asks_at(&self, now: Instant) -> Option<Instant> {
        if self.leased.max(self.in_use) < self.counted {
            return Some(now);
        }
        let short_of_permits = self.in_use >= self.permits(now);
        let short_of_calls = self.rate > 0 && self.booked.is_empty();
        // Who has the permit of the probe waits for its time.
        let has_probe = self.is_open() && self.permits_leased(now) > 0;
        let waits = !self.waiting.is_empty() && (short_of_permits || short_of_calls) && !has_probe;
        let has_none = self.more_due && !self.refused && self.permits_leased(now) == 0;
        (waits || has_none).then(|| self.ask_again_at.unwrap_or(now))
    }

    /// When the next booked call may begin, while somebody waits for it.
    pub(crate) fn next_call(&self) -> Option<Instant> {
        let waits = !self.waiting.is_empty() && self.in_use < self.leased;
        self.booked.front().filter(|_| waits).map(|booked| booked.next)
    }

    /// True while the lease of its permits runs.
    pub(crate) fn is_leased(&self, now: Instant) -> bool {
        self.lease_until.is_some_and(|until| now < until)
    }

    fn permits_leased(&self, now: Instant) -> usize {
        if self.is_leased(now) { self.leased } else { 0 }
    }

    /// Calls that may be under way now.
    fn permits(&self, now: Instant) -> usize {
        let leased = self.permits_leased(now);
        match (self.circuit.open_until, self.circuit.ramp) {
            (Some(until), _) => leased.min(usize::from(until <= now)),
            (None, Some(ramp)) => leased.min(ramp),
            (None, None) => leased,
        }
    }

    /// Asks for the lease before a call, and for the circuit if anybody is to be asked.
    pub(crate) fn gate(&mut self, now: Instant, asks: bool) -> Gate {
        let Some(until) = self.lease_until.filter(|until| !asks || now < *until) else {
            return Gate::LeaseOver;
        };
        if !asks {
            return Gate::Go(until);
        }
        match self.circuit.open_until {
            None => Gate::Go(until),
            Some(_) if self.is_held(now) => Gate::HeldBack,
            Some(_) => {
                self.circuit.probing = true;
                Gate::Go(until)
            }
        }
    }

    /// The gate was passed and no call was made.
    pub(crate) const fn call_not_made(&mut self) {
        self.circuit.probing = false;
    }

    /// Tells the circuit how a call ended, and what became of it.
    pub(crate) fn call_ended(
        &mut self,
        failed: bool,
        now: Instant,
        failures_max: u32,
        open_for: Duration,
    ) -> Option<Change> {
        let circuit = &mut self.circuit;
        if !failed {
            let closed = circuit.opened_at.map(|at| Change::Closed(now - at));
            let ramp =
                if closed.is_some() { Some(RAMP_BEGIN) } else { circuit.ramp.map(|at| at + 1) };
            let limit = self.limit;
            *circuit = Circuit { ramp: ramp.filter(|at| *at < limit), ..Circuit::default() };
            return closed;
        }
        circuit.ramp = circuit.ramp.map(|at| (at / 2).max(1));
        circuit.failures = circuit.failures.saturating_add(1);
        let was_probe = std::mem::take(&mut circuit.probing);
        let was_open = circuit.open_until.is_some();
        if !was_probe && (was_open || circuit.failures < failures_max) {
            return None;
        }
        let doubled = circuit.open_for.saturating_mul(2).min(OPEN_MAX);
        circuit.open_for = doubled.max(open_for);
        circuit.open_until = Some(now + circuit.open_for);
        circuit.opened_at.get_or_insert(now);
        (!was_open).then_some(Change::Opened)
    }
}

fn size(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
