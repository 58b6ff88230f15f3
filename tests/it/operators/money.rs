//! Money at risk is one figure, whichever command tells it.

use fleet_domain::TaskKind;
use serde_json::json;

use super::{parked, still, stored, text};

/// Minor units, currency, what people read, and the parked tasks of the purchase.
const CASES: [(i64, &str, &str, &[TaskKind]); 3] = [
    (1_500, "JPY", "1500 JPY", &[TaskKind::Reserve]),
    (1_500, "KWD", "1.500 KWD", &[TaskKind::Dispense, TaskKind::Case]),
    (3_450, "ZAR", "34.50 ZAR", &[TaskKind::Settle, TaskKind::Refund, TaskKind::Case]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_at_risk_is_one_figure_in_every_command_and_one_hold_counts_once() {
    let fleet = still().await;
    let mut ids = Vec::new();
    for (minor, currency, _, kinds) in CASES {
        let id = stored(&fleet, minor, currency).await;
        for kind in kinds {
            parked(&fleet, id, *kind, "unknown_outcome", "nobody can tell").await;
        }
        ids.push(id.to_string());
    }
    let sums = CASES.map(|(minor, currency, words, _)| {
        json!({ "currency": currency, "minor": minor, "text": words, "purchases": 1 })
    });
    let line = CASES.map(|(_, _, words, _)| format!("{words} of 1 purchases")).join(", ");
    let list = fleet.operator(&["dead", "list"]).await;
    assert_eq!(list["at_risk"], json!(sums));
    assert_eq!(list["matching"]["parked"], 6, "{list}");
    let shown = text(&fleet, &["dead", "list"]).await;
    assert!(shown.contains(&format!("at risk: {line}\n")), "{shown}");
    assert_eq!(shown.matches("same hold").count(), 3, "{shown}");
    let summary = fleet.operator(&["summary"]).await;
    assert_eq!(summary["at_risk"], json!(sums), "{summary}");
    let shown = text(&fleet, &["summary"]).await;
    assert!(shown.contains(&format!("at risk: {line}\n")), "{shown}");

    for ((minor, currency, words, kinds), id) in CASES.into_iter().zip(&ids) {
        let rows = list["parked"].as_array().unwrap();
        let rows: Vec<_> = rows.iter().filter(|row| row["raas_txn_ref"] == **id).collect();
        assert_eq!(rows.len(), kinds.len(), "{list}");
        assert_eq!(rows.iter().filter(|row| row["at_risk_counts"] == true).count(), 1, "{list}");
        let dead = fleet.operator(&["dead", "show", id]).await;
        let purchase = fleet.operator(&["purchase", "show", id]).await;
        let tasks = purchase["tasks"].as_array().unwrap();
        let tasks = tasks.iter().filter(|task| task["state"] == "parked");
        let each = dead["parked"].as_array().unwrap().iter().chain(tasks).chain(rows);
        let each: Vec<_> = each.chain([&dead, &purchase]).collect();
        assert_eq!(each.len(), 3 * kinds.len() + 2);
        for told in each {
            assert_eq!(told["at_risk"], words, "{told}");
            assert_eq!(
                (&told["at_risk_minor"], &told["at_risk_currency"]),
                (&json!(minor), &json!(currency)),
                "{told}"
            );
        }
        let shown = text(&fleet, &["purchase", "show", id]).await;
        assert!(shown.contains(&format!("at risk: {words}, one hold")), "{shown}");
        assert!(!shown.contains("minor"), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_counts_each_hold_that_it_finds_once_and_no_other() {
    let fleet = still().await;
    for (minor, currency, _, kinds) in CASES {
        for _ in 0..3 {
            let id = stored(&fleet, minor, currency).await;
            for kind in kinds {
                let class = if *kind == TaskKind::Case { "supplier_fault" } else { "our_fault" };
                parked(&fleet, id, *kind, class, &format!("a cause of {kind}")).await;
            }
        }
    }
    let sum = |index: usize, purchases: i64| {
        let (minor, currency, _, _) = CASES[index];
        (currency, minor * purchases, purchases)
    };
    for (filter, sums, rows) in [
        (vec!["--kind", "case"], vec![sum(1, 3), sum(2, 3)], 6),
        (vec!["--class", "our_fault"], vec![sum(0, 3), sum(1, 3), sum(2, 3)], 12),
        (vec!["--cause", "CAUSE OF refund"], vec![sum(2, 3)], 3),
        (vec!["--client", "1002"], vec![], 0),
        (vec!["--kind", "case", "--limit", "1"], vec![sum(1, 3), sum(2, 3)], 1),
    ] {
        let list = fleet.operator(&[&["dead", "list"], &filter[..]].concat()).await;
        assert_eq!(list["parked"].as_array().unwrap().len(), rows, "{filter:?}");
        let told: Vec<_> = list["at_risk"].as_array().unwrap().iter().collect();
        assert_eq!(told.len(), sums.len(), "{filter:?} {list}");
        for (told, (currency, minor, purchases)) in told.into_iter().zip(sums) {
            assert_eq!(
                (&told["currency"], &told["minor"], &told["purchases"]),
                (&json!(currency), &json!(minor), &json!(purchases)),
                "{filter:?}"
            );
        }
    }
}
