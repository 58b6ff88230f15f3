//! A message to a person never goes to a stranger, and shows every token apart.

use fleet_simulator::{Action, AnswerKind, Behaviour};
use fleet_store::{DirectoryImport, ImportMode};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{purchase, sample};
use serde_json::json;

fn with_type(fleet: &TestFleet, word: &str) -> DirectoryImport {
    let mut import = sample(fleet.simulator_url("").trim_end_matches('/'));
    let row = import.products.iter_mut().find(|row| row.product_id == 301).unwrap();
    row.product_type = word.to_owned();
    import
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b73_an_import_takes_only_types_that_there_are() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    for word in ["Electricity", "prepaid electricity", "tv", "Bill", "airtime ", "AIRTIME", ""] {
        let refused = fleet.store().import(&with_type(&fleet, word), ImportMode::Apply).await;
        let text = refused.unwrap_err().to_string();
        let told = "product 301: product_type must be one of airtime, data, lotto, voucher, \
                    electricity, water, television, bill, payment";
        assert!(text.contains(told), "{word}: {text}");
    }
    for word in ["water", "television", "voucher"] {
        fleet.store().import(&with_type(&fleet, word), ImportMode::Apply).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b73_a_voucher_goes_to_the_buyer_where_the_target_is_not_surely_a_phone() {
    let fleet = TestFleet::start().await;
    // The last three stand in a table of old: no import takes them any more.
    for (word, is_phone) in [
        ("voucher", true),
        ("electricity", false),
        ("water", false),
        ("Electricity", false),
        ("prepaid electricity", false),
        ("tv", false),
    ] {
        let mut connection = fleet.database().connection().await.unwrap();
        let sql = "with changed as (update product set product_type = $1 where product_id = 301)
                   update directory_version set version = version + 1";
        sqlx::query(sql).bind(word).execute(&mut connection).await.unwrap();
        fleet
            .until("the gateway to know it", async || {
                let url = fleet.url("/productLookup/2.0?clientId=1001&productId=301");
                let request = fleet.http().get(url).header("x-api-key", "sample-key-1001");
                fleet.send(request).await.text.contains(&format!("\"{word}\""))
            })
            .await;
        // The workers read the directory at the same pace: one of them may be a moment late.
        let told = async || {
            let mut body = purchase("0000");
            body["productId"] = 301.into();
            body["currencyCode"] = "KWD".into();
            body["targetIdentifier"] =
                format!("312{}", &body["targetIdentifier"].as_str().unwrap()[3..]).into();
            body["additionalData"] = json!({ "notify": ["sms"] });
            let id = fleet.reserve_and_transact(&body).await.accepted();
            fleet.wait_final(id).await;
            let reference = id.to_string();
            let mine = || {
                let messages = fleet.simulator().messages().into_iter();
                messages.into_iter().find(|message| message.reference.starts_with(&reference))
            };
            fleet.until("the message", async || mine().is_some()).await;
            let message = mine().unwrap();
            message.destination.as_str() == body["targetIdentifier"]
        };
        fleet.until(word, async || told().await == is_phone).await;
        for _ in 0..3 {
            assert_eq!(told().await, is_phone, "{word}");
        }
    }
    fleet.assert_all_ended().await;
}

/// Tokens of a prepaid meter after its key was changed, as suppliers put them together.
fn several() -> Vec<(String, Vec<String>)> {
    let tokens: Vec<String> = (1..=3).map(|n| format!("{n}").repeat(20)).collect();
    let [first, second, third] = [0, 1, 2].map(|place| tokens[place].clone());
    let grouped = |digit: &str| vec![digit.repeat(4); 5].join(" ");
    vec![
        (format!("{first}\n{second}"), vec![first.clone(), second.clone()]),
        (format!("{first}\r\n{second}\r\n{third}\r\n"), tokens.clone()),
        (format!("{first}\t{second}"), vec![first.clone(), second.clone()]),
        (format!("{first}\u{2028}{second}\u{85}{third}"), tokens),
        (format!("{}\n{}", grouped("7"), grouped("8")), vec![grouped("7"), grouped("8")]),
        (format!("{first}, {second}"), vec![first, second]),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b74_every_token_of_a_voucher_is_readable_in_the_message() {
    let fleet = TestFleet::start().await;
    for (voucher, tokens) in several() {
        let mut body = purchase("0000");
        body["productId"] = 201.into();
        body["additionalData"] = json!({ "notify": ["sms"] });
        let target = body["targetIdentifier"].as_str().unwrap();
        let odd = serde_json::Map::from_iter([("token".to_owned(), json!(voucher))]);
        let behaviour = Behaviour::effect_then(AnswerKind::Odd(odd));
        fleet.simulator().script(target, Action::Vend, vec![behaviour]);
        let id = fleet.reserve_and_transact(&body).await.accepted();
        let kept = fleet.wait_final(id).await.purchase.progress.voucher.unwrap();
        assert_eq!(kept.expose(), voucher, "the result tells it as it came");
        let messages = fleet.simulator().messages().into_iter();
        let mut mine = messages.filter(|message| message.reference.starts_with(&id.to_string()));
        let text = mine.next().unwrap().text;
        let shown = tokens.join(", ");
        assert!(text.contains(&format!("Voucher {shown} (ref")), "{text}");
    }
    fleet.assert_all_ended().await;
}
