//! Suppliers of three kinds: with look-up (deduplicates on `vendRef`), callback only, and neither.
//! The last two do not deduplicate: the same reference again puts goods out again.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use crate::bank::{Reply, is_currency, is_party, is_reference};
use crate::behaviour::Behaviour;
use crate::judge;
use crate::purchase::{HoldState, Purchase, Told, Vend, VendState};
use crate::record::EffectKind;
use crate::state::{State, Visit};

/// Codes with which a supplier decides against a vend.
const REFUSALS: [&str; 8] =
    ["2201", "2210", "2213", "2214", "2225", "2242", "VAS_BARRED", "ADULT_BARRED"];
/// Products whose goods are a voucher.
const VOUCHERS: std::ops::Range<i64> = 200..400;

/// The kinds of suppliers, told by the beginning of their name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SupplierKind {
    LookUp,
    Callback,
    Plain,
}

impl SupplierKind {
    pub(crate) fn of(party: &str) -> Option<Self> {
        let kinds = [
            ("supplier-lookup", Self::LookUp),
            ("supplier-callback", Self::Callback),
            ("supplier-plain", Self::Plain),
        ];
        kinds.into_iter().find(|(name, _)| party.starts_with(name)).map(|(_, kind)| kind)
    }
}

/// The body of a vend.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VendRequest {
    pub(crate) vend_ref: String,
    pub(crate) raas_txn_ref: String,
    pub(crate) product_id: i64,
    pub(crate) target_identifier: String,
    pub(crate) amount: i64,
    pub(crate) currency_code: String,
    #[serde(default)]
    pub(crate) source_identifier: Option<String>,
}

impl VendRequest {
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let source = self.source_identifier.as_deref().is_none_or(is_party);
        let number = self.vend_ref.strip_prefix(&self.raas_txn_ref);
        let number = number.and_then(|rest| rest.strip_prefix('-')).unwrap_or_default();
        let numbered = number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit());
        let checks = [
            (is_reference(&self.raas_txn_ref), "raasTxnRef must have 1 to 64 characters"),
            (numbered, "vendRef must be raasTxnRef, a dash and four digits"),
            (self.product_id > 0, "productId must be positive"),
            (is_party(&self.target_identifier), "targetIdentifier must have 1 to 32 characters"),
            (source, "sourceIdentifier must have 1 to 32 characters"),
            (self.amount > 0, "amount must be positive"),
            (is_currency(&self.currency_code), "currencyCode must be three capitals"),
        ];
        checks.into_iter().find(|(holds, _)| !holds).map(|(_, problem)| problem)
    }
}

/// The question about an account.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountRequest {
    product_id: i64,
    pub(crate) target_identifier: String,
    amount: i64,
    currency_code: String,
    #[serde(default)]
    source_identifier: Option<String>,
}

impl AccountRequest {
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let source = self.source_identifier.as_deref().is_none_or(is_party);
        let checks = [
            (self.product_id > 0, "productId must be positive"),
            (is_party(&self.target_identifier), "targetIdentifier must have 1 to 32 characters"),
            (source, "sourceIdentifier must have 1 to 32 characters"),
            (self.amount > 0, "amount must be positive"),
            (is_currency(&self.currency_code), "currencyCode must be three capitals"),
        ];
        checks.into_iter().find(|(holds, _)| !holds).map(|(_, problem)| problem)
    }

    /// The account, unless the behaviour says otherwise.
    pub(crate) fn answer(&self, behaviour: &Behaviour) -> Reply {
        if let Some(code) = behaviour.answer.code().filter(|code| *code != "0000") {
            return Reply::code(code);
        }
        Reply::ok(json!({
            "responseCode": "0000",
            "responseMessage": "simulated",
            "customerName": "Ada Sample",
            "customerInfo": { "road": "1 Sample Road", "city": "Sampleton" },
            "accountInfo": { "amount": self.amount, "minimumAmount": 500, "arrears": 0 },
        }))
    }
}

type VendKey = (Arc<str>, Arc<str>);

fn key(visit: &Visit) -> VendKey {
    (Arc::clone(&visit.party), Arc::clone(&visit.reference))
}

impl State {
    /// Records a vend's arrival and judges whether it may come at all.
    pub(crate) fn vend_arrives(&mut self, visit: &Visit, kind: SupplierKind, asked: &VendRequest) {
        let purchase = self.purchase_mut(&visit.purchase);
        let findings = vend_findings(purchase, visit, kind);
        let vend = purchase.vends.entry(key(visit)).or_insert_with(|| Vend {
            state: VendState::Undecided,
            told: Told::Nothing,
            times_done: 0,
            product: asked.product_id,
            amount: asked.amount,
            supplier_ref: None,
            voucher: None,
        });
        if !vend.may_be_out() {
            // It is on its way again: what was told before no longer holds.
            vend.told = Told::Nothing;
        }
        for (rule, detail) in findings {
            self.violate(visit, rule, detail);
        }
    }

