//! How much goes wrong in a history.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

/// Chances are per mille, each time that it could happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Knobs {
    /// Purchases that are taken in.
    pub purchases: u32,
    /// Processes of every worker.
    pub processes: u32,
    /// Calls at the same time on each lane, over all processes.
    pub permits: u32,
    /// Tasks that a process holds.
    pub window: usize,
    /// Tasks in a claim or commit.
    pub group: usize,
    /// At a wait, a process dies.
    pub crash: u32,
    /// At a wait, a process stands still for longer than its lease, or for less.
    pub freeze: u32,
    /// Every second, a process is told to stop.
    pub stop: u32,
    /// A statement is not written, and fails.
    pub not_written: u32,
    /// A statement is written, and its answer gets lost.
    pub answer_lost: u32,
    /// A statement takes seconds.
    pub late: u32,
    /// A statement is given up, and written afterwards.
    pub ghost: u32,
    /// A hint is lost.
    pub hint_lost: u32,
    /// A hint comes twice.
    pub hint_double: u32,
    /// Every second, the broker takes nothing for a while.
    pub blocked: u32,
    /// A call finds no connection.
    pub unconnected: u32,
    /// A call or its answer is lost in one of the ways.
    pub lost: u32,
    /// A party does not do, or not at once, what it is asked.
    pub unwilling: u32,
    /// Every second, time jumps by minutes to hours.
    pub jump: u32,
    /// A step panics on one of the purchases, always.
    pub poison: bool,
    /// Until when things go wrong, in seconds.
    pub trouble_seconds: u64,
}

impl Knobs {
    /// Nothing goes wrong.
    #[must_use]
    pub const fn calm() -> Self {
        Self {
            purchases: 3,
            processes: 1,
            permits: 8,
            window: 64,
            group: 32,
            crash: 0,
            freeze: 0,
            stop: 0,
            not_written: 0,
            answer_lost: 0,
            late: 0,
            ghost: 0,
            hint_lost: 0,
            hint_double: 0,
            blocked: 0,
            unconnected: 0,
            lost: 0,
            unwilling: 0,
            jump: 0,
            poison: false,
            trouble_seconds: 25,
        }
    }

    /// What a seed makes of it: some histories are calm, some have one trouble, most have several.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed ^ 0x6b6e_6f62);
        let share = *[0, 150, 400, 700].choose(&mut random).unwrap_or(&400);
        let mut some = |most: u32| {
            if random.random_range(0..1_000) < share { random.random_range(1..=most) } else { 0 }
        };
        let mut knobs = Self {
            crash: some(12),
            freeze: some(8),
            stop: some(60),
            not_written: some(80),
            answer_lost: some(80),
            late: some(80),
            ghost: some(60),
            hint_lost: some(400),
            hint_double: some(400),
            blocked: some(100),
            unconnected: some(150),
            lost: some(400),
            unwilling: some(700),
            jump: some(40),
            ..Self::calm()
        };
        knobs.purchases = random.random_range(1..=4);
        knobs.processes = random.random_range(1..=2);
        knobs.permits = *[1, 2, 8].choose(&mut random).unwrap_or(&8);
        knobs.window = *[3, 16, 64].choose(&mut random).unwrap_or(&64);
        knobs.group = *[1, 4, 32].choose(&mut random).unwrap_or(&32);
        knobs.poison = share > 150 && random.random_range(0..60) == 0;
        knobs
    }
}
