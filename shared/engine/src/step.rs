//! What a worker adds to the engine: how to call, how to look up, and what to decide.

use std::future::Future;
use std::time::Duration;

use fleet_domain::{Decision, Directory, Fact, Job, LaneId, Private, TaskKind};
use tokio::time::Instant;

/// The frame of one exchange outside.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    /// No byte may leave after this (the lease, on the monotonic clock).
    pub send_before: Instant,
    /// The exchange ends here, from connect to the last byte.
    pub deadline: Instant,
}

/// How a call failed. Exhaustive, and never made from a transport's error by conversion: it is said
/// where the call is made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Nothing has left.
    #[error("not sent: {cause}")]
    NotSent {
        /// What stood in the way.
        cause: String,
        /// What the other side asked for.
        retry_after: Option<Duration>,
    },
    /// The other side refused, and nothing took effect.
    #[error("refused: {}", refusal.code)]
    Refused {
        /// What it said.
        refusal: Refusal,
    },
    /// The other side accepted it and works on it.
    #[error("pending at the other side")]
    Pending,
    /// The other side asked the buyer, and nothing takes effect before the buyer agrees.
    #[error("the buyer was asked")]
    Asked {
        /// Where the buyer answers, if it is a page.
        page: Option<Private>,
    },
    /// It may have taken effect.
    #[error("outcome unknown: {cause}")]
    Unknown {
        /// What happened to the answer.
        cause: String,
    },
}

/// A refusal: a definite answer that nothing took effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The code in the contract's terms.
    pub code: String,
    /// The other side's own word, where its connector maps it to that code.
    pub own_code: Option<String>,
    /// True when a later attempt may succeed (`2201`, `2225`, HTTP 429).
    pub retryable: bool,
    /// True when the refusal was given to this very reference, so that the next call needs a new
    /// one.
    pub reference_used: bool,
    /// What the other side asked for.
    pub retry_after: Option<Duration>,
}

/// What a look-up said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookUp<T> {
    /// It took effect; the same reply as the call's.
    Done(T),
    /// The other side refused it then.
    Refused(Refusal),
    /// It is known not to have taken effect; the step trusts this only after the settle time.
    NotDone,
    /// The other side works on it.
    Pending,
    /// The buyer was asked and has not answered.
    Asked {
        /// Where the buyer answers, as far as this look-up learnt it.
        page: Option<Private>,
    },
    /// Not there yet, and too early to trust it; or an unclear answer: ask again.
    Unclear,
    /// It was answered, and the answer does not vouch for what was asked about: ask again.
    Unvouched {
        /// What is missing or differs, in words for the journal.
        cause: String,
    },
    /// This party answers no look-ups.
    Unsupported,
}

impl<T> LookUp<T> {
    /// What a repeated call tells, where the other side deduplicates on our reference: its answer
    /// is the first one's.
    ///
    /// # Errors
    /// The call's own, when it learnt nothing.
    pub fn from_repeated(reply: Result<T, CallError>) -> Result<Self, CallError> {
        match reply {
            Ok(reply) => Ok(Self::Done(reply)),
            Err(CallError::Refused { refusal }) if refusal.retryable => Ok(Self::Unclear),
            Err(CallError::Refused { refusal }) => Ok(Self::Refused(refusal)),
            Err(CallError::Pending) => Ok(Self::Pending),
            Err(CallError::Asked { page }) => Ok(Self::Asked { page }),
            Err(error) => Err(error),
        }
    }

    /// What asking once more tells, where it harms nobody whatever became of the first time: its
    /// own answer, a refusal for now too.
    ///
    /// # Errors
    /// The call's own, when it learnt nothing.
    pub fn from_harmless(reply: Result<T, CallError>) -> Result<Self, CallError> {
        match reply {
            Ok(reply) => Ok(Self::Done(reply)),
            Err(CallError::Refused { refusal }) => Ok(Self::Refused(refusal)),
            Err(error) => Err(error),
        }
    }
}

/// Why nothing was done and nothing more will be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// `start_by` has passed and nothing is out.
    Expired,
}

/// All that may have been learnt about a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Learnt<T> {
    /// It took effect.
    Done(T),
    /// The other side refused.
    Refused(Refusal),
    /// The answer of a call or look-up got lost, or was unclear.
    Unknown {
        /// What happened to it.
        cause: String,
    },
    /// The other side works on it.
    Pending,
    /// The buyer was asked and has not answered.
    Asked {
        /// Where the buyer answers, if this exchange learnt it.
        page: Option<Private>,
    },
    /// Nothing has left; try the same reference again later.
    NotSent {
        /// What stood in the way.
        cause: String,
        /// What the other side asked for.
        retry_after: Option<Duration>,
    },
    /// A trusted look-up: nothing took effect; the same reference may be sent again.
    NotDone,
    /// This party answers no look-ups and something may be out: wait for its callback, then ask a
    /// person.
    CannotTell,
    /// Nothing is out, and nothing may leave any more.
    Ended(Ended),
}

/// One kind of work. It sees neither broker nor database.
pub trait Step: Send + Sync + 'static {
    /// Which tasks it works on.
    const KIND: TaskKind;
    /// What the other side answers.
    type Reply: Send + 'static;

    /// The longest that any call may take: for so long permits count of a process that is silent.
    fn longest_call(&self, directory: &Directory) -> Duration;

    /// The longest that a call of this lane may take; the lease of its claims is this + 10 s.
    fn longest_call_of(&self, directory: &Directory, lane: LaneId) -> Duration;

    /// The longest that a call of this job may take.
    fn call_deadline(&self, directory: &Directory, job: &Job) -> Duration;

    /// One call outside, under the job's reference. Called only when nothing is out.
    fn call(
        &self,
        directory: &Directory,
        job: &Job,
        attempt: Attempt,
    ) -> impl Future<Output = Result<Self::Reply, CallError>> + Send;

    /// Asks what became of an earlier call. Changes nothing outside. `NotSent` and `Unknown` of a
    /// look-up both mean that nothing was learnt.
    fn look_up(
        &self,
        directory: &Directory,
        job: &Job,
        attempt: Attempt,
    ) -> impl Future<Output = Result<LookUp<Self::Reply>, CallError>> + Send;

    /// What one fact tells, if anything. Pure.
    fn read_fact(
        &self,
        directory: &Directory,
        job: &Job,
        fact: &Fact,
    ) -> Option<Learnt<Self::Reply>>;

    /// What follows from what was learnt. Pure.
    fn decide(&self, directory: &Directory, job: &Job, learnt: Learnt<Self::Reply>) -> Decision;

    /// The code and document of a reply in the form of a fact, for an answer whose commit comes too
    /// late: (outside reference, code, document).
    fn as_fact(&self, job: &Job, learnt: &Learnt<Self::Reply>) -> Option<fleet_domain::Answer>;
}
