//! Every call to a bank, a supplier or a provider of messages shows who we are as its row says, and
//! nothing else can be got through.

use std::time::Duration;

use fleet_domain::{AuthenticateBy, PlanClass, PurchaseStatus, TaskKind};
use fleet_simulator::{Action, AnswerKind, Behaviour, EffectKind, Wanted};
use fleet_store::{ConnectorRow, DirectoryImport, ImportMode};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{connector, purchase};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::unknown::{impatient, target};

/// Who is called in these tests: connector, and its name at the simulator.
const PARTIES: [(&str, &str); 4] = [
    ("sample-bank", "bank"),
    ("sample-wallet", "wallet"),
    ("supplier-lookup", "supplier-lookup"),
    ("sample-sms", "sms"),
];

/// An order that asks for a message.
fn order(code: &str) -> Value {
    let mut body = purchase(code);
    body["additionalData"] = json!({ "notify": ["sms"] });
    body
}

fn at_wallet(mut body: Value) -> Value {
    body["fundingSourceId"] = "sample-wallet".into();
    body
}

/// A row that shows who we are in another way.
fn set(row: &mut ConnectorRow, wanted: &Wanted) {
    let text = |secret: &str| Some(SecretString::from(secret));
    (row.api_key_header, row.user) = (None, None);
    match wanted {
        Wanted::Signature(secret) => (row.authenticate, row.secret) = (None, text(secret)),
        Wanted::ApiKey(header, key) => {
            row.authenticate = Some(AuthenticateBy::ApiKey);
            (row.api_key_header, row.secret) = (Some((*header).to_owned()), text(key));
        }
        Wanted::Basic(user, password) => {
            row.authenticate = Some(AuthenticateBy::Basic);
            (row.user, row.secret) = (Some((*user).to_owned()), text(password));
        }
        Wanted::Nothing => (row.authenticate, row.secret) = (Some(AuthenticateBy::None), text("")),
    }
}

async fn import(fleet: &TestFleet, row: ConnectorRow) {
    let import = DirectoryImport { connectors: vec![row], ..DirectoryImport::default() };
    fleet.store().import(&import, ImportMode::Apply).await.unwrap();
}

