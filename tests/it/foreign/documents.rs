//! Our documents and vectors, in the eyes of others.

use std::collections::BTreeSet;

use fleet_testkit::TestFleet;
use reqwest::Method;

use super::programs::{Workshop, json};
use crate::tidy::{read, root};

#[tokio::test]
async fn validators_of_others_find_our_documents_valid_and_their_examples_true() {
    let workshop = Workshop::new();
    let path = |file: &str| root().join("schemas").join(file).display().to_string();
    let files = ["http/openapi.json", "http/bank.json", "http/supplier.json"].map(path);
    let found = workshop.told("validate.py", &files.each_ref().map(String::as_str)).await;
    assert_eq!(found["documents"], 3);
    assert!(found["examples"].as_u64().unwrap() > 40, "{found}");
    let found = workshop.told("validate.mjs", &[&path("asyncapi.yaml")]).await;
    assert!(found["operations"].as_u64().unwrap() > 10, "{found}");
}

#[tokio::test]
async fn the_readmes_verifiers_keep_the_contracts_vectors_and_refuse_changed_ones() {
    let workshop = Workshop::new();
    let (python, node) =
        tokio::join!(workshop.told("vectors.py", &[]), workshop.told("vectors.mjs", &[]));
    assert_eq!(python, node, "both check the same");
    assert!(python["checks"].as_u64().unwrap() > 20, "{python}");
}

/// A path with something in its places.
fn filled(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { "x" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_served_document_tells_exactly_the_methods_that_are_answered() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    let answer = fleet.send(fleet.http().get(fleet.url("/openapi.json"))).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.text, read("schemas/http/openapi.json"));
    let document = answer.json();
    for (path, item) in document["paths"].as_object().unwrap() {
        let told: BTreeSet<&str> = item.as_object().unwrap().keys().map(String::as_str).collect();
        for name in ["get", "post", "put", "patch", "delete"] {
            let method = Method::from_bytes(name.to_uppercase().as_bytes()).unwrap();
            let answer = fleet.send(fleet.http().request(method, fleet.url(&filled(path)))).await;
            assert_eq!(answer.status != 405, told.contains(name), "{name} {path}: {answer:?}");
            if answer.status == 405 {
                assert!(answer.headers.contains_key("allow"), "{name} {path}: {answer:?}");
                // A buyer's browser is shown a page.
                let is_page = path.starts_with("/pay/") && answer.text.contains("<html");
                let is_object = || json(&answer.text).is_object();
                assert!(is_page || is_object(), "{name} {path}: {answer:?}");
            }
        }
    }
    let nowhere = fleet.send(fleet.http().get(fleet.url("/nowhere"))).await;
    assert_eq!((nowhere.status, nowhere.code().as_str()), (404, "4000"));
}
