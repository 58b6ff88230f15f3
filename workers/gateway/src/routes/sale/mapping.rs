//! *Card mapping notification*: the card gateway has kept a card, and tells us its reference, so that
//! the consumer can pay with it again. It is taken once our own question about the sale was answered
//! with an approval; before that it is a reason to ask, and the card gateway sends it again.

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use axum::{Extension, Json};
use fleet_boot::Peer;
use fleet_contracts::openapi::{Content, Document, Operation};
use fleet_contracts::{CardMapping, MappingReply, Rejection, SALE_MAPPED};
use fleet_domain::ReserveState;
use fleet_store::{CardKept, DeviceSale};
use serde_json::json;
use subtle::ConstantTimeEq;

use super::{
    ANOTHER_SESSION, HAS_ENDED, SALES, Signing, check_text, is_from_its_gateway, keep_fact,
};
use crate::Gateway;
use crate::party_call::PartyCall;
use crate::problem::whole;
use crate::sale_problem::{SaleProblem, fails_as_sale};

/// What a card mapping is.
pub(crate) fn describe(document: &mut Document) -> Operation {
    let example = json!({
        "consumer": { "device": { "serialNumber": "SN-0001" } },
        "session": { "accessToken": "a".repeat(64), "token": "t".repeat(64) },
        "sourceCard": {
            "bin": "510000",
            "reference": { "serverCardId": "123456", "uniqueReferenceCardId": "u-1" },
        },
    });
    let body = Content::json(document.read::<CardMapping>()).example("card", example);
    let reply = Content::json(document.written::<MappingReply>());
    let operation = Operation::new("saleNotification", "Sale card mapping (Billblend)")
        .about(
            "From the card gateway, once a sale is approved: until we have asked for its status and \
             were told so, 503. One card a sale, and one consumer's. A card that is told again pays again.",
        )
        .tag("device sales")
        .body(body)
        .reply(200, "kept", reply);
    let problems = [
        Rejection::field("sourceCard.bin", BIN).into(),
        SaleProblem::Refused(ANOTHER_SESSION),
        SaleProblem::Refused(ANOTHER_CARD),
        SaleProblem::Refused(HAS_ENDED),
        SaleProblem::Unavailable,
    ];
    fails_as_sale(operation, document, &problems)
}

const BIN: &str = "must be at most 8 digits";
/// One card a sale, and one consumer's.
const ANOTHER_CARD: &str = "the sale has another card, or the card another consumer";

/// POST `/sale/notification`.
pub(crate) async fn notification(
    State(gateway): State<Gateway>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<MappingReply>, SaleProblem> {
    let pass = gateway.doors.callback(SALES).await?;
    let body = whole(body)?;
    let told = CardMapping::from_bytes(&body)?;
    let (bin, card) = (&told.source_card.bin, &told.source_card.reference.server_card_id);
    check_text("sourceCard.reference.serverCardId", card, 1, 128)?;
    if bin.len() > 8 || !bin.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Rejection::field("sourceCard.bin", BIN).into());
    }
    let refused = || SaleProblem::Refused(ANOTHER_SESSION);
    let access = gateway.store.sale_access(&told.session.access_token).await?;
    let access = access.ok_or_else(refused)?;
    let sale = gateway.store.sale_of(&access).await?.ok_or_else(refused)?;
    let directory = gateway.directory.current();
    let call = PartyCall { peer, headers: &headers, signed: &body };
    if !is_of(&sale, &told) || !is_from_its_gateway(&directory, &sale, &call) {
        return Err(refused());
    }
    let signing = Signing::of(&directory, sale)?;
    let _pass = check_paid(&gateway, &signing.sale, &told.session.token, pass).await?;
    match gateway.store.keep_card(&signing.sale, card, bin).await? {
        CardKept::Kept => {}
        CardKept::OtherCard | CardKept::OtherConsumer => {
            return Err(SaleProblem::Refused(ANOTHER_CARD));
        }
    }
    let signature = signing.key.mapping(&signing.signed());
    let session = signing.session(signature, &told.session.token)?;
    Ok(Json(MappingReply { invoice_id: signing.invoice, session }))
}

/// A purchase is charged only by the card gateway's answer to our own question. While it is open, the
/// question is put at once, the first time that a card is told.
async fn check_paid<P: Send>(
    gateway: &Gateway,
    sale: &DeviceSale,
    token: &str,
    pass: P,
) -> Result<P, SaleProblem> {
    let found = gateway.store.find_funded_by(sale.purchase, &sale.funding_source).await?;
    match found.map(|purchase| purchase.progress.reserve) {
        Some(ReserveState::Charged) => Ok(pass),
        Some(state) if state.is_open() => {
            drop(pass);
            keep_fact(gateway, sale, SALE_MAPPED, token).await?;
            Err(SaleProblem::Unavailable)
        }
        Some(_) | None => Err(SaleProblem::Refused(HAS_ENDED)),
    }
}

/// Only of a sale that was checked is the card gateway's token known.
fn is_of(sale: &DeviceSale, told: &CardMapping) -> bool {
    let same = |ours: &str, sent: &str| ours.as_bytes().ct_eq(sent.as_bytes());
    let session = &sale.session;
    let Some(token) = session.token.as_deref().filter(|_| sale.checked) else { return false };
    let serial = same(&session.serial_number, &told.consumer.device.serial_number);
    bool::from(serial & same(token, &told.session.token))
}
