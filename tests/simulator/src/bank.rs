//! A bank: it holds, captures and cancels, and deduplicates on `raasTxnRef`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::behaviour::{AnswerKind, Behaviour};
use crate::judge;
use crate::purchase::{Hold, HoldState, fingerprint};
use crate::record::{EffectKind, ResultSeen};
use crate::state::{State, Visit};

/// Codes with which a bank decides against a reservation.
const REFUSALS: [&str; 8] = ["2010", "2020", "2030", "2040", "2050", "2055", "2070", "2080"];

/// What a party says when nothing goes wrong on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) const fn ok(body: Value) -> Self {
        Self { status: 200, body }
    }

    pub(crate) fn code(code: &str) -> Self {
        Self::ok(json!({ "responseCode": code, "responseMessage": "simulated" }))
    }

    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The response code in the body, if it has one.
    pub(crate) fn response_code(&self) -> Option<&str> {
        self.body.get("responseCode").and_then(Value::as_str)
    }
}

/// The body of *reserve funds*.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReserveRequest {
    pub(crate) client_txn_ref: String,
    pub(crate) raas_txn_ref: String,
    pub(crate) product_id: i64,
    pub(crate) purchase_amount: i64,
    pub(crate) reserve_amount: i64,
    pub(crate) fee_amount: i64,
    pub(crate) currency_code: String,
    pub(crate) source_identifier: String,
    pub(crate) target_identifier: String,
    pub(crate) channel_id: i64,
}

impl ReserveRequest {
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let sum = self.purchase_amount.checked_add(self.fee_amount);
        let checks = [
            (is_reference(&self.client_txn_ref), "clientTxnRef must have 1 to 64 characters"),
            (is_reference(&self.raas_txn_ref), "raasTxnRef must have 1 to 64 characters"),
            (self.product_id > 0, "productId must be positive"),
            (self.purchase_amount > 0, "purchaseAmount must be positive"),
            (self.fee_amount >= 0, "feeAmount must not be negative"),
            (sum == Some(self.reserve_amount), "reserveAmount must be purchaseAmount + feeAmount"),
            (is_currency(&self.currency_code), "currencyCode must be three capitals"),
            (is_party(&self.source_identifier), "sourceIdentifier must have 1 to 32 characters"),
            (is_party(&self.target_identifier), "targetIdentifier must have 1 to 32 characters"),
            ((1..=8).contains(&self.channel_id), "channelId must be 1 to 8"),
        ];
        checks.into_iter().find(|(holds, _)| !holds).map(|(_, problem)| problem)
    }
}

pub(crate) fn is_reference(text: &str) -> bool {
    (1..=64).contains(&text.chars().count())
}

pub(crate) fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

pub(crate) fn is_party(text: &str) -> bool {
    (1..=32).contains(&text.chars().count())
}

/// Funding sources that take the money at once have names that begin so.
pub(crate) const WALLETS: &str = "wallet";

/// What a funding source does when it is asked for funds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// It holds them.
    Hold,
    /// It takes the money at once.
    Money,
}

impl Takes {
    fn of(party: &str) -> Self {
        if party.starts_with(WALLETS) { Self::Money } else { Self::Hold }
    }

    const fn state(self) -> HoldState {
        match self {
            Self::Hold => HoldState::Held,
            Self::Money => HoldState::Charged,
        }
    }
}

/// The body of a refund.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RefundRequest {
    pub(crate) client_txn_ref: String,
    pub(crate) raas_txn_ref: String,
    #[serde(default)]
    pub(crate) reserve_funds_txn_ref: Option<String>,
    pub(crate) refund_amount: i64,
    pub(crate) currency_code: String,
}

