//! A connection whose requests are looked at before the parser sees them.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::framing::{Framing, Next};
use super::head::{self, Refusal};

/// In place of a head that is refused, so that its answer keeps its place among the others.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nHost: refused\r\nConnection: close\r\n\r\n";
/// After a refusal the rest is read and dropped for a while: closing upon unread bytes would reset the
/// connection, and the answer might be lost with it.
const LINGER: Duration = Duration::from_secs(1);
/// So much of the rest, at most.
const LINGER_BYTES: usize = 262_144;

/// The one head of a connection that was refused: nothing follows it.
#[derive(Debug, Clone)]
pub(super) struct RefusedHead {
    /// Which request of the connection it was, counted from 0.
    pub(super) number: u64,
    /// Why.
    pub(super) refusal: Refusal,
    /// What it asked for, as far as that can be read.
    pub(super) path: String,
}

/// Where that is put down.
pub(super) type Refused = Arc<OnceLock<RefusedHead>>;

/// The stream, and how far its requests have been looked at.
#[derive(Debug)]
pub(super) struct Guarded<S> {
    stream: S,
    framing: Framing,
    held: BytesMut,
    /// So many of the held bytes may go on.
    passable: usize,
    refused: Refused,
    /// Nothing follows: the body is broken.
    is_broken: bool,
    linger: Option<Pin<Box<Sleep>>>,
    lingered: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Guarded<S> {
    pub(super) fn new(stream: S, refused: Refused) -> Self {
        Self {
            stream,
            framing: Framing::new(),
            held: BytesMut::new(),
            passable: 0,
            refused,
            is_broken: false,
            linger: None,
            lingered: 0,
        }
    }

    /// Looks at what is held beyond the passable bytes.
    fn look(&mut self) {
        loop {
            let unseen = self.held.get(self.passable..).unwrap_or_default();
            match self.framing.next(unseen) {
                Next::Pass(count) => self.passable = self.passable.saturating_add(count),
                Next::Skip(count) if self.passable == 0 => self.held.advance(count),
                // It is dropped once everything before it has gone on.
                Next::Skip(_) | Next::More => return,
                Next::Refused(refusal) => {
                    let path = head::path(unseen);
                    self.held.truncate(self.passable);
                    self.held.extend_from_slice(STAND_IN);
                    self.passable = self.held.len();
                    // Nothing is looked at after it, so it is set once.
                    let number = self.framing.heads;
                    self.refused.get_or_init(|| RefusedHead { number, refusal, path });
                    return;
                }
                Next::Broken => {
                    self.held.truncate(self.passable);
                    self.is_broken = true;
                    return;
                }
            }
        }
    }

    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = [0; 8_192];
        let mut space = ReadBuf::new(&mut space);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut space))?;
        self.held.extend_from_slice(space.filled());
        Poll::Ready(Ok(space.filled().len()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.passable > 0 {
                let count = this.passable.min(into.remaining());
                into.put_slice(this.held.get(..count).unwrap_or_default());
                this.held.advance(count);
                this.passable = this.passable.saturating_sub(count);
                return Poll::Ready(Ok(()));
            }
            if this.is_broken {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            // An end here would cut off the request that is being answered before the refused one.
            if this.refused.get().is_some() {
                return Poll::Pending;
            }
            this.look();
            if this.passable > 0 || this.is_broken {
                continue;
            }
            if ready!(this.poll_more(context))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
        if this.refused.get().is_none() {
            return Poll::Ready(Ok(()));
        }
        let until = || Box::pin(sleep(LINGER));
        let linger = this.linger.get_or_insert_with(until);
        if linger.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        while this.lingered < LINGER_BYTES {
            this.held.clear();
            match ready!(this.poll_more(context)) {
                Ok(0) | Err(_) => break,
                Ok(count) => this.lingered = this.lingered.saturating_add(count),
            }
        }
        Poll::Ready(Ok(()))
    }
}
