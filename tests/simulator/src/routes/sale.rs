//! The paths of a card gateway, for apps and for the fleet.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::{Extension, Json};

use super::{Caller, act_in_time, bad_body, party, read};
use crate::bank::{Reply, is_reference};
use crate::behaviour::Action;
use crate::sale::check::check;
use crate::sale::request::{SaleRequest, StatusRequest};
use crate::sale::{GATEWAYS, Opening, Place, invalid, is_unverified, new_token};
use crate::server::Connection;
use crate::state::Visit;
use crate::world::World;

/// What a buyer sees who is redirected.
const PAGE: &str = "<!doctype html><html lang=\"en\"><head><title>Card check</title></head><body>\
                    <h1>Card check</h1><p>This page is simulated: nothing is to be entered, and \
                    the sale goes on without it.</p></body></html>";

type SalePath = Path<(String, String, String)>;

/// POST `/{gateway}/paynet/dapi/v1/sale/{endpointId}/{invoiceId}`, by an app.
pub(super) async fn sale(
    State(world): State<World>,
    Extension(connection): Extension<Connection>,
    path: SalePath,
    body: Bytes,
) -> Response {
    let Some(place) = place(path) else { return StatusCode::NOT_FOUND.into_response() };
    let request = match read(&body, SaleRequest::problem) {
        Ok(request) => request,
        Err(detail) => return wrong_body(&world, &place, Action::Sale, detail),
    };
    let settings = world.settings();
    let is_ours = *place.endpoint == *settings.sale_endpoint;
    let is_signed = request.is_signed(&settings.sale_control_key, &place.endpoint, &place.invoice);
    let amount = request.transaction.amount_centis.to_string();
    let visit = place.visit(Action::Sale, Arc::from(amount));
    if is_ours && is_signed {
        world.lock(|state| {
            state.purchase_mut(&visit.purchase);
        });
    }
    let caller = Caller { world: &world, connection: &connection };
    let begun = caller.begin(&visit);
    if !is_ours || !is_signed && !is_unverified(&begun.behaviour) {
        let reply = invalid("the endpoint or the signature is wrong", &place.invoice);
        return caller.end(visit, begun, reply).await;
    }
    let token = new_token();
    let verdict = check(&world, &place, &request, &token).await;
    let opening = Opening { place, request, token, verdict };
    let act = move |state: &mut crate::state::State, visit: &Visit, behaviour: &_| {
        state.sale(visit, opening, behaviour)
    };
    match act_in_time(&world, &visit, &begun.behaviour, act).await {
        Some(reply) => caller.end(visit, begun, reply).await,
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// POST `/{gateway}/paynet/dapi/v1/sale/{endpointId}/{invoiceId}/status`, by an app or the fleet.
pub(super) async fn status(
    State(world): State<World>,
    Extension(connection): Extension<Connection>,
    path: SalePath,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(place) = place(path) else { return StatusCode::NOT_FOUND.into_response() };
    let request = match read(&body, |_: &StatusRequest| None) {
        Ok(request) => request,
        Err(detail) => return wrong_body(&world, &place, Action::SaleStatus, detail),
    };
    let mark = world.lock(|state| state.sale_mark(&place));
    let mut visit = place.visit(Action::SaleStatus, Arc::from(""));
    if mark.is_none() {
        visit.purchase = Arc::from("");
    }
    visit.mark = mark;
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    let pages = format!("http://{host}/{}/paynet/redirect", place.party);
    let caller = Caller { world: &world, connection: &connection };
    let act = move |state: &mut crate::state::State, visit: &Visit, _: &_| {
        state.sale_status(visit, (&place, &request.session, &pages))
    };
    caller.play(visit, act).await
}

/// GET `/{gateway}/paynet/redirect/{orderId}`.
pub(super) async fn page(Path((name, _order)): Path<(String, String)>) -> Response {
    match party(&Path(name), GATEWAYS) {
        Some(_) => Html(PAGE).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn place(Path((name, endpoint, invoice)): SalePath) -> Option<Place> {
    let party = party(&Path(name), GATEWAYS)?;
    let (endpoint, invoice) = (Arc::from(endpoint), Arc::from(invoice));
    Some(Place { party, endpoint, invoice }).filter(|place| is_reference(&place.invoice))
}

fn wrong_body(world: &World, place: &Place, action: Action, detail: String) -> Response {
    let Reply { body, .. } = invalid(&detail, &place.invoice);
    let refused = bad_body(world, &place.party, action, detail);
    (refused.status(), Json(body)).into_response()
}

impl Place {
    fn visit(&self, action: Action, mark: Arc<str>) -> Visit {
        Visit {
            party: Arc::clone(&self.party),
            action,
            purchase: Arc::clone(&self.invoice),
            reference: Arc::clone(&self.invoice),
            mark: Some(mark),
        }
    }
}
