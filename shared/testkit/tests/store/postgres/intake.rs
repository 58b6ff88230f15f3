//! Intake and look-ups.

use std::time::Duration;

use fleet_domain::{ClientId, Private, PurchaseId, Scenario, TaskKind, TaskState, WayIn, later};
use fleet_store::{NewPurchase, Reference, Store, Stored};
use fleet_testkit::TestDatabase;
use fleet_testkit::samples::{DISPENSE_LANE, new_purchase};
use sqlx::Connection;

async fn order(store: &Store, reference: &str, scenario: Scenario) -> NewPurchase {
    let start_by = later(store.now().await.unwrap(), Duration::from_secs(600));
    new_purchase(reference, scenario, start_by).unwrap()
}

fn words(stored: &[Stored]) -> Vec<&'static str> {
    let word = |one: &Stored| match one {
        Stored::New(..) => "new",
        Stored::Same(..) => "same",
        Stored::Conflict => "conflict",
        Stored::Similar(_) => "similar",
    };
    stored.iter().map(word).collect()
}

fn id_of(stored: &Stored) -> PurchaseId {
    match stored {
        Stored::New(id, _) | Stored::Same(id, _) => *id,
        Stored::Conflict | Stored::Similar(_) => panic!("it is not stored"),
    }
}

#[tokio::test]
async fn an_accepted_purchase_is_stored_with_its_first_task() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let mut new = order(&store, "ref-1", Scenario::ClientReserved).await;
    new.order.order.details.auth_code = Some("auth".to_owned());
    let accepted = store.accept(std::slice::from_ref(&new)).await.unwrap();
    let Stored::New(id, progress) = &accepted.stored[0] else { panic!("not new") };
    assert_eq!(progress.created_at, accepted.now);
    let view = store.show_purchase(*id).await.unwrap().unwrap();
    assert_eq!(view.purchase.order, new.order.order);
    assert_eq!(view.purchase.progress, **progress);
    assert_eq!(view.way_in, "http");
    let task = &view.tasks[0];
    assert_eq!((task.key.kind, task.state), (TaskKind::Dispense, TaskState::Queued));
    assert_eq!((task.lane, task.hinted_at), (DISPENSE_LANE, Some(accepted.now)));
    assert_eq!(task.due_at, later(accepted.now, Duration::from_secs(10)));
    assert_eq!(task.start_by, Some(new.order.order.start_by));
}

#[tokio::test]
async fn the_same_reference_again_is_the_same_purchase_or_a_conflict() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let first = order(&store, "ref-1", Scenario::ClientReserved).await;
    let mut same = order(&store, "ref-1", Scenario::ClientReserved).await;
    same.way_in = WayIn::Amqp;
    let mut other = same.clone();
    other.order.content.rest = Private::new("another content");
    let mut of_another_client = other.clone();
    of_another_client.order.order.client = ClientId(1002);
    of_another_client.order.order.id = PurchaseId::generate();
    other.order.order.id = PurchaseId::generate();
    let batch = [first.clone(), other.clone(), same.clone(), of_another_client];
    let accepted = store.accept(&batch).await.unwrap();
    assert_eq!(words(&accepted.stored), ["new", "conflict", "same", "new"]);
    assert_eq!(id_of(&accepted.stored[2]), first.order.order.id);
    let again = store.accept(&[other, same]).await.unwrap();
    assert_eq!(words(&again.stored), ["conflict", "same"]);
    let view = store.show_purchase(first.order.order.id).await.unwrap().unwrap();
    assert_eq!(view.way_in, "http");
    assert_eq!(view.tasks.len(), 1);
}

#[tokio::test]
async fn an_unknown_commit_run_again_answers_the_same() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let mut batch = Vec::new();
    for number in 0..50 {
        batch.push(order(&store, &format!("ref-{number}"), Scenario::WeReserve).await);
    }
    let first = store.accept(&batch).await.unwrap();
    assert!(words(&first.stored).iter().all(|word| *word == "new"));
    let again = store.accept(&batch).await.unwrap();
    for new in &mut batch {
        new.order.order.id = PurchaseId::generate();
    }
    let renewed = store.accept(&batch).await.unwrap();
    for stored in [&again.stored, &renewed.stored] {
        assert!(words(stored).iter().all(|word| *word == "same"));
        assert!(stored.iter().zip(&first.stored).all(|(one, two)| id_of(one) == id_of(two)));
    }
}

