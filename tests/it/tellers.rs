//! Who may speak of which purchase, and what is told twice: a word counts from the connector that the
//! purchase names, and a second one is dropped only when it says the same.

use fleet_domain::{
    AuthenticateBy, DispenseState, PurchaseId, PurchaseStatus, ReserveState, TaskKind, TaskState,
};
use fleet_simulator::{Action, AnswerKind, Behaviour, EffectKind};
use fleet_store::TaskView;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{Builder, HttpAnswer, connector, purchase};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::unknown::{at_callback, impatient, target};
use crate::{card_payment, mo_charge};

/// Suppliers besides the one that confirms, each with a secret of its own.
const RIVALS: [(&str, &str); 2] =
    [("supplier-lookup", "rival-secret-of-one"), ("supplier-plain", "rival-secret-of-two")];
const CONFIRMS: (&str, &str) = ("supplier-callback", "sample-callback-secret");

fn rivals() -> Builder {
    impatient().directory(|import| {
        for (name, secret) in RIVALS {
            let row = connector(import, name);
            row.secret = Some(SecretString::from(secret));
            // Whoever signs may confirm; an API key alone proves nothing in a callback.
            row.authenticate = Some(AuthenticateBy::Signature);
            row.api_key_header = None;
        }
    })
}

/// Posts a confirmation, rightly signed by this supplier.
async fn confirm(
    fleet: &TestFleet,
    (supplier, secret): (&str, &str),
    id: PurchaseId,
    told: [&str; 2],
) -> HttpAnswer {
    let [code, supplier_ref] = told;
    let body = json!({
        "vendRef": format!("{id}-0000"), "responseCode": code, "supplierRef": supplier_ref,
    });
    confirm_with(fleet, (supplier, secret), &body).await
}

async fn confirm_with(
    fleet: &TestFleet,
    (supplier, secret): (&str, &str),
    body: &Value,
) -> HttpAnswer {
    let text = body.to_string();
    let signature = fleet_outbound::hmac_sha256_base64(secret, text.as_bytes());
    let url = fleet.url(&format!("/callbacks/suppliers/{supplier}"));
    fleet.send(fleet.http().post(url).header("signature", signature).body(text)).await
}

async fn buy(fleet: &TestFleet, vend: Behaviour) -> PurchaseId {
    let body = at_callback(purchase("0000"));
    fleet.simulator().script(target(&body), Action::Vend, vec![vend]);
    fleet.reserve_and_transact(&body).await.accepted()
}

/// A purchase whose vend is out and whose supplier does not say so.
async fn silent(fleet: &TestFleet) -> PurchaseId {
    let id = buy(fleet, Behaviour::effect_then(AnswerKind::Reset)).await;
    let unknown =
        async || fleet.purchase(id).await.purchase.progress.dispense == DispenseState::Unknown;
    fleet.until("the vend to be unknown", unknown).await;
    id
}

