//! MNO Lookup and country prefixes.

use fleet_store::PortedRow;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{HttpAnswer, key_of};
use serde_json::{Value, json};

async fn get(fleet: &TestFleet, path: &str) -> HttpAnswer {
    fleet.send(fleet.http().get(fleet.url(path)).header("x-api-key", key_of(1001))).await
}

async fn operator(fleet: &TestFleet, msisdn: &str, code: &str) -> HttpAnswer {
    let path = format!("/mnoLookup/1.0?clientId=1001&msisdn={msisdn}&countryCallingCode={code}");
    get(fleet, &path).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_longest_prefix_tells_the_operator_and_a_ported_number_its_new_one() {
    let fleet = TestFleet::builder()
        .workers(&["gateway"])
        .directory(|import| {
            let (number, operator) = ("+27 83 555 0001".into(), "65501".to_owned());
            import.ported.push(PortedRow { number, operator });
        })
        .start()
        .await;
    for number in ["27835550001", "27821119999", "27821234567"] {
        fleet.keep_secret(number);
    }
    for (msisdn, code, operator_code) in [
        ("27821234567", "27", "65501"),
        ("%2B27821234567", "27", "65501"),
        ("0821234567", "27", "65501"),
        ("27%2082-123-4567", "27", "65501"),
        ("27811234567", "27", "65501"),
        ("27810234567", "27", "65510"),
        ("27835550001", "27", "65501"),
        ("0835550001", "27", "65501"),
        ("27835550002", "27", "65510"),
        ("27821119999", "27", "65507"),
        ("96526925482", "965", "none"),
        ("96566925482", "965", "41902"),
    ] {
        let answer = operator(&fleet, msisdn, code).await;
        if operator_code == "none" {
            assert_eq!((answer.status, answer.code().as_str()), (400, "9020"), "{answer:?}");
            continue;
        }
        assert_eq!((answer.status, answer.code().as_str()), (200, "0000"), "{answer:?}");
        assert_eq!(answer.json()["operatorCode"], operator_code, "{msisdn}");
    }
    let mut told = operator(&fleet, "0821234567", "27").await.json();
    let reference = told["lookupRef"].take();
    assert!(reference.as_str().is_some_and(|reference| reference.len() == 36), "{reference}");
    assert_eq!(
        told,
        json!({
            "msisdn": "27821234567", "countryCallingCode": 27, "countryCode": "ZA",
            "operatorCode": "65501", "operatorName": "Vodacom", "lookupRef": null,
            "responseCode": "0000", "responseMessage": "Success",
        })
    );
    let mut connection = fleet.database().connection().await.unwrap();
    let sql = "select string_agg(p::text, ' ') from ported_number p";
    let stored: String = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    assert!(!stored.contains("27821119999") && !stored.contains("27835550001"), "{stored}");
    let sql = "select string_agg(h::text, ' ') from directory_history h";
    let history: String = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    assert!(!history.contains("27821119999") && !history.contains("2783555"), "{history}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_numbers_have_their_codes_and_wrong_questions_name_their_field() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    for (msisdn, code) in [
        ("27821234567", "44"),
        ("%2B234803123456", "27"),
        ("27x", "27"),
        ("12", "27"),
        ("278212345678901234", "27"),
        ("%D9%A2%D9%A7", "27"),
        ("27821234567", "-27"),
        ("2782%00123", "27"),
    ] {
        let answer = operator(&fleet, msisdn, code).await;
        assert_eq!((answer.status, answer.code().as_str()), (200, "9010"), "{msisdn}: {answer:?}");
        assert!(answer.json().get("operatorCode").is_none(), "{answer:?}");
    }
    let long = "2".repeat(4_000);
    assert_eq!(operator(&fleet, &long, "27").await.code(), "9010");
    let nobody = operator(&fleet, "27611234567", "27").await;
    assert_eq!((nobody.status, nobody.code().as_str()), (400, "9020"), "{nobody:?}");
    for (query, field) in [
        ("", "clientId"),
        ("clientId=1002&msisdn=27821234567&countryCallingCode=27", "clientId"),
        ("clientId=1001&countryCallingCode=27", "msisdn"),
        ("clientId=1001&msisdn=%20&countryCallingCode=27", "msisdn"),
        ("clientId=1001&msisdn=27821234567", "countryCallingCode"),
        ("clientId=1001&msisdn=27821234567&countryCallingCode=%20", "countryCallingCode"),
    ] {
        let answer = get(&fleet, &format!("/mnoLookup/1.0?{query}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "4000"), "{query}: {answer:?}");
        assert!(answer.message().starts_with(&format!("{field} ")), "{query}: {answer:?}");
    }
    let url = fleet.url("/mnoLookup/1.0?clientId=1001&msisdn=27821234567&countryCallingCode=27");
    assert_eq!(fleet.send(fleet.http().get(url)).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_does_not_answer_is_a_time_out_and_never_a_wrong_operator() {
    let fleet = TestFleet::builder().workers(&["gateway"]).with_database_proxy().start().await;
    assert_eq!(operator(&fleet, "27821119999", "27").await.code(), "0000");
    for text in ["could not", "store failed", "on-release", "heartbeat", "backlog is not known"] {
        fleet.allow_log(text);
    }
    fleet.database_proxy().cut();
    let began = tokio::time::Instant::now();
    let answer = operator(&fleet, "27821119999", "27").await;
    assert_eq!((answer.status, answer.code().as_str()), (200, "9030"), "{answer:?}");
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    fleet.database_proxy().heal();
    fleet
        .until("the operator again", async || {
            operator(&fleet, "27821119999", "27").await.json()["operatorCode"] == "65507"
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn country_prefixes_are_told_all_or_one() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    let all = get(&fleet, "/lookupCountryPrefix/1.0").await.json();
    let codes: Vec<&Value> = all.as_array().unwrap().iter().map(|c| &c["countryCode"]).collect();
    assert_eq!(codes, ["KW", "NG", "ZA"]);
    let one = json!([{ "countryName": "Nigeria", "dialingPrefix": 234, "countryCode": "NG" }]);
    assert_eq!(get(&fleet, "/lookupCountryPrefix/1.0?countryCode=ng").await.json(), one);
    assert_eq!(get(&fleet, "/lookupCountryPrefix/1.0?countryCode=XX").await.json(), json!([]));
    for code in ["N", "NGA", "1%20", "%00a"] {
        let answer = get(&fleet, &format!("/lookupCountryPrefix/1.0?countryCode={code}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "4000"), "{answer:?}");
        assert!(answer.message().starts_with("countryCode "), "{answer:?}");
    }
    let url = fleet.url("/lookupCountryPrefix/1.0");
    assert_eq!(fleet.send(fleet.http().get(url)).await.status, 401);
}
