//! Answers to deliveries: given from anywhere, sent by one task per channel, in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lapin::options::{BasicAckOptions, BasicRejectOptions};
use lapin::{Acker, Channel};
use tokio::sync::mpsc;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use crate::session::{SessionError, bounded};
use crate::window::Window;

/// The longest that an acknowledgement waits for a late one before it.
const WAIT_MAX: Duration = Duration::from_millis(50);
/// The most answers that are looked at together.
const BATCH_MAX: usize = 1_024;

/// The answer to one delivery. Dropped without an answer, nothing is sent: the message comes again
/// when the channel ends, which happens by itself once half the window is dropped.
///
/// Answers of a session that has ended are dropped too; the message is then delivered again.
pub struct Ack {
    tag: u64,
    answered: bool,
    acker: Acker,
    session: AckSession,
}

/// What all answers of a session share.
#[derive(Clone)]
pub(crate) struct AckSession {
    answers: mpsc::UnboundedSender<Answer>,
    ended: CancellationToken,
    handed_out: Arc<AtomicUsize>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    Acknowledge(u64),
    Reject(u64),
    Nothing,
}

impl std::fmt::Debug for Ack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ack").field("tag", &self.tag).finish_non_exhaustive()
    }
}

impl Ack {
    /// The message is done with.
    pub fn ack(mut self) {
        self.answer(Answer::Acknowledge(self.tag));
    }

    /// The message is refused: the broker dead-letters it as it came, where the queue's policy
    /// says so, and otherwise drops it.
    pub fn reject(mut self) {
        self.answer(Answer::Reject(self.tag));
    }

    /// False once its session has ended: the message will come again, so start nothing for it.
    #[must_use]
    pub fn usable(&self) -> bool {
        !self.session.ended.is_cancelled() && self.acker.usable()
    }

    /// Never blocks. The channel holds at most as many answers as the window has messages.
    fn answer(&mut self, answer: Answer) {
        self.answered = true;
        // The receiver is gone when the session has ended; then the broker delivers again.
        self.session.answers.send(answer).unwrap_or_default();
    }
}

impl Drop for Ack {
    fn drop(&mut self) {
        self.session.handed_out.fetch_sub(1, Ordering::Relaxed);
        if !self.answered {
            self.answer(Answer::Nothing);
        }
    }
}

impl AckSession {
    /// For the deliveries of one channel; `ended` is cancelled when it ends.
    pub(crate) fn new(ended: CancellationToken) -> (Self, mpsc::UnboundedReceiver<Answer>) {
        let (answers, receiver) = mpsc::unbounded_channel();
        (Self { answers, ended, handed_out: Arc::default() }, receiver)
    }

    pub(crate) fn hand_out(&self, tag: u64, acker: Acker) -> Ack {
        self.handed_out.fetch_add(1, Ordering::Relaxed);
        Ack { tag, answered: false, acker, session: self.clone() }
    }

    pub(crate) fn handed_out(&self) -> usize {
        self.handed_out.load(Ordering::Relaxed)
    }
}

/// Sends the answers of one channel until none can come any more. Who is leaving drops what it did
/// not begin, which is no reason to end the session at once.
pub(crate) async fn send_answers(
    channel: &Channel,
    mut answers: mpsc::UnboundedReceiver<Answer>,
    prefetch: u16,
    is_leaving: impl Fn() -> bool + Sync,
) -> Result<(), SessionError> {
    let half = usize::from(prefetch / 2);
    let mut window = Window::default();
    let mut batch = Vec::with_capacity(BATCH_MAX);
    loop {
        let received = match window.waiting_since().and_then(|since| since.checked_add(WAIT_MAX)) {
            None => answers.recv_many(&mut batch, BATCH_MAX).await,
            Some(limit) => tokio::select! {
                biased;
                () = sleep_until(limit) => {
                    one_by_one(channel, &mut window).await?;
                    continue;
                }
                received = answers.recv_many(&mut batch, BATCH_MAX) => received,
            },
        };
        for answer in batch.drain(..) {
            match answer {
                Answer::Acknowledge(tag) => window.ack(tag),
                Answer::Reject(tag) => {
                    let options = BasicRejectOptions { requeue: false };
                    bounded("rejecting", channel.basic_reject(tag, options)).await?;
                    window.sent(tag);
                }
                Answer::Nothing => {
                    let dropped = window.drop_unanswered();
                    if dropped >= half.max(1) && !is_leaving() {
                        return Err(SessionError::Starved(dropped));
                    }
                }
            }
        }
        if let Some(tag) = window.cover() {
            acknowledge(channel, tag, true).await?;
        }
        if received == 0 || window.is_one_by_one() || window.waiting() > half {
            one_by_one(channel, &mut window).await?;
        }
        if received == 0 {
            return Ok(());
        }
    }
}

async fn one_by_one(channel: &Channel, window: &mut Window) -> Result<(), SessionError> {
    for tag in window.take_waiting() {
        acknowledge(channel, tag, false).await?;
    }
    Ok(())
}

async fn acknowledge(channel: &Channel, tag: u64, multiple: bool) -> Result<(), SessionError> {
    bounded("acknowledging", channel.basic_ack(tag, BasicAckOptions { multiple })).await?;
    fleet_telemetry::crash_point("broker", "ack.sent");
    Ok(())
}
