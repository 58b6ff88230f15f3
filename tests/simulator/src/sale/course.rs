//! What becomes of a sale: its states, the mapping of its card, and what the fleet is told.

use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::amount::major_units;
use crate::behaviour::Behaviour;
use crate::buyer::{Deed, SILENT};
use crate::confirm::{TRIES_APART, TRIES_MAX, TRY_DEADLINE, deliver};
use crate::judge;
use crate::record::EffectKind;
use crate::sale::signature::{agrees, control, sign};
use crate::sale::{Sale, SaleState, by_gateway, post, text_of};
use crate::state::{State, Visit};
use crate::world::World;

/// A callback waits this long at most for the mapping, which is told first.
const MAPPING_FIRST: Duration = Duration::from_millis(150);

/// What is to be told of one turn of a sale.
pub(crate) struct Turn {
    mapping: Option<Mapping>,
    callback: Option<Callback>,
}

struct Mapping {
    body: Value,
    /// As the reply has to be signed.
    signature: String,
}

struct Callback {
    query: Vec<(&'static str, String)>,
    /// A forged one is not repeated.
    is_forged: bool,
}

#[derive(Deserialize)]
struct MappingReply {
    session: MappingSession,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MappingSession {
    check_signature: String,
}

/// Lets a sale take its course, once.
pub(crate) async fn begin(world: &World, visit: &Visit, behaviour: &Behaviour) {
    let told = world.lock(|state| state.sale_course(visit, behaviour));
    crate::buyer::perform(world, visit, told).await;
}

/// Tells what a poll has brought about.
pub(crate) fn tell_due(world: &World, visit: &Visit) {
    let due = world.lock(|state| match state.sales.sales.get_mut(&visit.purchase) {
        Some(sale) => std::mem::take(&mut sale.due),
        None => Vec::new(),
    });
    for turn in due {
        let (own, visit) = (world.clone(), visit.clone());
        let stop = world.stop_token().clone();
        let told = async move { tell_turn(&own, &visit, turn).await };
        world.tasks().spawn(async move { stop.run_until_cancelled(told).await });
    }
}

/// Tells what a deed of the script brings about.
pub(crate) async fn tell(world: &World, visit: &Visit, code: &str) {
    let turn = world.lock(|state| state.sale_turns(visit, &Deed::of(code)));
    tell_turn(world, visit, turn).await;
}

async fn tell_turn(world: &World, visit: &Visit, turn: Turn) {
    if let Some(mapping) = turn.mapping {
        let (own, visit) = (world.clone(), visit.clone());
        let stop = world.stop_token().clone();
        let told = async move { map(&own, &visit, mapping).await };
        let task = world.tasks().spawn(async move { stop.run_until_cancelled(told).await });
        timeout(MAPPING_FIRST, task).await.ok();
    }
    let Some(Callback { query, is_forged }) = turn.callback else { return };
    let url = format!("{}/callbacks/card-sale/{}", world.settings().gateway, visit.party);
    let Ok(url) = reqwest::Url::parse_with_params(&url, &query) else { return };
    let signed = url.query().unwrap_or_default().to_owned();
    let request = || by_gateway(world, world.http().get(url.clone()), signed.as_bytes());
    if is_forged {
        request().timeout(TRY_DEADLINE).send().await.ok();
        return;
    }
    let is_taken = deliver(world, visit, request, |status| status == StatusCode::OK).await;
    world.lock(|state| state.count_confirmation(is_taken));
}

/// Tells the fleet of a new card until it takes it or refuses it.
async fn map(world: &World, visit: &Visit, mapping: Mapping) {
    let url = format!("{}/sale/notification", world.settings().gateway);
    for _ in 0..TRIES_MAX {
        let permit = world.confirmations().acquire().await;
        let request = post(world, &url, &mapping.body);
        let answer = request.timeout(TRY_DEADLINE).send().await;
        drop(permit);
        match answer {
            Ok(answer) if answer.status().is_success() => {
                let text = text_of(answer).await.unwrap_or_default();
                let reply = serde_json::from_str::<MappingReply>(&text);
                let is_good = reply
                    .is_ok_and(|reply| agrees(&reply.session.check_signature, &mapping.signature));
                world.lock(|state| state.is_mapped(visit, is_good));
                return;
            }
            Ok(answer) if is_final(answer.status()) => return,
            Ok(_) | Err(_) => sleep(TRIES_APART).await,
        }
    }
}

/// Whether the fleet refuses a card for good.
fn is_final(status: StatusCode) -> bool {
    let is_passing = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
    status.is_client_error() && !is_passing.contains(&status)
}

impl State {
    /// A deed of the script, at the instant of its effect.
    pub(super) fn sale_turns(&mut self, visit: &Visit, deed: &Deed<'_>) -> Turn {
        let key = self.sale_control_key.clone();
        let Some(sale) = self.sales.sales.get_mut(&visit.purchase) else { return Turn::NONE };
        let mut mapping = None;
        match deed.word {
            SILENT => return Turn::NONE,
            "redirect" => {
                sale.record.state = SaleState::RedirectRequest;
                return Turn::NONE;
            }
            "approved" if deed.way != "control" => {
                if deed.way == "amount" {
                    sale.shown = if sale.shown > 1 { sale.shown.saturating_sub(1) } else { 2 };
                }
                sale.record.state = SaleState::Approved;
                sale.error = None;
                mapping = self.new_mapping(visit, &key);
                self.sale_is_paid(visit, deed);
            }
            "declined" => sale.fails(5, "declined by the issuer"),
            "filtered" => sale.fails(8, "filtered"),
            "error" => sale.fails(13, "processing failed"),
            "reversal" | "chargeback" => {
                let (amount, told) = (sale.record.amount_centis, Arc::from(deed.word));
                let _number: u64 = self.effect(visit, EffectKind::Reversal, amount, Some(told));
            }
            _only_told => {}
        }
        let sale = self.sales.sales.get(&visit.purchase).filter(|_| deed.way != "untold");
        Turn { mapping, callback: sale.map(|sale| sale.callback(&key, deed)) }
    }

