//! A client's IPN listener. From inside its handler it asks the gateway for the transaction, as the
//! document tells listeners to.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::{Caller, bad_body};
use crate::behaviour::Action;
use crate::ipn::{Ipn, Mode};
use crate::judge;
use crate::server::Connection;
use crate::state::Visit;
use crate::world::World;

/// POST `/client/{clientId}/ipn`.
pub(super) async fn ipn(
    State(world): State<World>,
    Extension(connection): Extension<Connection>,
    Path(client): Path<i64>,
    body: Bytes,
) -> Response {
    let party: Arc<str> = Arc::from(format!("client-{client}"));
    match world.lock(|state| state.ipns.modes.get(&client).copied().unwrap_or_default()) {
        Mode::Up => {}
        Mode::Dead => match connection.reset().await {},
        Mode::Slow(milliseconds) => {
            tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
        }
    }
    let ipn = match Ipn::read(&body) {
        Ok(ipn) => ipn,
        Err(detail) => return bad_body(&world, &party, Action::Ipn, detail),
    };
    let purchase: Arc<str> = Arc::from(ipn.transaction.as_str());
    let visit = Visit {
        party,
        action: Action::Ipn,
        reference: Arc::clone(&purchase),
        purchase,
        mark: None,
    };
    world.know(&visit);
    if let Err(status) = find(&world, client, &ipn, &body).await {
        let detail = format!("Transaction Query answered {status}");
        world.lock(|state| state.violate(&visit, judge::IPN_NOT_FOUND, detail));
        return "Fail".into_response();
    }
    let caller = Caller { world: &world, connection: &connection };
    let act = move |state: &mut crate::state::State, visit: &Visit, behaviour: &_| {
        state.ipn(visit, client, &ipn, behaviour)
    };
    caller.play(visit, act).await
}

/// Finds the transaction at the gateway, saying the same. A gateway that cannot be asked now proves
/// nothing.
async fn find(world: &World, client: i64, ipn: &Ipn, body: &[u8]) -> Result<(), u16> {
    let Some(key) =
        world.lock(|state| state.ipns.listeners.get(&client).map(|l| l.api_key.clone()))
    else {
        return Ok(());
    };
    let url = format!("{}/api/transactions/{}", world.settings().gateway, ipn.transaction);
    let answer = match world.http().get(url).header("authorization", key).send().await {
        Ok(answer) if matches!(answer.status().as_u16(), 429 | 503) => return Ok(()),
        Ok(answer) => answer,
        Err(_no_gateway) => return Ok(()),
    };
    let status = answer.status().as_u16();
    let found: Value = answer.json().await.unwrap_or_default();
    let told: Value = serde_json::from_slice(body).unwrap_or_default();
    let same = |field: &str| found.get(field).is_some() && found.get(field) == told.get(field);
    let fields = ["url", "accountID", "transactionid", "amount", "msisdn"];
    let wanted = if ipn.failed { "FAILED" } else { "SUCCESS" };
    let is_done = found.get("status").and_then(Value::as_str) == Some(wanted);
    if status == 200 && is_done && fields.into_iter().all(same) { Ok(()) } else { Err(status) }
}
