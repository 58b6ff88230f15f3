//! What a callback tells, read by its type, and what makes a purchase fit it or not.

use fleet_contracts::{
    CARD_FACT, CardTold, MO_FACT, MoNotification, REFERENCE_CHARS_MAX, SALE_FACT, SaleCallback,
    VendReply, plain,
};
use fleet_domain::{Directory, Order, PurchaseId, masked};
use fleet_store::{Candidate, CandidateAsk, FactView, UnmatchedFact};
use serde_json::{Value, json};

/// A callback's document.
pub(super) enum Told {
    /// An operator's SMS charge.
    Mo(Box<MoNotification>),
    /// A card payment's end.
    Card(CardTold),
    /// A device sale's end.
    Sale(SaleCallback),
    /// A supplier's confirmation.
    Vend(VendReply),
    /// Sealed with a key that is not at hand, or of a form that this build does not read.
    Unreadable,
}

impl Told {
    pub(super) fn read(one: &UnmatchedFact) -> Self {
        let Some(body) = &one.body else { return Self::Unreadable };
        let text = body.expose();
        let read = match one.fact.fact_type.as_str() {
            MO_FACT => MoNotification::from_bytes(text.as_bytes(), None)
                .ok()
                .map(|told| Self::Mo(Box::new(told))),
            CARD_FACT => CardTold::from_query(text).ok().map(Self::Card),
            SALE_FACT => SaleCallback::from_query(text).ok().map(Self::Sale),
            "vend" => VendReply::from_bytes(text.as_bytes()).ok().map(Self::Vend),
            _ => None,
        };
        read.unwrap_or(Self::Unreadable)
    }

    /// Whom it may be about.
    pub(super) fn ask(&self, fact: &FactView) -> CandidateAsk {
        let buyer = match self {
            Self::Mo(told) => Some(told.msisdn.clone()),
            Self::Card(_) | Self::Sale(_) | Self::Vend(_) | Self::Unreadable => None,
        };
        CandidateAsk { connector: fact.connector().to_owned(), named: fact.named(), buyer }
    }

    /// The transaction that its source can be asked about.
    pub(super) fn transaction(&self) -> Option<&str> {
        let told = match self {
            Self::Mo(told) => Some(told.transaction_id.as_str()),
            Self::Card(told) => told.transaction_id.as_deref(),
            Self::Sale(_) | Self::Vend(_) | Self::Unreadable => None,
        };
        told.filter(|id| !id.is_empty())
    }

    /// Everything that an operator may see of it.
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::Mo(told) => json!({
                "status": told.word, "msisdn": masked(told.msisdn.expose()),
                "amount": told.amount().as_deref().and_then(short),
                "currency": short(&told.currency), "correlator": reference(&told.correlator),
                "transaction_id": told.transaction_id, "merchant": short(&told.merchant),
                "campaign": short(&told.campaign), "environment": short(&told.environment),
                "timestamp": told.timestamp, "has_pin": !told.pin.expose().is_empty(),
            }),
            Self::Card(told) => json!({
                "status": told.word, "order_info": reference(&told.order_info),
                "transaction_id": told.transaction_id,
            }),
            Self::Sale(told) => json!({
                "type": told.kind, "status": told.status, "orderid": told.order_id,
                "client_orderid": reference(&told.client_order_id), "amount": told.amount,
            }),
            Self::Vend(told) => json!({
                "response_code": told.response_code, "supplier_ref": told.supplier_ref,
                "vend_ref": told.vend_ref.as_deref().map(reference),
                "vend_amount": told.vend_amount, "has_voucher": told.voucher().is_some(),
            }),
            Self::Unreadable => Value::Null,
        }
    }

    /// Whether the amount that it tells is what the order asked for; `None` when it tells none.
    pub(super) fn amount_fits(&self, order: &Order) -> Option<bool> {
        match self {
            Self::Mo(told) => told.charges(order.reserved()),
            Self::Vend(told) => told.vend_amount.map(|minor| minor == order.purchase_amount),
            Self::Sale(told) => Some(told.is_of(order.reserved())),
            Self::Card(_) | Self::Unreadable => None,
        }
    }

    /// Why a purchase may be the one.
    pub(super) const fn why(&self, candidate: &Candidate) -> &'static str {
        match (self, candidate.by_reference) {
            (_, false) => "the same buyer at this funding source, within 7 days",
            (Self::Mo(_), true) => "the correlator names it",
            (Self::Sale(_), true) => "the client_orderid names it",
            (Self::Card(_), true) => "the order_info names it",
            (Self::Vend(_), true) => "the vend reference names it",
            (Self::Unreadable, true) => "the reference names it",
        }
    }

    /// Why nobody but a person may say that it is.
    pub(super) fn why_not(
        &self,
        fact: &FactView,
        directory: &Directory,
        candidate: &Candidate,
    ) -> String {
        let order = &candidate.purchase.order;
        let at = if fact.fact_type == "vend" { &order.supplier } else { &order.funding_source };
        if at != fact.connector() {
            let at = if at.is_empty() { "its client" } else { at };
            return format!("it is at {at}, not at {}", fact.connector());
        }
        match self {
            Self::Mo(told) => mo_differs(told, directory, fact.connector(), candidate),
            Self::Vend(_) => "the reference is none of its vend references".to_owned(),
            Self::Sale(told) if !told.is_of(order.reserved()) => "its amount differs".to_owned(),
            Self::Card(_) | Self::Sale(_) => {
                "it was no purchase of this source when this came".to_owned()
            }
            Self::Unreadable => "what was told cannot be read".to_owned(),
        }
    }
}

/// What differs besides the correlator, which a buyer's other purchases never have.
fn mo_differs(
    told: &MoNotification,
    directory: &Directory,
    connector: &str,
    candidate: &Candidate,
) -> String {
    let order = &candidate.purchase.order;
    let connector = directory.connectors.get(connector);
    let Some(mo) = connector.and_then(|found| found.mo_account(order)) else {
        return "its connector has no [connector.mo] any more".to_owned();
    };
    let mut alike = told.clone();
    alike.correlator = order.id.to_string();
    let other = alike.is_about(order, &mo).err().map(|differs| differs.field);
    let named = match (candidate.by_reference, told.correlator.is_empty(), other) {
        (true, _, None) => return "nothing differs".to_owned(),
        (true, _, Some(field)) => return format!("its {field} differs"),
        (false, true, _) => "there is no correlator",
        (false, false, _) => "the correlator is another",
    };
    other.map_or_else(|| named.to_owned(), |field| format!("{named}, and its {field} differs"))
}

/// A text of the document, short and plain; `None` when it has none.
fn short(text: &str) -> Option<String> {
    Some(plain(text, REFERENCE_CHARS_MAX)).filter(|text| !text.is_empty())
}

/// A reference as it may be shown: anybody may have put a phone number where one belongs.
pub(crate) fn reference(text: &str) -> String {
    let is_ours = text.get(..36).is_some_and(|id| id.parse::<PurchaseId>().is_ok());
    let digits = text.split(|c: char| !c.is_ascii_digit()).any(|run| run.len() >= 7);
    if digits && !is_ours { masked(text) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_number_in_place_of_a_reference_is_masked_and_a_reference_of_ours_is_not() {
        assert_eq!(reference("27821234567"), "*******4567");
        assert_eq!(reference("to 27821234567!"), "***********567!");
        let ours = "0198f000-0000-7000-8000-000000000000-0000";
        assert_eq!(reference(ours), ours);
        assert_eq!(reference("order-42"), "order-42");
    }
}
