//! Whatever comes in: schemathesis asks the gateway what its document allows and what it forbids.

use fleet_simulator::EffectKind;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::purchase;
use serde_json::{Value, json};

use super::programs::{Workshop, variable};

/// Cases of each operation in each phase.
const CASES: &str = "25";

/// Purchases that look-ups can find: their three references.
async fn known(fleet: &TestFleet) -> Value {
    let mut known = Vec::new();
    for code in ["0000", "9101", "9201"] {
        let mut body = purchase(code);
        let id = fleet.reserve_and_transact(&body).await.reference();
        let view = fleet.wait_final(id).await;
        let reservation = view.purchase.reservation().unwrap_or("none").to_owned();
        known.push(json!([id, body["clientTxnRef"].take(), reservation]));
    }
    known.into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gateway_answers_every_request_as_its_document_says() {
    let fleet = TestFleet::start().await;
    let known = known(&fleet).await;
    let workshop = Workshop::new();
    let seed = variable("FLEET_FUZZ_SEED").unwrap_or_else(|| "1".to_owned());
    let (url, document) = (fleet.url(""), fleet.url("/openapi.json"));
    let mut command = workshop.python();
    command.args(["-m", "schemathesis.cli", "--no-color", "run", "--url", &url]);
    command.args(["--max-examples", CASES, "--seed", &seed, &document]);
    command.env("FLEET_FUZZ_KNOWN", known.to_string());
    let output = command.output().await.unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{error}");
    // What was taken in goes the way of every purchase.
    assert!(fleet.simulator().summary().effect_count(EffectKind::Vend) > 20, "{told}");
    fleet.assert_conserved().await;
}