impl RefundRequest {
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let checks = [
            (is_reference(&self.client_txn_ref), "clientTxnRef must have 1 to 64 characters"),
            (is_reference(&self.raas_txn_ref), "raasTxnRef must have 1 to 64 characters"),
            (self.refund_amount > 0, "refundAmount must be positive"),
            (is_currency(&self.currency_code), "currencyCode must be three capitals"),
        ];
        checks.into_iter().find(|(holds, _)| !holds).map(|(_, problem)| problem)
    }
}

/// The body of Transact Result, for banks and clients.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResultRequest {
    pub(crate) client_txn_ref: String,
    pub(crate) raas_txn_ref: String,
    #[serde(default)]
    pub(crate) reserve_funds_txn_ref: Option<String>,
    pub(crate) response_code: String,
    pub(crate) timestamp: String,
    pub(crate) reserve_amount: i64,
    pub(crate) fee_amount: i64,
    pub(crate) settlement_amount: i64,
    pub(crate) vend_amount: i64,
    pub(crate) client_share_amount: i64,
    pub(crate) vendor_share_amount: i64,
}

impl ResultRequest {
    pub(crate) fn is_success(&self) -> bool {
        self.response_code == "0000"
    }

    pub(crate) fn seen(&self, whose: &'static str) -> ResultSeen {
        ResultSeen {
            purchase: self.raas_txn_ref.clone(),
            whose,
            fee: self.fee_amount,
            settlement: self.settlement_amount,
            client_share: self.client_share_amount,
            vendor_share: self.vendor_share_amount,
        }
    }

    pub(crate) fn problem(&self) -> Option<&'static str> {
        let amounts = [
            self.fee_amount,
            self.settlement_amount,
            self.vend_amount,
            self.client_share_amount,
            self.vendor_share_amount,
        ];
        let settlement = if self.is_success() {
            (1..=self.reserve_amount).contains(&self.settlement_amount)
        } else {
            self.settlement_amount == 0
        };
        let timestamp = chrono::DateTime::parse_from_rfc3339(&self.timestamp);
        let checks = [
            (is_reference(&self.client_txn_ref), "clientTxnRef must have 1 to 64 characters"),
            (is_reference(&self.raas_txn_ref), "raasTxnRef must have 1 to 64 characters"),
            (is_party(&self.response_code), "responseCode must have 1 to 32 characters"),
            (timestamp.is_ok(), "timestamp must be ISO 8601"),
            (self.reserve_amount > 0, "reserveAmount must be positive"),
            (amounts.iter().all(|amount| *amount >= 0), "an amount is negative"),
            (settlement, "settlementAmount does not fit responseCode and reserveAmount"),
        ];
        checks.into_iter().find(|(holds, _)| !holds).map(|(_, problem)| problem)
    }
}

impl State {
    /// *Reserve funds*, or a charge at once, at the instant of its effect.
    pub(crate) fn reserve(
        &mut self,
        visit: &Visit,
        body: &[u8],
        request: &ReserveRequest,
        behaviour: &Behaviour,
    ) -> Reply {
        let (print, takes) = (fingerprint(body), Takes::of(&visit.party));
        let amount = request.reserve_amount;
        let purchase = self.purchase_mut(&visit.purchase);
        let hold = purchase.hold.get_or_insert_with(|| Hold {
            bank: Arc::clone(&visit.party),
            body: print,
            amount,
            reference: Arc::from(format!("RSV-{}", visit.purchase)),
            state: HoldState::Undecided,
            settled_by: None,
        });
        if hold.body != print || hold.bank != visit.party {
            let detail = "the same raasTxnRef with another body or at another bank".to_owned();
            self.violate(visit, judge::RESERVE_CHANGED, detail);
            return Reply::code("4000").with_status(409);
        }
        if let AnswerKind::Odd(fields) = &behaviour.answer
            && let Some(number) = fields.get("reserveFundsTxnRef").filter(|sent| sent.is_number())
        {
            hold.reference = Arc::from(number.to_string());
        }
        if hold.state == HoldState::Undecided {
            if behaviour.effect {
                hold.state = takes.state();
                self.take(visit, takes, amount);
                if let Some(code) = behaviour.answer.code().filter(|code| *code != "0000") {
                    return Reply::code(code);
                }
            } else if let Some(code) = behaviour.answer.code() {
                if !REFUSALS.contains(&code) {
                    return Reply::code(code);
                }
                hold.state = HoldState::Refused(code.to_owned());
            }
        }
        self.reservation(visit)
    }

