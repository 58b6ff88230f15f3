//! When a result is sent again. The plan's offsets count from the first byte that was ever sent, so
//! that a slow listener or a restart never shifts later ones; a try that was missed is made once,
//! late, and the next one is at its own time again.

use std::time::Duration;

use chrono::{DateTime, Utc};
use fleet_domain::{
    Change, DELIVER_FOR, Decision, DeliveryState, Directory, Job, Next, PlanClass, TaskKind, Tries,
    later,
};
use fleet_engine::LEASE_EXTRA;

use crate::Deliver;

/// Characters of a cause that the journal keeps.
pub(crate) const DETAIL_CHARACTERS_MAX: usize = 200;

/// One delivery's plan, at the end of one exchange.
pub(crate) struct Plan<'j> {
    job: &'j Job,
    gaps: Vec<Duration>,
    jitter_percent: u32,
    /// When the first byte of the first attempt left, this one included.
    first: Option<DateTime<Utc>>,
    ended_at: DateTime<Utc>,
}

impl<'j> Plan<'j> {
    pub(crate) fn of(step: &Deliver, directory: &Directory, job: &'j Job) -> Self {
        Self::new((step.call_deadline, step.jitter_percent), directory, job)
    }

    fn new(
        (call_deadline, jitter_percent): (Duration, u32),
        directory: &Directory,
        job: &'j Job,
    ) -> Self {
        let owner = job.purchase.order.client.to_string();
        let plan = directory.plan(TaskKind::Deliver, &owner, PlanClass::NotDone);
        let gaps = plan.into_iter().flat_map(|plan| &plan.delays_seconds);
        let stored = job.delivery.as_ref().and_then(|row| row.first_sent_at);
        // An attempt whose process died may have left as soon as it was claimed.
        let lease = call_deadline.saturating_add(LEASE_EXTRA);
        let died = job.task.former_sent_until.and_then(|until| {
            until.checked_sub_signed(chrono::TimeDelta::from_std(lease).unwrap_or_default())
        });
        Self {
            job,
            gaps: gaps.map(|seconds| Duration::from_secs(u64::from(*seconds))).collect(),
            jitter_percent,
            first: stored.or(died).or(job.task.exchange.sent_at),
            ended_at: job.task.exchange.ended_at.unwrap_or(job.task.now),
        }
    }

    /// The result is where it stays.
    pub(crate) fn ends(
        &self,
        state: DeliveryState,
        http_status: Option<u16>,
        word: &'static str,
    ) -> Decision {
        Decision {
            change: self.change(state, http_status),
            ..Decision::only(Next::Finish, Tries::Count, word)
        }
    }

    /// Not acknowledged: the next try, or the end. `cause` is an HTTP status or why there is none.
    pub(crate) fn again(&self, cause: &str, retry_after: Option<Duration>) -> Decision {
        let asked = retry_after.map(|pause| later(self.ended_at, pause));
        let mut decision = match self.first {
            Some(first) => self.after(first, asked),
            None => self.not_reached(asked),
        };
        decision.detail = cause.chars().take(DETAIL_CHARACTERS_MAX).collect();
        let state = if decision.next == Next::Finish {
            DeliveryState::Failed
        } else {
            DeliveryState::Retrying
        };
        decision.change = self.change(state, cause.parse().ok());
        decision
    }

    /// The first planned instant after this attempt; when there is none, the end of the four days,
    /// at which nothing is sent (an index of 0 says so).
    fn after(&self, first: DateTime<Utc>, asked: Option<DateTime<Utc>>) -> Decision {
        let now = self.job.task.now;
        let deadline = later(first, DELIVER_FOR);
        if now >= deadline {
            return Decision::only(Next::Finish, Tries::Count, "gave_up");
        }
        let mut offset = Duration::ZERO;
        let planned = self.gaps.iter().find_map(|gap| {
            offset = offset.saturating_add(*gap);
            let at = later(first, offset);
            (at > now).then(|| later(at, self.jitter(*gap)))
        });
        match planned.map(|at| at.max(asked.unwrap_or(at))).filter(|at| *at < deadline) {
            Some(at) => Decision::only(Next::At(at), Tries::Count, "not_acknowledged"),
            None => Decision::only(Next::At(deadline), Tries::Restart, "last_wait"),
        }
    }

    /// Not a byte has ever left: the gaps one after the other, four days in all.
    fn not_reached(&self, asked: Option<DateTime<Utc>>) -> Decision {
        let tries = usize::try_from(self.job.task.tries).unwrap_or(usize::MAX);
        let all: Duration = self.gaps.iter().sum();
        let rest = DELIVER_FOR.saturating_sub(all).max(Duration::from_secs(1));
        let gap = match self.gaps.get(tries) {
            Some(gap) => *gap,
            None if tries == self.gaps.len() => rest,
            None => return Decision::only(Next::Finish, Tries::Count, "gave_up"),
        };
        let at = later(self.ended_at, gap.saturating_add(self.jitter(gap)));
        let at = at.max(asked.unwrap_or(at));
        Decision::only(Next::At(at), Tries::Count, "not_reached")
    }

    /// Up to so many percent of the gap, the same for the same delivery and gap: it spreads what
    /// failed together.
    fn jitter(&self, gap: Duration) -> Duration {
        let percent = gap.checked_div(100).unwrap_or_default();
        let at_most = percent.saturating_mul(self.jitter_percent);
        let id = self.job.purchase.order.id.0.as_bytes();
        let spread = id.last().copied().map_or(0, u32::from);
        at_most.saturating_mul(spread).checked_div(255).unwrap_or_default()
    }

    fn change(&self, state: DeliveryState, http_status: Option<u16>) -> Change {
        let stored = self.job.delivery.as_ref().and_then(|row| row.first_sent_at);
        let sent_at = if stored.is_none() { self.first } else { self.job.task.exchange.sent_at };
        Change::Deliver { state, http_status: http_status.map(i32::from), sent_at }
    }
}

#[cfg(test)]
mod tests;
