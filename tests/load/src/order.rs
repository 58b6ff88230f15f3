//! One purchase as this program sends it.

use chrono::{DateTime, SecondsFormat, Utc};
use rand::RngExt;
use rand::rngs::StdRng;
use serde::Serialize;
use serde_json::{Value, json};

use crate::mix::{ASKED, CASES, Case, PLAIN_CASE, Payer, Product, Scenario, draw};

/// The sample clients.
pub(crate) struct Client {
    pub(crate) id: i64,
    pub(crate) api_key: &'static str,
    /// Signs its requests, where the client must.
    pub(crate) secret: Option<&'static str>,
}

const CLIENTS: [Client; 2] = [
    Client { id: 1001, api_key: "sample-key-1001", secret: None },
    Client { id: 1002, api_key: "sample-key-1002", secret: Some("sample-signature-1002") },
];

/// The fee of the product that apps pay for.
const AIRTIME_FEE: i64 = 50;

/// Sells by card.
const MERCHANT: Client = Client { id: 1021, api_key: "sample-key-1021", secret: None };

/// How a purchase gets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Way {
    /// Transact, or Reserve and Transact.
    Http,
    /// `purchase.requested`.
    Amqp,
    /// `purchase.requested` with `reply_to`.
    AmqpReply,
}

/// One purchase.
pub(crate) struct Order {
    pub(crate) client_ref: String,
    pub(crate) client: &'static Client,
    pub(crate) way: Way,
    pub(crate) scenario: Scenario,
    pub(crate) case: &'static Case,
    product: &'static Product,
    amount: i64,
    source: String,
    target: String,
    /// Of the fraud desk.
    pub(crate) token: Option<String>,
    made_at: DateTime<Utc>,
}

/// What a fleet can do besides HTTP and banks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offers {
    /// Purchases by the broker.
    pub(crate) amqp: bool,
    /// Sources that ask the buyer.
    pub(crate) asked: bool,
}

/// Makes all purchases of a run. `run` is its name, in letters: digits beside a number might look
/// like a card's.
pub(crate) fn orders(rng: &mut StdRng, run: &str, count: u32, offers: Offers) -> Vec<Order> {
    (0..count).map(|number| order(rng, run, number, offers)).collect()
}

/// Purchases of scenario B that make five jobs each and go well at once, all by the broker.
pub(crate) fn plain_orders(rng: &mut StdRng, run: &str, count: u32) -> Vec<Order> {
    let (case, product) = PLAIN_CASE;
    let [client, _] = &CLIENTS;
    let one = |number| {
        let client_ref = format!("{run}-{number:06}");
        Order {
            token: Some(format!("token-{client_ref}")),
            client_ref,
            client,
            way: Way::Amqp,
            scenario: Scenario::WeReserve,
            case,
            product,
            amount: rng.random_range(product.min..=product.max),
            source: format!("2783{:07}", rng.random_range(0..10_000_000)),
            target: format!("2782{:07}", rng.random_range(0..9_000)),
            made_at: Utc::now(),
        }
    };
    (0..count).map(one).collect()
}

fn order(rng: &mut StdRng, run: &str, number: u32, Offers { amqp, asked }: Offers) -> Order {
    let cases = if asked && rng.random_range(0..8) == 0 { ASKED } else { CASES };
    let (case, product, scenario) = draw(rng, cases);
    let way = match rng.random_range(0..4) {
        _ if matches!(case.payer, Payer::Card | Payer::Device) => Way::Http,
        0 if amqp => Way::Amqp,
        1 if amqp => Way::AmqpReply,
        _ => Way::Http,
    };
    let [first, second] = &CLIENTS;
    let client = match case.payer {
        Payer::Card => &MERCHANT,
        Payer::Device => first,
        Payer::Held | Payer::Sms if rng.random_range(0..8) == 0 => second,
        Payer::Held | Payer::Sms => first,
    };
    // Numbers of the simulator's scripts begin with 9.
    let mut plain = || format!("{:04}", rng.random_range(0..9_000));
    let usual = plain();
    let ending = if case.script.is_empty() { plain() } else { case.script.to_owned() };
    // Who is asked follows the script: the supplier by the target, the operator by the source, the
    // page by the amount.
    let (source, target) = match case.payer {
        Payer::Sms => (&ending, &usual),
        Payer::Card | Payer::Device => (&usual, &usual),
        Payer::Held => (&usual, &ending),
    };
    let (source, target) = (
        format!("2783{:03}{source}", rng.random_range(0..1_000)),
        format!("2782{:03}{target}", rng.random_range(0..1_000)),
    );
    let ceiling = product.max.min(20_000);
    let amount = match case.payer {
        Payer::Card => ending.parse::<i64>().unwrap_or(1).saturating_add(10_000),
        Payer::Device => {
            ending.parse::<i64>().unwrap_or(1).saturating_add(10_000).saturating_sub(AIRTIME_FEE)
        }
        Payer::Held | Payer::Sms => rng.random_range(product.min..=ceiling),
    };
    let client_ref = format!("{run}-{number:06}");
    let token = match case.script {
        "9501" => Some(format!("token-{client_ref}-s9501")),
        _ if case.payer == Payer::Card => None,
        _ if rng.random_range(0..2) == 0 => Some(format!("token-{client_ref}")),
        _ => None,
    };
    Order {
        client_ref,
        client,
        way,
        scenario,
        case,
        product,
        amount,
        source,
        target,
        token,
        made_at: Utc::now(),
    }
}

