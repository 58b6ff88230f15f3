//! A TCP proxy in front of a server, with the faults of a network. What is wrong is one value, which a
//! test changes while connections live.

mod connection;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::accept::accept;

/// What happens to the bytes of one way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Way {
    /// Each byte arrives so much later; any number may be under way.
    pub delay: Duration,
    /// No more bytes than this in a second.
    pub bytes_per_second: Option<NonZeroU32>,
    /// Bytes, and the word that no more come, vanish; the connection stays.
    pub is_hole: bool,
    /// The connection ends, both ways, when one more byte than this is to pass.
    pub cut_after: Option<u64>,
}

/// What becomes of connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Connections {
    /// They are passed on to the server.
    #[default]
    Served,
    /// Those there are and those that come are closed.
    Closed,
    /// The same, with a reset of each client.
    Reset,
    /// Those that come are taken and nothing ever follows; those there are go on.
    Unanswered,
}

/// What is wrong with the network; nothing by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// From the client to the server.
    pub to_server: Way,
    /// From the server to the client.
    pub to_client: Way,
    /// What becomes of connections.
    pub connections: Connections,
}

/// What a proxy has seen since it was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Connections that clients have made.
    pub accepted: usize,
    /// Connections that live now.
    pub open: usize,
    /// Connections that lived without a single byte from the server, at the same time at most.
    pub waiting_max: usize,
    /// Connections that the client gave up while it had got no byte from the server.
    pub abandoned: usize,
    /// Bytes that vanished in a hole.
    pub swallowed: usize,
}

/// The proxy; it ends when this is dropped.
#[derive(Debug)]
pub struct TcpProxy {
    /// Where it listens.
    pub address: SocketAddr,
    faults: watch::Sender<Faults>,
    counts: Arc<Counts>,
    accepting: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Counts {
    accepted: AtomicUsize,
    open: AtomicUsize,
    waiting: AtomicUsize,
    waiting_max: AtomicUsize,
    abandoned: AtomicUsize,
    swallowed: AtomicUsize,
}

impl TcpProxy {
    /// A proxy to that server.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(server: String) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let faults = watch::Sender::new(Faults::default());
        let counts = Arc::new(Counts::default());
        let (server, watched) = (Arc::<str>::from(server), faults.subscribe());
        let counted = Arc::clone(&counts);
        let serve = move |stream: TcpStream| {
            let (server, counts) = (Arc::clone(&server), Arc::clone(&counted));
            connection::pass(stream, server, watched.clone(), counts)
        };
        let accepting = tokio::spawn(accept(listener, serve));
        Ok(Self { address, faults, counts, accepting })
    }

    /// From now on this is wrong, and nothing else.
    pub fn set(&self, faults: Faults) {
        self.faults.send_replace(faults);
    }

    /// Ends every connection and closes new ones at once.
    pub fn cut(&self) {
        self.set(Faults { connections: Connections::Closed, ..Faults::default() });
    }

    /// Nothing is wrong any more.
    pub fn heal(&self) {
        self.set(Faults::default());
    }

    /// What it has seen so far.
    #[must_use]
    pub fn seen(&self) -> Seen {
        let of = |count: &AtomicUsize| count.load(Ordering::SeqCst);
        let counts = &self.counts;
        Seen {
            accepted: of(&counts.accepted),
            open: of(&counts.open),
            waiting_max: of(&counts.waiting_max),
            abandoned: of(&counts.abandoned),
            swallowed: of(&counts.swallowed),
        }
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}
