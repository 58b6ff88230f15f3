//! *Initiate sale*: the app begins, with the access token that its client's server gave to it. The
//! purchase is taken in here.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use fleet_boot::Taken;
use fleet_contracts::openapi::{Content, Document, Operation};
use fleet_contracts::{
    InitiateReply, InitiateSale, InitiatedSession, PurchaseBody, Rejection, SaleTransaction,
};
use fleet_domain::{
    FundingType, Progress, Purchase, PurchaseId, PurchaseStatus, ReserveState, Scenario,
};
use fleet_store::{Access, DeviceSale, Reference, SaleSession};
use serde_json::json;

use super::{ANOTHER_SESSION, HAS_ENDED, Signing, check_text, new_secret, read};
use crate::Gateway;
use crate::present::Present;
use crate::sale_problem::{SaleProblem, fails_as_sale};

/// The access token opens nothing (any more).
const NO_ACCESS: &str = "the access token is not valid, or used up";

/// What initiate sale is.
pub(crate) fn describe(document: &mut Document) -> Operation {
    let example = json!({
        "consumer": { "device": { "serialNumber": "SN-0001" } },
        "transaction": { "amountCentis": 1550, "currency": "ZAR" },
        "session": { "accessToken": "a".repeat(64) },
    });
    let body = Content::json(document.read::<InitiateSale>()).example("sale", example);
    let reply = Content::json(document.written::<InitiateReply>());
    let operation = Operation::new("initiateSale", "Initiate sale (Billblend)")
        .about(
            "From the app. The access token stands for one purchase, and the amount must be its. \
             The same device may send it again until the sale was checked, and is answered the same.",
        )
        .tag("device sales")
        .body(body)
        .reply(200, "the sale's session; its nonce is used once", reply);
    let problems = [
        Rejection::field("consumer.device.serialNumber", "is missing").into(),
        SaleProblem::Refused(OTHER_AMOUNT),
        SaleProblem::Refused(NO_ACCESS),
        SaleProblem::Refused(HAS_ENDED),
        SaleProblem::Unavailable,
    ];
    fails_as_sale(operation, document, &problems)
}

const OTHER_AMOUNT: &str = "the transaction is not what the access token was made for";

/// POST `/sale/initiate-sale`.
pub(crate) async fn initiate(
    State(gateway): State<Gateway>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<InitiateReply>, SaleProblem> {
    let asked: InitiateSale = read(body)?;
    let (serial, token) = (asked.consumer.device.serial_number, asked.session.access_token);
    check_text("consumer.device.serialNumber", &serial, 1, 50)?;
    check_text("session.accessToken", &token, 32, 128)?;
    let access = access_of(&gateway, &token).await?;
    check_amount(&asked.transaction, &access)?;
    let sale = match sale_of(&gateway, &access).await? {
        Some(sale) => sale,
        None => begin(&gateway, &access, serial.clone(), token).await?,
    };
    if sale.session.serial_number != serial || sale.checked {
        return Err(SaleProblem::Refused(NO_ACCESS));
    }
    let pass = gateway.doors.client(access.client).await?;
    let found = gateway.store.find_funded_by(sale.purchase, &sale.funding_source).await?;
    drop(pass);
    if found.is_none_or(|purchase| purchase.status() != PurchaseStatus::Pending) {
        return Err(SaleProblem::Refused(HAS_ENDED));
    }
    let signing = Signing::of(&gateway.directory.current(), sale)?;
    let session = InitiatedSession {
        nonce: signing.sale.session.nonce.clone(),
        signature: signing.initiate()?,
    };
    fleet_telemetry::crash_point("gateway", "answer.before");
    Ok(Json(InitiateReply { endpoint_id: signing.endpoint, invoice_id: signing.invoice, session }))
}

/// What an access token opens. Until it is read nobody knows whose the app is.
async fn access_of(gateway: &Gateway, token: &str) -> Result<Access, SaleProblem> {
    let _pass = gateway.doors.stranger().await?;
    let access = gateway.store.sale_access(token).await?.filter(|access| access.is_valid);
    access.ok_or(SaleProblem::Refused(NO_ACCESS))
}

async fn sale_of(gateway: &Gateway, access: &Access) -> Result<Option<DeviceSale>, SaleProblem> {
    let _pass = gateway.doors.client(access.client).await?;
    Ok(gateway.store.sale_of(access).await?)
}

fn check_amount(asked: &SaleTransaction, access: &Access) -> Result<(), SaleProblem> {
    let money = access.money;
    if asked.amount_centis == money.minor && asked.currency == money.currency.code() {
        return Ok(());
    }
    Err(SaleProblem::Refused(OTHER_AMOUNT))
}

/// Takes the purchase in and keeps the session; of two at once the first counts for both.
async fn begin(
    gateway: &Gateway,
    access: &Access,
    serial_number: String,
    access_token: String,
) -> Result<DeviceSale, SaleProblem> {
    let directory = gateway.directory.current();
    let purchase = take_in(gateway, access).await?;
    let progress = admitted(gateway, &directory, access, &purchase).await?;
    match (progress.status(), progress.reserve) {
        (_, ReserveState::Validating) => return Err(SaleProblem::Unavailable),
        (PurchaseStatus::Pending, _) => {}
        (PurchaseStatus::Success | PurchaseStatus::Failed, _) => {
            return Err(SaleProblem::Refused(HAS_ENDED));
        }
    }
    let session = SaleSession {
        serial_number,
        nonce: new_secret(),
        access_token,
        token: None,
        client_card: None,
    };
    let (id, source) = (purchase.order.id, &purchase.order.funding_source);
    let pass = gateway.doors.client(access.client).await?;
    gateway.store.begin_sale(id, access, source, &session).await?;
    drop(pass);
    // None: another access token has begun this purchase's sale.
    sale_of(gateway, access).await?.ok_or(SaleProblem::Refused(ANOTHER_SESSION))
}

async fn take_in(gateway: &Gateway, access: &Access) -> Result<Purchase, SaleProblem> {
    let mut body = PurchaseBody::from_http(access.purchase.expose().as_bytes())?;
    body.paid_by = Some(FundingType::CardSale);
    // The buyer agreed to this amount: a fee that has changed since is no reason to take another.
    body.fee_amount = access.money.minor.checked_sub(body.purchase_amount);
    let outcome = gateway.accepts.take_in(access.client, body, Scenario::WeReserve).await?;
    match Taken::from(outcome) {
        Taken::Stored { id, .. } => find(gateway, access, id).await,
        Taken::Refused(refusal) => Err(refusal.rejection.into()),
        Taken::Again => Err(SaleProblem::Unavailable),
    }
}

async fn find(gateway: &Gateway, access: &Access, id: PurchaseId) -> Result<Purchase, SaleProblem> {
    let _pass = gateway.doors.client(access.client).await?;
    let found = gateway.store.find_purchase(access.client, &Reference::Ours(id)).await?;
    found.ok_or(SaleProblem::Unavailable)
}

/// Where the purchase stands once a fraud desk that is asked first has answered, or the time is over.
async fn admitted(
    gateway: &Gateway,
    directory: &Present,
    access: &Access,
    purchase: &Purchase,
) -> Result<Progress, SaleProblem> {
    if purchase.progress.reserve != ReserveState::Validating {
        return Ok(purchase.progress.clone());
    }
    let client = directory.clients.get(&access.client);
    let at_most = client.map(|client| client.answer_within).unwrap_or_default();
    match gateway.answers.decided(purchase.order.id, at_most).await {
        Some(progress) => Ok(progress),
        None => Ok(find(gateway, access, purchase.order.id).await?.progress),
    }
}
