//! The supplier interface as a document for those who implement it.

use serde_json::{Value, json};

use super::{Content, Document, Operation, Parameter, SIGNATURE};
use crate::{AccountQuery, AccountReply, VendReply, VendRequest};

const ABOUT: &str = "What a supplier offers, below the base URL of its connector. Each vend has a \
reference of its own: the purchase's and a number, `-0000`, `-0001`, … A reference that comes again \
is the same vend: goods go out once, and the answer is the same. The number grows only after a \
refusal that allows another try. A supplier may have the look-up, confirm by calling us back, or \
neither; its connector says which.";

const CODES: &str = "Decided, or pending. `0000`: dispensed. Refused for good: `2210` invalid data, \
`2213` invalid MSISDN, `2214` impossible recharge, `2242` too many in the period. Refused, another \
vend under the next number may succeed: `2201` could not complete, `2225` volumes exceeded. Pending: \
`2236`, `2240`; it is looked up or confirmed, never vended again. Any other code, such as `2239` or \
`2226`, leaves the outcome unknown. Own codes are mapped in the connector's settings";

/// `schemas/http/supplier.json`.
#[must_use]
pub fn supplier_document() -> Value {
    let mut document = Document::new("Supplier interface", ABOUT).with_callers_credentials();
    let done = json!({
        "vendRef": "0198f000-0000-7000-8000-000000000000-0000", "responseCode": "0000",
        "responseMessage": "", "supplierRef": "s-1", "token": "1234 5678 9012", "vendAmount": 1500,
    });
    let refused = json!({ "responseCode": "2213", "responseMessage": "invalid MSISDN" });
    let reply = Content::json(document.read::<VendReply>()).example("done", done);
    let confirmed = reply.clone();
    let reply = reply.example("refused", refused);
    let body = Content::json(document.written::<VendRequest<'_>>());
    let vend = Operation::new("vend", "Dispense")
        .allowed_as_the_row_says()
        .body(body.example("airtime", vend_example()))
        .reply(200, CODES, reply.clone())
        .empty(429, "nothing was dispensed; the same again after `Retry-After`")
        .header(429, "Retry-After", "seconds")
        .empty(503, "outcome unknown: looked up, or confirmed, or left to a person");
    document.add("post", "/vend", vend);
    let look_up = Operation::new("vendLookUp", "What became of a vend")
        .about("Changes nothing.")
        .allowed_as_the_row_says()
        .parameters([Parameter::path("vendRef", "the vend's reference")])
        .reply(200, CODES, reply)
        .empty(404, "not known; believed only after the connector's `settle_time_seconds`");
    document.add("get", "/vend/{vendRef}", look_up);
    document_validate(&mut document);
    let confirmation = Operation::new("confirmation", "A supplier's confirmation")
        .about(
            "POST to the gateway's `/callbacks/suppliers/{connector}`, signed with the connector's \
             secret. It may come before the vend's own answer, later, and more than once; send it \
             again until it is answered 200.",
        )
        .allowed_by(&[SIGNATURE])
        .body(confirmed)
        .empty(200, "stored")
        .empty(400, "`4000`: no vend reply; the same again will be refused too")
        .empty(401, "no such connector, or a wrong signature")
        .empty(503, "not stored: send it again");
    document.add_webhook("confirmation", confirmation);
    document.into_value()
}

fn document_validate(document: &mut Document) {
    let query = json!({
        "productId": 201, "targetIdentifier": "04123456789", "amount": 2000, "currencyCode": "ZAR",
    });
    let found = json!({
        "responseCode": "0000", "responseMessage": "", "customerName": "A. Buyer",
        "accountInfo": { "minimumAmount": 1000 },
    });
    let body = Content::json(document.written::<AccountQuery<'_>>()).example("meter", query);
    let reply = Content::json(document.read::<AccountReply>()).example("found", found);
    let validate = Operation::new("validate", "Is an account there")
        .about("Changes nothing. A client waits for the answer.")
        .allowed_as_the_row_says()
        .body(body)
        .reply(200, "`0000`: it is; `4010`: no such service; any other code: it is not", reply)
        .empty(404, "no such service");
    document.add("post", "/validate", validate);
}

fn vend_example() -> Value {
    json!({
        "vendRef": "0198f000-0000-7000-8000-000000000000-0000",
        "raasTxnRef": "0198f000-0000-7000-8000-000000000000", "productId": 101,
        "targetIdentifier": "27821234567", "amount": 1500, "currencyCode": "ZAR",
        "sourceIdentifier": "27821234567",
    })
}
