//! Imports and the directory.

use fleet_domain::{
    AddressPolicy, Inquiry, LOOPBACK, NotifyChannel, NotifyEvent, Party, PlanClass, TaskKind,
};
use fleet_store::{DirectoryImport, ImportError, ImportMode, Store};
use fleet_testkit::TestDatabase;
use serde_json::{Value, json};

fn import_of(value: Value) -> DirectoryImport {
    let to_clients = AddressPolicy::public_and(vec![LOOPBACK]);
    DirectoryImport { to_clients, ..serde_json::from_value(value).unwrap() }
}

fn sample() -> Value {
    json!({
        "client": [{
            "client_id": 1001, "name": "Shop", "api_keys": ["sample-key-1001"],
            "signature_secret": "shared-secret", "broker_users": ["svc-shop"],
            "default_funding_source": "bank-a", "concurrency": 8, "rate_per_second": 5,
            "channels": { "transact_result": "http://127.0.0.1:21080/result" },
            "notify": { "sms": "texter", "language": "fr" },
        }],
        "connector": [
            { "name": "bank-a", "party": "bank", "adapter": "bank", "base_url": "http://127.0.0.1/b",
              "inquiry": "look_up", "settle_time_seconds": 5, "call_deadline_ms": 40000,
              "hold_seconds": 172800, "concurrency": 128, "secret": "secret-of-bank-a" },
            { "name": "vendor", "party": "supplier", "adapter": "vend",
              "base_url": "http://127.0.0.1/v", "inquiry": "callback", "call_deadline_ms": 20000,
              "callback_wait_seconds": 3600, "secret": "secret-of-callbacks",
              "codes": { "VAS_BARRED": "2214" } },
            { "name": "texter", "party": "channel", "adapter": "sms", "inquiry": "repeat",
              "base_url": "http://127.0.0.1/t", "call_deadline_ms": 10000, "concurrency": 4,
              "authenticate": "none" },
            { "name": "desk", "party": "desk", "adapter": "fraudstop",
              "base_url": "http://127.0.0.1/d", "inquiry": "repeat", "call_deadline_ms": 15000,
              "secret": "desk-key" },
        ],
        "product": [{
            "product_id": 101, "name": "Airtime", "product_type": "airtime", "supplier": "vendor",
            "currency": "ZAR", "min_amount": 200, "max_amount": 100000,
            "fee": { "fixed": 50, "basis_points": 0 },
        }],
        "plan": [{ "kind": "dispense", "class": "not_done", "delays_seconds": [1, 2, 5] }],
        "template": [
            { "client_id": 1001, "event": "buyer_failed", "text": "No {{product}}" },
            { "client_id": 1001, "event": "buyer_failed", "language": "fr", "text": "Pas {{product}}" },
            { "client_id": 1001, "event": "recipient_success", "text": "{{voucher}}" },
        ],
        "source": [{ "source": "+27 82 000 0666", "reason": "sample" }],
    })
}

async fn apply(store: &Store, value: Value) -> fleet_store::ImportReport {
    store.import(&import_of(value), ImportMode::Apply).await.unwrap()
}

