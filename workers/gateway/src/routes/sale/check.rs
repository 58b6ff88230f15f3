//! *Check sale*: the card gateway asks whether a sale is what the app says. What we vouch for may be
//! paid from then on, so it is stored, and the reserve task told, before the answer.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use fleet_boot::Peer;
use fleet_contracts::openapi::{Content, Document, Operation, Parameter};
use fleet_contracts::{
    CheckReply, CheckSale, CheckedConsumer, CheckedFunds, CheckedReference, Rejection,
    SALE_CHECKED, SaleTransaction, same_signature,
};
use fleet_domain::{Purchase, PurchaseId, PurchaseStatus, ReserveState};
use fleet_store::{ConsumerCard, DeviceSale, SaleSession};
use serde_json::json;
use subtle::ConstantTimeEq;

use super::{
    ANOTHER_SESSION, HAS_ENDED, SALES, Signing, check_text, is_from_its_gateway, keep_fact,
};
use crate::Gateway;
use crate::party_call::PartyCall;
use crate::problem::whole;
use crate::sale_problem::{SaleProblem, fails_as_sale};

const NO_CARD: &str = "the card is none that this consumer may pay with";
const USED_UP: &str = "the nonce is used up";

/// What check sale is.
pub(crate) fn describe(document: &mut Document) -> Operation {
    let example = json!({
        "consumer": { "device": { "serialNumber": "SN-0001" } },
        "session": {
            "accessToken": "a".repeat(64), "nonce": "n".repeat(64),
            "signature": "A6980EF7F4CED10D80888A803678A82DA7B8580A", "token": "t".repeat(64),
        },
    });
    let body = Content::json(document.read::<CheckSale>()).example("first", example);
    let reply = Content::json(document.written::<CheckReply>());
    let operation = Operation::new("checkSale", "Check sale (Billblend)")
        .about(
            "From the card gateway, as the connector's row says who that is, once for each nonce; \
             the same again is answered the same. \
             `serverCardId` stands in the reply, and in its signature, where the app named a card.",
        )
        .tag("device sales")
        .parameters([Parameter::path_reference("invoiceId", "the sale")])
        .body(body)
        .reply(200, "we vouch for it", reply);
    let problems = [
        Rejection::field("session.token", "is missing").into(),
        SaleProblem::Refused(ANOTHER_SESSION),
        SaleProblem::Refused(NO_CARD),
        SaleProblem::Refused(USED_UP),
        SaleProblem::Refused(HAS_ENDED),
        SaleProblem::NotFound,
        SaleProblem::Unavailable,
    ];
    fails_as_sale(operation, document, &problems)
}

