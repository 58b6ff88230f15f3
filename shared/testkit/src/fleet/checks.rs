//! What a test asks of its fleet.

use std::collections::BTreeMap;
use std::time::Duration;

use fleet_domain::{ClientId, PurchaseId, PurchaseStatus, ReserveState, TaskKind, TaskState};
use fleet_simulator::{Call, Effect, EffectKind};
use fleet_store::{
    BacklogRow, DeadLetterFilter, DeadLetterView, FleetSummary, Holds, Invariant, ParkedFilter,
    ParkedTask, PurchaseView, Reference, invariants,
};

use super::{PATIENCE, TestFleet};

impl TestFleet {
    /// Everything about a purchase.
    pub async fn purchase(&self, id: PurchaseId) -> PurchaseView {
        let view = self.store().show_purchase(id).await.expect("the database answers");
        view.unwrap_or_else(|| panic!("there is no purchase {id}"))
    }

    /// Waits until a purchase is decided and nothing of it is left to do, then shows it.
    pub async fn wait_final(&self, id: PurchaseId) -> PurchaseView {
        self.until(&format!("purchase {id} to end"), async || {
            let view = self.purchase(id).await;
            view.purchase.status() != PurchaseStatus::Pending && view.tasks.is_empty()
        })
        .await;
        self.purchase(id).await
    }

    /// Waits until a purchase stands so for its client, whatever is left to do, then shows it.
    pub async fn wait_status(&self, id: PurchaseId, status: PurchaseStatus) -> PurchaseView {
        let is_so = async || self.purchase(id).await.purchase.status() == status;
        self.until(&format!("purchase {id} to be {status}"), is_so).await;
        self.purchase(id).await
    }

    /// Waits until a purchase's funds stand so, then shows it.
    pub async fn wait_reserve(&self, id: PurchaseId, state: ReserveState) -> PurchaseView {
        let is_so = async || self.purchase(id).await.purchase.progress.reserve == state;
        self.until(&format!("the funds of {id} to be {state}"), is_so).await;
        self.purchase(id).await
    }

    /// Waits until a person has to look at a purchase, then shows the task.
    pub async fn wait_parked(&self, id: PurchaseId) -> ParkedTask {
        let parked = async || self.parked().await.into_iter().find(|task| task.key.purchase == id);
        self.until(&format!("purchase {id} to be parked"), async || parked().await.is_some()).await;
        parked().await.expect("it was parked a moment ago")
    }

    /// All parked tasks.
    pub async fn parked(&self) -> Vec<ParkedTask> {
        let filter = ParkedFilter { limit: 1_000, ..ParkedFilter::default() };
        self.store().parked(&filter).await.expect("the database answers")
    }

    /// Waits until the purchase of a client's reference is stored; its number.
    pub async fn wait_stored(&self, client: i64, reference: &str) -> PurchaseId {
        let find = async || {
            let by = Reference::Client(reference.to_owned());
            let found = self.store().find_purchase(ClientId(client), &by).await;
            found.expect("the database answers").map(|purchase| purchase.order.id)
        };
        self.until(&format!("{reference} to be stored"), async || find().await.is_some()).await;
        find().await.expect("it was there a moment ago")
    }

    /// Waits until nothing is left to do, parked tasks excepted.
    pub async fn wait_idle(&self, patience: Duration) {
        let idle = async || self.open_tasks().await.is_empty();
        self.until_within(patience, "nothing left to do", idle).await;
    }

    /// What is left to do without a person, by kind and state.
    pub async fn open_tasks(&self) -> Vec<BacklogRow> {
        let rows = self.store().backlog().await.expect("the database answers");
        let open = |row: &BacklogRow| row.state != TaskState::Parked && row.tasks > 0;
        rows.into_iter().filter(open).collect()
    }

    /// The figures of all that the fleet has taken in, however far its clock was moved.
    pub async fn summary(&self) -> FleetSummary {
        let ever = Duration::from_secs(10 * 365 * 86_400);
        self.store().summary(ever).await.expect("the database answers")
    }

