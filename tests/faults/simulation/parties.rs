//! The outside parties: banks, suppliers, a listener, a desk and who sends messages, each with its own record, and what
//! they know of each other that a judge would.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fleet_domain::PurchaseId;
use serde_json::{Value, json};

use super::asked::{self, Charge};
use super::script::{Funds, Script, Vend};
use super::world::World;

/// The money of one purchase at its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Money {
    Held,
    Charged,
    Captured,
    Cancelled,
    Refunded,
}

/// One vend at a supplier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VendState {
    Done,
    Refused(&'static str),
    /// So many look-ups until it is decided.
    Pending(u32, bool),
}

/// What the parties know of one purchase.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) script: Script,
    pub(super) ours: bool,
    pub(super) token: Option<String>,
    asked: u32,
    pub(super) money: Option<Money>,
    /// What the buyer was asked for, where the source does that.
    pub(super) charge: Option<Charge>,
    pub(super) funds_refused: bool,
    pub(super) vends: BTreeMap<String, VendState>,
    /// Refusals that were told, so that the next number may be used.
    pub(super) told_refused: BTreeSet<String>,
    pub(super) goods: u32,
    pub(super) results: u32,
    pub(super) acknowledged: u32,
    result: Option<Vec<u8>>,
    texts_asked: u32,
    /// What each message said, by its reference.
    pub(super) texts: BTreeMap<String, Vec<u8>>,
    reports: u32,
    pub(super) supplier_contradicts: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Parties {
    pub(super) accounts: BTreeMap<PurchaseId, Account>,
    /// What each token was told last, and how many reports on it are being served.
    pub(super) told: BTreeMap<String, bool>,
    serving: BTreeMap<String, u32>,
    supplier_refs: u32,
}

/// An answer: an HTTP status and a body.
pub(super) type Answer = (u16, Value);

fn word<'b>(body: &'b Value, field: &str) -> &'b str {
    body.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn code(code: &str) -> Answer {
    (200, json!({ "responseCode": code }))
}

impl Account {
    pub(super) const fn new(script: Script, ours: bool, token: Option<String>) -> Self {
        Self {
            script,
            ours,
            token,
            asked: 0,
            money: None,
            charge: None,
            funds_refused: false,
            vends: BTreeMap::new(),
            told_refused: BTreeSet::new(),
            goods: 0,
            results: 0,
            acknowledged: 0,
            result: None,
            texts_asked: 0,
            texts: BTreeMap::new(),
            reports: 0,
            supplier_contradicts: false,
        }
    }
}

/// One request.
pub(super) struct Ask<'a> {
    pub(super) party: &'a str,
    pub(super) path: &'a str,
    pub(super) body: &'a [u8],
    pub(super) fields: &'a [(String, String)],
}

impl Ask<'_> {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(self.body).unwrap_or_default()
    }

    pub(super) fn field(&self, name: &str) -> &str {
        let found = self.fields.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, text)| text)
    }

    /// The purchase that a path or a body names.
    fn purchase(&self) -> Option<PurchaseId> {
        let id = |text: &str| text.get(..36).and_then(|text| text.parse().ok());
        let body = self.json();
        let named = ["raasTxnRef", "reference", "order_info"].map(|name| word(&body, name));
        let fields = ["correlator", "transaction_id"].map(|name| self.field(name));
        let known = self.path.split('/').chain(named).chain(fields).find_map(id);
        // A completion names the client's own reference.
        let number = || self.field("order_info").strip_prefix("ref-")?.parse().ok();
        known.or_else(|| number().map(super::history::id_of))
    }
}

/// Serves a request: its effect, if it has one, happens now.
pub(super) fn serve(world: &Arc<World>, ask: &Ask<'_>) -> Answer {
    if ask.party == super::directory::DESK {
        return desk(world, ask);
    }
    let Some(id) = ask.purchase() else {
        world.violate(format!("{}/{} names no purchase", ask.party, ask.path));
        return (400, Value::Null);
    };
    let mut parties = world.parties();
    parties.supplier_refs = parties.supplier_refs.wrapping_add(1);
    let number = parties.supplier_refs;
    let Some(account) = parties.accounts.get_mut(&id) else { return (404, Value::Null) };
    let step = ask.path.split('/').next().unwrap_or_default();
    match (ask.party, step) {
        (party, _) if asked::asks(party) => asked::serve(world, (id, account), ask),
        ("listener", _) => listener(world, account, ask),
        (super::directory::TEXTER, "messages") => texter(world, account, ask),
        (_, "reserve") => funds(world, account, Money::Held),
        (_, "charge") => funds(world, account, Money::Charged),
        (_, "reservations" | "charges") => funds_look_up(account),
        (_, "result") => settle(world, account, &ask.json()),
        (_, "refund") => refund(world, account),
        (supplier, "vend") if ask.body.is_empty() => {
            let reference = ask.path.rsplit('/').next().unwrap_or_default();
            vend_look_up(world, account, supplier, reference)
        }
        (supplier, "vend") => vend(world, (id, account), supplier, ask, number),
        (party, step) => {
            world.violate(format!("nobody serves {party}/{step}"));
            (404, Value::Null)
        }
    }
}

