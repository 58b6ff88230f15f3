//! When the first byte of an exchange left. Whoever sends tells it with [`mark_sent`], in the task
//! that makes the call; a step neither sees it nor hands it on.

use std::future::Future;
use std::sync::OnceLock;

use chrono::{DateTime, Utc};
use fleet_domain::{ClaimedTask, ExchangeTimes, later};
use tokio::time::Instant;

tokio::task_local! {
    static SENT_AT: OnceLock<Instant>;
}

/// Tells the engine when the first byte of the present exchange left; the first word counts. It
/// does nothing outside of an exchange.
pub fn mark_sent(at: Instant) {
    // Outside of an exchange there is nobody to tell.
    SENT_AT.try_with(|sent| *sent.get_or_init(|| at)).ok();
}

/// Runs an exchange; its result and when its first byte left.
pub(crate) async fn watched<T>(exchange: impl Future<Output = T>) -> (T, Option<Instant>) {
    SENT_AT
        .scope(OnceLock::new(), async {
            let result = exchange.await;
            (result, SENT_AT.with(|sent| sent.get().copied()))
        })
        .await
}

/// The times of an exchange by the database's clock. The claim's time is from after `claim_began`,
/// so that no instant comes out earlier than it was.
pub(crate) fn times(
    task: &ClaimedTask,
    claim_began: Instant,
    sent_at: Option<Instant>,
) -> ExchangeTimes {
    let at = |instant: Instant| -> DateTime<Utc> { later(task.now, instant - claim_began) };
    ExchangeTimes { sent_at: sent_at.map(at), ended_at: Some(at(Instant::now())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_word_counts_and_only_inside_of_an_exchange() {
        let first = Instant::now();
        mark_sent(first);
        let (result, sent) = watched(async {
            mark_sent(first);
            mark_sent(first + std::time::Duration::from_secs(1));
            7
        })
        .await;
        assert_eq!((result, sent), (7, Some(first)));
        assert_eq!(watched(async {}).await, ((), None));
    }
}
