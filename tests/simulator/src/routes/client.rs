//! A client's listener.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::{Caller, bad_body, read, visit};
use crate::bank::ResultRequest;
use crate::behaviour::Action;
use crate::client::signature;
use crate::judge;
use crate::server::Connection;
use crate::state::Visit;
use crate::world::World;

/// POST `/client/{clientId}/result`.
pub(super) async fn result(
    State(world): State<World>,
    Extension(connection): Extension<Connection>,
    Path(client): Path<i64>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let party: Arc<str> = Arc::from(format!("client-{client}"));
    let request = match read(&body, ResultRequest::problem) {
        Ok(request) => request,
        Err(detail) => return bad_body(&world, &party, Action::Result, detail),
    };
    let visit = visit(party, Action::Result, &request.raas_txn_ref, &request.client_txn_ref);
    world.know(&visit);
    if let Some(secret) = world.settings().client_secrets.get(&client) {
        let sent = headers.get("signature").and_then(|sent| sent.to_str().ok());
        if sent != Some(signature(secret, &body).as_str()) {
            let what = if sent.is_some() { "wrong" } else { "missing" };
            let detail = format!("Signature is {what}");
            world.lock(|state| {
                let (_, _) = state.arrive(&visit, connection.reused());
                state.violate(&visit, judge::SIGNATURE, detail);
            });
            return StatusCode::UNAUTHORIZED.into_response();
        }
    }
    let caller = Caller { world: &world, connection: &connection };
    let act = move |state: &mut crate::state::State, visit: &Visit, behaviour: &_| {
        state.result(visit, client, (&body, &request), behaviour)
    };
    caller.play(visit, act).await
}
