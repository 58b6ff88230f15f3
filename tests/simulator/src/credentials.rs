//! What banks, suppliers and providers of messages want of whoever calls them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use subtle::ConstantTimeEq;

use crate::behaviour::Action;
use crate::client::signature;
use crate::judge;
use crate::routes::{BODY_BYTES_MAX, unauthorized};
use crate::world::World;

/// The secret of parties that no other is agreed with.
pub(crate) const USUAL_SECRET: &str = "sample-party-secret";

/// What a party wants of its callers.
#[derive(Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The header `Signature` over the raw body, under this secret.
    Signature(String),
    /// A header that holds the key.
    ApiKey(&'static str, String),
    /// This user with this password.
    Basic(&'static str, String),
    /// Nothing.
    Nothing,
}

impl std::fmt::Debug for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wanted")
    }
}

impl Wanted {
    /// The header that a call with this body carries.
    #[must_use]
    pub fn header(&self, body: &[u8]) -> Option<(&'static str, String)> {
        match self {
            Self::Signature(secret) => Some(("signature", signature(secret, body))),
            Self::ApiKey(name, key) => Some((name, key.clone())),
            Self::Basic(user, password) => {
                let text = BASE64_STANDARD.encode(format!("{user}:{password}"));
                Some(("authorization", format!("Basic {text}")))
            }
            Self::Nothing => None,
        }
    }

    fn is_shown(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let Some((name, wanted)) = self.header(body) else { return true };
        // Two of the same name could be read one way here and another way elsewhere.
        let mut sent = headers.get_all(name).iter();
        match (sent.next(), sent.next()) {
            (Some(sent), None) => sent.as_bytes().ct_eq(wanted.as_bytes()).into(),
            _ => false,
        }
    }
}

/// What each party wants, by the beginning of its name; the longest one counts.
#[derive(Debug, Clone)]
pub(crate) struct Credentials(BTreeMap<String, Wanted>);

impl Credentials {
    /// As the sample set-up has it.
    pub(crate) fn sample() -> Self {
        let signed = |secret: &str| Wanted::Signature(secret.to_owned());
        let rows = [
            ("", signed(USUAL_SECRET)),
            ("bank", signed("sample-bank-secret")),
            ("bank-sandbox", signed("sandbox-bank-secret")),
            ("wallet", Wanted::ApiKey("x-api-key", "sample-wallet-key".to_owned())),
            ("wallet-plain", Wanted::Basic("sample-fleet", "sample-wallet-password".to_owned())),
            ("supplier-lookup", signed("sample-supplier-secret")),
            ("supplier-lookup-sandbox", signed("sandbox-supplier-secret")),
            ("supplier-callback", signed("sample-callback-secret")),
            ("supplier-plain", Wanted::ApiKey("x-supplier-key", "sample-supplier-key".to_owned())),
            ("sms", signed("sample-sms-secret")),
            ("mail", Wanted::Basic("sample-fleet", "sample-mail-password".to_owned())),
        ];
        Self(rows.into_iter().map(|(name, wanted)| (name.to_owned(), wanted)).collect())
    }

    pub(crate) fn of(&self, party: &str) -> Wanted {
        let own = self.0.iter().filter(|(name, _)| party.starts_with(name.as_str()));
        let longest = own.max_by_key(|(name, _)| name.len());
        longest.map_or(Wanted::Nothing, |(_, wanted)| wanted.clone())
    }

    pub(crate) fn set(&mut self, party: &str, wanted: Wanted) {
        self.0.insert(party.to_owned(), wanted);
    }
}

/// Lets nobody in who does not show what the party wants; 401, and a violation.
pub(crate) async fn wanted_of_callers(
    State(world): State<World>,
    request: Request,
    next: Next,
) -> Response {
    let mut parts = request.uri().path().trim_start_matches('/').split('/');
    let party: Arc<str> = Arc::from(parts.next().unwrap_or_default());
    let action = action(parts.next().unwrap_or_default(), request.method() == "GET");
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let wanted = world.lock(|state| state.credentials.of(&party));
    if !wanted.is_shown(&head.headers, &body) {
        let detail = "the caller does not show who it is".to_owned();
        unauthorized(&world, party, action, (judge::CREDENTIALS, detail));
        return StatusCode::UNAUTHORIZED.into_response();
    }
    next.run(Request::from_parts(head, Body::from(body))).await
}

/// What a path is for.
fn action(path: &str, reads: bool) -> Action {
    match (path, reads) {
        ("vend", false) => Action::Vend,
        ("vend", true) => Action::VendLookUp,
        ("validate", _) => Action::ValidateAccount,
        ("messages", _) => Action::Message,
        ("result", _) => Action::Settle,
        ("refund", _) => Action::Refund,
        ("reservations" | "charges", _) => Action::ReservationLookUp,
        _ => Action::Reserve,
    }
}
