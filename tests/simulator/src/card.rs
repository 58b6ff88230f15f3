//! A processor of card payments: it makes a page where the buyer pays, and tells whether that was
//! done.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::amount::{major_units, minor_units};
use crate::bank::{Reply, is_currency, is_reference};
use crate::behaviour::Behaviour;
use crate::buyer::{Deed, Notice, SILENT};
use crate::judge;
use crate::purchase::fingerprint;
use crate::state::{State, Visit};

/// Processors have names that begin so.
pub(crate) const PROCESSORS: &str = "card";
/// The number that every transaction shows, as the document does: the page knows of none.
const MSISDN: &str = "255713XXXXXX";

/// The body of a card payment.
#[derive(Clone, Deserialize)]
pub(crate) struct PaymentRequest {
    pub(crate) account_id: String,
    pub(crate) amount: String,
    pub(crate) order_info: String,
    pub(crate) currency: String,
}

impl PaymentRequest {
    /// What is wrong with it for the holder of this account.
    pub(crate) fn problem(&self, account: &str) -> Option<&'static str> {
        let amount = minor_units(&self.amount, &self.currency);
        let checks = [
            (self.account_id == account, "account_id is not the key's"),
            (is_reference(&self.order_info), "order_info must have 1 to 64 characters"),
            (is_currency(&self.currency), "currency must be three capitals"),
            (amount.is_some(), "amount must be a positive decimal of its currency"),
        ];
        checks.into_iter().find(|(holds, _)| !holds).map(|(_, problem)| problem)
    }

    pub(crate) fn minor(&self) -> i64 {
        minor_units(&self.amount, &self.currency).unwrap_or(0)
    }

    fn print(&self) -> [u8; 32] {
        let Self { account_id, amount, order_info, currency } = self;
        fingerprint(json!([account_id, amount, order_info, currency]).to_string().as_bytes())
    }
}

/// The processors' side of the world.
#[derive(Default)]
pub(crate) struct Cards {
    /// By purchase.
    pub(crate) payments: HashMap<Arc<str>, Payment>,
    pages: u64,
}

/// A payment that was asked for.
#[derive(Clone)]
pub(crate) struct Payment {
    pub(crate) request: PaymentRequest,
    /// The page's number, once there is one.
    page: Option<u64>,
}

/// An error as the document writes them.
pub(crate) fn error(status: u16, message: &str) -> Reply {
    let error = json!({ "error": { "code": status, "message": message } });
    Reply::ok(error).with_status(status)
}

impl State {
    /// A card payment, at the instant of its effect: there is a page for it. `pages` is the address
    /// of the pages, as the caller sees it.
    pub(crate) fn card_payment(
        &mut self,
        visit: &Visit,
        (request, pages): (PaymentRequest, &str),
        behaviour: &Behaviour,
    ) -> Reply {
        if !self.charge_opens(visit, request.print(), request.minor()) {
            let detail = "the same order_info with another content or elsewhere".to_owned();
            self.violate(visit, judge::ORDER_CHANGED, detail);
            return error(400, "order_info is known with another content");
        }
        let next = self.cards.pages.saturating_add(1);
        let payment = self.cards.payments.entry(Arc::clone(&visit.purchase));
        let payment = payment.or_insert(Payment { request, page: None });
        if behaviour.effect && payment.page.is_none() {
            payment.page = Some(next);
            self.cards.pages = next;
        }
        let page = payment.page;
        if behaviour.effect {
            self.prompt(visit);
        }
        let is_refused = behaviour.answer.code().is_some_and(|code| code != "0000");
        match page {
            Some(page) if !is_refused => {
                Reply::ok(json!({ "payment_url": format!("{pages}/{page}") }))
            }
            Some(_) | None => error(400, "simulated"),
        }
    }

    /// Whether a page was made.
    pub(crate) fn has_page(&self, page: u64) -> bool {
        (1..=self.cards.pages).contains(&page)
    }

    /// What a buyer's deed is told by; none when the buyer is silent.
    pub(crate) fn card_notice(&mut self, visit: &Visit, deed: &Deed<'_>) -> Option<Notice> {
        let asked = self.cards.payments.get(&visit.purchase)?.request.clone();
        let mut told = vec![("type", "cardpayment".to_owned())];
        match (deed.word, deed.way) {
            (SILENT, _) => return None,
            // The document's own example of a payment that failed.
            ("SUCCESS", "bare") => {
                told.push(("status", "success".to_owned()));
                told.push(("message", "Transaction successful".to_owned()));
                told.push(("order_info", asked.order_info));
            }
            ("SUCCESS", _) => {
                let made = self.pay(visit, &asked, deed);
                let all = [
                    ("status", "success".to_owned()),
                    ("message", "Transaction successful".to_owned()),
                    ("order_info", asked.order_info),
                    ("transaction_id", made),
                ];
                let quote = if deed.way == "quoted" { "\"" } else { "" };
                told.extend(all.map(|(name, text)| (name, format!("{quote}{text}{quote}"))));
            }
            (_failed, _) => {
                told.push(("status", "failed".to_owned()));
                told.push(("message", "Transaction failed".to_owned()));
                told.push(("order_info", asked.order_info));
            }
        }
        (!deed.is_untold()).then_some(Notice::Query(told))
    }

    fn pay(&mut self, visit: &Visit, asked: &PaymentRequest, deed: &Deed<'_>) -> String {
        let minor = asked.minor();
        let other = if minor > 1 { minor.saturating_sub(1) } else { 2 };
        let shown = if deed.way == "amount" { other } else { minor };
        let order = match deed.way {
            "order" => format!("{}-other", asked.order_info),
            _as_asked => asked.order_info.clone(),
        };
        let amount: Value =
            serde_json::from_str(&major_units(shown, &asked.currency)).unwrap_or_default();
        let url = format!("{}/callbacks/card-payments/{}", self.gateway, visit.party);
        let made = self.transact(visit, deed, minor, |id| {
            json!({
                "url": url,
                "accountID": asked.account_id,
                "transactionid": id,
                "amount": amount,
                "msisdn": MSISDN,
                "order_info": order,
                "currency": asked.currency,
                "status": "SUCCESS",
            })
        });
        made.id.to_string()
    }

    /// What the processor knows of a transaction. The behaviour may say another status.
    pub(crate) fn card_query(&self, party: &Arc<str>, id: &str, behaviour: &Behaviour) -> Reply {
        let known = self.transaction(party, id).filter(|known| known.is_known);
        let Some(known) = known else { return error(404, "no such transaction") };
        let mut facts = known.facts.clone();
        if let Some(status) = behaviour.answer.code().filter(|code| *code != "0000")
            && let Some(fields) = facts.as_object_mut()
        {
            fields.insert("status".to_owned(), status.into());
        }
        Reply::ok(facts)
    }
}
