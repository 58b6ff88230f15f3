//! The bank interface as a document for those who implement it.

use serde_json::{Value, json};

use super::{Content, Document, Operation, Parameter};
use crate::{BankReply, RefundFunds, ReserveFunds, TransactResult};

const ABOUT: &str = "What a funding source offers, below the base URL of its connector. Each call is \
made until its outcome is known, always under the same `raasTxnRef`: the same reference again must \
have no second effect and get the same answer. A decision is HTTP 200, also a refusal; any other \
status, an unreadable body, a cut connection or silence leaves the outcome unknown, and it is looked \
up. A source that reserves has `reserve`, `reservations` and `result` (adapter `bank`); one that \
takes the money at once has `charge`, `charges` and, if it can give money back, `refund` (adapters \
`charge` and `charge-only`).";

const REFUSALS: &str = "Decided. `0000`: done. Refused for good: `2010` insufficient funds, `2020` \
invalid auth code or unknown source, `2030` account not mapped, `2040` above maximum, `2050` below \
minimum, `2055` invalid fee, `2070` source blacklisted, `2080` account inactive, `4000` bad format. \
Any other code decides nothing: the same is asked again. Own codes are mapped in the connector's \
settings";

/// `schemas/http/bank.json`.
#[must_use]
pub fn bank_document() -> Value {
    let mut document = Document::new("Bank interface", ABOUT)
        .with_callers_credentials()
        .tag("reserve", "sources that hold funds")
        .tag("charge", "sources that take the money at once");
    for (tag, name, path) in [("reserve", "reserve", "/reserve"), ("charge", "charge", "/charge")] {
        let operation = decision(&mut document, name, "Reserve funds, or take them", tag);
        let body = Content::json(document.written::<ReserveFunds<'_>>());
        let body = body.example("airtime", reserve_example());
        document.add("post", path, operation.body(body));
    }
    let about = "`0000` = deduct the reserved funds, any other code = give them back. Only \
                 `timestamp` may differ when it is repeated.";
    let operation = decision(&mut document, "result", "Transact Result for the bank", "reserve");
    let body = Content::json(document.written::<TransactResult>());
    let body = body.example("deduct", super::webhooks::example());
    document.add("post", "/result", operation.about(about).body(body));
    let operation = decision(&mut document, "refund", "Give back what was taken", "charge");
    let body = Content::json(document.written::<RefundFunds<'_>>());
    let body = body.example("airtime", refund_example());
    document.add("post", "/refund", operation.body(body));
    for (tag, name, path) in [
        ("reserve", "reservation", "/reservations/{raasTxnRef}"),
        ("charge", "chargeLookUp", "/charges/{raasTxnRef}"),
    ] {
        let operation = decision(&mut document, name, "What became of a reference", tag)
            .about("Changes nothing. `resolution` says `deducted` or `cancelled` once settled.")
            .parameters([Parameter::path_reference("raasTxnRef", "our reference")])
            .empty(404, "not known; believed only after the connector's `settle_time_seconds`");
        document.add("get", path, operation);
    }
    document.into_value()
}

fn decision(document: &mut Document, id: &str, summary: &str, tag: &str) -> Operation {
    let refused = json!({ "responseCode": "2010", "responseMessage": "insufficient funds" });
    let done = json!({
        "responseCode": "0000", "responseMessage": "", "reserveFundsTxnRef": "rsv-7781",
    });
    let reply = Content::json(document.read::<BankReply>());
    let reply = reply.example("done", done).example("refused", refused);
    Operation::new(id, summary)
        .tag(tag)
        .allowed_as_the_row_says()
        .reply(200, REFUSALS, reply)
        .empty(429, "nothing was done; the same again after `Retry-After`")
        .header(429, "Retry-After", "seconds")
        .empty(503, "outcome unknown: looked up or asked again")
}

fn reserve_example() -> Value {
    json!({
        "clientTxnRef": "order-42", "raasTxnRef": "0198f000-0000-7000-8000-000000000000",
        "productId": 101, "purchaseAmount": 1500, "reserveAmount": 1550, "feeAmount": 50,
        "currencyCode": "ZAR", "sourceIdentifier": "27821234567",
        "targetIdentifier": "27821234567", "channelId": 7,
    })
}

fn refund_example() -> Value {
    json!({
        "clientTxnRef": "order-42", "raasTxnRef": "0198f000-0000-7000-8000-000000000000",
        "refundAmount": 1550, "currencyCode": "ZAR",
    })
}
