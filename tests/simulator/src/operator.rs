//! An operator that charges by SMS: it asks the buyer, and tells what the buyer replied.

use std::sync::Arc;

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::amount::{major_units, minor_units};
use crate::bank::{Reply, is_currency, is_reference};
use crate::behaviour::Behaviour;
use crate::buyer::{Deed, Notice, SILENT};
use crate::judge;
use crate::purchase::fingerprint;
use crate::state::{State, Visit};

/// Operators have names that begin so.
pub(crate) const OPERATORS: &str = "mo";
/// `operator` in its notifications.
const OPERATOR: &str = "zain-kw";

/// The query of a charge.
#[derive(Clone)]
pub(crate) struct ChargeRequest {
    pub(crate) msisdn: String,
    pub(crate) campaign: String,
    pub(crate) merchant: String,
    pub(crate) amount: String,
    pub(crate) currency: String,
    pub(crate) correlator: String,
    pub(crate) description: String,
}

impl ChargeRequest {
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let is_number = self.msisdn.bytes().all(|byte| byte.is_ascii_digit());
        let amount = minor_units(&self.amount, &self.currency);
        let names =
            |text: &str, kind: &str| text.strip_prefix(kind).is_some_and(|id| !id.is_empty());
        let checks = [
            (is_number && self.msisdn.len() <= 15, "msisdn must have 1 to 15 digits"),
            (names(&self.campaign, "campaign:"), "campaign must be campaign: and its id"),
            (names(&self.merchant, "partner:"), "merchant must be partner: and its id"),
            (is_currency(&self.currency), "currency must be three capitals"),
            (amount.is_some(), "amount must be a positive decimal of its currency"),
            (is_reference(&self.correlator), "correlator must have 1 to 64 characters"),
        ];
        checks.into_iter().find(|(holds, _)| !holds).map(|(_, problem)| problem)
    }

    fn minor(&self) -> i64 {
        minor_units(&self.amount, &self.currency).unwrap_or(0)
    }

    fn print(&self) -> [u8; 32] {
        let Self { msisdn, campaign, merchant, amount, currency, correlator, description } = self;
        let all = [msisdn, campaign, merchant, amount, currency, correlator, description];
        fingerprint(json!(all).to_string().as_bytes())
    }
}

impl State {
    /// A charge, at the instant of its effect: the SMS leaves, once.
    pub(crate) fn mo_charge(
        &mut self,
        visit: &Visit,
        request: ChargeRequest,
        behaviour: &Behaviour,
    ) -> Reply {
        if !self.charge_opens(visit, request.print(), request.minor()) {
            let detail = "the same correlator with another content or elsewhere".to_owned();
            self.violate(visit, judge::CORRELATOR_CHANGED, detail);
            return Reply::ok(json!({ "success": false })).with_status(400);
        }
        self.charges.entry(Arc::clone(&visit.purchase)).or_insert(request);
        if behaviour.effect {
            self.prompt(visit);
        }
        let is_refused = behaviour.answer.code().is_some_and(|code| code != "0000");
        Reply::ok(json!({ "success": !is_refused && self.is_prompted(visit) }))
    }

    /// What a buyer's deed is told by; none when the buyer is silent.
    pub(crate) fn mo_notice(&mut self, visit: &Visit, deed: &Deed<'_>) -> Option<Notice> {
        let asked = self.charges.get(&visit.purchase)?.clone();
        let body = match deed.word {
            SILENT => return None,
            "CHARGED" => self.charged(visit, &asked, deed),
            status => self.not_charged(&asked, status),
        };
        (!deed.is_untold()).then(|| Notice::Body(body.to_string()))
    }

    fn charged(&mut self, visit: &Visit, asked: &ChargeRequest, deed: &Deed<'_>) -> Value {
        let minor = asked.minor();
        let other = if minor > 1 { minor.saturating_sub(1) } else { 2 };
        let amount = match deed.way {
            "amount" => major_units(other, &asked.currency),
            _as_asked => asked.amount.clone(),
        };
        let environment = match deed.way {
            "test" => "test".to_owned(),
            _ours => self.mo_environment.clone(),
        };
        let msisdn = match deed.way {
            "msisdn" => another(&asked.msisdn),
            _as_asked => asked.msisdn.clone(),
        };
        let made = self.transact(visit, deed, minor, |_| {
            json!({
                "campaign": asked.campaign,
                "merchant": asked.merchant,
                "msisdn": msisdn,
                "status": "CHARGED",
                "amount": amount,
                "currency": asked.currency,
                "environment": environment,
                "timestamp": Utc::now().to_rfc3339_opts(SecondsFormat::Millis, false),
            })
        });
        let fact = |name: &str| made.facts.get(name).cloned().unwrap_or_default();
        let told = match (deed.way, fact("amount")) {
            // A decimal is a number as it stands.
            ("number", Value::String(text)) => serde_json::from_str(&text).unwrap_or_default(),
            (_, amount) => amount,
        };
        json!({ "success": {
            "type": "mo_charge",
            "operator": OPERATOR,
            "merchant": fact("merchant"),
            "campaign": fact("campaign"),
            "environment": fact("environment"),
            "msisdn": fact("msisdn"),
            "currency": fact("currency"),
            "amount": told,
            "correlator": asked.correlator,
            "transaction": {
                "status": fact("status"),
                "timestamp": fact("timestamp"),
                "transaction_id": made.id,
            },
        } })
    }

    fn not_charged(&mut self, asked: &ChargeRequest, status: &str) -> Value {
        let timestamp = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, false);
        let mut transaction = json!({ "status": status, "timestamp": timestamp });
        let mut error = json!({
            "type": "mo_charge",
            "operator": OPERATOR,
            "merchant": asked.merchant,
            "campaign": asked.campaign,
            "environment": self.mo_environment,
            "msisdn": asked.msisdn,
        });
        // A reply that fits no request has no correlator either.
        if status == "PIN_NOT_FOUND" {
            put(&mut transaction, "pin", self.new_pin().into());
        } else {
            put(&mut error, "correlator", asked.correlator.as_str().into());
        }
        put(&mut error, "transaction", transaction);
        json!({ "error": error })
    }

    /// What the operator knows of a transaction of this merchant.
    pub(crate) fn mo_check(&self, party: &Arc<str>, id: &str, merchant: &str) -> Reply {
        let known = self.transaction(party, id).filter(|known| known.is_known);
        let own = known.filter(|known| known.facts.get("merchant") == Some(&merchant.into()));
        match own {
            Some(known) => Reply::ok(known.facts.clone()),
            None => {
                let error = json!({ "code": 404, "message": "no such transaction" });
                Reply::ok(json!({ "error": error })).with_status(404)
            }
        }
    }
}

fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}

/// Somebody else's number: the last digit is another one.
fn another(msisdn: &str) -> String {
    let mut number = msisdn.to_owned();
    let last = number.pop();
    number.push(if last == Some('0') { '1' } else { '0' });
    number
}
