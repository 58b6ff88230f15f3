//! Card payment: a payment URL for a client, and the page behind it, which sends the buyer on to the
//! source's own. No field of ours holds a card.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fleet_boot::IntakeOutcome;
use fleet_contracts::openapi::{Content, Document, Operation, Parameter};
use fleet_contracts::{CardPayment, CardPaymentUrl, PurchaseBody, Rejection, read_body};
use fleet_domain::{PurchaseId, PurchaseStatus, ReserveState, Scenario};
use fleet_store::PaymentPage;
use schemars::json_schema;
use serde_json::json;

use crate::Gateway;
use crate::api::RAW_KEY;
use crate::client_body::ClientBody;
use crate::problem::whole;
use crate::routes::transactions::{QueryProblem, WRONG, client_of_raw_key, describe_problems};

/// What a card payment is.
pub(crate) fn describe(document: &mut Document) -> Operation {
    let example = json!({
        "account_id": "1", "amount": "2", "order_info": "Bookingid23", "currency": "USD",
    });
    let url = "http://127.0.0.1:8080/pay/0198f000-0000-7000-8000-000000000000";
    let reply = Content::json(document.written::<CardPaymentUrl>());
    let operation = Operation::new("cardPayment", "Card payment (ClickPayAfrica)")
        .about(
            "Send the buyer to `payment_url`. `order_info` identifies the payment: the same content \
             again is answered with the same URL. Its end is told by a GET to the client's channel \
             `card_get`.",
        )
        .tag("purchases")
        .allowed_by(&[RAW_KEY])
        .body(Content::json(document.read::<CardPayment>()).example("payment", example))
        .reply(200, "stored", reply.example("stored", json!({ "payment_url": url })));
    let used = "order_info was used before for another payment";
    describe_problems(
        operation,
        document,
        &[
            QueryProblem::Rejected(used.to_owned()),
            QueryProblem::NotAuthorised,
            WRONG,
            QueryProblem::NotJson,
            QueryProblem::TooMany,
            QueryProblem::Unavailable,
        ],
    )
    .header(405, "Allow", "`POST`")
}

/// POST `/api/card-payments`.
pub(crate) async fn payment(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    ClientBody(body): ClientBody,
) -> Result<Json<CardPaymentUrl>, QueryProblem> {
    let directory = gateway.directory.current();
    let client = client_of_raw_key(&gateway, &directory, &headers)?;
    let body = whole(body).map_err(refused)?;
    let payment: CardPayment = read_body(&body).map_err(refused)?;
    let money = payment.money().map_err(refused)?;
    let currency = money.currency;
    let body = PurchaseBody::by_card(client.id, &payment, money);
    let id = match gateway.accepts.take_in(client.id, body, Scenario::WeReserve).await? {
        IntakeOutcome::Stored { id, .. } => id,
        IntakeOutcome::Conflict => {
            let text = "order_info was used before for another payment".to_owned();
            return Err(QueryProblem::Rejected(text));
        }
        IntakeOutcome::Rejected(rejection) => {
            return Err(refused(rejection.in_major_units(currency)));
        }
        IntakeOutcome::Similar | IntakeOutcome::Unavailable => {
            return Err(QueryProblem::Unavailable);
        }
    };
    fleet_telemetry::crash_point("gateway", "answer.before");
    Ok(Json(CardPaymentUrl { payment_url: format!("{}/pay/{id}", base(&gateway, &headers)) }))
}

/// A refusal in the document's words for its own fields.
fn refused(rejection: Rejection) -> QueryProblem {
    let words = [
        ("purchaseAmount", "amount"),
        ("currencyCode", "currency"),
        ("clientTxnRef", "order_info"),
        ("sourceIdentifier", "account_id"),
    ];
    let message = rejection.message;
    let own = words.iter().find(|(ours, _)| message.starts_with(ours));
    let told = own.map(|(ours, theirs)| message.replacen(ours, theirs, 1));
    QueryProblem::Rejected(told.unwrap_or(message))
}

