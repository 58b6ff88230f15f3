//! Parameters of look-ups: other languages' truths, and parameters that say nothing.

use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{HttpAnswer, client, purchase};
use secrecy::SecretString;

use super::{assert_refused, get};

const BUYER: &str = "27825550003";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b55_a_truth_is_taken_in_a_query_in_any_letter_case() {
    let fleet = TestFleet::builder()
        .workers(&["gateway"])
        .directory(|import| {
            let its = import.products.iter_mut().filter(|row| row.product_id == 201);
            its.for_each(|row| row.active = false);
        })
        .start()
        .await;
    let status = async |word: &str| {
        let query = format!("clientId=1001&productId=201&includeInactive={word}");
        get(&fleet, &format!("/productLookup/2.0?{query}")).await
    };
    for word in ["true", "True", "TRUE", "tRuE", "1", "%20True"] {
        assert_eq!(status(word).await.status, 200, "{word}");
    }
    for word in ["false", "False", "FALSE", "fALSE", "0", ""] {
        assert_eq!(status(word).await.status, 204, "{word}");
    }
    for word in ["T", "2", "on", "truee", "true,false", "%00"] {
        let answer = status(word).await;
        assert_refused(&answer, "includeInactive must be true or false", word);
    }
}

/// What a look-up tells, but what is another each time.
fn told(answer: &HttpAnswer) -> (u16, String) {
    (answer.status, answer.text.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b56_a_parameter_that_is_there_and_empty_is_absent() {
    let fleet = TestFleet::start().await;
    let mut body = purchase("0000");
    body["sourceIdentifier"] = BUYER.into();
    body["productId"] = 201.into();
    let id = fleet.transact(&body).await.accepted();
    fleet.wait_final(id).await;
    let reference = body["clientTxnRef"].as_str().unwrap();
    let of_buyer = format!("clientId=1001&sourceIdentifier={BUYER}");
    let purchases: &[&str] = &["limit", "channelId", "productId", "productTypeId"];
    for (path, query, optional) in [
        ("/userTransactionLookup/1.0", of_buyer.as_str(), purchases),
        ("/tokenLookup/1.0", of_buyer.as_str(), purchases),
        (
            "/productLookup/2.0",
            "clientId=1001",
            &["productId", "productTypeId", "includeInactive", "channelId", "vendorId"],
        ),
        (
            "/lookup-api/2.0",
            &format!("clientId=1001&clientTransactionReference={reference}"),
            &["raasTxnRef", "reserveFundsTxnRef"],
        ),
        (
            "/lookup-api/2.0",
            &format!("clientId=1001&raasTxnRef={id}"),
            &["clientTransactionReference", "reserveFundsTxnRef"],
        ),
        ("/lookupCountryPrefix/1.0", "x=1", &["countryCode"]),
        ("/results", "", &["since", "limit"]),
    ] {
        let without = told(&get(&fleet, &format!("{path}?{query}")).await);
        assert_eq!(without.0, 200, "{path}: {without:?}");
        for nothing in ["=", "", "=%20", "=+%20"] {
            let all: String = optional.iter().map(|name| format!("&{name}{nothing}")).collect();
            for empty in optional.iter().map(|name| format!("&{name}{nothing}")).chain([all]) {
                let answer = get(&fleet, &format!("{path}?{query}{empty}")).await;
                assert_eq!(told(&answer), without, "{path}?{query}{empty}");
            }
        }
    }
    needed(&fleet).await;
}

/// Those that must be there, and what says something twice.
async fn needed(fleet: &TestFleet) {
    // One that must be there is missing, and not "no number" or "not found".
    for (path, told) in [
        ("/productLookup/2.0?clientId=", "clientId is missing"),
        (
            "/financial-terms/1.0?clientId=1001&productId=+&purchaseAmount=1500",
            "productId is missing",
        ),
        (
            "/financial-terms/1.0?clientId=1001&productId=101&purchaseAmount",
            "purchaseAmount is missing",
        ),
        (
            "/userTransactionLookup/1.0?clientId=1001&sourceIdentifier=",
            "sourceIdentifier is missing",
        ),
        ("/tokenLookup/1.0?clientId=%20&sourceIdentifier=1", "clientId is missing"),
        ("/lookup-api/2.0?clientId=1001&raasTxnRef=&reserveFundsTxnRef=", "raasTxnRef or "),
        ("/mnoLookup/1.0?clientId=1001&msisdn=&countryCallingCode=27", "msisdn is missing"),
        (
            "/mnoLookup/1.0?clientId=1001&msisdn=1&countryCallingCode=",
            "countryCallingCode is missing",
        ),
    ] {
        assert_refused(&get(fleet, path).await, told, path);
    }
    // What says something twice is still refused.
    for path in [
        "/productLookup/2.0?clientId=1001&clientId=1002",
        "/userTransactionLookup/1.0?clientId=1001&limit=1&limit=2",
    ] {
        assert_refused(&get(fleet, path).await, "query is not readable", path);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b56_a_parameter_of_the_security_service_without_a_value_is_omitted() {
    let fleet = TestFleet::builder()
        .workers(&["gateway"])
        .directory(|import| {
            let secret = SecretString::from("sample-oauth-secret-1011");
            client(import, 1011).oauth_secrets = Some(vec![secret]);
        })
        .start()
        .await;
    let whole =
        "client_id=1011&client_secret=sample-oauth-secret-1011&grant_type=client_credentials";
    let post = async |form: String| {
        let request = fleet.http().post(fleet.url("/oauth/token"));
        let kind = "application/x-www-form-urlencoded";
        fleet.send(request.header("content-type", kind).body(form)).await
    };
    for extra in ["&scope=", "&client_id=", "&client_secret=&grant_type="] {
        assert_eq!(post(format!("{whole}{extra}")).await.status, 200, "{extra}");
    }
    for name in ["client_id", "client_secret", "grant_type"] {
        let form = whole
            .split('&')
            .map(|pair| if pair.starts_with(name) { format!("{name}=") } else { pair.to_owned() });
        let answer = post(form.collect::<Vec<_>>().join("&")).await;
        assert_eq!(answer.status, 400, "{name}: {answer:?}");
        assert_eq!(answer.json()["error"], "invalid_request", "{name}");
    }
}
