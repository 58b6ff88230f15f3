//! Rows that `fleet import` refuses, each with its field and what to do; a dry run says the same.

use fleet_testkit::TestFleet;

/// A file of one test, and what `fleet import` says of it, as a dry run and in earnest.
pub(crate) async fn import(fleet: &TestFleet, name: &str, text: &[u8]) -> (bool, String) {
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
pub(crate) async fn all_refused(fleet: &TestFleet, rows: &[(String, &str)]) {
    let before = fleet.store().directory_version().await.unwrap().0;
    for (row, told) in rows {
        let (taken, text) = import(fleet, "rows.toml", row.as_bytes()).await;
        assert!(!taken, "taken: {row}");
        assert!(text.contains(told), "{row}\nshould be told: {told}\nis told: {text}");
    }
    assert_eq!(fleet.store().directory_version().await.unwrap().0, before);
}

/// Rows of which each is taken.
pub(crate) async fn all_taken(fleet: &TestFleet, rows: &[String]) {
    for row in rows {
        let (taken, text) = import(fleet, "rows.toml", row.as_bytes()).await;
        assert!(taken, "{row}\nis refused: {text}");
    }
}

pub(crate) fn connector(party: &str, adapter: &str, inquiry: &str, more: &str) -> String {
    format!(
        "[[connector]]\nname = \"c-1\"\nparty = \"{party}\"\nadapter = \"{adapter}\"\n\
         base_url = \"http://127.0.0.1:9/c\"\ninquiry = \"{inquiry}\"\ncall_deadline_ms = 1000\n{more}"
    )
}

pub(crate) fn client(more: &str) -> String {
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
async fn a_control_character_is_refused_in_any_text_and_named_by_its_field() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let odd = |text: &str| text.replace('?', "\\u0000");
    all_refused(
        &fleet,
        &[
            (odd("[[client]]\nclient_id = 7001\nname = \"Sh?op\"\n"), "name holds a control"),
            (
                odd(&client("broker_users = [\"svc?\"]\n")),
                "client: broker_users holds a control character",
            ),
            (
                odd(&client("signature_secret = \"secret?secret\"\n")),
                "client: signature_secret holds a control character",
            ),
            (
                odd(&connector("supplier", "vend", "none", "[connector.codes]\nX = \"22?14\"\n")),
                "connector: codes.X holds a control character",
            ),
            (
                odd(&connector(
                    "supplier",
                    "vend",
                    "none",
                    "[connector.codes]\n\"X?\" = \"2214\"\n",
                )),
                "connector: codes.a field's name holds a control character",
            ),
            (client("").replace("Shop", "Sh\\u001bop"), "name holds a control character"),
            (client("").replace("Shop", "Sh\\nop"), "name must be 1 to 200 characters on one line"),
        ],
    )
    .await;
    let (taken, text) =
        import(&fleet, "rows.csv", b"prefix,operator\n2782\x00,65501\n2783,65\x07\n").await;
    assert!(!taken);
    assert!(text.contains("rows.csv row 1 (line 2): prefix: prefix holds a control"), "{text}");
    assert!(text.contains("rows.csv row 2 (line 3): prefix: operator holds a control"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_or_key_that_stands_twice_is_refused_in_every_kind_of_row() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let twice = |row: &str| format!("{row}\n{row}\n");
    let terms = "[[terms]]\nproduct_id = 101\n";
    all_refused(
        &fleet,
        &[
            (twice(&client("")), "client 7001: stands twice"),
            (twice(&connector("supplier", "vend", "none", "")), "connector c-1: stands twice"),
            (format!("{terms}client = \"1001\"\n{terms}client = \"01001\"\n"), "stands twice"),
            (twice("[[source]]\nsource = \"27820000666\"\nreason = \"x\"\n"), "stands twice"),
            (twice("[[ported]]\nnumber = \"27820000777\"\noperator = \"65501\"\n"), "stands twice"),
            (twice("[[reason]]\ncode = \"2010\"\nreason = \"no_credit\"\n"), "stands twice"),
            (client("active = true\nactive = false\n"), "duplicate key"),
            (client("[client.channels]\nipn = \"a\"\nipn = \"b\"\n"), "duplicate key"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_nobody_would_look_for_is_refused() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let plan = |kind: &str, owner: &str| {
        format!(
            "[[plan]]\nkind = \"{kind}\"\nowner = \"{owner}\"\nclass = \"not_done\"\n\
             delays_seconds = [1]\n"
        )
    };
    let wrong = [
        ("dispense", "sample-bank", "owner must be a supplier's name or * for dispense"),
        ("reserve", "supplier-lookup", "owner must be a bank's name or * for reserve"),
        ("settle", "1001", "owner must be a bank's name or * for settle"),
        ("deliver", "01001", "owner must be a client's number or * for deliver"),
        ("deliver", "sample-sms", "owner must be a client's number or * for deliver"),
        ("notify", "sample-desk", "owner must be a channel's name or * for notify"),
        ("report", "sample-desl", "owner must be a desk's name or * for report"),
    ];
    all_refused(&fleet, &wrong.map(|(kind, owner, told)| (plan(kind, owner), told))).await;
    let right = [("dispense", "supplier-lookup"), ("deliver", "1001"), ("refund", "*")];
    all_taken(&fleet, &right.map(|(kind, owner)| plan(kind, owner))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_never_be_sold_or_read_is_refused() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let codes = |party: &str, adapter: &str, code: &str| {
        let more = format!("authenticate = \"none\"\n[connector.codes]\nOWN = \"{code}\"\n");
        connector(party, adapter, "none", &more)
    };
    let wrong = [
        (codes("supplier", "vend", "2010"), "codes.OWN must be a code that a supplier answers"),
        (codes("supplier", "vend", "done"), "codes.OWN must be a code that a supplier answers"),
        (codes("bank", "bank", "2214"), "codes.OWN must be a code that a bank answers"),
        // The sandbox's client and a live product, and the other way round.
        (
            "[[terms]]\nclient = \"1091\"\nproduct_id = 101\n".to_owned(),
            "product_id must be a product of the client's side",
        ),
        (
            "[[terms]]\nclient = \"1001\"\nproduct_id = 901\n".to_owned(),
            "product_id must be a product of the client's side",
        ),
        (
            client("sandbox = true\ndefault_funding_source = \"sample-bank\"\n"),
            "default_funding_source must be in the sandbox iff the client is",
        ),
    ];
    all_refused(&fleet, &wrong).await;
    let right = [codes("supplier", "vend", "2226"), "[[terms]]\nproduct_id = 101\n".to_owned()];
    all_taken(&fleet, &right).await;
}
