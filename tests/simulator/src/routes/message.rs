//! A provider of messages.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::{Caller, PartyPath, bad_body, party, read};
use crate::behaviour::Action;
use crate::ipn::Mode;
use crate::message::MessageRequest;
use crate::server::Connection;
use crate::state::Visit;
use crate::world::World;

const SMS: &str = "sms";
const MAIL: &str = "mail";

/// POST `/{provider}/messages`.
pub(super) async fn message(
    State(world): State<World>,
    Extension(connection): Extension<Connection>,
    path: PartyPath,
    body: Bytes,
) -> Response {
    let Some(party) = party(&path, SMS).or_else(|| party(&path, MAIL)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match world.lock(|state| state.messages.modes.get(&party).copied().unwrap_or_default()) {
        Mode::Up => {}
        Mode::Dead => match connection.reset().await {},
        Mode::Slow(milliseconds) => {
            tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
        }
    }
    let is_mail = party.starts_with(MAIL);
    let request = match read(&body, |request: &MessageRequest| request.problem(is_mail)) {
        Ok(request) => request,
        Err(detail) => return bad_body(&world, &party, Action::Message, detail),
    };
    let visit = Visit {
        party,
        action: Action::Message,
        purchase: Arc::from(request.purchase()),
        reference: Arc::from(request.reference.as_str()),
        mark: Some(Arc::from(request.reference.as_str())),
    };
    world.know(&visit);
    let caller = Caller { world: &world, connection: &connection };
    let act = move |state: &mut crate::state::State, visit: &Visit, behaviour: &_| {
        state.message(visit, request, behaviour)
    };
    caller.play(visit, act).await
}