    /// What the bank knows of a reservation, as its answer to a look-up.
    pub(crate) fn reservation(&mut self, visit: &Visit) -> Reply {
        let hold = self.purchase(&visit.purchase).and_then(|known| known.hold.as_ref());
        let Some(hold) = hold.filter(|hold| hold.bank == visit.party) else {
            return Reply::code("2090").with_status(404);
        };
        let reply = |resolution: Option<&str>| {
            let mut reply = Reply::code("0000");
            if let Some(body) = reply.body.as_object_mut() {
                body.insert("reserveFundsTxnRef".to_owned(), json!(hold.reference));
                if let Some(resolution) = resolution {
                    body.insert("resolution".to_owned(), json!(resolution));
                }
            }
            reply
        };
        match &hold.state {
            HoldState::Undecided => Reply::code("2090").with_status(404),
            HoldState::Refused(code) => Reply::code(code),
            HoldState::Held | HoldState::Charged => reply(None),
            HoldState::Refunded => reply(Some("refunded")),
            HoldState::Captured => reply(Some("deducted")),
            HoldState::Cancelled => reply(Some("cancelled")),
        }
    }

    /// The result for the bank: capture or cancel, at the instant of its effect.
    pub(crate) fn settle(
        &mut self,
        visit: &Visit,
        print: [u8; 32],
        request: &ResultRequest,
        behaviour: &Behaviour,
    ) -> Reply {
        let capture = request.is_success();
        let (kind, wanted) = if capture {
            (EffectKind::Capture, HoldState::Captured)
        } else {
            (EffectKind::Cancel, HoldState::Cancelled)
        };
        let purchase = self.purchase_mut(&visit.purchase);
        let is_vended = purchase.is_vended();
        let is_out = purchase.vends.values().any(crate::purchase::Vend::is_out);
        let hold = purchase.hold.as_mut().filter(|hold| hold.bank == visit.party);
        let Some(hold) = hold else { return self.settle_nothing(visit, capture) };
        let (amount, state) = (hold.amount, hold.state.clone());
        let known_ref = request.reserve_funds_txn_ref.as_deref() == Some(&*hold.reference);
        match state {
            HoldState::Undecided
            | HoldState::Refused(_)
            | HoldState::Charged
            | HoldState::Refunded => {
                return self.settle_nothing(visit, capture);
            }
            HoldState::Captured | HoldState::Cancelled if state != wanted => {
                let detail = format!("{kind:?} after the hold was {state:?}");
                self.violate(visit, judge::CAPTURE_AND_CANCEL, detail);
                return Reply::code("4000");
            }
            HoldState::Captured | HoldState::Cancelled => {
                if hold.settled_by != Some(print) {
                    let detail = "the bank's result changed between two calls".to_owned();
                    self.violate(visit, judge::RESULT_CHANGED, detail);
                }
                return self.reservation(visit);
            }
            HoldState::Held => {}
        }
        if !behaviour.effect {
            return Reply::code(behaviour.answer.code().unwrap_or("2090"));
        }
        hold.settled_by = Some(print);
        hold.state = wanted;
        self.holds_open = self.holds_open.saturating_sub(1);
        // The buyer pays what was held; how others share it is settled between them.
        let told = Some(Arc::from(request.response_code.as_str()));
        self.effect(visit, kind, amount, told);
        self.results.push(request.seen("bank"));
        let findings = [
            (request.reserve_amount != amount, judge::AMOUNT_DIFFERS),
            (!known_ref, judge::REFERENCE_DIFFERS),
            (capture && !is_vended, judge::CAPTURE_WITHOUT_VEND),
            (!capture && is_out, judge::CANCEL_AFTER_VEND),
        ];
        for (_, rule) in findings.into_iter().filter(|(found, _)| *found) {
            self.violate(visit, rule, format!("at the {kind:?}"));
        }
        self.reservation(visit)
    }

