//! How connectors say how our calls show who we are: what an import takes, keeps and refuses.

use fleet_domain::{AuthenticateBy, Authentication, Connector};
use fleet_store::{DirectoryImport, ImportError, ImportMode, Store, exported};
use fleet_testkit::TestDatabase;
use fleet_testkit::certificates::{Authority, Certified};
use serde_json::{Value, json};

const SECRET: &str = "0123456789abcdef";

/// A row with these fields in place of its own.
fn with(mut row: Value, fields: Value) -> Value {
    let (Some(own), Value::Object(fields)) = (row.as_object_mut(), fields) else {
        panic!("a row is an object");
    };
    own.extend(fields);
    row
}

fn bank(fields: Value) -> Value {
    let row = json!({
        "name": "bank-a", "party": "bank", "adapter": "bank", "base_url": "http://127.0.0.1/b",
        "inquiry": "look_up", "call_deadline_ms": 40000,
    });
    with(row, fields)
}

fn vendor(fields: Value) -> Value {
    let row = bank(json!({
        "name": "vendor", "party": "supplier", "adapter": "vend", "callback_wait_seconds": 60,
    }));
    with(row, fields)
}

fn import_of(row: Value) -> DirectoryImport {
    let rows = [row];
    serde_json::from_value(json!({ "connector": rows })).unwrap()
}

async fn apply(store: &Store, row: Value) -> Vec<String> {
    store.import(&import_of(row), ImportMode::Apply).await.unwrap().changes
}

/// What is said against a row.
async fn refused(store: &Store, row: Value) -> String {
    let text = row.to_string();
    match store.import(&import_of(row), ImportMode::Apply).await {
        Err(ImportError::Invalid { problems }) => {
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        }
        other => panic!("{text}: {other:?}"),
    }
}

async fn stored(store: &Store, name: &str) -> Connector {
    store.load_directory().await.unwrap().connectors.remove(name).unwrap()
}

async fn database() -> TestDatabase {
    rustls::crypto::ring::default_provider().install_default().ok();
    TestDatabase::create().await.unwrap()
}

fn certified(name: &str) -> Certified {
    Authority::new("An authority").unwrap().issue(name).unwrap()
}

/// A bank to which we show this certificate.
fn by_certificate(certificate: &str, key: &str) -> Value {
    bank(json!({
        "authenticate": "mtls", "base_url": "https://bank.example", "certificate": certificate,
        "certificate_key": key,
    }))
}

#[tokio::test]
async fn each_way_is_kept_whole_and_exported_without_its_secret() {
    let (database, ours) = (database().await, certified("fleet"));
    let store = database.store();
    for (row, by) in [
        (bank(json!({ "secret": SECRET })), AuthenticateBy::Signature),
        (bank(json!({ "authenticate": "signature", "secret": SECRET })), AuthenticateBy::Signature),
        (bank(json!({ "authenticate": "api_key", "secret": SECRET })), AuthenticateBy::ApiKey),
        (
            bank(json!({ "authenticate": "api_key", "secret": "k", "api_key_header": "Apikey" })),
            AuthenticateBy::ApiKey,
        ),
        (
            bank(json!({ "authenticate": "basic", "secret": SECRET, "user": "flotte-é" })),
            AuthenticateBy::Basic,
        ),
        (bank(json!({ "authenticate": "none", "secret": "" })), AuthenticateBy::None),
        (by_certificate(&ours.certificate, &ours.key), AuthenticateBy::Mtls),
    ] {
        apply(&store, row.clone()).await;
        let connector = stored(&store, "bank-a").await;
        assert_eq!(connector.authentication.by(), Some(by), "{row}");
        assert_eq!(apply(&store, row.clone()).await, Vec::<String>::new(), "{row}");
        let out = json!(exported(&store.load_directory().await.unwrap()));
        let text = out.to_string();
        assert!(!text.contains(SECRET) && !text.contains("PRIVATE KEY"), "{text}");
        let again: DirectoryImport = serde_json::from_value(out).unwrap();
        let report = store.import(&again, ImportMode::Apply).await.unwrap();
        assert_eq!(report.changes, Vec::<String>::new(), "{row}");
        let mut connection = database.connection().await.unwrap();
        let sql = "select string_agg(c::text, ' ') from connector c";
        let text: String = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
        assert!(!text.contains(SECRET) && !text.contains("PRIVATE KEY"), "{text}");
    }
    let Authentication::Mtls(identity) = stored(&store, "bank-a").await.authentication else {
        panic!("no certificate is stored");
    };
    assert_eq!(
        (identity.certificate.as_str(), identity.key.expose()),
        (&*ours.certificate, &*ours.key)
    );
}

