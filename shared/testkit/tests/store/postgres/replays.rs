//! Replays of dead letters: who decides first, each letter once, and how a batch ends.

use fleet_domain::PurchaseId;
use fleet_store::{
    DeadLetterState, LetterOutcome, NewReplay, ReplayEnd, ReplayView, Store, StoreError, Unfit,
};
use fleet_testkit::TestDatabase;
use serde_json::json;
use sqlx::postgres::PgDatabaseError;
use uuid::Uuid;

use super::operations::letter;
use super::until_blocked;

async fn letters(store: &Store, count: usize) -> Vec<Uuid> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let new = letter("newer_version");
        store.store_dead_letter(&new).await.unwrap();
        ids.push(new.id);
    }
    ids
}

async fn begin(store: &Store, letters: &[Uuid], actor: &str) -> Result<Uuid, Vec<(Uuid, Unfit)>> {
    let (id, criteria) = (Uuid::now_v7(), json!({ "named": letters.len() }));
    let reason = "the build reads them now";
    let new = NewReplay { id, letters, criteria: &criteria, rate: 7, stop_at: 20, reason, actor };
    let unfit = store.begin_replay(&new).await.unwrap();
    if unfit.is_empty() { Ok(id) } else { Err(unfit) }
}

async fn view(store: &Store, replay: Uuid) -> ReplayView {
    store.replay(replay).await.unwrap().unwrap()
}

async fn left(store: &Store, replay: Uuid) -> Vec<Uuid> {
    let left = store.replay_letters(replay, 256).await.unwrap();
    left.into_iter().map(|letter| letter.letter).collect()
}

fn refused() -> LetterOutcome {
    LetterOutcome::Refused { cause: "invalid".to_owned(), detail: "v must be 1".to_owned() }
}

fn stored() -> LetterOutcome {
    LetterOutcome::Stored(PurchaseId(Uuid::now_v7()), true)
}

#[tokio::test]
async fn of_two_operators_the_one_who_is_first_has_the_letter() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let ids = letters(&store, 3).await;
    let (anna, bert, discarded) = tokio::join!(
        begin(&store, &ids, "anna"),
        begin(&store, &ids, "bert"),
        store.discard_letters(&ids, "no order", "carl"),
    );
    let discarded = discarded.unwrap().is_empty();
    let won = [anna.is_ok(), bert.is_ok(), discarded];
    assert_eq!(won.iter().filter(|won| **won).count(), 1, "{anna:?} {bert:?} {discarded}");

    // One after the other, while the first one's transaction is open.
    let ids = letters(&store, 2).await;
    let mut first = database.connection().await.unwrap();
    let begun = "begin; select fleet_begin_replay_v1('00000000-0000-0000-0000-0000000000aa',
                 array(select letter from dead_letter where state = 'new' order by received_at desc
                       limit 2), '{}', 1, 1, 'r', 'anna')";
    sqlx::raw_sql(begun).execute(&mut first).await.unwrap();
    let second = store.discard_letters(&ids, "no order", "bert");
    let (second, ()) = tokio::join!(second, async {
        until_blocked(&database).await;
        sqlx::raw_sql("commit").execute(&mut first).await.unwrap();
    });
    let replay = Uuid::from_u128(0xaa);
    let unfit = ids.iter().map(|id| (*id, Unfit::InReplay(replay))).collect::<Vec<_>>();
    assert_eq!(second.unwrap(), unfit);
    let taken: Vec<_> = store.replayable(None, 10).await.unwrap().letters;
    assert!(taken.iter().all(|(id, _)| !ids.contains(id)), "nobody is offered what one has");
}

