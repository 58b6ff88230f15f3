//! A card gateway: an app sells with it directly, and the gateway asks the fleet whether the sale is
//! what the app says. What became of it is told to the fleet, and to whoever asks with the sale's
//! token. A card's number is looked at once and never kept.

pub(crate) mod check;
pub(crate) mod course;
pub(crate) mod request;
pub(crate) mod signature;

use std::collections::HashMap;
use std::sync::Arc;

use rand::distr::{Alphanumeric, SampleString};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::bank::Reply;
use crate::behaviour::{Behaviour, Confirmation, Pending};
use crate::buyer::Deed;
use crate::client::signature as signature_of;
use crate::judge;
use crate::sale::check::Verdict;
use crate::sale::request::{NewCard, SaleRequest, StatusSession};
use crate::state::{State, Visit};
use crate::world::World;

/// Card gateways have names that begin so.
pub(crate) const GATEWAYS: &str = "billblend";
/// A sale of which no script speaks.
const USUAL: &str = "approved";
/// The way of a script in which the gateway leaves the app's signature to the fleet.
const UNVERIFIED: &str = "unverified";
/// The first order's number.
const ORDERS_FROM: u64 = 4_560;
/// The longest answer of the fleet that is read.
const ANSWER_BYTES_MAX: usize = 65_536;

/// Where a sale stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SaleState {
    /// It is under way.
    Processing,
    /// The buyer has to go to a page first.
    RedirectRequest,
    /// It is paid.
    Approved,
    /// It is not.
    Declined,
}

impl SaleState {
    /// Its name in a status.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Processing => "PROCESSING",
            Self::RedirectRequest => "REDIRECT_REQUEST",
            Self::Approved => "APPROVED",
            Self::Declined => "DECLINED",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        let all = [Self::Processing, Self::RedirectRequest, Self::Approved, Self::Declined];
        all.into_iter().find(|state| state.name() == name)
    }
}

/// What a card gateway knows of a sale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SaleRecord {
    /// The gateway.
    pub party: Arc<str>,
    /// Its number there.
    pub order_id: Arc<str>,
    /// Where it stands.
    pub state: SaleState,
    /// In minor units.
    pub amount_centis: i64,
    /// The app used a card that had been mapped.
    pub is_repeat: bool,
    /// How often anybody asked for its status.
    pub polls: u32,
    /// The fleet has taken this sale's card into its own book.
    pub is_mapped: bool,
}

/// Which sale of whom.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) party: Arc<str>,
    pub(crate) endpoint: Arc<str>,
    pub(crate) invoice: Arc<str>,
}

/// A sale as it is asked for and was checked.
pub(crate) struct Opening {
    pub(crate) place: Place,
    pub(crate) request: SaleRequest,
    pub(crate) token: String,
    pub(crate) verdict: Verdict,
}

/// The card gateways' side of the world.
#[derive(Default)]
pub(crate) struct Sales {
    /// By invoice, which is the purchase.
    sales: HashMap<Arc<str>, Sale>,
    /// By gateway and `serverCardId`.
    cards: HashMap<(Arc<str>, Arc<str>), NewCard>,
}

