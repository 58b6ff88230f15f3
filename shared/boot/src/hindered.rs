//! Lanes whose tasks cannot be started: told once when it begins and once when it is over, whatever
//! number of tasks waits for it.

use std::collections::BTreeMap;

use fleet_domain::{Directory, Hindrance, TaskKind};
use fleet_engine::DirectoryWatch;
use tokio_util::sync::CancellationToken;

type Hindered = BTreeMap<(&'static str, String), Hindrance>;

/// Follows the directory until the stop.
pub(crate) async fn watch(
    mut directory: DirectoryWatch,
    kinds: Vec<TaskKind>,
    stop: CancellationToken,
) {
    let mut before = Hindered::new();
    loop {
        let present = directory.borrow_and_update().clone();
        let now = hindered(&present, &kinds);
        tell(&before, &now);
        before = now;
        tokio::select! {
            changed = directory.changed() => if changed.is_err() { return },
            () = stop.cancelled() => return,
        }
    }
}

fn hindered(directory: &Directory, kinds: &[TaskKind]) -> Hindered {
    let ours = directory.lanes.values().filter(|lane| kinds.contains(&lane.kind));
    ours.filter_map(|lane| {
        let hindrance = directory.hindrance(lane.kind, lane.id)?;
        // A channel that a client has given up leaves its lane behind, as a rule with nothing on it.
        if matches!(hindrance, Hindrance::NoEndpoint { .. }) {
            return None;
        }
        Some(((lane.kind.name(), lane.owner.clone()), hindrance))
    })
    .collect()
}

fn tell(before: &Hindered, now: &Hindered) {
    let metrics = fleet_telemetry::metrics();
    for (lane, hindrance) in before.iter().filter(|(lane, was)| now.get(*lane) != Some(*was)) {
        let (kind, owner) = (lane.0, &lane.1);
        metrics.lane_hindered(kind, owner, hindrance.word(), false);
        if !now.contains_key(lane) {
            tracing::info!(kind, owner = owner.as_str(), "the lane's tasks can be started again");
        }
    }
    for (lane, hindrance) in now.iter().filter(|(lane, is)| before.get(*lane) != Some(*is)) {
        let (kind, owner) = (lane.0, &lane.1);
        metrics.lane_hindered(kind, owner, hindrance.word(), true);
        tracing::error!(kind, owner = owner.as_str(), cause = %hindrance, "the lane's tasks cannot be started");
    }
}