impl Order {
    /// The path of the API, for HTTP.
    pub(crate) const fn path(&self) -> &'static str {
        match self.scenario {
            _ if matches!(self.case.payer, Payer::Card) => "api/card-payments",
            Scenario::ClientReserved => "transact/4.0",
            Scenario::WeReserve => "reserveAndTransact/4.0",
        }
    }

    /// The body of the API: the extras sit under `additionalData`.
    pub(crate) fn http_body(&self) -> String {
        if self.case.payer == Payer::Card {
            return self.card_payment();
        }
        let mut body = self.body();
        let extras = self.extras();
        if let (false, Some(fields)) = (extras.is_empty(), body.as_object_mut()) {
            fields.insert("additionalData".to_owned(), Value::Object(extras));
        }
        body.to_string()
    }

    /// The body of a card payment.
    fn card_payment(&self) -> String {
        let (major, minor) = (self.amount.div_euclid(100), self.amount.rem_euclid(100));
        json!({
            "account_id": "1", "amount": format!("{major}.{minor:02}"),
            "order_info": self.client_ref, "currency": self.product.currency,
        })
        .to_string()
    }

    /// The purchase that an app pays at this card gateway.
    pub(crate) fn sale_purchase(&self, card_gateway: &str) -> Value {
        let mut body = self.body();
        if let Some(fields) = body.as_object_mut() {
            fields.insert("fundingSourceId".to_owned(), json!(card_gateway));
        }
        body
    }

    /// What an app pays: the fee as well.
    pub(crate) const fn paid(&self) -> (i64, &'static str) {
        (self.amount.saturating_add(AIRTIME_FEE), self.product.currency)
    }

    /// What only some purchases say.
    fn extras(&self) -> serde_json::Map<String, Value> {
        let funding = || json!({ "type": "mo_charge", "name": "mo-sample" });
        let funding = (self.case.payer == Payer::Sms).then(funding);
        let extras = [("fraud", self.fraud()), ("fundingSource", funding)];
        extras.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    /// The message `purchase.requested`, version 1.
    pub(crate) fn message(&self) -> String {
        let mut body = self.body();
        if let Some(fields) = body.as_object_mut() {
            fields.insert("v".to_owned(), json!(1));
            fields.insert("scenario".to_owned(), json!(self.scenario));
            fields.extend(self.extras());
        }
        body.to_string()
    }

    fn fraud(&self) -> Option<Value> {
        let created = self.made_at.to_rfc3339_opts(SecondsFormat::Secs, true);
        self.token.as_ref().map(|token| json!({ "token": token, "tokenCreatedAt": created }))
    }

    fn body(&self) -> Value {
        let mut body = json!({
            "clientId": self.client.id,
            "clientTxnRef": self.client_ref,
            "productId": self.product.id,
            "purchaseAmount": self.amount,
            "currencyCode": self.product.currency,
            "channelId": 7,
            "channelName": "USSD",
            "sourceIdentifier": self.source,
            "targetIdentifier": self.target,
            "timestamp": self.made_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        });
        if let (Scenario::ClientReserved, Some(fields)) = (self.scenario, body.as_object_mut()) {
            let held = format!("held-{}", self.client_ref);
            fields.insert("reserveFundsTxnRef".to_owned(), json!(held));
        }
        body
    }
}

/// A name of eight letters for a run.
pub(crate) fn run_name() -> String {
    let bytes = *uuid::Uuid::new_v4().as_bytes();
    let letter = |byte: u8| char::from(b'a'.saturating_add(byte % 26));
    let letters: String = bytes.into_iter().take(8).map(letter).collect();
    format!("load-{letters}")
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_seed_makes_the_same_purchases_and_without_a_broker_all_go_by_http() {
        let make = |seed, amqp| {
            let mut rng = StdRng::seed_from_u64(seed);
            orders(&mut rng, "load-abc", 200, Offers { amqp, asked: true })
        };
        let key = |o: &Order| (o.target.clone(), o.amount, o.way, o.scenario);
        let keys = |orders: Vec<Order>| orders.iter().map(key).collect::<Vec<_>>();
        assert_eq!(keys(make(1, true)), keys(make(1, true)));
        assert_ne!(keys(make(1, true)), keys(make(2, true)));
        assert!(make(1, false).iter().all(|order| order.way == Way::Http));
        for way in [Way::Http, Way::Amqp, Way::AmqpReply] {
            assert!(make(1, true).iter().any(|order| order.way == way));
        }
    }

    #[test]
    fn only_scripted_targets_end_like_a_script() {
        let mut rng = StdRng::seed_from_u64(3);
        let offers = Offers { amqp: true, asked: true };
        for order in orders(&mut rng, "load-abc", 500, offers) {
            let (amount, paid) = (format!("{:05}", order.amount), order.paid().0.to_string());
            let ending = match order.case.payer {
                Payer::Held => order.target.get(7..).unwrap(),
                Payer::Sms => order.source.get(7..).unwrap(),
                Payer::Card => amount.get(1..).unwrap(),
                Payer::Device => paid.get(1..).unwrap(),
            };
            assert_eq!((order.source.len(), order.target.len()), (11, 11));
            if order.case.script.is_empty() {
                assert!(!ending.starts_with('9'));
            } else {
                assert_eq!(ending, order.case.script);
            }
        }
    }

    #[test]
    fn a_runs_name_has_no_digit() {
        assert!(!run_name().bytes().any(|byte| byte.is_ascii_digit()));
    }
}