struct Sale {
    place: Place,
    request: Kept,
    token: String,
    bank_order: Arc<str>,
    /// What is shown and told as its amount.
    shown: i64,
    error: Option<(u32, &'static str)>,
    pending: Option<Pending>,
    /// It ended before it began.
    is_filtered: bool,
    has_begun: bool,
    /// A card that the fleet has not been told of yet.
    new_card: Option<NewCard>,
    /// What a poll has brought about.
    due: Vec<course::Turn>,
    record: SaleRecord,
}

/// What is kept of a request.
struct Kept {
    access_token: String,
    serial: String,
    nonce: String,
    currency: String,
}

/// An error as the document writes them.
pub(crate) fn refusal(status: u16, cause: &str, message: &str, invoice: &str) -> Reply {
    let error = json!({ "cause": cause, "code": status, "message": message });
    Reply::ok(json!({ "error": error, "invoiceId": invoice })).with_status(status)
}

pub(crate) fn invalid(message: &str, invoice: &str) -> Reply {
    refusal(400, "INVALID_REQUEST", message, invoice)
}

fn filtered(message: &str, invoice: &str) -> Reply {
    refusal(403, "FILTERED", message, invoice)
}

/// 64 letters and digits that nobody can guess.
pub(crate) fn new_token() -> String {
    Alphanumeric.sample_string(&mut rand::rng(), 64)
}

/// Whether the script leaves the signature to the fleet.
pub(crate) fn is_unverified(behaviour: &Behaviour) -> bool {
    behaviour.confirm.iter().any(|told| Deed::of(&told.code).way == UNVERIFIED)
}

/// A request to the fleet, signed as the card gateway's.
fn by_gateway(
    world: &World,
    request: reqwest::RequestBuilder,
    signed: &[u8],
) -> reqwest::RequestBuilder {
    let settings = world.settings();
    let signature = signature_of(&settings.sale_caller_secret, signed);
    request.header(&settings.sale_caller_header, signature)
}

/// The same with a body.
fn post(world: &World, url: &str, body: &Value) -> reqwest::RequestBuilder {
    let body = body.to_string();
    let request = world.http().post(url).header("content-type", "application/json");
    by_gateway(world, request, body.as_bytes()).body(body)
}

/// An answer's body, unless it is too long to be one.
async fn text_of(mut answer: reqwest::Response) -> Option<String> {
    let mut bytes = Vec::new();
    while let Some(piece) = answer.chunk().await.ok()? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > ANSWER_BYTES_MAX {
            return None;
        }
    }
    String::from_utf8(bytes).ok()
}

impl Sales {
    pub(crate) fn card(&self, party: &Arc<str>, server_card: &str) -> Option<NewCard> {
        self.cards.get(&(Arc::clone(party), Arc::from(server_card))).cloned()
    }

    pub(crate) fn record(&self, invoice: &str) -> Option<SaleRecord> {
        self.sales.get(invoice).map(|sale| sale.record.clone())
    }
}

impl State {
    /// A sale, at the instant of its effect: the gateway has taken it on.
    pub(crate) fn sale(&mut self, visit: &Visit, opening: Opening, behaviour: &Behaviour) -> Reply {
        let invoice = Arc::clone(&opening.place.invoice);
        let verdict = opening.verdict;
        if let Verdict::Wrong(problem) = verdict {
            self.violate(visit, judge::CHECK_REPLY, problem.to_owned());
        }
        if verdict == Verdict::Refused {
            return filtered("the connecting party refuses it", &invoice);
        }
        let (print, amount) = (opening.request.print(), opening.request.transaction.amount_centis);
        let is_known = self.sales.sales.contains_key(&invoice);
        if is_known || !self.charge_opens(visit, print, amount) {
            if verdict == Verdict::Passed {
                let detail = "the check lets an invoice through again".to_owned();
                self.violate(visit, judge::SALE_TWICE, detail);
            }
            return filtered("the invoice is known", &invoice);
        }
        if !behaviour.effect {
            return filtered("simulated", &invoice);
        }
        let order: Arc<str> = Arc::from(self.number().saturating_add(ORDERS_FROM).to_string());
        let token = opening.token.clone();
        let is_filtered = verdict != Verdict::Passed
            || behaviour.answer.code().is_some_and(|code| code != "0000");
        let pending = behaviour.pending.clone().filter(|_| !is_filtered);
        let sale = Sale::new(opening, &order, (pending, is_filtered));
        self.sales.sales.insert(Arc::clone(&invoice), sale);
        if is_filtered {
            return filtered("the check did not go well", &invoice);
        }
        Reply::ok(json!({
            "session": { "token": token },
            "state": SaleState::Processing,
            "orderId": order,
            "invoiceId": invoice,
        }))
    }

