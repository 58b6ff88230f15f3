//! The directory managed by `fleet client | product | terms | numbering | connector`: imports that
//! name each wrong row, exports that can be imported again, the history, and new API keys.

use std::path::{Path, PathBuf};

use fleet_testkit::TestFleet;
use serde_json::{Value, json};

/// A folder of one test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("fleet-directory-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    fn file(&self, name: &str, text: &str) -> String {
        std::fs::write(self.0.join(name), text).unwrap();
        self.path(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A command that is refused; its error's text.
async fn refused(fleet: &TestFleet, arguments: &[&str]) -> String {
    let output = fleet.run("fleet", arguments).await;
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn version(fleet: &TestFleet) -> i64 {
    fleet.store().directory_version().await.unwrap().0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_takes_every_sample_file_and_the_same_again_changes_nothing() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/local/sample");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let files: Vec<String> = files.map(|path| path.display().to_string()).collect();
    assert!(files.len() >= 10, "{files:?}");
    let mut arguments = vec!["import"];
    arguments.extend(files.iter().map(String::as_str));
    let first = fleet.operator(&arguments).await;
    assert_ne!(first["changes"], json!([]), "the samples' own addresses: {first}");
    let again = fleet.operator(&arguments).await;
    assert_eq!(again["changes"], json!([]), "{again}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_wrong_row_is_told_with_what_to_do_and_nothing_is_written() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let (folder, before) = (Folder::new(), version(&fleet).await);
    let head = "product_id,name,product_type,supplier,currency,min_amount,max_amount";
    let rows = "501,A,airtime,supplier-lookup,ZAR,100,1000\n\
                502,B,airtime,supplier-lookup,ZAR,4111x,1000\n\
                503,C,airtime,supplier-lookup,ZAR,100,1000,9\n\
                ,D,airtime,supplier-lookup,ZAR,100,1000\n";
    let file = folder.file("products.csv", &format!("{head}\n{rows}"));
    let text = refused(&fleet, &["product", "import", &file]).await;
    for told in [
        "products.csv row 2 (line 3): product: min_amount must be a whole number",
        "products.csv row 3 (line 4): must have as many cells as the first line",
        "products.csv row 4 (line 5): product: product_id is missing",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    assert!(!text.contains("4111"), "a value is repeated: {text}");

    let rows = "501,A,airtime,supplier-lookup,ZAR,100,1000\n\
                502,B,airtime,sample-bank,ZAR,100,1000\n503,C,airtime,supplier-lookup,zar,100,10\n\
                501,A,airtime,supplier-lookup,ZAR,100,1000\n";
    let file = folder.file("products.csv", &format!("{head}\n{rows}"));
    let text = refused(&fleet, &["product", "import", &file]).await;
    for told in [
        "row 2 (line 3): product 502: supplier must be a supplier among the connectors",
        "row 3 (line 4): product 503: currency must be an ISO 4217 code in upper case",
        "row 3 (line 4): product 503: max_amount must not be below min_amount",
        "row 4 (line 5): product 501: stands twice",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    // Programs read the same from the output.
    let output = fleet.run("fleet", &["--json", "product", "import", &file]).await;
    let problems: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(problems["problems"][0]["row"], 4, "{problems}");
    assert_eq!(problems["problems"].as_array().unwrap().len(), 4);

    let secret = "[[client]]\nclient_id = 1001\nname = \"x\"\nsignature_secret = 4111\n";
    let text = refused(&fleet, &["client", "import", &folder.file("c.toml", secret)]).await;
    assert!(text.contains("row 1 (line 1): client: signature_secret must be a text"), "{text}");
    assert!(!text.contains("4111"), "{text}");
    let text = refused(&fleet, &["terms", "import", &folder.path("c.toml")]).await;
    assert!(text.contains("client: only terms may stand here"), "{text}");
    refused(&fleet, &["terms", "import", &folder.path("nowhere.csv")]).await;
    let moved = "[[client]]\nclient_id = 1001\nname = \"x\"\nsandbox = true\n";
    let text = refused(&fleet, &["client", "import", &folder.file("m.toml", moved)]).await;
    assert!(text.contains("client 1001: sandbox must stay what it is"), "{text}");
    assert_eq!(version(&fleet).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_imported_again_without_change_and_holds_no_secret() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let (folder, before) = (Folder::new(), version(&fleet).await);
    let stored = fleet.store().load_directory().await.unwrap();
    for noun in ["client", "product", "terms", "connector", "numbering"] {
        let kinds: &[&str] =
            if noun == "numbering" { &["country", "operator", "prefix"] } else { &[""] };
        for (format, kind) in kinds.iter().map(|kind| ("csv", *kind)).chain([("toml", "")]) {
            let file = folder.path(&format!("{noun}{kind}.{format}"));
            let mut export = vec![noun, "export", "--format", format, "--output", &file];
            if !kind.is_empty() {
                export.extend(["--kind", kind]);
            }
            fleet.operator(&export).await;
            let text = std::fs::read_to_string(Path::new(&file)).unwrap();
            for secret in ["sample-key", "sample-signature", "sample-ipn-key", "sample-desk-key"] {
                assert!(!text.contains(secret), "{file}: {text}");
            }
            assert!(!text.contains("sample-callback-secret") && !text.contains("7b1f0c6e"));
            let report = fleet.operator(&[noun, "import", &file]).await;
            assert_eq!(report["changes"], json!([]), "{file}: {text}");
        }
    }
    assert_eq!(version(&fleet).await, before);
    let now = fleet.store().load_directory().await.unwrap();
    assert_eq!((now.clients, now.connectors), (stored.clients, stored.connectors));

    // Without its secrets a row keeps the stored ones, and an empty text takes one away.
    let row = "[[client]]\nclient_id = 1002\nname = \"Renamed\"\nsignature_required = true\n\
               default_funding_source = \"sample-bank\"\n";
    fleet.operator(&["client", "import", &folder.file("r.toml", row)]).await;
    let client = fleet.store().load_directory().await.unwrap();
    let client = client.clients[&fleet_domain::ClientId(1002)].clone();
    assert_eq!((client.name.as_str(), client.api_key_hashes.len()), ("Renamed", 1));
    assert!(client.signature_secret.is_some());
    let row = "[[client]]\nclient_id = 1002\nname = \"Renamed\"\nsignature_secret = \"\"\n\
               api_keys = []\n";
    fleet.operator(&["client", "import", &folder.file("r.toml", row)]).await;
    let shown = fleet.operator(&["client", "show", "1002"]).await;
    assert_eq!(shown["more"]["stored_signature_secret"], "not set", "{shown}");
    assert_eq!(shown["more"]["stored_api_keys"], 0, "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_says_who_changed_what_and_no_secret() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let folder = Folder::new();
    let row = "client,product_id,client_share.basis_points,settlement\n1001,101,250,net\n";
    let file = folder.file("t.csv", row);
    let dry = fleet.operator(&["terms", "import", &file, "--dry-run", "--actor", "anna"]).await;
    assert_eq!(dry["changes"], json!(["terms of 1001 101 version 1 added"]));
    assert_eq!(fleet.operator(&["terms", "history", "1001.101"]).await["changes"], json!([]));
    fleet.operator(&["terms", "import", &file, "--actor", "anna"]).await;
    let file = folder.file("t.csv", &row.replace("250", "300"));
    fleet.operator(&["terms", "import", &file, "--actor", "ben"]).await;
    let history = fleet.operator(&["terms", "history", "1001.101"]).await;
    let change = &history["changes"][0];
    assert_eq!((&change["actor"], &change["kind"]), (&json!("ben"), &json!("changed")));
    let share = &change["fields"]["client_share"];
    let points = |side: &str| share[side]["basis_points"].clone();
    assert_eq!((points("before"), points("after")), (json!(250), json!(300)), "{history}");
    assert!(change["fields"].get("settlement").is_none(), "only what changed: {history}");
    assert_eq!(history["changes"][1]["actor"], "anna");
    let shown = fleet.operator(&["terms", "show", "1001.101"]).await;
    assert_eq!(shown["more"]["versions"].as_array().unwrap().len(), 2, "{shown}");

    let row = "[[connector]]\nname = \"sample-desk\"\nparty = \"desk\"\nadapter = \"fraudstop\"\n\
               base_url = \"http://127.0.0.1:1/desk\"\ninquiry = \"repeat\"\n\
               call_deadline_ms = 15000\nsecret = \"another-desk-key\"\n";
    fleet.operator(&["connector", "import", &folder.file("d.toml", row)]).await;
    let history = fleet.operator(&["connector", "history", "--limit", "1"]).await;
    let change = &history["changes"][0];
    assert_eq!(
        (&change["key"], &change["fields"]["secret"]),
        (&json!("sample-desk"), &json!("changed"))
    );
    assert_ne!(change["actor"], "", "the system's user");
    assert!(!history.to_string().contains("another-desk-key"), "{history}");
    let next = history["next"].to_string();
    let older = fleet.operator(&["connector", "history", "--before", &next]).await;
    assert_eq!(older["changes"][0]["kind"], "added", "{older}");
    let table = fleet.run("fleet", &["terms", "history"]).await;
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.contains("anna") && table.contains("1001 101"), "{table}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_have_pages_and_rows_are_shown_by_their_keys() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let mut arguments = vec!["product".to_owned(), "list".to_owned(), "--limit=2".to_owned()];
        arguments.extend(after.map(|after: String| format!("--after={after}")));
        let page = fleet.operator(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let rows = page["rows"].as_array().unwrap().clone();
        assert!(rows.len() <= 2);
        seen.extend(rows.into_iter().map(|row| row["product_id"].as_i64().unwrap()));
        let Some(next) = page["next"].as_str() else { break };
        after = Some(next.to_owned());
    }
    assert_eq!(seen, [101, 102, 201, 301, 801, 901]);
    let prefixes = fleet.operator(&["numbering", "list", "--kind", "prefix"]).await;
    assert_eq!(prefixes["rows"][0]["prefix"], "234803", "{prefixes}");
    let operator = fleet.operator(&["numbering", "show", "65501"]).await;
    assert_eq!(operator["more"]["prefixes"], json!(["2776", "2781", "2782"]), "{operator}");
    for noun in ["client", "product", "terms", "numbering", "connector"] {
        let output = fleet.run("fleet", &[noun, "show", "nobody"]).await;
        assert_eq!(output.status.code(), Some(1), "{noun}: {output:?}");
        let table = fleet.run("fleet", &[noun, "list"]).await;
        assert!(table.status.success() && table.stdout.len() > 100, "{noun}: {table:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_api_key_opens_the_gateway_and_at_most_four_are_kept() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    let opens = async |client: i64, key: &str| {
        let url = fleet.url(&format!("/productLookup/2.0?clientId={client}"));
        fleet.send(fleet.http().get(url).header("x-api-key", key)).await.status == 200
    };
    let made = fleet.operator(&["client", "key", "1001", "--actor", "anna"]).await;
    let first = made["api_key"].as_str().unwrap().to_owned();
    assert!(first.starts_with("live_") && first.len() >= 5 + 43, "128 bits of chance and more");
    assert_eq!(made["keys"], 2);
    fleet.until("the new key to open", async || opens(1001, &first).await).await;
    assert!(opens(1001, "sample-key-1001").await, "the other one still does");
    for keys in [3, 4] {
        assert_eq!(fleet.operator(&["client", "key", "1001"]).await["keys"], keys);
    }
    let text = refused(&fleet, &["client", "key", "1001"]).await;
    assert!(text.contains("--remove-others"), "{text}");
    let last = fleet.operator(&["client", "key", "1001", "--remove-others"]).await;
    let last_key = last["api_key"].as_str().unwrap();
    assert_eq!(last["keys"], 1);
    fleet.until("the other keys to be gone", async || !opens(1001, &first).await).await;
    assert!(opens(1001, last_key).await && !opens(1001, "sample-key-1001").await);

    let sandbox = fleet.operator(&["client", "key", "1091"]).await;
    assert!(sandbox["api_key"].as_str().unwrap().starts_with("sandbox_"));
    let nobody = fleet.run("fleet", &["client", "key", "7"]).await;
    assert_eq!(nobody.status.code(), Some(1), "{nobody:?}");
    let history = fleet.operator(&["client", "history", "1001"]).await;
    assert_eq!(history["changes"][3]["actor"], "anna", "{history}");
    assert_eq!(history["changes"][3]["fields"], json!({ "api_keys": "changed" }));
    let mut connection = fleet.database().connection().await.unwrap();
    let sql = "select string_agg(c::text, ' ') || (select string_agg(h::text, ' ')
               from directory_history h) from client c";
    let stored: String = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    assert!(!stored.contains(&first) && !stored.contains(last_key));
}