#[tokio::test]
async fn a_letter_is_decided_once_a_replay_with_who_and_why() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let ids = letters(&store, 3).await;
    let replay = begin(&store, &ids, "anna").await.unwrap();
    assert_eq!(left(&store, replay).await, ids, "oldest first");
    let outcomes = [(ids[0], stored()), (ids[1], refused())];
    assert_eq!(store.decide_letters(replay, &outcomes).await.unwrap().len(), 2);
    let again = [(ids[0], refused()), (ids[1], stored())];
    assert_eq!(store.decide_letters(replay, &again).await.unwrap(), [], "once");
    assert!(!store.end_replay(replay, ReplayEnd::Done).await.unwrap(), "one is left");
    assert_eq!(left(&store, replay).await, ids[2..]);

    let row = async |id| store.dead_letter(id).await.unwrap().unwrap().row;
    let first = row(ids[0]).await;
    assert_eq!((first.state, first.actor.as_deref()), (DeadLetterState::Stored, Some("anna")));
    let second = row(ids[1]).await;
    assert_eq!((second.state, second.actor.as_deref()), (DeadLetterState::New, None));
    assert_eq!((&*second.cause, &*second.detail), ("invalid", "v must be 1"), "as it is now");
    let told = store.letter_decisions(ids[0]).await.unwrap();
    assert_eq!((told.len(), &*told[0].outcome, told[0].replay), (1, "stored", Some(replay)));
    assert_eq!((&*told[0].actor, &*told[0].reason), ("anna", "the build reads them now"));

    // What was refused is a letter like any other; what is stored is none.
    let other = begin(&store, &[ids[1]], "bert").await.unwrap();
    assert_eq!(begin(&store, &[ids[0]], "bert").await, Err(vec![(ids[0], Unfit::Decided)]));
    store.decide_letters(other, &[(ids[1], stored())]).await.unwrap();
    assert!(store.end_replay(other, ReplayEnd::Done).await.unwrap());
    assert_eq!(store.letter_decisions(ids[1]).await.unwrap().len(), 2);

    let mut connection = database.connection().await.unwrap();
    let twice = "insert into dead_letter_decision
                   (letter, replay, outcome, cause, detail, actor, reason)
                 select letter, replay, 'refused', 'c', 'd', actor, reason
                 from dead_letter_decision where outcome = 'stored' limit 1";
    let twice = sqlx::raw_sql(twice).execute(&mut connection).await.unwrap_err();
    assert!(twice.as_database_error().unwrap().is_unique_violation(), "{twice}");
}

#[tokio::test]
async fn two_processes_of_a_replay_mark_letters_one_after_the_other() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let ids = letters(&store, 3).await;
    let replay = begin(&store, &ids, "anna").await.unwrap();
    let mut first = database.connection().await.unwrap();
    sqlx::raw_sql("begin").execute(&mut first).await.unwrap();
    let mark = "select letter from fleet_replay_letters_v1($1, 1)";
    let marked: Uuid = sqlx::query_scalar(mark).bind(replay).fetch_one(&mut first).await.unwrap();
    assert_eq!(marked, ids[0]);
    let mut second = database.connection().await.unwrap();
    sqlx::raw_sql("set lock_timeout = '1ms'").execute(&mut second).await.unwrap();
    let other = "select 1 from replay where replay = $1 for key share";
    sqlx::query(other).bind(replay).execute(&mut second).await.expect("its decisions go on");
    let waits = sqlx::query(mark).bind(replay).execute(&mut second).await.unwrap_err();
    let waits = waits.as_database_error().unwrap();
    assert!(waits.message().contains("lock timeout"), "{waits}");
    let statement = waits.downcast_ref::<PgDatabaseError>().r#where().unwrap();
    assert!(statement.contains("from replay p"), "it holds no letter yet: {statement}");
    sqlx::raw_sql("commit").execute(&mut first).await.unwrap();
    assert_eq!(left(&store, replay).await, ids);
}

