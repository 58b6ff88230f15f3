//! A simulator with a caller, and bodies as the fleet sends them.

use std::time::Duration;

use fleet_simulator::{Action, Behaviour, EffectKind, Running, Simulator, SimulatorSettings};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

pub(crate) const PURCHASE: &str = "01936f2c-7a40-7cc3-98c5-000000000001";

pub(crate) struct World {
    pub(crate) running: Running,
    pub(crate) http: reqwest::Client,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(SimulatorSettings::for_tests("http://127.0.0.1:9")).await
    }

    pub(crate) async fn with(settings: SimulatorSettings) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .timeout(Duration::from_secs(10));
        let running = Simulator::start(settings).await.unwrap();
        Self { running, http: http.build().unwrap() }
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        self.try_post(path, body).await.unwrap()
    }

    /// A call that shows what its party wants of its callers.
    pub(crate) fn asking(&self, path: &str, body: &Value) -> RequestBuilder {
        let body = body.to_string();
        let mut request = self.http.post(self.running.url(path));
        if let Some((name, value)) = self.shown(path, body.as_bytes()) {
            request = request.header(name, value);
        }
        request.header("content-type", "application/json").body(body)
    }

    pub(crate) async fn try_post(&self, path: &str, body: &Value) -> reqwest::Result<Response> {
        self.asking(path, body).send().await
    }

    pub(crate) async fn code(&self, path: &str, body: &Value) -> String {
        code(self.post(path, body).await).await
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        let mut request = self.http.get(self.running.url(path));
        if let Some((name, value)) = self.shown(path, b"") {
            request = request.header(name, value);
        }
        request.send().await.unwrap()
    }

    /// What a party wants of its callers.
    pub(crate) fn shown(&self, path: &str, body: &[u8]) -> Option<(&'static str, String)> {
        let mut parts = path.split('/');
        let (party, call) = (parts.next().unwrap(), parts.next().unwrap_or_default());
        let asked = ["reserve", "result", "reservations", "charge", "charges", "refund", "vend"];
        let asked = asked.contains(&call) || matches!(call, "validate" | "messages");
        self.running.world().wanted(party).header(body).filter(|_| asked)
    }

    pub(crate) fn script(&self, action: Action, behaviours: Vec<Behaviour>) {
        self.running.world().script(PURCHASE, action, behaviours);
    }

    pub(crate) fn count(&self, kind: EffectKind) -> u64 {
        self.running.world().summary().effect_count(kind)
    }

    pub(crate) fn rules(&self) -> Vec<&'static str> {
        self.running.world().violations().into_iter().map(|found| found.rule).collect()
    }

    /// Reserves and vends, so that a settlement is due.
    pub(crate) async fn vended(&self) {
        assert_eq!(self.code("bank/reserve", &reserve(PURCHASE)).await, "0000");
        assert_eq!(self.code("supplier-lookup/vend", &vend(0)).await, "0000");
    }
}

pub(crate) async fn code(response: Response) -> String {
    assert_eq!(response.status(), StatusCode::OK);
    let body: Value = response.json().await.unwrap();
    body["responseCode"].as_str().unwrap().to_owned()
}

pub(crate) fn reserve(purchase: &str) -> Value {
    json!({
        "clientTxnRef": "order-1", "raasTxnRef": purchase, "productId": 101,
        "purchaseAmount": 1500, "reserveAmount": 1550, "feeAmount": 50, "currencyCode": "ZAR",
        "sourceIdentifier": "27821234567", "targetIdentifier": "27821234567", "channelId": 7
    })
}

pub(crate) fn vend(number: u32) -> Value {
    json!({
        "vendRef": format!("{PURCHASE}-{number:04}"), "raasTxnRef": PURCHASE, "productId": 101,
        "targetIdentifier": "27821234567", "amount": 1500, "currencyCode": "ZAR",
        "sourceIdentifier": "27821234567"
    })
}

pub(crate) fn result(code: &str) -> Value {
    let settlement = if code == "0000" { 1550 } else { 0 };
    json!({
        "clientTxnRef": "order-1", "raasTxnRef": PURCHASE,
        "reserveFundsTxnRef": format!("RSV-{PURCHASE}"), "responseCode": code,
        "timestamp": "2026-11-23T09:30:00.000Z", "reserveAmount": 1550, "feeAmount": 50,
        "settlementAmount": settlement, "vendAmount": 1500, "clientShareAmount": 50,
        "vendorShareAmount": 1500
    })
}

pub(crate) fn signature(secret: &str, body: &str) -> String {
    use base64::Engine;
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    base64::prelude::BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

pub(crate) async fn until(holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait).await.expect("the condition holds in time");
}
