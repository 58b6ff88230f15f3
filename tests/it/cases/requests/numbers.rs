//! One number, one form: in what is kept, compared, looked for and sent. The name of an account stays
//! as it came.

use fleet_contracts::RequestedOutcome::{Accepted, Conflict, Invalid};
use fleet_domain::{PurchaseId, PurchaseStatus};
use fleet_simulator::{Action, Behaviour};
use fleet_store::{DirectoryImport, ImportMode};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{purchase, sample};
use serde_json::{Value, json};

use super::{assert_refused, enqueued, get, send, with};
use crate::setups::{all_refused, all_taken};

/// Numbers of three countries. All goes well with one that ends like this.
fn numbers() -> [String; 3] {
    let some = || rand::random_range(100..1_000);
    [format!("2782{}0000", some()), format!("9652{}0000", some()), format!("1415{}0000", some())]
}

/// Every form of a number that says its country.
fn forms(number: &str) -> [String; 6] {
    let (country, rest) = number.split_at(3);
    [
        number.to_owned(),
        format!("+{number}"),
        format!("00{number}"),
        format!("+{country} {rest}"),
        format!("00-{country}-{rest}"),
        format!(" {country} {rest} "),
    ]
}

/// Characters that nobody sees, as phones and chats copy them, and how they are told.
const UNSEEN: [(char, &str); 5] = [
    ('\u{200b}', "U+200B"),
    ('\u{a0}', "U+00A0"),
    ('\u{202a}', "U+202A"),
    ('\u{feff}', "U+FEFF"),
    ('\t', "U+0009"),
];

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

fn of(number: &str) -> Value {
    let mut body = purchase("0000");
    for field in ["sourceIdentifier", "targetIdentifier"] {
        body[field] = number.into();
    }
    body
}

/// The purchases that a look-up finds.
async fn found(fleet: &TestFleet, path: &str, form: &str) -> Vec<String> {
    let query = format!("clientId=1001&sourceIdentifier={}&limit=50", encoded(form));
    let answer = get(fleet, &format!("{path}?{query}")).await.json();
    let list = answer["transactions"].as_array().or_else(|| answer["tokens"].as_array()).unwrap();
    list.iter().map(|row| row["raasTxnRef"].as_str().unwrap().to_owned()).collect()
}

async fn is_one_number_everywhere(fleet: &TestFleet, number: &str) {
    let shop = fleet.shop().await;
    let mut replies = shop.replies().await;
    let first = of(number);
    let id = fleet.transact(&first).await.accepted();
    let mut token = of(number);
    token["productId"] = 201.into();
    token["additionalData"] = json!({ "notify": ["sms"] });
    let bought = fleet.transact(&token).await.accepted();
    fleet.wait_final(id).await;
    fleet.wait_final(bought).await;
    for form in forms(number) {
        let mut again = first.clone();
        again["sourceIdentifier"] = form.as_str().into();
        assert_eq!(fleet.transact(&again).await.accepted(), id, "{form:?}");
        again["targetIdentifier"] = form.as_str().into();
        let message = fleet.message(&again, "client_reserved");
        let (outcome, same, told) = enqueued(fleet, &shop, &mut replies, &message).await;
        assert_eq!((outcome, same), (Accepted, Some(id)), "{form:?}: {told}");

        let token = bought.to_string();
        let purchases = found(fleet, "/userTransactionLookup/1.0", &form).await;
        assert!(purchases.contains(&token), "{form:?}: {purchases:?}");
        assert_eq!(found(fleet, "/tokenLookup/1.0", &form).await, [token], "{form:?}");

        let mut new = of(&form);
        new["clientTxnRef"] = purchase("0000")["clientTxnRef"].clone();
        let order = fleet.purchase(fleet.transact(&new).await.accepted()).await.purchase.order;
        assert_eq!([order.source.expose(), order.target.expose()], [number; 2], "{form:?}");

        let question = json!({
            "clientId": 1001, "purchaseAmount": 1500, "productId": 101, "targetIdentifier": form,
        });
        assert_eq!(fleet.post("/customerAccountValidation/1.0", &question).await.code(), "0000");
        let calls = fleet.simulator().calls().into_iter();
        let mut asked = calls.filter(|call| call.action == Action::ValidateAccount);
        assert_eq!(&*asked.next_back().unwrap().reference, number, "{form:?}");
    }
    is_one_number_for_messages(fleet, number, bought).await;
}

