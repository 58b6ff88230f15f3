//! The moment at which a request can first leave.
//!
//! A layer around the transport's connector knows when a connection is open; the request waiting
//! for it is found by a task-local, because the transport connects in the task that sends. Until
//! the connection is handed over no byte of the request can have left, and it is never handed
//! over once `connect_before` has come.

use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use tokio::time::Instant;
use tower::{Layer, Service};

type BoxError = Box<dyn Error + Send + Sync>;

tokio::task_local! {
    /// The request that this task sends.
    pub(crate) static HANDOVER: Arc<Handover>;
}

/// What the connector has to know of a request, and what it tells about it.
#[derive(Debug)]
pub(crate) struct Handover {
    connect_before: Instant,
    connected: OnceLock<Instant>,
}

/// The connection was not open in time.
#[derive(Debug, thiserror::Error)]
#[error("the time to connect has passed")]
pub(crate) struct TooLate;

impl Handover {
    /// A request that waits for a connection until `connect_before`.
    pub(crate) fn new(connect_before: Instant) -> Arc<Self> {
        Arc::new(Self { connect_before, connected: OnceLock::new() })
    }

    /// When a connection for this request was open.
    pub(crate) fn connected(&self) -> Option<Instant> {
        self.connected.get().copied()
    }
}

/// Puts a [`Gate`] before a connector.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GateLayer;

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;

    fn layer(&self, inner: S) -> Gate<S> {
        Gate { inner }
    }
}

/// A connector that is held to the times of the request it works for.
#[derive(Debug, Clone)]
pub(crate) struct Gate<S> {
    inner: S,
}

impl<S, R> Service<R> for Gate<S>
where
    S: Service<R, Error = BoxError>,
    S::Future: Send + 'static,
    S::Response: Send,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, destination: R) -> Self::Future {
        // Read here, not in the future: the transport may finish a connection in another task
        // when its request has found an open one meanwhile.
        let handover = HANDOVER.try_with(Arc::clone);
        let connecting = self.inner.call(destination);
        Box::pin(async move {
            let handover = handover?;
            let connection = tokio::time::timeout_at(handover.connect_before, connecting).await;
            let connection = connection.map_err(|_elapsed| TooLate)??;
            // A connection that is ready wins over a timer that is due.
            if Instant::now() >= handover.connect_before {
                return Err(TooLate.into());
            }
            handover.connected.get_or_init(Instant::now);
            Ok(connection)
        })
    }
}
