//! Buyers who are asked for money by somebody else than us: by an SMS that they answer, or on a page
//! where they pay. What they do is told to the gateway until it takes it.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{RequestBuilder, StatusCode};
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, sleep_until, timeout};

use crate::behaviour::{Action, Behaviour, Confirmation};
use crate::confirm::deliver;
use crate::record::EffectKind;
use crate::state::{State, Visit};
use crate::world::World;

/// A buyer of whom no script speaks pays after so long.
const USUAL_MS: u64 = 100;
/// What is told later waits this long at most for the gateway to take what is told earlier.
const ORDER_MAX: Duration = Duration::from_secs(2);
/// The first transaction's number.
const NUMBERS_FROM: u64 = 1_910_172;

/// A transaction of an operator or a card processor, by its number.
#[derive(Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Transaction {
    /// The party.
    pub party: Arc<str>,
    /// Its number there.
    pub id: Arc<str>,
    /// The purchase whose notification told it.
    pub purchase: Arc<str>,
    /// False for a forged one: the party does not know it when it is asked.
    pub is_known: bool,
    /// What the party answers when it is asked.
    pub facts: Value,
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What is told to the gateway.
pub(crate) enum Notice {
    /// As a body.
    Body(String),
    /// As a query.
    Query(Vec<(&'static str, String)>),
}

/// What a buyer does: the code of a [`Confirmation`], as `CHARGED/forged`.
pub(crate) struct Deed<'a> {
    /// What is told.
    pub(crate) word: &'a str,
    /// In which way it is not as usual.
    pub(crate) way: &'a str,
}

/// Nothing is told.
pub(crate) const SILENT: &str = "SILENT";

impl<'a> Deed<'a> {
    pub(crate) fn of(code: &'a str) -> Self {
        let (word, way) = code.split_once('/').unwrap_or((code, ""));
        Self { word, way }
    }

    /// Whether the buyer's money is taken, and for this purchase.
    pub(crate) fn is_paid(&self) -> bool {
        matches!(self.way, "" | "number" | "quoted" | "second") || self.is_untold()
    }

    /// Whether the notification of it is lost on its way.
    pub(crate) fn is_untold(&self) -> bool {
        self.way == "untold"
    }
}

/// Lets the buyer act, once for each purchase.
pub(crate) async fn act(world: &World, visit: &Visit, behaviour: &Behaviour) {
    if !world.lock(|state| state.buyer_acts(visit)) {
        return;
    }
    let mut told = behaviour.confirm.clone();
    if told.is_empty() {
        let word = if visit.action == Action::MoCharge { "CHARGED" } else { "SUCCESS" };
        told.push(Confirmation::after(USUAL_MS, word));
    }
    perform(world, visit, told).await;
}

/// Tells all this: what comes before the call's answer now, the rest on its own and in order.
pub(crate) async fn perform(world: &World, visit: &Visit, told: Vec<Confirmation>) {
    let (now, later): (Vec<_>, Vec<_>) = told.into_iter().partition(|told| told.before_answer);
    for told in now {
        tell(world, visit, &told.code).await;
    }
    let (own, visit) = (world.clone(), visit.clone());
    let began = Instant::now();
    let all = async move {
        for told in later {
            let wait = Duration::from_millis(told.after_ms);
            sleep_until(began.checked_add(wait).unwrap_or(began)).await;
            let (world, visit) = (own.clone(), visit.clone());
            let one = async move { tell(&world, &visit, &told.code).await };
            let stop = own.stop_token().clone();
            let task = own.tasks().spawn(async move { stop.run_until_cancelled(one).await });
            // It goes on when the wait for it has ended.
            timeout(ORDER_MAX, task).await.ok();
        }
    };
    let stop = world.stop_token().clone();
    world.tasks().spawn(async move { stop.run_until_cancelled(all).await });
}

async fn tell(world: &World, visit: &Visit, code: &str) {
    if visit.action == Action::Sale {
        return crate::sale::course::tell(world, visit, code).await;
    }
    let deed = Deed::of(code);
    let notice = world.lock(|state| {
        if visit.action == Action::MoCharge {
            state.mo_notice(visit, &deed)
        } else {
            state.card_notice(visit, &deed)
        }
    });
    let Some(notice) = notice else { return };
    let request = || request(world, visit, &notice);
    let is_taken = deliver(world, visit, request, |status| status == StatusCode::OK).await;
    world.lock(|state| state.count_confirmation(is_taken));
}

fn request(world: &World, visit: &Visit, notice: &Notice) -> RequestBuilder {
    let (gateway, party) = (&world.settings().gateway, &visit.party);
    match notice {
        Notice::Body(body) => world
            .http()
            .post(format!("{gateway}/callbacks/mo-charge/{party}"))
            .header("content-type", "application/json")
            .body(body.clone()),
        Notice::Query(query) => {
            world.http().get(format!("{gateway}/callbacks/card-payments/{party}")).query(query)
        }
    }
}

impl State {
    pub(crate) fn count_confirmation(&mut self, is_taken: bool) {
        let count =
            if is_taken { &mut self.confirmations_taken } else { &mut self.confirmations_given_up };
        *count = count.saturating_add(1);
    }