#[tokio::test]
async fn concurrent_batches_of_the_same_references_store_each_once() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let mut batches = tokio::task::JoinSet::new();
    for round in 0..6 {
        let mut batch = Vec::new();
        for number in 0..60 {
            batch.push(order(&store, &format!("ref-{number}"), Scenario::WeReserve).await);
        }
        if round % 2 == 1 {
            batch.reverse();
        }
        let store = store.clone();
        batches.spawn(async move { store.accept(&batch).await.unwrap().stored });
    }
    let mut ids = std::collections::HashMap::<PurchaseId, u32>::new();
    while let Some(stored) = batches.join_next().await {
        for one in stored.unwrap() {
            let new = u32::from(matches!(one, Stored::New(..)));
            *ids.entry(id_of(&one)).or_default() += new;
        }
    }
    assert_eq!(ids.len(), 60);
    assert!(ids.values().all(|new| *new == 1));
}

#[tokio::test]
async fn of_similar_purchases_that_come_at_the_same_time_one_is_stored() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let mut batches = tokio::task::JoinSet::new();
    for number in 0..8 {
        let mut batch = Vec::new();
        // Two that are similar to all others, and two that are similar to the other batches' alone.
        for (part, amount) in [(0, 3_400), (1, 3_400), (2, 5_000), (3, 6_000)] {
            let mut new =
                order(&store, &format!("ref-{number}-{part}"), Scenario::ClientReserved).await;
            new.order.order.purchase_amount = amount;
            new.order.refuse_similar = true;
            batch.push(new);
        }
        if number % 2 == 1 {
            batch.reverse();
        }
        let store = store.clone();
        batches.spawn(async move { store.accept(&batch).await.unwrap().stored });
    }
    let mut told: Vec<_> = Vec::new();
    while let Some(stored) = batches.join_next().await {
        told.extend(stored.unwrap());
    }
    let stored: Vec<_> = told.iter().filter(|one| matches!(one, Stored::New(..))).collect();
    assert_eq!(stored.len(), 3, "one of each amount: {:?}", words(&told));
    let ids: Vec<_> = stored.into_iter().map(id_of).collect();
    for one in &told {
        match one {
            Stored::New(..) => {}
            Stored::Similar(flying) => assert!(ids.contains(flying)),
            Stored::Same(..) | Stored::Conflict => panic!("each has a reference of its own"),
        }
    }
}

#[tokio::test]
async fn a_purchase_that_waited_for_another_intake_of_its_reference_is_told_what_that_stored() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let first = order(&store, "ref-0", Scenario::WeReserve).await;
    let first = id_of(&store.accept(&[first]).await.unwrap().stored[0]);
    let mut other = database.connection().await.unwrap();
    let mut holder = other.begin().await.unwrap();
    // Another intake that has written the reference and not committed yet.
    sqlx::query("update purchase set client_txn_ref = 'ref-1' where purchase = $1")
        .bind(first.0)
        .execute(&mut *holder)
        .await
        .unwrap();
    let second = order(&store, "ref-1", Scenario::WeReserve).await;
    let accept = tokio::spawn({
        let store = store.clone();
        async move { store.accept(&[second]).await }
    });
    super::until_blocked(&database).await;
    holder.commit().await.unwrap();
    let stored = accept.await.unwrap().expect("an answer about the reference").stored;
    assert_eq!((words(&stored), id_of(&stored[0])), (vec!["same"], first));
}

#[tokio::test]
async fn a_client_finds_its_own_purchases_of_the_last_thirty_days() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let new = order(&store, "ref-1", Scenario::ClientReserved).await;
    store.accept(std::slice::from_ref(&new)).await.unwrap();
    let id = new.order.order.id;
    let (own, stranger) = (ClientId(1001), ClientId(1002));
    let references = [
        Reference::Ours(id),
        Reference::Client("ref-1".to_owned()),
        Reference::Reservation("held-ref-1".to_owned()),
    ];
    for reference in &references {
        let found = store.find_purchase(own, reference).await.unwrap().unwrap();
        assert_eq!(found.order, new.order.order);
        assert_eq!(store.find_purchase(stranger, reference).await.unwrap(), None);
    }
    let nobody = Reference::Client("ref-2".to_owned());
    assert_eq!(store.find_purchase(own, &nobody).await.unwrap(), None);
    store.advance_clock(Duration::from_secs(30 * 86_400)).await.unwrap();
    for reference in &references {
        assert_eq!(store.find_purchase(own, reference).await.unwrap(), None);
    }
}

#[tokio::test]
async fn progress_is_told_for_the_purchases_that_exist() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let new = order(&store, "ref-1", Scenario::WeReserve).await;
    store.accept(std::slice::from_ref(&new)).await.unwrap();
    let asked = [PurchaseId::generate(), new.order.order.id];
    let told = store.progress_of(&asked).await.unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].0, new.order.order.id);
    assert_eq!(told[0].1.reserve, fleet_domain::ReserveState::Pending);
}
