//! A fleet of a few lines, without memory or patience: for the tests of this program only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use fleet_simulator::{Running, World};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::sleep;

/// What it does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    VendsTwice,
    LosesOne,
}

pub(crate) struct TinyFleet {
    pub(crate) url: String,
    listener: TcpListener,
    fault: Fault,
}

/// Status by the client's reference, and callbacks' codes by vend reference.
#[derive(Clone)]
struct Fleet {
    simulator: String,
    world: World,
    fault: Fault,
    http: reqwest::Client,
    status: Arc<Mutex<HashMap<String, &'static str>>>,
    confirmed: Arc<Mutex<HashMap<String, String>>>,
}

impl TinyFleet {
    pub(crate) async fn bind(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Self { url, listener, fault }
    }

    pub(crate) fn serve(self, simulator: &Running) {
        let fleet = Fleet {
            simulator: simulator.url("").trim_end_matches('/').to_owned(),
            world: simulator.world().clone(),
            fault: self.fault,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            status: Arc::default(),
            confirmed: Arc::default(),
        };
        let router = Router::new()
            .route("/transact/4.0", post(async |fleet, body| take_in(fleet, body, false)))
            .route("/reserveAndTransact/4.0", post(async |fleet, body| take_in(fleet, body, true)))
            .route("/lookup-api/2.0", get(look_up))
            .route("/callbacks/suppliers/supplier-callback", post(confirm))
            .with_state(fleet);
        let listener = self.listener;
        tokio::spawn(async move { axum::serve(listener, router).await });
    }
}

fn take_in(State(fleet): State<Fleet>, Json(order): Json<Value>, we_reserve: bool) -> Json<Value> {
    let purchase = uuid::Uuid::new_v4().to_string();
    let lost = fleet.fault == Fault::LosesOne && text(&order, "clientTxnRef").ends_with("-000007");
    if !lost {
        let purchase = purchase.clone();
        fleet.status.lock().unwrap().insert(text(&order, "clientTxnRef"), "PENDING");
        tokio::spawn(async move { fleet.drive(&order, &purchase, we_reserve).await });
    }
    Json(json!({ "responseCode": "0000", "raasTxnRef": purchase }))
}

async fn look_up(
    State(fleet): State<Fleet>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<Value>, StatusCode> {
    let known = fleet.status.lock().unwrap();
    let status = known.get(&query["clientTransactionReference"]).ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(json!({ "transactionStatus": status })))
}

async fn confirm(State(fleet): State<Fleet>, Json(reply): Json<Value>) {
    let (vend_ref, code) = (text(&reply, "vendRef"), text(&reply, "responseCode"));
    fleet.confirmed.lock().unwrap().insert(vend_ref, code);
}

impl Fleet {
    async fn drive(&self, order: &Value, purchase: &str, we_reserve: bool) {
        let amount = order["purchaseAmount"].as_i64().unwrap();
        let mut code = "0000".to_owned();
        if we_reserve {
            let body = json!({
                "clientTxnRef": order["clientTxnRef"], "raasTxnRef": purchase,
                "productId": order["productId"], "purchaseAmount": amount,
                "reserveAmount": amount, "feeAmount": 0, "currencyCode": order["currencyCode"],
                "sourceIdentifier": order["sourceIdentifier"],
                "targetIdentifier": order["targetIdentifier"], "channelId": 7
            });
            code = self.until_decided("bank/reserve", &body).await;
        }
        let is_held = we_reserve && code == "0000";
        if code == "0000" {
            code = self.vend(order, purchase).await;
        }
        let done = code == "0000";
        let result = json!({
            "clientTxnRef": order["clientTxnRef"], "raasTxnRef": purchase,
            "reserveFundsTxnRef": format!("RSV-{purchase}"), "responseCode": code,
            "timestamp": "2026-11-24T09:00:00.000Z", "reserveAmount": amount, "feeAmount": 0,
            "settlementAmount": if done { amount } else { 0 }, "vendAmount": 0,
            "clientShareAmount": 0, "vendorShareAmount": 0
        });
        if is_held {
            self.until_decided("bank/result", &result).await;
        }
        let status = if done { "SUCCESS" } else { "FAILED" };
        self.status.lock().unwrap().insert(text(order, "clientTxnRef"), status);
        let (body, client) = (result.to_string(), &order["clientId"]);
        let signed = crate::send_http::signature("sample-signature-1002", body.as_bytes());
        let url = format!("{}/client/{client}/result", self.simulator);
        let send = || self.http.post(&url).header("signature", &signed).body(body.clone()).send();
        while !send().await.is_ok_and(|answer| answer.status().is_success()) {
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// A bank deduplicates, so it is asked until it decides.
    async fn until_decided(&self, path: &str, body: &Value) -> String {
        loop {
            match self.code(self.http.post(format!("{}/{path}", self.simulator)).json(body)).await {
                Some(code) if code != "2060" => return code,
                _ => sleep(Duration::from_millis(20)).await,
            }
        }
    }

    async fn vend(&self, order: &Value, purchase: &str) -> String {
        let supplier = match order["productId"].as_i64().unwrap() {
            102 => "supplier-callback",
            301 => "supplier-plain",
            _ => "supplier-lookup",
        };
        let url = format!("{}/{supplier}/vend", self.simulator);
        let mut numbers = 0..9;
        let mut number = numbers.next().unwrap_or(0);
        loop {
            let vend_ref = format!("{purchase}-{number:04}");
            let body = json!({
                "vendRef": vend_ref, "raasTxnRef": purchase, "productId": order["productId"],
                "targetIdentifier": order["targetIdentifier"], "amount": order["purchaseAmount"],
                "currencyCode": order["currencyCode"]
            });
            let answer = self.code(self.http.post(&url).json(&body)).await;
            if answer.as_deref() == Some("0000") && self.fault == Fault::VendsTwice {
                let mut again = body.clone();
                again["vendRef"] = format!("{purchase}-0900").into();
                self.code(self.http.post(&url).json(&again)).await;
            }
            match answer.as_deref() {
                Some("429") => sleep(Duration::from_millis(20)).await,
                Some("2201" | "2225") => number = numbers.next().unwrap_or(0),
                Some(code) if !matches!(code, "2236" | "7777") => return code.to_owned(),
                _ => return self.outcome(supplier, &vend_ref).await,
            }
        }
    }

    /// Looks up, or waits for the callback.
    async fn outcome(&self, supplier: &str, vend_ref: &str) -> String {
        loop {
            let url = format!("{}/{supplier}/vend/{vend_ref}", self.simulator);
            let found = match supplier {
                "supplier-lookup" => self.code(self.http.get(url)).await,
                _ => self.confirmed.lock().unwrap().get(vend_ref).cloned(),
            };
            match found {
                Some(code) if code != "2236" => return code,
                _ => sleep(Duration::from_millis(20)).await,
            }
        }
    }

    async fn code(&self, request: reqwest::RequestBuilder) -> Option<String> {
        let mut request = request.build().ok()?;
        let party = request.url().path_segments()?.next()?.to_owned();
        let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
        if let Some((name, value)) = self.world.wanted(&party).header(body) {
            request.headers_mut().insert(name, value.parse().ok()?);
        }
        let answer = self.http.execute(request).await.ok()?;
        match answer.status().as_u16() {
            200 => Some(text(&answer.json().await.ok()?, "responseCode")),
            429 => Some("429".to_owned()),
            _ => None,
        }
    }
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}