    /// The buyer is asked for money, once.
    pub(crate) fn prompt(&mut self, visit: &Visit) {
        let purchase = self.purchase_mut(&visit.purchase);
        if !purchase.is_prompted {
            purchase.is_prompted = true;
            self.effect(visit, EffectKind::Prompt, 0, None);
        }
    }

    pub(crate) fn is_prompted(&self, visit: &Visit) -> bool {
        self.purchase(&visit.purchase).is_some_and(|purchase| purchase.is_prompted)
    }

    /// True once, as soon as the buyer has been asked.
    fn buyer_acts(&mut self, visit: &Visit) -> bool {
        let purchase = self.purchase_mut(&visit.purchase);
        let acts = purchase.is_prompted && !purchase.has_acted;
        purchase.has_acted |= acts;
        acts
    }

    /// The transaction that a deed makes or tells again. Money is taken by the first one that is as
    /// it was asked; a second one is the party's own mistake and stands in its transactions only.
    pub(crate) fn transact(
        &mut self,
        visit: &Visit,
        deed: &Deed<'_>,
        amount: i64,
        facts: impl FnOnce(&str) -> Value,
    ) -> Transaction {
        let paid = self.purchase(&visit.purchase).and_then(|purchase| purchase.paid.clone());
        let again = paid.filter(|_| deed.is_paid() && deed.way != "second");
        let known = again.and_then(|id| self.transaction(&visit.party, &id).cloned());
        if let Some(known) = known {
            return known;
        }
        let id: Arc<str> = Arc::from(self.number().saturating_add(NUMBERS_FROM).to_string());
        let made = Transaction {
            party: Arc::clone(&visit.party),
            id: Arc::clone(&id),
            purchase: Arc::clone(&visit.purchase),
            is_known: deed.way != "forged",
            facts: facts(&id),
        };
        self.transactions.insert((Arc::clone(&visit.party), Arc::clone(&id)), made.clone());
        let purchase = self.purchase_mut(&visit.purchase);
        purchase.transactions.push(Arc::clone(&id));
        if deed.is_paid() && purchase.paid.is_none() {
            purchase.paid = Some(id);
            self.charge_is_paid(visit, amount);
        }
        made
    }

    pub(crate) fn transaction(&self, party: &Arc<str>, id: &str) -> Option<&Transaction> {
        self.transactions.get(&(Arc::clone(party), Arc::from(id)))
    }

    /// All transactions of a purchase, in order.
    pub(crate) fn transactions_of(&self, purchase: &str) -> Vec<Transaction> {
        let Some(known) = self.purchase(purchase) else { return Vec::new() };
        let Some(hold) = &known.hold else { return Vec::new() };
        let own = known.transactions.iter();
        own.filter_map(|id| self.transaction(&hold.bank, id)).cloned().collect()
    }
}
