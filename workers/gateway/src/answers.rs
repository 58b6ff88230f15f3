//! Reserve and Transact answers by the bank's speed: all purchases that somebody waits for are
//! asked for in one query, every few milliseconds, and only while there are any.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use fleet_domain::{Progress, PurchaseId, ReserveState};
use fleet_store::Store;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

/// Purchases asked for in one query.
const ASKED_MAX: usize = 1_000;

/// The waiting callers.
#[derive(Debug, Default)]
pub struct Answers {
    waiting: Mutex<HashMap<PurchaseId, Vec<oneshot::Sender<Progress>>>>,
    somebody: Notify,
}

impl Answers {
    /// Waits until the reservation of a purchase is decided, at most that long.
    pub async fn decided(&self, id: PurchaseId, at_most: Duration) -> Option<Progress> {
        let (tell, told) = oneshot::channel();
        self.lock().entry(id).or_default().push(tell);
        self.somebody.notify_one();
        tokio::time::timeout(at_most, told).await.ok()?.ok()
    }

    /// Asks the store while anybody waits; ends with `stop`.
    pub async fn run(&self, store: &Store, every: Duration, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let ids = self.present();
            if ids.is_empty() {
                tokio::select! {
                    () = self.somebody.notified() => {}
                    () = stop.cancelled() => {}
                }
                continue;
            }
            for chunk in ids.chunks(ASKED_MAX) {
                match store.progress_of(chunk).await {
                    Ok(rows) => self.tell(rows),
                    Err(error) => tracing::warn!(error = %error, "could not ask for answers"),
                }
            }
            tokio::time::sleep(every).await;
        }
    }

    /// Those still waited for; who gave up is forgotten here.
    fn present(&self) -> Vec<PurchaseId> {
        let mut waiting = self.lock();
        waiting.retain(|_, callers| {
            callers.retain(|caller| !caller.is_closed());
            !callers.is_empty()
        });
        waiting.keys().copied().collect()
    }

    fn tell(&self, rows: Vec<(PurchaseId, Progress)>) {
        let mut waiting = self.lock();
        for (id, progress) in rows {
            if matches!(
                progress.reserve,
                ReserveState::Validating | ReserveState::Pending | ReserveState::Unknown
            ) {
                continue;
            }
            for caller in waiting.remove(&id).unwrap_or_default() {
                drop(caller.send(progress.clone()));
            }
        }
    }

    fn lock(
        &self,
    ) -> std::sync::MutexGuard<'_, HashMap<PurchaseId, Vec<oneshot::Sender<Progress>>>> {
        self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
