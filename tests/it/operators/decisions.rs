//! Every decision of a person has a reason that may be kept, a name and a time.

use super::{still, stored, text, told};

/// Reasons that nobody may keep.
const REFUSED: [(&str, &str); 6] = [
    ("4111111111111111", "card number"),
    ("card 5500-0000 0000 0004 of the buyer", "card number"),
    ("378282246310005 was charged", "card number"),
    ("", "1 to 200"),
    ("a\u{1b}[2J", "control"),
    ("   ", "1 to 200"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_command_keeps_a_reason_or_a_name_that_looks_like_a_card_number() {
    let fleet = still().await;
    let id = stored(&fleet, 3_450, "ZAR").await.to_string();
    let commands: [&[&str]; 11] = [
        &["delivery", "hold", &id],
        &["delivery", "hold", &id, "--removed"],
        &["delivery", "release", &id],
        &["delivery", "resend", &id],
        &["callback", "match", "1", &id],
        &["callback", "discard", "1"],
        &["dead", "discard", &id],
        &["dead", "replay", &id],
        &["maintenance", "on"],
        &["maintenance", "off"],
        &["client", "revoke-tokens", "1001"],
    ];
    for command in commands {
        for (reason, word) in REFUSED {
            let (code, text) = told(&fleet, &[command, &["--reason", reason]].concat()).await;
            assert_eq!(code, Some(2), "{command:?} {reason:?}: {text}");
            assert!(text.contains(word), "{command:?}: {text}");
        }
        let who = ["--reason", "a dispute", "--actor", "4111111111111111"];
        let (code, text) = told(&fleet, &[command, &who].concat()).await;
        assert_eq!(code, Some(2), "{command:?}: {text}");
        let (code, _) = told(&fleet, command).await;
        assert_eq!(code, Some(2), "{command:?} needs a reason");
    }
    let shown = fleet.operator(&["purchase", "show", &id]).await;
    assert_eq!(shown["journal"].as_array().unwrap().len(), 0, "nothing was done: {shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holding_releasing_and_resending_stand_in_the_journal_with_who_when_and_why() {
    let fleet = still().await;
    for (actor, removed, word) in [
        ("mia", false, "held_by_hand"),
        ("noor", true, "removed_by_hand"),
        ("zoë", false, "held_by_hand"),
    ] {
        let id = stored(&fleet, 3_450, "ZAR").await.to_string();
        let mut hold = vec!["delivery", "hold", &id, "--reason", "a dispute", "--actor", actor];
        if removed {
            hold.push("--removed");
        }
        text(&fleet, &hold).await;
        // Under the flag of former times, too.
        text(&fleet, &["delivery", "release", &id, "--reason", "it is settled", "--by", actor])
            .await;
        let (code, _) = told(&fleet, &["delivery", "release", &id, "--reason", "again"]).await;
        assert_eq!(code, Some(1), "it is not held any more");
        let shown = fleet.operator(&["purchase", "show", &id]).await;
        let rows = shown["journal"].as_array().unwrap();
        let told: Vec<_> = rows
            .iter()
            .map(|row| (row["outcome"].as_str(), row["detail"].as_str(), row["actor"].as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (Some(word), Some("a dispute"), Some(actor)),
                (Some("released_by_hand"), Some("it is settled"), Some(actor)),
            ]
        );
        assert!(rows.iter().all(|row| row["at"].is_string()), "{shown}");
        assert_eq!(shown["hidden"], serde_json::Value::Null, "{shown}");
        let shown = text(&fleet, &["purchase", "show", &id]).await;
        assert!(shown.contains("it is settled") && shown.contains(actor), "{shown}");
    }
}
