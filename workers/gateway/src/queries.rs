//! How fast a client may query: a bucket of a second's worth for each.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fleet_domain::ClientId;
use tokio::time::Instant;

/// The buckets of all clients.
#[derive(Debug)]
pub struct Queries {
    /// The time that one query uses up; zero = no limit.
    each: Duration,
    /// When each client's bucket is full again.
    full_at: Mutex<HashMap<ClientId, Instant>>,
}

impl Queries {
    /// So many in a second for each client; 0 = no limit.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        let each = Duration::from_secs(1).checked_div(per_second).unwrap_or_default();
        Self { each, full_at: Mutex::default() }
    }

    /// Takes one; false when the client has none left.
    #[must_use]
    pub fn take(&self, client: ClientId, now: Instant) -> bool {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = full_at.entry(client).or_insert(now);
        let after = (*full_at).max(now).checked_add(self.each).unwrap_or(now);
        if after.saturating_duration_since(now) > Duration::from_secs(1) {
            return false;
        }
        *full_at = after;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_a_seconds_worth_at_once_and_others_are_not_hurt() {
        let now = Instant::now();
        let queries = Queries::new(10);
        let taken = |client, now| (0..99).filter(|_| queries.take(ClientId(client), now)).count();
        assert_eq!(taken(1, now), 10);
        assert_eq!(taken(2, now), 10);
        assert_eq!(taken(1, now + Duration::from_millis(550)), 5);
        assert_eq!(taken(1, now + Duration::from_secs(60)), 10, "no more than a second's worth");
        let free = Queries::new(0);
        assert!((0..999).all(|_| free.take(ClientId(1), now)));
    }
}
