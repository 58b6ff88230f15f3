//! How fast a client may query: a bucket of a second's worth for each.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use fleet_domain::ClientId;
use tokio::time::Instant;

/// The buckets of all clients.
#[derive(Debug)]
pub struct Queries {
    per_second: u32,
    buckets: Mutex<HashMap<ClientId, Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Queries {
    /// So many in a second for each client; 0 = no limit.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        Self { per_second, buckets: Mutex::default() }
    }

    /// Takes one; false when the client has none left.
    #[must_use]
    pub fn take(&self, client: ClientId, now: Instant) -> bool {
        if self.per_second == 0 {
            return true;
        }
        let full = f64::from(self.per_second);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(client).or_insert(Bucket { left: full, at: now });
        bucket.left = (now - bucket.at).as_secs_f64().mul_add(full, bucket.left).min(full);
        bucket.at = now;
        if bucket.left < 1.0 {
            return false;
        }
        bucket.left -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
