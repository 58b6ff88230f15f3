//! The task table: claim, commit, put back, free, facts, clock. Each is one round trip.

mod claim;
mod clock;
mod columns;
mod commit;
mod fact;

pub(crate) use columns::PAYMENT_PAGE;
pub use commit::CommitOutcome;

use std::collections::HashSet;

use fleet_domain::{TaskKey, TaskKind};
use uuid::Uuid;

use crate::StoreError;

/// Tasks in one statement.
const GROUP_MAX: usize = 1_024;

fn split(keys: impl Iterator<Item = TaskKey>) -> (Vec<Uuid>, Vec<i32>) {
    keys.map(|key| (key.purchase.0, key.slot)).unzip()
}

/// A statement writes each row once: a key twice, or of another kind, is the caller's fault.
fn check_keys(kind: TaskKind, keys: impl Iterator<Item = TaskKey>) -> Result<(), StoreError> {
    let mut seen = HashSet::new();
    for key in keys {
        if key.kind != kind {
            return Err(StoreError::misuse("a group of tasks has one kind"));
        }
        if !seen.insert(key) {
            return Err(StoreError::misuse("a task stands twice in one group"));
        }
    }
    if seen.len() > GROUP_MAX {
        return Err(StoreError::misuse("a group has at most 1024 tasks"));
    }
    Ok(())
}
