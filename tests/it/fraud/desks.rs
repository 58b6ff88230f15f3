//! Whose desk a purchase's token belongs to, what an invalid token is called, and reports that are made
//! again.

use fleet_domain::{PlanClass, PurchaseStatus, ReserveState, TaskKind, ValidateWhen};
use fleet_simulator::{Action, AnswerKind, Behaviour};
use fleet_store::{DirectoryImport, ReasonRow};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{client, connector};

use super::{calls, journal, report, told, with_token};

/// A second desk beside the sample's, which is the first by name no more.
fn second(import: &mut DirectoryImport, name: &str) {
    let mut row = connector(import, "sample-desk").clone();
    row.base_url = format!("{}-{name}", row.base_url);
    row.name = name.to_owned();
    row.desk.as_mut().unwrap().validate = ValidateWhen::WeReserve;
    import.connectors.push(row);
}

/// Where each call about a token went.
fn asked_at(fleet: &TestFleet, token: &str) -> Vec<(String, Action)> {
    let calls = fleet.simulator().calls();
    let its = calls.iter().filter(|call| &*call.reference == token);
    its.map(|call| (call.party.to_string(), call.action)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purchase_is_validated_and_reported_at_its_clients_desk_or_its_products() {
    let fleet = TestFleet::builder()
        .directory(|import| {
            second(import, "another-desk");
            for row in import.clients.iter_mut().filter(|row| !row.sandbox) {
                row.desk = Some("sample-desk".to_owned());
            }
            client(import, 1002).desk = Some("another-desk".to_owned());
            let row = import.products.iter_mut().find(|row| row.product_id == 201).unwrap();
            row.desk = Some("another-desk".to_owned());
        })
        .start()
        .await;
    let sample = vec![("desk".to_owned(), Action::Report)];
    let another = ["desk-another-desk"; 2].map(str::to_owned);
    let another: Vec<_> = another.into_iter().zip([Action::Validate, Action::Report]).collect();
    for (client, product, wanted) in [
        (1001, 101, &sample),
        (1001, 102, &sample),
        (1001, 201, &another),
        (1002, 101, &another),
        (1002, 201, &another),
    ] {
        let token = format!("token-{client}-{product}");
        let mut body = with_token("0000", &token);
        body["clientId"] = client.into();
        body["productId"] = product.into();
        let id = fleet.reserve_and_transact(&body).await.accepted();
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Success, "{client} {product}");
        assert_eq!(asked_at(&fleet, &token), *wanted, "{client} {product}");
        assert_eq!(report(&view).state, "reported");
    }
    for (noun, key, desk) in [
        ("client", "1002", "another-desk"),
        ("client", "1001", "sample-desk"),
        ("product", "201", "another-desk"),
    ] {
        let shown = fleet.operator(&[noun, "show", key]).await;
        assert_eq!(shown["row"]["desk"], desk, "{shown}");
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_desk_that_is_switched_off_gives_its_clients_to_no_other_desk() {
    let fleet = TestFleet::builder()
        .directory(|import| {
            second(import, "another-desk");
            connector(import, "another-desk").active = false;
            client(import, 1002).desk = Some("another-desk".to_owned());
        })
        .start()
        .await;
    for (client, wanted) in [(1001, vec![("desk".to_owned(), Action::Report)]), (1002, vec![])] {
        let token = format!("token-{client}");
        let mut body = with_token("0000", &token);
        body["clientId"] = client.into();
        let id = fleet.reserve_and_transact(&body).await.accepted();
        fleet.wait_final(id).await;
        assert_eq!(asked_at(&fleet, &token), wanted, "the only active one is everybody else's");
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalid_token_is_told_as_one_and_has_a_row_of_its_own_in_the_reasons() {
    for (own, reason) in [
        (None, "technical_fault"),
        (Some(("*", "vas_bar")), "vas_bar"),
        (Some(("sample-desk", "child_bar")), "child_bar"),
    ] {
        let fleet = super::desk_rules(|desk| desk.validate = ValidateWhen::Always)
            .directory(move |import| {
                import.reasons.retain(|row| row.code != "invalid_token");
                let Some((connector, reason)) = own else { return };
                import.reasons.push(ReasonRow {
                    connector: connector.to_owned(),
                    code: "invalid_token".to_owned(),
                    reason: serde_json::from_value(reason.into()).unwrap(),
                });
            })
            .start()
            .await;
        let token = "token-bad-s9504";
        let body = with_token("0000", token);
        let answer = fleet.reserve_and_transact(&body).await;
        assert_eq!((answer.status, answer.code().as_str()), (200, "2070"));
        assert!(answer.message().contains("fraud.token is not valid"), "{}", answer.message());
        let view = fleet.wait_final(answer.reference()).await;
        assert_eq!(view.purchase.progress.reserve, ReserveState::Refused);
        assert_eq!(view.purchase.progress.reserve_word.as_deref(), Some("invalid_token"));
        assert_eq!(told(&fleet.simulator().token(token)), [(false, Some(reason))]);
        let again = fleet.reserve_and_transact(&body).await;
        assert_eq!((again.code(), again.message()), (answer.code(), answer.message()));
        // A source that is blacklisted by the bank is another thing, of the same code.
        let mut listed = with_token("0000", "token-listed");
        let target = listed["targetIdentifier"].as_str().unwrap().to_owned();
        fleet.simulator().script(&target, Action::Reserve, vec![Behaviour::refuses("2070")]);
        listed["clientTxnRef"] = format!("listed-{reason}").into();
        let answer = fleet.reserve_and_transact(&listed).await;
        assert_eq!((answer.code().as_str(), answer.message().as_str()), ("2070", "Failed"));
        fleet.wait_final(answer.reference()).await;
        let record = fleet.simulator().token("token-listed");
        assert_eq!(told(&record), [(false, Some("blacklisted_msisdn"))]);
        fleet.assert_all_ended().await;
    }
}

fn in_a_body(body: &str) -> Behaviour {
    Behaviour::no_effect(AnswerKind::Bytes(body.as_bytes().to_vec()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_that_a_passing_cause_refuses_is_made_again_and_any_other_is_a_persons() {
    let fleet = super::desk_rules(|desk| {
        desk.later = ["Try again later", "BUSY", "408"].map(str::to_owned).into();
    })
    .plan(TaskKind::Report, PlanClass::NotDone, &[1; 20])
    .start()
    .await;
    for (number, (passing, refusal)) in [
        (true, in_a_body(r#"{"status":"error","success":0,"message":"try again LATER"}"#)),
        (true, in_a_body(r#"{"status":"busy","success":false,"message":"no"}"#)),
        (true, in_a_body(r#"{"status":503,"success":0,"message":"no"}"#)),
        (true, in_a_body(r#"{"status":"429","success":"0"}"#)),
        (true, Behaviour::status(408)),
        (true, Behaviour::status(502)),
        (true, Behaviour::effect_then(AnswerKind::Reset)),
        (false, in_a_body(r#"{"status":"error","success":0,"message":"unknown token"}"#)),
        (false, in_a_body(r#"{"status":400,"success":0,"message":"busy bee"}"#)),
        (false, Behaviour::status(400)),
    ]
    .into_iter()
    .enumerate()
    {
        let token = format!("token-passing-{number}");
        fleet.simulator().script(&token, Action::Report, vec![refusal, Behaviour::ok()]);
        let id = fleet.reserve_and_transact(&with_token("0000", &token)).await.accepted();
        if passing {
            let view = fleet.wait_final(id).await;
            assert_eq!(report(&view).state, "reported", "{number}");
            assert_eq!(calls(&fleet, &token, Action::Report), 2, "{number}");
            assert_eq!(journal(&view, TaskKind::Report)[0], "not_reported_yet", "{number}");
        } else {
            let parked = fleet.wait_parked(id).await;
            assert_eq!(parked.key.kind, TaskKind::Report, "{number}");
            assert_eq!(calls(&fleet, &token, Action::Report), 1, "{number}");
        }
    }
    fleet.assert_all_ended().await;
}
