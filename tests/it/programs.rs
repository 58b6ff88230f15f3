//! Programs by themselves: their exit codes, and a gateway among hostile callers.

use std::time::Duration;

use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{PROGRAMS, purchase};
use secrecy::ExposeSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Settings of a program with one key changed.
fn settings(
    fleet: &TestFleet,
    section: &str,
    key: &str,
    value: impl Into<toml::Value>,
) -> toml::Table {
    let mut settings = fleet.settings().clone();
    let broker = fleet.vhost().url();
    set(&mut settings, "broker", "url", broker.expose_secret());
    set(&mut settings, section, key, value);
    settings
}

fn set(settings: &mut toml::Table, section: &str, key: &str, value: impl Into<toml::Value>) {
    let entry = settings.entry(section).or_insert_with(|| toml::Table::new().into());
    entry.as_table_mut().unwrap().insert(key.to_owned(), value.into());
}

async fn check(fleet: &TestFleet, program: &str, settings: &toml::Table) -> (Option<i32>, String) {
    let output = fleet.run_with(program, settings, &["--check"]).await;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!text.contains("sample-") && !text.contains("0707"), "a secret is printed: {text}");
    (output.status.code(), text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_tells_by_its_exit_code_what_is_wrong() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    for program in PROGRAMS {
        let output = fleet.run(program, &["--check"]).await;
        assert_eq!(output.status.code(), Some(0), "{program}: {output:?}");
        let unknown = settings(&fleet, "engine", "windows", 7);
        let (code, text) = check(&fleet, program, &unknown).await;
        assert_eq!(code, Some(2), "{program}: {text}");
        assert!(text.contains("windows"), "the key is named: {text}");
        let range = settings(&fleet, "database", "pool_max", 0);
        let (code, text) = check(&fleet, program, &range).await;
        assert_eq!(code, Some(2), "{program}: {text}");
        assert!(text.contains("database.pool_max must be 1 to 100"), "{text}");
        let mut away = settings(&fleet, "database", "url", "postgres://x:topsecret@127.0.0.1:1/x");
        set(&mut away, "database", "acquire_timeout_ms", 300);
        let (code, text) = check(&fleet, program, &away).await;
        assert_eq!(code, Some(1), "{program}: {text}");
        assert!(text.contains("database.url") && !text.contains("topsecret"), "{text}");
        let output = fleet.run(program, &["--nonsense"]).await;
        assert_eq!(output.status.code(), Some(2), "{program}: {output:?}");
    }
    // Any other database of the server: it has no schema of ours.
    let mut url = reqwest::Url::parse(fleet.database().url().expose_secret()).unwrap();
    url.set_path("/postgres");
    let bare = settings(&fleet, "database", "url", url.as_str());
    let (code, text) = check(&fleet, "gateway", &bare).await;
    assert_eq!(code, Some(3), "another schema: {text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operators_command_tells_by_its_exit_code_whether_it_did_it() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let nobody = "0198f000-0000-7000-8000-000000000000";
    let cases: [(&[&str], i32); 9] = [
        (&["dead", "list"], 0),
        (&["summary"], 0),
        (&["migrate"], 0),
        (&["--help"], 0),
        (&["dead", "show", nobody], 1),
        (&["purchase", "show", nobody], 1),
        (&["dead", "show", "no-uuid"], 2),
        (&["dead", "list", "--limit", "0"], 2),
        (&["nonsense"], 2),
    ];
    for (arguments, code) in cases {
        let output = fleet.run("fleet", arguments).await;
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        let told = if code == 0 { &output.stdout } else { &output.stderr };
        assert!(!told.is_empty(), "{arguments:?} says nothing: {output:?}");
    }
}

async fn connected(fleet: &TestFleet) -> TcpStream {
    let address = fleet.url("").trim_start_matches("http://").to_owned();
    TcpStream::connect(address).await.unwrap()
}

/// Sends these bytes and reads until the gateway closes the connection.
async fn told(fleet: &TestFleet, bytes: Vec<u8>) -> String {
    let mut stream = connected(fleet).await;
    // It may be cut before all is written.
    drop(stream.write_all(&bytes).await);
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(40), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "neither answered nor cut: {:?}", bytes.get(..60));
    String::from_utf8_lossy(&answer).into_owned()
}

fn head(extra: &str) -> String {
    format!("POST /transact/4.0 HTTP/1.1\r\nHost: x\r\nX-API-Key: sample-key-1001\r\n{extra}\r\n")
}

/// Opens as many as a careless caller would, and leaves them in the middle of a header.
async fn slow_headers(fleet: &TestFleet) {
    let mut streams = Vec::new();
    for _ in 0..50 {
        let mut stream = connected(fleet).await;
        stream.write_all(b"POST /transact/4.0 HTTP/1.1\r\nHost: x\r\nX-A").await.unwrap();
        streams.push(stream);
    }
    for mut stream in streams {
        let mut answer = Vec::new();
        let read = timeout(Duration::from_secs(40), stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "a connection without a request stays open");
    }
}

/// One byte now and then is no progress that anybody waits for.
async fn silent_body(fleet: &TestFleet) {
    let text = told(fleet, format!("{}{{\"a", head("Content-Length: 1000\r\n")).into_bytes()).await;
    assert!(text.is_empty() || text.starts_with("HTTP/1.1 4"), "{text}");
}

async fn malformed(fleet: &TestFleet) {
    let chunked = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n";
    let twice = "Content-Length: 5\r\nContent-Length: 6\r\n";
    let huge = format!("X-Huge: {}\r\nContent-Length: 0\r\n", "x".repeat(200_000));
    let many = "X-Many: 1\r\n".repeat(5_000);
    for (what, bytes) in [
        ("both lengths", format!("{}0\r\n\r\n", head(chunked))),
        ("two lengths", format!("{}hello!", head(twice))),
        ("a huge header", head(&huge)),
        ("many headers", head(&many)),
        ("no HTTP", "hello\r\n\r\n".to_owned()),
        ("an odd length", head("Content-Length: -5\r\n")),
    ] {
        let text = told(fleet, bytes.into_bytes()).await;
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 4"), "{what}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_callers_are_answered_or_cut_and_the_gateway_serves_on() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    let serves = async {
        for _ in 0..20 {
            fleet.transact(&purchase("0000")).await.accepted();
        }
    };
    tokio::join!(slow_headers(&fleet), silent_body(&fleet), malformed(&fleet), serves);
    fleet.transact(&purchase("0000")).await.accepted();
    let stored: i64 = fleet.summary().await.purchases.iter().map(|row| row.purchases).sum();
    assert_eq!(stored, 21);
}

mod alone {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_check_fails_when_the_server_has_too_few_connections() {
        let fleet = TestFleet::builder().workers(&[]).start().await;
        let max = i64::from(fleet.store().max_connections().await.unwrap());
        let mut held = Vec::new();
        while i64::from(fleet.store().open_connections().await.unwrap()) < max - 100 {
            held.push(fleet.database().connection().await.unwrap());
        }
        let settings = settings(&fleet, "database", "pool_max", 100);
        let (code, text) = check(&fleet, "dispensing", &settings).await;
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains("database.pool_max") && text.contains("max_connections"), "{text}");
        drop(held);
        fleet
            .until("the connections to be closed", async || {
                let open = i64::from(fleet.store().open_connections().await.unwrap());
                open < max - 120
            })
            .await;
        let output = fleet.run_with("dispensing", &settings, &["--check"]).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
}