/// Every kind of call that there is, each to a party that wants this and refuses all else.
async fn every_call_shows(wanted: &Wanted) {
    let at_party = wanted.clone();
    let fleet = impatient()
        .directory(move |import| {
            for (name, _) in PARTIES {
                set(connector(import, name), &at_party);
            }
        })
        .start()
        .await;
    for (_, party) in PARTIES {
        fleet.simulator().want(party, wanted.clone());
    }
    let lost = || vec![Behaviour::effect_then(AnswerKind::Reset), Behaviour::ok()];
    let (held, charged, vended) = (order("0000"), at_wallet(order("0000")), order("0000"));
    fleet.simulator().script(target(&held), Action::Reserve, lost());
    fleet.simulator().script(target(&charged), Action::Reserve, lost());
    fleet.simulator().script(target(&vended), Action::Vend, lost());
    let (cancelled, refunded) = (order("9201"), at_wallet(order("9201")));
    let mut under_way = Vec::new();
    for body in [&held, &charged, &vended, &cancelled, &refunded] {
        under_way.push(fleet.reserve_and_transact(body).await.accepted());
    }
    let question = json!({
        "clientId": 1001, "purchaseAmount": 1500, "productId": 101,
        "targetIdentifier": "27825550001",
    });
    let answer = fleet.post("/customerAccountValidation/1.0", &question).await;
    assert_eq!(answer.code(), "0000", "{answer:?}");
    for (place, id) in under_way.into_iter().enumerate() {
        let expected = if place < 3 { PurchaseStatus::Success } else { PurchaseStatus::Failed };
        assert_eq!(fleet.wait_final(id).await.purchase.status(), expected, "{place}");
    }
    let calls = fleet.simulator().calls();
    for action in [
        Action::Reserve,
        Action::ReservationLookUp,
        Action::Settle,
        Action::Refund,
        Action::Vend,
        Action::VendLookUp,
        Action::ValidateAccount,
        Action::Message,
    ] {
        assert!(calls.iter().any(|call| call.action == action), "{action:?} was not asked for");
    }
    // A call that shows something else is a violation in the parties' own record.
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_is_signed_where_the_row_says_so() {
    every_call_shows(&Wanted::Signature("a secret of ours, and of theirs".to_owned())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_carries_the_key_in_the_header_that_the_row_names() {
    every_call_shows(&Wanted::ApiKey("x-our-key", "key with blanks ~!".to_owned())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_carries_user_and_password_where_the_row_says_so() {
    every_call_shows(&Wanted::Basic("flotte-é", "pass:wörd".to_owned())).await;
}

/// The text of `fleet purchase show`.
async fn shown(fleet: &TestFleet, id: fleet_domain::PurchaseId) -> String {
    let shown = fleet.run("fleet", &["purchase", "show", &id.to_string()]).await;
    String::from_utf8_lossy(&shown.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_a_party_does_not_accept_moves_nothing_and_shows_and_the_new_one_counts_at_once()
 {
    let fleet = impatient().plan(TaskKind::Notify, PlanClass::NotDone, &[1; 40]).start().await;
    let fresh = |name: &str| Wanted::Signature(format!("another secret of {name}"));
    for (name, party) in PARTIES {
        fleet.simulator().want(party, fresh(name));
    }
    let bank = fleet.reserve_and_transact(&order("0000")).await.accepted();
    let wallet = fleet.reserve_and_transact(&at_wallet(order("0000"))).await.accepted();
    let cause = "it does not accept how we authenticate";
    for id in [bank, wallet] {
        fleet
            .until("the cause to be shown", async || shown(&fleet, id).await.contains(cause))
            .await;
        assert_eq!(fleet.effects(id).len(), 0, "nothing moves");
        assert_eq!(fleet.purchase(id).await.purchase.status(), PurchaseStatus::Pending);
    }
    let mut sample = fleet_testkit::fleet::sample(fleet.simulator_url("").trim_end_matches('/'));
    for (name, _) in PARTIES {
        if name == "supplier-lookup" {
            continue;
        }
        let row = connector(&mut sample, name);
        set(row, &fresh(name));
        (row.call_deadline_ms, row.settle_time_seconds) = (1_500, 1);
        import(&fleet, row.clone()).await;
    }
    // The funds are there now, the goods are not: the supplier's is wrong still.
    for id in [bank, wallet] {
        let asked = async || {
            let calls = fleet.calls(id).into_iter();
            let refused = fleet.purchase(id).await.journal.into_iter();
            let of_vend = |kind| kind == TaskKind::Dispense;
            calls.filter(|call| call.action == Action::Reserve).count() >= 1
                && refused.filter(|row| of_vend(row.kind)).any(|row| row.detail.contains(cause))
        };
        fleet.until("the supplier to refuse us", asked).await;
        assert_eq!(fleet.count(id, EffectKind::Vend), 0);
    }
    let began = Instant::now();
    let row = connector(&mut sample, "supplier-lookup");
    set(row, &fresh("supplier-lookup"));
    (row.call_deadline_ms, row.settle_time_seconds) = (1_500, 1);
    import(&fleet, row.clone()).await;
    let question = json!({
        "clientId": 1001, "purchaseAmount": 1500, "productId": 101,
        "targetIdentifier": "27825550001",
    });
    let accepted =
        async || fleet.post("/customerAccountValidation/1.0", &question).await.code() == "0000";
    fleet.until("the supplier to accept us", accepted).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}: a second, and load", began.elapsed());
    for id in [bank, wallet] {
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Success);
        let effects = [EffectKind::Vend, EffectKind::Message].map(|kind| fleet.count(id, kind));
        assert_eq!(effects, [1, 1], "once, although it was refused before");
    }
    let rules = fleet.simulator().summary().violations_by_rule;
    assert_eq!(rules.keys().copied().collect::<Vec<_>>(), ["credentials"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_waits_while_its_provider_does_not_accept_how_we_authenticate() {
    let fleet = impatient().plan(TaskKind::Notify, PlanClass::NotDone, &[1; 40]).start().await;
    let fresh = Wanted::Signature("another secret of messages".to_owned());
    fleet.simulator().want("sms", fresh.clone());
    let id = fleet.reserve_and_transact(&order("0000")).await.accepted();
    let refused = async || {
        let journal = fleet.purchase(id).await.journal.into_iter();
        journal.filter(|row| row.kind == TaskKind::Notify).count() >= 3
    };
    fleet.until("the provider to refuse us three times", refused).await;
    assert_eq!(fleet.count(id, EffectKind::Message), 0, "nobody was told");
    let mut sample = fleet_testkit::fleet::sample(fleet.simulator_url("").trim_end_matches('/'));
    let row = connector(&mut sample, "sample-sms");
    set(row, &fresh);
    import(&fleet, row.clone()).await;
    let told = async || fleet.count(id, EffectKind::Message) == 1;
    fleet.until("the message to be taken", told).await;
    let rules = fleet.simulator().summary().violations_by_rule;
    assert_eq!(rules.keys().copied().collect::<Vec<_>>(), ["credentials"]);
}
