//! The JSON Schemas of our messages, generated from their types.

use crate::{IpnBody, JobHintV1, PurchaseBody, RequestedReply, TransactionReply};

/// Each schema with its path below `schemas/`.
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
