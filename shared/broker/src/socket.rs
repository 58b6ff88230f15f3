//! The socket under a connection, kept so that it can be ended whatever the client does.
//!
//! The client runs each connection on a thread of its own, which waits for the peer without a
//! limit: given up in the middle of the handshake, thread and socket would stay for ever.

use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};

use lapin::tcp::{AMQPUriTcpExt, OwnedTLSConfig};
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{AsyncTcpStream, Connection, ConnectionProperties, Result};
use tokio::time::timeout;

use crate::session::RPC_TIMEOUT;

/// Ends the socket when it is dropped, or as soon as it exists.
pub(crate) struct Socket(Arc<Mutex<State>>);

enum State {
    Opening,
    Open(TcpStream),
    GivenUp,
}

impl Socket {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State::Opening)))
    }

    /// Connects over this socket, without recovery. Has no limit of its own but for opening it.
    pub(crate) async fn connect(
        &self,
        uri: AMQPUri,
        properties: ConnectionProperties,
    ) -> Result<Connection> {
        let state = Arc::clone(&self.0);
        let runtime = lapin::runtime::default_runtime()?;
        Connection::connector(
            uri,
            runtime,
            async move |uri: AMQPUri, runtime| {
                let opening = async {
                    let plain = AMQPUri { scheme: AMQPScheme::AMQP, ..uri.clone() };
                    let stream = AMQPUriTcpExt::connect_async(&plain, &runtime).await?;
                    if let AsyncTcpStream::Plain(stream) = &stream {
                        keep(&state, stream.get_ref())?;
                    }
                    match uri.scheme {
                        AMQPScheme::AMQP => Ok(stream),
                        AMQPScheme::AMQPS => {
                            let config = OwnedTLSConfig::default();
                            stream.into_tls(&uri.authority.host, config.as_ref()).await
                        }
                    }
                };
                match timeout(RPC_TIMEOUT, opening).await {
                    Ok(stream) => Ok(stream?),
                    Err(_elapsed) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
                }
            },
            properties,
        )
        .await
    }
}

/// Keeps a second handle on a socket, unless nobody waits for it any more.
fn keep(state: &Mutex<State>, socket: &impl AsFd) -> std::io::Result<()> {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    if matches!(*state, State::GivenUp) {
        return Err(std::io::ErrorKind::Interrupted.into());
    }
    *state = State::Open(TcpStream::from(socket.as_fd().try_clone_to_owned()?));
    Ok(())
}

impl Drop for Socket {
    fn drop(&mut self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Open(socket) = std::mem::replace(&mut *state, State::GivenUp) {
            socket.shutdown(Shutdown::Both).unwrap_or_default(); // it may have ended by itself
        }
    }
}
