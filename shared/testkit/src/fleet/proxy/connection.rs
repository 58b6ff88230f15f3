//! One connection through the proxy to its end.

use std::io;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::{Connections, Counts, Faults, Way};

/// Bytes that are read in one piece.
const PIECE_BYTES: usize = 16 * 1_024;
/// Pieces that are under way at the same time, one way.
const PIECES_MAX: usize = 256;
/// So many times in a second a way of limited rate is written to.
const STEPS_A_SECOND: u32 = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    Server,
    Client,
}

/// When they came, and which.
type Piece = (Instant, Vec<u8>);

pub(super) async fn pass(
    mut near: TcpStream,
    server: Arc<str>,
    faults: watch::Receiver<Faults>,
    counts: Arc<Counts>,
) {
    let counted = Counted::new(&counts);
    let mut ending = faults.clone();
    let is_end =
        |faults: &Faults| matches!(faults.connections, Connections::Closed | Connections::Reset);
    tokio::select! {
        biased;
        _end = ending.wait_for(is_end) => {}
        () = serve(&mut near, &server, &faults, &counted) => {}
    }
    let is_reset = faults.borrow().connections == Connections::Reset;
    if is_reset {
        drop(near.set_zero_linger());
    } else {
        // Before the close, which is a reset when bytes are left unread.
        drop(near.shutdown().await);
    }
}

async fn serve(
    near: &mut TcpStream,
    server: &str,
    faults: &watch::Receiver<Faults>,
    counted: &Counted<'_>,
) {
    if faults.borrow().connections == Connections::Unanswered {
        let mut bytes = vec![0; PIECE_BYTES];
        while let Ok(1..) = near.read(&mut bytes).await {}
        counted.client_ended();
        return;
    }
    let Ok(mut far) = TcpStream::connect(server).await else { return };
    if near.set_nodelay(true).is_err() || far.set_nodelay(true).is_err() {
        return;
    }
    let (near_read, near_write) = near.split();
    let (far_read, far_write) = far.split();
    let up = one_way(near_read, far_write, Passage::new(To::Server, faults, counted));
    let down = one_way(far_read, near_write, Passage::new(To::Client, faults, counted));
    // The end of one way in disorder ends both.
    drop(tokio::try_join!(up, down));
}

async fn one_way(from: ReadHalf<'_>, to: WriteHalf<'_>, passage: Passage<'_>) -> io::Result<()> {
    let (pieces, arriving) = mpsc::channel(PIECES_MAX);
    let taking = take(from, pieces, passage.clone());
    tokio::try_join!(taking, deliver(to, arriving, passage)).map(drop)
}

async fn take(
    mut from: ReadHalf<'_>,
    pieces: mpsc::Sender<Piece>,
    mut passage: Passage<'_>,
) -> io::Result<()> {
    loop {
        let mut bytes = vec![0; PIECE_BYTES];
        let read = from.read(&mut bytes).await;
        let Ok(length @ 1..) = read else {
            if passage.to == To::Server {
                passage.counted.client_ended();
            }
            passage.until_no_hole().await;
            return read.map(drop);
        };
        bytes.truncate(length);
        if passage.way().is_hole {
            passage.counted.counts.swallowed.fetch_add(length, Ordering::SeqCst);
        } else if pieces.send((Instant::now(), bytes)).await.is_err() {
            return Ok(());
        }
    }
}

async fn deliver(
    mut to: WriteHalf<'_>,
    mut arriving: mpsc::Receiver<Piece>,
    mut passage: Passage<'_>,
) -> io::Result<()> {
    let mut passed = 0_u64;
    while let Some((came, bytes)) = arriving.recv().await {
        passage.wait(|way| came + way.delay).await;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let way = passage.way();
            let step = way.step().min(rest.len());
            let left = way.cut_after.map_or(u64::MAX, |most| most.saturating_sub(passed));
            let step = step.min(usize::try_from(left).unwrap_or(usize::MAX));
            if step == 0 {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            to.write_all(&rest[..step]).await?;
            if passage.to == To::Client {
                passage.counted.answered();
            }
            passed += u64::try_from(step).unwrap_or(u64::MAX);
            rest = &rest[step..];
            let wrote = Instant::now();
            passage.wait(|way| wrote + way.pause(step)).await;
        }
    }
    to.shutdown().await
}

impl Way {
    /// Bytes that are written at once.
    fn step(&self) -> usize {
        let rate = self.bytes_per_second.map_or(u32::MAX, NonZeroU32::get);
        usize::try_from(rate / STEPS_A_SECOND).unwrap_or(usize::MAX).max(1)
    }

    /// How long it takes until more may be written after that many.
    fn pause(&self, bytes: usize) -> Duration {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.bytes_per_second
            .map_or(Duration::ZERO, |rate| Duration::from_secs(1) * bytes / rate.get())
    }
}

/// One way of a connection, and what is wrong with it now.
#[derive(Debug, Clone)]
struct Passage<'a> {
    to: To,
    faults: watch::Receiver<Faults>,
    counted: &'a Counted<'a>,
}

impl<'a> Passage<'a> {
    fn new(to: To, faults: &watch::Receiver<Faults>, counted: &'a Counted<'a>) -> Self {
        Self { to, faults: faults.clone(), counted }
    }

    const fn of(to: To, faults: &Faults) -> Way {
        match to {
            To::Server => faults.to_server,
            To::Client => faults.to_client,
        }
    }

    fn way(&mut self) -> Way {
        Self::of(self.to, &self.faults.borrow_and_update())
    }

    /// Waits until then, whatever then is once the faults are others.
    async fn wait(&mut self, until: impl Fn(Way) -> Instant) {
        loop {
            let until = until(self.way());
            // A timer is a millisecond late.
            if until <= Instant::now() {
                return;
            }
            tokio::select! {
                () = sleep_until(until) => return,
                changed = self.faults.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn until_no_hole(&mut self) {
        let to = self.to;
        drop(self.faults.wait_for(|faults| !Self::of(to, faults).is_hole).await);
    }
}

/// What the proxy counts of one connection.
#[derive(Debug)]
struct Counted<'a> {
    counts: &'a Counts,
    is_answered: AtomicBool,
}

impl<'a> Counted<'a> {
    fn new(counts: &'a Counts) -> Self {
        let up = |count: &AtomicUsize| count.fetch_add(1, Ordering::SeqCst) + 1;
        up(&counts.accepted);
        up(&counts.open);
        counts.waiting_max.fetch_max(up(&counts.waiting), Ordering::SeqCst);
        Self { counts, is_answered: AtomicBool::new(false) }
    }

    fn answered(&self) {
        if !self.is_answered.swap(true, Ordering::SeqCst) {
            self.counts.waiting.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn client_ended(&self) {
        if !self.is_answered.load(Ordering::SeqCst) {
            self.counts.abandoned.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.answered();
        self.counts.open.fetch_sub(1, Ordering::SeqCst);
    }
}
