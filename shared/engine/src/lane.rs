//! One lane in one process: its share of permits and rate, its circuit, and who waits for it.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use fleet_domain::TaskKey;
use tokio::time::Instant;

/// A doled task whose hint has not come back within this time went to another process.
const DOLED_FOR: Duration = Duration::from_secs(1);
/// How long fresh hints are put back after the lane was seen to have waiting rows.
const BACKLOG_FOR: Duration = Duration::from_millis(500);
/// How far ahead of its rate a lane may run.
const BURST: Duration = Duration::from_millis(100);
/// A circuit never stays open longer than this before one probe.
const OPEN_MAX: Duration = Duration::from_secs(30);

/// Permits while the circuit is not closed: one probe, and a trickle of tasks that may have come to
/// their end without asking. The rest stays in the table, untouched.
const OPEN_PERMITS: usize = 2;
/// Calls at the same time right after a circuit closed; each success adds one, up to the limit.
const RAMP_BEGIN: usize = 2;

/// May a call leave?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Yes.
    Go,
    /// No: the circuit is open for that long.
    HeldBack(Duration),
}

/// A circuit: closed, open, then one probe, then a ramp.
#[derive(Debug, Default)]
struct Circuit {
    failures: u32,
    open_until: Option<Instant>,
    open_for: Duration,
    probing: bool,
    /// Calls at the same time while the lane comes back; `None` = its limit.
    ramp: Option<usize>,
}

/// The state of a lane.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    limit: usize,
    /// Time between two calls at the lane's rate; zero without one.
    gap: Duration,
    /// When the next call would be due at exactly that rate.
    next_call: Option<Instant>,
    in_use: usize,
    backlog_until: Option<Instant>,
    circuit: Circuit,
    doled: HashMap<TaskKey, Instant>,
    /// Tasks without a permit, oldest first.
    pub(crate) waiting: VecDeque<TaskKey>,
}

impl Lane {
    /// Applies the directory's limits, split by the number of live processes.
    pub(crate) fn limits(&mut self, concurrency: u32, rate_per_second: u32, processes: u32) {
        let share = concurrency.div_ceil(processes.max(1)).max(1);
        self.limit = usize::try_from(share).unwrap_or(usize::MAX);
        let second = Duration::from_secs(1).saturating_mul(processes.max(1));
        self.gap = second.checked_div(rate_per_second).unwrap_or_default();
    }

    /// Takes a permit if there is one.
    pub(crate) fn take_permit(&mut self, now: Instant) -> bool {
        if self.in_use >= self.permits() {
            return false;
        }
        if !self.gap.is_zero() {
            let next_call = self.next_call.map_or(now, |at| at.max(now));
            if next_call - now > BURST {
                return false;
            }
            self.next_call = Some(next_call + self.gap);
        }
        self.in_use += 1;
        true
    }

    /// Gives a permit back.
    pub(crate) const fn release(&mut self) {
        self.in_use = self.in_use.saturating_sub(1);
    }

    /// What the clock may dole out: enough to keep the lane busy until its next look.
    pub(crate) fn room(&mut self, now: Instant) -> u32 {
        self.doled.retain(|_, at| now - *at < DOLED_FOR);
        let wanted = self.permits().saturating_mul(2);
        let held = self.in_use + self.waiting.len() + self.doled.len();
        u32::try_from(wanted.saturating_sub(held)).unwrap_or(u32::MAX)
    }

    /// Remembers what the clock doled out; when it filled the room, more is waiting.
    pub(crate) fn doled(&mut self, key: TaskKey, now: Instant) {
        self.doled.insert(key, now);
    }

    /// The hint of a doled task came back.
    pub(crate) fn came_back(&mut self, key: &TaskKey) {
        self.doled.remove(key);
    }

    /// The lane has due rows that wait in the table: fresh hints go behind them.
    pub(crate) fn has_backlog(&mut self, now: Instant) {
        self.backlog_until = Some(now + BACKLOG_FOR);
    }

    /// True while fresh hints are to be put back.
    pub(crate) fn is_backlogged(&self, now: Instant) -> bool {
        self.circuit.open_until.is_some() || self.backlog_until.is_some_and(|until| now < until)
    }

    /// Calls that may be under way now.
    fn permits(&self) -> usize {
        match (self.circuit.open_until, self.circuit.ramp) {
            (Some(_), _) => self.limit.min(OPEN_PERMITS),
            (None, Some(ramp)) => self.limit.min(ramp),
            (None, None) => self.limit,
        }
    }

    /// Asks the circuit before a call.
    pub(crate) fn gate(&mut self, now: Instant) -> Gate {
        match self.circuit.open_until {
            None => Gate::Go,
            Some(until) if now < until => Gate::HeldBack(until - now),
            Some(_) if self.circuit.probing => Gate::HeldBack(Duration::from_secs(1)),
            Some(_) => {
                self.circuit.probing = true;
                Gate::Go
            }
        }
    }

    /// The gate was passed and no call was made.
    pub(crate) const fn call_not_made(&mut self) {
        self.circuit.probing = false;
    }

