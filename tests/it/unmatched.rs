//! Callbacks that speak of no purchase: a person sees what they may be about, and decides once.

use std::process::Output;
use std::time::Duration;

use fleet_domain::{
    DispenseState, FundingType, Private, PurchaseId, PurchaseStatus, Scenario, TaskKind, TaskState,
};
use fleet_simulator::{Action, AnswerKind, Behaviour, EffectKind};
use fleet_store::{Discarded, FactMatch, Matched, ParkedTask, Stored, TaskView};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{HttpAnswer, purchase};
use fleet_testkit::samples::new_purchase;
use serde_json::{Value, json};
use sqlx::Row;

use crate::unknown::{at_callback, impatient, target};

const BUYER: &str = "27825550101";
const OTHER: &str = "27825550202";
const PIN: &str = "73194628";
const MERCHANT: &str = "partner:02c76113-0ca7-4aed-88e2-75267bf85e82";
const CAMPAIGN: &str = "campaign:940d351138df895e8dedf51e5d7b90788cdc23d0";

/// A fleet of the gateway alone: nobody works on what it stores.
async fn still() -> TestFleet {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    fleet.allow_log("a notification is not about what was asked for");
    fleet
}

/// A purchase whose buyer the operator was to charge 34.50, and that waits for the answer.
async fn asked(fleet: &TestFleet, buyer: &str) -> PurchaseId {
    let start_by = fleet.store().now().await.unwrap() + Duration::from_secs(3_600);
    let reference = format!("order-{}", uuid::Uuid::new_v4());
    let mut new = new_purchase(&reference, Scenario::WeReserve, start_by).unwrap();
    let order = &mut new.order.order;
    order.funding = FundingType::MoCharge;
    order.funding_source = "mo-sample".to_owned();
    order.source = Private::new(buyer);
    let id = order.id;
    let accepted = fleet.store().accept(&[new]).await.unwrap();
    assert!(matches!(accepted.stored[..], [Stored::New(..)]), "{accepted:?}");
    let waits = "update task set state = 3, due_at = fleet_now() + interval '1 hour' \
                 where purchase = $1";
    execute(fleet, waits, id).await;
    id
}

async fn execute(fleet: &TestFleet, sql: &'static str, id: PurchaseId) {
    let mut connection = fleet.database().connection().await.unwrap();
    let done = sqlx::query(sql).bind(id.0).execute(&mut connection).await.unwrap();
    assert!(done.rows_affected() > 0, "{sql}");
}

/// A notification as the operator's document has it. Those of one buyer differ by their time.
fn notification(status: &str, correlator: Option<&str>, amount: &str, transaction: &str) -> Value {
    let charged = status == "CHARGED";
    let mut told = json!({
        "type": "mo_charge", "operator": "sample", "merchant": MERCHANT, "campaign": CAMPAIGN,
        "environment": "production", "msisdn": BUYER, "currency": "ZAR", "amount": amount,
        "correlator": correlator,
        "transaction": { "status": status, "timestamp": chrono::Utc::now().to_rfc3339() },
    });
    let (name, value) = if charged { ("transaction_id", transaction) } else { ("pin", PIN) };
    told["transaction"][name] = value.into();
    json!({ if charged { "success" } else { "error" }: told })
}

/// Posts a notification that speaks of nobody; its number.
async fn told(fleet: &TestFleet, body: &Value) -> i64 {
    let url = fleet.url("/callbacks/mo-charge/mo-sample");
    let answer = fleet.send(fleet.http().post(url).body(body.to_string())).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    newest(fleet).await
}

pub(crate) async fn newest(fleet: &TestFleet) -> i64 {
    let list = fleet.operator(&["callback", "list", "--limit", "1"]).await;
    list["callbacks"][0]["id"].as_i64().unwrap_or_else(|| panic!("none: {list}"))
}

/// Posts a confirmation as the supplier that confirms.
async fn confirm(fleet: &TestFleet, body: &Value) -> HttpAnswer {
    let text = body.to_string();
    let signature = fleet_outbound::hmac_sha256_base64("sample-callback-secret", text.as_bytes());
    let url = fleet.url("/callbacks/suppliers/supplier-callback");
    fleet.send(fleet.http().post(url).header("signature", signature).body(text)).await
}