#[tokio::test]
async fn an_absent_secret_is_the_stored_one_and_an_empty_one_is_none_any_more() {
    let (database, ours) = (database().await, certified("fleet"));
    let store = database.store();
    apply(&store, bank(json!({ "secret": SECRET }))).await;
    apply(&store, bank(json!({ "authenticate": "basic", "user": "fleet" }))).await;
    let basic = stored(&store, "bank-a").await.authentication;
    let Authentication::Basic { password, .. } = basic else { panic!("{basic:?}") };
    assert_eq!(password.expose(), SECRET);
    let text = refused(&store, bank(json!({ "secret": "" }))).await;
    assert!(text.contains("connector bank-a: secret is missing, and none is stored"), "{text}");
    let text = refused(&store, bank(json!({ "authenticate": "none" }))).await;
    assert!(text.contains("secret = \"\" takes it away"), "{text}");

    let with_secret = by_certificate(&ours.certificate, &ours.key);
    let text = refused(&store, with_secret.clone()).await;
    assert!(text.contains("secret = \"\" takes it away"), "{text}");
    let mut without = with_secret;
    without["secret"] = json!("");
    apply(&store, without).await;
    let row = bank(json!({
        "authenticate": "mtls", "base_url": "https://bank.example", "certificate": ours.certificate,
        "concurrency": 5,
    }));
    apply(&store, row.clone()).await;
    let mut other = row;
    other["certificate"] = json!(certified("fleet").certificate);
    let text = refused(&store, other).await;
    assert!(text.contains("certificate and certificate_key must be"), "another's key: {text}");
}

#[tokio::test]
async fn a_secret_that_is_missing_is_told_with_what_takes_it() {
    let database = database().await;
    let store = database.store();
    for row in [
        bank(json!({})),
        bank(json!({ "secret": "" })),
        bank(json!({ "authenticate": "api_key" })),
        bank(json!({ "authenticate": "basic", "user": "fleet" })),
        bank(json!({ "name": "sms", "party": "channel", "adapter": "sms", "inquiry": "repeat" })),
        bank(json!({ "name": "purse", "adapter": "charge-only" })),
        vendor(json!({})),
        vendor(json!({ "authenticate": "none", "inquiry": "callback" })),
        bank(
            json!({ "name": "desk", "party": "desk", "adapter": "fraudstop", "inquiry": "repeat" }),
        ),
    ] {
        let (name, text) = (row["name"].clone(), refused(&store, row).await);
        let name = name.as_str().unwrap();
        let told = format!("connector {name}: secret is missing, and none is stored");
        assert!(text.contains(&told), "{text}");
    }
    for row in [bank(json!({ "authenticate": "none" })), vendor(json!({ "authenticate": "none" }))]
    {
        apply(&store, row).await;
    }
}

