//! The record, the scripts, and the end.

use std::time::Duration;

use fleet_simulator::{Action, AnswerKind, Behaviour, EffectKind, SimulatorSettings};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::world::{PURCHASE, World, reserve, result, until, vend};

#[tokio::test]
async fn a_full_record_refuses_loudly_until_it_is_reset() {
    let settings =
        SimulatorSettings { effects_max: 1, ..SimulatorSettings::for_tests("http://127.0.0.1:9") };
    let world = World::with(settings).await;
    assert_eq!(world.code("bank/reserve", &reserve(PURCHASE)).await, "0000");
    let full = world.post("supplier-lookup/vend", &vend(0)).await;
    assert_eq!(full.status(), StatusCode::INSUFFICIENT_STORAGE);
    assert_eq!(world.post("control/reset", &json!({})).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(world.code("supplier-lookup/vend", &vend(0)).await, "0000");
}

#[tokio::test]
async fn the_record_is_paged_filtered_and_told_by_purchase() {
    let world = World::start().await;
    world.vended().await;
    world.code("bank/result", &result("0000")).await;
    let page: Value = world.get("control/record?limit=2").await.json().await.unwrap();
    assert_eq!((page["rows"].as_array().unwrap().len(), &page["more"]), (2, &json!(true)));
    let next = format!("control/record?after={}", page["last"]);
    let rest: Value = world.get(&next).await.json().await.unwrap();
    assert_eq!(rest["rows"][0]["kind"], "capture");
    assert_eq!(rest["more"], false);
    let bank: Value =
        world.get("control/record?party=bank&kind=reserve").await.json().await.unwrap();
    assert_eq!(bank["rows"].as_array().unwrap().len(), 1);
    assert_eq!(world.get("control/record?kind=nothing").await.status(), StatusCode::BAD_REQUEST);
    let calls: Value = world.get("control/calls?party=bank").await.json().await.unwrap();
    assert_eq!(calls["rows"].as_array().unwrap().len(), 2);
    let one: Value =
        world.get(&format!("control/purchases/{PURCHASE}")).await.json().await.unwrap();
    assert_eq!(one["hold"]["state"], "captured");
    assert_eq!(one["effects"].as_array().unwrap().len(), 3);
    assert_eq!(one["calls"].as_array().unwrap().len(), 3);
    assert_eq!(world.get("control/purchases/nobody").await.status(), 404);
    let summary: Value = world.get("control/summary").await.json().await.unwrap();
    assert_eq!(summary["parties"]["bank"]["calls"]["settle"], 1);
    assert_eq!(summary["parties"]["bank"]["concurrencyMax"], 1);
}

#[tokio::test]
async fn scripts_are_listed_put_and_forgotten() {
    let world = World::start().await;
    let all: Value = world.get("control/scripts").await.json().await.unwrap();
    assert!(all["builtIn"].as_array().unwrap().iter().any(|script| script["code"] == "9101"));
    let url = world.running.url("control/scripts/27821234567");
    let plan = json!({ "reserve": [{ "answer": { "code": "2020" } }, { "effect": true, "answer": "garbage" }] });
    assert_eq!(world.http.put(&url).json(&plan).send().await.unwrap().status(), 204);
    assert_eq!(world.code("bank/reserve", &reserve(PURCHASE)).await, "2020");
    assert_eq!(world.http.delete(&url).send().await.unwrap().status(), 204);
    assert_eq!(world.http.delete(&url).send().await.unwrap().status(), 404);
    assert_eq!(world.code("bank-2/reserve", &reserve("another")).await, "0000");
    let wrong = json!({ "reserve": [{ "answer": "explode" }] });
    assert_eq!(world.http.put(&url).json(&wrong).send().await.unwrap().status(), 422);
}

#[tokio::test]
async fn stopping_ends_a_hanging_call() {
    let world = World::start().await;
    world.script(Action::Reserve, vec![Behaviour::effect_then(AnswerKind::Hang)]);
    let request = world.asking("bank/reserve", &reserve(PURCHASE));
    let hanging = tokio::spawn(request.send());
    until(|| world.count(EffectKind::Reserve) == 1).await;
    tokio::time::timeout(Duration::from_secs(5), world.running.stop()).await.unwrap();
    assert!(hanging.await.unwrap().is_err());
}
