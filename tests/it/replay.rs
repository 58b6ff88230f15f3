//! Dead letters are taken in again by operators: with the checks of today, each once a batch, and no
//! further when they come back.

use std::time::Duration;

use fleet_domain::PurchaseStatus::Success;
use fleet_store::{DeadLetterState, ImportMode, NewDeadLetter};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{Builder, Letter, client, purchase, sample};
use serde_json::{Value, json};
use uuid::Uuid;

/// Until the clock tells a hint that was never published from one that is on its way.
const UNHINTED: Duration = Duration::from_secs(240);
const WHY: [&str; 4] = ["--reason", "the client may buy now", "--actor", "anna"];

/// A fleet whose client 1002 is not open to the shop.
fn closed() -> Builder {
    TestFleet::builder()
        .directory(|import| client(import, 1002).broker_users = vec!["svc-other".to_owned()])
}

/// Mends what made the letters: the client is open to the shop.
async fn open(fleet: &TestFleet) {
    let mut import = sample(fleet.simulator_url("").trim_end_matches('/'));
    client(&mut import, 1002).broker_users = vec!["svc-shop".to_owned()];
    fleet.store().import(&import, ImportMode::Apply).await.unwrap();
}

/// A purchase of client 1002 as it is published.
fn message() -> Value {
    let mut body = purchase("0000");
    body["clientId"] = 1002.into();
    body["scenario"] = "client_reserved".into();
    body
}

/// Letters as the fleet keeps them, of purchases that are new.
pub(crate) async fn keep(fleet: &TestFleet, cause: &str, count: usize) -> Vec<Uuid> {
    let bodies: Vec<Value> = (0..count).map(|_| message()).collect();
    keep_bodies(fleet, cause, &bodies).await
}

/// Letters as the fleet keeps them, of these messages.
pub(crate) async fn keep_bodies(fleet: &TestFleet, cause: &str, bodies: &[Value]) -> Vec<Uuid> {
    let keyring = fleet.store().keyring().clone();
    let (mut letters, mut sealed, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
    for body in bodies {
        let (id, body) = (Uuid::now_v7(), body.to_string());
        letters.push(id);
        sealed.push(keyring.seal_bytes("dead_letter.body", id, body.as_bytes()));
        lengths.push(i32::try_from(body.len()).unwrap());
    }
    let sql = "insert into dead_letter (letter, received_at, queue, cause, message_id, headers,
                                        body_sealed, body_bytes)
               select l, fleet_now(), 'fleet.requested', $4, l::text,
                      '{\"fleet-user-id\": \"svc-shop\"}', s, n
               from unnest($1::uuid[], $2::bytea[], $3::integer[]) as a (l, s, n)";
    let query = sqlx::query(sql).bind(&letters).bind(sealed).bind(lengths).bind(cause);
    query.execute(&mut fleet.database().connection().await.unwrap()).await.unwrap();
    letters
}

/// The command's exit code, what it printed as JSON, and its last word.
pub(crate) async fn dead(fleet: &TestFleet, arguments: &[&str]) -> (Option<i32>, Value, String) {
    let mut all = vec!["--json", "dead"];
    all.extend(arguments);
    let output = fleet.run("fleet", &all).await;
    let error = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default(), error)
}

async fn replay(fleet: &TestFleet, which: &[&str]) -> (Option<i32>, Value, String) {
    dead(fleet, &[&["replay"], which, &WHY].concat()).await
}

fn counts(told: &Value) -> [i64; 5] {
    ["letters", "stored", "already_stored", "refused", "left"]
        .map(|name| told[name].as_i64().unwrap_or_else(|| panic!("no {name}: {told}")))
}

