//! A message to a person never goes to a stranger: only what a product's type calls a phone is one.

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
async fn an_import_takes_only_types_that_there_are() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    for word in ["Electricity", "prepaid electricity", "tv", "Bill", ""] {
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
async fn a_voucher_goes_to_the_buyer_where_the_target_is_not_surely_a_phone() {
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
