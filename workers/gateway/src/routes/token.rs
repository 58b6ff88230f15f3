//! Security Service: access tokens for clients, who show their id and secret in the form or in the
//! header `Authorization` (RFC 6749, section 2.3.1), and in one place only. The same answer for a client
//! that does not exist and a secret that is wrong.

use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Form, Json};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use fleet_contracts::openapi::{Content, Document, Operation};
use fleet_contracts::{CLIENT_CREDENTIALS, TokenRefusal, TokenReply, TokenRequest};

use serde_json::json;

use crate::Gateway;
use crate::api::CLIENT;
use crate::caller::client_of_secret;
use crate::tokens::VALID_FOR;

/// The words of OAuth 2 for a refusal, and what each is about.
const INVALID_REQUEST: (&str, &str) =
    ("invalid_request", "client_id, client_secret and grant_type are needed, once each, as a form");
const TWO_WAYS: (&str, &str) = (
    "invalid_request",
    "client_id and client_secret are to be in the form or in Authorization: Basic, not in both",
);
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
        .allowed_by(&[])
        .allowed_by(&[CLIENT])
        .body(body)
        .reply(200, "a token", reply)
        .header(200, "Cache-Control", "`no-store`");
    let shape = document.written::<TokenRefusal>();
    for (error, text) in [INVALID_REQUEST, TWO_WAYS, UNSUPPORTED, INVALID_CLIENT] {
        let example = json!({ "error": error, "error_description": text });
        let content = Content::json(shape.clone()).example(error, example);
        operation = operation.reply(400, &format!("`{error}`: {text}"), content);
    }
    let example = json!({ "error": INVALID_CLIENT.0, "error_description": INVALID_CLIENT.1 });
    let content = Content::json(shape).example("header", example);
    operation = operation
        .reply(401, "`invalid_client` where `Authorization: Basic` was sent", content)
        .header(401, "WWW-Authenticate", "`Basic`");
    operation
}

/// POST `/oauth/token`.
pub(crate) async fn token(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    form: Result<Form<Vec<(String, String)>>, FormRejection>,
) -> Response {
    let asked = match form.map_err(|_no_form| INVALID_REQUEST).and_then(Asked::of) {
        Ok(asked) => asked,
        Err(why) => return refuse(why),
    };
    let shown = match Shown::of(&headers, &asked) {
        Ok(shown) => shown,
        Err(why) => return refuse(why),
    };
    let Some(grant_type) = &asked.grant_type else { return refuse(INVALID_REQUEST) };
    if grant_type != CLIENT_CREDENTIALS {
        return refuse(UNSUPPORTED);
    }
    let present = gateway.directory.current();
    let mut pairs = shown.pairs.iter();
    match pairs.find_map(|(id, secret)| client_of_secret(&present, id, secret)) {
        Some(client) => told(
            StatusCode::OK,
            Json(TokenReply {
                access_token: present.new_token(client),
                token_type: "Bearer".to_owned(),
                expires_in: VALID_FOR.as_secs(),
            }),
        ),
        None if shown.by_header => unknown_by_header(),
        None => refuse(INVALID_CLIENT),
    }
}

/// What the form says. A parameter without a value is as if it were not there.
#[derive(Default)]
struct Asked {
    id: Option<String>,
    secret: Option<String>,
    grant_type: Option<String>,
}

impl Asked {
    fn of(Form(sent): Form<Vec<(String, String)>>) -> Result<Self, (&'static str, &'static str)> {
        let mut asked = Self::default();
        for (name, value) in sent.into_iter().filter(|(_, value)| !value.is_empty()) {
            let place = match name.as_str() {
                "client_id" => &mut asked.id,
                "client_secret" => &mut asked.secret,
                "grant_type" => &mut asked.grant_type,
                _ => continue,
            };
            if place.replace(value).is_some() {
                return Err(INVALID_REQUEST);
            }
        }
        Ok(asked)
    }
}

/// The id and secret that a request shows, as they may be meant.
struct Shown {
    pairs: Vec<(String, String)>,
    by_header: bool,
}

impl Shown {
    fn of(headers: &HeaderMap, asked: &Asked) -> Result<Self, (&'static str, &'static str)> {
        let mut sent = headers.get_all(header::AUTHORIZATION).iter();
        let first = sent.next().and_then(|value| basic(value.as_bytes()));
        if sent.next().is_some() {
            return Err(TWO_WAYS);
        }
        let Some(text) = first else {
            let (Some(id), Some(secret)) = (&asked.id, &asked.secret) else {
                return Err(INVALID_REQUEST);
            };
            let pairs = vec![(id.clone(), secret.clone())];
            return Ok(Self { pairs, by_header: false });
        };
        let pairs = pairs_of(text);
        let is_its = |id: &String| pairs.is_empty() || pairs.iter().any(|(one, _)| one == id);
        if asked.secret.is_some() || !asked.id.as_ref().is_none_or(is_its) {
            return Err(TWO_WAYS);
        }
        Ok(Self { pairs, by_header: true })
    }
}

/// What stands behind the scheme `Basic`; another scheme shows no client.
fn basic(value: &[u8]) -> Option<&[u8]> {
    let value = value.trim_ascii();
    let scheme_ends = value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len());
    let (scheme, text) = value.split_at(scheme_ends);
    scheme.eq_ignore_ascii_case(b"basic").then(|| text.trim_ascii())
}

/// Id and secret are encoded as in a form before they are put together. Many do not do so, and mean
/// what they wrote: both are tried. None, where it is nothing of that kind.
fn pairs_of(text: &[u8]) -> Vec<(String, String)> {
    let lenient =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let read = GeneralPurpose::new(&STANDARD, lenient).decode(text);
    let text = read.ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let Some((id, secret)) = text.split_once(':') else { return Vec::new() };
    let as_written = (id.to_owned(), secret.to_owned());
    decoded(id).zip(decoded(secret)).into_iter().chain([as_written]).collect()
}

/// A text that was encoded as in a form; `None` when it was not.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                let digits = std::str::from_utf8(&digits).ok()?;
                u8::from_str_radix(digits, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn refuse(why: (&str, &str)) -> Response {
    told(StatusCode::BAD_REQUEST, Json(refusal(why)))
}

/// Who came by the header is told so in a header (RFC 6749, section 5.2).
fn unknown_by_header() -> Response {
    let mut response = told(StatusCode::UNAUTHORIZED, Json(refusal(INVALID_CLIENT)));
    let scheme = HeaderValue::from_static("Basic realm=\"clients\", charset=\"UTF-8\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
    response
}

fn refusal((error, description): (&str, &str)) -> TokenRefusal {
    TokenRefusal { error: error.to_owned(), error_description: description.to_owned() }
}

fn told(status: StatusCode, body: impl IntoResponse) -> Response {
    let mut response = (status, body).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
