//! What a client is told: by the bank's speed, and by the Transaction Lookup.

use fleet_domain::{PurchaseStatus, ReserveState};
use fleet_simulator::{Action, Behaviour, EffectKind};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{HttpAnswer, client, key_of, purchase};
use serde_json::Value;

fn target(body: &Value) -> &str {
    body["targetIdentifier"].as_str().unwrap()
}

fn result_of(fleet: &TestFleet, id: fleet_domain::PurchaseId) -> Option<String> {
    let effects = fleet.effects(id);
    let result = effects.iter().find(|effect| effect.kind == EffectKind::Result);
    result.and_then(|result| result.told.as_deref().map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_banks_speed_decides_the_answer_and_the_result_is_delivered_either_way() {
    let fleet = TestFleet::builder()
        .directory(|import| client(import, 1002).answer_within_ms = 1_000)
        .start()
        .await;
    // A refusal after 200 ms stands in the reply of a client that waits for 5 s.
    let body = purchase("0000");
    let refusal = Behaviour { answer_after_ms: 200, ..Behaviour::refuses("2010") };
    fleet.simulator().script(target(&body), Action::Reserve, vec![refusal]);
    let fast = fleet.reserve_and_transact(&body).await;
    assert_eq!((fast.status, fast.code().as_str()), (200, "2010"), "{fast:?}");

    // A client that waits for 1 s hears nothing of a slow bank's decision.
    let mut granted = purchase("0000");
    granted["clientId"] = 1002.into();
    fleet.simulator().script(target(&granted), Action::Reserve, vec![Behaviour::slow(15_000)]);
    let mut refused = purchase("0000");
    refused["clientId"] = 1002.into();
    let refusal = Behaviour { answer_after_ms: 15_000, ..Behaviour::refuses("2030") };
    fleet.simulator().script(target(&refused), Action::Reserve, vec![refusal]);
    let (granted, refused) =
        tokio::join!(fleet.reserve_and_transact(&granted), fleet.reserve_and_transact(&refused));
    for answer in [&granted, &refused] {
        let id = answer.accepted();
        assert_eq!(answer.message(), "Processing Request");
        let view = fleet.purchase(id).await;
        assert_eq!(
            view.purchase.progress.reserve,
            ReserveState::Pending,
            "the bank has not answered"
        );
        let found = fleet.look_up(1002, &format!("raasTxnRef={id}")).await.json();
        assert_eq!(found["transactionStatus"], "PENDING");
    }
    for (answer, told, status) in [
        (&fast, "2010", PurchaseStatus::Failed),
        (&granted, "0000", PurchaseStatus::Success),
        (&refused, "2030", PurchaseStatus::Failed),
    ] {
        let id = answer.reference();
        assert_eq!(fleet.wait_final(id).await.purchase.status(), status);
        assert_eq!(result_of(&fleet, id).as_deref(), Some(told));
        let reserved = fleet.calls(id).iter().filter(|c| c.action == Action::Reserve).count();
        assert_eq!(reserved, 1, "waiting does not make anybody ask again");
    }
    fleet.assert_all_ended().await;
}

fn assert_refused(answer: &HttpAnswer, status: u16, what: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (status, "4000"), "{what}: {answer:?}");
    assert!(answer.json().get("transactionStatus").is_none(), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purchase_is_found_by_its_three_references_and_only_by_its_client() {
    let fleet = TestFleet::start().await;
    let mut body = purchase("0000");
    body["reserveFundsTxnRef"] = "held 1/2&3".into();
    let id = fleet.transact(&body).await.accepted();
    let ours = fleet.reserve_and_transact(&purchase("0000")).await.accepted();
    let mut refused = purchase("9201");
    refused["reserveFundsTxnRef"] = "held-4".into();
    let refused = fleet.transact(&refused).await.accepted();
    let mut pending = purchase("9305");
    pending["productId"] = 102.into();
    let pending = fleet.transact(&pending).await.accepted();
    for id in [id, ours, refused] {
        fleet.wait_final(id).await;
    }
    let reference = body["clientTxnRef"].as_str().unwrap();
    let first = fleet.look_up(1001, &format!("raasTxnRef={id}")).await;
    assert_eq!(first.status, 200, "{first:?}");
    let found = first.json();
    for (field, value) in [
        ("clientId", 1001.into()),
        ("clientTxnRef", body["clientTxnRef"].clone()),
        ("raasTxnRef", id.to_string().into()),
        ("reserveFundsTxnRef", "held 1/2&3".into()),
        ("transactResultResponseCode", "0000".into()),
        ("transactionStatus", "SUCCESS".into()),
        ("purchaseAmount", 1500.into()),
        ("feeAmount", 50.into()),
        ("currencyCode", "ZAR".into()),
    ] {
        assert_eq!(found[field], value, "{field} of {found}");
    }
    assert!(!first.text.contains(body["sourceIdentifier"].as_str().unwrap()), "{found}");
    for query in [
        format!("clientTransactionReference={reference}"),
        "reserveFundsTxnRef=held%201%2F2%263".to_owned(),
        format!("raasTxnRef={id}&unknown=1"),
    ] {
        assert_eq!(fleet.look_up(1001, &query).await.json(), found, "{query}");
    }
    // The bank's own reference of our reservation finds it too.
    let view = fleet.look_up(1001, &format!("raasTxnRef={ours}")).await.json();
    assert_eq!(view["reserveFundsResponseCode"], "0000", "{view}");
    let banks = view["reserveFundsTxnRef"].as_str().unwrap();
    let by_bank = fleet.look_up(1001, &format!("reserveFundsTxnRef={banks}")).await.json();
    assert_eq!(by_bank["raasTxnRef"], ours.to_string());
    let failed = fleet.look_up(1001, &format!("raasTxnRef={refused}")).await.json();
    assert_eq!(failed["transactionStatus"], "FAILED");
    assert_eq!(failed["transactResultResponseCode"], "2213");
    let waits = fleet.look_up(1001, &format!("raasTxnRef={pending}")).await.json();
    assert_eq!(waits["transactionStatus"], "PENDING");

    nobody_else_finds_it(&fleet, &id.to_string(), reference).await;
}

async fn nobody_else_finds_it(fleet: &TestFleet, id: &str, reference: &str) {
    for (asker, query, status) in [
        (1002, format!("raasTxnRef={id}"), 404),
        (1002, format!("clientTransactionReference={reference}"), 404),
        (1002, "reserveFundsTxnRef=held-4".to_owned(), 404),
        (1001, "raasTxnRef=0198f000-0000-7000-8000-000000000000".to_owned(), 404),
        (1001, "raasTxnRef=no-uuid".to_owned(), 404),
        (1001, "clientTransactionReference=nothing".to_owned(), 404),
        (1001, "clientTransactionReference=a%00b".to_owned(), 404),
        (1001, "reserveFundsTxnRef=".to_owned(), 400),
        (1001, format!("reserveFundsTxnRef={}", "x".repeat(5_000)), 404),
        (1001, String::new(), 400),
        (1001, format!("raasTxnRef={id}&reserveFundsTxnRef=held-4"), 400),
        (1001, format!("raasTxnRef={id}&raasTxnRef={id}"), 400),
        (1001, format!("raasTxnRef={id}&clientId=1001"), 400),
    ] {
        assert_refused(&fleet.look_up(asker, &query).await, status, &query);
    }
    for (key, client, status) in [
        ("wrong".to_owned(), "1001", 401),
        (key_of(1002), "1001", 404),
        (key_of(1001), "abc", 400),
        (key_of(1001), "", 400),
    ] {
        let url = fleet.url(&format!("/lookup-api/2.0?clientId={client}&raasTxnRef={id}"));
        let answer = fleet.send(fleet.http().get(url).header("x-api-key", key)).await;
        assert_refused(&answer, status, client);
    }
    let url = fleet.url(&format!("/lookup-api/2.0?raasTxnRef={id}&raasTxnRef=1"));
    assert_refused(&fleet.send(fleet.http().get(url)).await, 401, "no key, whatever is asked");
}