async fn task(fleet: &TestFleet, id: PurchaseId, kind: TaskKind) -> Option<TaskView> {
    fleet.purchase(id).await.tasks.into_iter().find(|task| task.key.kind == kind)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supplier_that_speaks_of_anothers_purchase_wakes_nothing_and_opens_no_case() {
    let fleet = rivals().start().await;
    let open = silent(&fleet).await;
    let done = buy(&fleet, Behaviour::ok()).await;
    let refused = buy(&fleet, Behaviour::refuses("2213")).await;
    assert_eq!(fleet.wait_final(done).await.purchase.status(), PurchaseStatus::Success);
    assert_eq!(fleet.wait_final(refused).await.purchase.status(), PurchaseStatus::Failed);
    // It waits for its look-up first, which this supplier does not answer, and then to be told.
    let waits = async || {
        let view = fleet.purchase(open).await;
        view.journal.iter().any(|row| row.outcome == "cannot_be_looked_up")
    };
    fleet.until("the vend to wait for its confirmation", waits).await;
    let waiting = task(&fleet, open, TaskKind::Dispense).await.unwrap();
    let mut told = 0;
    for rival in RIVALS {
        for id in [open, done, refused] {
            for word in [["0000", "RIVAL-1"], ["2213", ""], ["2236", "RIVAL-2"]] {
                for _ in 0..2 {
                    assert_eq!(confirm(&fleet, rival, id, word).await.status, 200, "{word:?}");
                }
                told += 1;
            }
        }
    }
    let summary = fleet.operator(&["summary"]).await;
    assert_eq!(summary["undecided_callbacks"], told, "kept for a person, once each: {summary}");
    let after = task(&fleet, open, TaskKind::Dispense).await.unwrap();
    assert_eq!((after.state, after.signals, after.due_at), (waiting.state, 0, waiting.due_at));
    assert_eq!(after.state, TaskState::Waiting);
    for (id, state) in [
        (open, DispenseState::Unknown),
        (done, DispenseState::Dispensed),
        (refused, DispenseState::Failed),
    ] {
        let view = fleet.purchase(id).await;
        assert_eq!((view.purchase.progress.dispense, view.facts.len()), (state, 0), "{view:#?}");
    }
    assert_eq!(fleet.parked().await.len(), 0, "no case");
    // No person can make it so either.
    let list = fleet.operator(&["callback", "list"]).await;
    let callback = list["callbacks"][0]["id"].to_string();
    let arguments = ["callback", "match", &callback, &open.to_string(), "--reason", "r"];
    let output = fleet.run("fleet", &arguments).await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("of a connector that"), "{error}");
    // Its own supplier's word counts.
    assert_eq!(confirm(&fleet, CONFIRMS, open, ["0000", "S-1"]).await.status, 200);
    fleet.wait_status(open, PurchaseStatus::Success).await;
    assert_eq!(fleet.count(open, EffectKind::Vend), 1);
    fleet.assert_all_ended().await;
}

/// What each funding source's endpoint is told about a purchase.
async fn told_by_all(fleet: &TestFleet, id: PurchaseId, body: &Value, transaction: &str) {
    let charged = mo_charge::charged(body, id, transaction).to_string();
    let url = fleet.url("/callbacks/mo-charge/mo-sample");
    assert_eq!(fleet.send(fleet.http().post(url).body(charged)).await.status, 200);
    let id = id.to_string();
    let query = [
        ("type", "cardpayment"),
        ("status", "success"),
        ("order_info", id.as_str()),
        ("transaction_id", transaction),
    ];
    let url = fleet.url("/callbacks/card-payments/card-sample");
    assert_eq!(fleet.send(fleet.http().get(url).query(&query)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_funding_source_that_speaks_of_anothers_purchase_wakes_nothing_and_opens_no_case() {
    let fleet = TestFleet::start().await;
    fleet.allow_log("a notification is not about what was asked for");
    let by_bank = purchase("0000");
    let bank = fleet.reserve_and_transact(&by_bank).await.accepted();
    let failed = fleet.reserve_and_transact(&purchase("9101")).await.reference();
    let held_by_client = fleet.transact(&purchase("0000")).await.accepted();
    for id in [bank, held_by_client] {
        fleet.wait_status(id, PurchaseStatus::Success).await;
    }
    fleet.wait_status(failed, PurchaseStatus::Failed).await;
    let mut ended = vec![bank, held_by_client, failed];
    let (_, page) = card_payment::pay(&fleet, "9808").await;
    fleet.wait_reserve(page, ReserveState::Asked).await;
    let before = task(&fleet, page, TaskKind::Reserve).await.unwrap();
    for id in &ended {
        told_by_all(&fleet, *id, &by_bank, "7001").await;
    }
    // A charge by SMS of what is paid on a page.
    let charged = mo_charge::charged(&by_bank, page, "7002").to_string();
    let url = fleet.url("/callbacks/mo-charge/mo-sample");
    assert_eq!(fleet.send(fleet.http().post(url).body(charged)).await.status, 200);
    let after = task(&fleet, page, TaskKind::Reserve).await.unwrap();
    assert_eq!((after.state, after.signals), (before.state, 0));
    ended.push(page);
    for id in ended {
        assert_eq!(fleet.purchase(id).await.facts.len(), 0);
    }
    assert_eq!(fleet.parked().await.len(), 0, "no case");
}