    /// Dead letters with their bodies, newest first.
    pub async fn letters(&self) -> Vec<DeadLetterView> {
        let filter = DeadLetterFilter { limit: 1_000, ..DeadLetterFilter::default() };
        let rows = self.store().dead_letters(&filter).await.expect("the database answers");
        let mut letters = Vec::new();
        for row in rows {
            let letter = self.store().dead_letter(row.id).await.expect("the database answers");
            letters.extend(letter);
        }
        letters
    }

    /// Waits until there are so many dead letters, then shows them.
    pub async fn wait_letters(&self, count: usize) -> Vec<DeadLetterView> {
        let what = format!("{count} dead letters");
        self.until(&what, async || self.letters().await.len() >= count).await;
        self.letters().await
    }

    /// What took effect for a purchase, in order.
    #[must_use]
    pub fn effects(&self, id: PurchaseId) -> Vec<Effect> {
        self.simulator().effects_of(&id.to_string())
    }

    /// How often something took effect for a purchase.
    #[must_use]
    pub fn count(&self, id: PurchaseId, kind: EffectKind) -> usize {
        self.effects(id).iter().filter(|effect| effect.kind == kind).count()
    }

    /// The calls for a purchase, in order; reports name a token instead.
    #[must_use]
    pub fn calls(&self, id: PurchaseId) -> Vec<Call> {
        let id = id.to_string();
        self.simulator().calls().into_iter().filter(|call| *call.purchase == *id).collect()
    }

    /// What holds at every instant, or also what holds once nothing is under way.
    pub async fn assert_invariants(&self, at: Holds) {
        let holds = |one: &&Invariant| one.holds == Holds::Always || at == Holds::Settled;
        for invariant in invariants().iter().filter(holds) {
            let found = self.store().violations(invariant, 10, PATIENCE).await;
            let found = found.expect("the database answers");
            assert_eq!(found, [], "{} {}", invariant.code, invariant.says);
        }
    }

    /// Money and goods: the books agree with themselves, nothing took effect twice, nobody outside
    /// saw anything that must not happen; and once nothing moves money any more, the books say what
    /// the banks' own records say.
    pub async fn assert_conserved(&self) {
        self.assert_invariants(Holds::Always).await;
        let books = self.summary().await.money;
        let summary = self.simulator().summary();
        assert_eq!(summary.violation_count(), 0, "{:#?}", summary.violations);
        assert_eq!(summary.duplicate_count(), 0, "{:?}", summary.duplicates);
        let backlog = self.store().backlog().await.expect("the database answers");
        let moves_money =
            |kind| matches!(kind, TaskKind::Reserve | TaskKind::Settle | TaskKind::Refund);
        if backlog.iter().any(|row| moves_money(row.kind) && row.tasks > 0) {
            return;
        }
        let mut outside: BTreeMap<EffectKind, i64> = BTreeMap::new();
        for effect in self.simulator().effects() {
            *outside.entry(effect.kind).or_default() += effect.amount;
        }
        let outside = |kind| outside.get(&kind).copied().unwrap_or(0);
        let sum = |of: fn(&fleet_store::MoneyRow) -> i64| books.iter().map(of).sum::<i64>();
        assert_eq!(sum(|row| row.reserved), outside(EffectKind::Reserve), "{books:#?}");
        assert_eq!(sum(|row| row.captured), outside(EffectKind::Capture), "{books:#?}");
        assert_eq!(sum(|row| row.cancelled), outside(EffectKind::Cancel), "{books:#?}");
        assert_eq!(sum(|row| row.refunded), outside(EffectKind::Refund), "{books:#?}");
    }

    /// [`TestFleet::wait_idle`] with the usual patience, then [`TestFleet::assert_conserved`].
    pub async fn assert_all_ended(&self) {
        self.wait_idle(PATIENCE).await;
        self.assert_conserved().await;
        self.assert_invariants(Holds::Settled).await;
    }
}
