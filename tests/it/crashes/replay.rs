//! A replay of 10,000 letters dies, before and after it writes what became of them.

use fleet_store::ReplayEnd;
use fleet_testkit::TestFleet;

use crate::replay::{dead, keep};

const LETTERS: i64 = 10_000;
const REPLAY: [&str; 8] = [
    "dead",
    "replay",
    "--cause",
    "newer_version",
    "--rate",
    "10000",
    "--reason",
    "this build reads them",
];

async fn count(fleet: &TestFleet, sql: &'static str) -> i64 {
    let mut connection = fleet.database().connection().await.unwrap();
    sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a32_a_replay_of_ten_thousand_that_dies_six_times_goes_on_and_decides_each_letter_once() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    keep(&fleet, "newer_version", usize::try_from(LETTERS).unwrap()).await;
    fleet.run_armed("fleet", &REPLAY, "replay/decide.before:1").await;
    let store = fleet.store();
    let newest = async || store.replays(1, None).await.unwrap().remove(0);
    let id = newest().await.id.to_string();
    let go_on = ["dead", "continue", &id];
    for (letter, point, near) in [
        (1, "decide.after", 1..257),
        (5_000, "decide.before", 4_744..5_000),
        (5_000, "decide.after", 5_000..5_256),
        (9_999, "decide.before", 9_743..9_999),
        (9_999, "decide.after", 9_999..10_001),
    ] {
        let view = newest().await;
        assert_eq!((view.ended, view.letters), (None, LETTERS), "{point} {letter}");
        // Each process counts those that it comes by itself.
        let own = letter - (LETTERS - view.left);
        fleet.run_armed("fleet", &go_on, &format!("replay/{point}:{own}")).await;
        let decided = LETTERS - newest().await.left;
        assert!(near.contains(&decided), "{point} {letter}: {decided} were decided");
    }
    let (code, ended, _) = dead(&fleet, &go_on[1..]).await;
    assert_eq!((code, &ended["left"], &ended["state"]), (Some(0), &0.into(), &"done".into()));
    let view = newest().await;
    assert_eq!((view.ended, view.left), (Some(ReplayEnd::Done), 0));
    assert_eq!(view.stored + view.already_stored, LETTERS, "{view:?}");
    // What a dead process had taken in and not decided was a purchase already.
    assert!((22..533).contains(&view.already_stored), "{view:?}");
    let (code, second, _) = dead(&fleet, &REPLAY[1..]).await;
    assert_eq!((code, &second["letters"]), (Some(0), &0.into()), "a second one finds nothing");

    for sql in [
        "select count(*) from purchase",
        "select count(*) from task",
        "select count(*) from dead_letter where state = 'stored'",
        "select count(*) from dead_letter_decision",
        "select count(distinct (letter, purchase)) from dead_letter_decision",
    ] {
        assert_eq!(count(&fleet, sql).await, LETTERS, "{sql}");
    }
    let verified = fleet.operator(&["verify", "--only", "D2,D3,I1,P1"]).await;
    assert_eq!(verified["broken"], 0, "{verified}");
}
