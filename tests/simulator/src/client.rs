//! Clients' listeners: they take results, each of which must say the same each time.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::bank::{Reply, ResultRequest};
use crate::behaviour::Behaviour;
use crate::judge;
use crate::purchase::{Vend, fingerprint};
use crate::record::EffectKind;
use crate::state::{State, Visit};

impl State {
    /// A result for a client, at the instant of its effect.
    pub(crate) fn result(
        &mut self,
        visit: &Visit,
        client: i64,
        (body, request): (&[u8], &ResultRequest),
        behaviour: &Behaviour,
    ) -> Reply {
        let print = fingerprint(body);
        let purchase = self.purchase_mut(&visit.purchase);
        let known = *purchase.results.entry(client).or_insert(print);
        let is_out = purchase.vends.values().any(Vend::is_out);
        let is_vended = purchase.is_vended();
        let own_ref =
            purchase.client_ref.get_or_insert_with(|| Arc::from(request.client_txn_ref.as_str()));
        let own_ref = Arc::clone(own_ref);
        let hold = purchase.hold.as_ref();
        let held_amount = hold.map_or(request.reserve_amount, |hold| hold.amount);
        let findings = [
            (known != print, judge::RESULT_CHANGED),
            (*own_ref != *request.client_txn_ref, judge::REFERENCE_DIFFERS),
            (held_amount != request.reserve_amount, judge::AMOUNT_DIFFERS),
            (request.is_success() && !is_vended, judge::SUCCESS_WITHOUT_VEND),
            (!request.is_success() && is_out, judge::FAILURE_AFTER_VEND),
        ];
        for (_, rule) in findings.into_iter().filter(|(found, _)| *found) {
            self.violate(visit, rule, format!("in a result with {}", request.response_code));
        }
        if behaviour.effect {
            let told = Some(Arc::from(request.response_code.as_str()));
            self.effect(visit, EffectKind::Result, request.settlement_amount, told);
            self.results.push(request.seen("client"));
        }
        Reply::ok(serde_json::Value::Null).with_status(202)
    }
}

/// The header `Signature` of a body.
pub(crate) fn signature(secret: &str, body: &[u8]) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(body);
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_signature_is_the_base64_of_the_bodys_hmac() {
        let expected = "qp4uNXX11wmLbKzNeQiIw21f22M0KnO62i1qUXR6hJQ=";
        assert_eq!(super::signature("secret", br#"{"a":1}"#), expected);
    }
}
