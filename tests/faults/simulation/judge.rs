//! What must hold of a purchase's rows at every instant, and of all rows and all parties at the end.

use fleet_domain::{
    DispenseState, ParkClass, PurchaseId, PurchaseStatus, ReserveState, SettleState, TaskKind,
    delivery_kind,
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
        if view.purchase.progress.reserve == ReserveState::Charged {
            world.reach(&format!("paid at {}", view.purchase.order.funding_source));
        }
        for problem in problems(&view, account) {
            world.violate(format!("purchase {number}: {problem}"));
        }
    }
}

/// What is wrong with one purchase.
struct Case<'a> {
    view: &'a PurchaseView,
    account: &'a Account,
    problems: Vec<String>,
}

fn problems(view: &PurchaseView, account: &Account) -> Vec<String> {
    let mut case = Case { view, account, problems: Vec::new() };
    case.tasks();
    case.goods();
    case.money();
    case.books();
    case.told();
    case.problems
}

impl Case<'_> {
    fn must(&mut self, holds: bool, what: &str) {
        if !holds {
            let (progress, account) = (&self.view.purchase.progress, self.account);
            self.problems.push(format!("{what}; {progress:?} {account:?}"));
        }
    }

    fn parked(&self, kind: TaskKind) -> bool {
        self.view.tasks.iter().any(|task| task.key.kind == kind)
    }

    fn is_pending(&self) -> bool {
        self.view.purchase.status() == PurchaseStatus::Pending
    }

    fn is(&self, state: DispenseState) -> bool {
        self.view.purchase.progress.dispense == state
    }

    fn has_no_funds(&self) -> bool {
        let reserve = self.view.purchase.progress.reserve;
        matches!(reserve, ReserveState::Refused | ReserveState::Failed)
    }

    fn entry(&self, name: &str) -> bool {
        self.view.ledger.iter().any(|row| row.entry == name)
    }

    fn sum(&self, names: &[&str]) -> i64 {
        let rows = self.view.ledger.iter().filter(|row| names.contains(&row.entry.as_str()));
        rows.map(|row| row.amount).sum()
    }

    fn tasks(&mut self) {
        let causes = self.view.tasks.iter().all(|task| {
            let cause = task.park_cause.as_ref();
            task.park_class.is_some() && cause.is_some_and(|cause| !cause.is_empty())
        });
        self.must(causes, "a task is parked without a cause");
        let stages = [TaskKind::Reserve, TaskKind::Dispense, TaskKind::Validate];
        let stage = stages.into_iter().any(|kind| self.parked(kind));
        self.must(!self.is_pending() || stage, "it waits in silence");
    }

    fn goods(&mut self) {
        let Account { goods, supplier_contradicts: lied, .. } = *self.account;
        let dispensed = self.is(DispenseState::Dispensed);
        self.must(goods <= 1, "goods are out twice");
        self.must(!dispensed || goods == 1 || lied, "dispensed, and no goods are out");
        let told = self.parked(TaskKind::Case);
        let failed = self.is(DispenseState::Failed);
        self.must(!failed || goods == 0 || told, "failed, goods are out, and nobody is told");
        self.must(!self.has_no_funds() || goods == 0, "no funds, and goods are out");
    }

    /// The books are what the source has recorded.
    fn money(&mut self) {
        let dispensed = self.is(DispenseState::Dispensed);
        let failed = self.is(DispenseState::Failed);
        let settled = !self.parked(TaskKind::Settle) && !self.parked(TaskKind::Refund);
        let told = self.has_no_funds() && self.parked(TaskKind::Case);
        let unknown = self.parked(TaskKind::Reserve) || told;
        match self.account.money {
            None => self.must(self.view.ledger.is_empty(), "books without money"),
            Some(_) if unknown => {
                self.must(self.view.ledger.is_empty(), "books of the unknown");
            }
            Some(Money::Held) => {
                self.must(self.entry("reserved"), "a hold that the books do not know");
                let resolved = self.entry("captured") || self.entry("cancelled");
                self.must(!resolved, "settled in the books alone");
                let waits = self.parked(TaskKind::Settle) || self.is_pending();
                self.must(waits, "a hold that nobody settles");
            }
            Some(Money::Captured) => {
                self.must(dispensed, "captured and not dispensed");
                self.must(self.entry("captured") || !settled, "captured, and not in the books");
            }
            Some(Money::Cancelled) => {
                self.must(failed, "cancelled and not failed");
                self.must(self.entry("cancelled") || !settled, "cancelled, and not in the books");
            }
            Some(Money::Charged) => {
                self.must(self.entry("captured"), "a charge that the books do not know");
                let ends = [("kept", dispensed), ("owed", failed)];
                let told = ends.iter().any(|(name, holds)| *holds && self.entry(name));
                let waits = self.is_pending() || self.parked(TaskKind::Refund);
                self.must(told || waits, "a charge without an end");
            }
            Some(Money::Refunded) => {
                self.must(failed, "refunded and not failed");
                self.must(self.entry("refunded") || !settled, "refunded, and not in the books");
            }
        }
    }

    fn books(&mut self) {
        let (reserved, captured) = (self.sum(&["reserved"]), self.sum(&["captured"]));
        let resolved = captured.saturating_add(self.sum(&["cancelled"]));
        self.must(reserved >= resolved, "more is settled than reserved");
        let ends = self.sum(&["kept", "refunded", "owed"]);
        self.must(captured >= ends, "more ends than was captured");
        let owed = self.view.purchase.progress.settle == SettleState::Owed;
        let tasks = &self.view.tasks;
        let owes = tasks.iter().any(|task| task.park_class == Some(ParkClass::OwedToBuyer));
        self.must(owed == owes, "owed to the buyer, and not in front of a person");
    }

    fn told(&mut self) {
        let view = self.view;
        self.must(self.is_pending() == view.deliveries.is_empty(), "results without an end");
        for row in &view.deliveries {
            let ended = row.state == "sent" || row.state == "failed";
            let done = ended || self.parked(delivery_kind(row.slot));
            self.must(done, "a result is not delivered, and not given up");
            let message = format!("{}-n{}", view.purchase.order.id, row.slot);
            let taken = if delivery_kind(row.slot) == TaskKind::Deliver {
                self.account.acknowledged > 0
            } else {
                self.account.texts.contains_key(&message)
            };
            self.must(row.state != "sent" || taken, "acknowledged by nobody");
        }
        let Some(report) = &view.report else { return };
        let waits = self.is_pending() || self.parked(TaskKind::Report);
        self.must(report.state != "queued" || waits, "a report is neither made nor given up");
        let dispensed = self.is(DispenseState::Dispensed);
        self.must(report.success != Some(true) || dispensed, "success told and not dispensed");
    }
}