#[tokio::test]
async fn an_import_is_read_back_as_a_directory() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let report = apply(&store, sample()).await;
    assert_eq!(report.version, 2);
    let directory = store.load_directory().await.unwrap();
    assert_eq!((directory.version, store.directory_version().await.unwrap().0), (2, 2));
    let client = directory.clients.values().next().unwrap();
    assert_eq!(client.signature_secret.as_ref().unwrap().expose(), "shared-secret");
    assert_eq!(client.api_key_hashes[0].len(), 32);
    assert_eq!(client.channels["transact_result"], "http://127.0.0.1:21080/result");
    let rules = &client.notify;
    assert_eq!(rules.connectors[&NotifyChannel::Sms], "texter");
    let text = |event| directory.template(client.id, event);
    assert_eq!(text(NotifyEvent::BuyerFailed), Some("Pas {{product}}"));
    assert_eq!(text(NotifyEvent::RecipientSuccess), Some("{{voucher}}"), "of any language");
    let lane = directory.notify_lane(client.id, NotifyChannel::Sms);
    assert_eq!(lane, directory.lane_of(TaskKind::Notify, "texter"));
    assert_eq!(directory.notify_lane(client.id, NotifyChannel::Email), None);
    let vendor = &directory.connectors["vendor"];
    assert_eq!((vendor.party, vendor.inquiry), (Party::Supplier, Inquiry::Callback));
    assert_eq!(vendor.secret.as_ref().unwrap().expose(), "secret-of-callbacks");
    assert_eq!(vendor.code("VAS_BARRED"), "2214");
    let mut lanes: Vec<_> = directory
        .lanes
        .values()
        .map(|lane| (lane.kind, lane.owner.as_str(), lane.concurrency, lane.rate_per_second))
        .collect();
    lanes.sort_unstable();
    assert_eq!(
        lanes,
        [
            (TaskKind::Reserve, "bank-a", 128, 0),
            (TaskKind::Dispense, "vendor", 64, 0),
            (TaskKind::Settle, "bank-a", 128, 0),
            (TaskKind::Refund, "bank-a", 128, 0),
            (TaskKind::Deliver, "1001", 8, 5),
            (TaskKind::Notify, "texter", 4, 0),
            (TaskKind::Report, "desk", 64, 0),
            (TaskKind::Validate, "desk", 64, 0),
        ]
    );
    let wait = directory.wait(TaskKind::Dispense, "vendor", PlanClass::NotDone, 2);
    assert_eq!(wait, Some(std::time::Duration::from_secs(5)));
    assert!(directory.blacklist.contains(&store.keyring().lookup_hash("source", "27820000666")));
}

#[tokio::test]
async fn the_same_import_again_changes_nothing() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    apply(&store, sample()).await;
    let before = store.load_directory().await.unwrap();
    let report = apply(&store, sample()).await;
    assert_eq!((report.changes, report.version), (Vec::new(), before.version));
}

#[tokio::test]
async fn a_dry_run_says_what_would_change_and_writes_nothing() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let report = store.import(&import_of(sample()), ImportMode::DryRun).await.unwrap();
    assert!(report.changes.contains(&"client 1001 added".to_owned()), "{:?}", report.changes);
    assert_eq!(report.version, 1);
    assert!(store.load_directory().await.unwrap().clients.is_empty());
}

#[tokio::test]
async fn only_what_differs_is_changed_and_plans_get_new_versions() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    apply(&store, sample()).await;
    let mut changed = sample();
    changed["connector"][1]["secret"] = json!("another-secret-of-callbacks");
    changed["connector"][0]["concurrency"] = json!(7);
    changed["client"][0]["channels"] = json!({ "card_get": "https://shop.example/r" });
    changed["plan"][0]["delays_seconds"] = json!([1, 2]);
    changed["source"][0]["reason"] = json!("known");
    changed["template"][1]["text"] = json!("Rien");
    let report = apply(&store, changed).await;
    assert_eq!(report.version, 3);
    assert_eq!(
        report.changes,
        [
            "lane reserve bank-a changed",
            "lane settle bank-a changed",
            "lane refund bank-a changed",
            "connector vendor changed",
            "client 1001 changed",
            "lane deliver 1001/card_get added",
            "plan dispense * NotDone version 2 added",
            "template of 1001 buyer_failed in fr changed",
            "a blacklisted source changed",
        ]
    );
    let directory = store.load_directory().await.unwrap();
    assert_eq!(
        directory.connectors["vendor"].secret.as_ref().unwrap().expose(),
        "another-secret-of-callbacks"
    );
    let client = directory.clients.values().next().unwrap();
    assert_eq!(client.channels.keys().collect::<Vec<_>>(), ["card_get"]);
    assert_eq!(directory.plans.len(), 1, "only the newest version");
    assert_eq!((directory.plans[0].version, directory.plans[0].delays_seconds.len()), (2, 2));
}

