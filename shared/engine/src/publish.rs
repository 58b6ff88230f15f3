//! Telling others what is to be done next.

use std::collections::BTreeMap;

use fleet_contracts::JobHint;
use fleet_domain::TaskKey;

use crate::{HintSink, Published, TaskStore};

/// Tasks in one statement.
const PUT_BACK_MAX: usize = 256;

/// Publishes hints, or puts their tasks back.
///
/// What is not confirmed while there is a broker is left to the clock: it may have arrived. Without
/// one nothing arrives, so the tasks are put back, and the clock of a process that works on their kind
/// takes them at its next look.
pub async fn publish_or_put_back<T: TaskStore, H: HintSink>(
    store: &T,
    sink: &H,
    hints: Vec<JobHint>,
) -> Published {
    let mut tasks: BTreeMap<_, Vec<TaskKey>> = BTreeMap::new();
    for hint in &hints {
        let keys = hint.tasks.iter().map(|(key, _)| *key);
        tasks.entry(hint.kind).or_default().extend(keys);
    }
    let published = if sink.usable() {
        sink.publish(hints).await
    } else {
        Published { confirmed: 0, left_to_clock: hints.len() }
    };
    if published.left_to_clock == 0 || sink.usable() {
        return published;
    }
    for (kind, keys) in tasks {
        for some in keys.chunks(PUT_BACK_MAX) {
            if let Err(error) = store.put_back(some).await {
                // They stay queued; the clock takes them once their hint would be late.
                tracing::warn!(kind = kind.name(), error = %error, "not put back, without a broker");
                return published;
            }
        }
    }
    published
}
