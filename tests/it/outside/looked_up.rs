//! Look-ups to the letter, and channels that nobody numbers.

use fleet_contracts::RequestedOutcome;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{HttpAnswer, Letter, TRANSACT, key_of, purchase};
use serde_json::{Value, json};

async fn get(fleet: &TestFleet, path: &str) -> HttpAnswer {
    fleet.send(fleet.http().get(fleet.url(path)).header("x-api-key", key_of(1001))).await
}

async fn operator(fleet: &TestFleet, msisdn: &str, code: &str) -> HttpAnswer {
    let path = format!("/mnoLookup/1.0?clientId=1001&msisdn={msisdn}&countryCallingCode={code}");
    get(fleet, &path).await
}

/// What the gateway's document says of an operation.
async fn said(fleet: &TestFleet, path: &str) -> Value {
    get(fleet, "/openapi.json").await.json()["paths"][path]["get"].take()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_of_impossible_length_and_a_wrong_country_are_9010() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    for (msisdn, code, why) in [
        ("278212345678", "27", "a digit too many"),
        ("%2B27 821 2345 678", "27", "a digit too many"),
        ("08212345678", "27", "a digit too many in its national form"),
        ("27821234567890", "27", "three too many"),
        ("2782", "27", "far too short"),
        ("23480312345678", "234", "a digit too many"),
        ("9656692548", "965", "a digit too few"),
        ("965669254821", "965", "a digit too many"),
        ("2348031234567", "27", "a number of Nigeria"),
        ("96526925482", "27", "a number of Kuwait"),
        ("27821234567", "965", "a number of South Africa"),
        ("27821234567", "234", "a number of South Africa"),
        ("27821234567", "44", "a country that we do not know"),
        ("27821234567", "999", "a country that nobody is"),
        ("27821234567", "0", "no country"),
        ("27821234567", "99999999999", "no country"),
        ("27821234567", "ZA", "no calling code"),
        ("27821234567", "2.7", "no calling code"),
    ] {
        let answer = operator(&fleet, msisdn, code).await;
        assert_eq!((answer.status, answer.code().as_str()), (200, "9010"), "{why}: {answer:?}");
        assert!(answer.json().get("operatorCode").is_none(), "{why}: {answer:?}");
    }
    // The document's own number, which the library's rules of validity refuse; its prefix is nobody's.
    let own = operator(&fleet, "96526925482", "965").await;
    assert_eq!((own.status, own.code().as_str()), (400, "9020"), "{own:?}");
    for (msisdn, code, operator_code) in [
        ("27821234567", "27", "65501"),
        ("0821234567", "%2B27", "65501"),
        ("2348031234567", "234", "62130"),
        ("08031234567", "234", "62130"),
        ("96566925482", "965", "41902"),
        ("66925482", "965", "41902"),
    ] {
        let answer = operator(&fleet, msisdn, code).await;
        assert_eq!(answer.json()["operatorCode"], operator_code, "{msisdn}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_of_a_look_up_is_what_the_document_says_of_it() {
    const BUYER: &str = "27825550077";
    let fleet = TestFleet::start().await;
    let mut newest = Vec::new();
    for _ in 0..12 {
        let mut body = purchase("0000");
        body["sourceIdentifier"] = BUYER.into();
        body["productId"] = 201.into();
        let id = fleet.transact(&body).await.accepted();
        let voucher = fleet.wait_final(id).await.purchase.progress.voucher.unwrap();
        fleet.keep_secret(voucher.expose());
        newest.insert(0, id.to_string());
    }
    let tokens = async |limit: &str| -> Vec<String> {
        let path = format!("/tokenLookup/1.0?clientId=1001&sourceIdentifier={BUYER}{limit}");
        let rows = get(&fleet, &path).await.json()["tokens"].as_array().unwrap().clone();
        rows.iter().map(|row| row["raasTxnRef"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(tokens("").await, newest[..10], "ten without a limit, the newest first");
    assert_eq!(tokens("&limit=12").await, newest);
    assert_eq!(tokens("&limit=3").await, newest[..3]);
    assert_eq!(tokens("&limit=50").await, newest);
    for limit in ["0", "51", "-1", "1e1"] {
        let path = format!("/tokenLookup/1.0?clientId=1001&sourceIdentifier={BUYER}&limit={limit}");
        let answer = get(&fleet, &path).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "4000"), "{limit}");
        assert!(answer.message().starts_with("limit "), "{limit}: {answer:?}");
    }
    let said = said(&fleet, "/tokenLookup/1.0").await;
    let text = said["description"].as_str().unwrap();
    assert!(text.contains("the newest 10, or `limit` of them"), "{text}");
    let parameters = said["parameters"].as_array().unwrap();
    let limit = parameters.iter().find(|one| one["name"] == "limit").unwrap();
    assert_eq!((&limit["schema"]["minimum"], &limit["schema"]["maximum"]), (&json!(1), &json!(50)));
    let text = limit["description"].as_str().unwrap();
    assert!(!text.contains("only the required"), "that is another look-up's: {text}");
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_terms_the_products_own_fee_holds_and_the_document_says_so() {
    let fleet = TestFleet::start().await;
    let terms = get(&fleet, "/financial-terms/1.0?clientId=1001&productId=101&purchaseAmount=1500");
    let told = terms.await;
    let wanted = json!({
        "currencyCode": "ZAR", "purchaseAmount": 1500, "reserveAmount": 1550, "vendAmount": 1500,
        "feeAmount": 50, "settlementAmount": 1550, "clientShareAmount": 50,
        "lookupReference": "*.101.0",
    });
    assert_eq!((told.status, told.json()), (200, wanted));
    let id = fleet.reserve_and_transact(&purchase("0000")).await.accepted();
    fleet.wait_final(id).await;
    fleet.assert_all_ended().await;
    let results = fleet.simulator().results_of(&id.to_string());
    assert!(results.len() > 1, "bank and client");
    for seen in results {
        let seen = (seen.fee, seen.settlement, seen.client_share, seen.vendor_share);
        assert_eq!(seen, (50, 1550, 50, 1500), "as it was told");
    }
    let unknown = "/financial-terms/1.0?clientId=1001&productId=99&purchaseAmount=1500";
    let unknown = get(&fleet, unknown).await;
    assert_eq!((unknown.status, unknown.code().as_str()), (400, "4000"));
    assert!(unknown.message().starts_with("productId "), "{unknown:?}");
    let text = said(&fleet, "/financial-terms/1.0").await["description"].take();
    let text = text.as_str().unwrap();
    for part in ["the product's own fee", "the client's share", "unknown product is a 400"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let document = get(&fleet, "/openapi.json").await.json();
    let reply = &document["components"]["schemas"]["FinancialTermsReply"]["properties"];
    let text = reply["lookupReference"]["description"].as_str().unwrap();
    assert!(text.contains("version 0"), "{text}");
}

const UNKNOWN: [i64; 8] = [5, 9, 0, -1, 10, 99, 999, 2_147_483_648];

fn on(channel: i64) -> Value {
    let mut body = purchase("0000");
    body["channelId"] = channel.into();
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_nobody_numbers_is_refused_wherever_it_comes_in() {
    let fleet = TestFleet::builder().workers(&["gateway", "reservation"]).start().await;
    let refused = |answer: &HttpAnswer, what: &str| {
        assert_eq!((answer.status, answer.code().as_str()), (400, "4000"), "{what}: {answer:?}");
        assert!(answer.message().starts_with("channelId "), "{what}: {answer:?}");
    };
    for channel in UNKNOWN {
        refused(&fleet.transact(&on(channel)).await, "Transact");
        refused(&fleet.reserve_and_transact(&on(channel)).await, "Reserve and Transact");
        for path in ["userTransactionLookup/1.0", "tokenLookup/1.0", "productLookup/2.0"] {
            let query = format!("clientId=1001&sourceIdentifier=27821234567&channelId={channel}");
            refused(&get(&fleet, &format!("/{path}?{query}")).await, path);
        }
        let mut sale = on(channel);
        sale["fundingSourceId"] = "billblend-sample".into();
        let request = fleet.http().post(fleet.url("/consumers/ada/access-tokens"));
        let request = request.header("x-api-key", key_of(1001));
        let answer = fleet.send(request.body(json!({ "purchase": sale }).to_string())).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.text.contains("purchase.channelId "), "{answer:?}");
        let mut message = json!({
            "clientId": 1001, "clientNotificationRef": "note-1", "transactionRef": uuid::Uuid::new_v4(),
            "destinationIdentifier": "27821234567", "message": "A text.", "channelId": channel,
        });
        if channel != 9 {
            refused(&fleet.post("/notification/1.0", &message).await, "Notification");
        }
        message["channelId"] = 7.into();
        refused(&fleet.post("/notification/1.0", &message).await, "no channel of messages");
    }
    fleet.allow_log("dead letter");
    let shop = fleet.shop().await;
    let mut replies = shop.replies().await;
    for channel in UNKNOWN {
        let message = fleet.message(&on(channel), "we_reserve");
        shop.request(&Letter::purchase(&message).answered(&replies)).await;
        let (reply, _) = replies.next().await;
        assert_eq!(reply.outcome, RequestedOutcome::Invalid, "{channel}: {reply:?}");
        assert!(format!("{reply:?}").contains("channelId "), "{channel}: {reply:?}");
    }
    for letter in fleet.wait_letters(UNKNOWN.len()).await {
        assert!(letter.row.detail.starts_with("channelId "), "{letter:?}");
    }
    for channel in [1, 2, 3, 4, 6, 7, 8] {
        fleet.transact(&on(channel)).await.accepted();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_of_a_stored_purchase_is_answered_whatever_channel_it_names() {
    let fleet = TestFleet::builder().workers(&["gateway", "reservation"]).start().await;
    let mut body = on(7);
    let id = fleet.transact(&body).await.accepted();
    for channel in UNKNOWN.into_iter().filter(|channel| (1..=999).contains(channel)) {
        body["channelId"] = channel.into();
        let again = fleet.post(TRANSACT, &body).await;
        assert_eq!((again.status, again.accepted()), (200, id), "{channel}");
    }
    let shop = fleet.shop().await;
    let mut replies = shop.replies().await;
    let message = fleet.message(&body, "client_reserved");
    shop.request(&Letter::purchase(&message).answered(&replies)).await;
    let (reply, _) = replies.next().await;
    assert_eq!(reply.outcome, RequestedOutcome::Accepted, "{reply:?}");
    assert!(fleet.letters().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_product_is_sold_on_known_channels_only() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let product = |channels: &str| {
        format!(
            "[[product]]\nproduct_id = 901\nname = \"P\"\nproduct_type = \"airtime\"\n\
             supplier = \"supplier-lookup\"\ncurrency = \"ZAR\"\nmin_amount = 1\nmax_amount = 9\n\
             fee = {{ fixed = 0, basis_points = 0 }}\nchannels = {channels}\n"
        )
    };
    let told = "product 901: channels must be some of 1, 2, 3, 4, 6, 7, 8";
    let wrong = ["[5]", "[7, 9]", "[0]", "[999]"].map(|channels| (product(channels), told));
    crate::setups::all_refused(&fleet, &wrong).await;
    let right = ["[]", "[1, 2, 3, 4, 6, 7, 8]"].map(product);
    crate::setups::all_taken(&fleet, &right).await;
}
