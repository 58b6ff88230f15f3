//! The crash point in the middle of an answer.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use fleet_contracts::BODY_BYTES_MAX;
use futures_util::stream::{self, StreamExt};

/// The first half has left by then.
const PAUSE: Duration = Duration::from_millis(200);

/// An answer in two halves, with the crash point between them.
pub(crate) async fn halved(response: Response) -> Response {
    let (head, body) = response.into_parts();
    let mut second = axum::body::to_bytes(body, BODY_BYTES_MAX).await.unwrap_or_default();
    let first = second.split_to(second.len() / 2);
    let rest = async {
        tokio::time::sleep(PAUSE).await;
        fleet_telemetry::crash_point("gateway", "answer.middle");
        second
    };
    let halves = stream::iter([first]).chain(stream::once(rest)).map(Ok::<_, Infallible>);
    Response::from_parts(head, Body::from_stream(halves))
}