fn reserved() -> Answer {
    (200, json!({ "responseCode": "0000", "reserveFundsTxnRef": "held" }))
}

fn funds(world: &World, account: &mut Account, takes: Money) -> Answer {
    if account.funds_refused {
        return code("2010");
    }
    if account.money.is_some() {
        return reserved();
    }
    account.asked = account.asked.saturating_add(1);
    match account.script.funds {
        Funds::Refuses => {
            account.funds_refused = true;
            code("2010")
        }
        Funds::TakesLater(times) if account.asked <= times => code("2060"),
        Funds::Takes | Funds::TakesLater(_) => {
            account.money = Some(takes);
            world.note(|| format!("effect: funds {takes:?}"));
            reserved()
        }
    }
}

fn funds_look_up(account: &Account) -> Answer {
    match account.money {
        Some(_) => reserved(),
        None if account.funds_refused => code("2010"),
        None => (404, Value::Null),
    }
}

fn settle(world: &World, account: &mut Account, body: &Value) -> Answer {
    let captures = word(body, "responseCode") == "0000";
    let wanted = if captures { Money::Captured } else { Money::Cancelled };
    match account.money {
        Some(money) if money == wanted => return code("0000"),
        Some(Money::Held) => {}
        other => {
            world.violate(format!("{wanted:?} although the money is {other:?}"));
            return code("2080");
        }
    }
    if !account.script.settles {
        return code("2080");
    }
    if captures != (account.goods > 0) && !account.supplier_contradicts {
        world.violate(format!("{wanted:?} with {} vends that took effect", account.goods));
    }
    account.money = Some(wanted);
    world.note(|| format!("effect: {wanted:?}"));
    code("0000")
}

fn refund(world: &World, account: &mut Account) -> Answer {
    match account.money {
        Some(Money::Refunded) => return code("0000"),
        Some(Money::Charged) => {}
        other => {
            world.violate(format!("a refund although the money is {other:?}"));
            return code("2080");
        }
    }
    if !account.script.refunds {
        return code("2080");
    }
    if account.goods > 0 && !account.supplier_contradicts {
        world.violate("a refund of goods that are out".to_owned());
    }
    account.money = Some(Money::Refunded);
    world.note(|| "effect: refunded".to_owned());
    code("0000")
}

fn dispensed(number: u32) -> Answer {
    (200, json!({ "responseCode": "0000", "supplierRef": format!("S-{number}"), "token": "1234" }))
}

fn take_effect(world: &World, account: &mut Account, supplier: &str, reference: &str) {
    if account.ours && !matches!(account.money, Some(Money::Held | Money::Charged)) {
        world.violate(format!("{reference} is vended while the money is {:?}", account.money));
    }
    account.goods = account.goods.saturating_add(1);
    if account.goods > 1 {
        world.violate(format!("{reference}: goods are out {} times", account.goods));
    }
    account.vends.insert(reference.to_owned(), VendState::Done);
    world.note(|| format!("effect: vend at {supplier}"));
}

/// What a vend's record says.
fn told(account: &mut Account, reference: &str, state: VendState, number: u32) -> Answer {
    match state {
        VendState::Done => dispensed(number),
        VendState::Refused(word) => {
            account.told_refused.insert(reference.to_owned());
            code(word)
        }
        VendState::Pending(..) => code("2236"),
    }
}

fn vend(
    world: &Arc<World>,
    (id, account): (PurchaseId, &mut Account),
    supplier: &str,
    ask: &Ask<'_>,
    number: u32,
) -> Answer {
    let body = ask.json();
    let reference = word(&body, "vendRef").to_owned();
    let nth: u32 = reference.rsplit('-').next().and_then(|text| text.parse().ok()).unwrap_or(0);
    if nth > 0 && !account.told_refused.contains(&format!("{id}-{:04}", nth.saturating_sub(1))) {
        world.violate(format!("{reference} without a refusal of the one before"));
    }
    if let Some(known) = account.vends.get(&reference).copied() {
        if supplier == "repeat" {
            return told(account, &reference, known, number);
        }
        if known == VendState::Done || matches!(known, VendState::Pending(..)) {
            world.violate(format!("{reference} is vended again, its record is {known:?}"));
        }
    }
    let state = match account.script.vend {
        Vend::RefusesForGood => VendState::Refused("2213"),
        Vend::RefusesThis if nth == 0 => VendState::Refused("2201"),
        Vend::RefusesAlways => VendState::Refused("2201"),
        Vend::Pending(look_ups, done) if matches!(supplier, "lookup" | "repeat") => {
            VendState::Pending(look_ups, done)
        }
        Vend::Does | Vend::RefusesThis | Vend::Pending(..) if supplier == "callback" => {
            super::history::confirm_later(world, id, account.script.confirms, &reference);
            VendState::Pending(0, account.script.confirms.done)
        }
        Vend::Does | Vend::RefusesThis | Vend::Pending(..) => VendState::Done,
    };
    account.vends.insert(reference.clone(), state);
    if state == VendState::Done {
        take_effect(world, account, supplier, &reference);
    }
    told(account, &reference, state, number)
}

