//! Everything below `schemas/` that follows from our types, except the gateway's own document.

use crate::openapi::{bank_document, supplier_document};
use crate::{IpnBody, JobHintV1, PurchaseBody, RequestedReply, TransactionReply, asyncapi};

/// Each schema of a message with its path below `schemas/`.
#[must_use]
pub fn json_schemas() -> Vec<(&'static str, serde_json::Value)> {
    vec![
        ("messages/ipn/v1.schema.json", schemars::schema_for!(IpnBody<'_>).to_value()),
        (
            "messages/transaction-query.reply/v1.schema.json",
            schemars::schema_for!(TransactionReply).to_value(),
        ),
        ("messages/job-hint/v1.schema.json", schemars::schema_for!(JobHintV1).to_value()),
        (
            "messages/purchase.requested/v1.schema.json",
            schemars::schema_for!(PurchaseBody).to_value(),
        ),
        (
            "messages/purchase.requested.reply/v1.schema.json",
            schemars::schema_for!(RequestedReply).to_value(),
        ),
    ]
}

/// Every generated file with its path below `schemas/`.
#[must_use]
pub fn files() -> Vec<(&'static str, String)> {
    let mut documents = json_schemas();
    documents.push(("http/bank.json", bank_document()));
    documents.push(("http/supplier.json", supplier_document()));
    let mut files: Vec<_> =
        documents.into_iter().map(|(path, value)| (path, format!("{value:#}\n"))).collect();
    files.push(("asyncapi.yaml", asyncapi()));
    files
}
