//! Whoever opens again what was closed says why, as whoever closed it did.

use fleet_testkit::TestFleet;
use serde_json::json;

async fn code_of(fleet: &TestFleet, command: &[&str]) -> Option<i32> {
    fleet.run("fleet", command).await.status.code()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn maintenance_off_and_revoking_tokens_need_a_reason_and_the_history_keeps_it() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    fleet.operator(&["maintenance", "on", "--reason", "a new server", "--actor", "mia"]).await;
    for command in [["maintenance", "off"].as_slice(), &["client", "revoke-tokens", "1001"]] {
        assert_eq!(code_of(&fleet, command).await, Some(2), "{command:?} without a reason");
        for reason in ["", " ", &"x".repeat(201), "4111 1111 1111 1111", "two\nlines"] {
            let command = [command, &["--reason", reason]].concat();
            assert_eq!(code_of(&fleet, &command).await, Some(2), "{command:?}");
        }
    }
    assert_eq!(fleet.operator(&["maintenance", "show"]).await["on"], true, "nothing was done");
    let off = ["maintenance", "off", "--reason", "it is up", "--actor", "ben"];
    assert_eq!(fleet.operator(&off).await["on"], false);
    let history = fleet.operator(&["maintenance", "history"]).await;
    let told = history["changes"].as_array().unwrap().iter();
    let told: Vec<_> = told.map(|row| (&row["actor"], &row["reason"], &row["fields"])).collect();
    let change = |before, after| json!({ "reason": { "before": before, "after": after } });
    let (off, on) = (change(Some("a new server"), None), change(None, Some("a new server")));
    assert_eq!(
        told,
        [(&json!("ben"), &json!("it is up"), &off), (&json!("mia"), &json!("a new server"), &on),]
    );
    let table = fleet.run("fleet", &["maintenance", "history"]).await;
    assert!(String::from_utf8_lossy(&table.stdout).contains("it is up"), "{table:?}");

    let revoke = ["client", "revoke-tokens", "1001", "--reason", "a lost laptop"];
    fleet.operator(&revoke).await;
    let history = fleet.operator(&["client", "history", "1001", "--limit", "1"]).await;
    assert_eq!(history["changes"][0]["reason"], "a lost laptop", "{history}");
    assert_eq!(history["changes"][0]["fields"]["access_tokens"], "changed", "{history}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_and_a_new_key_may_say_why_and_the_history_keeps_it() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    fleet.operator(&["client", "key", "1001", "--reason", "yearly change"]).await;
    fleet.operator(&["client", "key", "1001"]).await;
    let history = fleet.operator(&["client", "history", "1001", "--limit", "2"]).await;
    let reasons = [&history["changes"][0]["reason"], &history["changes"][1]["reason"]];
    assert_eq!(reasons, [&json!(null), &json!("yearly change")], "{history}");

    let file = std::env::temp_dir().join(format!("reason-{}.toml", uuid::Uuid::new_v4()));
    let file = file.display().to_string();
    for (number, reason) in [(1, Some("more buyers")), (2, None)] {
        let terms = format!(
            "[[terms]]\nclient = \"1001\"\nproduct_id = 101\nfee = {{ fixed = {number}, basis_points = 0 }}\n"
        );
        std::fs::write(&file, terms).unwrap();
        let mut command = vec!["import", &file];
        command.extend(reason.into_iter().flat_map(|reason| ["--reason", reason]));
        fleet.operator(&command).await;
        let history = fleet.operator(&["terms", "history", "1001.101", "--limit", "1"]).await;
        assert_eq!(history["changes"][0]["reason"], json!(reason), "{history}");
    }
    for reason in ["", "4111 1111 1111 1111"] {
        let refused = ["import", &file, "--reason", reason];
        assert_eq!(code_of(&fleet, &refused).await, Some(2), "{reason}");
        let refused = ["client", "key", "1001", "--reason", reason];
        assert_eq!(code_of(&fleet, &refused).await, Some(2), "{reason}");
    }
    std::fs::remove_file(&file).unwrap();
}
