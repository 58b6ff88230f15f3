//! The HTTP server: its own accept loop, so that a script may reset a connection.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::behaviour::Ending;
use crate::routes::router;
use crate::settings::SimulatorSettings;
use crate::world::World;

/// Connections at the same time.
const CONNECTIONS_MAX: usize = 8_192;
/// A connection that sends no request for this long is closed.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// An answer that never ends is given up after this long.
const OPEN_MAX: Duration = Duration::from_secs(120);
/// Time for the caller to read what was sent before the connection is reset.
const BEFORE_RESET: Duration = Duration::from_millis(50);

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
    raw: Arc<Mutex<Option<Raw>>>,
    write: CancellationToken,
    reused: bool,
}

/// Bytes that take the place of an answer.
type Raw = (Vec<u8>, Ending);

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

    /// Writes these bytes in place of an answer, and ends the connection.
    pub(crate) async fn write(&self, bytes: Vec<u8>, ending: Ending) -> Infallible {
        *self.raw.lock().unwrap_or_else(PoisonError::into_inner) = Some((bytes, ending));
        self.write.cancel();
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
    let ending = tokio::select! {
        _ended = &mut connection => Ending::Close,
        () = control.reset.cancelled() => Ending::Reset,
        () = control.close.cancelled() => Ending::Close,
        () = control.write.cancelled() => Ending::Open,
        () = stop.cancelled() => Ending::Close,
    };
    let raw = control.raw.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (raw, ending) {
        (Some(raw), _) => {
            let stream = connection.into_parts().io.into_inner();
            stop.run_until_cancelled(write(stream, raw)).await;
        }
        // Closing with a linger of zero sends RST instead of FIN.
        (None, Ending::Reset) => {
            connection.into_parts().io.into_inner().set_zero_linger().ok();
        }
        (None, Ending::Close | Ending::Open) => {}
    }
    drop(permit);
}

/// Writes an answer's bytes, whether or not the caller still reads them.
async fn write(mut stream: TcpStream, (bytes, ending): Raw) {
    stream.write_all(&bytes).await.ok();
    match ending {
        Ending::Close => {}
        // A reset takes with it what the caller has not read yet.
        Ending::Reset => {
            tokio::time::sleep(BEFORE_RESET).await;
            stream.set_zero_linger().ok();
        }
        Ending::Open => {
            let left = async { while stream.read(&mut [0; 1_024]).await.is_ok_and(|n| n > 0) {} };
            tokio::time::timeout(OPEN_MAX, left).await.ok();
        }
    }
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
