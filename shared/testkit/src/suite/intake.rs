//! Taking purchases in: the refusal of similar ones.

use std::time::Duration;

use fleet_domain::{ClientId, Private, ProductId, PurchaseId, Scenario, TaskKey, TaskKind, later};
use fleet_store::{NewPurchase, Stored};

use super::{SuiteStore, claimed, commit, dispensed, failed};
use crate::samples::new_purchase;

/// A purchase of a client that wants no similar ones.
async fn unlike<S: SuiteStore>(store: &S, reference: &str) -> NewPurchase {
    let start_by = later(store.now().await, Duration::from_secs(600));
    let mut new = new_purchase(reference, Scenario::ClientReserved, start_by).unwrap();
    new.order.refuse_similar = true;
    new
}

async fn taken<S: SuiteStore>(store: &S, new: &NewPurchase) -> Stored {
    store.accept(std::slice::from_ref(new)).await.stored.pop().unwrap()
}

fn stored(one: &Stored) -> PurchaseId {
    match one {
        Stored::New(id, _) => *id,
        Stored::Same(..) | Stored::Conflict | Stored::Similar(_) => panic!("not new: {one:?}"),
    }
}

const fn dispense_of(purchase: PurchaseId) -> TaskKey {
    TaskKey { purchase, kind: TaskKind::Dispense, slot: 0 }
}

/// The purchase waits, and is taken once the goods of the one before are out.
pub async fn a_similar_purchase_waits_until_the_one_in_flight_has_ended<S: SuiteStore>(store: S) {
    let first = stored(&taken(&store, &unlike(&store, "ref-1").await).await);
    let second = unlike(&store, "ref-2").await;
    assert_eq!(taken(&store, &second).await, Stored::Similar(first));
    let job = claimed(&store, dispense_of(first)).await;
    assert_eq!(taken(&store, &second).await, Stored::Similar(first), "while it is being vended");
    commit(&store, dispensed(&job)).await;
    assert_eq!(stored(&taken(&store, &second).await), second.order.order.id);
}

/// Neither has anything in flight.
pub async fn a_failed_purchase_and_one_of_long_ago_keep_nobody_away<S: SuiteStore>(store: S) {
    let first = stored(&taken(&store, &unlike(&store, "ref-1").await).await);
    let job = claimed(&store, dispense_of(first)).await;
    commit(&store, failed(&job)).await;
    let second = stored(&taken(&store, &unlike(&store, "ref-2").await).await);
    let thirty_days = Duration::from_secs(30 * 86_400);
    store.advance(thirty_days.saturating_sub(Duration::from_secs(60))).await;
    assert_eq!(taken(&store, &unlike(&store, "ref-3").await).await, Stored::Similar(second));
    store.advance(Duration::from_secs(60)).await;
    stored(&taken(&store, &unlike(&store, "ref-4").await).await);
}

/// A retry is the same purchase, however it comes.
pub async fn the_same_reference_again_is_never_similar_to_itself<S: SuiteStore>(store: S) {
    let new = unlike(&store, "ref-1").await;
    let id = stored(&taken(&store, &new).await);
    let again = unlike(&store, "ref-1").await;
    let twice = store.accept(&[again.clone(), again]).await.stored;
    assert!(twice.iter().all(|one| matches!(one, Stored::Same(same, _) if *same == id)));
    let mut other = unlike(&store, "ref-1").await;
    other.order.content.rest = Private::new("another content");
    assert_eq!(taken(&store, &other).await, Stored::Conflict);
}

/// In their order; the same reference twice is one purchase.
pub async fn of_two_similar_ones_in_one_batch_the_first_is_stored<S: SuiteStore>(store: S) {
    let mut batch = Vec::new();
    for reference in ["ref-2", "ref-1", "ref-2", "ref-1"] {
        batch.push(unlike(&store, reference).await);
    }
    let told = store.accept(&batch).await.stored;
    let first = stored(&told[0]);
    assert_eq!(told[1], Stored::Similar(first));
    assert!(matches!(&told[2], Stored::Same(same, _) if *same == first), "{told:?}");
    assert_eq!(told[3], Stored::Similar(first));
}

/// And only purchases that are alike in all five fields are similar.
pub async fn only_clients_that_want_it_are_kept_from_similar_purchases<S: SuiteStore>(store: S) {
    stored(&taken(&store, &unlike(&store, "ref-1").await).await);
    let mut free = unlike(&store, "ref-2").await;
    free.order.refuse_similar = false;
    stored(&taken(&store, &free).await);
    let changes: [fn(&mut NewPurchase); 5] = [
        |new| new.order.order.client = ClientId(1002),
        |new| new.order.order.source = Private::new("27820000009"),
        |new| new.order.order.target = Private::new("27820000009"),
        |new| new.order.order.product = ProductId(102),
        |new| new.order.order.purchase_amount = 3_401,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut new = unlike(&store, &format!("other-{number}")).await;
        change(&mut new);
        stored(&taken(&store, &new).await);
    }
}
