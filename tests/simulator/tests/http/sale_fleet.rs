//! The fleet's side of a device sale, as the contract has it: it signs, checks once and keeps cards.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use ring::hmac;
use serde_json::{Value, json};

pub(crate) const CONTROL_KEY: &str = "B17F59B4-A7DC-41B4-8FF9-37D986B43D20";
pub(crate) const ENDPOINT: &str = "1111";
/// An access token of the client's server.
pub(crate) const ACCESS: &str = "access-token-access-token-access-token";
const CONSUMER_EMAIL: &str = "ada@example.test";

/// What is changed in a reply before it is sent.
pub(crate) type Spoil = fn(&mut Value);

#[derive(Clone, Default)]
pub(crate) struct Fleet {
    pub(crate) url: String,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    sales: HashMap<String, Begun>,
    /// `serverCardId` by `clientCardId`.
    cards: BTreeMap<String, String>,
    mappings: Vec<Value>,
    checks: Vec<Value>,
    callbacks: Vec<BTreeMap<String, String>>,
    answers: VecDeque<StatusCode>,
    spoil: Option<Spoil>,
    spoil_mapping: bool,
    refuse_mapping: VecDeque<StatusCode>,
}

#[derive(Clone)]
struct Begun {
    serial: String,
    nonce: String,
    signature: String,
    transaction: Value,
    is_used: bool,
}

pub(crate) fn sign(texts: &[&str]) -> String {
    let key = hex::decode(CONTROL_KEY.replace('-', "")).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
    hex::encode_upper(hmac::sign(&key, texts.concat().as_bytes()))
}

impl Fleet {
    /// Answers callbacks with the statuses in order, then with 200.
    pub(crate) async fn start(answers: &[u16]) -> Self {
        let fleet = Self::default();
        let answers = answers.iter().map(|status| StatusCode::from_u16(*status).unwrap());
        fleet.kept.lock().unwrap().answers.extend(answers);
        let router = axum::Router::new()
            .route("/sale/initiate-sale", post(initiate))
            .route("/sale/{invoice}/check", post(check))
            .route("/sale/notification", post(notification))
            .route("/callbacks/card-sale/{party}", get(callback))
            .with_state(fleet.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, ..fleet }
    }

    pub(crate) fn spoil(&self, spoil: Spoil) {
        self.kept.lock().unwrap().spoil = Some(spoil);
    }

    pub(crate) fn spoil_mappings(&self) {
        self.kept.lock().unwrap().spoil_mapping = true;
    }

    /// Answers mappings so, then takes them.
    pub(crate) fn refuse_mappings(&self, answers: &[u16]) {
        let answers = answers.iter().map(|status| StatusCode::from_u16(*status).unwrap());
        self.kept.lock().unwrap().refuse_mapping.extend(answers);
    }

    /// Lets the nonce of a sale be used again.
    pub(crate) fn forget_use(&self, invoice: &str) {
        self.kept.lock().unwrap().sales.get_mut(invoice).unwrap().is_used = false;
    }

    pub(crate) fn mappings(&self) -> Vec<Value> {
        self.kept.lock().unwrap().mappings.clone()
    }

    pub(crate) fn checks(&self) -> Vec<Value> {
        self.kept.lock().unwrap().checks.clone()
    }

    /// Waits for so many callbacks.
    pub(crate) async fn wait(&self, count: usize) -> Vec<BTreeMap<String, String>> {
        let told = || self.kept.lock().unwrap().callbacks.clone();
        crate::world::until(|| told().len() >= count).await;
        told()
    }

    /// Waits for the card of the first sale; the app's name of it.
    pub(crate) async fn card(&self) -> String {
        let known = || self.kept.lock().unwrap().cards.keys().next().cloned();
        crate::world::until(|| known().is_some()).await;
        known().unwrap()
    }
}

