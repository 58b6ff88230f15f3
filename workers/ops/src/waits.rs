//! Why an unfinished task is not done yet: what the directory says against it, and what became of its
//! last try.

use fleet_domain::{Directory, TaskState};
use fleet_store::{PurchaseView, TaskView};

/// Each cause in words; none for a task that waits for a person, whose own cause says it.
pub(crate) fn waits_for(
    directory: &Directory,
    view: &PurchaseView,
    task: &TaskView,
) -> Vec<String> {
    if task.state == TaskState::Parked {
        return Vec::new();
    }
    let key = &task.key;
    let mut causes = Vec::new();
    if let Some(hindrance) = directory.hindrance(key.kind, task.lane) {
        causes.push(format!("cannot be started: {hindrance}"));
    }
    let owner = directory.lanes.get(&task.lane).map(|lane| lane.owner.as_str());
    let connector = owner.and_then(|owner| directory.connectors.get(owner));
    if let Some(connector) = connector.filter(|connector| !connector.active) {
        let name = &connector.name;
        causes.push(format!("connector {name} is inactive: it takes no new purchases"));
    }
    if task.state != TaskState::Running {
        causes.extend(held_back(directory, view, task));
    }
    let tried = |row: &&fleet_store::JournalView| row.kind == key.kind && row.slot == key.slot;
    if let Some(last) = view.journal.iter().rev().find(tried) {
        let at = last.at.format("%F %T");
        let detail = if last.detail.is_empty() { "" } else { ": " };
        causes.push(format!("last try at {at} ended as {}{detail}{}", last.outcome, last.detail));
    } else if task.state != TaskState::Running {
        causes.push("it was not tried yet".to_owned());
    }
    causes
}

/// What of its lane keeps a task from being started now.
fn held_back(directory: &Directory, view: &PurchaseView, task: &TaskView) -> Option<String> {
    let (lane, used) = (directory.lanes.get(&task.lane)?, view.lanes.get(&task.lane)?);
    if used.open > 0 {
        return Some(format!(
            "{}'s circuit is open in {} of the processes: its calls failed, and one at a time is \
             tried until it answers",
            lane.owner, used.open
        ));
    }
    let all = i64::from(used.permits) >= i64::from(lane.concurrency);
    all.then(|| {
        format!("{} of {} calls to {} are taken", used.permits, lane.concurrency, lane.owner)
    })
}