async fn assert_decided_well(fleet: &TestFleet) {
    let told = fleet.operator(&["verify", "--only", "D2,D3,P1,I1"]).await;
    assert_eq!(told["broken"], 0, "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_becomes_a_purchase_once_its_cause_is_mended() {
    let fleet = closed().start().await;
    fleet.allow_log("dead letter");
    let body = fleet.message(&message(), "client_reserved");
    fleet.shop().await.request(&Letter::purchase(&body)).await;
    let letter = fleet.wait_letters(1).await.remove(0).row.id.to_string();

    let (code, told, _) = replay(&fleet, &["--cause", "not_allowed", "--dry-run"]).await;
    assert_eq!((code, &told["causes"]), (Some(0), &json!({ "not_allowed": 1 })), "{told}");
    assert_eq!(dead(&fleet, &["replays"]).await.1["replays"], json!([]), "nothing began");
    let (code, told, error) = replay(&fleet, &["--cause", "not_allowed"]).await;
    assert_eq!((code, counts(&told)), (Some(1), [1, 0, 0, 1, 0]), "{error}");
    assert!(error.contains("1 letters came back"), "{error}");

    open(&fleet).await;
    let (code, told, error) = replay(&fleet, &[&letter]).await;
    assert_eq!((code, counts(&told)), (Some(0), [1, 1, 0, 0, 0]), "{error}");
    let batch = told["replay"].as_str().unwrap().to_owned();
    let id = fleet.wait_stored(1002, body["clientTxnRef"].as_str().unwrap()).await;
    fleet.advance_clock(UNHINTED).await;
    assert_eq!(fleet.wait_final(id).await.purchase.status(), Success);

    let (code, shown, _) = dead(&fleet, &["show", &letter]).await;
    assert_eq!(
        (code, &shown["state"], &shown["actor"]),
        (Some(0), &json!("stored"), &json!("anna"))
    );
    let decisions = shown["decisions"].as_array().unwrap();
    assert_eq!(decisions.len(), 2, "{shown}");
    assert_eq!(decisions[0]["detail"], "clientId is not open to this broker user");
    assert_eq!(decisions[1]["raas_txn_ref"], json!(id));
    assert!(decisions.iter().all(|one| one["reason"] == WHY[1] && one["actor"] == "anna"));
    for field in ["sourceIdentifier", "targetIdentifier"] {
        assert!(!shown.to_string().contains(body[field].as_str().unwrap()), "{field}: {shown}");
    }

    // The same again finds nothing, whichever way it is asked for.
    let (code, told, _) = replay(&fleet, &["--cause", "not_allowed"]).await;
    assert_eq!((code, &told["letters"]), (Some(0), &json!(0)));
    let (code, told, _) = dead(&fleet, &["continue", &batch]).await;
    assert_eq!((code, counts(&told)), (Some(0), [1, 1, 0, 0, 0]));
    let (code, _, error) = replay(&fleet, &[&letter]).await;
    assert!(code == Some(2) && error.contains(&letter), "{error}");
    // A letter of a purchase that is stored is no second purchase.
    let copies = keep(&fleet, "broker", 1).await;
    let keyring = fleet.store().keyring().clone();
    let sealed = keyring.seal_bytes("dead_letter.body", copies[0], body.to_string().as_bytes());
    let sql = "update dead_letter set body_sealed = $1 where letter = $2";
    let mut connection = fleet.database().connection().await.unwrap();
    sqlx::query(sql).bind(sealed).bind(copies[0]).execute(&mut connection).await.unwrap();
    let (code, told, error) = replay(&fleet, &["--cause", "broker"]).await;
    assert_eq!((code, counts(&told)), (Some(0), [1, 0, 1, 0, 0]), "{error}");
    let listed = dead(&fleet, &["replays"]).await.1;
    assert_eq!(listed["replays"].as_array().unwrap().len(), 3, "{listed}");
    assert_decided_well(&fleet).await;
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_stops_when_letters_come_back_and_goes_on_once_the_cause_is_mended() {
    let fleet = closed().workers(&[]).start().await;
    keep(&fleet, "newer_version", 100).await;
    let rest = [&["--cause", "newer_version", "--rate", "1000"][..]].concat();
    let (code, told, error) = replay(&fleet, &rest).await;
    assert_eq!((code, counts(&told)), (Some(1), [100, 0, 0, 20, 80]), "{error}");
    assert_eq!(told["state"], "stopped");
    assert!(error.contains("stopped: 20 of 100"), "{error}");
    let batch = told["replay"].as_str().unwrap().to_owned();
    let letters = fleet.letters().await;
    assert!(letters.len() == 100 && letters.iter().all(|l| l.row.state == DeadLetterState::New));
    let now = letters.iter().filter(|letter| letter.row.cause == "not_allowed").count();
    assert_eq!(now, 20, "with their cause as it is now");

    let (code, told, _) = dead(&fleet, &["continue", &batch]).await;
    assert_eq!((code, counts(&told)), (Some(1), [100, 0, 0, 40, 60]), "not mended");
    open(&fleet).await;
    let (code, told, error) = dead(&fleet, &["continue", &batch]).await;
    assert_eq!((code, counts(&told)), (Some(0), [100, 60, 0, 40, 0]), "{error}");
    assert_eq!(told["state"], "done");
    let (code, told, _) = replay(&fleet, &["--queue", "fleet.requested", "--limit", "30"]).await;
    assert_eq!((code, counts(&told)), (Some(0), [30, 30, 0, 0, 0]));
    let (code, told, _) = replay(&fleet, &["--queue", "fleet.requested"]).await;
    assert_eq!((code, counts(&told)), (Some(0), [10, 10, 0, 0, 0]));
    let letters = fleet.letters().await;
    assert!(letters.iter().all(|letter| letter.row.state == DeadLetterState::Stored));
    assert_decided_well(&fleet).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_broker_gave_up_is_its_users_whatever_its_headers_say() {
    let fleet = closed().workers(&[]).start().await;
    let (shop, administrator) = (fleet.shop().await, fleet.administrator().await);
    let forge = |letter: Letter| {
        let letter = letter.header("fleet-user-id", "svc-other").header("fleet-queue", "elsewhere");
        (0..40).fold(letter, |letter, n| letter.header(&format!("h{n:02}"), "x"))
    };
    let letter = |body: Value| forge(Letter::purchase(&fleet.message(&body, "client_reserved")));
    let mut own = message();
    own["clientId"] = 1001.into();
    shop.request(&letter(own.clone())).await;
    shop.request(&letter(message())).await;
    administrator.request(&letter(message())).await;
    for _ in 0..3 {
        administrator.reject_first(fleet_contracts::Queue::Requested).await;
    }
    fleet.start_worker("reservation").await;
    let kept = fleet.wait_letters(3).await;
    for letter in &kept {
        assert_eq!((&*letter.row.queue, &*letter.row.cause), ("fleet.requested", "broker"));
        assert_ne!(letter.headers["fleet-user-id"], "svc-other");
    }
    let (code, told, _) = replay(&fleet, &["--cause", "broker"]).await;
    assert_eq!((code, counts(&told)), (Some(1), [3, 1, 0, 2, 0]), "only the shop's own");
    fleet.wait_stored(1001, own["clientTxnRef"].as_str().unwrap()).await;
    let now = fleet.letters().await;
    let mut details: Vec<_> = now.iter().map(|letter| letter.row.detail.clone()).collect();
    details.sort();
    assert!(details[1].starts_with("clientId is not open"), "{details:?}");
    assert!(details[2].starts_with("user_id is missing"), "{details:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_is_refused_before_anything_is_done() {
    let fleet = closed().workers(&[]).start().await;
    let ids = keep(&fleet, "newer_version", 3).await;
    let hint = NewDeadLetter {
        id: Uuid::now_v7(),
        queue: "fleet.dispense".to_owned(),
        cause: "unreadable_hint".to_owned(),
        detail: "body is not JSON".to_owned(),
        message_id: None,
        headers: json!({}),
        body: b"x".to_vec(),
    };
    fleet.store().store_dead_letter(&hint).await.unwrap();
    let (first, hint, nobody) =
        (ids[0].to_string(), hint.id.to_string(), Uuid::now_v7().to_string());
    for (arguments, word) in [
        (vec![], "name letters"),
        (vec![&*first, &hint], &*hint),
        (vec![&*first, &nobody], &*nobody),
        (vec!["--queue", "fleet.dispense"], "nothing to replay"),
        (vec!["--cause", "bad luck"], "--cause"),
        (vec!["--limit", "10001"], "--limit"),
        (vec!["--limit", "0"], "--limit"),
        (vec!["--limit", "1", "--rate", "0"], "--rate"),
        (vec!["--limit", "1", "--stop-at", "101"], "--stop-at"),
        (vec![&*first, "--limit", "1"], "cannot be used with"),
        (vec!["no-id"], "no-id"),
    ] {
        let (code, _, error) = replay(&fleet, &arguments).await;
        assert!(code == Some(2) && error.contains(word), "{arguments:?}: {code:?} {error}");
    }
    for reason in ["", " ", "card 4111111111111111"] {
        let (code, _, error) = dead(&fleet, &["replay", &first, "--reason", reason]).await;
        assert!(code == Some(2) && error.contains("--reason"), "{reason}: {error}");
        assert!(!error.contains("4111"), "{error}");
    }
    assert_eq!(dead(&fleet, &["replay", &first]).await.0, Some(2), "no reason");
    for command in ["continue", "stop"] {
        assert_eq!(dead(&fleet, &[command, &nobody]).await.0, Some(1), "{command}");
    }
    assert_eq!(dead(&fleet, &["replays"]).await.1["replays"], json!([]), "nothing began");

    // Too many are refused by their number, and nobody's choice is cut in silence.
    let many =
        "insert into dead_letter (letter, received_at, queue, cause, body_sealed, body_bytes)
                select gen_random_uuid(), fleet_now(), 'fleet.requested', 'conflict', '', 0
                from generate_series(1, 10001)";
    let mut connection = fleet.database().connection().await.unwrap();
    sqlx::raw_sql(many).execute(&mut connection).await.unwrap();
    let (code, _, error) = replay(&fleet, &["--cause", "conflict"]).await;
    assert!(code == Some(2) && error.contains("10001 letters"), "{error}");
    let (code, told, _) =
        replay(&fleet, &["--cause", "conflict", "--limit", "5", "--dry-run"]).await;
    assert_eq!((code, &told["letters"]), (Some(0), &json!(5)));
    // None of these can be unsealed; that is their fault alone.
    let (code, told, _) = replay(&fleet, &["--cause", "conflict", "--limit", "2"]).await;
    assert_eq!((code, counts(&told)), (Some(1), [2, 0, 0, 2, 0]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_is_discarded_once_and_not_while_a_replay_has_it() {
    let fleet = closed().workers(&[]).start().await;
    let ids = keep(&fleet, "newer_version", 30).await;
    let ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
    let discard = async |ids: &[&str]| dead(&fleet, &[&["discard"], ids, &WHY].concat()).await;
    let (code, told, _) = discard(&[&ids[0], &ids[1]]).await;
    assert_eq!((code, &told["discarded"]), (Some(0), &json!([ids[0], ids[1]])));
    let (code, _, error) = discard(&[&ids[1], &ids[2]]).await;
    assert!(code == Some(2) && error.contains(&ids[1]) && !error.contains(&ids[2]), "{error}");
    assert_eq!(dead(&fleet, &["discard"]).await.0, Some(2));
    let shown = dead(&fleet, &["show", &ids[0]]).await.1;
    assert_eq!((&shown["state"], &shown["actor"]), (&json!("discarded"), &json!("anna")));
    assert_eq!(shown["decisions"][0]["action"], "discard", "{shown}");

    // A replay that died at once has all of its letters until it goes on or is stopped.
    let which = ["dead", "replay", "--cause", "newer_version"];
    let arguments = [&which[..], &WHY].concat();
    fleet.run_armed("fleet", &arguments, "replay/decide.before:1").await;
    let (code, _, error) = discard(&[&ids[5]]).await;
    assert!(code == Some(2) && error.contains("is in replay"), "{error}");
    let (code, told, _) = replay(&fleet, &["--cause", "newer_version"]).await;
    assert_eq!((code, &told["letters"]), (Some(0), &json!(0)), "none is offered twice");
    let batch = dead(&fleet, &["replays"]).await.1["replays"][0].clone();
    assert_eq!((&batch["state"], counts(&batch)), (&json!("open"), [28, 0, 0, 0, 28]));
    let batch = batch["replay"].as_str().unwrap().to_owned();
    assert_eq!(dead(&fleet, &["stop", &batch]).await.0, Some(0));
    assert_eq!(dead(&fleet, &["stop", &batch]).await.0, Some(2), "it has ended");
    // The dead process may have taken in what it had read; the rest is anybody's again.
    let (code, _, error) = discard(&[&ids[5]]).await;
    assert!(code == Some(2) && error.contains("is in replay"), "{error}");
    assert_eq!(discard(&[&ids[25]]).await.0, Some(0));
    open(&fleet).await;
    let (code, told, error) = dead(&fleet, &["continue", &batch]).await;
    assert_eq!((code, counts(&told)), (Some(0), [28, 27, 0, 0, 0]), "{error}");
    assert_eq!(told["decided_before"], 1);
    let purchases: i64 = fleet.summary().await.purchases.iter().map(|row| row.purchases).sum();
    assert_eq!(purchases, 27, "what was discarded is none");
    assert_decided_well(&fleet).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_of_one_replay_decide_each_letter_once() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    keep(&fleet, "newer_version", 300).await;
    let begin = [&["dead", "replay", "--cause", "newer_version", "--rate", "1000"][..], &WHY];
    fleet.run_armed("fleet", &begin.concat(), "replay/decide.before:1").await;
    let batch = dead(&fleet, &["replays"]).await.1["replays"][0]["replay"].clone();
    let go_on = ["continue", batch.as_str().unwrap()];
    let (one, other) = tokio::join!(dead(&fleet, &go_on), dead(&fleet, &go_on));
    assert_eq!((one.0, other.0), (Some(0), Some(0)), "{} {}", one.2, other.2);
    let view = fleet.store().replays(1, None).await.unwrap().remove(0);
    assert_eq!((view.left, view.stored + view.already_stored), (0, 300), "{view:?}");
    let purchases: i64 = fleet.summary().await.purchases.iter().map(|row| row.purchases).sum();
    assert_eq!(purchases, 300);
    assert_decided_well(&fleet).await;
}

/// The command's connections, as Postgres sees them.
async fn connections(fleet: &TestFleet) -> i64 {
    let sql = "select count(*) from pg_stat_activity
               where datname = current_database() and application_name = 'fleet-fleet'";
    let mut connection = fleet.database().connection().await.unwrap();
    sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_outlasts_connections_that_are_cut_under_its_statements() {
    let fleet = TestFleet::builder().workers(&[]).with_database_proxy().start().await;
    keep(&fleet, "newer_version", 200).await;
    let store = fleet.store();
    let cuts = async {
        for decided in [20, 70, 120] {
            let is_there = async || {
                let replays = store.replays(1, None).await.unwrap();
                replays.first().is_some_and(|view| view.letters - view.left >= decided)
            };
            fleet.until(&format!("{decided} letters to be decided"), is_there).await;
            fleet.database_proxy().cut();
            fleet
                .until("the connections to be gone", async || connections(&fleet).await == 0)
                .await;
            fleet.database_proxy().heal();
        }
    };
    let which = ["--cause", "newer_version", "--rate", "50"];
    let ((code, told, error), ()) = tokio::join!(replay(&fleet, &which), cuts);
    assert_eq!(code, Some(0), "{error}");
    assert_eq!((&told["state"], counts(&told)[4]), (&json!("done"), 0), "{told}");
    assert_eq!(counts(&told)[1] + counts(&told)[2], 200, "{told}");
    assert_decided_well(&fleet).await;
}
