//! A device app, as a client's customers have it: it initiates a sale at the fleet, performs it at
//! the card gateway and asks for its status until it has ended. It can also do things wrong.

mod call;

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::sale::SaleState;
use crate::scripts::target_code;
use crate::settings::planted_card_number;

pub use call::{AppFault, Refusal, Refuser};

/// Statuses are asked this long apart at first, and at most this often.
const POLLS_APART: Duration = Duration::from_millis(250);
const POLLS_MAX: u32 = 120;
/// One call may take this long, unless another patience is set.
const WITHIN: Duration = Duration::from_secs(15);
/// The script in which an app never performs its sale.
const SILENT_APP: &str = "9913";

/// A device app. Clones share its connections.
#[derive(Debug, Clone)]
pub struct DeviceApp {
    http: reqwest::Client,
    fleet: String,
    card_gateway: String,
    polls_apart: Duration,
    polls_max: u32,
    within: Duration,
    wrong: Option<Wrong>,
}

/// What an app does wrong when it performs a sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// Another serial number than it initiated with.
    Serial,
    /// Another nonce than it was given.
    Nonce,
    /// Another signature.
    Signature,
    /// Another access token than it initiated with.
    AccessToken,
    /// Another amount.
    Amount,
    /// Everything is right, and it is sent a second time: the nonce has been used.
    Replay,
}

/// What an app sells.
#[derive(Clone)]
pub struct Order {
    /// Of the client's server.
    pub access_token: String,
    /// Of the device.
    pub serial: String,
    /// In minor units.
    pub amount_centis: i64,
    /// ISO 4217.
    pub currency: String,
}

/// A card as its holder types it in.
#[derive(Clone)]
pub struct CardData {
    /// Its number.
    pub number: String,
    /// The holder's first name.
    pub first_name: String,
    /// The holder's last name.
    pub last_name: String,
    /// `01` to `12`.
    pub month: String,
    /// Four digits.
    pub year: String,
    /// Three or four digits.
    pub security_code: String,
    /// The holder's e-mail: a card mapped with one needs the same one again.
    pub email: Option<String>,
}

/// What the fleet answers to an initiated sale.
#[derive(Clone)]
pub struct Initiated {
    /// The card gateway's endpoint.
    pub endpoint_id: String,
    /// The sale, which is the purchase.
    pub invoice_id: String,
    /// Used once.
    pub nonce: String,
    /// The fleet's signature.
    pub signature: String,
}

/// A sale as the app has seen it last.
#[derive(Clone, PartialEq, Eq)]
pub struct Sale {
    /// The sale, which is the purchase.
    pub invoice_id: String,
    /// Where it stands; nothing when it was never performed.
    pub state: Option<SaleState>,
    /// Every state that was seen, in order, each once in a row.
    pub states: Vec<SaleState>,
    /// The card gateway's number.
    pub order_id: Option<String>,
    /// Opens the sale's status.
    pub token: Option<String>,
    /// The newest status as it came.
    pub status: Value,
    /// How often the status was asked for.
    pub polls: u32,
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Order").field("amount_centis", &self.amount_centis).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for CardData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CardData").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Initiated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Initiated").field("invoice_id", &self.invoice_id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Sale {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sale")
            .field("invoice_id", &self.invoice_id)
            .field("states", &self.states)
            .field("polls", &self.polls)
            .finish_non_exhaustive()
    }
}

impl CardData {
    /// The planted card.
    #[must_use]
    pub fn planted() -> Self {
        Self {
            number: planted_card_number(),
            first_name: "Ada".to_owned(),
            last_name: "Sample".to_owned(),
            month: "12".to_owned(),
            year: "2031".to_owned(),
            security_code: "123".to_owned(),
            email: None,
        }
    }

    fn source(&self) -> Value {
        json!({ "card": {
            "number": self.number,
            "holder": { "firstName": self.first_name, "lastName": self.last_name },
            "expiry": { "month": self.month, "year": self.year },
            "securityCode": self.security_code,
        } })
    }
}

