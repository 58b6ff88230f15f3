//! An exchange that is cut at each of its bytes.

use super::*;
use crate::Cause;

#[tokio::test]
async fn a_request_that_is_cut_at_any_byte_has_an_unknown_outcome() {
    let (outbound, server) = (outbound(), Server::start().await);
    let (sent, request) =
        tokio::join!(outbound.send(post(server.url())), server.answer(OK.as_bytes()));
    assert_eq!(sent.unwrap().body, br#"{"a":12}"#);

    for bytes in 0..=request.len() {
        let cut = async {
            let mut taken = vec![0; bytes];
            server.accept().await.read_exact(&mut taken).await.unwrap();
        };
        let (sent, ()) = tokio::join!(outbound.send(post(server.url())), cut);
        assert!(unknown(&sent), "after {bytes} bytes: {sent:?}");
    }
}

#[tokio::test]
async fn a_reply_that_is_cut_at_any_byte_leaves_the_outcome_unknown() {
    let (outbound, server) = (outbound(), Server::start().await);
    for bytes in 0..OK.len() {
        let reply = &OK.as_bytes()[..bytes];
        let (sent, _request) =
            tokio::join!(outbound.send(post(server.url())), server.answer(reply));
        assert!(unknown(&sent), "after {bytes} bytes: {sent:?}");
    }
}

#[tokio::test]
async fn a_reply_in_chunks_that_is_cut_leaves_the_outcome_unknown() {
    let reply =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n{\"a\"\r\n3\r\n:1}\r\n0\r\n\r\n";
    let (outbound, server) = (outbound(), Server::start().await);
    for bytes in 0..reply.len() {
        let reply = &reply.as_bytes()[..bytes];
        let (sent, _request) =
            tokio::join!(outbound.send(post(server.url())), server.answer(reply));
        assert!(unknown(&sent), "after {bytes} bytes: {sent:?}");
    }
    let (sent, _request) =
        tokio::join!(outbound.send(post(server.url())), server.answer(reply.as_bytes()));
    assert_eq!(sent.unwrap().body, br#"{"a":1}"#);
}

#[tokio::test]
async fn a_reset_after_the_request_leaves_the_outcome_unknown() {
    let (outbound, server) = (outbound(), Server::start().await);
    let reset = async {
        let mut stream = server.accept().await;
        // Closing with unread bytes in the buffer sends a reset.
        stream.read_exact(&mut [0]).await.unwrap();
        stream.readable().await.unwrap();
    };
    let (sent, ()) = tokio::join!(outbound.send(post(server.url())), reset);
    assert!(unknown(&sent), "{sent:?}");
}

#[tokio::test]
async fn a_reply_that_is_no_http_leaves_the_outcome_unknown() {
    let (outbound, server) = (outbound(), Server::start().await);
    let headers = format!("HTTP/1.1 200 OK\r\n{}", "x: y\r\n".repeat(1000));
    for garbage in ["SSH-2.0-OpenSSH_9\r\n", "\0\0\0\0\0\0", "HTTP/9.9 abc\r\n\r\n", &headers] {
        let (sent, _request) =
            tokio::join!(outbound.send(post(server.url())), server.answer(garbage.as_bytes()));
        assert_eq!(sent.unwrap_err(), SendError::Unknown { cause: Cause::Incomplete });
    }
}

#[tokio::test]
async fn a_stale_open_connection_leaves_the_outcome_unknown_and_is_not_tried_again() {
    let (outbound, server) = (outbound(), Server::start().await);
    let pooled = || Call { reuse: Reuse::Pooled, ..post(server.url()) };
    let mut stream = {
        let answer = async {
            let mut stream = server.accept().await;
            read_request(&mut stream).await;
            stream.write_all(OK.as_bytes()).await.unwrap();
            stream
        };
        let (sent, stream) = tokio::join!(outbound.send(pooled()), answer);
        assert_eq!(sent.unwrap().status, 200);
        stream
    };
    let hang_up = async {
        read_request(&mut stream).await;
        drop(stream);
    };
    let (sent, ()) = tokio::join!(outbound.send(pooled()), hang_up);
    assert!(unknown(&sent), "{sent:?}");
    assert!(server.untouched());
}

#[tokio::test]
async fn a_request_that_wants_a_connection_of_its_own_never_finds_an_open_one() {
    let (outbound, server) = (outbound(), Server::start().await);
    let mut open = Vec::new();
    for _ in 0..3 {
        let answer = async {
            let mut stream = server.accept().await;
            read_request(&mut stream).await;
            stream.write_all(OK.as_bytes()).await.unwrap();
            stream
        };
        let (sent, stream) = tokio::join!(outbound.send(post(server.url())), answer);
        assert_eq!(sent.unwrap().status, 200);
        open.push(stream);
    }
    for mut stream in open {
        let closed = tokio::time::timeout(LONG, stream.read(&mut [0])).await;
        assert_eq!(closed.unwrap().unwrap(), 0);
    }
}
