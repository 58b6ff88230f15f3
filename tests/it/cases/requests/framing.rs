//! Bodies in a coding, and requests that different software would divide differently.

use fleet_testkit::TestFleet;
use fleet_testkit::fleet::purchase;

use crate::framing::{ambiguous, body, chunked, head, right, statuses, stored, told};

/// A gzip file of `{}`.
const ZIPPED: [u8; 22] =
    [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0xae, 5, 0, 0x43, 0xbf, 0xa6, 0xa3, 2, 0, 0, 0];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b43_a_body_in_a_coding_is_refused_before_it_is_read() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    let plain = body();
    // Two bytes that every gzip file begins with, and what would be a purchase behind them.
    let zipped = format!("\u{1f}\u{b}{plain}");
    for coding in ["gzip", "x-gzip", "GZip", "deflate", "identity, gzip", "br,identity", "zstd"] {
        for sent in [&plain, &zipped] {
            let lines = format!(
                "Host: x\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n",
                sent.len()
            );
            let bytes = format!("{}{sent}{}", head(&lines), right(0));
            let answer = told(&fleet, bytes.as_bytes(), 5_000).await;
            assert_eq!(statuses(&answer), ["415"], "{coding}: {answer}");
        }
    }
    // Ten times more than a body may be, in a coding: answered before it is read.
    let lines = "Host: x\r\nContent-Encoding: gzip\r\nContent-Length: 655360\r\n";
    let bytes = format!("{}{}", head(lines), "x".repeat(200_000));
    assert_eq!(statuses(&told(&fleet, bytes.as_bytes(), 5_000).await), ["415"]);
    assert_eq!(stored(&fleet).await, 0);
    // Whoever is asked, and whatever the coding holds.
    for path in ["/notification/1.0", "/sale/initiate-sale", "/callbacks/mo-charge/mo-sample"] {
        for sent in [ZIPPED.to_vec(), b"{}".to_vec()] {
            let request = fleet.http().post(fleet.url(path)).header("content-encoding", "gzip");
            assert_eq!(fleet.send(request.body(sent)).await.status, 415, "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b44_a_request_that_can_be_divided_in_two_ways_is_refused_with_all_that_follows_it() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    for (number, (lines, sent)) in ambiguous().into_iter().enumerate() {
        let smuggled = right(number);
        let bytes = format!("{}{sent}{smuggled}", head(&lines)).into_bytes();
        for piece in [bytes.len(), 11] {
            let answer = told(&fleet, &bytes, piece).await;
            assert_eq!(statuses(&answer), ["400"], "{lines:?}: {answer}");
            assert!(answer.to_ascii_lowercase().contains("\r\nconnection: close\r\n"), "{answer}");
            assert!(answer.contains("{\"responseCode\":\"4000\""), "{lines:?}: {answer}");
        }
    }
    // An old request has no chunks, and one host at most.
    let chunks = chunked(&body());
    for lines in ["Transfer-Encoding: chunked\r\n", "Host: x\r\nTransfer-Encoding: chunked\r\n"] {
        let old = head(lines).replacen("HTTP/1.1", "HTTP/1.0", 1);
        let answer = told(&fleet, format!("{old}{chunks}").as_bytes(), 5_000).await;
        assert_eq!(statuses(&answer), ["400"], "{answer}");
    }
    assert_eq!(stored(&fleet).await, 0);
    fleet.transact(&purchase("0000")).await.accepted();
    assert_eq!(stored(&fleet).await, 1);
}
