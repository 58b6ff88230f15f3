//! Sources that ask the buyer: an operator by SMS, a page, an app on the buyer's device. Each asks once
//! a purchase, and tells how it ended: late, twice, falsely, or not at all.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fleet_contracts::{
    CARD_FACT, CARD_NOT_PAID, CARD_PAID, MO_CHARGED, MO_FACT, SALE_CHECKED, SALE_FACT, SALE_MAPPED,
};
use fleet_domain::{
    NewFact, Private, PurchaseId, PurchaseStatus, ReserveState, TaskKey, TaskKind, told_by,
};
use serde_json::{Value, json};

use super::parties::{Account, Answer, Ask, Money};
use super::script::{Buyer, Funds};
use super::world::{World, pass};

/// Asks by SMS.
pub(super) const OPERATOR: &str = "operator";
/// Has a page where the buyer pays.
pub(super) const PAGE: &str = "page";
/// The card gateway that the buyer's app pays at.
pub(super) const APP: &str = "app";
/// Our merchant, campaign and environment at the operator.
pub(super) const MO: [&str; 3] = ["partner:1", "campaign:1", "test"];
/// Our account at the page, and our endpoint at the card gateway.
pub(super) const OWN: &str = "77";
/// How often the app asks whether it may begin, once a second.
const BEGINS: u32 = 130;

/// What a sale's status is asked for with.
const SESSION: &str = r#"{"session":{"accessToken":"a","token":"t"}}"#;

/// What a source knows of a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Charge {
    /// What it says of it to whoever asks, in the words of who asked for it.
    terms: Value,
    paid: Option<bool>,
}

/// Whether a source is one of these.
pub(super) fn asks(party: &str) -> bool {
    matches!(party, OPERATOR | PAGE | APP)
}

fn transaction(id: PurchaseId) -> String {
    format!("{id}-t")
}

/// Serves a request.
pub(super) fn serve(
    world: &Arc<World>,
    (id, account): (PurchaseId, &mut Account),
    ask: &Ask<'_>,
) -> Answer {
    let asks_buyer = matches!(ask.path, "v2.2/mo/charge" | "api/card-payments");
    if let Some(no) = asks_buyer.then(|| says_no(world, account)).flatten() {
        return no;
    }
    let is_known = ask.field("transaction_id") == transaction(id)
        || ask.path.ends_with(&format!("/{}", transaction(id)));
    let paid = account.charge.as_ref().filter(|charge| charge.paid == Some(true) && is_known);
    match (ask.party, ask.path) {
        (OPERATOR, "v2.2/mo/charge") => {
            let [merchant, campaign, environment] = MO;
            let terms = json!({
                "status": MO_CHARGED, "merchant": merchant, "campaign": campaign,
                "environment": environment, "msisdn": ask.field("msisdn"),
                "amount": ask.field("amount"), "currency": ask.field("currency"),
            });
            ask_buyer(world, (id, account), OPERATOR, terms);
            (200, json!({ "success": true }))
        }
        (PAGE, "api/card-payments") => {
            let body = ask.json();
            let terms = json!({
                "accountID": OWN, "transactionid": transaction(id), "status": PurchaseStatus::Success,
                "amount": body.get("amount"), "order_info": body.get("order_info"),
            });
            ask_buyer(world, (id, account), PAGE, terms);
            (200, json!({ "payment_url": format!("http://{PAGE}/pay/{id}") }))
        }
        (OPERATOR, "external/v1/merchant/check_transaction") => about(paid),
        (PAGE, path) if path.starts_with("api/transactions/") => about(paid),
        (APP, path) if path.ends_with("/status") => sale_status(id, account),
        (party, path) => {
            world.violate(format!("nobody serves {party}/{path}"));
            (404, Value::Null)
        }
    }
}

/// A no: for good, and nothing was done; or to the same once more, which says nothing of the first.
fn says_no(world: &World, account: &mut Account) -> Option<Answer> {
    let is_again = account.charge.is_some();
    if !is_again && account.script.funds == Funds::Refuses {
        account.funds_refused = true;
        world.reach("asked for a buyer, and said no");
        let status = if account.script.buyer.pays { 400 } else { 200 };
        return Some((status, json!({ "success": false })));
    }
    if is_again && matches!(account.script.funds, Funds::TakesLater(_)) {
        world.reach("asked once more, and said no");
        return Some((409, json!({ "success": false })));
    }
    None
}

fn about(paid: Option<&Charge>) -> Answer {
    paid.map_or((404, Value::Null), |charge| (200, charge.terms.clone()))
}

fn sale_status(id: PurchaseId, account: &Account) -> Answer {
    let Some(charge) = &account.charge else { return (404, Value::Null) };
    let state = match charge.paid {
        None => "PROCESSING",
        Some(true) => "APPROVED",
        Some(false) => "DECLINED",
    };
    let order = transaction(id);
    (200, json!({ "state": state, "orderId": order, "transaction": charge.terms }))
}

/// The buyer is asked, once, whoever asks again.
fn ask_buyer(
    world: &Arc<World>,
    (id, account): (PurchaseId, &mut Account),
    source: &'static str,
    terms: Value,
) {
    if account.charge.is_some() {
        return;
    }
    account.charge = Some(Charge { terms, paid: None });
    let (world, buyer) = (Arc::clone(world), account.script.buyer);
    world.buyers.fetch_add(1, Ordering::Relaxed);
    tokio::spawn(async move {
        if buyer.forged {
            tell(&world, source, id, MO_CHARGED, &format!("{id}-forged")).await;
        }
        answers(&world, source, id, buyer).await;
        world.buyers.fetch_sub(1, Ordering::Relaxed);
    });
}

