//! Replies that are slow or endless.

use super::*;
use crate::{BODY_BYTES_MAX, Cause};

fn soon(server: &Server) -> Call {
    Call { deadline: within(SHORT), ..post(server.url()) }
}

#[tokio::test]
async fn silence_until_the_deadline_leaves_the_outcome_unknown() {
    let (outbound, server) = (outbound(), Server::start().await);
    let sent = outbound.send(soon(&server)).await;
    assert_eq!(sent, Err(SendError::Unknown { cause: Cause::Deadline }));
}

#[tokio::test]
async fn the_deadline_covers_a_dripping_body_and_endless_interim_replies() {
    let (outbound, server) = (outbound(), Server::start().await);
    let drip = "HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n";
    for (head, drop_by_drop) in [(drip, "x"), ("", "HTTP/1.1 100 Continue\r\n\r\n")] {
        let serve = async {
            let mut stream = server.accept().await;
            read_request(&mut stream).await;
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut pace = tokio::time::interval(SHORT / 20);
            while stream.write_all(drop_by_drop.as_bytes()).await.is_ok() {
                pace.tick().await;
            }
        };
        let (sent, ()) = tokio::join!(outbound.send(soon(&server)), serve);
        assert_eq!(sent, Err(SendError::Unknown { cause: Cause::Deadline }), "{drop_by_drop}");
    }
}

#[tokio::test]
async fn an_endless_body_is_cut_off_at_the_limit() {
    let (outbound, server) = (outbound(), Server::start().await);
    let serve = async {
        let mut stream = server.accept().await;
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    };
    let (sent, ()) = tokio::join!(outbound.send(post(server.url())), serve);
    assert_eq!(sent, Err(SendError::Unknown { cause: Cause::TooLong }));
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_read() {
    let (outbound, server) = (outbound(), Server::start().await);
    for (bytes, fits) in [(BODY_BYTES_MAX, true), (BODY_BYTES_MAX + 1, false)] {
        let body = "x".repeat(bytes);
        let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n{body}");
        let serve = async {
            let mut stream = server.accept().await;
            read_request(&mut stream).await;
            // The reader may hang up as soon as it has seen too much.
            let _written = stream.write_all(reply.as_bytes()).await;
        };
        let (sent, ()) = tokio::join!(outbound.send(post(server.url())), serve);
        if fits {
            assert_eq!(sent.unwrap().body.len(), bytes);
        } else {
            assert_eq!(sent, Err(SendError::Unknown { cause: Cause::TooLong }));
        }
    }
}

#[tokio::test]
async fn a_request_that_nobody_reads_has_an_unknown_outcome_at_the_deadline() {
    let (outbound, server) = (outbound(), Server::start().await);
    // More than the kernel's buffers on both sides take.
    let body = Body::Json(Bytes::from(vec![b'x'; 64 * 1024 * 1024]));
    let sent = outbound.send(Call { body, ..soon(&server) }).await;
    assert_eq!(sent, Err(SendError::Unknown { cause: Cause::Deadline }));
}