/// POST `/sale/{invoiceId}/check`.
pub(crate) async fn check(
    State(gateway): State<Gateway>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    invoice: Result<Path<String>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<CheckReply>, SaleProblem> {
    let pass = gateway.doors.callback(SALES).await?;
    let body = whole(body)?;
    let asked = CheckSale::from_bytes(&body)?;
    check_text("session.token", &asked.session.token, 1, 128)?;
    let id = invoice.ok().and_then(|Path(id)| id.parse::<PurchaseId>().ok());
    let id = id.ok_or(SaleProblem::NotFound)?;
    let sale = gateway.store.device_sale(id).await?.ok_or(SaleProblem::NotFound)?;
    let directory = gateway.directory.current();
    // Whoever is not the card gateway learns not even that there is such a sale.
    let call = PartyCall { peer, headers: &headers, signed: &body };
    if !is_from_its_gateway(&directory, &sale, &call) {
        return Err(SaleProblem::NotFound);
    }
    let signing = Signing::of(&directory, sale)?;
    check_session(&signing, &asked)?;
    check_purchase(&gateway, &signing.sale).await?;
    let card = card_of(&gateway, &signing.sale, asked.client_card_id()).await?;
    use_up(&gateway, &signing.sale, &asked).await?;
    drop(pass);
    keep_fact(&gateway, &signing.sale, SALE_CHECKED, &asked.session.token).await?;
    // A purchase that ended while this was stored is not vouched for; one that is open now will see it.
    let _pass = gateway.doors.callback(SALES).await?;
    check_purchase(&gateway, &signing.sale).await?;
    reply(&signing, &asked.session.token, card).map(Json)
}

/// Every part is compared, whatever the others are.
fn check_session(signing: &Signing, asked: &CheckSale) -> Result<(), SaleProblem> {
    let (ours, sent) = (&signing.sale.session, &asked.session);
    let same = |ours: &str, sent: &str| ours.as_bytes().ct_eq(sent.as_bytes());
    let parts = same(&ours.serial_number, &asked.consumer.device.serial_number)
        & same(&ours.access_token, &sent.access_token)
        & same(&ours.nonce, &sent.nonce);
    let is_signed = same_signature(&sent.signature, &signing.initiate()?);
    if bool::from(parts) & is_signed {
        return Ok(());
    }
    Err(SaleProblem::Refused(ANOTHER_SESSION))
}

/// The purchase must be open, and cost what the app signed.
async fn check_purchase(gateway: &Gateway, sale: &DeviceSale) -> Result<(), SaleProblem> {
    let found = gateway.store.find_funded_by(sale.purchase, &sale.funding_source).await?;
    let is_open = |purchase: &Purchase| {
        purchase.progress.reserve.is_open() && purchase.status() == PurchaseStatus::Pending
    };
    let is_ours = |purchase: &Purchase| purchase.order.reserved() == sale.access.money;
    match found {
        // It was checked before, and has been paid since: the same is said again.
        Some(purchase)
            if sale.checked
                && is_ours(&purchase)
                && purchase.progress.reserve == ReserveState::Charged =>
        {
            Ok(())
        }
        Some(purchase) if !is_open(&purchase) => Err(SaleProblem::Refused(HAS_ENDED)),
        Some(purchase) if is_ours(&purchase) => Ok(()),
        Some(_) | None => Err(SaleProblem::Refused(ANOTHER_SESSION)),
    }
}

async fn card_of(
    gateway: &Gateway,
    sale: &DeviceSale,
    client_card: Option<&str>,
) -> Result<Option<ConsumerCard>, SaleProblem> {
    let Some(client_card) = client_card else { return Ok(None) };
    let id = client_card.parse().map_err(|_no_id| SaleProblem::Refused(NO_CARD))?;
    let card = gateway.store.card_of(sale, id).await?;
    card.map(Some).ok_or(SaleProblem::Refused(NO_CARD))
}

/// Uses the nonce up; whoever did that before is told the same again.
async fn use_up(
    gateway: &Gateway,
    sale: &DeviceSale,
    asked: &CheckSale,
) -> Result<(), SaleProblem> {
    let session = SaleSession {
        token: Some(asked.session.token.clone()),
        client_card: asked.client_card_id().map(str::to_owned),
        ..sale.session.clone()
    };
    if !sale.checked && gateway.store.check_sale(sale.purchase, &session).await? {
        return Ok(());
    }
    let used = gateway.store.device_sale(sale.purchase).await?;
    let is_same = used.is_some_and(|used| used.session == session);
    if is_same { Ok(()) } else { Err(SaleProblem::Refused(USED_UP)) }
}

fn reply(
    signing: &Signing,
    token: &str,
    card: Option<ConsumerCard>,
) -> Result<CheckReply, SaleProblem> {
    let server_card = card.as_ref().map(|card| card.server_card.expose()).unwrap_or_default();
    let session = signing.session(signing.key.check(&signing.signed(), server_card), token)?;
    let funds = card.as_ref().map(|card| CheckedFunds {
        reference: CheckedReference { server_card_id: card.server_card.expose().to_owned() },
    });
    let email = card.and_then(|card| card.email);
    let money = signing.sale.access.money;
    Ok(CheckReply {
        invoice_id: signing.invoice.clone(),
        session,
        transaction: SaleTransaction {
            amount_centis: money.minor,
            currency: money.currency.code().to_owned(),
        },
        source_of_funds: funds,
        consumer: email.map(|email| CheckedConsumer { email: email.expose().to_owned() }),
    })
}
