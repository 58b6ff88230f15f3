//! The fraud desk's paths.

use std::sync::Arc;

use axum::extract::multipart::MultipartRejection;
use axum::extract::rejection::FormRejection;
use axum::extract::{Multipart, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form};

use super::{Caller, PartyPath, bad_body, party};
use crate::behaviour::Action;
use crate::desk::{ReportForm, ValidateForm};
use crate::judge;
use crate::server::Connection;
use crate::state::Visit;
use crate::world::World;

const PREFIX: &str = "desk";

/// POST `/{desk}/api/v2/transaction-report/`, a multipart form.
pub(super) async fn report(
    State(world): State<World>,
    Extension(connection): Extension<Connection>,
    path: PartyPath,
    form: Result<Multipart, MultipartRejection>,
) -> Response {
    let Some(party) = party(&path, PREFIX) else { return StatusCode::NOT_FOUND.into_response() };
    let form = match form {
        Ok(form) => report_form(form).await,
        Err(rejection) => Err(rejection.to_string()),
    };
    let form = match form {
        Ok(form) => form,
        Err(detail) => return bad_body(&world, &party, Action::Report, detail),
    };
    let visit = visit(party, Action::Report, form.token.as_deref().unwrap_or_default());
    if form.api_key.as_deref() != Some(world.settings().desk_key.as_str()) {
        return wrong_key(&world, &visit);
    }
    let is_alone = world.lock(|state| state.report_arrives(&visit));
    let in_flight = InFlight { world: world.clone(), visit: visit.clone() };
    if !is_alone {
        return StatusCode::CONFLICT.into_response();
    }
    let caller = Caller { world: &world, connection: &connection };
    let answer =
        caller.play(visit, move |state, visit, behaviour| state.report(visit, &form, behaviour));
    let answer = answer.await;
    drop(in_flight);
    answer
}

/// POST `/{desk}/api/v1/token/validate/`, a form.
pub(super) async fn validate(
    State(world): State<World>,
    Extension(connection): Extension<Connection>,
    path: PartyPath,
    form: Result<Form<ValidateForm>, FormRejection>,
) -> Response {
    let Some(party) = party(&path, PREFIX) else { return StatusCode::NOT_FOUND.into_response() };
    let form = form.map_err(|rejection| rejection.to_string());
    let form = form.and_then(|Form(form)| match form.problem() {
        None => Ok(form),
        Some(problem) => Err(problem.to_owned()),
    });
    let form = match form {
        Ok(form) => form,
        Err(detail) => return bad_body(&world, &party, Action::Validate, detail),
    };
    let visit = visit(party, Action::Validate, &form.token);
    if form.api_key != world.settings().desk_key {
        return wrong_key(&world, &visit);
    }
    let caller = Caller { world: &world, connection: &connection };
    caller.play(visit, move |state, visit, behaviour| state.validate(visit, &form, behaviour)).await
}

async fn report_form(mut multipart: Multipart) -> Result<ReportForm, String> {
    let mut form = ReportForm::default();
    while let Some(field) = multipart.next_field().await.map_err(|error| error.to_string())? {
        let name = field.name().unwrap_or_default().to_owned();
        form.set(&name, field.text().await.map_err(|error| error.to_string())?);
    }
    match form.problem() {
        None => Ok(form),
        Some(problem) => Err(problem.to_owned()),
    }
}

fn visit(party: Arc<str>, action: Action, token: &str) -> Visit {
    let token: Arc<str> = Arc::from(token);
    let (purchase, reference) = (Arc::clone(&token), Arc::clone(&token));
    Visit { party, action, purchase, reference, mark: Some(token) }
}

fn wrong_key(world: &World, visit: &Visit) -> Response {
    world.lock(|state| {
        let (_, _) = state.arrive(visit, false);
        state.violate(visit, judge::DESK_KEY, "api_key is not the desk's".to_owned());
    });
    StatusCode::UNAUTHORIZED.into_response()
}

/// A report being served.
struct InFlight {
    world: World,
    visit: Visit,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.world.lock(|state| state.report_leaves(&self.visit));
    }
}
