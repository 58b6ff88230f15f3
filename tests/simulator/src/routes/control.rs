//! The paths of whoever runs the simulator.

use axum::Json;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::behaviour::Plan;
use crate::desk::TokenRecord;
use crate::ipn::Mode;
use crate::record::{Call, Effect, EffectKind, Summary};
use crate::scripts::SCRIPTS;
use crate::world::World;

/// Rows of a page, unless the caller says otherwise, and at most.
const PAGE: usize = 1_000;
const PAGE_MAX: usize = 10_000;

pub(super) fn router() -> Router<World> {
    Router::new()
        .route("/record", get(record))
        .route("/calls", get(calls))
        .route("/summary", get(summary))
        .route("/violations", get(violations))
        .route("/purchases/{reference}", get(purchase))
        .route("/tokens/{token}", get(token))
        .route("/completions/{client}", get(completions))
        .route("/scripts", get(scripts))
        .route("/scripts/{key}", put(script).delete(forget_script))
        .route("/listeners/{client}/{mode}", put(listener))
        .route("/reset", post(reset))
}

#[derive(Deserialize)]
struct Page {
    party: Option<String>,
    kind: Option<String>,
    after: Option<u64>,
    limit: Option<usize>,
}

impl Page {
    fn limit(&self) -> usize {
        self.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX)
    }

    /// The rows of a page out of all rows, which lie in the order of their numbers.
    fn rows<T: Clone>(
        &self,
        all: &[T],
        number: impl Fn(&T) -> u64,
        wanted: impl Fn(&T) -> bool,
    ) -> Vec<T> {
        let after = self.after.unwrap_or(0);
        let start = all.partition_point(|row| number(row) <= after);
        let rows = all.iter().skip(start).filter(|row| wanted(row));
        rows.take(self.limit()).cloned().collect()
    }

    fn answer<T: serde::Serialize>(&self, rows: &[T], number: impl Fn(&T) -> u64) -> Json<Value> {
        let is_full = rows.len() >= self.limit();
        let last = rows.last().map(number);
        Json(json!({ "rows": rows, "last": last, "more": is_full }))
    }
}

/// GET `/control/record?party=&kind=&after=&limit=`: effects.
async fn record(State(world): State<World>, Query(page): Query<Page>) -> Response {
    let kind = match page.kind.as_deref().map(EffectKind::named) {
        Some(None) => return (StatusCode::BAD_REQUEST, "kind is unknown").into_response(),
        Some(kind) => kind,
        None => None,
    };
    let wanted = |effect: &Effect| {
        kind.is_none_or(|kind| effect.kind == kind)
            && page.party.as_deref().is_none_or(|party| &*effect.party == party)
    };
    let rows = world.lock(|state| page.rows(state.effects(), |effect| effect.n, wanted));
    page.answer(&rows, |effect| effect.n).into_response()
}

/// GET `/control/calls?party=&after=&limit=`.
async fn calls(State(world): State<World>, Query(page): Query<Page>) -> Json<Value> {
    let wanted = |call: &Call| page.party.as_deref().is_none_or(|party| &*call.party == party);
    let rows = world.lock(|state| page.rows(state.calls(), |call| call.n, wanted));
    page.answer(&rows, |call| call.n)
}

/// GET `/control/violations?after=&limit=`.
async fn violations(State(world): State<World>, Query(page): Query<Page>) -> Json<Value> {
    let rows = world.lock(|state| page.rows(state.violations(), |found| found.n, |_| true));
    page.answer(&rows, |found| found.n)
}

/// GET `/control/summary`.
async fn summary(State(world): State<World>) -> Json<Summary> {
    Json(world.summary())
}

/// GET `/control/purchases/{raasTxnRef}`: all that is known of one purchase.
async fn purchase(State(world): State<World>, Path(reference): Path<String>) -> Response {
    let found = world.lock(|state| {
        let known = state.purchase(&reference)?;
        let vends = known.vends.iter().map(|((party, vend_ref), vend)| {
            json!({ "party": party, "vendRef": vend_ref, "vend": vend })
        });
        let hold = known.hold.as_ref().map(|hold| {
            json!({
                "bank": hold.bank,
                "amount": hold.amount,
                "reference": hold.reference,
                "state": hold.state,
            })
        });
        let own = |violation: &&crate::record::Violation| *violation.purchase == *reference;
        let violations: Vec<_> = state.violations().iter().filter(own).collect();
        Some(json!({
            "purchase": reference,
            "hold": hold,
            "vends": vends.collect::<Vec<_>>(),
            "sale": state.sales.record(&reference),
            "transactions": state.transactions_of(&reference),
            "effects": state.effects_of(&reference),
            "calls": state.calls_of(&reference),
            "violations": violations,
        }))
    });
    match found {
        Some(found) => Json(found).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// GET `/control/tokens/{token}`: what the fraud desk was told and asked about a token.
async fn token(State(world): State<World>, Path(token): Path<String>) -> Json<TokenRecord> {
    Json(world.token(&token))
}

/// GET `/control/completions/{clientId}`: the card payments' completions that a client got.
async fn completions(State(world): State<World>, Path(client): Path<i64>) -> Json<Value> {
    let mut own = world.completions();
    own.retain(|call| call.client == client);
    Json(json!({ "rows": own }))
}

/// GET `/control/scripts`: the built-in table and what was put.
async fn scripts(State(world): State<World>) -> Json<Value> {
    let built_in = SCRIPTS.iter().map(|script| {
        json!({
            "code": script.code,
            "name": script.name,
            "party": script.party,
            "meaning": script.meaning,
            "plan": script.plan(),
        })
    });
    let built_in: Vec<Value> = built_in.collect();
    Json(json!({ "builtIn": built_in, "custom": world.custom_scripts() }))
}

/// PUT `/control/scripts/{key}`: behaviours by action, `{"vend": [{"effect": true, "answer":
/// "hang"}]}`; the key is a `raasTxnRef`, a target, a `clientTxnRef` or a token.
async fn script(
    State(world): State<World>,
    Path(key): Path<String>,
    Json(plan): Json<Plan>,
) -> StatusCode {
    if world.lock(|state| state.script(&key, plan)) {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::INSUFFICIENT_STORAGE
    }
}

/// DELETE `/control/scripts/{key}`.
async fn forget_script(State(world): State<World>, Path(key): Path<String>) -> StatusCode {
    if world.lock(|state| state.forget_script(&key)) {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::NOT_FOUND
    }
}

/// PUT `/control/listeners/{clientId}/{mode}`: a client's IPN listener is `up`, `dead`, or takes so
/// many milliseconds (a number) for each answer.
async fn listener(
    State(world): State<World>,
    Path((client, mode)): Path<(i64, String)>,
) -> StatusCode {
    let mode = match mode.as_str() {
        "up" => Mode::Up,
        "dead" => Mode::Dead,
        number => match number.parse() {
            Ok(milliseconds) => Mode::Slow(milliseconds),
            Err(_no_number) => return StatusCode::BAD_REQUEST,
        },
    };
    world.set_listener(client, mode);
    StatusCode::NO_CONTENT
}

/// POST `/control/reset`.
async fn reset(State(world): State<World>) -> StatusCode {
    world.reset();
    StatusCode::NO_CONTENT
}
