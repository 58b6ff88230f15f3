//! When a group waits for company.
//!
//! A round trip to the database costs nearly the same for one task as for fifty. So under load a
//! group that could still grow waits, the longer the slower the database answers: on a busy machine
//! groups grow until there is room again, a quick one is hardly delayed, an idle one not at all.

use std::sync::Mutex;
use std::time::Duration;

/// Groups of this size or less are no load.
const FEW: usize = 8;

/// What the latest group was like.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<Latest>);

#[derive(Debug, Default, Clone, Copy)]
struct Latest {
    tasks: usize,
    took: Duration,
}

impl Pace {
    /// A group of so many tasks was written within that time.
    pub(crate) fn wrote(&self, tasks: usize, took: Duration) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Latest { tasks, took };
    }

    /// How long a group of which so many tasks are at hand waits for more, at most `longest`; zero
    /// when it goes at once.
    pub(crate) fn wait(&self, at_hand: usize, group_max: usize, longest: Duration) -> Duration {
        let latest = *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if latest.tasks <= FEW || at_hand >= group_max / 2 {
            return Duration::ZERO;
        }
        latest.took.saturating_mul(2).min(longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_millis(20);

    fn after(tasks: usize, took_ms: u64) -> Pace {
        let pace = Pace::default();
        pace.wrote(tasks, Duration::from_millis(took_ms));
        pace
    }

    #[test]
    fn nobody_waits_before_the_first_group_nor_when_there_are_few() {
        assert_eq!(Pace::default().wait(1, 256, LONGEST), Duration::ZERO);
        assert_eq!(after(FEW, 5).wait(1, 256, LONGEST), Duration::ZERO);
    }

    #[test]
    fn under_load_a_group_waits_for_two_round_trips_and_never_longer_than_allowed() {
        assert_eq!(after(9, 5).wait(1, 256, LONGEST), Duration::from_millis(10));
        assert_eq!(after(9, 5_000).wait(1, 256, LONGEST), LONGEST);
        assert_eq!(after(9, 5).wait(1, 256, Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn a_group_that_is_half_full_goes_at_once() {
        assert_eq!(after(200, 5).wait(128, 256, LONGEST), Duration::ZERO);
    }
}
