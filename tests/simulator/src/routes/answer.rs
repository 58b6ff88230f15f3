//! From an answer's kind to bytes, or to none.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};

use crate::bank::Reply;
use crate::behaviour::AnswerKind;
use crate::server::Connection;

/// Where redirects lead; nobody may come here.
pub(super) const CANARY: &str = "/canary";
/// A hanging answer is given up after this long.
const HANG_MAX: Duration = Duration::from_secs(120);
/// The bytes of a dripping body, one a second.
const DRIP_BYTES: u32 = 120;
/// The pieces of an endless body, of 64 KiB each: 1 GiB.
const ENDLESS_PIECES: u32 = 16_384;

pub(super) async fn send(connection: &Connection, kind: &AnswerKind, reply: Reply) -> Response {
    match kind {
        AnswerKind::Code(_) => {
            let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
            if reply.body.is_null() {
                return status.into_response();
            }
            if let Value::String(word) = reply.body {
                return (status, word).into_response();
            }
            (status, Json(reply.body)).into_response()
        }
        AnswerKind::DirtyReferences => Json(dirty(reply.body)).into_response(),
        AnswerKind::Status { status, retry_after_seconds } => {
            let status = StatusCode::from_u16(*status);
            let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            match retry_after_seconds {
                Some(after) => (status, [(header::RETRY_AFTER, after.to_string())], "simulated")
                    .into_response(),
                None => (status, "simulated").into_response(),
            }
        }
        AnswerKind::Bytes(bytes) => {
            let json = [(header::CONTENT_TYPE, "application/json")];
            (json, bytes.clone()).into_response()
        }
        AnswerKind::Odd(fields) => {
            let mut body = reply.body;
            if let Some(body) = body.as_object_mut() {
                body.extend(fields.clone());
            }
            let json = [(header::CONTENT_TYPE, "application/json")];
            (json, format!("\u{feff} {body}\r\n")).into_response()
        }
        AnswerKind::Garbage => {
            let json = [(header::CONTENT_TYPE, "application/json")];
            (json, "<html>{\"responseCode\": \"00").into_response()
        }
        AnswerKind::Redirect => {
            (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, CANARY)]).into_response()
        }
        AnswerKind::Hang => {
            tokio::time::sleep(HANG_MAX).await;
            match connection.reset().await {}
        }
        AnswerKind::Reset => match connection.reset().await {},
        AnswerKind::Close => match connection.close().await {},
        AnswerKind::Drip => drip().into_response(),
        AnswerKind::Endless => {
            let pieces = (0..ENDLESS_PIECES).map(|_| Ok::<_, Infallible>(SPACES));
            Body::from_stream(stream::iter(pieces)).into_response()
        }
    }
}

fn dirty(mut body: Value) -> Value {
    if let Some(account) = body.as_object_mut().filter(|body| body.contains_key("customerName")) {
        let info = json!({
            "card": "4111 1111 1111 1111", "number": 4_111_111_111_111_111_u64,
            "road": "1 Sample Road\u{7}", "deep": { "er": [1] }, "<script>": "x",
        });
        account.insert("customerInfo".to_owned(), info);
        account.insert("customerName".to_owned(), "Ada\u{0} Sample\r\n\u{1b}[31m".into());
        account.insert("responseMessage".to_owned(), "paid with 4111111111111111".into());
    }
    // A bank wants its own reference back, so what is kept of it must be the same.
    for (field, more) in [("supplierRef", 500), ("reserveFundsTxnRef", 0)] {
        if let Some(Value::String(reference)) = body.get_mut(field) {
            reference.push_str(&format!("\u{0}\u{7}{}", "x".repeat(more)));
        }
    }
    body
}

const SPACES: Bytes = Bytes::from_static(&[b' '; 65_536]);

fn drip() -> Body {
    Body::from_stream(stream::unfold(0, |sent: u32| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let byte = Ok::<_, Infallible>(Bytes::from_static(b" "));
        (sent < DRIP_BYTES).then(|| (byte, sent.saturating_add(1)))
    }))
}
