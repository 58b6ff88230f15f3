//! The paths of an operator that charges by SMS.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::query::{parameters, take};
use super::{Caller, PartyPath, bad_body, party, unauthorized, visit};
use crate::behaviour::Action;
use crate::judge;
use crate::operator::{ChargeRequest, OPERATORS};
use crate::server::Connection;
use crate::state::Visit;
use crate::world::World;

/// POST `/{operator}/v2.2/mo/charge`, all in the query.
pub(super) async fn charge(
    State(world): State<World>,
    Extension(connection): Extension<Connection>,
    path: PartyPath,
    (headers, uri): (HeaderMap, Uri),
    body: Bytes,
) -> Response {
    let Some(party) = party(&path, OPERATORS) else { return StatusCode::NOT_FOUND.into_response() };
    if !is_allowed(&world, &headers) {
        return wrong_user(&world, party, Action::MoCharge);
    }
    let request = match read(&uri, &body) {
        Ok(request) => request,
        Err(detail) => return bad_body(&world, &party, Action::MoCharge, detail),
    };
    let visit = visit(party, Action::MoCharge, &request.correlator, &request.msisdn);
    world.know(&visit);
    let caller = Caller { world: &world, connection: &connection };
    let act = move |state: &mut crate::state::State, visit: &Visit, behaviour: &_| {
        state.mo_charge(visit, request, behaviour)
    };
    caller.play(visit, act).await
}

/// POST `/{operator}/external/v1/merchant/check_transaction`, all in the query.
pub(super) async fn check(
    State(world): State<World>,
    Extension(connection): Extension<Connection>,
    path: PartyPath,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let Some(party) = party(&path, OPERATORS) else { return StatusCode::NOT_FOUND.into_response() };
    if !is_allowed(&world, &headers) {
        return wrong_user(&world, party, Action::MoCheck);
    }
    let asked = parameters(&uri).and_then(|mut found| {
        Ok((take(&mut found, "merchant")?, take(&mut found, "transaction_id")?))
    });
    let (merchant, id) = match asked {
        Ok(asked) => asked,
        Err(detail) => return bad_body(&world, &party, Action::MoCheck, detail),
    };
    let (purchase, mark) = world.lock(|state| {
        let known = state.transaction(&party, &id).map(|known| Arc::clone(&known.purchase));
        let asked = known.as_ref().and_then(|purchase| state.charges.get(purchase));
        let mark = asked.map(|asked| Arc::from(asked.msisdn.as_str()));
        (known.unwrap_or_else(|| Arc::from("")), mark)
    });
    let reference = Arc::from(id.as_str());
    let visit = Visit { party, action: Action::MoCheck, purchase, reference, mark };
    let caller = Caller { world: &world, connection: &connection };
    let act = move |state: &mut crate::state::State, visit: &Visit, _: &_| {
        state.mo_check(&visit.party, &id, &merchant)
    };
    caller.play(visit, act).await
}

fn read(uri: &Uri, body: &[u8]) -> Result<ChargeRequest, String> {
    if !body.is_empty() {
        return Err("everything is in the query, and there is a body".to_owned());
    }
    let mut found = parameters(uri)?;
    let mut one = |name| take(&mut found, name);
    let request = ChargeRequest {
        msisdn: one("msisdn")?,
        campaign: one("campaign")?,
        merchant: one("merchant")?,
        amount: one("amount")?,
        currency: one("currency")?,
        correlator: one("correlator")?,
        description: one("description")?,
    };
    match request.problem() {
        None => Ok(request),
        Some(problem) => Err(problem.to_owned()),
    }
}

fn is_allowed(world: &World, headers: &HeaderMap) -> bool {
    let settings = world.settings();
    let wanted = BASE64_STANDARD.encode(format!("{}:{}", settings.mo_user, settings.mo_password));
    let sent = headers.get("authorization").and_then(|sent| sent.to_str().ok());
    sent.and_then(|sent| sent.strip_prefix("Basic ")) == Some(wanted.as_str())
}

fn wrong_user(world: &World, party: Arc<str>, action: Action) -> Response {
    let detail = "user or password is not the operator's".to_owned();
    unauthorized(world, party, action, (judge::BASIC_AUTH, detail));
    StatusCode::UNAUTHORIZED.into_response()
}
