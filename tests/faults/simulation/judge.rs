//! What must hold of a purchase's rows at every instant, and of all rows and all parties at the end.

use fleet_domain::{
    DispenseState, ParkClass, PurchaseId, PurchaseStatus, ReserveState, SettleState, TaskKind,
};
use fleet_store::PurchaseView;

use super::parties::{Account, Money};
use super::world::World;

/// After each commit.
pub(super) fn instant(world: &World, id: PurchaseId) {
    let Some(progress) = world.memory.progress(id) else { return };
    let certain = matches!(
        progress.reserve,
        ReserveState::Reserved | ReserveState::Charged | ReserveState::NotNeeded
    );
    if progress.dispense != DispenseState::NotStarted && !certain {
        world.violate(format!("dispense {} while reserve {}", progress.dispense, progress.reserve));
    }
    let decided = matches!(progress.dispense, DispenseState::Dispensed | DispenseState::Failed);
    if progress.settle != SettleState::NotStarted && !decided {
        world.violate(format!("settle {} while dispense {}", progress.settle, progress.dispense));
    }
}

/// Once nothing is left to do without a person.
pub(super) fn end(world: &World, ids: &[PurchaseId]) {
    let parties = world.parties();
    for (number, id) in ids.iter().enumerate() {
        let (Some(view), Some(account)) = (world.memory.show(*id), parties.accounts.get(id)) else {
            world.violate(format!("purchase {number} is gone"));
            continue;
        };
        for problem in problems(&view, account) {
            world.violate(format!("purchase {number}: {problem}"));
        }
    }
}

fn problems(view: &PurchaseView, account: &Account) -> Vec<String> {
    let mut problems = Vec::new();
    let mut must = |holds: bool, what: &str| {
        if !holds {
            problems.push(format!("{what}; {:?} {account:?}", view.purchase.progress));
        }
    };
    let progress = &view.purchase.progress;
    let parked = |kind: TaskKind| view.tasks.iter().any(|task| task.key.kind == kind);
    let case = parked(TaskKind::Case);
    let causes = view.tasks.iter().all(|task| {
        task.park_class.is_some() && task.park_cause.as_ref().is_some_and(|cause| !cause.is_empty())
    });
    must(causes, "a task is parked without a cause");
    let pending = view.purchase.status() == PurchaseStatus::Pending;
    let stage =
        parked(TaskKind::Reserve) || parked(TaskKind::Dispense) || parked(TaskKind::Validate);
    must(!pending || stage, "it waits in silence");

    // Goods.
    let dispensed = progress.dispense == DispenseState::Dispensed;
    must(account.goods <= 1, "goods are out twice");
    let lied = account.supplier_contradicts;
    must(!dispensed || account.goods == 1 || lied, "dispensed, and no goods are out");
    let failed = progress.dispense == DispenseState::Failed;
    must(!failed || account.goods == 0 || case, "failed, goods are out, and nobody is told");
    let refused = matches!(progress.reserve, ReserveState::Refused | ReserveState::Failed);
    must(!refused || account.goods == 0, "no funds, and goods are out");

    // Money: the books are what the source has recorded.
    let entry = |name: &str| view.ledger.iter().any(|row| row.entry == name);
    let settled = !parked(TaskKind::Settle) && !parked(TaskKind::Refund);
    let unknown = parked(TaskKind::Reserve);
    match account.money {
        None => must(view.ledger.is_empty(), "books without money"),
        Some(_) if unknown || (refused && case) => {
            must(view.ledger.is_empty(), "books of the unknown")
        }
        Some(Money::Held) => {
            must(entry("reserved"), "a hold that the books do not know");
            must(!entry("captured") && !entry("cancelled"), "settled in the books alone");
            must(parked(TaskKind::Settle) || pending, "a hold that nobody settles");
        }
        Some(Money::Captured) => {
            must(dispensed, "captured and not dispensed");
            must(entry("captured") || !settled, "captured, and not in the books");
        }
        Some(Money::Cancelled) => {
            must(failed, "cancelled and not failed");
            must(entry("cancelled") || !settled, "cancelled, and not in the books");
        }
        Some(Money::Charged) => {
            must(entry("captured"), "a charge that the books do not know");
            let ends = [("kept", dispensed), ("owed", failed)];
            let told = ends.iter().any(|(name, holds)| *holds && entry(name));
            must(told || pending || parked(TaskKind::Refund), "a charge without an end");
        }
        Some(Money::Refunded) => {
            must(failed, "refunded and not failed");
            must(entry("refunded") || !settled, "refunded, and not in the books");
        }
    }
    let sums = |names: &[&str]| -> i64 {
        view.ledger
            .iter()
            .filter(|row| names.contains(&row.entry.as_str()))
            .map(|row| row.amount)
            .sum()
    };
    must(sums(&["reserved"]) >= sums(&["captured", "cancelled"]), "more is settled than reserved");
    must(sums(&["captured"]) >= sums(&["kept", "refunded", "owed"]), "more ends than was captured");
    let owed = progress.settle == SettleState::Owed;
    let owes = view.tasks.iter().any(|task| task.park_class == Some(ParkClass::OwedToBuyer));
    must(owed == owes, "owed to the buyer, and not in front of a person");

    // Told.
    must(pending == view.deliveries.is_empty(), "results before or without an end");
    for row in &view.deliveries {
        let done = row.state == "sent" || row.state == "failed" || parked(TaskKind::Deliver);
        must(done, "a result is not delivered, and not given up");
        must(row.state != "sent" || account.acknowledged > 0, "acknowledged by nobody");
    }
    if let (Some(report), Some(token)) = (&view.report, &account.token) {
        let ended = report.state != "queued" || pending || parked(TaskKind::Report);
        must(ended, "a report is neither made nor given up");
        must(report.success != Some(true) || dispensed, "success reported and not dispensed");
        must(!token.is_empty(), "a report without a token");
    }
    problems
}
