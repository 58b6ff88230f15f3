//! The HTTP server: its own accept loop, so that a script may reset a connection.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::routes::router;
use crate::settings::SimulatorSettings;
use crate::world::World;

/// Connections at the same time.
const CONNECTIONS_MAX: usize = 8_192;
/// A connection that sends no request for this long is closed.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// Starts simulators.
#[derive(Debug)]
pub struct Simulator;

/// A simulator that listens. It stops when this is dropped; [`Running::stop`] also waits.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    world: World,
    guard: DropGuard,
}

/// A handler's hold on its own connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connection {
    reset: CancellationToken,
    close: CancellationToken,
    reused: bool,
}

impl Connection {
    /// Whether an earlier call had left it open.
    pub(crate) const fn reused(&self) -> bool {
        self.reused
    }

    /// Resets the connection; the caller gets no further byte.
    pub(crate) async fn reset(&self) -> Infallible {
        self.reset.cancel();
        std::future::pending().await
    }

    /// Closes the connection in order; the caller gets no further byte.
    pub(crate) async fn close(&self) -> Infallible {
        self.close.cancel();
        std::future::pending().await
    }
}

impl Simulator {
    /// Listens and serves.
    ///
    /// # Errors
    /// When the port is taken or the HTTP client for callbacks cannot be built.
    pub async fn start(settings: SimulatorSettings) -> std::io::Result<Running> {
        let http =
            reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let http = http.build().map_err(std::io::Error::other)?;
        let listener = TcpListener::bind(settings.listen).await?;
        let addr = listener.local_addr()?;
        let world = World::new(settings, http);
        let guard = world.stop_token().clone().drop_guard();
        world.tasks().spawn(accept(listener, world.clone()));
        Ok(Running { addr, world, guard })
    }
}

impl Running {
    /// The parties and their record.
    #[must_use]
    pub const fn world(&self) -> &World {
        &self.world
    }

    /// The base URL of a path part, such as `bank` or `client/1001/result`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.addr)
    }

    /// Ends all connections and callbacks, and waits for it.
    pub async fn stop(self) {
        drop(self.guard);
        self.world.tasks().close();
        self.world.tasks().wait().await;
    }
}

async fn accept(listener: TcpListener, world: World) {
    let router = router(world.clone());
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let stop = world.stop_token().clone();
    while let Some(Ok(permit)) =
        stop.run_until_cancelled(Arc::clone(&connections).acquire_owned()).await
    {
        match stop.run_until_cancelled(listener.accept()).await {
            Some(Ok((stream, _))) => {
                world.tasks().spawn(serve(stream, router.clone(), stop.clone(), permit));
            }
            Some(Err(error)) => {
                // Out of file descriptors, or a caller that left at once.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            None => return,
        }
    }
}

async fn serve(
    stream: TcpStream,
    router: Router,
    stop: CancellationToken,
    permit: OwnedSemaphorePermit,
) {
    stream.set_nodelay(true).ok();
    let control = Connection::default();
    let routes = TowerToHyperService::new(router);
    let own = control.clone();
    let served = AtomicBool::new(false);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let reused = served.swap(true, Ordering::Relaxed);
        request.extensions_mut().insert(Connection { reused, ..own.clone() });
        let answer = routes.call(request);
        async move {
            let answer: Result<Response<Body>, Infallible> = answer.await;
            answer
        }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let reset = tokio::select! {
        _ended = &mut connection => false,
        () = control.reset.cancelled() => true,
        () = control.close.cancelled() => false,
        () = stop.cancelled() => false,
    };
    if reset {
        // Closing with a linger of zero sends RST instead of FIN.
        connection.into_parts().io.into_inner().set_zero_linger().ok();
    }
    drop(permit);
}

/// Waits for SIGTERM or SIGINT.
///
/// # Errors
/// When signals cannot be caught.
pub async fn stop_signal() -> std::io::Result<()> {
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = term.recv() => Ok(()),
        caught = tokio::signal::ctrl_c() => caught,
    }
}
