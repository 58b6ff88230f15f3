//! HTTP serving with the time-outs and caps that plain `axum::serve` lacks, and a look at each
//! request as it came over the wire.

mod framing;
mod guarded;
mod head;

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

use guarded::{Guarded, Refused, RefusedHead};
use head::Refusal;

/// How a path's document words an answer that no handler gives.
type Worded = fn(&str, StatusCode, &'static str) -> Response;

/// What is served.
#[derive(Debug, Clone)]
pub struct Served {
    /// The handlers.
    pub router: Router,
    /// The words of a refusal before any of them.
    pub worded: Worded,
}

/// The other end of a request's connection, among its extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// A connection that has not sent its next header by then is closed; so is a silent one.
const HEADER_WITHIN: Duration = Duration::from_secs(10);
/// A body that makes no progress for this long ends its request.
const BODY_WITHIN: Duration = Duration::from_secs(15);
/// Headers and their values, all together.
const HEADER_BYTES_MAX: usize = 32_768;

/// Serves until `stop`, then finishes open requests within `grace`. Heads that are refused are answered
/// as `worded`.
pub async fn serve(
    listener: TcpListener,
    Served { router, worded }: Served,
    connections_max: usize,
    grace: Duration,
    stop: CancellationToken,
) {
    let router =
        router.layer(RequestBodyTimeoutLayer::new(BODY_WITHIN)).layer(CatchPanicLayer::new());
    let open = Arc::new(Semaphore::new(connections_max));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                // More connections than allowed are closed at once: the caller sees it and retries.
                let Ok(slot) = Arc::clone(&open).try_acquire_owned() else { continue };
                let connection =
                    graceful.watch(connection(stream, Peer(peer.ip()), router.clone(), worded));
                tokio::spawn(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!(error = %error, "connection ended");
                    }
                    drop(slot);
                });
            }
            Err(error) => {
                // Out of files, for example: the listener must survive it.
                tracing::warn!(error = %error, "accept failed");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(grace, graceful.shutdown()).await.is_err() {
        tracing::warn!("grace time is over, requests are left");
    }
}

fn connection(
    stream: TcpStream,
    peer: Peer,
    router: Router,
    worded: Worded,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> + Send {
    let nodelay = stream.set_nodelay(true);
    if let Err(error) = nodelay {
        tracing::debug!(error = %error, "no delay could not be set");
    }
    let refused = Refused::default();
    let stream = Guarded::new(stream, Arc::clone(&refused));
    let requests = AtomicU64::new(0);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        // Requests of one connection are answered one after the other, in the order of their heads.
        let number = requests.fetch_add(1, Ordering::Relaxed);
        let refusal = refused.get().filter(|head| head.number == number).cloned();
        let router = router.clone();
        async move {
            match refusal {
                Some(head) => Ok(refuse(&head, worded)),
                None => answer(router, request).await,
            }
        }
    });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_WITHIN)
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
}

async fn answer(router: Router, request: hyper::Request<Incoming>) -> Result<Response, Infallible> {
    router.oneshot(request.map(axum::body::Body::new)).await
}

/// The answer to a head that is refused; where the next request would begin is not known after it.
fn refuse(head: &RefusedHead, worded: Worded) -> Response {
    let (status, message) = match head.refusal {
        Refusal::Malformed => (StatusCode::BAD_REQUEST, "the request's head is malformed"),
        Refusal::Length => (
            StatusCode::BAD_REQUEST,
            "the request has no single length: one Content-Length, or Transfer-Encoding: chunked",
        ),
        Refusal::Host => (StatusCode::BAD_REQUEST, "the request has no single Host"),
        Refusal::Coding => (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "a body with a Content-Encoding is not taken: send it as it is",
        ),
        Refusal::TooLong => {
            (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "the request's head is too long")
        }
    };
    fleet_telemetry::metrics().http_request("none", "other", "4xx", Duration::ZERO);
    let mut response = worded(&head.path, status, message);
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Binds, with an error that names the setting.
///
/// # Errors
/// A text for the operator.
pub async fn bind(key: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|error| anyhow::anyhow!("{key}: cannot listen on {address}: {error}"))
}

/// As software of operations reads it.
pub(crate) fn plainly(_path: &str, status: StatusCode, message: &'static str) -> Response {
    (status, format!("{message}\n")).into_response()
}

/// What `/ready` asks.
pub(crate) trait Ready: Clone + Send + Sync + 'static {
    /// Why the program cannot do its job now; `None` when it can.
    fn problem(&self) -> impl Future<Output = Option<&'static str>> + Send;
}

/// `/live`, `/ready` and `/metrics`.
pub(crate) fn admin_router(ready: impl Ready) -> Router {
    let is_ready = move || {
        let ready = ready.clone();
        async move {
            match ready.problem().await {
                None => (StatusCode::OK, "ready\n".to_owned()),
                Some(problem) => (StatusCode::SERVICE_UNAVAILABLE, format!("{problem}\n")),
            }
        }
    };
    let metrics = || async {
        let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
        (kind, fleet_telemetry::render())
    };
    Router::new()
        .route("/live", axum::routing::get(|| async { "live\n" }))
        .route("/ready", axum::routing::get(is_ready))
        .route("/metrics", axum::routing::get(metrics))
}
