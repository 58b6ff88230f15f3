//! A client's body, read once its key is known: what a stranger sends is thrown away as it comes, so that
//! a flood without a key takes no memory, and no place.

use axum::body::{Bytes, HttpBody};
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, header};
use fleet_contracts::BODY_BYTES_MAX;
use std::pin::pin;

use crate::caller::{client_of, only};
use crate::{Gateway, Present};

/// The body of a client's request; empty of a stranger's, which its handler refuses by the headers.
pub(crate) struct ClientBody(pub(crate) Result<Bytes, BytesRejection>);

impl FromRequest<Gateway> for ClientBody {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, gateway: &Gateway) -> Result<Self, Self::Rejection> {
        if is_known(&gateway.directory.current(), request.headers()) {
            return Ok(Self(Bytes::from_request(request, gateway).await));
        }
        throw_away(request).await;
        Ok(Self(Ok(Bytes::new())))
    }
}

/// By either header: which of them counts is its handler's to say.
fn is_known(present: &Present, headers: &HeaderMap) -> bool {
    let keys = [only(headers, "x-api-key"), only(headers, header::AUTHORIZATION)];
    let mut keys = keys.into_iter().flatten().map(HeaderValue::as_bytes);
    keys.any(|key| client_of(present, key).is_some())
}

/// Reads on, as far as a client's body may go, so that the answer finds somebody who listens.
async fn throw_away(request: Request) {
    let mut body = pin!(request.into_body());
    let mut left = BODY_BYTES_MAX;
    while left > 0
        && let Some(Ok(frame)) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await
    {
        left = left.saturating_sub(frame.data_ref().map_or(1, |data| data.len().max(1)));
    }
}
