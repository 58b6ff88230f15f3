//! The README's ways to enqueue a purchase.

use fleet_domain::{PurchaseId, PurchaseStatus};
use fleet_simulator::EffectKind;
use fleet_testkit::TestFleet;
use secrecy::ExposeSecret;
use serde_json::Value;

use super::programs::{Workshop, json, readme};

/// Where `make run` has its servers.
const README_BROKER: &str = "amqp://svc-shop:sample-svc-shop@127.0.0.1:21572/fleet";
const README_GATEWAY: &str = "http://127.0.0.1:21081";

fn with_address(code: &str, readme: &str, own: &str) -> String {
    assert!(code.contains(readme), "{readme} is not in {code}");
    code.replace(readme, own)
}

async fn assert_made(fleet: &TestFleet, told: &Value) -> PurchaseId {
    let id: PurchaseId = told["raasTxnRef"].as_str().unwrap().parse().unwrap();
    let view = fleet.wait_final(id).await;
    assert_eq!(view.purchase.status(), PurchaseStatus::Success);
    for kind in [EffectKind::Reserve, EffectKind::Vend, EffectKind::Capture, EffectKind::Result] {
        assert_eq!(fleet.count(id, kind), 1, "{kind:?}");
    }
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_readme_says_enqueues_purchases_from_python_and_from_node() {
    let fleet = TestFleet::start().await;
    let broker = fleet.vhost().url_for("svc-shop", "sample-svc-shop").unwrap();
    let workshop = Workshop::new();
    for (language, library, file) in
        [("python", "import json, uuid, pika", "shop.py"), ("js", "from \"amqplib\"", "shop.mjs")]
    {
        let code = with_address(&readme(language, library), README_BROKER, broker.expose_secret());
        workshop.write(file, &code);
        let told = workshop.told(file, &[]).await;
        assert_eq!(told["outcome"], "accepted", "{file}: {told}");
        assert_made(&fleet, &told).await;
    }
    fleet.assert_all_ended().await;
    assert_eq!(fleet.simulator().summary().effect_count(EffectKind::Vend), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_readme_says_buys_and_looks_up_with_curl() {
    let fleet = TestFleet::start().await;
    let workshop = Workshop::new();
    let code = readme("sh", "curl -s");
    let (buy, look_up) = code.split_at(code.find("curl -s '").unwrap());
    for (file, code) in [("buy.sh", buy), ("look_up.sh", look_up)] {
        let address = fleet.url("");
        workshop.write(file, &with_address(code, README_GATEWAY, &address));
    }
    let first = json(&workshop.run("buy.sh", &[]).await);
    assert_eq!(first["responseCode"], "0000", "{first}");
    let again = json(&workshop.run("buy.sh", &[]).await);
    assert_eq!(again["raasTxnRef"], first["raasTxnRef"], "the same purchase");
    let id = assert_made(&fleet, &first).await;
    let found = json(&workshop.run("look_up.sh", &[]).await);
    assert_eq!(found["raasTxnRef"], id.to_string());
    assert_eq!(found["transactionStatus"], "SUCCESS");
    fleet.assert_all_ended().await;
}
