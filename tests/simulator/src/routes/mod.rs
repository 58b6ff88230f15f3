//! The HTTP paths of all parties, and how one call is played.

mod answer;
mod bank;
mod card;
mod client;
mod control;
mod desk;
mod ipn;
mod message;
mod operator;
mod query;
mod sale;
mod supplier;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use serde::de::DeserializeOwned;

use crate::bank::Reply;
use crate::behaviour::{Action, AnswerKind, Behaviour};
use crate::credentials::wanted_of_callers;
use crate::judge;
use crate::purchase::Told;
use crate::server::Connection;
use crate::state::{State as WorldState, Visit};
use crate::supplier::{SupplierKind, told_by_code};
use crate::world::{Serving, World};

/// The most bytes of a body.
pub(crate) const BODY_BYTES_MAX: usize = 65_536;

pub(crate) fn router(world: World) -> Router {
    let callers = Router::new()
        .route("/{party}/reserve", post(bank::reserve))
        .route("/{party}/result", post(bank::result))
        .route("/{party}/reservations/{reference}", get(bank::look_up))
        .route("/{party}/charge", post(bank::charge))
        .route("/{party}/charges/{reference}", get(bank::charge_look_up))
        .route("/{party}/refund", post(bank::refund))
        .route("/{party}/vend", post(supplier::vend))
        .route("/{party}/vend/{reference}", get(supplier::look_up))
        .route("/{party}/validate", post(supplier::validate))
        .route("/{party}/messages", post(message::message))
        .layer(from_fn_with_state(world.clone(), wanted_of_callers));
    let parties = Router::new()
        .merge(callers)
        .route("/client/{client}/result", post(client::result))
        .route("/client/{client}/ipn", post(ipn::ipn))
        .route("/{party}/api/v2/transaction-report/", post(desk::report))
        .route("/{party}/api/v1/token/validate/", post(desk::validate))
        .route("/{party}/v2.2/mo/charge", post(operator::charge))
        .route("/{party}/external/v1/merchant/check_transaction", post(operator::check))
        .route("/{party}/api/card-payments", post(card::payment))
        .route("/{party}/api/transactions/{id}", get(card::query))
        .route("/{party}/pay/{page}", get(card::page))
        .route("/client/{client}/card", get(card::completion))
        .route("/{party}/paynet/dapi/v1/sale/{endpoint}/{invoice}", post(sale::sale))
        .route("/{party}/paynet/dapi/v1/sale/{endpoint}/{invoice}/status", post(sale::status))
        .route("/{party}/paynet/redirect/{order}", get(sale::page))
        .layer(from_fn_with_state(world.clone(), refuse_when_full));
    Router::new()
        .merge(parties)
        .route(answer::CANARY, any(canary))
        .route("/live", get(|| async { "ok" }))
        .nest("/control", control::router())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(world)
}

/// A record with gaps would judge wrongly, so nothing is served once it is full.
async fn refuse_when_full(State(world): State<World>, request: Request, next: Next) -> Response {
    if world.lock(|state| state.is_full()) {
        tracing::error!("the record is full: POST /control/reset empties it");
        return StatusCode::INSUFFICIENT_STORAGE.into_response();
    }
    next.run(request).await
}

async fn canary(State(world): State<World>) -> StatusCode {
    let nobody: Arc<str> = Arc::from("");
    let visit = Visit {
        party: Arc::from("canary"),
        action: Action::Result,
        purchase: Arc::clone(&nobody),
        reference: nobody,
        mark: None,
    };
    let detail = "somebody followed a redirect".to_owned();
    world.lock(|state| state.violate(&visit, judge::REDIRECT_FOLLOWED, detail));
    StatusCode::NO_CONTENT
}

/// A caller's place in the world.
struct Caller<'a> {
    world: &'a World,
    connection: &'a Connection,
}

/// A call that has arrived.
struct Begun {
    behaviour: Behaviour,
    latency_ms: u64,
    serving: Serving,
}

impl Caller<'_> {
    /// Plays one call: the effect at its instant, then waiting, then the answer.
    async fn play(
        &self,
        visit: Visit,
        act: impl FnOnce(&mut WorldState, &Visit, &Behaviour) -> Reply + Send + 'static,
    ) -> Response {
        let begun = self.begin(&visit);
        match act_in_time(self.world, &visit, &begun.behaviour, act).await {
            Some(reply) => self.end(visit, begun, reply).await,
            None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }

    /// A call arrives.
    fn begin(&self, visit: &Visit) -> Begun {
        let serving = self.world.enter(&visit.party);
        let reused = self.connection.reused();
        let (behaviour, latency_ms) = self.world.lock(|state| state.arrive(visit, reused));
        Begun { behaviour, latency_ms, serving }
    }

    /// And is answered.
    async fn end(&self, visit: Visit, begun: Begun, reply: Reply) -> Response {
        let world = self.world;
        let Begun { behaviour, latency_ms, serving } = begun;
        let wait = Duration::from_millis(latency_ms).saturating_add(behaviour.answer_wait());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        if matches!(visit.action, Action::Vend | Action::VendLookUp) {
            let told = told(&visit, &behaviour.answer, &reply);
            world.lock(|state| state.tell_vend(&visit, told));
        }
        let response = answer::send(self.connection, &behaviour.answer, reply).await;
        drop(serving);
        response
    }
}

