//! The limits of one engine.

use std::time::Duration;

/// What the engine adds to the longest call for a lease.
pub const LEASE_EXTRA: Duration = Duration::from_secs(10);

/// Limits and intervals; every buffer of the engine has its size from here.
#[derive(Debug, Clone, Copy)]
pub struct EngineSettings {
    /// Tasks that a process may hold at once and has not claimed; calls beyond as many are begun
    /// only as far as a lane has less than its share of them.
    pub window_tasks: usize,
    /// Messages that the broker sends before one is acknowledged, of those that this engine's kind
    /// shares a queue with its part.
    pub prefetch: usize,
    /// Tasks in one claim or commit.
    pub group_max: usize,
    /// The longest that a group waits for company: only under load, and for no more than twice the
    /// time that the group before it took.
    pub linger: Duration,
    /// Claims, and commits, under way at the same time.
    pub groups_at_once: usize,
    /// How often the clock looks.
    pub clock_every: Duration,
    /// Tasks of one lane that a look of the clock takes at most.
    pub take_max: u32,
    /// Failures in a row that open a lane's circuit.
    pub circuit_failures: u32,
    /// How long a circuit stays open at first; it doubles up to 30 s.
    pub circuit_open: Duration,
    /// How long work in flight may go on after the stop.
    pub grace: Duration,
    /// What spreads the waits of several processes that fail together.
    pub seed: u64,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            window_tasks: 4096,
            prefetch: 512,
            group_max: 256,
            linger: Duration::from_millis(20),
            groups_at_once: 2,
            clock_every: Duration::from_millis(200),
            take_max: 512,
            circuit_failures: 10,
            circuit_open: Duration::from_secs(2),
            grace: Duration::from_secs(25),
            seed: 0,
        }
    }
}
