//! A list says when it is not all, how to go on, and what it leaves out.

use fleet_domain::TaskKind;
use fleet_testkit::TestFleet;
use serde_json::Value;

use super::{change, parked, still, stored, text, told};
use crate::replay::keep;

/// All rows of a list, page by page; the pages that it took.
async fn pages(
    fleet: &TestFleet,
    command: &[&str],
    rows: &str,
    next: &str,
    flag: &str,
) -> (Vec<Value>, usize) {
    let (mut all, mut count, mut after) = (Vec::new(), 0, None::<String>);
    loop {
        let mut arguments = command.to_vec();
        if let Some(after) = &after {
            arguments.extend([flag, after]);
        }
        let page = fleet.operator(&arguments).await;
        all.extend(page[rows].as_array().unwrap().iter().cloned());
        count += 1;
        let cursor = page.pointer(next).unwrap();
        match cursor {
            Value::Null => return (all, count),
            Value::String(text) => after = Some(text.clone()),
            number @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                after = Some(number.to_string());
            }
        }
        assert!(count < 50, "it does not end");
    }
}

fn distinct(rows: &[Value], keys: &[&str]) -> usize {
    let key = |row: &Value| keys.iter().map(|key| row[*key].to_string()).collect::<String>();
    rows.iter().map(key).collect::<std::collections::BTreeSet<_>>().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_what_waits_says_how_much_more_there_is_and_goes_on_to_its_end() {
    let fleet = still().await;
    keep(&fleet, "conflict", 5).await;
    keep(&fleet, "invalid", 7).await;
    for _ in 0..7 {
        let id = stored(&fleet, 3_450, "ZAR").await;
        parked(&fleet, id, TaskKind::Settle, "supplier_fault", "refused: conflict of terms").await;
        parked(&fleet, id, TaskKind::Case, "unknown_outcome", "contrary").await;
    }
    for (filter, tasks, letters) in [
        (vec![], 14, 12),
        (vec!["--cause", "conflict"], 7, 5),
        (vec!["--kind", "case"], 7, 0),
        (vec!["--class", "supplier_fault", "--client", "1001"], 7, 0),
        (vec!["--state", "new", "--cause", "invalid"], 0, 7),
    ] {
        for limit in ["3", "7", "100"] {
            let command = [&["dead", "list", "--limit", limit], &filter[..]].concat();
            let (rows, took) = pages(&fleet, &command, "parked", "/next/parked", "--after").await;
            assert_eq!(rows.len(), tasks, "{command:?}");
            assert_eq!(distinct(&rows, &["raas_txn_ref", "kind", "slot"]), tasks, "{command:?}");
            let most = limit.parse::<usize>().unwrap();
            assert_eq!(took, tasks.div_ceil(most).max(1), "{command:?}: no page is empty");
            let (rows, _) = pages(&fleet, &command, "letters", "/next/letters", "--after").await;
            assert_eq!((rows.len(), distinct(&rows, &["id"])), (letters, letters), "{command:?}");
            let shown = text(&fleet, &command).await;
            let more = shown.contains(&format!("{most} of {tasks} parked tasks; more"));
            assert_eq!(more, tasks > most, "{command:?}: {shown}");
            let more = shown.contains(&format!("{most} of {letters} dead letters; more"));
            assert_eq!(more, letters > most, "{command:?}: {shown}");
            assert_eq!(
                shown.contains("letters are left out"),
                filter.iter().any(|word| ["--kind", "--class", "--client"].contains(word)),
                "{command:?}: {shown}"
            );
            let left_out = shown.contains("parked tasks are left out");
            assert_eq!(left_out, filter.contains(&"--state"), "{command:?}: {shown}");
        }
    }
    for wrong in ["nonsense", "0198f000-0000-7000-8000-000000000000.nothing.0", "7.case"] {
        let (code, text) = told(&fleet, &["dead", "list", "--after", wrong]).await;
        assert_eq!(code, Some(2), "{text}");
    }
    let both = ["dead", "list", "--state", "new", "--kind", "case"];
    assert_eq!(told(&fleet, &both).await.0, Some(2), "nothing is both");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replays_callbacks_and_rows_of_the_directory_go_on_to_their_end() {
    let fleet = still().await;
    let facts = "insert into fact (source, fact_type, reference, status, external_id, meaning,
                                   received_at)
                 select 'callback:supplier-callback', 'vend', 'r' || n, 's', 'x', '', fleet_now()
                 from generate_series(1, 6) n";
    let replays = "insert into replay (replay, actor, reason, criteria, letters, rate, stop_at)
                   select gen_random_uuid(), 'mia', 'r', '{}', 1, 1, 1 from generate_series(1, 6)";
    let mut connection = fleet.database().connection().await.unwrap();
    for sql in [facts, replays] {
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    }
    for _ in 0..3 {
        let id = stored(&fleet, 3_450, "ZAR").await;
        let sql =
            "insert into delivery (purchase, slot, client_id, channel, body_sealed, created_at)
                   select $1, n, 1001, 'ipn', '\\x00', fleet_now() from generate_series(1, 2) n";
        change(&fleet, sql, id.0).await;
    }
    let clients = fleet.operator(&["client", "list"]).await["rows"].as_array().unwrap().len();
    for (command, rows, next, flag, count) in [
        (["callback", "list"], "callbacks", "/next_before", "--before", 6),
        (["dead", "replays"], "replays", "/next", "--before", 6),
        (["delivery", "list"], "deliveries", "/next", "--after", 6),
        (["client", "list"], "rows", "/next", "--after", clients),
    ] {
        for limit in [1, 2, 3] {
            let text_limit = limit.to_string();
            let command = [&command[..], &["--limit", &text_limit]].concat();
            let (all, took) = pages(&fleet, &command, rows, next, flag).await;
            assert_eq!((all.len(), took), (count, count.div_ceil(limit)), "{command:?}");
            let shown = text(&fleet, &command).await;
            assert!(shown.contains(flag), "{command:?} ends as if that were all: {shown}");
        }
        let shown = text(&fleet, &command).await;
        assert!(!shown.contains(flag), "{command:?} is all: {shown}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_invariant_says_that_more_rows_break_it_than_are_shown() {
    let fleet = still().await;
    for _ in 0..3 {
        let id = stored(&fleet, 3_450, "ZAR").await;
        change(&fleet, "delete from task where purchase = $1", id.0).await;
    }
    for (limit, shown, more) in
        [("1", 1, true), ("2", 2, true), ("3", 3, false), ("1000", 3, false)]
    {
        let command = ["verify", "--only", "S3", "--limit", limit];
        let output = fleet.run("fleet", &[&["--json"], &command[..]].concat()).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let found = &told["invariants"][0];
        assert_eq!(found["violations"].as_array().unwrap().len(), shown, "{found}");
        assert_eq!(found["more"], more, "{found}");
        let (_, text) = super::told(&fleet, &command).await;
        assert_eq!(text.contains("and more than these"), more, "{text}");
    }
}
