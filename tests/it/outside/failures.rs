//! IPN of failed payments, as a client's choice (`ipn.failures`).

use fleet_domain::PurchaseId;
use fleet_simulator::{CardData, Order};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{PATIENCE, client, key_of, purchase};
use serde_json::{Value, json};

use crate::card_sale::refused::tell_of;
use crate::card_sale::{app, by_app, id_of};

fn order(code: &str) -> Value {
    let mut body = purchase(code);
    body["clientId"] = 1011.into();
    body
}

fn received(fleet: &TestFleet, id: PurchaseId) -> Vec<Value> {
    let id = id.to_string();
    let calls = fleet.simulator().ipns().into_iter().filter(|call| *call.transaction == *id);
    calls.map(|call| serde_json::from_str(&call.body).unwrap()).collect()
}

/// The sample's merchant as its row is exported, changed, and imported again.
async fn choose(fleet: &TestFleet, format: &str, change: impl Fn(String) -> String) -> Value {
    let name = format!("choice-{}.{format}", uuid::Uuid::new_v4());
    let file = std::env::temp_dir().join(name).display().to_string();
    fleet.operator(&["client", "export", "--format", format, "--output", &file]).await;
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, change(text)).unwrap();
    let report = fleet.operator(&["client", "import", &file]).await;
    std::fs::remove_file(&file).unwrap();
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_chooses_failures_gets_an_ipn_of_each_with_its_status() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    let before = fleet.operator(&["client", "show", "1011"]).await;
    assert_eq!(before["row"]["ipn"]["failures"], false, "none, unless it is chosen: {before}");
    let chosen = |text: String| text.replace("failures = false", "failures = true");
    let report = choose(&fleet, "toml", chosen).await;
    assert_eq!(report["changes"], json!(["client 1011 changed"]), "{report}");
    let shown = fleet.operator(&["client", "show", "1011"]).await;
    assert_eq!(shown["row"]["ipn"]["failures"], true, "{shown}");
    let as_it_is = |text: String| {
        assert!(text.lines().next().unwrap().contains("ipn.failures"), "{text}");
        text
    };
    assert_eq!(choose(&fleet, "csv", as_it_is).await["changes"], json!([]), "the same as a table");

    // Whoever starts now knows it.
    for program in ["reservation", "dispensing", "result-delivery", "fraud-reporting"] {
        fleet.start_worker(program).await;
    }
    let done = fleet.reserve_and_transact(&order("0000")).await.accepted();
    fleet.wait_final(done).await;
    let [told] = &received(&fleet, done)[..] else { panic!("told once") };
    assert!(told.get("status").is_none(), "a completed payment's body is the document's: {told}");
    for code in ["9201", "9101"] {
        let id = fleet.reserve_and_transact(&order(code)).await.reference();
        let view = fleet.wait_final(id).await;
        let row = view.deliveries.iter().find(|row| row.channel == "ipn").unwrap();
        assert_eq!((row.state.as_str(), row.attempts), ("sent", 1), "{row:?}");
        let [told] = &received(&fleet, id)[..] else { panic!("told once") };
        assert_eq!((&told["status"], &told["accountID"]), (&json!("FAILED"), &json!("77")));
        let url = fleet.url(&format!("/api/transactions/{id}"));
        let query = fleet.http().get(url).header("authorization", key_of(1011));
        let shown = fleet.send(query).await.json();
        for (field, value) in told.as_object().unwrap() {
            assert_eq!(&shown[field], value, "{field} as in the IPN");
        }
        // The same bytes again; the listener compares them, and has checked verifysign.
        let again = ["delivery", "resend", &id.to_string(), "--reason", "asked for"];
        fleet.operator(&again).await;
        fleet.until("the IPN again", async || received(&fleet, id).len() == 2).await;
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reversal_after_success_sends_no_second_ipn_and_changes_no_status() {
    let fleet = TestFleet::builder()
        .directory(|import| client(import, 1011).ipn.as_mut().unwrap().failures = true)
        .start()
        .await;
    let mut body = by_app(1550, "0000");
    body["clientId"] = 1011.into();
    fleet.keep_private(&body);
    let request = fleet.http().post(fleet.url("/consumers/ada/access-tokens"));
    let request = request.header("x-api-key", key_of(1011));
    let answer = fleet.send(request.body(json!({ "purchase": body }).to_string())).await;
    let access_token = answer.json()["accessToken"].as_str().unwrap().to_owned();
    let (serial, currency) = ("SN-0001".to_owned(), "ZAR".to_owned());
    let order = Order { access_token, serial, amount_centis: 1550, currency };
    let sale = app(&fleet).first_sale(&order, &CardData::planted()).await.unwrap();
    let id = id_of(&sale);
    fleet.wait_final(id).await;
    let paid = sale.order_id.unwrap();
    for kind in ["reversal", "chargeback"] {
        let answer = tell_of(&fleet, id, [kind, "approved"], &paid, "15.50").await;
        assert_eq!(answer.status, 200, "{kind}: {answer:?}");
        fleet.wait_parked(id).await;
    }
    fleet.wait_idle(PATIENCE).await;
    assert_eq!(received(&fleet, id).len(), 1, "one IPN of a transaction");
    let view = fleet.purchase(id).await;
    let rows: Vec<_> = view.deliveries.iter().map(|row| row.channel.as_str()).collect();
    assert_eq!(rows, ["ipn"]);
    let url = fleet.url(&format!("/api/transactions/{id}"));
    let query = fleet.http().get(url).header("authorization", key_of(1011));
    assert_eq!(fleet.send(query).await.json()["status"], "SUCCESS");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_says_what_a_listener_gets_of_failures_and_reversals() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    let document = fleet.send(fleet.http().get(fleet.url("/openapi.json"))).await.json();
    let ipn = &document["webhooks"]["ipn"]["post"];
    let text = ipn["description"].as_str().unwrap();
    for part in ["`ipn.failures`", "`status`", "reversal or chargeback"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let status = &document["components"]["schemas"]["Ipn"]["properties"]["status"];
    assert_eq!(status["enum"], json!(["FAILED"]), "{status}");
    let required = document["components"]["schemas"]["Ipn"]["required"].to_string();
    assert!(required.contains("verifysign") && !required.contains("status"), "{required}");
}