    /// Tells the circuit how a call ended; true when that opened it.
    pub(crate) fn call_ended(
        &mut self,
        failed: bool,
        now: Instant,
        failures_max: u32,
        open_for: Duration,
    ) -> bool {
        let circuit = &mut self.circuit;
        if !failed {
            let was_open = circuit.open_until.is_some();
            let ramp = if was_open { Some(RAMP_BEGIN) } else { circuit.ramp.map(|at| at + 1) };
            let limit = self.limit;
            *circuit = Circuit { ramp: ramp.filter(|at| *at < limit), ..Circuit::default() };
            return false;
        }
        circuit.ramp = circuit.ramp.map(|at| (at / 2).max(1));
        circuit.failures = circuit.failures.saturating_add(1);
        let was_probe = std::mem::take(&mut circuit.probing);
        let opens = was_probe || (circuit.open_until.is_none() && circuit.failures >= failures_max);
        if opens {
            let doubled = circuit.open_for.saturating_mul(2).min(OPEN_MAX);
            circuit.open_for = doubled.max(open_for);
            circuit.open_until = Some(now + circuit.open_for);
        }
        opens
    }
}

#[cfg(test)]
mod tests {
    use fleet_domain::{PurchaseId, TaskKind};

    use super::*;

    fn lane(concurrency: u32, rate: u32, processes: u32) -> Lane {
        let mut lane = Lane::default();
        lane.limits(concurrency, rate, processes);
        lane
    }

    #[test]
    fn permits_are_split_by_the_live_processes_and_never_none() {
        let now = Instant::now();
        let mut shared = lane(5, 0, 2);
        assert_eq!((0..9).filter(|_| shared.take_permit(now)).count(), 3);
        let mut crowded = lane(1, 0, 50);
        assert!(crowded.take_permit(now) && !crowded.take_permit(now));
        crowded.release();
        assert!(crowded.take_permit(now));
    }

    #[test]
    fn a_rate_is_kept_over_any_second() {
        let mut now = Instant::now();
        let mut limited = lane(1000, 100, 1);
        let mut taken = 0;
        for _ in 0..200 {
            now += Duration::from_millis(10);
            while limited.take_permit(now) {
                taken += 1;
                limited.release();
            }
        }
        assert!((190..=212).contains(&taken), "{taken} in two seconds");
    }

    #[test]
    fn a_circuit_opens_lets_one_probe_pass_and_closes_on_success() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let mut lane = lane(9, 0, 1);
        assert!(!lane.call_ended(true, now, 2, second));
        assert!(lane.call_ended(true, now, 2, second));
        assert_eq!(lane.gate(now), Gate::HeldBack(second));
        assert_eq!(lane.gate(now + second), Gate::Go);
        assert!(matches!(lane.gate(now + second), Gate::HeldBack(_)), "one probe at a time");
        assert!(lane.call_ended(true, now + second, 2, second));
        assert_eq!(lane.gate(now + second), Gate::HeldBack(2 * second), "open for twice as long");
        assert_eq!(lane.gate(now + 3 * second), Gate::Go);
        lane.call_ended(false, now + 3 * second, 2, second);
        assert_eq!(lane.gate(now + 3 * second), Gate::Go);
    }

    #[test]
    fn a_lane_that_was_dead_gets_a_trickle_then_grows_with_each_success() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let mut lane = lane(6, 0, 1);
        let permits = |lane: &mut Lane| {
            let taken = (0..99).filter(|_| lane.take_permit(now)).count();
            (0..taken).for_each(|_| lane.release());
            taken
        };
        lane.call_ended(true, now, 1, second);
        assert_eq!((permits(&mut lane), lane.room(now)), (2, 4));
        assert!(lane.is_backlogged(now), "fresh hints go to the table");
        assert_eq!(lane.gate(now + second), Gate::Go);
        lane.call_ended(false, now + second, 1, second);
        assert!(!lane.is_backlogged(now + second));
        let mut seen = vec![permits(&mut lane)];
        for _ in 0..5 {
            lane.call_ended(false, now + second, 3, second);
            seen.push(permits(&mut lane));
        }
        assert_eq!(seen, [2, 3, 4, 5, 6, 6]);
        lane.call_ended(true, now, 1, second);
        lane.gate(now + second);
        lane.call_ended(false, now + second, 9, second);
        lane.call_ended(false, now + second, 9, second);
        lane.call_ended(true, now + second, 9, second);
        assert_eq!(permits(&mut lane), 1, "a failure on the way halves it");
    }

    #[test]
    fn what_was_doled_out_takes_room_until_it_comes_back_or_went_elsewhere() {
        let now = Instant::now();
        let mut lane = lane(2, 0, 1);
        let key = TaskKey { purchase: PurchaseId::generate(), kind: TaskKind::Settle, slot: 0 };
        assert_eq!(lane.room(now), 4);
        lane.doled(key, now);
        assert_eq!(lane.room(now), 3);
        assert_eq!(lane.room(now + Duration::from_secs(2)), 4);
    }
}
