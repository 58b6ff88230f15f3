//! Suppliers that confirm by callback.

use axum::http::{HeaderMap, StatusCode};
use fleet_simulator::{Action, Behaviour, Confirmation, EffectKind, SimulatorSettings};
use serde_json::{Value, json};

use crate::world::{PURCHASE, World, signature, until, vend};

/// A gateway that refuses the first callback and keeps the others.
async fn gateway() -> (String, tokio::sync::mpsc::UnboundedReceiver<(String, String)>) {
    let (kept, receiver) = tokio::sync::mpsc::unbounded_channel();
    let first = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let take = move |headers: HeaderMap, body: String| {
        let (kept, first) = (kept.clone(), first.clone());
        async move {
            if first.swap(false, std::sync::atomic::Ordering::SeqCst) {
                return StatusCode::SERVICE_UNAVAILABLE;
            }
            let signed = headers["signature"].to_str().unwrap().to_owned();
            kept.send((signed, body)).unwrap();
            StatusCode::OK
        }
    };
    let path = "/callbacks/suppliers/supplier-callback";
    let router = axum::Router::new().route(path, axum::routing::post(take));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, receiver)
}

#[tokio::test]
async fn a_callback_supplier_confirms_until_the_gateway_takes_it() {
    let (url, mut taken) = gateway().await;
    let world = World::with(SimulatorSettings::for_tests(&url)).await;
    assert_eq!(world.code("supplier-callback/vend", &vend(0)).await, "2236");
    assert_eq!(world.count(EffectKind::Vend), 1);
    let (signed, body) = taken.recv().await.unwrap();
    assert_eq!(signed, signature("sample-callback-secret", &body));
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["vendRef"], format!("{PURCHASE}-0000"));
    assert_eq!((&body["responseCode"], &body["vendAmount"]), (&json!("0000"), &json!(1500)));
    until(|| world.running.world().summary().confirmations_taken == 1).await;
}

#[tokio::test]
async fn a_confirmation_may_come_before_the_answer_and_contradict_it_later() {
    let (url, mut taken) = gateway().await;
    let world = World::with(SimulatorSettings::for_tests(&url)).await;
    let confirm = vec![Confirmation::before_answer("0000"), Confirmation::after(10, "2213")];
    world.script(Action::Vend, vec![Behaviour::confirms(confirm)]);
    world.code("supplier-callback/vend", &vend(0)).await;
    let (_, body) = taken.try_recv().expect("the first one was there before the answer");
    assert!(body.contains("0000"));
    assert!(taken.recv().await.unwrap().1.contains("2213"));
    assert_eq!(world.count(EffectKind::Vend), 1);
}
