//! Paying on a device: what a client's server and its app do. The app is the simulator's.

use std::time::Duration;

use fleet_simulator::{CardData, DeviceApp};
use serde::Deserialize;
use serde_json::json;

use crate::order::Order;
use crate::run::Answer;
use crate::send_http::chain;

/// The sample's card gateway.
const CARD_GATEWAY: &str = "billblend-sample";
/// One call of the client's server may take this long.
const DEADLINE: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Token {
    access_token: String,
}

/// Where an app calls.
pub(crate) struct Shop<'a> {
    pub(crate) http: &'a reqwest::Client,
    pub(crate) gateway: &'a str,
    pub(crate) simulator: &'a str,
}

impl Shop<'_> {
    /// Pays one purchase; an error may be tried again.
    pub(crate) async fn sell(&self, order: &Order) -> Result<Answer, String> {
        let (amount_centis, currency) = order.paid();
        let sale = fleet_simulator::Order {
            access_token: self.access_token(order).await?,
            serial: format!("SN-{}", order.client_ref),
            amount_centis,
            currency: currency.to_owned(),
        };
        let card_gateway = format!("{}/{CARD_GATEWAY}", self.simulator);
        let app = DeviceApp::new(self.gateway, &card_gateway).map_err(|error| chain(&error))?;
        let sold = app.first_sale(&sale, &CardData::planted()).await;
        let sold = sold.map_err(|error| chain(&error))?;
        Ok(Answer::Accepted { code: "0000".to_owned(), raas_txn_ref: sold.invoice_id })
    }

    /// What the client's server gives to its app.
    async fn access_token(&self, order: &Order) -> Result<String, String> {
        let body = json!({ "purchase": order.sale_purchase(CARD_GATEWAY) });
        let url = format!("{}/consumers/{}/access-tokens", self.gateway, order.client_ref);
        let request = self.http.post(url).timeout(DEADLINE);
        let request = request.header("x-api-key", order.client.api_key);
        let request = request.header("content-type", "application/json").body(body.to_string());
        let answer = request.send().await.map_err(|error| chain(&error))?;
        let status = answer.status();
        if !status.is_success() {
            let text = answer.text().await.unwrap_or_default();
            return Err(format!("no access token: HTTP status {status}: {text}"));
        }
        let token: Token = answer.json().await.map_err(|error| chain(&error))?;
        Ok(token.access_token)
    }
}
