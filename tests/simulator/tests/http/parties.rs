//! Banks and suppliers: effects, deduplication, and what breaks a rule.

use std::time::Duration;

use fleet_simulator::{Action, AnswerKind, Behaviour, EffectKind};
use reqwest::StatusCode;
use serde_json::Value;

use crate::world::{PURCHASE, World, code, reserve, result, until, vend};

#[tokio::test]
async fn a_purchase_without_a_script_goes_well_and_breaks_no_rule() {
    let world = World::start().await;
    world.vended().await;
    assert_eq!(world.running.world().summary().holds_open, 1);
    assert_eq!(world.code("bank/result", &result("0000")).await, "0000");
    let taken = world.post("client/1001/result", &result("0000")).await;
    assert_eq!(taken.status(), StatusCode::ACCEPTED);
    let summary = world.running.world().summary();
    assert_eq!(summary.holds_open, 0);
    assert_eq!(summary.duplicate_count(), 0);
    assert_eq!(world.rules(), Vec::<&str>::new());
    let kinds: Vec<EffectKind> =
        world.running.world().effects_of(PURCHASE).into_iter().map(|effect| effect.kind).collect();
    let all = [EffectKind::Reserve, EffectKind::Vend, EffectKind::Capture, EffectKind::Result];
    assert_eq!(kinds, all);
}

#[tokio::test]
async fn a_bank_answers_the_same_reservation_again_and_holds_once() {
    let world = World::start().await;
    assert_eq!(world.get(&format!("bank/reservations/{PURCHASE}")).await.status(), 404);
    for _ in 0..3 {
        assert_eq!(world.code("bank/reserve", &reserve(PURCHASE)).await, "0000");
    }
    assert_eq!(world.count(EffectKind::Reserve), 1);
    let found = world.get(&format!("bank/reservations/{PURCHASE}")).await;
    let found: Value = found.json().await.unwrap();
    assert_eq!(found["reserveFundsTxnRef"], format!("RSV-{PURCHASE}"));
    let mut other = reserve(PURCHASE);
    other["sourceIdentifier"] = "27829999999".into();
    assert_eq!(world.post("bank/reserve", &other).await.status(), StatusCode::CONFLICT);
    assert_eq!(world.rules(), ["reserve_changed"]);
}

#[tokio::test]
async fn a_refused_reservation_stays_refused_and_a_vend_after_it_is_a_violation() {
    let world = World::start().await;
    let mut declined = reserve(PURCHASE);
    declined["targetIdentifier"] = "27820009101".into();
    for _ in 0..2 {
        assert_eq!(world.code("bank/reserve", &declined).await, "2010");
    }
    assert_eq!(code(world.get(&format!("bank/reservations/{PURCHASE}")).await).await, "2010");
    assert_eq!(world.count(EffectKind::Reserve), 0);
    let mut asked = vend(0);
    asked["targetIdentifier"] = "27820009101".into();
    world.post("supplier-lookup/vend", &asked).await;
    assert_eq!(world.rules(), ["vend_after_refusal"]);
}

#[tokio::test]
async fn a_hold_is_never_captured_and_cancelled_both() {
    let world = World::start().await;
    world.vended().await;
    for _ in 0..2 {
        assert_eq!(world.code("bank/result", &result("0000")).await, "0000");
    }
    assert_eq!(world.rules(), Vec::<&str>::new(), "the same result again is no change");
    assert_eq!(world.code("bank/result", &result("2213")).await, "4000");
    assert_eq!(world.rules(), ["capture_and_cancel"]);
    assert_eq!((world.count(EffectKind::Capture), world.count(EffectKind::Cancel)), (1, 0));
}

#[tokio::test]
async fn money_that_moves_against_the_goods_is_a_violation() {
    let world = World::start().await;
    assert_eq!(world.code("bank/result", &result("0000")).await, "4000");
    assert_eq!(world.rules(), ["capture_without_reserve"]);
    world.running.world().reset();
    world.code("bank/reserve", &reserve(PURCHASE)).await;
    world.code("bank/result", &result("0000")).await;
    assert_eq!(world.rules(), ["capture_without_vend"]);
    world.running.world().reset();
    world.vended().await;
    world.code("bank/result", &result("2213")).await;
    world.post("client/1001/result", &result("2213")).await;
    assert_eq!(world.rules(), ["cancel_after_vend", "failure_after_vend"]);
}

#[tokio::test]
async fn a_supplier_with_look_up_deduplicates_and_a_plain_one_does_not() {
    let world = World::start().await;
    for _ in 0..2 {
        assert_eq!(world.code("supplier-lookup/vend", &vend(0)).await, "0000");
    }
    assert_eq!(world.count(EffectKind::Vend), 1);
    assert_eq!(world.rules(), Vec::<&str>::new());
    world.running.world().reset();
    for _ in 0..2 {
        assert_eq!(world.code("supplier-plain/vend", &vend(0)).await, "0000");
    }
    assert_eq!(world.count(EffectKind::Vend), 2);
    assert_eq!(world.running.world().summary().duplicate_count(), 1);
    assert_eq!(world.rules(), ["repeat_without_dedupe", "two_vends"]);
}

