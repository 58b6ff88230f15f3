//! The fraud desk: reports by token, reasons, the token's week, and validation before any charge.

mod desks;

use std::time::Duration;

use base64::Engine;
use fleet_domain::{
    MsisdnForm, OnUnavailable, PlanClass, PurchaseId, PurchaseStatus, ReserveState, TaskKind,
    TokenState, ValidateWhen,
};
use fleet_simulator::{Action, AnswerKind, Behaviour, EffectKind, TokenRecord};
use fleet_store::{DeskRow, PurchaseView, ReportView, TokenView};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{Builder, connector, purchase};
use serde_json::{Value, json};

const HOUR: Duration = Duration::from_secs(3_600);

/// A purchase that names a token.
fn with_token(code: &str, token: &str) -> Value {
    let mut body = purchase(code);
    let extras = json!({ "fraud": {
        "token": token, "tokenCreatedAt": chrono::Utc::now(),
        "userIp": "192.0.2.1", "userAgent": "Browser/1.0",
    } });
    body.as_object_mut().unwrap().insert("additionalData".to_owned(), extras);
    body
}

/// The script's code, the purchase's own script, and what the client and the desk are told.
type Case = (&'static str, Option<(Action, &'static str)>, &'static str, &'static str);

/// The sample's desk with rules of the test's own.
fn desk_rules(change: impl FnOnce(&mut DeskRow) + 'static) -> Builder {
    TestFleet::builder().directory(move |import| {
        change(connector(import, "sample-desk").desk.as_mut().unwrap());
    })
}

fn report(view: &PurchaseView) -> ReportView {
    view.report.clone().unwrap()
}

fn token_of(view: &PurchaseView) -> TokenView {
    report(view).token.unwrap()
}

/// Each report that the desk took: success, and the reason.
fn told(record: &TokenRecord) -> Vec<(bool, Option<&str>)> {
    let reports = record.reports.iter();
    reports.map(|told| (told.activation_successful, told.failure_reason.as_deref())).collect()
}

fn calls(fleet: &TestFleet, token: &str, action: Action) -> usize {
    let calls = fleet.simulator().calls();
    calls.iter().filter(|call| call.action == action && &*call.reference == token).count()
}

fn journal(view: &PurchaseView, kind: TaskKind) -> Vec<&str> {
    let rows = view.journal.iter().filter(|row| row.kind == kind);
    rows.map(|row| row.outcome.as_str()).collect()
}

