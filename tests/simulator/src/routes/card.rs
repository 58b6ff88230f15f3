//! The paths of a processor of card payments, and of the clients that wait for their completion.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use axum::{Extension, Json};

use super::query::parameters;
use super::{Caller, PartyPath, bad_body, party, read, unauthorized, visit};
use crate::bank::Reply;
use crate::behaviour::Action;
use crate::card::{PROCESSORS, PaymentRequest, error};
use crate::completion::Completion;
use crate::judge;
use crate::server::Connection;
use crate::state::Visit;
use crate::world::World;

/// What a buyer sees.
const PAGE: &str = "<!doctype html><html lang=\"en\"><head><title>Card payment</title></head><body>\
                    <h1>Card payment</h1><p>This page is simulated: nothing is to be entered, and \
                    the payment is made without it.</p></body></html>";

/// POST `/{processor}/api/card-payments`.
pub(super) async fn payment(
    State(world): State<World>,
    Extension(connection): Extension<Connection>,
    path: PartyPath,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(party) = party(&path, PROCESSORS) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if !is_allowed(&world, &headers) {
        return wrong_key(&world, party, Action::CardPayment);
    }
    let account = world.settings().card_account.as_str();
    let request = match read(&body, |request: &PaymentRequest| request.problem(account)) {
        Ok(request) => request,
        Err(detail) => {
            let reply = error(400, &detail);
            let refused = bad_body(&world, &party, Action::CardPayment, detail);
            return (refused.status(), Json(reply.body)).into_response();
        }
    };
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    let pages = format!("http://{host}/{party}/pay");
    let amount = request.minor().to_string();
    let visit = visit(party, Action::CardPayment, &request.order_info, &amount);
    world.know(&visit);
    let caller = Caller { world: &world, connection: &connection };
    let act = move |state: &mut crate::state::State, visit: &Visit, behaviour: &_| {
        state.card_payment(visit, (request, &pages), behaviour)
    };
    caller.play(visit, act).await
}

/// GET `/{processor}/pay/{page}`.
pub(super) async fn page(
    State(world): State<World>,
    Path((name, page)): Path<(String, u64)>,
) -> Response {
    let is_known = party(&Path(name), PROCESSORS).is_some();
    if is_known && world.lock(|state| state.has_page(page)) {
        Html(PAGE).into_response()
    } else {
        StatusCode::NOT_FOUND.into_response()
    }
}

/// GET `/{processor}/api/transactions/{id}`.
pub(super) async fn query(
    State(world): State<World>,
    Extension(connection): Extension<Connection>,
    Path((name, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let Some(party) = party(&Path(name), PROCESSORS) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if !is_allowed(&world, &headers) {
        return wrong_key(&world, party, Action::CardQuery);
    }
    let (purchase, mark) = world.lock(|state| {
        let known = state.transaction(&party, &id).map(|known| Arc::clone(&known.purchase));
        let asked = known.as_ref().and_then(|purchase| state.cards.payments.get(purchase));
        let mark = asked.map(|asked| Arc::from(asked.request.minor().to_string()));
        (known.unwrap_or_else(|| Arc::from("")), mark)
    });
    let reference = Arc::from(id.as_str());
    let visit = Visit { party, action: Action::CardQuery, purchase, reference, mark };
    let caller = Caller { world: &world, connection: &connection };
    let act = move |state: &mut crate::state::State, visit: &Visit, behaviour: &_| {
        state.card_query(&visit.party, &id, behaviour)
    };
    caller.play(visit, act).await
}

/// GET `/client/{clientId}/card`: a completion for a client, whose `order_info` is its
/// `clientTxnRef`.
pub(super) async fn completion(
    State(world): State<World>,
    Extension(connection): Extension<Connection>,
    Path(client): Path<i64>,
    uri: Uri,
) -> Response {
    let party: Arc<str> = Arc::from(format!("client-{client}"));
    let found = parameters(&uri).map(Completion);
    let completion = found.and_then(|completion| match completion.problem() {
        None => Ok(completion),
        Some(problem) => Err(problem.to_owned()),
    });
    let completion = match completion {
        Ok(completion) => completion,
        Err(detail) => return bad_body(&world, &party, Action::Completion, detail),
    };
    let order: Arc<str> = Arc::from(completion.order_info());
    let visit = Visit {
        party,
        action: Action::Completion,
        // It names no purchase by our reference.
        purchase: Arc::from(format!("order:{order}")),
        reference: Arc::clone(&order),
        mark: Some(order),
    };
    world.know(&visit);
    let caller = Caller { world: &world, connection: &connection };
    let act = move |state: &mut crate::state::State, visit: &Visit, behaviour: &_| {
        state.completion(visit, client, completion, behaviour)
    };
    caller.play(visit, act).await
}

fn is_allowed(world: &World, headers: &HeaderMap) -> bool {
    let sent = headers.get("authorization").and_then(|sent| sent.to_str().ok());
    sent == Some(world.settings().card_key.as_str())
}

fn wrong_key(world: &World, party: Arc<str>, action: Action) -> Response {
    let detail = "the key is not the processor's".to_owned();
    unauthorized(world, party, action, (judge::CARD_KEY, detail));
    let Reply { body, .. } = error(401, "the key is wrong");
    (StatusCode::UNAUTHORIZED, Json(body)).into_response()
}
