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
use crate::behaviour::{AnswerKind, Charset, Length, Wire};
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
        AnswerKind::Wire(wire) => {
            match connection.write(bytes_of(wire, &reply.body), wire.ending).await {}
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

fn bytes_of(wire: &Wire, truth: &Value) -> Vec<u8> {
    let body_text = if truth.is_null() { String::new() } else { truth.to_string() };
    let text = truth.as_str().map_or(body_text, str::to_owned);
    let body = wire.body.clone().unwrap_or_else(|| written(&text, wire.charset));
    let length = match wire.length {
        Length::True => format!("Content-Length: {}\r\n", body.len()),
        Length::Said(length) => format!("Content-Length: {length}\r\n"),
        Length::Untold => String::new(),
    };
    let start = format!("HTTP/1.1 {}\r\n{length}", wire.status);
    [start.as_bytes(), &wire.head, b"\r\n", &body].concat()
}

fn written(text: &str, charset: Charset) -> Vec<u8> {
    match charset {
        Charset::Utf8 => text.as_bytes().to_vec(),
        Charset::Utf8Marked => format!("\u{feff}{text}").into_bytes(),
        Charset::Utf16 => {
            format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
        }
        Charset::Latin1 => text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect(),
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
