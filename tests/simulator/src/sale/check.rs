//! *Check sale*: the gateway asks the fleet whether a sale is what the app says.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use crate::sale::request::{Asked, SaleRequest};
use crate::sale::signature::{agrees, sign};
use crate::sale::{Place, post, text_of};
use crate::world::World;

/// For the fleet to answer.
const WITHIN: Duration = Duration::from_secs(10);

/// What the check came to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The fleet vouches for it.
    Passed,
    /// The fleet does not.
    Refused,
    /// The app did not send what the card's mapping wants.
    OtherEmail,
    /// No answer came.
    Lost,
    /// What the fleet answered is not as the contract says.
    Wrong(&'static str),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CheckReply {
    invoice_id: String,
    session: ReplySession,
    transaction: Asked,
    #[serde(default)]
    source_of_funds: Option<ReplySource>,
    #[serde(default)]
    consumer: Option<ReplyConsumer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReplySession {
    check_signature: String,
    nonce: String,
    token: String,
}

#[derive(Deserialize)]
struct ReplySource {
    reference: Option<ReplyReference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReplyReference {
    server_card_id: Option<String>,
}

#[derive(Deserialize)]
struct ReplyConsumer {
    email: Option<String>,
}

/// Asks the fleet.
pub(crate) async fn check(
    world: &World,
    place: &Place,
    request: &SaleRequest,
    token: &str,
) -> Verdict {
    let mut body = json!({
        "consumer": { "device": { "serialNumber": request.serial() } },
        "session": {
            "accessToken": request.session.access_token,
            "nonce": request.session.nonce,
            "signature": request.session.signature,
            "token": token,
        },
    });
    if let (Some(card), Some(fields)) = (request.client_card(), body.as_object_mut()) {
        let source = json!({ "reference": { "clientCardId": card } });
        fields.insert("sourceOfFunds".to_owned(), source);
    }
    let url = format!("{}/sale/{}/check", world.settings().gateway, place.invoice);
    let asking = post(world, &url, &body).timeout(WITHIN);
    let Ok(answer) = asking.send().await else {
        return Verdict::Lost;
    };
    if answer.status().is_server_error() {
        return Verdict::Lost;
    }
    if !answer.status().is_success() {
        return Verdict::Refused;
    }
    let Some(text) = text_of(answer).await else { return Verdict::Lost };
    match serde_json::from_str::<CheckReply>(&text) {
        Ok(reply) => judge(world, place, (request, token), &reply),
        Err(_unreadable) => Verdict::Wrong("the reply is not as the contract says"),
    }
}

fn judge(
    world: &World,
    place: &Place,
    (request, token): (&SaleRequest, &str),
    reply: &CheckReply,
) -> Verdict {
    let source = reply.source_of_funds.as_ref().and_then(|source| source.reference.as_ref());
    let server_card = source.and_then(|reference| reference.server_card_id.as_deref());
    let (key, nonce) = (&world.settings().sale_control_key, &*request.session.nonce);
    let (serial, endpoint) = (request.serial(), &*place.endpoint);
    let texts = [serial, nonce, endpoint, &place.invoice, server_card.unwrap_or_default()];
    let card = server_card.and_then(|id| world.lock(|state| state.sales.card(&place.party, id)));
    let wants = card.as_ref().and_then(|card| card.email.as_deref());
    let shown = reply.consumer.as_ref().and_then(|consumer| consumer.email.as_deref());
    let is_repeat = request.client_card().is_some();
    let checks = [
        (reply.invoice_id == *place.invoice, "another invoiceId"),
        (reply.session.nonce == nonce, "another nonce"),
        (reply.session.token == token, "another token"),
        (reply.transaction == request.transaction, "another amount or currency"),
        (is_repeat == server_card.is_some(), "serverCardId goes with a repeat, always"),
        (is_repeat == card.is_some(), "serverCardId is not known"),
        (agrees(&reply.session.check_signature, &sign(key, &texts)), "a wrong checkSignature"),
        (wants.is_none() || wants == shown, "another email than the mapping was made with"),
    ];
    match checks.into_iter().find(|(holds, _)| !holds) {
        Some((_, problem)) => Verdict::Wrong(problem),
        None if wants.is_some() && wants != request.consumer.email.as_deref() => {
            Verdict::OtherEmail
        }
        None => Verdict::Passed,
    }
}
