//! `fleet verify`: what must hold does, under load and at rest, and every broken row is found.

use fleet_domain::PurchaseId;
use fleet_store::{Holds, invariants};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::purchase;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

/// An invariant, and a statement that breaks it.
const CORRUPTIONS: &[(&str, &str)] = &[
    (
        "M1",
        "update ledger_entry set amount = amount + 1 where step = 1 and purchase = (select purchase from purchase where settle_state = 'settle_refused')",
    ),
    ("M2", "update ledger_entry set amount = amount + 1 where entry = 'captured'"),
    ("M3", "update ledger_entry set amount = amount + 1 where step = 1"),
    (
        "M4",
        "delete from ledger_entry where purchase in (select purchase from purchase where settle_state = 'captured')",
    ),
    (
        "M5",
        "update purchase set dispense_state = 'dispense_unknown' where settle_state = 'captured'",
    ),
    ("M6", "update purchase set dispense_state = 'dispensed' where settle_state = 'cancelled'"),
    ("M7", "delete from ledger_entry where entry = 'kept'"),
    ("M8", "update purchase set settle_state = 'cancelled' where settle_state = 'captured'"),
    ("M9", "update purchase set settle_as = 'cancel' where settle_as = 'capture'"),
    ("M10", "delete from task where kind = 3"),
    (
        "S1",
        "update purchase set reserve_state = 'reservation_unknown' where settle_state = 'captured'",
    ),
    (
        "S2",
        "update purchase set dispense_state = 'dispense_unknown' where settle_state = 'captured'",
    ),
    (
        "S3",
        "update purchase set dispense_state = 'dispense_pending' where scenario = 'client_reserved'",
    ),
    ("S4", "delete from task where kind in (3, 4)"),
    (
        "S5",
        "insert into task (purchase, kind, state, due_at, lane, client, created_at) select purchase, 2, 1, now(), 1, 1, now() from purchase where settle_state = 'captured'",
    ),
    (
        "S6",
        "insert into task (purchase, kind, state, due_at, lane, client, created_at) values (gen_random_uuid(), 2, 1, now(), 1, 1, now())",
    ),
    ("S7", "update task set token = gen_random_uuid() where state = 4"),
    (
        "S8",
        "update task set state = 3, due_at = fleet_now() - interval '1 hour', hinted_at = fleet_now() - interval '1 hour' where state = 4",
    ),
    ("S9", "delete from journal; delete from task"),
    (
        "E5",
        "insert into journal (purchase, kind, ref_no, outcome) select purchase, 2, 1, 'dispensed' from purchase where settle_state = 'captured'",
    ),
    (
        "E6",
        "insert into journal (purchase, kind, outcome) select purchase, 2, 'refused_for_now' from purchase where settle_state = 'captured'",
    ),
    (
        "E7",
        "insert into journal (purchase, kind, token, outcome) select purchase, kind, token, outcome from journal where token is not null limit 1",
    ),
    (
        "N1",
        "update purchase set dispense_state = 'dispense_unknown' where settle_state = 'captured'",
    ),
    ("N2", "update delivery set attempts = 0 where state = 'sent'"),
    ("N3", "update delivery set last_status = 500 where state = 'sent'"),
    ("N4", "update delivery set state = 'retrying' where state = 'sent'"),
    ("N5", "update delivery set attempts = attempts + 9 where state = 'sent'"),
    ("N6", "delete from result"),
    ("N7", "update result set seq = 7 where purchase = (select purchase from result limit 1)"),
    ("N8", "update delivery set slot = 101 where slot = 100"),
    ("N9", "delete from delivery where slot >= 200"),
    (
        "N10",
        "insert into undelivered (purchase, slot, client_id, channel, state, ended_at) select purchase, slot, client_id, channel, 'failed', now() from delivery where state = 'sent' limit 1",
    ),
    ("F1", "update fraud_token set told = 'failed_sent' where told = 'success_sent'"),
    ("F2", "update fraud_report set success = false where success"),
    ("F3", "update fraud_report set state = 'queued' where state = 'reported'"),
    (
        "F4",
        "insert into task (purchase, kind, state, due_at, lane, client, token, lease, created_at) select purchase, 7, 2, now(), 1, 1, gen_random_uuid(), fleet_now() + interval '1 hour', now() from fraud_report where token_hash is not null",
    ),
    (
        "F5",
        "update fraud_token set busy_with = gen_random_uuid(), busy_until = fleet_now() + interval '1 hour'",
    ),
    (
        "I1",
        "alter table purchase drop constraint purchase_client_id_client_txn_ref_key; update purchase set client_id = 1, client_txn_ref = 'same'",
    ),
    (
        "I6",
        "alter table fact drop constraint fact_once; insert into fact (source, fact_type, reference, status, external_id, meaning, received_at) select source, fact_type, reference, status, external_id, meaning, received_at from fact",
    ),
    (
        "I7",
        "insert into fact (source, fact_type, reference, status, external_id, meaning, purchase, kind, slot, received_at) select 'test', 'settle', 'r', '0000', 'e', '', purchase, kind, slot, parked_at + interval '1 s' from task where state = 4 and kind = 3",
    ),
    ("T1", "update delivery set client_id = client_id + 1"),
    (
        "D2",
        "insert into dead_letter (letter, received_at, queue, cause, body_sealed, body_bytes, state) values (gen_random_uuid(), now(), 'q', 'c', '', 0, 'discarded')",
    ),
    (
        "D3",
        "insert into dead_letter (letter, received_at, queue, cause, body_sealed, body_bytes) values ('00000000-0000-0000-0000-000000000001', now(), 'q', 'c', '', 0); insert into replay (replay, actor, reason, criteria, letters, rate, stop_at, ended, ended_at) values ('00000000-0000-0000-0000-000000000002', 'a', 'r', '{}', 1, 1, 1, 'done', now()); insert into replay_letter (replay, letter) select '00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000001'",
    ),
    (
        "D5",
        "insert into fact_decision (fact, action, reason, actor) select fact, 'discarded', 'r', 'a' from fact where purchase is not null limit 1",
    ),
    (
        "P1",
        "insert into journal (purchase, kind, outcome, detail) select purchase, 2, 'told', 'paid by 4111111111111111, it said' from purchase",
    ),
    ("P2", "update client set api_key_hashes = array['a'::bytea]"),
];

