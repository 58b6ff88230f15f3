//! The files below `schemas/` and the types say the same.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};

use fleet_contracts::{JobHint, PurchaseBody, RequestedReply, files, json_schemas};

fn schemas() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas")
}

fn read(path: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(schemas().join(path)).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_schema_files_are_the_generated_ones() {
    for (path, generated) in files() {
        let text = std::fs::read_to_string(schemas().join(path)).unwrap_or_default();
        assert!(text == generated, "{path} is stale: run `make schemas`");
    }
}

#[test]
fn every_example_fits_its_schema_and_its_type() {
    for (path, _) in json_schemas() {
        let example = read(&path.replace(".schema.", ".example."));
        let validator = jsonschema::validator_for(&read(path)).unwrap();
        let errors: Vec<_> = validator.iter_errors(&example).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{path}: {errors:?}");
    }
    let bytes = |path: &str| std::fs::read(schemas().join(path)).unwrap();
    JobHint::from_bytes(&bytes("messages/job-hint/v1.example.json")).unwrap();
    PurchaseBody::from_bytes(&bytes("messages/purchase.requested/v1.example.json")).unwrap();
    let reply = bytes("messages/purchase.requested.reply/v1.example.json");
    serde_json::from_slice::<RequestedReply>(&reply).unwrap();
}

#[test]
fn what_the_schema_refuses_the_type_refuses_too() {
    let validator =
        jsonschema::validator_for(&read("messages/purchase.requested/v1.schema.json")).unwrap();
    let good = read("messages/purchase.requested/v1.example.json");
    let fields = ["clientId", "clientTxnRef", "productId", "purchaseAmount", "currencyCode"];
    for field in fields {
        for wrong in [serde_json::json!([]), serde_json::json!({}), serde_json::json!(true)] {
            let mut bad = good.clone();
            bad[field] = wrong;
            assert!(!validator.is_valid(&bad), "{field}");
            assert!(PurchaseBody::from_bytes(bad.to_string().as_bytes()).is_err(), "{field}");
        }
    }
}
