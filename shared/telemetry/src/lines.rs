//! Lines on their way to standard error. A thread of their own writes them: behind it a disk may be
//! full, a terminal gone, or a pipe that nobody reads, and that costs lines and nothing else. Whoever
//! logs never waits, never fails, and what is not written is counted.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// Lines that may wait to be written: some seconds of the busiest log that a working disk keeps up with.
const WAITING_MAX: usize = 4_096;
/// How long an end waits for the lines before it.
const FLUSHED_WITHIN: Duration = Duration::from_secs(1);

/// Lines of this process that were not written.
static DROPPED: AtomicU64 = AtomicU64::new(0);
/// The way to standard error.
static LINES: OnceLock<Lines> = OnceLock::new();

/// So many lines were not written.
pub(crate) fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

fn count_dropped() {
    DROPPED.fetch_add(1, Ordering::Relaxed);
}

/// A writer of lines: each write is one.
#[derive(Debug, Clone)]
pub(crate) struct Lines(SyncSender<Next>);

#[derive(Debug)]
enum Next {
    Line(Vec<u8>),
    /// All lines before it are written, or given up.
    Flushed(SyncSender<()>),
}

impl Lines {
    /// To standard error.
    pub(crate) fn of_process() -> Self {
        let lines = LINES.get_or_init(|| {
            // A handle of its own: while it is stuck in a write nobody else's is locked.
            match io::stderr().as_fd().try_clone_to_owned() {
                Ok(handle) => Self::to(File::from(handle)),
                Err(_closed) => Self::to(io::stderr()),
            }
        });
        lines.clone()
    }

    fn to(out: impl Write + Send + 'static) -> Self {
        let (lines, waiting) = sync_channel(WAITING_MAX);
        let writing = move || write_all(&waiting, out);
        // Without a thread nobody takes a line: each is counted.
        drop(thread::Builder::new().name("log".to_owned()).spawn(writing));
        Self(lines)
    }

    fn send(&self, line: Vec<u8>) {
        if self.0.try_send(Next::Line(line)).is_err() {
            count_dropped();
        }
    }

    fn flush_within(&self, limit: Duration) {
        let (tell, told) = sync_channel(1);
        if self.0.try_send(Next::Flushed(tell)).is_ok() {
            // What is not written by then is left.
            told.recv_timeout(limit).ok();
        }
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.send(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(lines: &Receiver<Next>, mut out: impl Write) {
    while let Ok(next) = lines.recv() {
        match next {
            Next::Line(line) if out.write_all(&line).is_ok() => {}
            Next::Line(_) => count_dropped(),
            // Whoever asked may have waited long enough.
            Next::Flushed(tell) => tell.try_send(()).unwrap_or_default(),
        }
    }
}

/// Waits until the lines so far are written, a second at most.
pub fn flush_logs() {
    if let Some(lines) = LINES.get() {
        lines.flush_within(FLUSHED_WITHIN);
    }
}

/// A program's last word to people, behind all log lines. It waits a second at most, and never fails.
pub fn last_word(text: &str) {
    let lines = Lines::of_process();
    lines.send(format!("{text}\n").into_bytes());
    lines.flush_within(FLUSHED_WITHIN);
}

/// A panic is told by the same way: its own would wait for whoever does not read.
pub(crate) fn tell_panics() {
    std::panic::set_hook(Box::new(|panic| last_word(&panic.to_string())));
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A disk that is full.
    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A pipe that takes nothing until somebody reads.
    struct Stuck(Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Once the sender is gone, all is read at once.
            self.0.recv().unwrap_or_default();
            self.1.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn lines_that_cannot_be_written_are_counted_and_nobody_fails() {
        let before = dropped();
        let mut lines = Lines::to(Full);
        for _ in 0..10 {
            lines.write_all(b"line\n").unwrap();
        }
        lines.flush_within(LONG);
        assert!(dropped() - before >= 10);
    }

    #[test]
    fn whoever_logs_into_a_pipe_that_nobody_reads_goes_on_and_the_first_lines_come_once_it_is_read()
    {
        let before = dropped();
        let (read, waits) = channel();
        let page = Arc::new(Mutex::new(Vec::new()));
        let mut lines = Lines::to(Stuck(waits, Arc::clone(&page)));
        let sent = WAITING_MAX * 2;
        for number in 0..sent {
            lines.write_all(format!("{number}\n").as_bytes()).unwrap();
        }
        lines.flush_within(Duration::ZERO);
        let lost = usize::try_from(dropped() - before).unwrap();
        assert!(lost >= WAITING_MAX - 1, "{lost}");
        drop(read);
        // The queue has room again once the flush can be put into it.
        while String::from_utf8_lossy(&page.lock().unwrap()).lines().count() < WAITING_MAX {
            lines.flush_within(LONG);
        }
        let text = String::from_utf8(page.lock().unwrap().clone()).unwrap();
        let wanted: Vec<String> = (0..WAITING_MAX).map(|number| number.to_string()).collect();
        assert_eq!(text.lines().take(WAITING_MAX).collect::<Vec<_>>(), wanted);
    }
}