async fn initiate(State(fleet): State<Fleet>, Json(body): Json<Value>) -> Json<Value> {
    let mut kept = fleet.kept.lock().unwrap();
    let number = kept.sales.len().saturating_add(1);
    let (invoice, nonce) =
        (format!("01936f2c-7a40-7cc3-98c5-{number:012}"), format!("{number:064}"));
    let serial = body["consumer"]["device"]["serialNumber"].as_str().unwrap();
    let transaction = &body["transaction"];
    let (amount, currency) =
        (transaction["amountCentis"].to_string(), transaction["currency"].as_str().unwrap());
    assert_eq!(body["session"], json!({ "accessToken": ACCESS }));
    let signature = sign(&[ACCESS, serial, ENDPOINT, &nonce, &invoice, &amount, currency]);
    let begun = Begun {
        serial: serial.to_owned(),
        nonce: nonce.clone(),
        signature: signature.clone(),
        transaction: transaction.clone(),
        is_used: false,
    };
    kept.sales.insert(invoice.clone(), begun);
    Json(json!({
        "endpointId": ENDPOINT,
        "invoiceId": invoice,
        "session": { "nonce": nonce, "signature": signature },
    }))
}

async fn check(
    State(fleet): State<Fleet>,
    Path(invoice): Path<String>,
    Json(body): Json<Value>,
) -> Response {
    let mut kept = fleet.kept.lock().unwrap();
    kept.checks.push(body.clone());
    let spoil = kept.spoil;
    let card = body["sourceOfFunds"]["reference"]["clientCardId"].as_str();
    let card = card.map(|card| kept.cards.get(card).cloned());
    let Some(sale) = kept.sales.get_mut(&invoice) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let session = &body["session"];
    let is_true = session["accessToken"] == ACCESS
        && session["nonce"] == *sale.nonce
        && session["signature"] == *sale.signature
        && body["consumer"]["device"]["serialNumber"] == *sale.serial;
    if !is_true || sale.is_used || card == Some(None) {
        return StatusCode::FORBIDDEN.into_response();
    }
    sale.is_used = true;
    let card = card.flatten();
    let card_text = card.as_deref().unwrap_or_default();
    let signature = sign(&[&sale.serial, &sale.nonce, ENDPOINT, &invoice, card_text]);
    let mut reply = json!({
        "invoiceId": invoice,
        "session": {
            "checkSignature": signature,
            "nonce": sale.nonce,
            "token": session["token"],
        },
        "transaction": sale.transaction,
    });
    if let Some(card) = card {
        reply["sourceOfFunds"] = json!({ "reference": { "serverCardId": card } });
        reply["consumer"] = json!({ "email": CONSUMER_EMAIL });
    }
    if let Some(spoil) = spoil {
        spoil(&mut reply);
    }
    Json(reply).into_response()
}

async fn notification(State(fleet): State<Fleet>, Json(body): Json<Value>) -> Response {
    let mut kept = fleet.kept.lock().unwrap();
    if let Some(status) = kept.refuse_mapping.pop_front() {
        return status.into_response();
    }
    kept.mappings.push(body.clone());
    let token = &body["session"]["token"];
    let check = kept.checks.iter().find(|check| check["session"]["token"] == *token).unwrap();
    let nonce = check["session"]["nonce"].as_str().unwrap().to_owned();
    let invoice =
        kept.sales.iter().find(|(_, sale)| sale.nonce == nonce).map(|(invoice, _)| invoice.clone());
    let invoice = invoice.unwrap();
    let server_card = body["sourceCard"]["reference"]["serverCardId"].as_str().unwrap().to_owned();
    let client_card = format!("client-card-{}", kept.cards.len());
    kept.cards.insert(client_card, server_card);
    let signature = sign(&[&nonce, ENDPOINT, &invoice]);
    let signature = if kept.spoil_mapping { signature.replace(['0', '1'], "2") } else { signature };
    Json(json!({ "session": { "checkSignature": signature } })).into_response()
}

async fn callback(
    State(fleet): State<Fleet>,
    Path(party): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> StatusCode {
    assert_eq!(party, "billblend-sample");
    let mut kept = fleet.kept.lock().unwrap();
    let answer = kept.answers.pop_front().unwrap_or(StatusCode::OK);
    if answer == StatusCode::OK {
        kept.callbacks.push(query);
    }
    answer
}