async fn buy(fleet: &TestFleet, code: &str, extra: Value) -> PurchaseId {
    let mut body = purchase(code);
    let (fields, extra) = (body.as_object_mut().unwrap(), extra.as_object().unwrap().clone());
    fields.extend(extra);
    if fields.contains_key("reserveFundsTxnRef") {
        return fleet.transact(&body).await.reference();
    }
    fleet.reserve_and_transact(&body).await.reference()
}

/// One purchase of every end.
async fn every_end(fleet: &TestFleet) {
    let token =
        || json!({ "additionalData": { "fraud": { "token": "token-1", "userIp": "192.0.2.1" } } });
    let mut ids = Vec::new();
    for (code, extra) in [
        ("0000", token()),
        ("9201", token()),
        ("9101", json!({})),
        ("0000", json!({ "reserveFundsTxnRef": "held-1" })),
        ("0000", json!({ "productId": 102 })),
        ("0000", json!({ "additionalData": { "notify": ["sms"] } })),
        ("9202", json!({})),
        ("0000", json!({ "fundingSourceId": "sample-wallet" })),
        ("9201", json!({ "fundingSourceId": "sample-wallet" })),
    ] {
        ids.push(buy(fleet, code, extra).await);
    }
    let message = json!({
        "clientId": 1001, "clientNotificationRef": "note-1", "transactionRef": ids[0],
        "channelId": 6, "destinationIdentifier": "27821234567", "message": "hello",
    });
    assert_eq!(fleet.post("/notification/1.0", &message).await.status, 200);
    for id in ids {
        fleet.wait_final(id).await;
    }
    let owed = buy(fleet, "9201", json!({ "fundingSourceId": "sample-wallet-plain" })).await;
    let refused = buy(fleet, "9124", json!({})).await;
    for id in [owed, refused] {
        fleet.wait_parked(id).await;
    }
    fleet.wait_idle(fleet_testkit::fleet::PATIENCE).await;
}