fn vend_look_up(world: &World, account: &mut Account, supplier: &str, reference: &str) -> Answer {
    let Some(state) = account.vends.get(reference).copied() else { return (404, Value::Null) };
    let state = match state {
        VendState::Pending(0, true) => {
            take_effect(world, account, supplier, reference);
            VendState::Done
        }
        VendState::Pending(0, false) => VendState::Refused("2213"),
        VendState::Pending(left, done) => VendState::Pending(left.saturating_sub(1), done),
        VendState::Done | VendState::Refused(_) => state,
    };
    account.vends.insert(reference.to_owned(), state);
    told(account, reference, state, 0)
}

/// The goods of a vend that was accepted go out, or do not: the supplier is about to confirm it.
pub(super) fn decide(world: &World, id: PurchaseId, reference: &str, done: bool) {
    let mut parties = world.parties();
    let Some(account) = parties.accounts.get_mut(&id) else { return };
    if !matches!(account.vends.get(reference), Some(VendState::Pending(..))) {
        return;
    }
    if done {
        take_effect(world, account, "callback", reference);
    } else {
        account.vends.insert(reference.to_owned(), VendState::Refused("2213"));
        account.told_refused.insert(reference.to_owned());
    }
}

fn listener(world: &World, account: &mut Account, ask: &Ask<'_>) -> Answer {
    let told = [ask.body, format!("{:?}", ask.fields).as_bytes()].concat();
    match &account.result {
        None => account.result = Some(told),
        Some(first) if *first == told => {}
        Some(_) => world.violate("a result is sent again with other bytes".to_owned()),
    }
    let told_success =
        word(&ask.json(), "responseCode") == "0000" || ask.field("status") == "success";
    if told_success && account.goods == 0 && !account.supplier_contradicts {
        world.violate("success is told of goods that are not out".to_owned());
    }
    account.results = account.results.saturating_add(1);
    if account.results <= account.script.acknowledges_after {
        return (500, Value::Null);
    }
    account.acknowledged = account.acknowledged.saturating_add(1);
    (202, Value::Null)
}

/// Sends each message once, by its reference.
fn texter(world: &World, account: &mut Account, ask: &Ask<'_>) -> Answer {
    let body = ask.json();
    let reference = word(&body, "reference").to_owned();
    let tells_success = reference.ends_with("-n100");
    if tells_success && account.goods == 0 && !account.supplier_contradicts {
        world.violate("a message tells of goods that are not out".to_owned());
    }
    account.texts_asked = account.texts_asked.saturating_add(1);
    if account.texts_asked <= account.script.texts_after {
        return (503, Value::Null);
    }
    let first = account.texts.entry(reference).or_insert_with(|| ask.body.to_vec());
    if first != ask.body {
        world.violate("a message is sent again with other bytes".to_owned());
    }
    if account.texts.len() > 1 {
        world.violate("buyer and recipient are told different things".to_owned());
    }
    (202, Value::Null)
}

fn desk(world: &World, ask: &Ask<'_>) -> Answer {
    let token = ask.field("token").to_owned();
    let mut parties = world.parties();
    let named = parties.accounts.values_mut().filter(|one| one.token.as_deref() == Some(&*token));
    let mut named: Vec<&mut Account> = named.collect();
    // A supplier's lie is believed: nobody else can tell.
    let goods = named.iter().any(|account| account.goods > 0 || account.supplier_contradicts);
    let Some(account) = named.first_mut() else { return (400, Value::Null) };
    if ask.path.contains("validate") {
        return (200, json!({ "is_valid": account.script.token_is_valid, "threat_code": 0 }));
    }
    let success = ask.field("activation_successful") == "True";
    if success && !goods {
        world.violate(format!("{token}: success is reported of goods that are not out"));
    }
    account.reports = account.reports.saturating_add(1);
    if account.reports <= account.script.desk_takes_after {
        return (200, json!({ "success": 0 }));
    }
    // A desk keeps a success by itself: one whose call was lost may come after a later one.
    let sticks = success || parties.told.get(&token) == Some(&true);
    parties.told.insert(token, sticks);
    (200, json!({ "success": true }))
}

/// A report is being served, or not any more.
pub(super) fn serving(world: &World, ask: &Ask<'_>, begins: bool) {
    if ask.party != super::directory::DESK || ask.path.contains("validate") {
        return;
    }
    let token = ask.field("token").to_owned();
    let mut parties = world.parties();
    let count = parties.serving.entry(token.clone()).or_default();
    *count = if begins { count.saturating_add(1) } else { count.saturating_sub(1) };
    let count = *count;
    let sticky = parties.told.get(&token) == Some(&true);
    drop(parties);
    if begins && sticky && ask.field("activation_successful") == "False" {
        world.violate(format!("{token}: a failure is sent after a success was told"));
    }
    if count > 1 {
        world.violate(format!("{token}: {count} reports are in flight"));
    }
}
