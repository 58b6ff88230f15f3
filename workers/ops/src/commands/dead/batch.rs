//! Takes the letters of a replay in, as the worker takes messages in: read, check, take in, decide,
//! chunk by chunk. Whatever is lost between two chunks, the same again is safe: a purchase is stored
//! once, a letter decided once.

use std::time::Duration;

use fleet_boot::{Intake, RequestedMessage, StoreDirectory, Taken, check_requested};
use fleet_contracts::{BODY_BYTES_MAX, PurchaseBody};
use fleet_domain::{Directory, Scenario, WayIn};
use fleet_store::{LetterOutcome, ReplayEnd, ReplayLetter, ReplayView, Store, StoreError};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::super::bar;
use crate::Failure;

/// Letters of one round trip at most.
const CHUNK_MAX: u32 = 256;
/// Letters after which it may stop; so many are the first chunk.
const JUDGED_FROM: u32 = 20;
/// How often a chunk is tried while Postgres is away, and how long it waits.
const TRIES: u32 = 20;
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// What became of letters in this run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    decided: u64,
    refused: u64,
}

impl Tally {
    /// So many percent of them came back that the rest would come back too.
    fn is_hopeless(self, stop_at: u32) -> bool {
        self.decided >= u64::from(JUDGED_FROM)
            && self.refused.saturating_mul(100) >= self.decided.saturating_mul(stop_at.into())
    }
}

/// Letters a second: each chunk waits until those before it have had their time.
struct Pace {
    due: Instant,
    rate: u32,
}

impl Pace {
    async fn wait(&self) {
        sleep_until(self.due).await;
    }

    fn spend(&mut self, letters: u32) {
        let time = Duration::from_secs(letters.into()).checked_div(self.rate).unwrap_or_default();
        let now = Instant::now();
        self.due = self.due.max(now).checked_add(time).unwrap_or(now);
    }
}

/// Goes on until no letter is left, too many came back, or somebody stopped it.
pub(super) async fn take_in(replay: &ReplayView, store: &Store) -> Result<(), Failure> {
    let stop = CancellationToken::new();
    // What is imported meanwhile may be what these letters wait for.
    let (directory, renewing) = StoreDirectory::load(store, stop.clone()).await?;
    let _ends_with_the_replay = stop.drop_guard();
    tokio::spawn(renewing);
    let batch =
        Batch { id: replay.id, store, intake: Intake::without_hints(store.clone()), directory };
    let bar = progress(replay);
    let mut pace = Pace { due: Instant::now(), rate: replay.rate };
    let (mut tally, mut tries) = (Tally::default(), 0_u32);
    loop {
        let chunk = if tally.decided == 0 { JUDGED_FROM } else { CHUNK_MAX };
        let chunk = chunk.min(replay.rate);
        pace.wait().await;
        let done = match batch.chunk(chunk).await {
            Ok(Some(done)) => done,
            Ok(None) => break,
            Err(StoreError::Retry { .. }) => Tally::default(),
            Err(error) => return Err(error.into()),
        };
        pace.spend(chunk);
        tries = if done.decided == 0 { tries.saturating_add(1) } else { 0 };
        if tries == TRIES {
            let text = format!(
                "nothing was decided {TRIES} times: Postgres takes nothing in, or another process \
                 of this replay is ahead; later: fleet dead continue {}",
                replay.id
            );
            return Err(Failure::No(text));
        }
        if tries > 0 {
            sleep(AGAIN_AFTER).await;
        }
        tally.decided = tally.decided.saturating_add(done.decided);
        tally.refused = tally.refused.saturating_add(done.refused);
        bar.inc(done.decided);
        bar.set_message(format!("{} came back", tally.refused));
        if tally.is_hopeless(replay.stop_at) {
            break;
        }
    }
    bar.finish_and_clear();
    // What has letters left is not done.
    if !store.end_replay(replay.id, ReplayEnd::Done).await? {
        store.end_replay(replay.id, ReplayEnd::Stopped).await?;
    }
    Ok(())
}

fn progress(replay: &ReplayView) -> ProgressBar {
    let bar = bar(usize::try_from(replay.left).unwrap_or(0));
    let style = "{bar:30} {pos}/{len} letters, {msg}, eta {eta}";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar
}

