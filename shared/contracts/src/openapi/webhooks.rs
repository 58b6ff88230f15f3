//! What clients' listeners get: Transact Result and IPN.

use serde_json::{Value, json};

use super::{Content, Document, Operation, SIGNATURE};
use crate::{IpnBody, TransactResult};

/// The client's side, as webhooks of the gateway's document.
pub fn client_webhooks(document: &mut Document) {
    let body = Content::json(document.written::<TransactResult>()).example("done", example());
    let failed = "not acknowledged: the same bytes come again after 10, 30, 70, 150 … 336630 s";
    let result = Operation::new("transactResult", "Transact Result")
        .tag("results")
        .about(
            "POST to the client's `transact_result` URL, once the outcome is known; the same bytes \
             until acknowledged, for four days. Signed where the client has a secret.",
        )
        .allowed_by(&[])
        .allowed_by(&[SIGNATURE])
        .body(body)
        .empty(202, "acknowledged, as by any 2xx")
        .empty(410, "the endpoint is gone: this result is disabled")
        .empty(503, failed)
        .header(503, "Retry-After", "seconds; may delay one try, never the deadline");
    document.add_webhook("transactResult", result);
    let body = Content::json(document.written::<IpnBody<'_>>());
    let word = json!({ "type": "string", "enum": ["Success", "Fail"] });
    let word = Content::of("text/plain", word.try_into().unwrap_or_default());
    let ipn = Operation::new("ipn", "Instant Payment Notification")
        .tag("results")
        .about(
            "POST to the client's `ipn` URL when a payment is completed. Acknowledged by a 2xx and \
             the body `Success`. `verifysign` covers url, accountID, amount and msisdn; validate \
             `transactionid` by Transaction Query. A client whose row says `ipn.failures` gets one of \
             each payment that failed too, refunded ones included, with an added `status`, which \
             `verifysign` does not cover. Of one transaction there is one IPN: a later reversal or \
             chargeback changes no status and sends none, a person looks into it.",
        )
        .body(body)
        .reply(200, "`Success` acknowledges, `Fail` does not", word)
        .empty(410, "the endpoint is gone: this IPN is disabled")
        .empty(503, failed);
    document.add_webhook("ipn", ipn);
}

/// A result that says: dispensed.
pub(super) fn example() -> Value {
    json!({
        "clientTxnRef": "order-42", "raasTxnRef": "0198f000-0000-7000-8000-000000000000",
        "reserveFundsTxnRef": "rsv-7781", "responseCode": "0000",
        "timestamp": "2026-01-31T10:00:02.345Z", "reserveAmount": 1550, "feeAmount": 50,
        "settlementAmount": 1550, "vendAmount": 1500, "clientShareAmount": 50,
        "vendorShareAmount": 1500,
    })
}