async fn show(fleet: &TestFleet, id: i64) -> Value {
    fleet.operator(&["callback", "show", &id.to_string()]).await
}

async fn decide(fleet: &TestFleet, arguments: &[&str]) -> Output {
    let all =
        [&["callback"], arguments, &["--reason", "the buyer sent the bill", "--actor", "mia"]];
    fleet.run("fleet", &all.concat()).await
}

/// Decides, which must be done.
pub(crate) async fn decided(fleet: &TestFleet, arguments: &[&str]) {
    let output = decide(fleet, arguments).await;
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

/// Decides, which must be refused with this exit code and these words.
async fn refused(fleet: &TestFleet, arguments: &[&str], code: i32, words: &str) {
    let output = decide(fleet, arguments).await;
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
    assert!(error.contains(words), "{arguments:?}: {error}");
}

fn ids(list: &Value) -> Vec<i64> {
    let rows = list["callbacks"].as_array().unwrap();
    rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

async fn task(fleet: &TestFleet, id: PurchaseId) -> TaskView {
    let view = fleet.purchase(id).await;
    view.tasks.into_iter().find(|task| task.key.kind == TaskKind::Reserve).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callbacks_are_listed_newest_first_page_by_page_with_how_many_purchases_they_fit() {
    let fleet = still().await;
    asked(&fleet, BUYER).await;
    asked(&fleet, BUYER).await;
    asked(&fleet, OTHER).await;
    let both = told(&fleet, &notification("CHARGED", None, "34.50", "t-1")).await;
    let none = told(&fleet, &{
        let mut body = notification("PIN_NOT_FOUND", None, "", "");
        body["error"]["msisdn"] = "27825559999".into();
        body
    })
    .await;
    let vend = json!({ "vendRef": "nonsense", "responseCode": "0000" });
    assert_eq!(confirm(&fleet, &vend).await.status, 200);
    let vend = newest(&fleet).await;

    let list = fleet.operator(&["callback", "list"]).await;
    assert_eq!(ids(&list), [vend, none, both], "{list}");
    let counts: Vec<_> =
        list["callbacks"].as_array().unwrap().iter().map(|row| &row["candidates"]).collect();
    assert_eq!(counts, [0, 0, 2], "{list}");
    let row = &list["callbacks"][2];
    assert_eq!((&row["connector"], &row["type"]), (&"mo-sample".into(), &"mo_charge".into()));
    assert_eq!(row["status"], "CHARGED");
    assert!(row["age_seconds"].as_i64().is_some_and(|age| (0..60).contains(&age)), "{list}");
    let of = ["callback", "list", "--connector", "supplier-callback"];
    assert_eq!(ids(&fleet.operator(&of).await), [vend]);
    let first = fleet.operator(&["callback", "list", "--limit", "2"]).await;
    assert_eq!((ids(&first), &first["next_before"]), (vec![vend, none], &json!(none)));
    let before = none.to_string();
    let second = fleet.operator(&["callback", "list", "--limit", "2", "--before", &before]).await;
    assert_eq!((ids(&second), &second["next_before"]), (vec![both], &Value::Null));
    let summary = fleet.operator(&["summary"]).await;
    assert_eq!(summary["undecided_callbacks"], 3);
    fleet.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_candidate_tells_why_it_is_one_and_why_it_was_not_matched() {
    let fleet = still().await;
    let old = asked(&fleet, BUYER).await;
    fleet.advance_clock(Duration::from_secs(8 * 86_400)).await;
    let named = asked(&fleet, OTHER).await;
    let same_buyer = asked(&fleet, BUYER).await;
    let elsewhere = asked(&fleet, BUYER).await;
    let moves = "update purchase set funding_source = 'sample-bank' where purchase = $1";
    execute(&fleet, moves, elsewhere).await;

    let correlator = named.to_string();
    let body = notification("CHARGED", Some(&correlator), "34.50", "t-1");
    let shown = show(&fleet, told(&fleet, &body).await).await;
    let rows = shown["candidates"].as_array().unwrap();
    let found: Vec<_> = rows.iter().map(|row| (&row["raas_txn_ref"], &row["by"])).collect();
    let (by_reference, by_buyer) = ("reference".into(), "buyer".into());
    let wanted = [(&json!(named), &by_reference), (&json!(same_buyer), &by_buyer)];
    assert_eq!(found, wanted, "neither {old}, {elsewhere} nor anybody else: {shown}");
    assert_eq!(rows[0]["why"], "the correlator names it");
    assert_eq!(rows[0]["why_not"], "its msisdn differs");
    assert_eq!(rows[1]["why"], "the same buyer at this funding source, within 7 days");
    assert_eq!(rows[1]["why_not"], "the correlator is another");
    assert_eq!(
        (&rows[1]["amount_fits"], &rows[1]["reserved"]),
        (&true.into(), &"34.50 ZAR".into())
    );
    assert_eq!((&rows[1]["status"], &rows[1]["reserve"]), (&"PENDING".into(), &"pending".into()));
    assert_eq!(shown["told"]["amount"], "34.50");
    assert_eq!(
        (&shown["told"]["transaction_id"], &shown["paid_for"]),
        (&"t-1".into(), &Value::Null)
    );

    let body = notification("CHARGED", None, "99", "t-2");
    let shown = show(&fleet, told(&fleet, &body).await).await;
    let row = &shown["candidates"][0];
    assert_eq!(row["why_not"], "there is no correlator, and its amount differs", "{shown}");
    assert_eq!(row["amount_fits"], false);

    // A supplier's confirmation is sealed under the purchase that it names, which nobody has.
    let nobody = PurchaseId::generate();
    let vend = json!({ "vendRef": format!("{nobody}-0000"), "responseCode": "0000",
        "supplierRef": "s-9", "vendAmount": 3400 });
    assert_eq!(confirm(&fleet, &vend).await.status, 200);
    let shown = show(&fleet, newest(&fleet).await).await;
    assert_eq!(shown["told"]["supplier_ref"], "s-9", "{shown}");
    assert_eq!(shown["candidates"], json!([]));
    let missing = fleet.run("fleet", &["callback", "show", "999999"]).await;
    assert_eq!(missing.status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_match_gives_the_task_its_fact_and_wakes_it_waiting_or_parked() {
    let fleet = still().await;
    let waiting = asked(&fleet, BUYER).await;
    let parked = asked(&fleet, BUYER).await;
    let parks = "update task set state = 4, park_class = 'unknown_outcome', park_cause = 'ask', \
                 parked_at = fleet_now(), at_risk_minor = 3450, at_risk_currency = 'ZAR' \
                 where purchase = $1";
    execute(&fleet, parks, parked).await;
    let running = asked(&fleet, BUYER).await;
    let runs = "update task set state = 2, token = gen_random_uuid(), \
                lease = fleet_now() + interval '1 hour' where purchase = $1";
    execute(&fleet, runs, running).await;
    for (id, state) in
        [(waiting, TaskState::Waiting), (parked, TaskState::Waiting), (running, TaskState::Running)]
    {
        let transaction = format!("t-{id}");
        let body = notification("CHARGED", None, "34.50", &transaction);
        let callback = told(&fleet, &body).await;
        decided(&fleet, &["match", &callback.to_string(), &id.to_string()]).await;
        let task = task(&fleet, id).await;
        assert_eq!((task.state, task.signals), (state, 1), "{task:?}");
        assert_eq!((task.park_class, task.at_risk), (None, None), "{task:?}");
        let due = task.due_at <= fleet.store().now().await.unwrap();
        assert_eq!(due, state == TaskState::Waiting, "{task:?}");
        let view = fleet.purchase(id).await;
        assert_eq!(view.facts.len(), 1);
        assert_eq!((view.facts[0].kind, view.facts[0].slot), (Some(1), Some(0)));
        assert_eq!(view.facts[0].external_id, transaction, "which the operator is asked about");
        let row = view.journal.iter().find(|row| row.outcome == "matched_by_hand").unwrap();
        assert_eq!(row.actor.as_deref(), Some("mia"));
        assert_eq!(sealed_for(&fleet, callback, id).await, body.to_string());
    }
    assert_eq!(ids(&fleet.operator(&["callback", "list"]).await), [0_i64; 0]);
    let all = fleet.operator(&["callback", "list", "--all"]).await;
    assert_eq!(all["callbacks"][0]["decision"]["action"], "matched", "{all}");
    assert_eq!(all["callbacks"][0]["decision"]["raas_txn_ref"], json!(running));
}

/// The body of a callback, as the task of this purchase reads it.
async fn sealed_for(fleet: &TestFleet, callback: i64, id: PurchaseId) -> String {
    let mut connection = fleet.database().connection().await.unwrap();
    let sql = "select body_sealed from fact where fact = $1";
    let row = sqlx::query(sql).bind(callback).fetch_one(&mut connection).await.unwrap();
    let sealed: Vec<u8> = row.get(0);
    let body = fleet.store().keyring().unseal("fact.body", id.0, &sealed).unwrap();
    body.expose().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_match_is_asked_about_and_dispenses_nothing() {
    let fleet = TestFleet::start().await;
    fleet.allow_log("a notification is not about what was asked for");
    let mut body = purchase("0000");
    // The buyer is charged another amount than was asked for.
    body["sourceIdentifier"] = format!("27{}9709", rand::random_range(100_000..1_000_000)).into();
    body["additionalData"] =
        json!({ "fundingSource": { "type": "mo_charge", "name": "mo-sample" } });
    let id = fleet.reserve_and_transact(&body).await.accepted();
    let told = async || fleet.store().unmatched_count().await.unwrap() == 1;
    fleet.until("the notification", told).await;
    let callback = newest(&fleet).await;
    let shown = show(&fleet, callback).await;
    assert_eq!(shown["candidates"][0]["why_not"], "its amount differs", "{shown}");
    decided(&fleet, &["match", &callback.to_string(), &id.to_string()]).await;
    let checks =
        async || fleet.simulator().calls().iter().any(|call| call.action == Action::MoCheck);
    fleet.until("the operator to be asked", checks).await;
    let view = fleet.purchase(id).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Pending);
    assert_eq!(fleet.count(id, EffectKind::Vend), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_woken_worker_reads_the_callback_and_believes_it_no_more_than_before() {
    let fleet = impatient().start().await;
    let body = at_callback(purchase("0000"));
    let lost = Behaviour::effect_then(AnswerKind::Reset);
    fleet.simulator().script(target(&body), Action::Vend, vec![lost]);
    let id = fleet.reserve_and_transact(&body).await.accepted();
    let unknown =
        async || fleet.purchase(id).await.purchase.progress.dispense == DispenseState::Unknown;
    fleet.until("the vend to be unknown", unknown).await;
    fleet.advance_clock(Duration::from_secs(3_700)).await;
    let before = fleet.wait_parked(id).await;
    // It names the purchase, but none of its vends.
    let told = json!({ "vendRef": id, "responseCode": "0000", "supplierRef": "s-1" });
    assert_eq!(confirm(&fleet, &told).await.status, 200);
    let callback = newest(&fleet).await;
    let shown = show(&fleet, callback).await;
    assert_eq!(shown["candidates"][0]["why"], "the vend reference names it", "{shown}");
    let why_not = &shown["candidates"][0]["why_not"];
    assert_eq!(why_not, "the reference is none of its vend references");
    decided(&fleet, &["match", &callback.to_string(), &id.to_string()]).await;
    let again = async || {
        let parked = fleet.parked().await;
        parked.iter().any(|task| task.key.purchase == id && task.parked_at > before.parked_at)
    };
    fleet.until("the worker to have looked and parked it again", again).await;
    let view = fleet.purchase(id).await;
    assert_eq!(view.purchase.progress.dispense, DispenseState::Unknown, "not on a person's word");
    let told = json!({ "vendRef": format!("{id}-0000"), "responseCode": "0000" });
    assert_eq!(confirm(&fleet, &told).await.status, 200);
    // Now there are two references of goods, one of them on a person's word: another case.
    let case = async || {
        let parked = fleet.parked().await;
        let is_case = |task: &ParkedTask| task.key.kind == TaskKind::Case;
        parked.into_iter().find(is_case).map(|task| task.cause)
    };
    fleet.until("a case", async || case().await.is_some()).await;
    let case = case().await.unwrap();
    assert!(case.contains("dispensed under a second vend reference"), "{case}");
    let view = fleet.purchase(id).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Success);
    assert_eq!(fleet.count(id, EffectKind::Vend), 1);
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contrary_callback_that_is_matched_to_an_ended_purchase_opens_a_case() {
    let fleet = impatient().start().await;
    let body = at_callback(purchase("0000"));
    let refuses = Behaviour::refuses("2213");
    fleet.simulator().script(target(&body), Action::Vend, vec![refuses]);
    let id = fleet.reserve_and_transact(&body).await.accepted();
    assert_eq!(fleet.wait_final(id).await.purchase.status(), PurchaseStatus::Failed);
    for (code, cases) in [("2213", 0), ("0000", 1)] {
        let told = json!({ "vendRef": id, "responseCode": code });
        assert_eq!(confirm(&fleet, &told).await.status, 200);
        let callback = newest(&fleet).await;
        decided(&fleet, &["match", &callback.to_string(), &id.to_string()]).await;
        let parked = fleet.parked().await;
        assert_eq!(parked.len(), cases, "{code}: {parked:?}");
    }
    let case = fleet.wait_parked(id).await;
    assert_eq!(case.key.kind, TaskKind::Case);
    assert!(case.cause.contains("says dispensed, but the purchase had failed"), "{}", case.cause);
    let view = fleet.purchase(id).await;
    assert_eq!(view.purchase.progress.dispense, DispenseState::Failed, "its tracks stay");
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_discarded_callback_is_kept_and_out_of_the_list_and_the_figures() {
    let fleet = still().await;
    let kept = told(&fleet, &notification("CHARGED", None, "1", "t-1")).await;
    let discarded = told(&fleet, &notification("CHARGED", None, "2", "t-2")).await;
    decided(&fleet, &["discard", &discarded.to_string()]).await;
    assert_eq!(ids(&fleet.operator(&["callback", "list"]).await), [kept]);
    let summary = fleet.operator(&["summary"]).await;
    assert_eq!(summary["undecided_callbacks"], 1);
    assert_eq!(summary["unmatched_facts"].as_array().unwrap().len(), 1);
    assert_eq!(fleet.store().unmatched_count().await.unwrap(), 1, "which the alert looks at");
    let all = fleet.operator(&["callback", "list", "--all"]).await;
    assert_eq!(ids(&all), [discarded, kept]);
    let decision = &all["callbacks"][0]["decision"];
    assert_eq!((&decision["action"], &decision["actor"]), (&"discarded".into(), &"mia".into()));
    assert_eq!(decision["reason"], "the buyer sent the bill");
    fleet.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_decided_is_refused_and_changes_nothing() {
    let fleet = still().await;
    let id = asked(&fleet, BUYER).await;
    let elsewhere = asked(&fleet, BUYER).await;
    let moves = "update purchase set funding_source = 'sample-bank' where purchase = $1";
    execute(&fleet, moves, elsewhere).await;
    let (id, elsewhere) = (id.to_string(), elsewhere.to_string());
    let mut callbacks = Vec::new();
    for transaction in ["t-1", "t-2"] {
        let body = notification("CHARGED", None, "34.50", transaction);
        callbacks.push(told(&fleet, &body).await.to_string());
    }
    let (first, second) = (callbacks[0].as_str(), callbacks[1].as_str());
    let nobody = PurchaseId::generate().to_string();
    refused(&fleet, &["match", first, &nobody], 1, "there is no purchase").await;
    refused(&fleet, &["match", first, &elsewhere], 2, "of a connector that").await;
    refused(&fleet, &["match", "999999", &id], 1, "there is no unmatched callback").await;
    refused(&fleet, &["discard", "999999"], 1, "there is no unmatched callback").await;
    for reason in ["", "  ", &"x".repeat(201), "card 4111 1111 1111 1111", "a\nb"] {
        let arguments = ["callback", "match", first, &id, "--reason", reason];
        let output = fleet.run("fleet", &arguments).await;
        assert_eq!(output.status.code(), Some(2), "{reason}: {output:?}");
    }
    let list = fleet.operator(&["callback", "list"]).await;
    assert_eq!(ids(&list).len(), 2, "nothing is decided: {list}");

    decided(&fleet, &["match", first, &id]).await;
    decided(&fleet, &["discard", second]).await;
    for callback in [first, second] {
        refused(&fleet, &["match", callback, &id], 2, "decided already").await;
        refused(&fleet, &["discard", callback], 2, "decided already").await;
    }
    // The same transaction told once more, by words that differ.
    let mut body = notification("CHARGED", None, "34.50", "t-1");
    body["success"]["transaction"]["timestamp"] = "2026-02-01T10:00:00+02:00".into();
    let copy = told(&fleet, &body).await.to_string();
    refused(&fleet, &["match", &copy, &id], 2, "another callback tells of the transaction").await;
    let signals = task(&fleet, id.parse().unwrap()).await.signals;
    assert_eq!(signals, 1, "the refused ones woke nobody");
    fleet.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_decide_at_once_one_does() {
    let fleet = still().await;
    let mut purchases = Vec::new();
    for _ in 0..8 {
        purchases.push(asked(&fleet, BUYER).await);
    }
    let callback = told(&fleet, &notification("CHARGED", None, "34.50", "t-1")).await;
    let store = fleet.store();
    let matches = purchases.iter().map(|id| {
        let transaction = Some("t-1");
        let (reason, actor) = ("r", "a");
        store.match_fact(FactMatch { id: callback, purchase: *id, transaction, reason, actor })
    });
    let matched = futures_util::future::join_all(matches);
    let discards = (0..4).map(|_| store.discard_fact(callback, "r", "a"));
    let discarded = futures_util::future::join_all(discards);
    let (matched, discarded) = tokio::join!(matched, discarded);
    let matched: Vec<_> = matched.into_iter().map(Result::unwrap).collect();
    let discarded: Vec<_> = discarded.into_iter().map(Result::unwrap).collect();
    let done = matched.iter().filter(|m| **m == Matched::Woken).count()
        + discarded.iter().filter(|d| **d == Discarded::Done).count();
    assert_eq!(done, 1, "{matched:?} {discarded:?}");
    let mut signals = 0;
    for id in purchases {
        signals += task(&fleet, id).await.signals;
    }
    let woken = matched.iter().filter(|m| **m == Matched::Woken).count();
    assert_eq!(usize::try_from(signals).unwrap(), woken);
    fleet.assert_conserved().await;
}

async fn in_form(fleet: &TestFleet, form: &[&str], words: &[&str]) -> Output {
    fleet.run("fleet", &[form, words].concat()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_personal_is_printed() {
    let fleet = still().await;
    asked(&fleet, BUYER).await;
    let bodies = [
        notification("CHARGED", None, "34.50", "t-1"),
        notification("PIN_NOT_FOUND", None, "34.50", ""),
        notification("CHARGED", Some(BUYER), "34.50", "t-2"),
    ];
    for body in &bodies {
        told(&fleet, body).await;
    }
    let voucher = "5566-7788-9900-1122";
    let vend = json!({ "vendRef": "nonsense", "responseCode": "0000", "token": voucher,
        "responseMessage": format!("vended to {BUYER}") });
    assert_eq!(confirm(&fleet, &vend).await.status, 200);
    let mut outputs = Vec::new();
    for form in [vec![], vec!["--json"]] {
        outputs.push(in_form(&fleet, &form, &["callback", "list", "--all"]).await);
        let list = fleet.operator(&["callback", "list"]).await;
        assert_eq!(ids(&list).len(), 4);
        for id in ids(&list) {
            let id = id.to_string();
            outputs.push(in_form(&fleet, &form, &["callback", "show", &id]).await);
        }
        outputs.push(in_form(&fleet, &form, &["summary"]).await);
    }
    for output in &outputs {
        assert!(output.status.success(), "{output:?}");
        let text = [output.stdout.as_slice(), &output.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        for private in [BUYER, PIN, voucher] {
            assert!(!text.contains(private), "{private} is in {text}");
        }
    }
    let shown = String::from_utf8(outputs[1].stdout.clone()).unwrap();
    assert!(shown.contains("has_voucher: true"), "{shown}");
    let shown = String::from_utf8(outputs[2].stdout.clone()).unwrap();
    assert!(shown.contains("*******0101") && shown.contains("candidates"), "{shown}");
}
