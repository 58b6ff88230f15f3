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

/// What stands among a reply's headers and is none.
#[tokio::test]
async fn a_line_that_is_no_header_is_left_out_and_the_others_count() {
    let (outbound, server) = (outbound(), Server::start().await);
    for line in [
        "X Powered By: PHP",
        "PHP Warning: a line of a log",
        "Deprecated",
        "Set-Cookie: a=\u{1}b",
        "X-Cache : miss",
        "X-Note: one\r\n two",
        ": nothing",
        &"X-Trace: 1\r\n".repeat(1_000),
    ] {
        let reply = format!(
            "HTTP/1.1 200 OK\r\n{}\r\nretry-after: 7\r\ncontent-length: 8\r\n\r\n{{\"a\":12}}",
            line.trim_end()
        );
        let (sent, _request) =
            tokio::join!(outbound.send(post(server.url())), server.answer(reply.as_bytes()));
        let reply = sent.unwrap();
        assert_eq!((reply.status, &reply.body[..]), (200, &br#"{"a":12}"#[..]), "{line}");
        assert_eq!(reply.retry_after, Some(Duration::from_secs(7)), "{line}");
    }
}

#[tokio::test]
async fn where_the_status_alone_counts_a_body_may_be_cut_anywhere_and_never_end() {
    let (outbound, server) = (outbound(), Server::start().await);
    let head = OK.split("\r\n\r\n").next().unwrap().len() + 4;
    for (counts, status, is_told) in [
        (Counts::Status, 200, true),
        (Counts::Status, 500, true),
        (Counts::BodyOfSuccess, 410, true),
        (Counts::BodyOfSuccess, 200, false),
        (Counts::Whole, 410, false),
    ] {
        let text = OK.replace("200 OK", &format!("{status} Told"));
        let more = text.len() - OK.len();
        for bytes in [head + more, text.len() - 1] {
            let call = Call { counts, ..post(server.url()) };
            let (sent, _request) =
                tokio::join!(outbound.send(call), server.answer(&text.as_bytes()[..bytes]));
            assert_eq!(
                sent.is_ok_and(|reply| reply.status == status),
                is_told,
                "{counts:?} {status}"
            );
        }
    }
    // Before the head is whole there is no status.
    let call = Call { counts: Counts::Status, ..post(server.url()) };
    let (sent, _request) = tokio::join!(
        outbound.send(call),
        server.answer(OK.as_bytes()[..head].split_last().unwrap().1)
    );
    assert!(unknown(&sent), "{sent:?}");
    let open = async {
        let mut stream = server.accept().await;
        read_request(&mut stream).await;
        stream.write_all(&OK.as_bytes()[..head]).await.unwrap();
        stream
    };
    let call = Call { counts: Counts::Status, ..post(server.url()) };
    let (sent, _stream) = tokio::join!(outbound.send(call), open);
    assert_eq!(sent.unwrap().status, 200);
}