    /// What becomes of a sale, once.
    fn sale_course(&mut self, visit: &Visit, behaviour: &Behaviour) -> Vec<Confirmation> {
        let sale = self.sales.sales.get_mut(&visit.purchase).filter(|sale| !sale.has_begun);
        let Some(sale) = sale else { return Vec::new() };
        sale.has_begun = true;
        if sale.is_filtered {
            return vec![Confirmation::after(0, "filtered")];
        }
        let is_usual = behaviour.confirm.is_empty() && behaviour.pending.is_none();
        if is_usual { vec![Confirmation::after(0, USUAL)] } else { behaviour.confirm.clone() }
    }

    /// The amount that a sale's scripts are chosen by, if it is known at this gateway.
    pub(crate) fn sale_mark(&self, place: &Place) -> Option<Arc<str>> {
        let sale = self.sales.sales.get(&place.invoice)?;
        let own = sale.place.party == place.party && sale.place.endpoint == place.endpoint;
        own.then(|| Arc::from(sale.record.amount_centis.to_string()))
    }

    /// A sale's status, for whoever has its tokens. `pages` is where redirects lead.
    pub(crate) fn sale_status(
        &mut self,
        visit: &Visit,
        (place, session, pages): (&Place, &StatusSession, &str),
    ) -> Reply {
        let invoice = &place.invoice;
        let known = self.sales.sales.get_mut(invoice);
        let own = known.filter(|sale| {
            sale.place.party == place.party
                && sale.place.endpoint == place.endpoint
                && sale.request.access_token == session.access_token
                && sale.token == session.token
        });
        let Some(sale) = own else { return invalid("no such sale of this session", invoice) };
        sale.record.polls = sale.record.polls.saturating_add(1);
        if let Some(pending) = &mut sale.pending {
            if let Some(left) = pending.look_ups.checked_sub(1) {
                pending.look_ups = left;
            } else {
                let code = pending.code.clone();
                sale.pending = None;
                let turn = self.sale_turns(visit, &Deed::of(&code));
                if let Some(sale) = self.sales.sales.get_mut(invoice) {
                    sale.due.push(turn);
                }
            }
        }
        match self.sales.sales.get(invoice) {
            Some(sale) => Reply::ok(sale.status(pages)),
            None => invalid("no such sale", invoice),
        }
    }
}

impl Sale {
    fn new(
        opening: Opening,
        order: &Arc<str>,
        (pending, is_filtered): (Option<Pending>, bool),
    ) -> Self {
        let Opening { place, request, token, verdict: _ } = opening;
        let amount = request.transaction.amount_centis;
        let record = SaleRecord {
            party: Arc::clone(&place.party),
            order_id: Arc::clone(order),
            state: SaleState::Processing,
            amount_centis: amount,
            is_repeat: request.client_card().is_some(),
            polls: 0,
            is_mapped: false,
        };
        Self {
            place,
            token,
            bank_order: Arc::from(format!("BNK-{order}")),
            shown: amount,
            error: None,
            pending,
            is_filtered,
            has_begun: false,
            new_card: request.new_card(),
            due: Vec::new(),
            record,
            request: Kept {
                serial: request.serial().to_owned(),
                access_token: request.session.access_token,
                nonce: request.session.nonce,
                currency: request.transaction.currency,
            },
        }
    }

    fn status(&self, pages: &str) -> Value {
        let transaction = json!({ "amountCentis": self.shown, "currency": self.request.currency });
        let mut told = Map::from_iter([
            ("state".to_owned(), json!(self.record.state)),
            ("orderId".to_owned(), json!(self.record.order_id)),
            ("transaction".to_owned(), transaction),
            ("invoiceId".to_owned(), json!(self.place.invoice)),
        ]);
        match self.record.state {
            SaleState::Processing => {}
            SaleState::RedirectRequest => {
                let url = format!("{pages}/{}", self.record.order_id);
                told.insert("redirectUrl".to_owned(), url.into());
            }
            SaleState::Approved => {
                told.insert("bankOrderId".to_owned(), json!(self.bank_order));
            }
            SaleState::Declined => {
                let (code, message) = self.error.unwrap_or((0, "simulated"));
                told.insert("errorCode".to_owned(), code.into());
                told.insert("errorMessage".to_owned(), message.into());
            }
        }
        Value::Object(told)
    }
}
