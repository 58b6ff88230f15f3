//! The calls of a device app, and how they fail.

use serde_json::Value;

/// Why a sale did not go on.
#[derive(Debug)]
pub enum AppFault {
    /// Somebody could not be reached, or did not answer in time.
    Lost(Refuser, reqwest::Error),
    /// Somebody refused.
    Refused(Refusal),
    /// Somebody's answer was not as the document says.
    Unreadable(Refuser),
}

/// Whom an app calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refuser {
    /// The fleet's gateway.
    Fleet,
    /// The card gateway.
    CardGateway,
}

/// A refused call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Who refused.
    pub by: Refuser,
    /// The status.
    pub status: u16,
    /// `error.cause`, if there is one.
    pub cause: Option<String>,
    /// `error.message`, if there is one.
    pub message: Option<String>,
    /// `invoiceId`, if there is one.
    pub invoice_id: Option<String>,
}

impl std::fmt::Display for AppFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lost(whom, _) => write!(f, "{whom:?} did not answer"),
            Self::Refused(Refusal { by, status, cause, message, .. }) => {
                let (cause, message) = (cause.as_deref(), message.as_deref());
                let (cause, message) = (cause.unwrap_or("-"), message.unwrap_or("-"));
                write!(f, "{by:?} refuses with {status}: {cause}, {message}")
            }
            Self::Unreadable(whom) => write!(f, "{whom:?} answers what is in no document"),
        }
    }
}

impl std::error::Error for AppFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Lost(_, error) => Some(error),
            Self::Refused(_) | Self::Unreadable(_) => None,
        }
    }
}

impl AppFault {
    /// The refusal, if it is one.
    #[must_use]
    pub const fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Lost(..) | Self::Unreadable(_) => None,
        }
    }

    /// Whether the same call may go well later.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Lost(..) => true,
            Self::Refused(refusal) => refusal.status >= 500 || refusal.status == 429,
            Self::Unreadable(_) => false,
        }
    }
}

pub(super) fn client() -> Result<reqwest::Client, AppFault> {
    let client = reqwest::Client::builder().no_proxy();
    let client = client.redirect(reqwest::redirect::Policy::none()).build();
    client.map_err(|error| AppFault::Lost(Refuser::Fleet, error))
}

/// An answer that is no refusal.
pub(super) async fn send(
    request: reqwest::RequestBuilder,
    whom: Refuser,
) -> Result<Value, AppFault> {
    let lost = |error: reqwest::Error| AppFault::Lost(whom, error.without_url());
    let answer = request.send().await.map_err(lost)?;
    let status = answer.status();
    let bytes = answer.bytes().await.map_err(lost)?;
    let told = serde_json::from_slice::<Value>(&bytes);
    if status.is_success() {
        return told.map_err(|_no_json| AppFault::Unreadable(whom));
    }
    let told = told.unwrap_or_default();
    let field = |place: &str| told.pointer(place).and_then(Value::as_str).map(str::to_owned);
    Err(AppFault::Refused(Refusal {
        by: whom,
        status: status.as_u16(),
        cause: field("/error/cause"),
        message: field("/error/message"),
        invoice_id: field("/invoiceId"),
    }))
}

/// A text of an answer.
pub(super) fn text(answer: &Value, place: &str, whom: Refuser) -> Result<String, AppFault> {
    let found = answer.pointer(place).and_then(Value::as_str);
    found.map(str::to_owned).ok_or(AppFault::Unreadable(whom))
}