/// The buyer pays or does not, and the source tells it.
async fn answers(world: &World, source: &'static str, id: PurchaseId, buyer: Buyer) {
    pass(buyer.after).await;
    pays(world, id, buyer.pays);
    if source == APP && buyer.pays && is_open(world, id) {
        // The card gateway tells a card, which is not taken before the sale is known to be paid.
        keep(world, APP, id, (SALE_FACT, SALE_MAPPED, ""), SESSION.to_owned()).await;
    }
    let refusal = if buyer.turns { "NO_BALANCE" } else { "PIN_EXPIRED" };
    let word = |paid: bool| if paid { MO_CHARGED } else { refusal };
    // A silent operator or page cannot be asked: nobody would ever know what was paid there.
    let is_heard = !buyer.unheard || buyer.pays && source != APP;
    let times = if is_heard { buyer.tells } else { 0 };
    for _ in 0..times {
        tell(world, source, id, word(buyer.pays), &transaction(id)).await;
        pass(world.millis(0, 3_000)).await;
    }
    if buyer.turns {
        if !buyer.pays {
            pays(world, id, true);
        }
        tell(world, source, id, word(!buyer.pays), &transaction(id)).await;
    }
}

fn pays(world: &World, id: PurchaseId, paid: bool) {
    let mut parties = world.parties();
    let Some(account) = parties.accounts.get_mut(&id) else { return };
    if let Some(charge) = &mut account.charge {
        charge.paid = Some(paid);
    }
    if paid {
        account.money = Some(Money::Charged);
        drop(parties);
        world.note(|| format!("effect: {id} is charged"));
    }
}

/// What a source tells, in its own words.
async fn tell(world: &World, source: &'static str, id: PurchaseId, word: &str, transaction: &str) {
    let paid = word == MO_CHARGED;
    let (kind, status) = match source {
        OPERATOR => (MO_FACT, word),
        PAGE => (CARD_FACT, if paid { CARD_PAID } else { CARD_NOT_PAID }),
        _ if paid => (SALE_FACT, "sale:approved"),
        _ if is_paid(world, id) => (SALE_FACT, "reversal:approved"),
        _ => (SALE_FACT, "sale:declined"),
    };
    let body = match source {
        OPERATOR => {
            let [merchant, campaign, environment] = MO;
            let told = json!({
                "type": MO_FACT, "merchant": merchant, "campaign": campaign, "msisdn": "27820000001",
                "environment": environment, "correlator": id.to_string(),
                "transaction": { "status": word, "transaction_id": transaction },
            });
            json!({ (if paid { "success" } else { "error" }): told }).to_string()
        }
        _ => format!(
            "status=approved&orderid={transaction}&client_orderid={id}&amount=34.50&control=1"
        ),
    };
    let external_id = if paid || source == APP { transaction } else { "" };
    keep(world, source, id, (kind, status, external_id), body).await;
}

fn is_paid(world: &World, id: PurchaseId) -> bool {
    let parties = world.parties();
    parties.accounts.get(&id).is_some_and(|account| account.money == Some(Money::Charged))
}

async fn keep(
    world: &World,
    source: &str,
    id: PurchaseId,
    (kind, status, external_id): (&str, &str, &str),
    body: String,
) {
    let fact = NewFact {
        source: told_by(kind, source),
        kind: kind.to_owned(),
        task: Some(TaskKey { purchase: id, kind: TaskKind::Reserve, slot: 0 }),
        reference: id.to_string(),
        status: status.to_owned(),
        external_id: external_id.to_owned(),
        meaning: Private::new(""),
        body: Private::new(body),
    };
    world.tell(&fact).await;
}

/// The buyer's app begins the sale that it has a token for; before it charges, the card gateway asks us
/// whether the sale is ours.
pub(super) fn app_begins(world: &Arc<World>, id: PurchaseId) {
    let found = world.parties().accounts.get(&id).map(|account| account.script.buyer);
    let (world, Some(buyer)) = (Arc::clone(world), found) else { return };
    world.buyers.fetch_add(1, Ordering::Relaxed);
    tokio::spawn(async move {
        app_sells(&world, id, buyer).await;
        world.buyers.fetch_sub(1, Ordering::Relaxed);
    });
}

async fn app_sells(world: &World, id: PurchaseId, buyer: Buyer) {
    let mut tries = BEGINS;
    while reserve(world, id) == Some(ReserveState::Validating) && tries > 0 {
        tries = tries.saturating_sub(1);
        pass(Duration::from_secs(1)).await;
    }
    pass(world.millis(0, 1_000)).await;
    if !is_open(world, id) {
        return;
    }
    if buyer.forged {
        tell(world, APP, id, MO_CHARGED, &format!("{id}-forged")).await;
        // The app may go no further: then nobody can be asked about that word.
        if buyer.unheard {
            return;
        }
    }
    let terms = json!({ "amountCentis": 3_450, "currency": "ZAR" });
    if let Some(account) = world.parties().accounts.get_mut(&id) {
        account.charge = Some(Charge { terms, paid: None });
    }
    keep(world, APP, id, (SALE_FACT, SALE_CHECKED, ""), SESSION.to_owned()).await;
    pass(world.millis(0, 500)).await;
    // A purchase that has ended meanwhile is not vouched for; nor is one whose answer gets lost.
    if !is_open(world, id) || world.chance(world.knobs.lost) {
        world.reach("sale not vouched for");
        pays(world, id, false);
        return;
    }
    answers(world, APP, id, buyer).await;
}

fn reserve(world: &World, id: PurchaseId) -> Option<ReserveState> {
    world.memory.progress(id).map(|progress| progress.reserve)
}

/// Whether a sale of it may still be vouched for, as the gateway's check has it.
fn is_open(world: &World, id: PurchaseId) -> bool {
    reserve(world, id).is_some_and(ReserveState::is_open)
}