async fn is_one_number_for_messages(fleet: &TestFleet, number: &str, id: PurchaseId) {
    let mut references = Vec::new();
    for form in forms(number) {
        let body = json!({
            "clientId": 1001, "clientNotificationRef": number, "transactionRef": id,
            "channelId": 6, "destinationIdentifier": form, "sourceIdentifier": form,
            "message": "Hi",
        });
        let answer = fleet.post("/notification/1.0", &body).await;
        assert_eq!(answer.status, 200, "{form:?}: {answer:?}");
        references.push(answer.json()["notificationRef"].as_str().unwrap().to_owned());
    }
    references.dedup();
    assert_eq!(references.len(), 1, "one notification: {references:?}");
    fleet.wait_final(id).await;
    let messages = fleet.simulator().messages().into_iter();
    let mine: Vec<_> = messages.filter(|one| one.reference.starts_with(&id.to_string())).collect();
    assert_eq!(mine.len(), 2, "the voucher, and the notification");
    assert!(mine.iter().all(|message| message.destination == number));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b61_a_number_is_the_same_with_plus_with_zeros_and_bare() {
    let fleet = TestFleet::start().await;
    fleet.allow_log("dead letter");
    for number in numbers() {
        is_one_number_everywhere(&fleet, &number).await;
        let mut other = of(&number);
        let id = fleet.transact(&other).await.accepted();
        for changed in [format!("0{number}"), number.replacen('0', "1", 1)] {
            other["targetIdentifier"] = changed.as_str().into();
            assert_eq!(fleet.transact(&other).await.status, 409, "{changed} is another than {id}");
        }
    }
    let query = "clientId=1001&countryCallingCode=27&msisdn=";
    for form in forms("27821234567") {
        let answer = get(&fleet, &format!("/mnoLookup/1.0?{query}{}", encoded(&form))).await;
        assert_eq!(answer.json()["msisdn"], "27821234567", "{form:?}: {answer:?}");
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b61_a_character_that_nobody_sees_is_named() {
    let fleet = TestFleet::builder().workers(&["gateway", "reservation"]).start().await;
    fleet.allow_log("dead letter");
    let shop = fleet.shop().await;
    let mut replies = shop.replies().await;
    for (character, name) in UNSEEN {
        let problem = format!("holds a character that nobody sees ({name}): take it out");
        for odd in [format!("{character}27821234567"), format!("+2782{character}1234567")] {
            for field in ["sourceIdentifier", "targetIdentifier"] {
                let told = format!("{field} {problem}");
                assert_refused(&fleet.transact(&with(field, odd.as_str())).await, &told, name);
                let message = fleet.message(&with(field, odd.as_str()), "client_reserved");
                let (outcome, _, text) = enqueued(&fleet, &shop, &mut replies, &message).await;
                assert_eq!((outcome, text), (Invalid, told));
            }
            let path = "/userTransactionLookup/1.0?clientId=1001&sourceIdentifier=";
            let answer = get(&fleet, &format!("{path}{}", encoded(&odd))).await;
            assert_refused(&answer, &format!("sourceIdentifier {problem}"), name);
            let path = "/mnoLookup/1.0?clientId=1001&countryCallingCode=27&msisdn=";
            let answer = get(&fleet, &format!("{path}{}", encoded(&odd))).await;
            assert_eq!(answer.code(), "9010", "{answer:?}");
            assert_eq!(answer.message(), format!("msisdn {problem}"));
        }
    }
    for text in ["+0821234567", "+0027821234567", "+27", "++27821234567", "+27821234567890123"] {
        let answer = fleet.transact(&with("sourceIdentifier", text)).await;
        assert_refused(&answer, "sourceIdentifier must be a number of 7 to 15 digits", text);
    }
    for text in ["\u{ff12}\u{ff17}821234567", "٢٧٨٢١٢٣٤٥٦٧", "(27) 821234567", "tel:27821234567"]
    {
        let answer = fleet.transact(&with("targetIdentifier", text)).await;
        assert_refused(&answer, "targetIdentifier must be 1 to 32 letters", text);
    }
}

fn blacklisted(rows: [&'static str; 3]) -> impl FnOnce(&mut DirectoryImport) + 'static {
    move |import| {
        for source in rows {
            let row = json!({ "source": source, "reason": "a test's" });
            import.sources.push(serde_json::from_value(row).unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b62_a_blacklisted_buyer_is_refused_in_every_form_of_the_number() {
    let numbers = ["27825550011", "96526925482", "14155550123"];
    let fleet = TestFleet::builder()
        .workers(&["gateway"])
        .directory(blacklisted(["+27 82-555-0011", "0096526925482", "14155550123"]))
        .start()
        .await;
    for number in numbers {
        for form in forms(number) {
            let body = with("sourceIdentifier", form.as_str());
            for answer in [fleet.transact(&body).await, fleet.reserve_and_transact(&body).await] {
                assert_eq!((answer.status, answer.code().as_str()), (200, "2070"), "{form:?}");
            }
            let mut sale = body;
            sale["fundingSourceId"] = "billblend-sample".into();
            let asked = json!({ "purchase": sale }).to_string();
            let answer = send(&fleet, "/consumers/ada/access-tokens", asked).await;
            assert_eq!(answer.status, 400, "{form:?}: {answer:?}");
            assert!(answer.text.contains("sourceIdentifier is blacklisted"), "{answer:?}");
        }
    }
    // Nobody says of which country a national number is.
    fleet.transact(&with("sourceIdentifier", "0825550011")).await.accepted();
    let row = |source: &str| format!("[[source]]\nsource = \"{source}\"\nreason = \"x\"\n");
    all_refused(
        &fleet,
        &[
            (format!("{}{}", row("+27825550012"), row("0027825550012")), "source 2: stands twice"),
            (format!("{}{}", row("965-2692-5483"), row("+96526925483")), "source 2: stands twice"),
            (row("27#82"), "source 1: source must be 1 to 32 letters or digits"),
            (row("+0825550012"), "source 1: source must be a number of 7 to 15 digits"),
            (row("2782\u{200b}5550012"), "source 1: source holds a character that nobody sees"),
        ],
    )
    .await;
    let ported =
        |number: &str| format!("[[ported]]\nnumber = \"{number}\"\noperator = \"65501\"\n");
    all_refused(
        &fleet,
        &[
            (format!("{}{}", ported("+27820000777"), ported("0027820000777")), "stands twice"),
            (ported("0820000777"), "number must be 7 to 15 digits, the calling code first"),
        ],
    )
    .await;
    all_taken(&fleet, &[row("0027825550013"), row("account-7"), ported("0027820000777")]).await;
}

/// Names of accounts that are not to be touched.
const ACCOUNTS: [&str; 5] =
    ["AB-12-34 5", "1002/33-4", "00-27 8212.3#7", "0027821234567", "+27 82"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b65_the_name_of_an_account_is_kept_and_sent_as_it_came() {
    let fleet = TestFleet::start().await;
    fleet.allow_log("dead letter");
    let shop = fleet.shop().await;
    let mut replies = shop.replies().await;
    let mut kept = Vec::new();
    for account in ACCOUNTS {
        // The supplier finds its script by exactly this text.
        let refusal = vec![Behaviour::refuses("2213")];
        fleet.simulator().script(account, Action::Vend, refusal);
        let mut body = with("targetIdentifier", format!("  {account} "));
        body["productId"] = 201.into();
        let id = fleet.transact(&body).await.accepted();
        let view = fleet.wait_final(id).await;
        assert_eq!(view.purchase.order.target.expose(), account);
        assert_eq!(view.purchase.status(), PurchaseStatus::Failed, "sent as it came: {account}");
        let question = json!({
            "clientId": 1001, "purchaseAmount": 1500, "productId": 201, "targetIdentifier": account,
        });
        assert_eq!(fleet.post("/customerAccountValidation/1.0", &question).await.code(), "0000");
        let calls = fleet.simulator().calls().into_iter();
        let mut asked = calls.filter(|call| call.action == Action::ValidateAccount);
        assert_eq!(&*asked.next_back().unwrap().reference, account);
        body["targetIdentifier"] = account.into();
        assert_eq!(
            fleet.transact(&body).await.reference(),
            id,
            "the blanks at the ends are nothing"
        );
        kept.push((body, id));
    }
    // Without its signs it is another account.
    for (body, _) in &kept {
        let mut other = body.clone();
        let letters = |c: &char| c.is_ascii_alphanumeric();
        let account = body["targetIdentifier"].as_str().unwrap();
        let bare: String = account.chars().filter(letters).collect();
        for changed in [format!("{account}0"), bare.trim_start_matches("00").to_owned()] {
            other["targetIdentifier"] = changed.as_str().into();
            assert_eq!(fleet.transact(&other).await.status, 409, "{changed} is not {account}");
        }
        let message = fleet.message(&other, "client_reserved");
        let (outcome, ..) = enqueued(&fleet, &shop, &mut replies, &message).await;
        assert_eq!(outcome, Conflict);
    }
    // What its product is called since does not make a retry another purchase.
    let mut import = sample(fleet.simulator_url("").trim_end_matches('/'));
    let its = import.products.iter_mut().filter(|row| row.product_id == 201);
    its.for_each(|row| row.product_type = "airtime".to_owned());
    fleet.store().import(&import, ImportMode::Apply).await.unwrap();
    let known = async || {
        let url = "/productLookup/2.0?clientId=1001&productId=201";
        get(&fleet, url).await.text.contains("\"airtime\"")
    };
    fleet.until("the gateway to know it", known).await;
    for (body, id) in &kept {
        assert_eq!(fleet.transact(body).await.reference(), *id, "{body}");
    }
    fleet.assert_all_ended().await;
}
