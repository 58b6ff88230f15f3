//! Job messages: hints that name tasks, with nothing in them to go stale.

use chrono::{DateTime, Utc};
use fleet_domain::{LaneId, PurchaseId, TaskKey, TaskKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The version that this build writes.
pub const HINT_VERSION: u16 = 1;
/// The most tasks that one message may name.
pub const HINT_TASKS_MAX: usize = 32;

/// A hint: "these tasks are to be done". The claim decides whether they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobHint {
    /// The kind of all tasks in it.
    pub kind: TaskKind,
    /// The database's time when it was made.
    pub published_at: DateTime<Utc>,
    /// The tasks, 1 to 32, and the lane of each.
    pub tasks: Vec<(TaskKey, LaneId)>,
}

/// Its form on the wire, version 1.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "fleet job hint, version 1")]
pub struct JobHintV1 {
    /// Always 1.
    pub v: u16,
    /// The number of the kind of task.
    pub kind: i16,
    /// RFC 3339.
    pub published_at: DateTime<Utc>,
    /// (purchase, slot, lane), 1 to 32 of them.
    #[schemars(length(min = 1, max = 32))]
    pub tasks: Vec<(Uuid, i32, i32)>,
}

/// Why a message is no hint of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HintError {
    /// A later version: acknowledged, the clock covers it.
    #[error("hint version {0} is newer than this build")]
    NewerVersion(u16),
    /// Not readable.
    #[error("unreadable hint: {0}")]
    Unreadable(String),
}

impl JobHint {
    /// The message's body.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let wire = JobHintV1 {
            v: HINT_VERSION,
            kind: self.kind.code(),
            published_at: self.published_at,
            tasks: self
                .tasks
                .iter()
                .map(|(key, lane)| (key.purchase.0, key.slot, lane.0))
                .collect(),
        };
        serde_json::to_vec(&wire).unwrap_or_default()
    }

    /// Reads a message's body.
    ///
    /// # Errors
    /// [`HintError`] for a later version or anything that is no hint.
    pub fn from_bytes(body: &[u8]) -> Result<Self, HintError> {
        #[derive(Deserialize)]
        struct Version {
            v: u16,
        }
        // serde's own text would quote what stands there, which may be anybody's data.
        let unreadable = |error: serde_json::Error| {
            let (line, column) = (error.line(), error.column());
            HintError::Unreadable(format!("not a hint, line {line}, column {column}"))
        };
        let version: Version = serde_json::from_slice(body).map_err(unreadable)?;
        if version.v > HINT_VERSION {
            return Err(HintError::NewerVersion(version.v));
        }
        let wire: JobHintV1 = serde_json::from_slice(body).map_err(unreadable)?;
        let kind = TaskKind::from_code(wire.kind)
            .ok_or_else(|| HintError::Unreadable(format!("unknown kind {}", wire.kind)))?;
        if wire.tasks.is_empty() || wire.tasks.len() > HINT_TASKS_MAX {
            return Err(HintError::Unreadable(format!("{} tasks", wire.tasks.len())));
        }
        let task = |(purchase, slot, lane)| {
            (TaskKey { purchase: PurchaseId(purchase), kind, slot }, LaneId(lane))
        };
        Ok(Self {
            kind,
            published_at: wire.published_at,
            tasks: wire.tasks.into_iter().map(task).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint() -> JobHint {
        let key = TaskKey { purchase: PurchaseId::generate(), kind: TaskKind::Settle, slot: 0 };
        let tasks = vec![(key, LaneId(7))];
        JobHint { kind: TaskKind::Settle, published_at: Utc::now(), tasks }
    }

    #[test]
    fn a_hint_survives_its_way() {
        let sent = hint();
        assert_eq!(JobHint::from_bytes(&sent.to_bytes()), Ok(sent));
    }

    #[test]
    fn a_newer_version_is_told_apart_from_garbage() {
        assert_eq!(JobHint::from_bytes(br#"{"v":2,"x":1}"#), Err(HintError::NewerVersion(2)));
        for body in [&b"{}"[..], b"", b"\xff", br#"{"v":1,"kind":3,"published_at":"x","tasks":[]}"#]
        {
            assert!(matches!(JobHint::from_bytes(body), Err(HintError::Unreadable(_))));
        }
    }

    #[test]
    fn an_empty_hint_and_an_endless_one_are_refused() {
        for count in [0, HINT_TASKS_MAX + 1] {
            let mut odd = hint();
            odd.tasks = vec![odd.tasks[0]; count];
            assert!(JobHint::from_bytes(&odd.to_bytes()).is_err());
        }
    }
}
