//! What a person can do about a parked task, in words.

use fleet_domain::{Connector, ParkClass, TaskKind, TaskState};
use fleet_store::{PurchaseView, Store, TaskView};

use crate::Failure;

/// Whether a purchase's supplier may confirm its vend by itself: of any other a callback is refused.
pub(crate) async fn is_confirmed(view: &PurchaseView, store: &Store) -> Result<bool, Failure> {
    let (directory, _secrets) = store.load_directory_partly().await?;
    let supplier = directory.connectors.get(&view.purchase.order.supplier);
    Ok(supplier.is_some_and(Connector::takes_confirmations))
}

/// The choices for a parked task; none for any other.
pub(crate) fn choices(task: &TaskView, is_confirmed: bool) -> Vec<&'static str> {
    match (task.state, task.park_class) {
        (TaskState::Parked, Some(class)) => of(task.key.kind, class, is_confirmed),
        (TaskState::Parked | TaskState::Queued | TaskState::Running | TaskState::Waiting, _) => {
            Vec::new()
        }
    }
}

fn of(kind: TaskKind, class: ParkClass, is_confirmed: bool) -> Vec<&'static str> {
    let mut choices = match kind {
        TaskKind::Reserve => vec![
            "ask the funding source what it holds for this raasTxnRef",
            "leave it: nothing is vended and nothing is given free on a guess",
        ],
        TaskKind::Dispense => vec![
            if is_confirmed {
                "ask the supplier about this vend; its signed confirmation closes the task"
            } else {
                "ask the supplier about this vend; without a secret no confirmation of it is taken"
            },
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confirmation_is_offered_only_where_one_is_taken() {
        let closes = |kind, is_confirmed| {
            let offered = of(kind, ParkClass::UnknownOutcome, is_confirmed);
            assert_eq!(offered.len(), 2, "{kind}");
            offered.iter().any(|choice| choice.contains("closes the task"))
        };
        assert!(closes(TaskKind::Dispense, true));
        for (kind, is_confirmed) in
            [(TaskKind::Dispense, false), (TaskKind::Reserve, true), (TaskKind::Settle, true)]
        {
            assert!(!closes(kind, is_confirmed), "{kind}");
        }
    }
}
