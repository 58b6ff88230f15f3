//! Whether the database is one that this build can work with, by what it refuses.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::StoreError;

/// While a migration replaces a function, or rights are given anew, statements are refused for a moment:
/// only what is refused again after this is refused for good.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// What is asked for more rarely than this, such as the journal's partitions once a day, may be refused
/// each time: nobody waits for it.
const AGAIN_WITHIN: Duration = Duration::from_secs(600);

#[derive(Debug)]
pub(crate) struct Fitness {
    first: Mutex<Option<(StoreError, Instant)>>,
    found: watch::Sender<Option<StoreError>>,
}

impl Default for Fitness {
    fn default() -> Self {
        Self { first: Mutex::default(), found: watch::Sender::new(None) }
    }
}

impl Fitness {
    /// A statement has failed.
    pub(crate) fn note(&self, error: &StoreError, now: Instant) {
        if !matches!(error, StoreError::Unfit { .. }) {
            return;
        }
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        let since = first.as_ref().filter(|(known, _)| known == error);
        let since = since.map(|(_, at)| now.saturating_duration_since(*at));
        match since.filter(|since| *since < AGAIN_WITHIN) {
            None => *first = Some((error.clone(), now)),
            Some(since) if since >= AGAIN_AFTER => {
                self.found.send_replace(Some(error.clone()));
            }
            Some(_) => {}
        }
    }

    /// Waits until a statement is refused for good.
    pub(crate) async fn unfit(&self) -> StoreError {
        let mut found = self.found.subscribe();
        let found = found.wait_for(Option::is_some).await;
        match found.ok().and_then(|found| found.clone()) {
            Some(error) => error,
            // The sender lives as long as this.
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(name: &str) -> StoreError {
        let cause = format!("function {name}() does not exist");
        StoreError::Unfit { sqlstate: "42883".to_owned(), cause }
    }

    #[tokio::test]
    async fn what_is_refused_again_is_refused_for_good_and_nothing_else() {
        let fitness = Fitness::default();
        let found = || fitness.found.borrow().clone();
        let began = Instant::now();
        fitness.note(&StoreError::Retry { cause: "connection lost".to_owned() }, began);
        fitness.note(&missing("fleet_claim_v1"), began);
        fitness.note(&missing("fleet_claim_v1"), began + AGAIN_AFTER / 2);
        assert_eq!(found(), None, "a function that is being replaced");
        let next = began + AGAIN_WITHIN;
        fitness.note(&missing("fleet_claim_v1"), next);
        assert_eq!(found(), None, "what is asked for rarely");
        fitness.note(&missing("fleet_commit_v1"), next + AGAIN_AFTER);
        assert_eq!(found(), None, "another one");
        fitness.note(&missing("fleet_commit_v1"), next + AGAIN_AFTER * 2);
        assert_eq!(fitness.unfit().await, missing("fleet_commit_v1"));
    }
}
