//! Rows that `fleet import` refuses, each with its field and what to do; a dry run says the same.

use fleet_testkit::TestFleet;

/// A file of one test, and what `fleet import` says of it, as a dry run and in earnest.
async fn import(fleet: &TestFleet, name: &str, text: &[u8]) -> (bool, String) {
    let path = std::env::temp_dir().join(format!("fleet-import-{}-{name}", uuid::Uuid::new_v4()));
    std::fs::write(&path, text).unwrap();
    let file = path.display().to_string();
    let mut said = Vec::new();
    let ways: [&[&str]; 2] = [&["import", "--dry-run", &file], &["import", &file]];
    for arguments in ways {
        let output = fleet.run("fleet", arguments).await;
        let text = String::from_utf8_lossy(&output.stderr).replace(&file, name);
        let code = output.status.code();
        assert!(matches!(code, Some(0 | 2)), "{code:?}: {text}");
        said.push((code == Some(0), text));
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(said[0], said[1], "a dry run says exactly what the import does");
    said.remove(0)
}

/// Rows of which each must be refused with its text, and nothing is written.
async fn all_refused(fleet: &TestFleet, rows: &[(String, &str)]) {
    let before = fleet.store().directory_version().await.unwrap().0;
    for (row, told) in rows {
        let (taken, text) = import(fleet, "rows.toml", row.as_bytes()).await;
        assert!(!taken, "taken: {row}");
        assert!(text.contains(told), "{row}\nshould be told: {told}\nis told: {text}");
    }
    assert_eq!(fleet.store().directory_version().await.unwrap().0, before);
}

/// Rows of which each is taken.
async fn all_taken(fleet: &TestFleet, rows: &[String]) {
    for row in rows {
        let (taken, text) = import(fleet, "rows.toml", row.as_bytes()).await;
        assert!(taken, "{row}\nis refused: {text}");
    }
}

fn connector(party: &str, adapter: &str, inquiry: &str, more: &str) -> String {
    format!(
        "[[connector]]\nname = \"c-1\"\nparty = \"{party}\"\nadapter = \"{adapter}\"\n\
         base_url = \"http://127.0.0.1:9/c\"\ninquiry = \"{inquiry}\"\ncall_deadline_ms = 1000\n{more}"
    )
}

fn client(more: &str) -> String {
    format!("[[client]]\nclient_id = 7001\nname = \"Shop\"\n{more}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_adapter_that_no_worker_has_or_of_another_party_is_refused_with_the_list() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let mut wrong = Vec::new();
    for (party, list, words) in [
        (
            "bank",
            "adapter of a bank must be bank or charge or charge-only or mo-charge or \
             card-payment or card-sale",
            ["bnak", "vend", "Bank"],
        ),
        ("supplier", "adapter of a supplier must be vend or own-goods", ["bank", "vent", "sms"]),
        ("desk", "adapter of a desk must be fraudstop", ["fraud-stop", "vend", ""]),
        ("channel", "adapter of a channel must be sms or email", ["mail", "fraudstop", "ipn"]),
    ] {
        wrong.extend(words.map(|word| (connector(party, word, "repeat", ""), list)));
    }
    all_refused(&fleet, &wrong).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inquiry_that_the_adapter_cannot_make_is_refused_with_those_that_it_can() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let cannot: [(&str, &str, &[&str], &str); 7] = [
        ("bank", "bank", &["callback"], "look_up or repeat or none with the adapter bank"),
        ("bank", "charge", &["callback"], "look_up or repeat or none with the adapter charge"),
        ("bank", "charge-only", &["callback"], "repeat or none with the adapter charge-only"),
        ("bank", "card-payment", &["look_up", "none"], "callback with the adapter card-payment"),
        ("supplier", "own-goods", &["look_up", "callback"], "none with the adapter own-goods"),
        ("desk", "fraudstop", &["look_up", "callback", "none"], "repeat with the adapter fraud"),
        ("channel", "email", &["look_up", "callback"], "repeat or none with the adapter email"),
    ];
    let mut wrong = Vec::new();
    for (party, adapter, cannot, told) in cannot {
        let rows = cannot.iter().map(|word| (connector(party, adapter, word, ""), told));
        wrong.extend(rows);
    }
    all_refused(&fleet, &wrong).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connector_that_confirms_by_callback_needs_a_secret_and_a_wait() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let wait = "callback_wait_seconds = 60\n";
    let no_secret = "connector c-1: secret is missing, and none is stored";
    let mut wrong = Vec::new();
    for secret in ["", "secret = \"\"\n"] {
        wrong.push((
            connector("supplier", "vend", "callback", &format!("{wait}{secret}")),
            no_secret,
        ));
        let more = format!("{wait}{secret}account = \"77\"\n");
        wrong.push((connector("bank", "card-payment", "callback", &more), no_secret));
        wrong.push((connector("bank", "card-sale", "callback", &more), no_secret));
    }
    let more = "secret = \"a-callback-secret\"\n";
    let no_wait = "connector c-1: callback_wait_seconds is missing";
    wrong.push((connector("supplier", "vend", "callback", more), no_wait));
    all_refused(&fleet, &wrong).await;
    // The stored secret stays; an empty text would take it away.
    let with_secret = connector("supplier", "vend", "callback", &format!("{wait}{more}"));
    all_taken(&fleet, &[with_secret, connector("supplier", "vend", "callback", wait)]).await;
    let taken_away = connector("supplier", "vend", "callback", &format!("{wait}secret = \"\"\n"));
    all_refused(&fleet, &[(taken_away, no_secret)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_does_not_exist_is_refused_with_those_that_do() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let wrong = ["transact_reslt", "Transact_Result", "sms", "webhook", "\"\""].map(|name| {
        let channels = format!("[client.channels]\n{name} = \"http://127.0.0.1:9/r\"\n");
        let told = " is no channel: there are transact_result, ipn, card_get";
        (client(&channels), told)
    });
    all_refused(&fleet, &wrong).await;
    let right = "[client.channels]\ntransact_result = \"http://127.0.0.1:9/r\"\n";
    all_taken(&fleet, &[client(right)]).await;
}
