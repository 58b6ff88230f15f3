//! The present directory: loaded at the start, renewed when its version moves.

use std::sync::Arc;
use std::time::Duration;

use fleet_domain::Directory;
use fleet_engine::DirectoryWatch;
use fleet_store::{Store, StoreError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often the version is asked for.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A directory that renews itself; cheap to clone.
#[derive(Debug, Clone)]
pub struct StoreDirectory {
    present: DirectoryWatch,
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
        let (tell, present) = watch::channel(Arc::new(first));
        let renewing = renew(store.clone(), tell, stop);
        Ok((Self { present }, renewing))
    }

    /// The snapshot to decide with.
    #[must_use]
    pub fn current(&self) -> Arc<Directory> {
        self.present.borrow().clone()
    }

    /// For whoever follows it.
    #[must_use]
    pub fn watch(&self) -> DirectoryWatch {
        self.present.clone()
    }
}

async fn renew(store: Store, tell: watch::Sender<Arc<Directory>>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.cancelled() => return,
        }
        let known = tell.borrow().version;
        let fresh = match store.directory_version().await {
            Ok(version) if version == known => continue,
            Ok(_) => store.load_directory().await,
            Err(error) => Err(error),
        };
        match fresh {
            Ok(directory) => {
                tracing::info!(directory.version = directory.version, "directory renewed");
                tell.send_replace(Arc::new(directory));
            }
            // The old one serves on; what it says was true a moment ago.
            Err(error) => tracing::warn!(error = %error, "directory could not be renewed"),
        }
    }
}
