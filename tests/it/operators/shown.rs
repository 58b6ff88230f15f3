//! What one purchase's text tells: nothing that only its JSON has.

use fleet_domain::TaskKind;
use fleet_testkit::TestFleet;
use serde_json::json;

use super::{change, parked, still, stored, text};

/// A callback of a purchase, by its own word or by a person's.
async fn fact(fleet: &TestFleet, id: uuid::Uuid, source: &str, kind: i16, reference: &str) -> i64 {
    let sql = "insert into fact (source, fact_type, reference, status, external_id, meaning,
                                 purchase, kind, slot, received_at)
               values ($2, 'mo_charge', $4, 'CHARGED', 'x-1', '', $1, $3, 0, fleet_now())
               returning fact";
    let query = sqlx::query_scalar(sql).bind(id).bind(source).bind(kind).bind(reference);
    query.fetch_one(&mut fleet.database().connection().await.unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purchases_text_tells_its_callbacks_its_holds_end_and_who_decided() {
    let fleet = still().await;
    for (source, kind, reference, actor) in [
        ("mo_charge:mo-sample", 1_i16, "27821234567", "mia"),
        ("callback:supplier-callback", 2, "vend-7", "noor"),
        ("call", 3, "order-42", "zoë"),
    ] {
        let id = stored(&fleet, 3_450, "ZAR").await;
        change(
            &fleet,
            "update purchase set hold_expires_at = '2031-02-03 04:05:06+00',
                        reservation = 'hold-9' where purchase = $1",
            id.0,
        )
        .await;
        fact(&fleet, id.0, source, kind, reference).await;
        let by_hand = fact(&fleet, id.0, source, kind, &format!("{reference}-b")).await;
        let sql = "insert into fact_decision (fact, action, purchase, reason, actor)
                   values ($1, 'matched', $2, 'the buyer sent the bill', $3)";
        let query = sqlx::query(sql).bind(by_hand).bind(id.0).bind(actor);
        query.execute(&mut fleet.database().connection().await.unwrap()).await.unwrap();
        parked(&fleet, id, TaskKind::Reserve, "unknown_outcome", "nobody can tell").await;
        let id = id.to_string();
        let why = ["--reason", "a dispute", "--actor", actor];
        text(&fleet, &[&["delivery", "hold", &id], &why[..]].concat()).await;

        let shown = text(&fleet, &["purchase", "show", &id]).await;
        let kind = TaskKind::from_code(kind).unwrap().to_string();
        for words in [
            source,
            "CHARGED",
            "by itself",
            &kind,
            "held until 2031-02-03 04:05:06",
            "hold-9",
            &format!("by {actor}: the buyer sent the bill"),
            &format!("held by {actor} since"),
            "a dispute",
            "held_by_hand",
        ] {
            assert!(shown.contains(words), "{words} is not told: {shown}");
        }
        assert!(!shown.contains("27821234567"), "{shown}");
        let told = fleet.operator(&["purchase", "show", &id]).await;
        assert_eq!(told["facts"].as_array().unwrap().len(), 2, "{told}");
        assert_eq!(told["facts"][1]["matched_by"], actor, "{told}");
        assert_eq!(told["facts"][0]["matched_by"], json!(null), "{told}");
        assert!(!told.to_string().contains("27821234567"), "{told}");
        assert_eq!(told["hidden"]["actor"], actor, "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stored_text_that_a_terminal_would_act_on_is_printed_as_its_code() {
    let fleet = still().await;
    for (cause, shown) in [
        ("clear \u{1b}[2J", "clear \\u001b[2J"),
        ("turned \u{202e}dellecnac", "turned \\u202edellecnac"),
        ("two\u{2028}lines\u{200b}", "two\\u2028lines\\u200b"),
    ] {
        let id = stored(&fleet, 3_450, "ZAR").await;
        parked(&fleet, id, TaskKind::Reserve, "poison", cause).await;
        let id = id.to_string();
        for command in
            [vec!["purchase", "show", &id], vec!["dead", "show", &id], vec!["dead", "list"]]
        {
            let told = text(&fleet, &command).await;
            let told = told.replace("\\\\u", "\\u");
            assert!(told.contains(shown), "{command:?}: {told}");
            assert!(!told.contains(['\u{1b}', '\u{202e}', '\u{2028}', '\u{200b}']), "{command:?}");
        }
        let json = fleet.operator(&["purchase", "show", &id]).await;
        assert_eq!(json["tasks"][0]["park_cause"], cause, "programs get what is stored");
    }
}
