//! A value that cannot be unsealed hides nothing but itself.

use fleet_domain::TaskKind;
use uuid::Uuid;

use super::{change, parked, still, stored, text, told};
use crate::replay::keep;

/// How sealed bytes may be lost: another key's version, changed, cut.
const LOST: [&str; 3] = [
    "'\\x0063' || substr($$::bytea, 3)",
    "overlay($$ placing '\\xffffff' from 28)",
    "'\\x00'::bytea",
];

/// The statement that damages a column in one of these ways.
fn damage(table: &str, column: &str, key: &str, how: &str) -> &'static str {
    let how = how.replace("$$", column);
    Box::leak(format!("update {table} set {column} = {how} where {key} = $1").into_boxed_str())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purchase_with_a_damaged_column_is_shown_but_for_that_column() {
    let fleet = still().await;
    for (column, how) in ["source", "target", "details"].into_iter().zip(LOST) {
        let id = stored(&fleet, 3_450, "ZAR").await;
        parked(&fleet, id, TaskKind::Reserve, "our_fault", "a row is unreadable").await;
        let sql =
            "insert into delivery (purchase, slot, client_id, channel, body_sealed, created_at)
                   values ($1, 1, 1001, 'ipn', '\\x0102', fleet_now())";
        change(&fleet, sql, id.0).await;
        change(&fleet, damage("purchase", &format!("{column}_sealed"), "purchase", how), id.0)
            .await;
        let (id, name) = (id.to_string(), format!("purchase.{column}"));
        for command in ["purchase", "dead", "delivery"] {
            let shown = fleet.operator(&[command, "show", &id]).await;
            let unreadable = shown["unreadable"][0].as_str().unwrap_or_default();
            assert!(unreadable.starts_with(&name), "{command}: {shown}");
            assert_eq!(shown["raas_txn_ref"], id, "{command}");
        }
        let shown = text(&fleet, &["purchase", "show", &id]).await;
        assert!(shown.contains(&format!("cannot be read: {name}")), "{shown}");
        assert!(shown.contains("34.50 ZAR") && shown.contains("a row is unreadable"), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_letter_is_shown_and_keeps_no_other_from_being_replayed() {
    let fleet = still().await;
    for how in LOST {
        let letters = keep(&fleet, "invalid", 4).await;
        let bad = letters[1];
        change(&fleet, damage("dead_letter", "body_sealed", "letter", how), bad).await;
        let shown = fleet.operator(&["dead", "show", &bad.to_string()]).await;
        assert_eq!(shown["headers"]["fleet-user-id"], "svc-shop", "{shown}");
        assert_eq!(shown["body_sha256"], serde_json::Value::Null, "{shown}");
        assert!(
            shown["unreadable"][0].as_str().unwrap().starts_with("dead_letter.body"),
            "{shown}"
        );
        let named: Vec<String> = letters.iter().map(Uuid::to_string).collect();
        let named: Vec<&str> = named.iter().map(String::as_str).collect();
        let why = ["--reason", "mended", "--stop-at", "100"];
        let (code, text) = told(&fleet, &[&["dead", "replay"], &named[..], &why].concat()).await;
        assert_eq!(code, Some(1), "{text}");
        for letter in letters {
            let shown = fleet.operator(&["dead", "show", &letter.to_string()]).await;
            let decision = &shown["decisions"][0];
            let unsealed = "body cannot be unsealed with the present keys";
            assert_eq!(decision["detail"] == unsealed, letter == bad, "{shown}");
            let (state, outcome) =
                if letter == bad { ("new", "refused") } else { ("stored", "stored") };
            assert_eq!((&shown["state"], &decision["outcome"]), (&state.into(), &outcome.into()));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_secret_hides_no_row_of_the_directory_and_takes_none_from_an_export() {
    let fleet = still().await;
    let before = text(&fleet, &["connector", "export"]).await;
    let clients = text(&fleet, &["client", "export"]).await;
    for (name, how) in ["supplier-callback", "mo-sample", "sample-bank"].into_iter().zip(LOST) {
        let mut connection = fleet.database().connection().await.unwrap();
        let sql =
            "update connector set secret_sealed = '\\x0001' || sha256($1::bytea) where name = $2";
        let query = sqlx::query(sql).bind(how.as_bytes()).bind(name);
        query.execute(&mut connection).await.unwrap();
        let list = fleet.operator(&["connector", "list"]).await;
        let unreadable = list["unreadable"].to_string();
        assert!(unreadable.contains(&format!("connector {name}: connector.secret")), "{list}");
        let shown = text(&fleet, &["connector", "show", name]).await;
        assert!(shown.contains("cannot be read") && shown.contains("base_url"), "{shown}");
    }
    assert_eq!(text(&fleet, &["connector", "export"]).await, before);
    change(
        &fleet,
        "update client set ipn_key_sealed = '\\x0102', signature_secret_sealed = '\\x0102'
                    where ipn_key_sealed is not null and $1::uuid is not null",
        Uuid::nil(),
    )
    .await;
    assert_eq!(text(&fleet, &["client", "export"]).await, clients);
    let list = fleet.operator(&["client", "list"]).await;
    assert!(list["unreadable"].to_string().contains("client.ipn_key"), "{list}");
}
