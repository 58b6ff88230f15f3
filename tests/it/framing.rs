//! Requests that different software would divide differently: each is refused as a whole, and what
//! stands behind it on the connection is not executed.

use std::time::Duration;

use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{TRANSACT, key_of, purchase};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A head of POST /transact/4.0 with these lines besides the key.
pub(crate) fn head(lines: &str) -> String {
    format!("POST {TRANSACT} HTTP/1.1\r\nX-API-Key: {}\r\n{lines}\r\n", key_of(1001))
}

pub(crate) fn chunked(body: &str) -> String {
    let (first, second) = body.split_at(body.len() / 2);
    format!(
        "{:x}\r\n{first}\r\n{:X};n=v\r\n{second}\r\n0\r\nX-Sum: 1\r\n\r\n",
        first.len(),
        second.len()
    )
}

pub(crate) fn body() -> String {
    purchase("0000").to_string()
}

/// A right request of a purchase, one of these forms after the other.
pub(crate) fn right(form: usize) -> String {
    let body = body();
    let size = body.len();
    match form % 3 {
        0 => format!("{}{body}", head(&format!("Host: x\r\nContent-Length: {size}\r\n"))),
        1 => {
            let lines = "host: [::1]:80\r\ntransfer-encoding: Chunked\r\n";
            format!("{}{}", head(lines), chunked(&body))
        }
        _ => {
            let lines =
                format!("Host:x:1\r\nContent-Encoding: identity\r\ncontent-length:\t{size} \r\n");
            format!("{}{body}\r\n", head(&lines))
        }
    }
}

/// Writes all of it in pieces and reads until the gateway closes the connection.
pub(crate) async fn told(fleet: &TestFleet, bytes: &[u8], piece: usize) -> String {
    let address = fleet.url("").trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for piece in bytes.chunks(piece) {
        stream.write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(40), stream.read_to_end(&mut answer)).await;
    assert!(matches!(read, Ok(Ok(_))), "left open or cut off: {read:?}");
    String::from_utf8(answer).unwrap()
}

pub(crate) async fn stored(fleet: &TestFleet) -> i64 {
    fleet.summary().await.purchases.iter().map(|row| row.purchases).sum()
}

pub(crate) fn statuses(text: &str) -> Vec<&str> {
    text.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect()
}

/// Lengths and hosts that leave a choice, each with a body that is there, whichever is believed.
pub(crate) fn ambiguous() -> Vec<(String, String)> {
    let body = body();
    let (size, chunks) = (body.len(), chunked(&body));
    let mut all = Vec::new();
    for length in [size, 3, 0, chunks.len()] {
        for lines in [
            format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"),
            format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n"),
            format!("transfer-encoding:chunked\r\nX-A: 1\r\nCONTENT-LENGTH:{length}\r\n"),
        ] {
            all.push((format!("Host: x\r\n{lines}"), chunks.clone()));
        }
    }
    for lines in [
        format!("Content-Length: {size}\r\nContent-Length: {size}\r\n"),
        format!("Content-Length: {size}\r\nX-A: 1\r\ncontent-length: 3\r\n"),
        format!("Content-Length: {size}, {size}\r\n"),
        format!("Content-Length: +{size}\r\n"),
        format!("Content-Length : {size}\r\n"),
        format!("Content-Length:\r\n {size}\r\n"),
        format!("X-A: 1\r\n Content-Length: {size}\r\n"),
        format!("X-A: 1\nContent-Length: {size}\r\n"),
    ] {
        all.push((format!("Host: x\r\n{lines}"), body.clone()));
    }
    for coding in ["xchunked", "gzip, chunked", "chunked, chunked", "\u{b}chunked", "identity"] {
        all.push((format!("Host: x\r\nTransfer-Encoding: {coding}\r\n"), chunks.clone()));
    }
    let twice = "Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n";
    all.push((twice.to_owned(), chunks));
    for hosts in
        ["", "Host: x\r\nHost: x\r\n", "Host: x\r\nhost: y\r\n", "Host:\r\n", "Host: x, y\r\n"]
    {
        all.push((format!("{hosts}Content-Length: {size}\r\n"), body.clone()));
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_before_a_refused_request_is_answered_in_order() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    let mut purchases = 0;
    for (number, (lines, sent)) in ambiguous().into_iter().enumerate().step_by(4) {
        let before: String = (0..3).map(|form| right(number + form)).collect();
        let bytes = format!("{before}{}{sent}{}", head(&lines), right(0)).into_bytes();
        for piece in [bytes.len(), 97] {
            let answer = told(&fleet, &bytes, piece).await;
            assert_eq!(statuses(&answer), ["200", "200", "200", "400"], "{lines:?}: {answer}");
        }
        // The same three bodies twice: references are theirs.
        purchases += 3;
    }
    assert_eq!(stored(&fleet).await, purchases);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_has_an_end_and_a_body_that_looks_like_a_request_is_a_body() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    let plain = body();
    let size = plain.len();
    let long = format!("Host: x\r\nX-Long: {}\r\n", "x".repeat(327_680));
    let address = fleet.url("").trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The gateway stops to read at some point.
    drop(stream.write_all(head(&long).as_bytes()).await);
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431");
    assert_eq!(stored(&fleet).await, 0);

    // A whole request, or a head that would be refused, is no purchase when it is a body.
    let both = format!("Host: x\r\nContent-Length: {size}\r\nTransfer-Encoding: chunked\r\n");
    for (form, inner) in
        [right(0), format!("{}{plain}", head(&both)), head("\r\n")].into_iter().enumerate()
    {
        let first = if form == 1 {
            format!("{}{}", head("Host: x\r\nTransfer-Encoding: chunked\r\n"), chunked(&inner))
        } else {
            let lines = format!("Host: x\r\nContent-Length: {}\r\n", inner.len());
            format!("{}{inner}", head(&lines))
        };
        let last = right(form).replacen("POST", "\r\nPOST", form).replacen(
            "X-API-Key",
            "Connection: close\r\nX-API-Key",
            1,
        );
        for piece in [5_000, 1] {
            let answer = told(&fleet, format!("{first}{last}").as_bytes(), piece).await;
            assert_eq!(statuses(&answer), ["400", "200"], "{form}: {answer}");
        }
    }
    assert_eq!(stored(&fleet).await, 3);
}
