//! Transact and Reserve and Transact.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use fleet_boot::{IntakeOutcome, similar_in_flight};
use fleet_contracts::openapi::{Content, Document, Operation, Parameter, TransactBody};
use fleet_contracts::{PurchaseBody, Rejection, TransactReply, codes, message_of};
use fleet_domain::{Client, Progress, PurchaseId, PurchaseStatus, ReserveState, Scenario};
use serde_json::json;

use crate::Gateway;
use crate::api::by_client;
use crate::caller::{caller, check_signature};
use crate::client_body::ClientBody;
use crate::problem::{Problem, fails, whole};

type Answer = Result<Json<TransactReply>, Problem>;

/// POST `/transact/4.0`: the client holds the reservation.
pub(crate) async fn transact(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    ClientBody(body): ClientBody,
) -> Answer {
    let (_, accepted) = take_in(&gateway, &headers, body, Scenario::ClientReserved).await?;
    Ok(accepted.answer())
}

/// POST `/reserveAndTransact/4.0`: we reserve; the bank's speed decides the answer.
pub(crate) async fn reserve_and_transact(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    ClientBody(body): ClientBody,
) -> Answer {
    let began = tokio::time::Instant::now();
    let (client, mut accepted) = take_in(&gateway, &headers, body, Scenario::WeReserve).await?;
    if matches!(
        accepted.reserve,
        ReserveState::Validating | ReserveState::Pending | ReserveState::Unknown
    ) {
        let left = client.answer_within.saturating_sub(began.elapsed());
        if let Some(progress) = gateway.answers.decided(accepted.id, left).await {
            accepted = Accepted::of(accepted.id, &progress);
        }
    }
    Ok(accepted.answer())
}

const SAME: &str = "`clientId` and `clientTxnRef` identify the purchase: the same content again is \
answered with the same `raasTxnRef` and the present state.";
const CODES: &str = "`0000` with `Processing Request`: stored, the result is delivered later. \
Refused before it was stored, without `raasTxnRef`: `2040` above the maximum, `2050` below the \
minimum, `2055` invalid fee, `2070` source blacklisted, `2242` a similar purchase is in flight. \
Any other code is how the purchase ended, if it has: `0000` with `Success`, or a code of the \
bank (`2010`, `2020`, `2030`, `2060`, `2080`, `2090`) or the supplier (`2201`, `2210`, `2213`, \
`2214`, `2242`) with `Failed`. `2070` may be the fraud desk's word on the token too: then the message \
says so";

/// What Transact is.
pub(crate) fn describe_transact(document: &mut Document) -> Operation {
    let about = format!("The client holds the buyer's reservation itself. {SAME}");
    let operation = Operation::new("transact", "Transact").about(&about);
    let example = json!({
        "clientId": 1001, "clientTxnRef": "order-41", "productId": 101, "purchaseAmount": 1500,
        "currencyCode": "ZAR", "channelId": 7, "sourceIdentifier": "27821234567",
        "targetIdentifier": "27821234567", "reserveFundsTxnRef": "held-41",
    });
    describe(operation, document, example)
}

/// What Reserve and Transact is.
pub(crate) fn describe_reserve_and_transact(document: &mut Document) -> Operation {
    let about = format!(
        "We reserve the buyer's funds at the bank. A bank's refusal that comes in time stands in \
         the reply; a slower bank means `Processing Request`. {SAME}"
    );
    let operation = Operation::new("reserveAndTransact", "Reserve and Transact").about(&about);
    let example = json!({
        "clientId": 1001, "clientTxnRef": "order-42", "productId": 101, "purchaseAmount": 1500,
        "currencyCode": "ZAR", "channelId": 7, "sourceIdentifier": "27821234567",
        "targetIdentifier": "27821234567", "fundingSourceId": "sample-bank",
    });
    describe(operation, document, example)
}

fn describe(
    operation: Operation,
    document: &mut Document,
    example: serde_json::Value,
) -> Operation {
    let stored = json!({
        "responseCode": "0000", "responseMessage": "Processing Request",
        "raasTxnRef": "0198f000-0000-7000-8000-000000000000",
    });
    let refused = json!({
        "responseCode": "2040", "responseMessage": "purchaseAmount is above the maximum of 100000",
    });
    let body = Content::json(document.read::<TransactBody>()).example("airtime", example);
    let reply = Content::json(document.written::<TransactReply>());
    let reply = reply.example("stored", stored).example("refused", refused);
    let operation = operation
        .tag("purchases")
        .parameters([Parameter::signature()])
        .body(body)
        .reply(200, CODES, reply);
    let problems = [
        Problem::of_field("clientTxnRef", "is missing"),
        Problem::NotAuthorised,
        Problem::Conflict,
        Problem::Unavailable,
    ];
    fails(by_client(operation), document, &problems)
}

/// A stored purchase, as far as a reply needs it.
struct Accepted {
    id: PurchaseId,
    reserve: ReserveState,
    message: &'static str,
    code: String,
}

impl Accepted {
    fn of(id: PurchaseId, progress: &Progress) -> Self {
        let status = progress.status();
        let fallback = if status == PurchaseStatus::Failed { codes::UNKNOWN } else { codes::OK };
        let code = progress.failure_code().unwrap_or(fallback).to_owned();
        Self { id, reserve: progress.reserve, message: message_of(progress), code }
    }

    fn answer(self) -> Json<TransactReply> {
        fleet_telemetry::crash_point("gateway", "answer.before");
        Json(TransactReply {
            response_code: self.code,
            response_message: self.message.to_owned(),
            raas_txn_ref: Some(self.id.to_string()),
        })
    }
}

async fn take_in(
    gateway: &Gateway,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
    scenario: Scenario,
) -> Result<(Client, Accepted), Problem> {
    let directory = gateway.directory.current();
    let client = caller(&directory, headers)?;
    let body = whole(body)?;
    check_signature(client, headers, &body)?;
    let body = PurchaseBody::from_http(&body)?;
    if body.client_id != client.id.0 {
        return Err(Rejection::field("clientId", "is not the client of this API key").into());
    }
    match gateway.accepts.take_in(client.id, body, scenario).await? {
        IntakeOutcome::Stored { id, progress, .. } => {
            Ok((client.clone(), Accepted::of(id, &progress)))
        }
        IntakeOutcome::Conflict => Err(Problem::Conflict),
        IntakeOutcome::Similar => Err(similar_in_flight().into()),
        IntakeOutcome::Rejected(rejection) => Err(rejection.into()),
        IntakeOutcome::Unavailable => Err(Problem::Unavailable),
    }
}