    /// Money is taken for what was asked only.
    fn sale_is_paid(&mut self, visit: &Visit, deed: &Deed<'_>) {
        let asked = self.sales.record(&visit.purchase).map(|record| record.amount_centis);
        if let Some(amount) = asked.filter(|_| deed.way != "amount") {
            self.charge_is_paid(visit, amount);
        }
    }

    /// A card that this gateway knows from now on; the fleet has to be told.
    fn new_mapping(&mut self, visit: &Visit, key: &str) -> Option<Mapping> {
        let sale = self.sales.sales.get_mut(&visit.purchase)?;
        let card = sale.new_card.take()?;
        let server_card: Arc<str> = Arc::from(super::new_token().get(..32)?);
        let place = &sale.place;
        let texts = [&*sale.request.nonce, &place.endpoint, &place.invoice];
        let mapping = Mapping {
            signature: sign(key, &texts),
            body: json!({
                "consumer": { "device": { "serialNumber": sale.request.serial } },
                "session": { "accessToken": sale.request.access_token, "token": sale.token },
                "sourceCard": {
                    "bin": card.bin,
                    "reference": {
                        "serverCardId": server_card,
                        "uniqueReferenceCardId": card.unique,
                    },
                },
            }),
        };
        let known = (Arc::clone(&place.party), server_card);
        self.sales.cards.insert(known, card);
        Some(mapping)
    }

    fn is_mapped(&mut self, visit: &Visit, is_good: bool) {
        if !is_good {
            let detail = "the reply to a card's mapping is not signed as it has to be".to_owned();
            self.violate(visit, judge::MAPPING_REPLY, detail);
        } else if let Some(sale) = self.sales.sales.get_mut(&visit.purchase) {
            sale.record.is_mapped = true;
        }
    }
}

impl Turn {
    const NONE: Self = Self { mapping: None, callback: None };
}

impl Sale {
    fn fails(&mut self, code: u32, message: &'static str) {
        self.record.state = SaleState::Declined;
        self.error = Some((code, message));
    }

    fn callback(&self, key: &str, deed: &Deed<'_>) -> Callback {
        let (status, kind) = match (deed.word, deed.way) {
            ("reversal" | "chargeback", _) => ("approved", deed.word),
            (_, "contrary") => ("approved", "sale"),
            (status, _) => (status, "sale"),
        };
        let (order, invoice) = (&*self.record.order_id, &*self.place.invoice);
        let is_forged = deed.way == "control";
        // A forger knows everything but the key.
        let key = if is_forged { "forged" } else { key };
        let mut query = vec![
            ("orderid", order.to_owned()),
            ("merchant_order", invoice.to_owned()),
            ("client_orderid", invoice.to_owned()),
            ("amount", major_units(self.shown, &self.request.currency)),
            ("status", status.to_owned()),
            ("type", kind.to_owned()),
            ("control", control(key, [status, order, invoice])),
        ];
        if let Some((code, message)) = self.error.filter(|_| status != "approved") {
            query.push(("error_message", message.to_owned()));
            query.push(("error_code", code.to_string()));
        }
        Callback { query, is_forged }
    }
}