#[tokio::test]
async fn all_problems_of_an_import_are_told_and_nothing_is_written() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let mut wrong = sample();
    wrong["client"][0]["answer_within_ms"] = json!(70_000);
    wrong["client"][0]["default_funding_source"] = json!("vendor");
    wrong["client"][0]["signature_secret"] = Value::Null;
    wrong["client"][0]["signature_required"] = json!(true);
    wrong["connector"][0]["base_url"] = json!("ftp://bank");
    wrong["product"][0]["supplier"] = json!("bank-a");
    wrong["product"][0]["max_amount"] = json!(100);
    wrong["connector"][2]["inquiry"] = json!("callback");
    wrong["client"][0]["notify"] = json!({ "sms": "vendor", "email": "texter", "language": "?" });
    wrong["template"][0]["text"] = json!("{{msisdn}}");
    wrong["template"][2]["text"] = json!("{{reason}}");
    wrong["template"][1]["client_id"] = json!(7);
    wrong["plan"][0]["delays_seconds"] = json!([]);
    wrong["plan"].as_array_mut().unwrap().push(sample()["plan"][0].clone());
    let error = store.import(&import_of(wrong), ImportMode::Apply).await.unwrap_err();
    let ImportError::Invalid { problems } = error else { panic!("{error}") };
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "connector bank-a: base_url: the URL's scheme is not allowed: it must be https",
            "connector texter: inquiry must be repeat or none with the adapter sms",
            "plan dispense * NotDone: stands twice",
            "client 1001: signature_required needs signature_secret",
            "client 1001: answer_within_ms must be 100 to 60000",
            "client 1001: default_funding_source must be a bank among the connectors",
            "client 1001: notify.sms must be a channel with the adapter sms",
            "client 1001: notify.email must be a channel with the adapter email",
            "client 1001: notify.language must be 2 to 16 letters, digits or -",
            "product 101: supplier must be a supplier among the connectors",
            "product 101: max_amount must not be below min_amount",
            "plan dispense * NotDone: the number of delays_seconds must be 1 to 200",
            "template of 1001 buyer_failed: {{msisdn}} is not one of product, amount, currency, \
             voucher, raasTxnRef, clientTxnRef, reason",
            "template of 7 buyer_failed in fr: client_id must be a client's number",
            "template of 1001 recipient_success: {{reason}} has no value in recipient_success",
        ]
    );
    assert_eq!(store.directory_version().await.unwrap().0, 1);
    assert!(store.load_directory().await.unwrap().connectors.is_empty());
}

#[tokio::test]
async fn a_connector_keeps_its_party() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    apply(&store, sample()).await;
    let mut wrong = sample();
    wrong["connector"][0]["party"] = json!("desk");
    let error = store.import(&import_of(wrong), ImportMode::Apply).await.unwrap_err();
    assert!(error.to_string().contains("connector bank-a: party must stay what it is"), "{error}");
}

#[test]
fn an_unknown_field_is_refused() {
    let unknown = json!({ "client": [{ "client_id": 1, "name": "x", "colour": "red" }] });
    assert!(serde_json::from_value::<DirectoryImport>(unknown).is_err());
    assert!(serde_json::from_value::<DirectoryImport>(json!({ "clients": [] })).is_err());
}

#[tokio::test]
async fn concurrent_imports_do_not_lose_each_other() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    let mut imports = tokio::task::JoinSet::new();
    for number in 0..4 {
        let store = store.clone();
        let row = json!({ "client": [{ "client_id": 2_000 + number, "name": "x" }] });
        imports.spawn(async move { apply(&store, row).await.version });
    }
    let mut versions = imports.join_all().await;
    versions.sort_unstable();
    assert_eq!(versions, [2, 3, 4, 5]);
    assert_eq!(store.load_directory().await.unwrap().clients.len(), 4);
}

#[tokio::test]
async fn secrets_and_keys_are_never_stored_in_the_clear() {
    let database = TestDatabase::create().await.unwrap();
    let store = database.store();
    apply(&store, sample()).await;
    let mut connection = database.connection().await.unwrap();
    let sql = "select (select string_agg(c::text, ' ') from client c)
               || (select string_agg(c::text, ' ') from connector c)
               || (select string_agg(s::text, ' ') from source_blacklist s)";
    let text: String = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    let hidden = ["shared-secret", "secret-of-callbacks", "sample-key-1001", "27820000666"];
    for secret in hidden {
        let in_bytea = text.contains(&hex_of(secret));
        assert!(!text.contains(secret) && !in_bytea, "{secret} is readable");
    }
}

fn hex_of(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}
