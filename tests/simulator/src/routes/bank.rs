//! A bank's paths.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::{Caller, PartyPath, bad_body, party, read, visit};
use crate::bank::{RefundRequest, ReserveRequest, ResultRequest, WALLETS};
use crate::behaviour::Action;
use crate::purchase::{Fingerprint, fingerprint};
use crate::server::Connection;
use crate::state::{Facts, Visit};
use crate::world::World;

const PREFIX: &str = "bank";

/// POST `/{bank}/reserve`.
pub(super) async fn reserve(
    State(world): State<World>,
    Extension(connection): Extension<Connection>,
    path: PartyPath,
    body: Bytes,
) -> Response {
    match party(&path, PREFIX) {
        Some(party) => take(&world, &connection, party, body).await,
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// POST `/{wallet}/charge`.
pub(super) async fn charge(
    State(world): State<World>,
    Extension(connection): Extension<Connection>,
    path: PartyPath,
    body: Bytes,
) -> Response {
    match party(&path, WALLETS) {
        Some(party) => take(&world, &connection, party, body).await,
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn take(world: &World, connection: &Connection, party: Arc<str>, body: Bytes) -> Response {
    let request = match read(&body, ReserveRequest::problem) {
        Ok(request) => request,
        Err(detail) => return bad_body(world, &party, Action::Reserve, detail),
    };
    let visit = visit(party, Action::Reserve, &request.raas_txn_ref, &request.client_txn_ref);
    let facts = Facts {
        client_ref: Some(&request.client_txn_ref),
        target: &request.target_identifier,
        amount: request.purchase_amount,
        currency: &request.currency_code,
    };
    world.lock(|state| state.meet(&visit, &facts));
    let caller = Caller { world, connection };
    let act = move |state: &mut crate::state::State, visit: &Visit, behaviour: &_| {
        state.reserve(visit, &body, &request, behaviour)
    };
    caller.play(visit, act).await
}

/// POST `/{wallet}/refund`.
pub(super) async fn refund(
    State(world): State<World>,
    Extension(connection): Extension<Connection>,
    path: PartyPath,
    body: Bytes,
) -> Response {
    let Some(party) = party(&path, WALLETS) else { return StatusCode::NOT_FOUND.into_response() };
    let request = match read(&body, RefundRequest::problem) {
        Ok(request) => request,
        Err(detail) => return bad_body(&world, &party, Action::Refund, detail),
    };
    let visit = visit(party, Action::Refund, &request.raas_txn_ref, &request.client_txn_ref);
    let caller = Caller { world: &world, connection: &connection };
    let act = move |state: &mut crate::state::State, visit: &Visit, behaviour: &_| {
        state.refund(visit, &request, behaviour)
    };
    caller.play(visit, act).await
}

/// POST `/{bank}/result`.
pub(super) async fn result(
    State(world): State<World>,
    Extension(connection): Extension<Connection>,
    path: PartyPath,
    body: Bytes,
) -> Response {
    let Some(party) = party(&path, PREFIX) else { return StatusCode::NOT_FOUND.into_response() };
    let request = match read(&body, ResultRequest::problem) {
        Ok(request) => request,
        Err(detail) => return bad_body(&world, &party, Action::Settle, detail),
    };
    let visit = visit(party, Action::Settle, &request.raas_txn_ref, &request.client_txn_ref);
    world.know(&visit);
    let print = without_timestamp(&body);
    let caller = Caller { world: &world, connection: &connection };
    let act = move |state: &mut crate::state::State, visit: &Visit, behaviour: &_| {
        state.settle(visit, print, &request, behaviour)
    };
    caller.play(visit, act).await
}

/// GET `/{bank}/reservations/{raasTxnRef}`.
pub(super) async fn look_up(
    State(world): State<World>,
    Extension(connection): Extension<Connection>,
    Path((name, reference)): Path<(String, String)>,
) -> Response {
    match party(&Path(name), PREFIX) {
        Some(party) => tell(&world, &connection, party, &reference).await,
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// GET `/{wallet}/charges/{raasTxnRef}`.
pub(super) async fn charge_look_up(
    State(world): State<World>,
    Extension(connection): Extension<Connection>,
    Path((name, reference)): Path<(String, String)>,
) -> Response {
    match party(&Path(name), WALLETS) {
        Some(party) => tell(&world, &connection, party, &reference).await,
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn tell(
    world: &World,
    connection: &Connection,
    party: Arc<str>,
    reference: &str,
) -> Response {
    let visit = visit(party, Action::ReservationLookUp, reference, reference);
    let caller = Caller { world, connection };
    caller.play(visit, |state, visit, _| state.reservation(visit)).await
}

/// A bank's result is made anew for each call, so that its timestamp alone may differ.
fn without_timestamp(body: &[u8]) -> Fingerprint {
    let mut value: Value = serde_json::from_slice(body).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("timestamp");
    }
    fingerprint(value.to_string().as_bytes())
}
