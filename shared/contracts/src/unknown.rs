//! Unknown fields of `purchase.requested` are ignored and counted.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;

const KNOWN: [&str; 24] = [
    "v",
    "scenario",
    "clientId",
    "clientTxnRef",
    "productId",
    "purchaseAmount",
    "feeAmount",
    "currencyCode",
    "channelId",
    "channelName",
    "channelSessionId",
    "sourceIdentifier",
    "targetIdentifier",
    "accountIdentifier",
    "authCode",
    "reserveFundsTxnRef",
    "timestamp",
    "fundingSourceId",
    "fundingSource",
    "deliver",
    "notify",
    "notifyEmail",
    "fraud",
    "additionalData",
];

/// How many fields of a readable body this build does not know.
#[must_use]
pub fn unknown_fields(body: &[u8]) -> usize {
    let fields: Result<BTreeMap<String, IgnoredAny>, _> = serde_json::from_slice(body);
    let fields = fields.unwrap_or_default();
    fields.keys().filter(|name| !KNOWN.contains(&name.as_str())).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_the_schema_is_known_and_no_other() {
        let schemas = crate::json_schemas();
        let (_, schema) =
            schemas.iter().find(|(path, _)| path.contains("requested/v1.schema")).unwrap();
        let fields = schema["properties"].as_object().unwrap();
        let mut names: Vec<_> = fields.keys().map(String::as_str).collect();
        names.sort_unstable();
        let mut known = KNOWN.to_vec();
        known.sort_unstable();
        assert_eq!(names, known);
        assert_eq!(unknown_fields(br#"{"clientId":1,"colour":"red","v":1}"#), 1);
    }
}
