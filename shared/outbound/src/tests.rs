//! The sender against a server whose every byte is written by hand.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::{AddressPolicy, Body, Call, Counts, Credentials, Method, Outbound, Reuse, SendError};

mod connect;
mod credentials;
mod cut;
mod limits;
mod request;

/// Longer than any test may take.
const LONG: Duration = Duration::from_secs(15);
/// Long enough for an exchange on this machine to begin.
const SHORT: Duration = Duration::from_millis(400);

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n{\"a\":12}";

fn outbound() -> Outbound {
    rustls::crypto::ring::default_provider().install_default().ok();
    Outbound::new().unwrap()
}

fn within(time: Duration) -> Instant {
    Instant::now().checked_add(time).unwrap()
}

fn post(url: String) -> Call {
    let end = within(LONG);
    Call {
        method: Method::Post,
        url,
        headers: Vec::new(),
        credentials: Credentials::None,
        body: Body::Json(Bytes::from_static(br#"{"amount":100}"#)),
        deadline: end,
        send_before: end,
        reuse: Reuse::Fresh,
        policy: AddressPolicy::trusted(),
        counts: Counts::Whole,
    }
}

fn unknown<T>(sent: &Result<T, SendError>) -> bool {
    matches!(sent, Err(SendError::Unknown { .. }))
}

fn not_sent<T>(sent: &Result<T, SendError>) -> bool {
    matches!(sent, Err(SendError::NotSent { .. }))
}

struct Server(TcpListener);

impl Server {
    async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn url(&self) -> String {
        format!("http://{}/pay?key=in-the-query", self.0.local_addr().unwrap())
    }

    async fn accept(&self) -> TcpStream {
        // A test whose request goes elsewhere fails; it does not hang.
        let accepted = tokio::time::timeout(LONG, self.0.accept()).await;
        accepted.unwrap().unwrap().0
    }

    /// Answers one request and returns it.
    async fn answer(&self, reply: &[u8]) -> String {
        let mut stream = self.accept().await;
        let request = read_request(&mut stream).await;
        stream.write_all(reply).await.unwrap();
        request
    }

    /// Whether nobody has connected. A connection is in the queue before `connect` returns.
    fn untouched(self) -> bool {
        let listener = self.0.into_std().unwrap();
        listener.accept().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }
}

/// Reads a request with a `content-length`, or none.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text.into_owned();
            }
        }
        assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0, "the request ended early");
    }
}
