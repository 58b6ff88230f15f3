//! The present directory: loaded at the start, renewed when its version moves. The database's time
//! comes along with the version, so that nobody has to ask for it at each request.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use fleet_domain::{Directory, later};
use fleet_engine::DirectoryWatch;
use fleet_store::{Store, StoreError};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often the version is asked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A directory that renews itself; cheap to clone.
#[derive(Debug, Clone)]
pub struct StoreDirectory {
    present: DirectoryWatch,
    clock: watch::Receiver<(DateTime<Utc>, Instant)>,
}

impl StoreDirectory {
    /// Loads the directory, and returns the task that keeps it fresh.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be loaded the first time.
    pub async fn load(
        store: &Store,
        stop: CancellationToken,
    ) -> Result<(Self, impl Future<Output = ()> + Send + 'static), StoreError> {
        let first = store.load_directory().await?;
        tell_shared_keys(&first);
        let (_, now) = store.directory_version().await?;
        let (tell, present) = watch::channel(Arc::new(first));
        let (set, clock) = watch::channel((now, Instant::now()));
        let renewing = renew(store.clone(), tell, set, stop);
        Ok((Self { present, clock }, renewing))
    }

    /// The snapshot to decide with.
    #[must_use]
    pub fn current(&self) -> Arc<Directory> {
        self.present.borrow().clone()
    }

    /// The database's time, a moment late at most and never ahead of it; after a test moved the
    /// clock, a second late.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        let (told, at) = *self.clock.borrow();
        later(told, at.elapsed())
    }

    /// For whoever follows it.
    #[must_use]
    pub fn watch(&self) -> DirectoryWatch {
        self.present.clone()
    }
}

/// A key that opens two clients' doors opens neither: whoever can mend that must know whose it is.
fn tell_shared_keys(directory: &Directory) {
    for (one, other) in directory.sharing_a_credential() {
        tracing::error!(
            client.one = %one,
            client.other = %other,
            "two clients have one key or secret, and it is refused for both: give one of them \
             another with `fleet client key --remove-others`"
        );
    }
}

async fn renew(
    store: Store,
    tell: watch::Sender<Arc<Directory>>,
    set: watch::Sender<(DateTime<Utc>, Instant)>,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.cancelled() => return,
        }
        let known = tell.borrow().version;
        let fresh = match store.directory_version().await {
            Ok((version, now)) => {
                set.send_replace((now, Instant::now()));
                if version == known {
                    continue;
                }
                store.load_directory().await
            }
            Err(error) => Err(error),
        };
        match fresh {
            Ok(directory) => {
                tracing::info!(directory.version = directory.version, "directory renewed");
                tell_shared_keys(&directory);
                tell.send_replace(Arc::new(directory));
            }
            // The old one serves on; what it says was true a moment ago.
            Err(error) => tracing::warn!(error = %error, "directory could not be renewed"),
        }
    }
}
