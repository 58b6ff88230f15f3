//! An import, and its dry run, refuse what can never work and what is ambiguous.

use fleet_testkit::TestFleet;

use crate::setups::{all_refused, all_taken, client, clients, connector, import};

fn at(url: &str, more: &str) -> String {
    let more = format!("authenticate = \"none\"\n{more}");
    connector("supplier", "vend", "none", &more).replace("http://127.0.0.1:9/c", url)
}

fn told_at(url: &str) -> String {
    client(&format!("[client.channels]\ntransact_result = \"{url}\"\n"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b40_an_endpoint_that_can_never_be_called_is_refused_by_the_import() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let mut wrong = Vec::new();
    for (url, told) in [
        ("https://user:pw@127.0.0.1/c", "the URL holds credentials"),
        ("https://127.0.0.1:0/c", "the URL's port is not allowed"),
        ("https://127.0.0.1:99999/c", "the URL is malformed"),
        ("https:///c", "the URL is malformed"),
        ("https://b\u{fc}cher.example/c", "the URL is malformed"),
        ("https://my_shop.example/c", "the URL's host must be letters, digits"),
        ("https://127.0.0.1/c#here", "the URL holds a fragment"),
        ("ftp://127.0.0.1/c", "the URL's scheme is not allowed"),
    ] {
        wrong.push((at(url, ""), told));
        wrong.push((told_at(url), told));
    }
    for url in ["http://bank.example.com/c", "http://8.8.8.8/c", "http://bank.co.za:8080/c"] {
        wrong.push((at(url, ""), "base_url: plain http goes to this machine and to private"));
    }
    for url in ["http://8.8.8.8/r", "https://10.0.0.7/r", "https://8.8.8.8:8080/r"] {
        wrong.push((told_at(url), "client 7001: channels.transact_result: the "));
    }
    wrong.push((at("https://127.0.0.1/c?key=1", ""), "base_url must have no query"));
    all_refused(&fleet, &wrong).await;
    let right = [
        at("http://bank.example.com/c", "plain_http = true\n"),
        at("http://10.1.2.3:8080/c", ""),
        at("http://bank:8080/c", ""),
        at("https://bank.example.com/c", ""),
        told_at("https://shop.example.com/r?key=1"),
        told_at("http://127.0.0.1:8080/r"),
    ];
    all_taken(&fleet, &right).await;
    let stored = fleet.operator(&["connector", "show", "c-1"]).await;
    assert_eq!(stored["row"]["plain_http"], false, "{stored}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b41_a_channel_that_does_not_exist_is_refused_with_those_that_do() {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b68_what_stands_twice_or_is_unknown_in_a_csv_file_is_named() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let head = "product_id,name,product_type,supplier,currency,min_amount,max_amount";
    let row = "501,A,airtime,supplier-lookup,ZAR,100,1000";
    let mark = "\u{feff}";
    for (columns, cells, told) in [
        (",max_amount", ",99999999", "(line 1): the column max_amount stands twice"),
        (",\"max_amount\"", ",99999999", "(line 1): the column max_amount stands twice"),
        (", max_amount ", ",99999999", "(line 1): the column max_amount stands twice"),
        (",name,name", ",B,C", "(line 1): the column name stands twice"),
        (",colour", ",", "(line 1): product: colour is no field here"),
        (",fee.colour", ",", "(line 1): product: fee.colour is no field here"),
        (",fee,fee.fixed", ",,7", "(line 1): fee is a column and the begin of another"),
        (",", ",", "(line 1): product:  is no field here"),
    ] {
        for mark in ["", mark] {
            let text = format!("{mark}{head}{columns}\n{row}{cells}\n");
            let (taken, said) = import(&fleet, "rows.csv", text.as_bytes()).await;
            assert!(
                !taken && said.contains(told),
                "{columns}\nshould be told: {told}\nis told: {said}"
            );
        }
    }
    for (text, told) in [
        ("prefix,operator,prefix\n2782,65501,2783\n", "the column prefix stands twice"),
        ("client_id,name,active,active\n7001,A,true,false\n", "the column active stands twice"),
        (
            "client_id,name,ipn.account_id,ipn.account_id\n7001,A,1,2\n",
            "the column ipn.account_id stands twice",
        ),
    ] {
        let (taken, said) = import(&fleet, "rows.csv", text.as_bytes()).await;
        assert!(!taken && said.contains(told), "{text}is told: {said}");
    }
    let text =
        format!("{mark}{head},active,channels,fee.fixed,fee.basis_points\n{row},FALSE,1;7,0,5\n");
    let (taken, said) = import(&fleet, "rows.csv", text.as_bytes()).await;
    assert!(taken, "{said}");
    let stored = fleet.operator(&["product", "show", "501"]).await;
    assert_eq!(stored["row"]["active"], false, "{stored}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b71_a_key_or_secret_of_two_clients_is_refused_and_both_are_named() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let key = "api_keys = [\"one-key-for-two\"]";
    let secret = "oauth_secrets = [\"one-secret-for-two\"]";
    let of_both = "api_keys: one of them is client 7002's too, and would open the doors of both";
    let wrong = [
        (clients(&[(7001, key), (7002, key)]), of_both),
        (
            clients(&[(7001, secret), (7002, secret)]),
            "oauth_secrets: one of them is client 7002's too",
        ),
        // One's key as the other's secret.
        (clients(&[(7001, "api_keys = [\"one-secret-for-two\"]"), (7002, secret)]), of_both),
        // What is stored of the sample's clients counts as well.
        (
            clients(&[(7001, "api_keys = [\"sample-key-1001\"]")]),
            "client 7001: api_keys: one of them is client 1001's too",
        ),
        (
            clients(&[(7001, "oauth_secrets = [\"sample-oauth-secret-1002\"]")]),
            "client 7001: oauth_secrets: one of them is client 1002's too",
        ),
        (
            clients(&[(7001, "api_keys = [\"fresh-key-of-7001\", \"fresh-key-of-7001\"]")]),
            "api_keys: one of them stands twice",
        ),
        (
            clients(&[(7001, &format!("api_keys = [\"{}\"]", "k".repeat(129)))]),
            "api_keys must have 12 to 128 visible ASCII characters",
        ),
    ];
    all_refused(&fleet, &wrong).await;
    // Two clients may swap their keys, and one may be given up for the other, in one import.
    let [one, two] = ["api_keys = [\"first-key-of-7001\"]", "api_keys = [\"first-key-of-7002\"]"];
    let none = "api_keys = []";
    all_taken(
        &fleet,
        &[
            clients(&[(7001, one), (7002, two)]),
            clients(&[(7001, two), (7002, one)]),
            clients(&[(7001, none), (7002, two)]),
        ],
    )
    .await;
    let [first, second] = [clients(&[(7003, key)]), clients(&[(7004, key)])];
    let [first, second] = [first, second].map(|text| {
        let path = std::env::temp_dir().join(format!("fleet-keys-{}.toml", uuid::Uuid::new_v4()));
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    });
    let output = fleet.run("fleet", &["client", "import", &first, &second]).await;
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains(&format!("{first} row 1 (line 1): client 7003: api_keys")), "{text}");
    assert!(text.contains(&format!("{second} row 1 (line 1): client 7004: api_keys")), "{text}");
    assert!(!text.contains("one-key-for-two"), "{text}");
    for file in [first, second] {
        std::fs::remove_file(file).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b55_a_truth_is_taken_from_a_spreadsheet_in_any_letter_case() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let head = "product_id,name,product_type,supplier,currency,min_amount,max_amount,active";
    for (number, (word, truth)) in [
        ("True", true),
        ("FALSE", false),
        ("false", false),
        ("Yes", true),
        ("nO", false),
        ("1", true),
    ]
    .into_iter()
    .enumerate()
    {
        let id = 501 + number;
        let text = format!("{head}\n{id},A,airtime,supplier-lookup,ZAR,100,1000,{word}\n");
        let (taken, said) = import(&fleet, "rows.csv", text.as_bytes()).await;
        assert!(taken, "{word}: {said}");
        let stored = fleet.operator(&["product", "show", &id.to_string()]).await;
        assert_eq!(stored["row"]["active"], truth, "{word}: {stored}");
    }
    let flags =
        "client_id,name,refuse_similar,references_are_numbers,active\n7001,A,TRUE,False,tRUE\n";
    let (taken, said) = import(&fleet, "rows.csv", flags.as_bytes()).await;
    assert!(taken, "{said}");
    let row = fleet.operator(&["client", "show", "7001"]).await["row"].clone();
    for (field, truth) in
        [("refuse_similar", true), ("references_are_numbers", false), ("active", true)]
    {
        assert_eq!(row[field], truth, "{field}: {row}");
    }
    for word in ["t", "Truee", "2", "on", "-"] {
        let text = format!("{head}\n501,A,airtime,supplier-lookup,ZAR,100,1000,{word}\n");
        let (taken, said) = import(&fleet, "rows.csv", text.as_bytes()).await;
        assert!(!taken && said.contains("active must be true or false"), "{word}: {said}");
    }
}