#[tokio::test]
async fn a_stopped_replay_lets_go_of_its_letters_and_goes_on_with_those_that_are_left() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let ids = letters(&store, 3).await;
    let replay = begin(&store, &ids, "anna").await.unwrap();
    store.decide_letters(replay, &[(ids[0], refused())]).await.unwrap();
    assert!(store.end_replay(replay, ReplayEnd::Stopped).await.unwrap());
    assert!(!store.end_replay(replay, ReplayEnd::Done).await.unwrap(), "it has ended");
    assert!(left(&store, replay).await.is_empty(), "nobody works on it");
    assert_eq!(store.discard_letters(&ids[1..2], "no order", "bert").await.unwrap(), []);

    assert!(store.continue_replay(replay).await.unwrap());
    assert_eq!(view(&store, replay).await.ended, None);
    let unfit = store.discard_letters(&ids[2..], "no order", "bert").await.unwrap();
    assert_eq!(unfit, [(ids[2], Unfit::InReplay(replay))]);
    let found = store.replay_letters(replay, 256).await.unwrap();
    let new: Vec<_> = found.iter().map(|letter| (letter.letter, letter.is_new)).collect();
    assert_eq!(new, [(ids[1], false), (ids[2], true)], "what was discarded is not taken in");
    let outcomes = [(ids[1], LetterOutcome::DecidedBefore), (ids[2], refused())];
    let decided = store.decide_letters(replay, &outcomes).await.unwrap();
    let outcome = |id| decided.iter().find(|(letter, _)| *letter == id).unwrap().1.clone();
    assert_eq!((outcome(ids[1]), outcome(ids[2])), ("decided_before".into(), "refused".into()));
    assert!(store.end_replay(replay, ReplayEnd::Done).await.unwrap());
    let ended = view(&store, replay).await;
    let counts = (ended.letters, ended.stored, ended.refused, ended.decided_before, ended.left);
    assert_eq!((counts, ended.ended), ((3, 0, 2, 1, 0), Some(ReplayEnd::Done)));

    assert!(store.continue_replay(replay).await.unwrap());
    assert_eq!(view(&store, replay).await.ended, Some(ReplayEnd::Done), "nothing is left of it");
    assert!(!store.continue_replay(Uuid::nil()).await.unwrap());
    assert_eq!(store.replays(5, None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_letter_that_may_be_a_purchase_already_stays_with_its_stopped_replay() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let ids = letters(&store, 2).await;
    let replay = begin(&store, &ids, "anna").await.unwrap();
    assert_eq!(store.replay_letters(replay, 1).await.unwrap()[0].letter, ids[0]);
    assert!(store.end_replay(replay, ReplayEnd::Stopped).await.unwrap());
    let held = vec![(ids[0], Unfit::InReplay(replay))];
    assert_eq!(store.discard_letters(&ids, "no order", "bert").await.unwrap(), held);
    assert_eq!(begin(&store, &ids, "bert").await, Err(held));
    let other = begin(&store, &ids[1..], "bert").await.unwrap();
    store.decide_letters(other, &[(ids[1], stored())]).await.unwrap();
    assert!(store.continue_replay(replay).await.unwrap());
    store.decide_letters(replay, &[(ids[0], stored())]).await.unwrap();
    assert!(!store.end_replay(replay, ReplayEnd::Done).await.unwrap());
    let outcomes = [(ids[1], LetterOutcome::DecidedBefore)];
    store.decide_letters(replay, &outcomes).await.unwrap();
    assert!(store.end_replay(replay, ReplayEnd::Done).await.unwrap());
}

#[tokio::test]
async fn what_cannot_be_replayed_is_named_and_nothing_begins() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let ids = letters(&store, 1).await;
    let mut hint = letter("unreadable_hint");
    hint.queue = "fleet.dispense".to_owned();
    store.store_dead_letter(&hint).await.unwrap();
    let all = [Uuid::nil(), ids[0], hint.id];
    let unfit = vec![(Uuid::nil(), Unfit::NoLetter), (hint.id, Unfit::OtherQueue)];
    assert_eq!(store.unfit_letters(&all).await.unwrap(), unfit);
    assert_eq!(begin(&store, &all, "anna").await, Err(unfit));
    assert_eq!(store.replays(5, None).await.unwrap(), []);
    let found = store.replayable(None, 1).await.unwrap();
    let mine = vec![(ids[0], "newer_version".to_owned())];
    assert_eq!((found.letters, found.matching), (mine, 1));
    assert_eq!(store.replayable(Some("conflict"), 1).await.unwrap().letters, []);
    assert_eq!(store.discard_letters(&[hint.id], "no task", "anna").await.unwrap(), []);
    let criteria = json!({});
    let many = vec![Uuid::nil(); 10_001];
    for letters in [&many[..], &[]] {
        let (id, reason, actor) = (Uuid::now_v7(), "r", "a");
        let new =
            NewReplay { id, letters, criteria: &criteria, rate: 1, stop_at: 1, reason, actor };
        let refused = store.begin_replay(&new).await;
        assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
    }
}
