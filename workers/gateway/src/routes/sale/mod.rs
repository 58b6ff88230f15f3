//! A device sale (contracts, section 5): the app initiates it here, performs it at the card gateway,
//! and the card gateway asks us whether it is ours. No field holds a card, and no body is logged.

pub(crate) mod check;
pub(crate) mod initiate;
pub(crate) mod mapping;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use fleet_contracts::{
    CheckedSession, ControlKey, Rejection, SALE_FACT, Signed, StatusRequest, StatusSession,
    read_body,
};
use fleet_domain::{Directory, NewFact, Private, told_by};
use fleet_store::DeviceSale;
use rand::distr::{Alphanumeric, SampleString};
use serde::de::DeserializeOwned;

use crate::Gateway;
use crate::party_call::PartyCall;
use crate::problem::whole;
use crate::routes::callbacks::{keep, reserve_task};
use crate::sale_problem::SaleProblem;

/// What a sale's session does not tell apart, so that nobody can try its parts one by one.
const ANOTHER_SESSION: &str = "the session is not the one of this sale";
/// Whose callbacks these are, until the sale is read that tells.
const SALES: &str = "sale";
/// It has an end.
const HAS_ENDED: &str = "the purchase has ended";

/// A session's secret, which nobody can guess.
pub(crate) fn new_secret() -> String {
    Alphanumeric.sample_string(&mut rand::rng(), fleet_contracts::SESSION_CHARACTERS)
}

fn read<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, SaleProblem> {
    Ok(read_body(&whole(body)?)?)
}

/// Refuses a text that is too long, too short, or not plain.
fn check_text(name: &str, text: &str, at_least: usize, most: usize) -> Result<(), Rejection> {
    let is_long = (at_least..=most).contains(&text.chars().count());
    if is_long && !text.chars().any(char::is_control) {
        return Ok(());
    }
    let problem = format!("must have {at_least} to {most} characters, no control characters");
    Err(Rejection::field(name, &problem))
}

/// Whether a call about a sale is of the card gateway that the sale is paid at.
fn is_from_its_gateway(directory: &Directory, sale: &DeviceSale, call: &PartyCall<'_>) -> bool {
    let connector = directory.connectors.get(&sale.funding_source);
    let connector = connector.filter(|connector| connector.sells_on_devices());
    connector.is_some_and(|connector| call.is_from(connector))
}

/// Tells the reserve task of a sale something that it asks the card gateway about; the same again is
/// nothing. Its caller has no pass: it would wait for its own.
async fn keep_fact(
    gateway: &Gateway,
    sale: &DeviceSale,
    status: &str,
    token: &str,
) -> Result<(), SaleProblem> {
    let access_token = sale.session.access_token.clone();
    let session = StatusSession { access_token, token: token.to_owned() };
    // Plain structs of strings always serialise.
    let body = serde_json::to_string(&StatusRequest { session }).unwrap_or_default();
    let fact = NewFact {
        source: told_by(SALE_FACT, &sale.funding_source),
        kind: SALE_FACT.to_owned(),
        task: Some(reserve_task(sale.purchase)),
        reference: sale.purchase.to_string(),
        status: status.to_owned(),
        external_id: String::new(),
        meaning: Private::new(body.as_str()),
        body: Private::new(body),
    };
    let pass = gateway.doors.callback(SALES).await?;
    keep(gateway, &fact, pass).await?;
    Ok(())
}

/// A sale with what signs it.
struct Signing {
    key: ControlKey,
    endpoint: String,
    invoice: String,
    sale: DeviceSale,
}

impl Signing {
    /// A sale whose connector is still there.
    fn of(directory: &Directory, sale: DeviceSale) -> Result<Self, SaleProblem> {
        let connector = directory.connectors.get(&sale.funding_source);
        let connector = connector.filter(|connector| connector.sells_on_devices());
        let parts = connector.and_then(|connector| {
            let key = ControlKey::of(connector.secret.as_ref()?)?;
            Some((key, connector.account.clone()?))
        });
        let Some((key, endpoint)) = parts else {
            tracing::error!(connector = sale.funding_source, "a sale's connector cannot sign");
            return Err(SaleProblem::Unavailable);
        };
        Ok(Self { key, endpoint, invoice: sale.purchase.to_string(), sale })
    }

    fn signed(&self) -> Signed<'_> {
        Signed {
            serial_number: &self.sale.session.serial_number,
            endpoint_id: &self.endpoint,
            nonce: &self.sale.session.nonce,
            invoice_id: &self.invoice,
            amount_centis: self.sale.access.money.minor,
            currency: self.sale.access.money.currency.code(),
        }
    }

    /// `session.signature`.
    fn initiate(&self) -> Result<String, SaleProblem> {
        let signature = self.key.initiate(&self.sale.session.access_token, &self.signed());
        signature.ok_or(SaleProblem::Unavailable)
    }

    /// A signed reply's session.
    fn session(
        &self,
        signature: Option<String>,
        token: &str,
    ) -> Result<CheckedSession, SaleProblem> {
        Ok(CheckedSession {
            check_signature: signature.ok_or(SaleProblem::Unavailable)?,
            nonce: self.sale.session.nonce.clone(),
            token: token.to_owned(),
        })
    }
}