struct Batch<'a> {
    id: Uuid,
    store: &'a Store,
    intake: Intake,
    directory: StoreDirectory,
}

impl Batch<'_> {
    /// The next letters; `None` when none is left.
    async fn chunk(&self, max: u32) -> Result<Option<Tally>, StoreError> {
        let letters = self.store.replay_letters(self.id, max).await?;
        if letters.is_empty() {
            return Ok(None);
        }
        let outcomes = self.outcomes(&letters).await;
        for _ in &outcomes {
            fleet_telemetry::crash_point("replay", "decide.before");
        }
        let decided = self.store.decide_letters(self.id, &outcomes).await?;
        for _ in &decided {
            fleet_telemetry::crash_point("replay", "decide.after");
        }
        let count = |words: usize| u64::try_from(words).unwrap_or(u64::MAX);
        let refused = decided.iter().filter(|(_, outcome)| outcome == "refused").count();
        Ok(Some(Tally { decided: count(decided.len()), refused: count(refused) }))
    }

    /// What becomes of each letter; nothing is said of those that the store did not answer about.
    async fn outcomes(&self, letters: &[ReplayLetter]) -> Vec<(Uuid, LetterOutcome)> {
        let mut outcomes = Vec::new();
        let (mut asked, mut bodies) = (Vec::new(), Vec::new());
        let directory = self.directory.current();
        for letter in letters {
            match check(&directory, letter) {
                Ok(body) => {
                    asked.push(letter.letter);
                    bodies.push(body);
                }
                Err(refused) => outcomes.push((letter.letter, refused)),
            }
        }
        if bodies.is_empty() {
            return outcomes;
        }
        let taken = self.intake.take_in(&directory, bodies, WayIn::Amqp).await;
        for (letter, taken) in asked.into_iter().zip(taken) {
            let outcome = match Taken::from(taken) {
                Taken::Stored { id, is_new } => LetterOutcome::Stored(id, is_new),
                Taken::Refused(refusal) => {
                    refused(refusal.cause.name(), &refusal.rejection.message)
                }
                Taken::Again => continue,
            };
            outcomes.push((letter, outcome));
        }
        outcomes
    }
}

fn check(
    directory: &Directory,
    letter: &ReplayLetter,
) -> Result<(PurchaseBody, Scenario), LetterOutcome> {
    if !letter.is_new {
        return Err(LetterOutcome::DecidedBefore);
    }
    if letter.body.is_none() && letter.body_bytes <= BODY_BYTES_MAX {
        return Err(refused(&letter.cause, "body cannot be unsealed with the present keys"));
    }
    let message = RequestedMessage {
        message_id: letter.message_id.as_deref(),
        body: letter.body.as_deref().unwrap_or_default(),
        body_bytes: letter.body_bytes,
        user_id: letter.user_id.as_deref(),
    };
    check_requested(directory, message)
        .map_err(|refusal| refused(refusal.cause.name(), &refusal.rejection.message))
}

fn refused(cause: &str, detail: &str) -> LetterOutcome {
    let detail = detail.chars().filter(|c| !c.is_control()).take(200).collect();
    LetterOutcome::Refused { cause: cause.to_owned(), detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_judged_by_the_share_that_comes_back_and_not_by_its_first_letters() {
        let hopeless = |decided, refused, stop_at| Tally { decided, refused }.is_hopeless(stop_at);
        assert!(!hopeless(19, 19, 1), "too few to judge");
        assert!(hopeless(20, 4, 20) && !hopeless(20, 3, 20));
        assert!(hopeless(10_000, 2_000, 20) && !hopeless(10_000, 1_999, 20));
        assert!(hopeless(20, 20, 100) && !hopeless(20, 19, 100));
        assert!(!hopeless(0, 0, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn letters_of_a_second_take_a_second_however_late_the_first_came() {
        let began = Instant::now();
        let mut pace = Pace { due: began, rate: 100 };
        for chunk in [20, 100, 80] {
            pace.wait().await;
            pace.spend(chunk);
        }
        pace.wait().await;
        assert_eq!(began.elapsed(), Duration::from_secs(2));
        sleep(Duration::from_secs(60)).await;
        pace.spend(100);
        pace.wait().await;
        assert_eq!(began.elapsed(), Duration::from_secs(63), "idle time is not saved up");
    }
}