#[tokio::test]
async fn a_secret_that_nothing_uses_is_refused() {
    let (database, ours) = (database().await, certified("fleet"));
    let store = database.store();
    let mut mtls = by_certificate(&ours.certificate, &ours.key);
    mtls["secret"] = json!(SECRET);
    for row in [
        bank(json!({ "authenticate": "none", "secret": SECRET })),
        bank(json!({ "name": "sms", "party": "channel", "adapter": "sms", "inquiry": "none",
                     "authenticate": "none", "secret": SECRET })),
        vendor(
            json!({ "name": "own", "adapter": "own-goods", "inquiry": "none", "secret": SECRET }),
        ),
        mtls,
    ] {
        let (name, text) = (row["name"].clone(), refused(&store, row).await);
        let name = name.as_str().unwrap();
        assert!(text.contains(&format!("connector {name}: secret is used by nothing")), "{text}");
    }
    // A supplier's verifies its callbacks, whatever our own calls show.
    let mut row =
        vendor(json!({ "authenticate": "none", "inquiry": "callback", "secret": SECRET }));
    apply(&store, row.clone()).await;
    assert!(stored(&store, "vendor").await.callback_secret().is_some());
    row["authenticate"] = json!("api_key");
    apply(&store, row.clone()).await;
    assert!(stored(&store, "vendor").await.callback_secret().is_some());
    // A key that stands in each call as it is proves nothing where no callbacks are due.
    row["inquiry"] = json!("look_up");
    apply(&store, row).await;
    assert!(stored(&store, "vendor").await.callback_secret().is_none());
}

#[tokio::test]
async fn the_key_of_a_signature_has_sixteen_bytes() {
    let database = database().await;
    let store = database.store();
    let told = "secret must have 16 bytes or more";
    for secret in ["a", "0123456789abcde", "ü23456789abcde"] {
        for row in [
            bank(json!({ "secret": secret })),
            bank(json!({ "name": "sms", "party": "channel", "adapter": "sms", "inquiry": "none",
                         "secret": secret })),
            vendor(json!({ "inquiry": "callback", "authenticate": "none", "secret": secret })),
            vendor(json!({ "inquiry": "callback", "authenticate": "api_key", "secret": secret })),
        ] {
            let text = refused(&store, row).await;
            assert!(text.contains(told), "{text}");
            assert!(secret.len() < 2 || !text.contains(secret), "{text}");
        }
    }
    // One that was long enough for another way is not for this one.
    apply(&store, bank(json!({ "authenticate": "api_key", "secret": "short" }))).await;
    let text = refused(&store, bank(json!({ "authenticate": "signature" }))).await;
    assert!(text.contains(told), "{text}");
    apply(&store, bank(json!({ "secret": SECRET }))).await;
}

#[tokio::test]
async fn where_a_document_fixes_it_nothing_else_may_be_said() {
    let database = database().await;
    let store = database.store();
    for (adapter, party) in [
        ("mo-charge", "bank"),
        ("card-payment", "bank"),
        ("card-sale", "bank"),
        ("fraudstop", "desk"),
        ("own-goods", "supplier"),
    ] {
        for by in ["signature", "basic", "none"] {
            let row = bank(json!({ "adapter": adapter, "party": party, "authenticate": by }));
            let text = refused(&store, row).await;
            let told = format!("authenticate must be absent with the adapter {adapter}");
            assert!(text.contains(&told), "{text}");
        }
        let text =
            refused(&store, bank(json!({ "adapter": adapter, "party": party, "user": "u" }))).await;
        assert!(text.contains("user goes with authenticate = \"basic\" only"), "{text}");
    }
}

