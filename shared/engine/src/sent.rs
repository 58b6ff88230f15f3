//! When the first byte of an exchange left, and whether the other side was tried at all. Whoever sends
//! tells it with [`mark_sent`] and [`mark_tried`], in the task that makes the call; a step neither
//! sees it nor hands it on.

use std::cell::Cell;
use std::future::Future;
use std::sync::OnceLock;

use chrono::{DateTime, Utc};
use fleet_domain::{ClaimedTask, ExchangeTimes, later};
use tokio::time::Instant;

tokio::task_local! {
    static SENT_AT: OnceLock<Instant>;
    static TRIED: Cell<bool>;
}

/// Tells the engine that the other side was tried, and that it is its doing if nothing was sent: it
/// refused the connection, or was not there in time. It does nothing outside of an exchange.
pub fn mark_tried() {
    TRIED.try_with(|tried| tried.set(true)).ok();
}

/// Whether the present exchange has tried the other side.
pub(crate) fn was_tried() -> bool {
    TRIED.try_with(Cell::get).unwrap_or_default()
}

/// Tells the engine when the first byte of the present exchange left; the first word counts. It
/// does nothing outside of an exchange.
pub fn mark_sent(at: Instant) {
    // Outside of an exchange there is nobody to tell.
    SENT_AT.try_with(|sent| *sent.get_or_init(|| at)).ok();
}

/// Runs an exchange; its result and when its first byte left.
pub(crate) async fn watched<T>(exchange: impl Future<Output = T>) -> (T, Option<Instant>) {
    let told = async {
        let result = exchange.await;
        (result, SENT_AT.with(|sent| sent.get().copied()))
    };
    TRIED.scope(Cell::new(false), SENT_AT.scope(OnceLock::new(), told)).await
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

    #[tokio::test]
    async fn the_other_side_was_tried_once_somebody_says_so_in_this_exchange() {
        mark_tried();
        for tells in [false, true, false] {
            let told = watched(async {
                if tells {
                    mark_tried();
                }
                was_tried()
            });
            assert_eq!(told.await, (tells, None));
        }
    }
}
