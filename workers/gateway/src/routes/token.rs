//! Security Service: access tokens for clients. The same answer for a client that does not exist
//! and a secret that is wrong.

use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Form, Json};
use fleet_contracts::openapi::{Content, Document, Operation};
use fleet_contracts::{CLIENT_CREDENTIALS, TokenRefusal, TokenReply, TokenRequest};

use serde_json::json;

use crate::Gateway;
use crate::caller::client_of_secret;
use crate::closed::token_refusal;
use crate::tokens::VALID_FOR;

/// The words of OAuth 2 for a refusal, and what each is about.
const INVALID_REQUEST: (&str, &str) =
    ("invalid_request", "client_id, client_secret and grant_type are needed, once each, as a form");
const UNSUPPORTED: (&str, &str) =
    ("unsupported_grant_type", "grant_type must be client_credentials");
const INVALID_CLIENT: (&str, &str) = ("invalid_client", "client_id or client_secret is not valid");

/// What the Security Service is.
pub(crate) fn describe(document: &mut Document) -> Operation {
    let form = json!({
        "client_id": "1001", "client_secret": "sample-oauth-secret-1001",
        "grant_type": CLIENT_CREDENTIALS,
    });
    let kind = "application/x-www-form-urlencoded";
    let body = Content::of(kind, document.read::<TokenRequest>()).example("sample", form);
    let reply = Content::json(document.written::<TokenReply>());
    let mut operation = Operation::new("token", "Security Service: an access token")
        .about(
            "Sent as `Authorization: Bearer …` beside `X-API-Key`, where the client is set up so.",
        )
        .tag("security")
        .body(body)
        .reply(200, "a token", reply)
        .header(200, "Cache-Control", "`no-store`");
    let shape = document.written::<TokenRefusal>();
    for (error, text) in [INVALID_REQUEST, UNSUPPORTED, INVALID_CLIENT] {
        let example = json!({ "error": error, "error_description": text });
        let content = Content::json(shape.clone()).example(error, example);
        operation = operation.reply(400, &format!("`{error}`: {text}"), content);
    }
    let content = Content::json(shape).example("error", json!(token_refusal()));
    operation.reply(503, "not available, come again", content).header(503, "Retry-After", "seconds")
}

/// POST `/oauth/token`.
pub(crate) async fn token(
    State(gateway): State<Gateway>,
    form: Result<Form<TokenRequest>, FormRejection>,
) -> Response {
    let Ok(Form(asked)) = form else {
        return refuse(INVALID_REQUEST);
    };
    if asked.grant_type != CLIENT_CREDENTIALS {
        return refuse(UNSUPPORTED);
    }
    let present = gateway.directory.current();
    match client_of_secret(&present, &asked.client_id, &asked.client_secret) {
        Some(client) => told(
            StatusCode::OK,
            Json(TokenReply {
                access_token: present.new_token(client),
                token_type: "Bearer".to_owned(),
                expires_in: VALID_FOR.as_secs(),
            }),
        ),
        None => refuse(INVALID_CLIENT),
    }
}

fn refuse((error, description): (&str, &str)) -> Response {
    let refusal =
        TokenRefusal { error: error.to_owned(), error_description: description.to_owned() };
    told(StatusCode::BAD_REQUEST, Json(refusal))
}

fn told(status: StatusCode, body: impl IntoResponse) -> Response {
    let mut response = (status, body).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