/// Runs the effect with its callbacks now, or later on its own, so that they come even if the caller
/// leaves.
async fn act_in_time(
    world: &World,
    visit: &Visit,
    behaviour: &Behaviour,
    act: impl FnOnce(&mut WorldState, &Visit, &Behaviour) -> Reply + Send + 'static,
) -> Option<Reply> {
    let wait = behaviour.effect_wait();
    if wait.is_zero() {
        let reply = world.lock(|state| act(state, visit, behaviour));
        confirm(world, visit, behaviour).await;
        return Some(reply);
    }
    let (late, visit, behaviour) = (world.clone(), visit.clone(), behaviour.clone());
    let acted = async move {
        tokio::time::sleep(wait).await;
        let reply = late.lock(|state| act(state, &visit, &behaviour));
        confirm(&late, &visit, &behaviour).await;
        reply
    };
    let stop = world.stop_token().clone();
    let task = world.tasks().spawn(async move { stop.run_until_cancelled(acted).await });
    task.await.ok().flatten()
}

/// The callbacks of a supplier that confirms, what a buyer does who is asked, and a sale's course.
async fn confirm(world: &World, visit: &Visit, behaviour: &Behaviour) {
    let confirms = SupplierKind::of(&visit.party) == Some(SupplierKind::Callback);
    if confirms && visit.action == Action::Vend {
        crate::confirm::confirm(world, visit, behaviour).await;
    }
    if matches!(visit.action, Action::MoCharge | Action::CardPayment) {
        crate::buyer::act(world, visit, behaviour).await;
    }
    if visit.action == Action::Sale {
        crate::sale::course::begin(world, visit, behaviour).await;
    }
    if visit.action == Action::SaleStatus {
        crate::sale::course::tell_due(world, visit);
    }
}

/// What a vend's answer tells: only a readable one tells anything.
fn told(visit: &Visit, answer: &AnswerKind, reply: &Reply) -> Told {
    match answer {
        AnswerKind::Code(_) if reply.status == 404 && visit.action.is_look_up() => Told::NotFound,
        AnswerKind::Code(_) | AnswerKind::DirtyReferences | AnswerKind::Odd(_) => {
            reply.response_code().map_or(Told::Nothing, told_by_code)
        }
        AnswerKind::Wire(wire) if wire.is_truth() => {
            reply.response_code().map_or(Told::Nothing, told_by_code)
        }
        AnswerKind::Status { status: 429, .. } if visit.action == Action::Vend => Told::Refused,
        AnswerKind::Status { .. }
        | AnswerKind::Bytes(_)
        | AnswerKind::Wire(_)
        | AnswerKind::Garbage
        | AnswerKind::Redirect
        | AnswerKind::Hang
        | AnswerKind::Reset
        | AnswerKind::Close
        | AnswerKind::Drip
        | AnswerKind::Endless => Told::Nothing,
    }
}

/// A body of the contract, or why it is none.
fn read<T: DeserializeOwned>(
    body: &[u8],
    problem: impl Fn(&T) -> Option<&'static str>,
) -> Result<T, String> {
    let read: T = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    match problem(&read) {
        None => Ok(read),
        Some(problem) => Err(problem.to_owned()),
    }
}

/// A call that is not as the contract says.
fn bad_body(world: &World, party: &Arc<str>, action: Action, detail: String) -> Response {
    world.lock(|state| state.arrive_unreadable(party, action, detail.clone()));
    (StatusCode::BAD_REQUEST, detail).into_response()
}

/// A call about a purchase by our reference; `mark` chooses its script.
fn visit(party: Arc<str>, action: Action, purchase: &str, mark: &str) -> Visit {
    let purchase: Arc<str> = Arc::from(purchase);
    let reference = Arc::clone(&purchase);
    Visit { party, action, purchase, reference, mark: Some(Arc::from(mark)) }
}

/// A call of somebody who may not make it: recorded without a purchase.
pub(crate) fn unauthorized(
    world: &World,
    party: Arc<str>,
    action: Action,
    (rule, detail): (&'static str, String),
) {
    let nobody: Arc<str> = Arc::from("");
    let reference = Arc::clone(&nobody);
    let visit = Visit { party, action, purchase: nobody, reference, mark: None };
    world.lock(|state| {
        let (_, _) = state.arrive(&visit, false);
        state.violate(&visit, rule, detail);
    });
}

type PartyPath = Path<String>;

/// The party of a path, if its name begins as its kind's do.
fn party(Path(name): &PartyPath, prefix: &str) -> Option<Arc<str>> {
    name.starts_with(prefix).then(|| Arc::from(name.as_str()))
}
