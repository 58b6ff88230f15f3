//! A supplier's paths.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::{Caller, PartyPath, bad_body, party, read};
use crate::behaviour::Action;
use crate::judge;
use crate::server::Connection;
use crate::state::{Facts, Visit};
use crate::supplier::{AccountRequest, SupplierKind, VendRequest};
use crate::world::World;

const PREFIX: &str = "supplier";

/// POST `/{supplier}/vend`.
pub(super) async fn vend(
    State(world): State<World>,
    Extension(connection): Extension<Connection>,
    path: PartyPath,
    body: Bytes,
) -> Response {
    let known = party(&path, PREFIX).and_then(|party| Some((SupplierKind::of(&party)?, party)));
    let Some((kind, party)) = known else { return StatusCode::NOT_FOUND.into_response() };
    let request = match read(&body, VendRequest::problem) {
        Ok(request) => request,
        Err(detail) => return bad_body(&world, &party, Action::Vend, detail),
    };
    let visit = Visit {
        party,
        action: Action::Vend,
        purchase: Arc::from(request.raas_txn_ref.as_str()),
        reference: Arc::from(request.vend_ref.as_str()),
        mark: None,
    };
    let facts = Facts {
        client_ref: None,
        target: &request.target_identifier,
        amount: request.amount,
        currency: &request.currency_code,
    };
    world.lock(|state| {
        state.meet(&visit, &facts);
        state.vend_arrives(&visit, kind, &request);
    });
    let caller = Caller { world: &world, connection: &connection };
    caller.play(visit, move |state, visit, behaviour| state.vend(visit, kind, behaviour)).await
}

/// GET `/{supplier}/vend/{vendRef}`.
pub(super) async fn look_up(
    State(world): State<World>,
    Extension(connection): Extension<Connection>,
    Path((name, reference)): Path<(String, String)>,
) -> Response {
    let path = Path(name);
    let known = party(&path, PREFIX).and_then(|party| Some((SupplierKind::of(&party)?, party)));
    let Some((kind, party)) = known else { return StatusCode::NOT_FOUND.into_response() };
    let purchase = reference.rsplit_once('-').map_or("", |(purchase, _)| purchase);
    let visit = Visit {
        party,
        action: Action::VendLookUp,
        purchase: Arc::from(purchase),
        reference: Arc::from(reference.as_str()),
        mark: None,
    };
    if kind != SupplierKind::LookUp {
        let detail = "this supplier has no look-up".to_owned();
        world.lock(|state| state.violate(&visit, judge::LOOK_UP_UNSUPPORTED, detail));
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let caller = Caller { world: &world, connection: &connection };
    caller.play(visit, |state, visit, _| state.vend_look_up(visit)).await
}

/// POST `/{supplier}/validate`: asks about an account, changes nothing.
pub(super) async fn validate(
    State(world): State<World>,
    Extension(connection): Extension<Connection>,
    path: PartyPath,
    body: Bytes,
) -> Response {
    let Some(party) = party(&path, PREFIX) else { return StatusCode::NOT_FOUND.into_response() };
    let request = match read(&body, AccountRequest::problem) {
        Ok(request) => request,
        Err(detail) => return bad_body(&world, &party, Action::ValidateAccount, detail),
    };
    let account: Arc<str> = Arc::from(request.target_identifier.as_str());
    let visit = Visit {
        party,
        action: Action::ValidateAccount,
        purchase: Arc::from(format!("account:{account}")),
        reference: Arc::clone(&account),
        mark: Some(account),
    };
    let caller = Caller { world: &world, connection: &connection };
    caller.play(visit, move |_, _, behaviour| request.answer(behaviour)).await
}
