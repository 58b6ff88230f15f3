//! Clients of the gateway.

use fleet_domain::PurchaseId;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::TestFleet;

/// The path of Transact.
pub const TRANSACT: &str = "/transact/4.0";
/// The path of Reserve and Transact.
pub const RESERVE_AND_TRANSACT: &str = "/reserveAndTransact/4.0";

/// What an HTTP server answered.
#[derive(Debug, Clone)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub text: String,
}

impl HttpAnswer {
    pub(super) async fn of(answer: reqwest::Response) -> Self {
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Self { status, headers, text: answer.text().await.unwrap_or_default() }
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_error| panic!("no JSON: {self:?}"))
    }

    /// `responseCode`.
    #[must_use]
    pub fn code(&self) -> String {
        self.json()["responseCode"].as_str().unwrap_or_default().to_owned()
    }

    /// `responseMessage`.
    #[must_use]
    pub fn message(&self) -> String {
        self.json()["responseMessage"].as_str().unwrap_or_default().to_owned()
    }

    /// `raasTxnRef`.
    #[must_use]
    pub fn reference(&self) -> PurchaseId {
        let json = self.json();
        let reference = json["raasTxnRef"].as_str().and_then(|text| text.parse().ok());
        reference.unwrap_or_else(|| panic!("no raasTxnRef: {self:?}"))
    }

    /// The purchase's reference, of an answer that says that it is stored.
    #[expect(clippy::must_use_candidate, reason = "that it is accepted may be all that is asked")]
    pub fn accepted(&self) -> PurchaseId {
        assert!(self.status == 200 && self.code() == "0000", "not accepted: {self:?}");
        self.reference()
    }
}

/// The fields that no purchase may lack, over either way in.
pub const REQUIRED_FIELDS: [&str; 8] = [
    "clientId",
    "clientTxnRef",
    "productId",
    "purchaseAmount",
    "currencyCode",
    "channelId",
    "sourceIdentifier",
    "targetIdentifier",
];

/// A client's reference.
fn reference() -> String {
    let letter = |_| char::from(rand::random_range(b'a'..=b'z'));
    format!("order-{}", (0..16).map(letter).collect::<String>())
}

/// The fields of a purchase of product 101 for client 1001, with numbers of its own.
///
/// `code` is that of a script of the simulator, `0000` when all is to go well.
#[must_use]
pub fn purchase(code: &str) -> Value {
    let digits = |count: u32| rand::random_range(0..10_u64.pow(count));
    json!({
        "clientId": 1001,
        "clientTxnRef": reference(),
        "productId": 101,
        "purchaseAmount": 1500,
        "currencyCode": "ZAR",
        "channelId": 7,
        "sourceIdentifier": format!("27{:09}", digits(9)),
        "targetIdentifier": format!("27{:05}{code}", digits(5)),
        "timestamp": "2026-01-31T10:00:00Z",
    })
}

impl TestFleet {
    /// The address of a path of the gateway.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.gateway)
    }

    /// An HTTP client without retries, proxies and redirects.
    #[must_use]
    pub const fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Transact, as the client that the body names.
    pub async fn transact(&self, body: &Value) -> HttpAnswer {
        self.post(TRANSACT, body).await
    }

    /// Reserve and Transact, as the client that the body names.
    pub async fn reserve_and_transact(&self, body: &Value) -> HttpAnswer {
        self.post(RESERVE_AND_TRANSACT, body).await
    }

    /// A POST as the client that the body names, signed where the sample says so.
    pub async fn post(&self, path: &str, body: &Value) -> HttpAnswer {
        self.keep_private(body);
        let text = body.to_string();
        let client = body["clientId"].as_i64().unwrap_or(1001);
        let mut request = self.http.post(self.url(path)).header("x-api-key", key_of(client));
        if client == 1002 {
            let secret = "sample-signature-1002";
            let signature = fleet_outbound::hmac_sha256_base64(secret, text.as_bytes());
            request = request.header("signature", signature);
        }
        self.send(request.body(text)).await
    }

    /// Sends any request.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> HttpAnswer {
        let answer = request.send().await;
        HttpAnswer::of(answer.unwrap_or_else(|error| panic!("no answer: {error}"))).await
    }

    /// Transaction Lookup as a client: `query` without the client's number.
    pub async fn look_up(&self, client: i64, query: &str) -> HttpAnswer {
        let url = self.url(&format!("/lookup-api/2.0?clientId={client}&{query}"));
        self.send(self.http.get(url).header("x-api-key", key_of(client))).await
    }

    /// From now on these may stand in no log.
    pub fn keep_private(&self, body: &Value) {
        let texts = ["sourceIdentifier", "targetIdentifier"].map(|field| body[field].as_str());
        // Shorter ones stand in other numbers by chance.
        let texts = texts.into_iter().flatten().filter(|text| text.len() >= 9);
        super::lock(&self.private).extend(texts.map(str::to_owned));
    }
}

/// The sample's API key of a client.
#[must_use]
pub fn key_of(client: i64) -> String {
    format!("sample-key-{client}")
}