/// Nothing at all happened at bank and supplier.
fn assert_uncharged(fleet: &TestFleet, id: PurchaseId) {
    let calls = fleet.calls(id);
    let charged = |action| matches!(action, Action::Reserve | Action::Settle | Action::Vend);
    assert!(calls.iter().all(|call| !charged(call.action)), "{calls:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_reason_of_the_desk_is_reached_through_a_whole_purchase() {
    let fleet = TestFleet::start().await;
    let cases: [Case; 7] = [
        ("9101", None, "2010", "no_credit"),
        ("0001", Some((Action::Reserve, "2070")), "2070", "blacklisted_msisdn"),
        ("0001", Some((Action::Reserve, "2080")), "2080", "service_suspended"),
        ("0001", Some((Action::Vend, "2242")), "2242", "billing_frequency"),
        ("9215", None, "2214", "vas_bar"),
        ("9216", None, "2214", "child_bar"),
        ("9201", None, "2213", "technical_fault"),
    ];
    for (code, script, client, reason) in cases {
        let token = format!("token-{reason}");
        let mut body = with_token(code, &token);
        if client == "2214" {
            body["productId"] = 301.into();
            body["currencyCode"] = "KWD".into();
        }
        if let Some((action, code)) = script {
            let target = body["targetIdentifier"].as_str().unwrap();
            fleet.simulator().script(target, action, vec![Behaviour::refuses(code)]);
        }
        let id = fleet.reserve_and_transact(&body).await.reference();
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Failed, "{reason}");
        let effects = fleet.effects(id);
        let result = effects.iter().find(|effect| effect.kind == EffectKind::Result).unwrap();
        assert_eq!(result.told.as_deref(), Some(client), "{reason}");
        assert_eq!(told(&fleet.simulator().token(&token)), [(false, Some(reason))]);
        assert_eq!(report(&view).state, "reported");
        assert_eq!(token_of(&view).told, TokenState::Failure);
    }
    let reports = fleet.summary().await.reports;
    let reported = reports.iter().find(|row| row.state == "reported").unwrap();
    assert_eq!(reported.count, 7, "{reports:?}");
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn optional_fields_arrive_and_the_msisdn_is_encrypted_as_configured() {
    let fleet = TestFleet::start().await;
    let mut body = with_token("0000", "token-all-fields");
    let fields = json!({
        "pricePoint": "10.00GBP", "billingFrequency": "Weekly", "shortcode": "111111",
        "externalUserId": "550e8400-e29b", "externalProductId": "myservice-127320",
    });
    let fraud = body["additionalData"]["fraud"].as_object_mut().unwrap();
    fraud.extend(fields.as_object().unwrap().clone());
    let id = fleet.reserve_and_transact(&body).await.accepted();
    fleet.wait_final(id).await;
    let record = fleet.simulator().token("token-all-fields");
    let [told] = &record.reports[..] else { panic!("{record:?}") };
    assert_eq!(told.price_point.as_deref(), Some("10.00GBP"));
    assert_eq!(told.billing_frequency.as_deref(), Some("Weekly"));
    assert_eq!(told.shortcode.as_deref(), Some("111111"));
    assert_eq!(told.external_user_id.as_deref(), Some("550e8400-e29b"));
    assert_eq!(told.external_product_id.as_deref(), Some("myservice-127320"));
    assert_eq!(told.failure_reason, None);
    let msisdn = told.msisdn.as_deref().unwrap();
    assert_eq!(opened(msisdn), body["sourceIdentifier"].as_str().unwrap());
    let shown = fleet.operator(&["purchase", "show", &id.to_string()]).await;
    assert_eq!(shown["report"]["state"], "reported");
    assert_eq!(shown["report"]["token"]["told"], "success_sent");
    assert_eq!(shown["report"]["history"][0]["outcome"], "reported");
    assert!(!shown.to_string().contains("token-all-fields"), "the token itself stays sealed");
    fleet.assert_all_ended().await;
}

/// Opens what was sealed with the sample's key.
fn opened(sent: &str) -> String {
    use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    let key = "7b1f0c6e52d84a93b6e0f1c2d3a4958607f8e9dacbbcad9e8f70615243342516";
    let key = UnboundKey::new(&AES_256_GCM, &hex::decode(key).unwrap()).unwrap();
    let mut bytes = base64::engine::general_purpose::STANDARD.decode(sent).unwrap();
    let (nonce, text) = bytes.split_at_mut(12);
    let nonce = Nonce::try_assume_unique_for_key(nonce).unwrap();
    let text = LessSafeKey::new(key).open_in_place(nonce, Aad::empty(), text).unwrap();
    String::from_utf8(text.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_msisdn_is_plain_or_left_out_where_the_desk_is_set_so() {
    for (form, sent) in [(MsisdnForm::Plain, true), (MsisdnForm::Omitted, false)] {
        let fleet = desk_rules(move |desk| desk.msisdn = form).start().await;
        let body = with_token("0000", "token-form");
        let id = fleet.reserve_and_transact(&body).await.accepted();
        fleet.wait_final(id).await;
        let record = fleet.simulator().token("token-form");
        let expected = body["sourceIdentifier"].as_str().filter(|_| sent);
        assert_eq!(record.reports[0].msisdn.as_deref(), expected);
        fleet.assert_all_ended().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_now_and_a_success_an_hour_later_are_both_told_and_the_success_stays() {
    let fleet = TestFleet::start().await;
    let token = "token-an-hour";
    let first = fleet.reserve_and_transact(&with_token("9101", token)).await.reference();
    let view = fleet.wait_final(first).await;
    assert_eq!(token_of(&view).told, TokenState::Failure);
    fleet.advance_clock(HOUR).await;
    let second = fleet.reserve_and_transact(&with_token("0000", token)).await.accepted();
    let view = fleet.wait_final(second).await;
    assert_eq!(token_of(&view).told, TokenState::Success);
    fleet.advance_clock(HOUR).await;
    let third = fleet.reserve_and_transact(&with_token("9101", token)).await.reference();
    let view = fleet.wait_final(third).await;
    assert_eq!(report(&view).state, "superseded");
    assert_eq!(journal(&view, TaskKind::Report), ["superseded_by_success"]);
    assert_eq!(token_of(&view).told, TokenState::Success);
    let record = fleet.simulator().token(token);
    assert_eq!(told(&record), [(false, Some("no_credit")), (true, None)]);
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_on_one_token_leave_one_after_the_other_whoever_makes_them() {
    let mut programs = fleet_testkit::fleet::PROGRAMS.to_vec();
    programs.push("fraud-reporting");
    let fleet = TestFleet::builder().workers(&programs).start().await;
    let token = "token-many-s9505";
    let mut ids = Vec::new();
    for code in ["0000", "0000", "0000"] {
        ids.push(fleet.reserve_and_transact(&with_token(code, token)).await.accepted());
    }
    for id in ids {
        let view = fleet.wait_final(id).await;
        assert_eq!(report(&view).state, "reported");
    }
    assert_eq!(told(&fleet.simulator().token(token)), [(true, None); 3]);
    // The desk counts a second report in flight as a violation, and refuses it.
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_tokens_week_nothing_is_sent_and_the_record_says_so() {
    let fleet = TestFleet::start().await;
    let mut body = with_token("0000", "token-old");
    let made = chrono::Utc::now() - chrono::Duration::days(8);
    body["additionalData"]["fraud"]["tokenCreatedAt"] = json!(made);
    let old = fleet.reserve_and_transact(&body).await.accepted();
    let view = fleet.wait_final(old).await;
    assert_eq!(report(&view).state, "expired");
    assert_eq!(journal(&view, TaskKind::Report), ["report_expired"]);
    assert_eq!(calls(&fleet, "token-old", Action::Report), 0);
    // A desk that is down for eight days.
    let token = "token-down";
    fleet.simulator().script(token, Action::Report, vec![Behaviour::status(503)]);
    let id = fleet.reserve_and_transact(&with_token("0000", token)).await.accepted();
    let waits = async || {
        let view = fleet.purchase(id).await;
        view.tasks.iter().any(|task| task.key.kind == TaskKind::Report && task.tries > 0)
    };
    fleet.until("the desk to have refused a report", waits).await;
    let idle = async || fleet.purchase(id).await.tasks.len() == 1;
    fleet.until("nothing but the report to be left", idle).await;
    fleet.advance_clock(HOUR * 24 * 8).await;
    let view = fleet.wait_final(id).await;
    assert_eq!(report(&view).state, "expired");
    assert_eq!(journal(&view, TaskKind::Report).last(), Some(&"report_expired"));
    let tried = journal(&view, TaskKind::Report).len() - 1;
    assert_eq!(calls(&fleet, token, Action::Report), tried, "nothing left after the week");
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_token_nothing_is_reported_and_a_refused_report_goes_to_a_person() {
    let fleet = TestFleet::start().await;
    let id = fleet.reserve_and_transact(&purchase("0000")).await.accepted();
    let view = fleet.wait_final(id).await;
    assert_eq!(report(&view).state, "not_needed");
    assert_eq!(journal(&view, TaskKind::Report), ["no_token"]);
    let refused = with_token("0000", "token-refused-s9502");
    let id = fleet.reserve_and_transact(&refused).await.accepted();
    let parked = fleet.wait_parked(id).await;
    assert_eq!(parked.key.kind, TaskKind::Report, "success 0 inside a 200 is an error");
    let view = fleet.purchase(id).await;
    assert_eq!(report(&view).state, "dead");
    assert_eq!(token_of(&view).told, TokenState::Nothing);
    assert_eq!(token_of(&view).busy_until, None, "a parked report holds no token");
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_validated_before_any_charge_and_an_invalid_one_is_never_charged() {
    let fleet = desk_rules(|desk| desk.validate = ValidateWhen::WeReserve)
        .plan(TaskKind::Validate, PlanClass::NotDone, &[1])
        .start()
        .await;
    let valid = fleet.reserve_and_transact(&with_token("0000", "token-valid")).await.accepted();
    let view = fleet.wait_final(valid).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Success);
    assert_eq!(token_of(&view).is_valid, Some(true));
    assert_eq!(journal(&view, TaskKind::Validate), ["token_valid"]);
    let invalid = with_token("0000", "token-bad-s9506");
    let answer = fleet.reserve_and_transact(&invalid).await;
    assert_eq!((answer.status, answer.code().as_str()), (200, "2070"), "a fast refusal is told");
    let view = fleet.wait_final(answer.reference()).await;
    assert_eq!(view.purchase.progress.reserve, ReserveState::Refused);
    assert_uncharged(&fleet, answer.reference());
    let token = token_of(&view);
    assert_eq!((token.is_valid, token.threat_code), (Some(false), Some(520)));
    assert_eq!(token.threat_flags.as_deref(), Some("SUSPICIOUS_TOKEN#!|MSISDN_BLACKLIST"));
    assert!(view.ledger.is_empty(), "no money moved");
    assert_eq!(view.deliveries[0].state, "sent", "the client is told");
    let reason = (false, Some("technical_fault"));
    assert_eq!(told(&fleet.simulator().token("token-bad-s9506")), [reason]);
    // Where the desk is not to be asked, it is not: a client that holds the funds itself.
    let mut held = with_token("0000", "token-held-s9506");
    held["reserveFundsTxnRef"] = "held-1".into();
    let held = fleet.transact(&held).await.accepted();
    assert_eq!(fleet.wait_final(held).await.purchase.status(), PurchaseStatus::Success);
    assert_eq!(calls(&fleet, "token-held-s9506", Action::Validate), 0);
    let mut bare = with_token("0000", "token-bare");
    bare["additionalData"]["fraud"]["userAgent"] = "".into();
    let answer = fleet.reserve_and_transact(&bare).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "4000"));
    assert!(answer.message().contains("fraud.userAgent"), "{}", answer.message());
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_every_token_is_validated_an_invalid_one_is_not_vended_on_the_clients_own_hold() {
    let fleet = desk_rules(|desk| desk.validate = ValidateWhen::Always).start().await;
    let mut body = with_token("0000", "token-theirs-s9506");
    body["reserveFundsTxnRef"] = "held-3".into();
    let id = fleet.transact(&body).await.accepted();
    let view = fleet.wait_final(id).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Failed);
    assert_eq!(view.purchase.progress.reserve_code.as_deref(), Some("2070"));
    assert_uncharged(&fleet, id);
    assert!(view.ledger.is_empty(), "no money of ours");
    assert_eq!(view.deliveries[0].state, "sent", "the client gives its hold back");
    let results = fleet.effects(id).into_iter().filter(|effect| effect.kind == EffectKind::Result);
    assert_eq!(
        results.map(|result| result.told.unwrap().to_string()).collect::<Vec<_>>(),
        ["2070"]
    );
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_validation_is_asked_for_again_with_the_same_timestamp() {
    let fleet = desk_rules(|desk| desk.validate = ValidateWhen::WeReserve)
        .plan(TaskKind::Validate, PlanClass::NotDone, &[1, 1, 1])
        .start()
        .await;
    let lost = "token-lost";
    let reset = vec![
        Behaviour::effect_then(AnswerKind::Reset),
        Behaviour::effect_then(AnswerKind::Garbage),
        Behaviour::ok(),
    ];
    fleet.simulator().script(lost, Action::Validate, reset);
    for (token, asked) in [(lost, 3), ("token-down-s9507", 3)] {
        let id = fleet.reserve_and_transact(&with_token("0000", token)).await.accepted();
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Success, "{token}");
        assert_eq!(calls(&fleet, token, Action::Validate), asked, "{token}");
        let mut timestamps = fleet.simulator().token(token).validations;
        timestamps.dedup();
        assert_eq!(timestamps.len(), 1, "{token}: {timestamps:?}");
    }
    // A second purchase on the token is asked about anew, with the timestamp of the first.
    let mut again = with_token("0000", lost);
    again["additionalData"]["fraud"]["validateTimestamp"] = "1".into();
    let id = fleet.reserve_and_transact(&again).await.accepted();
    fleet.wait_final(id).await;
    assert_eq!(calls(&fleet, lost, Action::Validate), 4);
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_desk_that_stays_away_refuses_the_purchase_or_lets_it_go_on_as_configured() {
    for (rule, status) in [
        (OnUnavailable::Refuse, PurchaseStatus::Failed),
        (OnUnavailable::Proceed, PurchaseStatus::Success),
    ] {
        let fleet = desk_rules(move |desk| {
            desk.validate = ValidateWhen::Always;
            desk.on_unavailable = rule;
            desk.validate_within_seconds = 3;
        })
        .plan(TaskKind::Validate, PlanClass::NotDone, &[1])
        .start()
        .await;
        let ours = with_token("0000", "token-ours-s9508");
        let ours = fleet.reserve_and_transact(&ours).await.reference();
        let mut theirs = with_token("0000", "token-theirs-s9508");
        theirs["reserveFundsTxnRef"] = "held-2".into();
        let theirs = fleet.transact(&theirs).await.accepted();
        for id in [ours, theirs] {
            let view = fleet.wait_final(id).await;
            assert_eq!(view.purchase.status(), status, "{rule:?}");
            assert_eq!(token_of(&view).is_valid, None, "nothing is made up");
            if status == PurchaseStatus::Failed {
                assert_eq!(view.purchase.progress.reserve, ReserveState::Failed);
                assert_eq!(view.purchase.progress.reserve_code.as_deref(), Some("2060"));
                assert_uncharged(&fleet, id);
            }
        }
        fleet.assert_all_ended().await;
    }
}
