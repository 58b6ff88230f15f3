//! Transact and Reserve and Transact.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use fleet_boot::{Intake, IntakeOutcome};
use fleet_contracts::{PurchaseBody, Rejection, TransactReply, codes, message_of};
use fleet_domain::{
    Client, DispenseState, Progress, PurchaseId, PurchaseStatus, ReserveState, Scenario, WayIn,
};

use crate::Gateway;
use crate::caller::{caller, check_signature};
use crate::problem::Problem;

type Answer = Result<Json<TransactReply>, Problem>;

/// POST `/transact/4.0`: the client holds the reservation.
pub(crate) async fn transact(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let (_, accepted) = take_in(&gateway, &headers, body, Scenario::ClientReserved).await?;
    Ok(Json(accepted.reply()))
}

/// POST `/reserveAndTransact/4.0`: we reserve; the bank's speed decides the answer.
pub(crate) async fn reserve_and_transact(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
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
    Ok(Json(accepted.reply()))
}

/// A stored purchase, as far as a reply needs it.
struct Accepted {
    id: PurchaseId,
    reserve: ReserveState,
    status: PurchaseStatus,
    code: String,
}

impl Accepted {
    fn of(id: PurchaseId, progress: &Progress) -> Self {
        let status = PurchaseStatus::of(progress.reserve, progress.dispense);
        let code = match status {
            PurchaseStatus::Pending | PurchaseStatus::Success => None,
            PurchaseStatus::Failed if progress.dispense == DispenseState::Failed => {
                progress.dispense_code.clone()
            }
            PurchaseStatus::Failed => progress.reserve_code.clone(),
        };
        let fallback = if status == PurchaseStatus::Failed { codes::UNKNOWN } else { codes::OK };
        let code = code.unwrap_or_else(|| fallback.to_owned());
        Self { id, reserve: progress.reserve, status, code }
    }

    fn reply(self) -> TransactReply {
        TransactReply {
            response_code: self.code,
            response_message: message_of(self.status).to_owned(),
            raas_txn_ref: Some(self.id.to_string()),
        }
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
    // Shed before anything is stored, and before memory grows.
    let _place = gateway.requests.try_acquire().map_err(|_none_left| Problem::Unavailable)?;
    let body = body.map_err(|_too_long| Rejection::field("body", "is longer than 65536 bytes"))?;
    check_signature(client, headers, &body)?;
    let body = PurchaseBody::from_bytes(&body)?.extras_from_additional_data()?;
    if body.client_id != client.id.0 {
        return Err(Rejection::field("clientId", "is not the client of this API key").into());
    }
    let client = client.clone();
    let intake = Intake::new(gateway.store.clone(), gateway.hints.clone());
    // Its own task: a caller that hangs up must not cut the write in two.
    let stored = tokio::spawn(async move {
        intake.take_in(&directory, vec![(body, scenario)], WayIn::Http).await
    });
    let outcomes = stored.await.map_err(|_panic| Problem::Unavailable)?;
    match outcomes.into_iter().next() {
        Some(IntakeOutcome::Stored { id, progress }) => Ok((client, Accepted::of(id, &progress))),
        Some(IntakeOutcome::Conflict) => Err(Problem::Conflict),
        Some(IntakeOutcome::Rejected(rejection)) => Err(rejection.into()),
        Some(IntakeOutcome::Unavailable) | None => Err(Problem::Unavailable),
    }
}