#[tokio::test]
async fn refused_vends_may_be_followed_by_new_references_and_open_ones_may_not() {
    let world = World::start().await;
    let codes = ["2201", "2201"].map(Behaviour::refuses);
    let lost =
        Behaviour::effect_then(AnswerKind::Status { status: 500, retry_after_seconds: None });
    world.script(Action::Vend, [codes.to_vec(), vec![lost, Behaviour::ok()]].concat());
    assert_eq!(world.code("supplier-lookup/vend", &vend(0)).await, "2201");
    assert_eq!(world.code("supplier-lookup/vend", &vend(1)).await, "2201");
    assert_eq!(world.post("supplier-lookup/vend", &vend(2)).await.status(), 500);
    assert_eq!(world.rules(), Vec::<&str>::new());
    world.code("supplier-lookup/vend", &vend(3)).await;
    assert_eq!(world.rules(), ["vend_while_unknown", "two_vends"]);
}

#[tokio::test]
async fn a_pending_vend_is_done_after_its_look_ups() {
    let world = World::start().await;
    world.script(Action::Vend, vec![Behaviour::pending(2, "0000")]);
    let path = format!("supplier-lookup/vend/{PURCHASE}-0000");
    assert_eq!(world.get(&path).await.status(), 404);
    assert_eq!(world.code("supplier-lookup/vend", &vend(0)).await, "2236");
    for expected in ["2236", "2236", "0000", "0000"] {
        assert_eq!(code(world.get(&path).await).await, expected);
    }
    assert_eq!(world.count(EffectKind::Vend), 1);
    let plain = format!("supplier-plain/vend/{PURCHASE}-0000");
    assert_eq!(world.get(&plain).await.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(world.rules(), ["look_up_unsupported"]);
}

#[tokio::test]
async fn an_effect_stays_when_its_answer_is_lost() {
    let world = World::start().await;
    let answers = [AnswerKind::Reset, AnswerKind::Hang].map(Behaviour::effect_then);
    world.script(Action::Vend, vec![answers[0].clone()]);
    assert!(world.try_post("supplier-lookup/vend", &vend(0)).await.is_err());
    assert_eq!(world.count(EffectKind::Vend), 1);
    let path = format!("supplier-lookup/vend/{PURCHASE}-0000");
    assert_eq!(code(world.get(&path).await).await, "0000");

    world.script(Action::Reserve, vec![answers[1].clone(), Behaviour::ok()]);
    let hanging = world.asking("bank/reserve", &reserve(PURCHASE));
    let hanging = hanging.timeout(Duration::from_millis(300));
    assert!(hanging.send().await.unwrap_err().is_timeout());
    assert_eq!(world.count(EffectKind::Reserve), 1);
    assert_eq!(world.code("bank/reserve", &reserve(PURCHASE)).await, "0000");
    assert_eq!(world.count(EffectKind::Reserve), 1);
}

#[tokio::test]
async fn a_late_effect_comes_even_when_the_caller_has_left() {
    let world = World::start().await;
    let late = Behaviour { effect_after_ms: 400, ..Behaviour::ok() };
    world.script(Action::Reserve, vec![late]);
    let asked = world.asking("bank/reserve", &reserve(PURCHASE));
    let asked = asked.timeout(Duration::from_millis(100));
    assert!(asked.send().await.unwrap_err().is_timeout());
    assert_eq!(world.count(EffectKind::Reserve), 0);
    until(|| world.count(EffectKind::Reserve) == 1).await;
}

#[tokio::test]
async fn unreadable_answers_are_as_their_scripts_say() {
    let world = World::start().await;
    let busy = AnswerKind::Status { status: 429, retry_after_seconds: Some(1) };
    let script = [busy, AnswerKind::Garbage, AnswerKind::Redirect].map(Behaviour::no_effect);
    world.script(Action::Reserve, script.to_vec());
    let busy = world.post("bank/reserve", &reserve(PURCHASE)).await;
    assert_eq!(busy.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(busy.headers()["retry-after"], "1");
    let garbage = world.post("bank/reserve", &reserve(PURCHASE)).await;
    assert_eq!(garbage.status(), StatusCode::OK);
    assert!(garbage.json::<Value>().await.is_err());
    let redirect = world.post("bank/reserve", &reserve(PURCHASE)).await;
    assert_eq!(redirect.status(), StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(world.count(EffectKind::Reserve), 0);
    world.get("canary").await;
    assert_eq!(world.rules(), ["redirect_followed"]);
}

#[tokio::test]
async fn a_body_that_lacks_a_field_is_refused_and_recorded() {
    let world = World::start().await;
    let all = [
        ("bank/reserve", reserve(PURCHASE)),
        ("supplier-plain/vend", vend(0)),
        ("client/1001/result", result("0000")),
    ];
    for (path, whole) in all {
        for field in ["raasTxnRef", "currencyCode", "reserveAmount", "amount"] {
            let mut body = whole.clone();
            if body.as_object_mut().unwrap().remove(field).is_some() {
                let answer = world.post(path, &body).await;
                assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{path} {field}");
                assert!(answer.text().await.unwrap().contains(field));
            }
        }
    }
    let mut wrong = reserve(PURCHASE);
    wrong["reserveAmount"] = 1551.into();
    assert_eq!(world.post("bank/reserve", &wrong).await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(world.rules(), ["bad_body"; 9]);
    assert!(world.running.world().effects().is_empty());
}
