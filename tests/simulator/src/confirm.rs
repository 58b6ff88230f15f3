//! Callbacks, above all of suppliers that confirm: sent to the gateway until it takes them.

use std::time::Duration;

use reqwest::{RequestBuilder, StatusCode};
use serde_json::json;
use tokio::time::sleep;

use crate::behaviour::{Behaviour, Confirmation};
use crate::client::signature;
use crate::state::Visit;
use crate::supplier::told_by_code;
use crate::world::World;

/// How often one callback is sent at most, and how long apart.
pub(crate) const TRIES_MAX: u32 = 240;
pub(crate) const TRIES_APART: Duration = Duration::from_millis(500);
/// One try may take this long.
pub(crate) const TRY_DEADLINE: Duration = Duration::from_secs(10);

/// Sends a vend's callbacks: those that come before its answer now, the others on their own.
pub(crate) async fn confirm(world: &World, visit: &Visit, behaviour: &Behaviour) {
    for confirmation in behaviour.confirm.iter().filter(|c| c.before_answer) {
        send(world, visit, confirmation).await;
    }
    for confirmation in behaviour.confirm.iter().filter(|c| !c.before_answer) {
        let (world, visit, confirmation) = (world.clone(), visit.clone(), confirmation.clone());
        let stop = world.stop_token().clone();
        let tasks = world.tasks().clone();
        let sent = async move {
            sleep(Duration::from_millis(confirmation.after_ms)).await;
            send(&world, &visit, &confirmation).await;
        };
        tasks.spawn(async move { stop.run_until_cancelled(sent).await });
    }
}

async fn send(world: &World, visit: &Visit, confirmation: &Confirmation) {
    let code = confirmation.code.as_str();
    let truth = world.lock(|state| {
        state.decide_pending(visit, code);
        state.vend_truth(visit)
    });
    let mut body = match truth.response_code() {
        Some("0000") if code == "0000" => truth.body,
        _ => json!({ "responseCode": code, "responseMessage": "simulated" }),
    };
    if let Some(fields) = body.as_object_mut() {
        fields.insert("vendRef".to_owned(), json!(visit.reference));
    }
    let body = body.to_string();
    let taken = post(world, visit, &body).await;
    world.lock(|state| {
        if taken {
            state.confirmations_taken = state.confirmations_taken.saturating_add(1);
            state.tell_vend(visit, told_by_code(code));
        } else {
            state.confirmations_given_up = state.confirmations_given_up.saturating_add(1);
        }
    });
}

async fn post(world: &World, visit: &Visit, body: &str) -> bool {
    let settings = world.settings();
    let url = format!("{}/callbacks/suppliers/{}", settings.gateway, visit.party);
    let signed = signature(&settings.callback_secret, body.as_bytes());
    let request = || {
        let request = world.http().post(&url).header("content-type", "application/json");
        request.header("signature", &signed).body(body.to_owned())
    };
    deliver(world, visit, request, |status| status.is_success()).await
}

/// Sends a callback until the gateway takes it; false when it is given up.
pub(crate) async fn deliver(
    world: &World,
    visit: &Visit,
    request: impl Fn() -> RequestBuilder,
    is_taken: impl Fn(StatusCode) -> bool,
) -> bool {
    for _ in 0..TRIES_MAX {
        let permit = world.confirmations().acquire().await;
        let answer = request().timeout(TRY_DEADLINE).send().await;
        drop(permit);
        if answer.is_ok_and(|answer| is_taken(answer.status())) {
            return true;
        }
        sleep(TRIES_APART).await;
    }
    tracing::error!(party = %visit.party, reference = %visit.reference, "callback given up");
    false
}
