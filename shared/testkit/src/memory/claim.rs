//! Claims.

use std::collections::HashSet;

use fleet_domain::{
    ClaimAsk, ClaimGroup, ClaimVerdict, ClaimedTask, Fact, Job, TaskKey, TaskKind, TaskState,
    is_signed, later,
};
use fleet_engine::StoreFault;

use super::model::{Model, Task};

/// Facts of one claim.
const FACTS_MAX: usize = 100;

impl Model {
    pub(super) fn claim(
        &mut self,
        group: &ClaimGroup,
    ) -> Result<Vec<ClaimVerdict<Box<Job>>>, StoreFault> {
        let mut seen = HashSet::new();
        if !group.asks.iter().all(|ask| seen.insert(ask.key)) {
            return Err(StoreFault::Refused("a task stands twice in one group".to_owned()));
        }
        Ok(group.asks.iter().map(|ask| self.claim_one(group, ask)).collect())
    }

    fn claim_one(&mut self, group: &ClaimGroup, ask: &ClaimAsk) -> ClaimVerdict<Box<Job>> {
        let now = self.now;
        let Some(task) = self.tasks.get(&ask.key) else { return ClaimVerdict::Gone };
        let again = task.state == TaskState::Running && task.token == Some(ask.token);
        if !again {
            match task.state {
                TaskState::Parked => return ClaimVerdict::Parked,
                TaskState::Waiting => return ClaimVerdict::NotDue,
                TaskState::Running if task.lease.is_some_and(|lease| lease > now) => {
                    return ClaimVerdict::Busy;
                }
                TaskState::Queued | TaskState::Running => {}
            }
            if task.lane != ask.lane {
                return ClaimVerdict::OtherLane(task.lane);
            }
            if ask.only_ends && !self.may_end(ask.key, task) {
                return ClaimVerdict::Held;
            }
            let lease = later(now, ask.lease);
            if group.kind == TaskKind::Report && !self.take_token(ask, lease) {
                return ClaimVerdict::NotDue;
            }
            let Some(task) = self.tasks.get_mut(&ask.key) else { return ClaimVerdict::Gone };
            let is_over = task.start_by.is_some_and(|start_by| now >= start_by);
            task.state = TaskState::Running;
            task.token = Some(ask.token);
            task.claims = task.claims.saturating_add(1);
            task.lease = Some(lease);
            task.former_sent_until = task.sent_until;
            let nothing_may_leave = task.sent_until.is_none() && is_over;
            task.sent_until = (!nothing_may_leave).then_some(lease);
        }
        let Some(task) = self.tasks.get(&ask.key).cloned() else { return ClaimVerdict::Gone };
        let claimed_at = task
            .lease
            .and_then(|lease| {
                lease.checked_sub_signed(chrono::TimeDelta::from_std(ask.lease).ok()?)
            })
            .unwrap_or(now);
        let former = task.former_sent_until;
        let is_over = task.start_by.is_some_and(|start_by| claimed_at >= start_by);
        let Some(job) = self.job(ask, &task, claimed_at) else {
            return ClaimVerdict::Unreadable("the purchase is missing".to_owned());
        };
        let job = Box::new(job);
        if is_over {
            ClaimVerdict::Expired(job)
        } else if former.is_some() {
            ClaimVerdict::Resumed(job)
        } else {
            ClaimVerdict::Started(job)
        }
    }

    /// Whether it may end without that anybody is asked.
    fn may_end(&self, key: TaskKey, task: &Task) -> bool {
        let is_over = task.start_by.is_some_and(|start_by| self.now >= start_by);
        let row = self.purchases.get(&key.purchase);
        let has_facts = row.is_some_and(|row| row.facts.iter().any(|fact| fact.about == key));
        let delivery = self.deliveries.get(&(key.purchase, key.slot));
        let delivery =
            delivery.filter(|_| matches!(key.kind, TaskKind::Deliver | TaskKind::Notify));
        let deadline = delivery.and_then(|row| row.delivery.deadline());
        let is_late = deadline.is_some_and(|deadline| self.now >= deadline);
        task.sent_until.is_none() && is_over || has_facts || is_late
    }

    fn job(&self, ask: &ClaimAsk, task: &Task, now: chrono::DateTime<chrono::Utc>) -> Option<Job> {
        let row = self.purchases.get(&ask.key.purchase)?;
        let TaskKey { purchase, slot, .. } = ask.key;
        let delivers = matches!(ask.key.kind, TaskKind::Deliver | TaskKind::Notify);
        let delivery = self.deliveries.get(&(purchase, slot)).filter(|_| delivers);
        let facts = row.facts.iter().rev().filter(|stored| stored.about == ask.key);
        let mut facts: Vec<Fact> = facts.map(|stored| stored.fact.clone()).collect();
        facts.sort_by_key(|fact| !is_signed(&fact.source));
        facts.truncate(FACTS_MAX);
        Some(Job {
            task: ClaimedTask {
                key: ask.key,
                lane: task.lane,
                token: ask.token,
                claims: task.claims,
                tries: task.tries,
                ref_no: task.ref_no,
                former_sent_until: task.former_sent_until,
                signals: task.signals,
                start_by: task.start_by,
                deadline_at: task.deadline_at,
                now,
                exchange: fleet_domain::ExchangeTimes::default(),
            },
            purchase: row.purchase.clone(),
            delivery: delivery.map(|row| row.delivery.clone()),
            facts,
            token: self.desk_token(ask.key),
        })
    }
}
