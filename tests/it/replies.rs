//! Answers that leave open what they decide are asked about, and clients are told the tables' codes. What
//! is odd in what decides nothing stands in `cases`, B10 to B17.

use fleet_domain::{PurchaseStatus, TaskKind};
use fleet_simulator::{Action, AnswerKind, Behaviour, EffectKind};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::purchase;

use crate::cases::{buy, result_of};
use crate::unknown::{calls, impatient, target};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_answer_leaves_open_is_asked_about_and_never_guessed() {
    let fleet = impatient().start().await;
    let twice = r#"{"responseCode":"2213","responseCode":"0000","vendAmount":1500}"#;
    let voucher = r#"{"responseCode":"0000","token":"1111","token":"2222"}"#;
    let damaged = b"{\"responseCode\":\"0000\",\"token\":\"12\xff34\"}".to_vec();
    for bytes in [twice.into(), voucher.into(), damaged] {
        let behaviour = Behaviour::effect_then(AnswerKind::Bytes(bytes));
        let id = buy(&fleet, &purchase("0000"), &[(Action::Vend, behaviour)]).await;
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Success);
        assert!(!calls(&fleet, id, Action::VendLookUp).is_empty(), "it is looked up");
        assert_eq!(fleet.count(id, EffectKind::Vend), 1);
        let told = result_of(&fleet, id).await["token"].clone();
        assert!(!["1111", "2222"].iter().any(|guess| told == *guess), "{told}");
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_is_told_codes_of_the_tables_and_never_a_transports_status() {
    use fleet_domain::PlanClass::NotDone;
    let fleet = TestFleet::builder()
        .plan(TaskKind::Reserve, NotDone, &[1])
        .plan(TaskKind::Dispense, NotDone, &[1])
        .start()
        .await;
    for (action, code) in [(Action::Reserve, "2060"), (Action::Vend, "2225")] {
        let body = purchase("0000");
        fleet.simulator().script(target(&body), action, vec![Behaviour::status(429)]);
        let id = fleet.reserve_and_transact(&body).await.reference();
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.status(), PurchaseStatus::Failed, "{action:?}");
        assert_eq!(result_of(&fleet, id).await["responseCode"], code, "{action:?}");
        let found = fleet.look_up(1001, &format!("raasTxnRef={id}")).await.json();
        let field = if action == Action::Reserve {
            "reserveFundsResponseCode"
        } else {
            "transactResultResponseCode"
        };
        assert_eq!(found[field], code, "{action:?}: {found}");
        // The bank that holds the funds is told the same.
        let cancelled = fleet.effects(id).into_iter().filter(|one| one.kind == EffectKind::Cancel);
        let told: Vec<_> = cancelled.map(|one| one.told.unwrap().to_string()).collect();
        let wanted = if action == Action::Vend { vec![code] } else { vec![] };
        assert_eq!(told, wanted, "{action:?}");
    }
    fleet.assert_all_ended().await;
}
