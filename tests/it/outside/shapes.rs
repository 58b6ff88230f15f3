//! Each path answers in its own document's shape, whatever is wrong, and the document says so.

use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{HttpAnswer, key_of};
use reqwest::Method;
use serde_json::Value;

/// Each operation of the gateway's own document: method, path, and what is said of it.
async fn operations(fleet: &TestFleet) -> Vec<(Method, String, Value)> {
    let document = fleet.send(fleet.http().get(fleet.url("/openapi.json"))).await.json();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            all.push((method, path.clone(), operation.clone()));
        }
    }
    assert!(all.len() > 20, "{}", all.len());
    all
}

/// A path with something in the place of each parameter.
fn filled(path: &str) -> String {
    let part = |part: &str| {
        if part.starts_with('{') { "0198f000-0000-7000-8000-000000000000" } else { part }.to_owned()
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

async fn ask(fleet: &TestFleet, method: &Method, path: &str) -> HttpAnswer {
    let request = fleet.http().request(method.clone(), fleet.url(path));
    let request = request.header("x-api-key", key_of(1001)).header("authorization", key_of(1011));
    fleet.send(if *method == Method::POST { request.body("{}") } else { request }).await
}

fn kind_of(answer: &HttpAnswer) -> &str {
    let kind = answer.headers.get("content-type").map_or("", |kind| kind.to_str().unwrap());
    kind.split(';').next().unwrap()
}

/// What every error under the first part of a path looks like.
fn assert_shaped(path: &str, answer: &HttpAnswer) {
    let first = path.split('/').nth(1).unwrap();
    let text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let what = format!("{path}: {answer:?}");
    if first == "pay" {
        assert!(kind_of(answer) == "text/html" && answer.text.contains("<html"), "{what}");
        return;
    }
    let body = answer.json();
    match first {
        "api" => {
            assert_eq!(body["error"]["code"], answer.status, "{what}");
            assert!(text(&body["error"]["message"]), "{what}");
        }
        "sale" => {
            assert!(text(&body["error"]["cause"]) && text(&body["error"]["code"]), "{what}");
        }
        "results" | "statements" | "consumers" => {
            assert_eq!(kind_of(answer), "application/problem+json", "{what}");
            assert!(body["status"] == answer.status && text(&body["detail"]), "{what}");
        }
        "oauth" => assert!(text(&body["error"]) && text(&body["error_description"]), "{what}"),
        _ => assert!(text(&body["responseCode"]) && text(&body["responseMessage"]), "{what}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_path_a_wrong_method_and_an_encoded_body_are_answered_in_the_shape_of_their_document()
 {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    for (method, path, _) in operations(&fleet).await {
        let path = filled(&path);
        for other in [Method::DELETE, Method::PUT, Method::PATCH] {
            let answer = ask(&fleet, &other, &path).await;
            assert_eq!(answer.status, 405, "{other} {path}: {answer:?}");
            let allowed = answer.headers["allow"].to_str().unwrap();
            assert!(allowed.split(',').any(|one| one == method.as_str()), "{path}: {allowed}");
            assert_shaped(&path, &answer);
        }
        let first = path.split('/').nth(1).unwrap();
        for unknown in [format!("/{first}/no/such/path/of/ours"), format!("{path}/no/such/path")] {
            let answer = ask(&fleet, &Method::GET, &unknown).await;
            assert_eq!(answer.status, 404, "{unknown}: {answer:?}");
            assert_shaped(&unknown, &answer);
        }
        let request = fleet.http().post(fleet.url(&path)).header("content-encoding", "gzip");
        let answer = fleet.send(request.body("x")).await;
        assert_eq!(answer.status, 415, "{path}: {answer:?}");
        assert_shaped(&path, &answer);
        if method == Method::POST {
            for body in ["{\"a\":".to_owned(), "x".repeat(65_537)] {
                let request = fleet.http().post(fleet.url(&path)).body(body);
                let request = request.header("content-type", "application/json");
                let request = request.header("x-api-key", key_of(1001));
                let answer = fleet.send(request.header("authorization", key_of(1011))).await;
                assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
                assert_shaped(&path, &answer);
            }
        }
    }
    for path in ["/", "/nothing", "/apis", "/api"] {
        let answer = ask(&fleet, &Method::GET, path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_shaped(path, &answer);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_maintenance_every_path_answers_as_its_document_says() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    let operations = operations(&fleet).await;
    fleet.operator(&["maintenance", "on", "--reason", "a new server"]).await;
    let closed = async || ask(&fleet, &Method::GET, "/productLookup/2.0").await.status == 503;
    fleet.until("the gateway to close", closed).await;
    let mut open = Vec::new();
    for (method, path, said) in operations {
        let answer = ask(&fleet, &method, &filled(&path)).await;
        let reply = &said["responses"][answer.status.to_string()];
        assert!(reply.is_object(), "{path} answers {} and does not say so", answer.status);
        if answer.status != 503 {
            open.push(path);
            continue;
        }
        assert_eq!(answer.headers["retry-after"], "30", "{path}");
        assert!(reply["headers"]["Retry-After"].is_object(), "{path} does not say Retry-After");
        assert_shaped(&path, &answer);
        let content = &reply["content"][kind_of(&answer)];
        assert!(content["schema"].is_object(), "{path} answers another kind: {reply}");
        if let Some(examples) = content["examples"].as_object() {
            let body = answer.json();
            let is_told = examples.values().any(|example| example["value"] == body);
            assert!(is_told, "{path} answers {body}, its document {examples:?}");
        }
    }
    open.sort();
    let others = [
        "/callbacks/card-payments/{connector}",
        "/callbacks/card-sale/{connector}",
        "/callbacks/mo-charge/{connector}",
        "/callbacks/suppliers/{connector}",
        "/openapi.json",
        "/sale/notification",
        "/sale/{invoiceId}/check",
    ];
    assert_eq!(open, others, "only what no client asks is open");
}
