//! Arithmetic on instants that can never overflow.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// The instant that much later, or the last one there is.
#[must_use]
pub fn later(at: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    let by = TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
    at.checked_add_signed(by).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// How long from one instant to a later one; zero when it is not later.
#[must_use]
pub fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> Duration {
    to.signed_duration_since(from).to_std().unwrap_or(Duration::ZERO)
}