/// Rows that break the invariant of a code, on this connection.
async fn broken(connection: &mut PgConnection, code: &str) -> usize {
    let invariant = invariants().iter().find(|one| one.code == code).unwrap();
    let rows = sqlx::query(AssertSqlSafe(invariant.sql)).fetch_all(connection).await.unwrap();
    for row in &rows {
        let detail: String = row.get("detail");
        let _id: Option<uuid::Uuid> = row.get("purchase");
        assert!(!detail.is_empty(), "{code} says what is wrong");
    }
    rows.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_invariant_finds_the_rows_that_break_it_and_none_of_a_clean_run() {
    let fleet = TestFleet::start().await;
    every_end(&fleet).await;
    fleet.assert_all_ended().await;
    let mut connection = fleet.database().connection().await.unwrap();
    for invariant in invariants() {
        assert_eq!(broken(&mut connection, invariant.code).await, 0, "{}", invariant.code);
        let corruption = CORRUPTIONS.iter().find(|(code, _)| *code == invariant.code);
        let (code, sql) = corruption.unwrap_or_else(|| panic!("nothing breaks {}", invariant.code));
        let mut transaction = connection.begin().await.unwrap();
        sqlx::raw_sql(*sql)
            .execute(&mut *transaction)
            .await
            .unwrap_or_else(|error| panic!("{code}: {error}"));
        assert!(broken(&mut transaction, code).await > 0, "{code} does not see: {sql}");
        transaction.rollback().await.unwrap();
    }
    assert_eq!(CORRUPTIONS.len(), invariants().len());

    let simulator = fleet.simulator_url("");
    let simulator = simulator.trim_end_matches('/');
    let all = ["verify", "--settled", "--simulator", simulator];
    let told = fleet.operator(&all).await;
    assert_eq!(told["broken"], 0, "{told}");
    let looked_at = told["invariants"].as_array().unwrap().len();
    assert_eq!(looked_at, invariants().len() + 2, "and E1, E4");

    // For good, to see what an operator sees.
    let victim = "update ledger_entry set amount = amount + 1 where step = 1";
    sqlx::raw_sql(victim).execute(&mut connection).await.unwrap();
    let output = fleet.run("fleet", &all).await;
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    for word in ["M1 is broken", "M3 is broken", "E4 is broken", "What to do: "] {
        assert!(text.contains(word), "{word} is not in {text}");
    }
    let only = fleet.run("fleet", &["verify", "--only", "S1,M2", "--json"]).await;
    assert_eq!(only.status.code(), Some(1));
    let only: Value = serde_json::from_slice(&only.stdout).unwrap();
    assert_eq!((&only["held"], &only["broken"]), (&json!(1), &json!(1)), "{only}");
    let unknown = fleet.run("fleet", &["verify", "--only", "Q9"]).await;
    assert_eq!(unknown.status.code(), Some(2));
    let listed = fleet.operator(&["verify", "--list"]).await;
    assert_eq!(listed["invariants"].as_array().unwrap().len(), invariants().len());

    // A process that watches has seen it, and says so.
    fleet.allow_log("invariant is broken");
    let watcher = fleet.start_worker("reservation").await;
    let shown = async || {
        let metrics = fleet.admin(watcher, "/metrics").await.text;
        metrics.lines().any(|line| {
            line.starts_with("fleet_invariant_violations{code=\"M1\"} ") && !line.ends_with(" 0")
        })
    };
    fleet.until("the metric to tell of it", shown).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_always_holds_does_so_while_purchases_run() {
    let fleet = TestFleet::builder().latency(20, 200).start().await;
    let ids = async {
        let mut ids = Vec::new();
        for number in 0..60 {
            let code = ["0000", "9201", "9202", "9101", "0000"][number % 5];
            ids.push(buy(&fleet, code, json!({})).await);
        }
        ids
    };
    tokio::pin!(ids);
    let mut looks = 0;
    let ids = loop {
        tokio::select! {
            ids = &mut ids => break ids,
            () = fleet.assert_invariants(Holds::Always) => looks += 1,
        }
    };
    assert!(looks > 3, "only {looks} looks while purchases ran");
    for id in ids {
        fleet.wait_final(id).await;
    }
    fleet.assert_all_ended().await;
}