    /// A charge that the buyer decides on later; false when another one is known by its reference.
    pub(crate) fn charge_opens(
        &mut self,
        visit: &Visit,
        body: crate::purchase::Fingerprint,
        amount: i64,
    ) -> bool {
        let purchase = self.purchase_mut(&visit.purchase);
        let hold = purchase.hold.get_or_insert_with(|| Hold {
            bank: Arc::clone(&visit.party),
            body,
            amount,
            reference: Arc::clone(&visit.purchase),
            state: HoldState::Undecided,
            settled_by: None,
        });
        hold.body == body && hold.bank == visit.party
    }

    /// The buyer has decided for it.
    pub(crate) fn charge_is_paid(&mut self, visit: &Visit, amount: i64) {
        let hold = self.purchase_mut(&visit.purchase).hold.as_mut();
        if let Some(hold) = hold.filter(|hold| hold.state == HoldState::Undecided) {
            hold.state = HoldState::Charged;
            self.take(visit, Takes::Money, amount);
        }
    }

    fn take(&mut self, visit: &Visit, takes: Takes, amount: i64) {
        self.effect(visit, EffectKind::Reserve, amount, None);
        match takes {
            Takes::Hold => self.holds_open = self.holds_open.saturating_add(1),
            Takes::Money => self.effect_at(visit, EffectKind::Capture, amount),
        }
    }

    fn effect_at(&mut self, visit: &Visit, kind: EffectKind, amount: i64) {
        let _number: u64 = self.effect(visit, kind, amount, None);
    }

    /// The refund of a charge, at the instant of its effect.
    pub(crate) fn refund(
        &mut self,
        visit: &Visit,
        request: &RefundRequest,
        behaviour: &Behaviour,
    ) -> Reply {
        let purchase = self.purchase_mut(&visit.purchase);
        let is_out = purchase.vends.values().any(crate::purchase::Vend::is_out);
        let hold = purchase.hold.as_mut().filter(|hold| hold.bank == visit.party);
        let charged = |hold: &&mut Hold| {
            matches!(hold.state, HoldState::Charged | HoldState::Refunded)
                && request.reserve_funds_txn_ref.as_deref() == Some(&*hold.reference)
        };
        let Some(hold) = hold.filter(charged) else {
            let detail = "nothing was charged under these references".to_owned();
            self.violate(visit, judge::REFUND_WITHOUT_CHARGE, detail);
            return Reply::code("4000");
        };
        let amount = hold.amount;
        if hold.state == HoldState::Charged {
            if !behaviour.effect {
                return Reply::code(behaviour.answer.code().unwrap_or("2090"));
            }
            hold.state = HoldState::Refunded;
            self.effect_at(visit, EffectKind::Refund, amount);
        }
        let findings = [
            (request.refund_amount != amount, judge::AMOUNT_DIFFERS),
            (is_out, judge::REFUND_AFTER_VEND),
        ];
        for (_, rule) in findings.into_iter().filter(|(found, _)| *found) {
            self.violate(visit, rule, "at the refund".to_owned());
        }
        self.reservation(visit)
    }

    /// Giving back what was never held harms nobody; taking it is another matter.
    fn settle_nothing(&mut self, visit: &Visit, capture: bool) -> Reply {
        if !capture {
            return Reply::code("0000");
        }
        let detail = "this bank holds nothing for the purchase".to_owned();
        self.violate(visit, judge::CAPTURE_WITHOUT_RESERVE, detail);
        Reply::code("4000")
    }
}