    /// A vend, at the instant of its effect.
    pub(crate) fn vend(
        &mut self,
        visit: &Visit,
        kind: SupplierKind,
        behaviour: &Behaviour,
    ) -> Reply {
        let purchase = self.purchase_mut(&visit.purchase);
        let Some(vend) = purchase.vends.get_mut(&key(visit)) else { return Reply::code("2226") };
        let known = kind == SupplierKind::LookUp && vend.state != VendState::Undecided;
        if known {
            return self.vend_truth(visit);
        }
        if let Some(pending) = &behaviour.pending {
            vend.state =
                VendState::Pending { look_ups: pending.look_ups, code: pending.code.clone() };
            // A callback supplier decides when it confirms.
            return Reply::code("2236");
        }
        if behaviour.effect {
            self.goods_go_out(visit);
        } else if let Some(code) = behaviour.answer.code().filter(|code| REFUSALS.contains(code)) {
            vend.state = VendState::Refused(code.to_owned());
        }
        match behaviour.answer.code() {
            Some("0000") if behaviour.effect => self.vend_truth(visit),
            Some(code) => Reply::code(code),
            None => self.vend_truth(visit),
        }
    }

    /// A look-up of a vend, which may bring a pending one nearer to its end.
    pub(crate) fn vend_look_up(&mut self, visit: &Visit) -> Reply {
        let purchase = self.purchase_mut(&visit.purchase);
        let vend = purchase.vends.get_mut(&key(visit));
        if let Some(Vend { state: VendState::Pending { look_ups, code }, .. }) = vend {
            if *look_ups > 0 {
                *look_ups = look_ups.saturating_sub(1);
                return Reply::code("2236");
            }
            let code = code.clone();
            self.decide_pending(visit, &code);
        }
        self.vend_truth(visit)
    }

    /// An accepted vend comes to its end.
    pub(crate) fn decide_pending(&mut self, visit: &Visit, code: &str) {
        let purchase = self.purchase_mut(&visit.purchase);
        let Some(vend) = purchase.vends.get_mut(&key(visit)) else { return };
        match (&vend.state, code) {
            (VendState::Pending { .. }, "0000") => self.goods_go_out(visit),
            (VendState::Pending { .. } | VendState::Undecided, code) if code != "0000" => {
                vend.state = VendState::Refused(code.to_owned());
            }
            _ => {}
        }
    }

    fn goods_go_out(&mut self, visit: &Visit) {
        let purchase = self.purchase_mut(&visit.purchase);
        let Some(vend) = purchase.vends.get_mut(&key(visit)) else { return };
        vend.state = VendState::Done;
        vend.times_done = vend.times_done.saturating_add(1);
        let (product, amount) = (vend.product, vend.amount);
        let before = purchase.count(EffectKind::Vend);
        let n = self.effect(visit, EffectKind::Vend, amount, None);
        let voucher = VOUCHERS.contains(&product).then(|| self.new_voucher());
        if let Some(vend) = self.purchase_mut(&visit.purchase).vends.get_mut(&key(visit)) {
            vend.supplier_ref = Some(Arc::from(format!("SUP-{n}")));
            vend.voucher = voucher;
        }
        if before > 0 {
            let detail = "goods went out before for this purchase".to_owned();
            self.violate(visit, judge::TWO_VENDS, detail);
        }
    }

    /// What the supplier has recorded of a vend; 404 when that is nothing.
    pub(crate) fn vend_truth(&self, visit: &Visit) -> Reply {
        let vend = self.purchase(&visit.purchase).and_then(|p| p.vends.get(&key(visit)));
        match vend.map(|vend| (vend, &vend.state)) {
            None | Some((_, VendState::Undecided)) => Reply::code("2226").with_status(404),
            Some((_, VendState::Pending { .. })) => Reply::code("2236"),
            Some((_, VendState::Refused(code))) => Reply::code(code),
            Some((vend, VendState::Done)) => Reply::ok(json!({
                "responseCode": "0000",
                "responseMessage": "simulated",
                "supplierRef": vend.supplier_ref,
                "token": vend.voucher,
                "vendAmount": vend.amount,
            })),
        }
    }

    /// Notes what the fleet learns from an answer or a confirmation that leaves now.
    pub(crate) fn tell_vend(&mut self, visit: &Visit, told: Told) {
        let purchase = self.purchase_mut(&visit.purchase);
        let Some(vend) = purchase.vends.get_mut(&key(visit)) else { return };
        // Goods that are out are out, whatever is told later.
        if told != Told::Nothing && vend.told != Told::Done {
            vend.told = told;
        }
    }
}

/// What a response code tells.
pub(crate) fn told_by_code(code: &str) -> Told {
    match code {
        "0000" => Told::Done,
        "2236" | "2240" => Told::Pending,
        code if REFUSALS.contains(&code) => Told::Refused,
        _ => Told::Nothing,
    }
}

fn vend_findings(
    purchase: &Purchase,
    visit: &Visit,
    kind: SupplierKind,
) -> Vec<(&'static str, String)> {
    let mut findings = Vec::new();
    match purchase.hold.as_ref().map(|hold| &hold.state) {
        None | Some(HoldState::Held | HoldState::Charged) => {}
        Some(HoldState::Refused(code)) => {
            let detail = format!("the bank refused with {code}");
            findings.push((judge::VEND_AFTER_REFUSAL, detail));
        }
        Some(state) => {
            findings.push((judge::VEND_WITHOUT_HOLD, format!("the hold is {state:?}")));
        }
    }
    let own = key(visit);
    let older = purchase.vends.iter().find(|(other, vend)| **other != own && vend.may_be_out());
    if let Some(((_, reference), _)) = older {
        findings.push((judge::VEND_WHILE_UNKNOWN, format!("{reference} may be out")));
    }
    let again = purchase.vends.get(&own).is_some_and(Vend::may_be_out);
    if again && kind != SupplierKind::LookUp {
        let detail = "the same vendRef again while its outcome is open".to_owned();
        findings.push((judge::REPEAT_WITHOUT_DEDUPE, detail));
    }
    findings
}
