//! Security Service: access tokens, what they open, and how they end.

use std::time::Duration;

use fleet_store::DirectoryImport;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{HttpAnswer, client, key_of, purchase};
use secrecy::SecretString;
use serde_json::Value;

const SECRET: &str = "sample-oauth-secret-1001";

async fn ask(fleet: &TestFleet, form: &[(&str, &str)]) -> HttpAnswer {
    fleet.send(fleet.http().post(fleet.url("/oauth/token")).form(form)).await
}

fn form<'a>(id: &'a str, secret: &'a str) -> [(&'a str, &'a str); 3] {
    [("client_id", id), ("client_secret", secret), ("grant_type", "client_credentials")]
}

/// A token of a client of the sample; it may stand in no log.
async fn token(fleet: &TestFleet, id: &str) -> String {
    let answer = ask(fleet, &form(id, &format!("sample-oauth-secret-{id}"))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let reply = answer.json();
    assert_eq!((&reply["token_type"], &reply["expires_in"]), (&"Bearer".into(), &300.into()));
    assert_eq!(answer.headers["cache-control"], "no-store");
    let token = reply["access_token"].as_str().unwrap().to_owned();
    fleet.keep_secret(&token);
    token
}

async fn transact(fleet: &TestFleet, body: &Value, authorization: Option<&str>) -> HttpAnswer {
    fleet.keep_private(body);
    let client = body["clientId"].as_i64().unwrap();
    let request = fleet.http().post(fleet.url("/transact/4.0"));
    let mut request = request.header("x-api-key", key_of(client)).body(body.to_string());
    if let Some(text) = authorization {
        request = request.header("authorization", text);
    }
    fleet.send(request).await
}

fn of_client(id: i64) -> Value {
    let mut body = purchase("0000");
    body["clientId"] = id.into();
    body
}

/// Client 1011 gets tokens too.
fn with_a_second_client(import: &mut DirectoryImport) {
    let secret = SecretString::from("sample-oauth-secret-1011");
    client(import, 1011).oauth_secrets = Some(vec![secret]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_given_for_one_of_a_clients_secrets_and_for_nothing_else() {
    let second = "another-secret-of-1001";
    let fleet = TestFleet::builder()
        .workers(&["gateway"])
        .directory(move |import| {
            let secrets = &mut client(import, 1001).oauth_secrets;
            secrets.get_or_insert_default().push(SecretString::from(second));
            client(import, 1002).active = false;
        })
        .start()
        .await;
    for secret in [SECRET, second] {
        fleet.keep_secret(secret);
        assert_eq!(ask(&fleet, &form("1001", secret)).await.status, 200);
    }
    let (zeros, long) = ("\u{0}".repeat(20), "x".repeat(60_000));
    let mut same = Vec::new();
    for (id, secret) in [
        ("1001", "sample-oauth-secret-1002"),
        ("1001", "another-secret-of-100"),
        ("1001", zeros.as_str()),
        ("1001", long.as_str()),
        ("1002", "sample-oauth-secret-1002"),
        ("1011", SECRET),
        ("9999", SECRET),
        ("1001 ", SECRET),
        ("99999999999999999999", SECRET),
    ] {
        let answer = ask(&fleet, &form(id, secret)).await;
        assert_eq!(answer.status, 400, "{id} {secret:.30}: {answer:?}");
        assert_eq!(answer.json()["error"], "invalid_client", "{id} {secret:.30}");
        assert_eq!(answer.headers["cache-control"], "no-store");
        same.push(answer.text);
    }
    assert!(same.iter().all(|text| *text == same[0]), "{same:?}");

    let fields = form("1001", SECRET);
    for grant_type in ["password", "client", "CLIENT_CREDENTIALS"] {
        let [id, secret, _] = fields;
        let answer = ask(&fleet, &[id, secret, ("grant_type", grant_type)]).await;
        assert_eq!(
            (answer.status, answer.json()["error"].as_str()),
            (400, Some("unsupported_grant_type"))
        );
    }
    for missing in 0..3 {
        let mut left = fields.to_vec();
        left.remove(missing);
        let answer = ask(&fleet, &left).await;
        assert_eq!(
            (answer.status, answer.json()["error"].as_str()),
            (400, Some("invalid_request"))
        );
        assert!(answer.json()["error_description"].as_str().unwrap().contains("client_secret"));
    }
    let twice = [fields[0], fields[1], fields[1], fields[2]];
    assert_eq!(ask(&fleet, &twice).await.status, 400);
    let post = || fleet.http().post(fleet.url("/oauth/token"));
    let json = serde_json::json!({
        "client_id": "1001", "client_secret": SECRET, "grant_type": "client_credentials",
    });
    assert_eq!(fleet.send(post().json(&json)).await.json()["error"], "invalid_request");
    assert_eq!(fleet.send(post()).await.json()["error"], "invalid_request");
    let got = fleet.send(fleet.http().get(fleet.url("/oauth/token"))).await;
    assert_eq!(got.status, 405, "a secret has no place in an address");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_needed_where_the_client_says_so_and_must_be_its_own_everywhere() {
    let fleet = TestFleet::builder()
        .workers(&["gateway"])
        .directory(|import| {
            client(import, 1001).token_required = true;
            with_a_second_client(import);
        })
        .start()
        .await;
    let own = format!("Bearer {}", token(&fleet, "1001").await);
    let others = format!("Bearer {}", token(&fleet, "1011").await);
    let cut = own[..own.len() - 2].to_owned();
    let changed = format!("Bearer B{}", &own[8..]);
    let long = format!("Bearer {}", "A".repeat(9_000));
    let basic = "Basic c2FtcGxl";
    let body = of_client(1001);
    let mut refused = Vec::new();
    for sent in [
        None,
        Some(others.as_str()),
        Some(cut.as_str()),
        Some(changed.as_str()),
        Some(long.as_str()),
        Some("Bearer"),
        Some("Bearer "),
        Some(""),
        Some(basic),
        Some(&own[7..]),
    ] {
        let answer = transact(&fleet, &body, sent).await;
        assert_eq!(answer.status, 401, "{sent:?}: {answer:?}");
        refused.push(answer.text);
    }
    assert!(refused.iter().all(|text| *text == refused[0]), "the same for all: {refused:?}");
    let without_key = fleet.http().post(fleet.url("/transact/4.0")).header("authorization", &own);
    assert_eq!(fleet.send(without_key.body(body.to_string())).await.status, 401);
    let two = fleet.http().post(fleet.url("/transact/4.0")).header("x-api-key", key_of(1001));
    let two = two.header("authorization", &own).header("authorization", &own);
    assert_eq!(fleet.send(two.body(body.to_string())).await.status, 401, "which of them?");

    let id = transact(&fleet, &body, Some(&own)).await.accepted();
    let lower = own.replacen("Bearer ", "bearer  ", 1);
    assert_eq!(transact(&fleet, &body, Some(&lower)).await.accepted(), id);
    // All other paths ask for it too.
    for path in [
        format!("/lookup-api/2.0?clientId=1001&raasTxnRef={id}"),
        "/userTransactionLookup/1.0?clientId=1001&sourceIdentifier=27820000001".to_owned(),
        "/tokenLookup/1.0?clientId=1001&sourceIdentifier=27820000001".to_owned(),
    ] {
        let get = || fleet.http().get(fleet.url(&path)).header("x-api-key", key_of(1001));
        assert_eq!(fleet.send(get()).await.status, 401, "{path}");
        assert_eq!(fleet.send(get().header("authorization", &others)).await.status, 401, "{path}");
        assert_eq!(fleet.send(get().header("authorization", &own)).await.status, 200, "{path}");
    }
    // A client that needs none may send its own, and no other.
    for (sent, status) in [
        (None, 200),
        (Some(others.as_str()), 200),
        (Some(basic), 200),
        (Some(own.as_str()), 401),
        (Some("Bearer x"), 401),
    ] {
        assert_eq!(transact(&fleet, &of_client(1011), sent).await.status, status, "{sent:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_gateway_takes_a_token_until_its_five_minutes_are_over() {
    let fleet = TestFleet::builder()
        .workers(&["gateway"])
        .directory(|import| client(import, 1001).token_required = true)
        .start()
        .await;
    let own = format!("Bearer {}", token(&fleet, "1001").await);
    fleet.stop(fleet.index_of("gateway")).await;
    fleet.start_worker("gateway").await;
    let id = transact(&fleet, &of_client(1001), Some(&own)).await.accepted();
    let path = format!("/lookup-api/2.0?clientId=1001&raasTxnRef={id}");
    let status = async |authorization: &str| {
        let get = fleet.http().get(fleet.url(&path)).header("x-api-key", key_of(1001));
        fleet.send(get.header("authorization", authorization)).await.status
    };
    // The first sign that the gateway has seen the moved clock is a token made at the new time.
    fleet.advance_clock(Duration::from_secs(240)).await;
    assert_eq!(status(&own).await, 200);
    fleet.advance_clock(Duration::from_secs(60)).await;
    fleet.until("the token to expire", async || status(&own).await == 401).await;
    let renewed = format!("Bearer {}", token(&fleet, "1001").await);
    assert_eq!(status(&renewed).await, 200);
    assert_eq!(status(&own).await, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoked_tokens_are_refused_within_moments_and_new_ones_are_not() {
    let fleet =
        TestFleet::builder().workers(&["gateway"]).directory(with_a_second_client).start().await;
    let own = format!("Bearer {}", token(&fleet, "1001").await);
    let others = format!("Bearer {}", token(&fleet, "1011").await);
    let body = of_client(1001);
    transact(&fleet, &body, Some(&own)).await.accepted();
    let revoke = |id| ["client", "revoke-tokens", id, "--reason", "a lost laptop"];
    let told = fleet.operator(&revoke("1001")).await;
    assert_eq!(told["client_id"], 1001);
    let history = fleet.operator(&["client", "history", "1001", "--limit", "1"]).await;
    assert_eq!(history["changes"][0]["fields"]["access_tokens"], "changed", "{history}");
    let refused = async || transact(&fleet, &body, Some(&own)).await.status == 401;
    fleet.until_within(Duration::from_secs(5), "the old token to be refused", refused).await;
    let renewed = format!("Bearer {}", token(&fleet, "1001").await);
    transact(&fleet, &body, Some(&renewed)).await.accepted();
    transact(&fleet, &of_client(1011), Some(&others)).await.accepted();
    // An import of the client gives nothing back.
    let before = fleet.store().load_directory().await.unwrap();
    let revoked = before.clients.values().find(|one| one.id.0 == 1001).unwrap().tokens_valid_from;
    assert_eq!(revoked.map(|at| serde_json::json!(at)), Some(told["tokens_valid_from"].clone()));
    let file = std::env::temp_dir().join(format!("client-{}.toml", std::process::id()));
    let row = format!(
        "[[client]]\nclient_id = 1001\nname = \"Shop\"\napi_keys = [\"{}\"]\noauth_secrets = [\"{SECRET}\"]\n",
        key_of(1001)
    );
    std::fs::write(&file, row).unwrap();
    fleet.operator(&["import", file.to_str().unwrap()]).await;
    std::fs::remove_file(&file).unwrap();
    let after = fleet.store().load_directory().await.unwrap();
    let client = after.clients.values().find(|one| one.id.0 == 1001).unwrap();
    assert_eq!((client.name.as_str(), client.tokens_valid_from), ("Shop", revoked));
    let nobody = fleet.run("fleet", &revoke("9999")).await;
    assert_eq!(nobody.status.code(), Some(1));
}