#[tokio::test]
async fn what_cannot_stand_in_a_header_and_what_belongs_to_another_way_is_refused() {
    let database = database().await;
    let store = database.store();
    let key = |secret: &str| bank(json!({ "authenticate": "api_key", "secret": secret }));
    for secret in ["two\nlines", "Schlüssel", "blank-behind ", &"k".repeat(5_000)] {
        let text = refused(&store, key(secret)).await;
        assert!(
            text.contains("secret must be 1 to 4096 ASCII") && !text.contains(secret),
            "{text}"
        );
    }
    for header in ["", "X API Key", "Host", "Content-Length", "x:\r\ny"] {
        let mut row = key(SECRET);
        row["api_key_header"] = json!(header);
        let text = refused(&store, row).await;
        assert!(text.contains("connector bank-a: api_key_header must be"), "{text}");
    }
    for user in ["", "a:b", "a\nb", &"u".repeat(201)] {
        let row = bank(json!({ "authenticate": "basic", "secret": SECRET, "user": user }));
        let text = refused(&store, row).await;
        assert!(text.contains("connector bank-a: user must be"), "{text}");
    }
    let row = bank(json!({ "authenticate": "basic", "secret": "a\nb", "user": "u" }));
    assert!(refused(&store, row).await.contains("secret must be at most 1000 bytes"));
    let row = bank(json!({ "authenticate": "basic", "secret": SECRET }));
    assert!(refused(&store, row).await.contains("connector bank-a: user is missing"));
    for (field, owner) in [
        ("api_key_header", "api_key"),
        ("user", "basic"),
        ("certificate", "mtls"),
        ("certificate_key", "mtls"),
    ] {
        for by in ["signature", "none", "api_key", "basic"].iter().filter(|by| **by != owner) {
            let text = refused(&store, bank(json!({ "authenticate": by, field: "x" }))).await;
            let told = format!("{field} goes with authenticate = \"{owner}\" only");
            assert!(text.contains(&told), "{by}: {text}");
        }
    }
}

#[tokio::test]
async fn a_certificate_that_the_sender_cannot_load_is_refused() {
    let (database, ours, other) = (database().await, certified("fleet"), certified("other"));
    let store = database.store();
    let encrypted = ours.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let cut: String = ours.certificate.chars().take(200).collect();
    for (certificate, key) in [
        (&ours.certificate, &other.key),
        (&other.certificate, &ours.key),
        (&ours.certificate, &encrypted),
        (&ours.certificate, &"no PEM at all".to_owned()),
        (&"no PEM at all".to_owned(), &ours.key),
        (&cut, &ours.key),
        (&ours.certificate, &ours.certificate),
    ] {
        let text = refused(&store, by_certificate(certificate, key)).await;
        assert!(
            text.contains("connector bank-a: certificate and certificate_key must be"),
            "{text}"
        );
    }
    let both = format!("{}{}", ours.certificate, ours.key);
    let text = refused(&store, by_certificate(&both, &ours.key)).await;
    assert!(text.contains("certificate must not hold a private key"), "{text}");
    assert!(
        refused(&store, by_certificate("", &ours.key)).await.contains("certificate is missing")
    );
    let text = refused(&store, by_certificate(&ours.certificate, "")).await;
    assert!(text.contains("certificate_key is missing, and none is stored"), "{text}");
    let mut plain = by_certificate(&ours.certificate, &ours.key);
    plain["base_url"] = json!("http://127.0.0.1/b");
    assert!(refused(&store, plain).await.contains("is part of TLS"));
    // With those that sign it, in whatever order of sections.
    let authority = Authority::new("An authority").unwrap();
    let leaf = authority.issue("fleet").unwrap();
    let chain = format!("{}{}", leaf.certificate, authority.own().certificate);
    apply(&store, by_certificate(&chain, &leaf.key)).await;
}

#[tokio::test]
async fn a_secret_leaves_our_network_in_the_clear_only_where_somebody_said_so() {
    let database = database().await;
    let store = database.store();
    let at = |by: &str, url: &str, plain: bool| {
        let user = (by == "basic").then_some("fleet");
        bank(json!({ "authenticate": by, "secret": SECRET, "user": user, "base_url": url,
                     "plain_http": plain }))
    };
    for by in ["api_key", "basic"] {
        for url in
            ["http://bank.example.com/v1", "http://8.8.8.8", "http://[2606:4700::1111]:8080/"]
        {
            let text = refused(&store, at(by, url, false)).await;
            assert!(text.contains("if it is meant, plain_http = true"), "{url}: {text}");
            apply(&store, at(by, url, true)).await;
        }
        for url in ["http://127.0.0.1:1/v1", "http://10.0.0.7", "https://bank.example.com"] {
            apply(&store, at(by, url, false)).await;
        }
    }
}