impl DeviceApp {
    /// An app of a fleet's gateway and a card gateway, by their base URLs.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn new(fleet: &str, card_gateway: &str) -> Result<Self, AppFault> {
        Ok(Self {
            http: call::client()?,
            fleet: fleet.trim_end_matches('/').to_owned(),
            card_gateway: card_gateway.trim_end_matches('/').to_owned(),
            polls_apart: POLLS_APART,
            polls_max: POLLS_MAX,
            within: WITHIN,
            wrong: None,
        })
    }

    /// Asks for the status so long apart and at most so often.
    #[must_use]
    pub fn polling(self, apart: Duration, most: u32) -> Self {
        Self { polls_apart: apart, polls_max: most, ..self }
    }

    /// Waits so long for each answer.
    #[must_use]
    pub fn waiting(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// Performs its sales in a wrong way.
    #[must_use]
    pub fn wrongly(self, wrong: Wrong) -> Self {
        Self { wrong: Some(wrong), ..self }
    }

    /// Sells with a card, to the end or until it has asked often enough.
    ///
    /// # Errors
    /// When somebody refuses or cannot be reached.
    pub async fn first_sale(&self, order: &Order, card: &CardData) -> Result<Sale, AppFault> {
        self.sell(order, &card.source(), card.email.as_deref()).await
    }

    /// Sells with a card that the fleet has mapped.
    ///
    /// # Errors
    /// When somebody refuses or cannot be reached.
    pub async fn repeat_sale(
        &self,
        order: &Order,
        client_card_id: &str,
        email: Option<&str>,
    ) -> Result<Sale, AppFault> {
        let source =
            json!({ "reference": { "clientCardId": client_card_id, "securityCode": "123" } });
        self.sell(order, &source, email).await
    }

    /// Initiates a sale and does no more.
    ///
    /// # Errors
    /// When the fleet refuses or cannot be reached.
    pub async fn initiate(&self, order: &Order) -> Result<Initiated, AppFault> {
        let body = json!({
            "consumer": { "device": { "serialNumber": order.serial } },
            "transaction": { "amountCentis": order.amount_centis, "currency": order.currency },
            "session": { "accessToken": order.access_token },
        });
        let url = format!("{}/sale/initiate-sale", self.fleet);
        let answer = self.post(Refuser::Fleet, url, &body).await?;
        let text = |place: &str| call::text(&answer, place, Refuser::Fleet);
        Ok(Initiated {
            endpoint_id: text("/endpointId")?,
            invoice_id: text("/invoiceId")?,
            nonce: text("/session/nonce")?,
            signature: text("/session/signature")?,
        })
    }

    async fn sell(
        &self,
        order: &Order,
        source: &Value,
        email: Option<&str>,
    ) -> Result<Sale, AppFault> {
        let initiated = self.initiate(order).await?;
        if target_code(&order.amount_centis.to_string()) == Some(SILENT_APP) {
            return Ok(Sale::silent(initiated.invoice_id));
        }
        let performed = self.perform(order, &initiated, (source, email)).await?;
        if self.wrong == Some(Wrong::Replay) {
            self.perform(order, &initiated, (source, email)).await?;
        }
        let token = call::text(&performed, "/session/token", Refuser::CardGateway)?;
        let mut sale = Sale { token: Some(token), ..Sale::silent(initiated.invoice_id.clone()) };
        sale.learn(performed)?;
        self.follow(order, &initiated, &mut sale).await?;
        Ok(sale)
    }

    async fn perform(
        &self,
        order: &Order,
        initiated: &Initiated,
        (source, email): (&Value, Option<&str>),
    ) -> Result<Value, AppFault> {
        let other = |wrong: Wrong, text: &str| {
            if self.wrong == Some(wrong) { another(text) } else { text.to_owned() }
        };
        let amount = order.amount_centis;
        let amount =
            if self.wrong == Some(Wrong::Amount) { amount.wrapping_add(1) } else { amount };
        let device = json!({ "serialNumber": other(Wrong::Serial, &order.serial) });
        let mut consumer = Map::from_iter([("device".to_owned(), device)]);
        if let Some(email) = email {
            consumer.insert("email".to_owned(), email.into());
        }
        let body = json!({
            "consumer": consumer,
            "session": {
                "accessToken": other(Wrong::AccessToken, &order.access_token),
                "nonce": other(Wrong::Nonce, &initiated.nonce),
                "signature": other(Wrong::Signature, &initiated.signature),
            },
            "transaction": { "amountCentis": amount, "currency": order.currency },
            "sourceOfFunds": source,
        });
        self.post(Refuser::CardGateway, self.sale_url(initiated), &body).await
    }

    async fn post(&self, whom: Refuser, url: String, body: &Value) -> Result<Value, AppFault> {
        call::send(self.http.post(url).json(body).timeout(self.within), whom).await
    }

    async fn follow(
        &self,
        order: &Order,
        initiated: &Initiated,
        sale: &mut Sale,
    ) -> Result<(), AppFault> {
        let body = json!({ "session": { "accessToken": order.access_token, "token": sale.token } });
        let url = format!("{}/status", self.sale_url(initiated));
        while !sale.has_ended() && sale.polls < self.polls_max {
            if sale.polls > 0 {
                tokio::time::sleep(self.polls_apart).await;
            }
            sale.polls = sale.polls.saturating_add(1);
            match self.post(Refuser::CardGateway, url.clone(), &body).await {
                Ok(status) => sale.learn(status)?,
                Err(fault) if fault.is_passing() => continue,
                Err(fault) => return Err(fault),
            }
            if let Some(page) = sale.status.get("redirectUrl").and_then(Value::as_str) {
                // What is on it does not matter.
                self.http.get(page).timeout(self.within).send().await.ok();
            }
        }
        Ok(())
    }

    fn sale_url(&self, initiated: &Initiated) -> String {
        let Initiated { endpoint_id, invoice_id, .. } = initiated;
        format!("{}/paynet/dapi/v1/sale/{endpoint_id}/{invoice_id}", self.card_gateway)
    }
}

impl Sale {
    fn silent(invoice_id: String) -> Self {
        Self {
            invoice_id,
            state: None,
            states: Vec::new(),
            order_id: None,
            token: None,
            status: Value::Null,
            polls: 0,
        }
    }

    fn learn(&mut self, told: Value) -> Result<(), AppFault> {
        let state = call::text(&told, "/state", Refuser::CardGateway)?;
        let state = SaleState::named(&state).ok_or(AppFault::Unreadable(Refuser::CardGateway))?;
        self.order_id = Some(call::text(&told, "/orderId", Refuser::CardGateway)?);
        if self.state != Some(state) {
            self.states.push(state);
        }
        self.state = Some(state);
        self.status = told;
        Ok(())
    }

    fn has_ended(&self) -> bool {
        matches!(self.state, Some(SaleState::Approved | SaleState::Declined))
    }
}

/// A text of the same length that is another one, and still of hex digits if it was.
fn another(text: &str) -> String {
    let mut changed = text.to_owned();
    let last = changed.pop();
    changed.push(if last == Some('0') { '1' } else { '0' });
    changed
}