/// Where buyers reach us: as it is set up, or where this request came to.
fn base(gateway: &Gateway, headers: &HeaderMap) -> String {
    if !gateway.public_url.is_empty() {
        return gateway.public_url.to_string();
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    format!("http://{}", host.unwrap_or("127.0.0.1"))
}

/// What the page behind a payment URL is.
pub(crate) fn describe_page(_: &mut Document) -> Operation {
    let text = json_schema!({ "type": "string" });
    let page = || Content::of("text/html", text.clone());
    Operation::new("paymentPage", "The page of a card payment")
        .about("For the buyer's browser: sends it on to where the card is asked for.")
        .tag("purchases")
        .parameters([Parameter::path_reference("id", "the last part of `payment_url`")])
        .reply(200, "the way on, or how the payment ended", page())
        .reply(404, "no such payment", page())
        .reply(503, "not available, come again", page())
}

/// GET `/pay/{id}`.
pub(crate) async fn page(
    State(gateway): State<Gateway>,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let id = id.ok().and_then(|Path(id)| id.parse::<PurchaseId>().ok());
    let Some(id) = id else { return Page::NotFound.into_response() };
    let Ok(_pass) = gateway.doors.stranger().await else {
        return Page::Unavailable.into_response();
    };
    match gateway.store.payment_page(id).await {
        Ok(Some(found)) => Page::of(found).into_response(),
        Ok(None) => Page::NotFound.into_response(),
        Err(error) => {
            tracing::error!(error = %error, "store failed");
            Page::Unavailable.into_response()
        }
    }
}

/// What the buyer sees.
pub(crate) enum Page {
    /// The source's page is not known yet: this one asks again.
    Soon,
    /// The way on.
    Here(String),
    /// It has ended, or is found out.
    Told(&'static str),
    NotFound,
    /// What no handler says.
    Other(StatusCode, &'static str),
    Unavailable,
}

impl Page {
    fn of(found: PaymentPage) -> Self {
        match (found.progress.status(), found.progress.reserve) {
            (PurchaseStatus::Success, _) => Self::Told("The payment was made."),
            (PurchaseStatus::Failed, _) => Self::Told("The payment was not made."),
            (PurchaseStatus::Pending, ReserveState::Asked) => {
                found.url.map_or(Self::Soon, |url| Self::Here(url.expose().to_owned()))
            }
            (PurchaseStatus::Pending, ReserveState::Pending | ReserveState::Validating) => {
                Self::Soon
            }
            (
                PurchaseStatus::Pending,
                ReserveState::Unknown
                | ReserveState::NotNeeded
                | ReserveState::Reserved
                | ReserveState::Charged
                | ReserveState::Refused
                | ReserveState::Failed,
            ) => Self::Told("The payment is being checked."),
        }
    }

    /// Its status, what the browser does next, and its text.
    fn parts(&self) -> (StatusCode, String, String) {
        let refresh = |content: &str| format!(r#"<meta http-equiv="refresh" content="{content}">"#);
        match self {
            Self::Soon => (
                StatusCode::OK,
                refresh("1"),
                "One moment, the payment page is being made.".to_owned(),
            ),
            Self::Here(url) => {
                let url = escaped(url);
                let text =
                    format!(r#"<a href="{url}" rel="noreferrer">Go to the payment page</a>"#);
                (StatusCode::OK, refresh(&format!("0;url={url}")), text)
            }
            Self::Told(text) => (StatusCode::OK, String::new(), (*text).to_owned()),
            Self::NotFound => {
                (StatusCode::NOT_FOUND, String::new(), "There is no such payment.".to_owned())
            }
            Self::Other(status, text) => (*status, String::new(), format!("Sorry: {text}.")),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                refresh("2"),
                "Not available at the moment.".to_owned(),
            ),
        }
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let (status, refresh, text) = self.parts();
        let comes_again = matches!(self, Self::Unavailable);
        let html = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <title>Payment</title>{refresh}</head><body><p>{text}</p></body></html>\n"
        );
        let headers = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CACHE_CONTROL, "no-store"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (header::CONTENT_SECURITY_POLICY, "default-src 'none'; base-uri 'none'"),
        ];
        let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
        let mut response = (status, html).into_response();
        for (name, value) in headers {
            response.headers_mut().insert(name, value);
        }
        if comes_again {
            let seconds = HeaderValue::from_static("2");
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

/// For an attribute.
fn escaped(url: &str) -> String {
    let mut text = String::with_capacity(url.len());
    for c in url.chars() {
        match c {
            '&' => text.push_str("&amp;"),
            '"' => text.push_str("&quot;"),
            '\'' => text.push_str("&#39;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_url_stays_inside_its_attribute() {
        let page = Page::Here(r#"https://a.example/?x="><script>1</script>&y='"#.to_owned());
        let (_, refresh, text) = page.parts();
        for part in [refresh, text] {
            assert!(!part.contains("<script>") && !part.contains("x=\""), "{part}");
        }
    }
}
