//! Requests that never get a connection.

use super::*;
use crate::{Blocked, Cause};

#[tokio::test]
async fn a_refused_connection_means_not_sent() {
    let outbound = outbound();
    for reuse in [Reuse::Fresh, Reuse::Pooled] {
        let url = Server::start().await.url();
        let sent = outbound.send(Call { reuse, ..post(url) }).await;
        let cause = Cause::Connection(std::io::ErrorKind::ConnectionRefused);
        assert_eq!(sent, Err(SendError::NotSent { cause }));
    }
}

#[tokio::test]
async fn a_name_without_an_address_means_not_sent() {
    let sent = outbound().send(post("https://no-such-host.invalid/".to_owned())).await;
    assert_eq!(sent, Err(SendError::NotSent { cause: Cause::Name }));
}

#[tokio::test]
async fn nothing_is_sent_once_the_time_to_send_or_the_deadline_has_passed() {
    let (outbound, server) = (outbound(), Server::start().await);
    let past = Instant::now();
    for call in [
        Call { send_before: past, ..post(server.url()) },
        Call { deadline: past, ..post(server.url()) },
    ] {
        let sent = outbound.send(call).await;
        assert_eq!(sent, Err(SendError::NotSent { cause: Cause::TooLate }));
    }
    assert!(server.untouched());
}

/// The server takes the connection and never answers the TLS greeting.
#[tokio::test]
async fn a_connection_that_takes_too_long_is_given_up_before_anything_is_sent() {
    let (outbound, server) = (outbound(), Server::start().await);
    let url = server.url().replace("http:", "https:");
    let by_send_before = || Call { send_before: within(SHORT), ..post(url.clone()) };
    let by_deadline = || Call { deadline: within(SHORT), ..post(url.clone()) };
    let pooled = || Call { reuse: Reuse::Pooled, ..by_send_before() };
    let ways: [&dyn Fn() -> Call; 3] = [&by_send_before, &by_deadline, &pooled];
    for call in ways {
        let began = Instant::now();
        let sent = outbound.send(call()).await;
        assert!(not_sent(&sent), "{sent:?}");
        assert!(began.elapsed() >= SHORT && began.elapsed() < LONG / 2);

        let mut greeting = Vec::new();
        server.accept().await.read_to_end(&mut greeting).await.unwrap();
        let text = String::from_utf8_lossy(&greeting);
        assert!(!text.is_empty());
        assert!(!text.contains("amount") && !text.contains("in-the-query"), "{text}");
    }
}

#[tokio::test]
async fn a_failed_tls_greeting_means_not_sent() {
    let (outbound, server) = (outbound(), Server::start().await);
    let url = server.url().replace("http:", "https:");
    let refuse = async {
        let mut stream = server.accept().await;
        stream.read_exact(&mut [0]).await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    };
    let (sent, ()) = tokio::join!(outbound.send(post(url)), refuse);
    assert!(not_sent(&sent), "{sent:?}");
}

#[tokio::test]
async fn an_address_that_is_not_public_is_never_connected_to() {
    let (outbound, server) = (outbound(), Server::start().await);
    let port = server.0.local_addr().unwrap().port();
    let public = AddressPolicy::public_only();
    for host in ["127.0.0.1", "2130706433", "[::ffff:127.0.0.1]", "localhost"] {
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{host}:{port}/");
            let sent = outbound.send(Call { policy: public.clone(), ..post(url) }).await;
            let blocked = matches!(sent, Err(SendError::NotSent { cause: Cause::Blocked(_) }));
            assert!(blocked, "{host} {sent:?}");
        }
    }
    assert!(server.untouched());
}

/// The name passes the check of the URL, so that only the resolver can refuse it.
#[tokio::test]
async fn a_name_is_refused_when_it_resolves_outside_the_allowed_ranges() {
    let (outbound, server) = (outbound(), Server::start().await);
    let port = server.0.local_addr().unwrap().port();
    let elsewhere = AddressPolicy::public_and(vec!["10.0.0.0/8".parse().unwrap()]);
    for url in [format!("http://localhost:{port}/"), "https://localhost/".to_owned()] {
        let sent = outbound.send(Call { policy: elsewhere.clone(), ..post(url) }).await;
        let cause = Cause::Blocked(Blocked::Address);
        assert_eq!(sent, Err(SendError::NotSent { cause }));
    }
    assert!(server.untouched());
}

#[tokio::test]
async fn an_allowed_range_is_reached_by_name_and_by_address() {
    let (outbound, server) = (outbound(), Server::start().await);
    let port = server.0.local_addr().unwrap().port();
    let ranges = ["127.0.0.0/8", "::1/128"].map(|range| range.parse().unwrap());
    let sample = AddressPolicy::public_and(ranges.to_vec());
    for host in ["127.0.0.1", "localhost"] {
        let call = Call { policy: sample.clone(), ..post(format!("http://{host}:{port}/")) };
        let (sent, _request) = tokio::join!(outbound.send(call), server.answer(OK.as_bytes()));
        assert_eq!(sent.unwrap().status, 200, "{host}");
    }
}

#[tokio::test]
async fn a_malformed_header_means_not_sent() {
    let (outbound, server) = (outbound(), Server::start().await);
    for header in [("signature", "a\r\nb: c"), ("sig nature", "a")] {
        let headers = vec![(header.0, header.1.into())];
        let sent = outbound.send(Call { headers, ..post(server.url()) }).await;
        assert_eq!(sent, Err(SendError::NotSent { cause: Cause::Malformed }));
    }
    assert!(server.untouched());
}
