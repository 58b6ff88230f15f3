//! Security Service: clients that show themselves in the header.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{HttpAnswer, client, key_of, purchase};
use secrecy::SecretString;

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

async fn ask(fleet: &TestFleet, headers: &[&str], form: &[(&str, &str)]) -> HttpAnswer {
    let mut request = fleet.http().post(fleet.url("/oauth/token")).form(form);
    for header in headers {
        request = request.header("authorization", *header);
    }
    fleet.send(request).await
}

fn basic(text: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(text))
}

/// A secret, and as RFC 6749 wants it inside the header.
const SECRETS: [(&str, &str); 4] = [
    ("sample-oauth-secret-1001", "sample-oauth-secret-1001"),
    ("plus+percent%and&colon:=/", "plus%2Bpercent%25and%26colon%3A%3D%2F"),
    ("a blank and an \u{fc}mlaut", "a+blank+and+an+%C3%BCmlaut"),
    ("looks%2Blike+encoded", "looks%252Blike%2Bencoded"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b52_a_client_may_show_its_id_and_secret_in_the_header_but_not_in_both_places() {
    let fleet = TestFleet::builder()
        .workers(&["gateway"])
        .directory(|import| {
            let secrets = SECRETS.map(|(secret, _)| SecretString::from(secret));
            client(import, 1001).oauth_secrets = Some(secrets.to_vec());
            client(import, 1001).token_required = true;
        })
        .start()
        .await;
    for (secret, encoded) in SECRETS {
        fleet.keep_secret(secret);
        // As the RFC has it, and as many write it.
        let encoded = basic(&format!("1001:{encoded}"));
        let without = BASE64_STANDARD_NO_PAD.encode(format!("1001:{secret}"));
        for header in [
            encoded.clone(),
            encoded.replacen("Basic ", "basic   ", 1),
            basic(&format!("1001:{secret}")),
            format!("BASIC {without}"),
        ] {
            let answer = ask(&fleet, &[&header], &[GRANT]).await;
            assert_eq!(answer.status, 200, "{header}: {answer:?}");
            assert_eq!(answer.headers["cache-control"], "no-store");
        }
        // Naming oneself in the form too is not showing oneself twice.
        let named = [GRANT, ("client_id", "1001"), ("client_secret", "")];
        let answer = ask(&fleet, &[&encoded], &named).await;
        let token = answer.json()["access_token"].as_str().unwrap().to_owned();
        fleet.keep_secret(&token);
        let body = purchase("0000");
        fleet.keep_private(&body);
        let request = fleet.http().post(fleet.url("/transact/4.0")).bearer_auth(token);
        let request = request.header("x-api-key", key_of(1001)).body(body.to_string());
        fleet.send(request).await.accepted();

        for form in [
            vec![GRANT, ("client_id", "1001"), ("client_secret", secret)],
            vec![GRANT, ("client_secret", "wrong-secret-of-1001")],
            vec![GRANT, ("client_id", "1002")],
        ] {
            let answer = ask(&fleet, &[&encoded], &form).await;
            assert_eq!(answer.status, 400, "{form:?}: {answer:?}");
            assert_eq!(answer.json()["error"], "invalid_request", "{form:?}");
        }
    }
    wrong(&fleet).await;
}

async fn wrong(fleet: &TestFleet) {
    let right = basic("1001:sample-oauth-secret-1001");
    let mut same = Vec::new();
    for header in [
        basic("1001:sample-oauth-secret-1002"),
        basic("9999:sample-oauth-secret-1001"),
        basic("1001:"),
        basic("1001"),
        basic(""),
        "Basic".to_owned(),
        "Basic =====".to_owned(),
        format!("{right}!"),
        basic("sample-oauth-secret-1001:1001"),
    ] {
        let answer = ask(fleet, &[&header], &[GRANT]).await;
        assert_eq!(answer.status, 401, "{header}: {answer:?}");
        assert_eq!(answer.json()["error"], "invalid_client", "{header}");
        let scheme = answer.headers["www-authenticate"].to_str().unwrap();
        assert!(scheme.starts_with("Basic realm="), "{scheme}");
        same.push(answer.text);
    }
    assert!(same.iter().all(|text| *text == same[0]), "{same:?}");
    let id_and_secret = [("client_id", "1001"), ("client_secret", "sample-oauth-secret-1001")];
    for (headers, form, error) in [
        (vec![right.as_str(), &right], vec![GRANT], "invalid_request"),
        (vec![right.as_str()], vec![], "invalid_request"),
        (vec![right.as_str()], vec![GRANT, GRANT], "invalid_request"),
        (vec![right.as_str()], vec![("grant_type", "password")], "unsupported_grant_type"),
        // Another scheme shows no client.
        (vec!["Bearer x"], vec![GRANT], "invalid_request"),
    ] {
        let answer = ask(fleet, &headers, &form).await;
        assert_eq!(
            (answer.status, answer.json()["error"].as_str()),
            (400, Some(error)),
            "{form:?}"
        );
    }
    let all = [GRANT, id_and_secret[0], id_and_secret[1]];
    assert_eq!(ask(fleet, &["Bearer x"], &all).await.status, 200);
}
