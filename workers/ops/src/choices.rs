//! What a person can do about a parked task, in words.

use fleet_domain::{ParkClass, TaskKind, TaskState};
use fleet_store::TaskView;

/// The choices for a parked task; none for any other.
pub(crate) fn choices(task: &TaskView) -> Vec<&'static str> {
    match (task.state, task.park_class) {
        (TaskState::Parked, Some(class)) => of(task.key.kind, class),
        (TaskState::Parked | TaskState::Queued | TaskState::Running | TaskState::Waiting, _) => {
            Vec::new()
        }
    }
}

fn of(kind: TaskKind, class: ParkClass) -> Vec<&'static str> {
    let mut choices = match kind {
        TaskKind::Reserve => vec![
            "ask the funding source what it holds for this raasTxnRef",
            "leave it: nothing is vended and nothing is given free on a guess",
        ],
        TaskKind::Dispense => vec![
            "ask the supplier about this vend; its signed confirmation closes the task",
            "leave it: the hold stays, nothing is vended again",
        ],
        TaskKind::Settle => vec![
            "settle the hold with the funding source by hand, as the purchase says",
            "leave it: fulfilment stays what it is, the money stays at risk",
        ],
        TaskKind::Refund => {
            vec!["give the money back by hand", "leave it: the money stays owed to the buyer"]
        }
        TaskKind::Deliver => vec!["correct the client's endpoint"],
        TaskKind::Notify => vec!["correct the connector of the client's channel"],
        TaskKind::Report | TaskKind::Validate => {
            vec!["correct the fraud desk's account or the token"]
        }
        TaskKind::Case => vec![
            "compare what both sides say; the purchase itself was not changed",
            "agree with the supplier or the funding source who bears the amount",
        ],
    };
    match class {
        ParkClass::OurFault => choices.push("mend the set-up or the row that the cause names"),
        ParkClass::Poison => choices.push("find out in the logs why the process went down"),
        ParkClass::ClientFault
        | ParkClass::SupplierFault
        | ParkClass::UnknownOutcome
        | ParkClass::OwedToBuyer => {}
    }
    choices
}
