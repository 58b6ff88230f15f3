//! From a body to an order: every rule that decides whether a purchase is taken in. One function
//! for both ways in.

use chrono::{DateTime, Utc};
use fleet_domain::{
    Adapter, Amounts, CardAccount, Client, ClientId, Connector, Directory, FollowUp, FraudDetails,
    FundingType, Order, OrderDetails, Party, Product, ProductId, PurchaseId, ReserveState,
    Scenario, SupplierAdapter, TaskKind, later,
};

use crate::{CheckedBody, Content, PurchaseBody, Rejection, channel_of, channels, checked, codes};

/// Minor units of a purchase at most (contracts, section 1: 12 digits).
pub const PURCHASE_AMOUNT_MAX: i64 = 999_999_999_999;

/// An order that may be stored, with its first task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedOrder {
    /// What is stored.
    pub order: Order,
    /// What a retry is compared by; stored as a keyed hash only.
    pub content: Content,
    /// Where its funds begin.
    pub reserve: ReserveState,
    /// What is done first.
    pub first_task: FollowUp,
    /// Not to be stored while a similar purchase of the client is in flight.
    pub refuse_similar: bool,
}

/// Turns a body into an order by the rules of today.
///
/// `is_blacklisted` tells whether a source is blacklisted; `now` is the database's time.
///
/// # Errors
/// [`Rejection`] with the contract's code; it names the field and never repeats a value. It says
/// nothing of a purchase that was accepted before with this content.
pub fn accept(
    directory: &Directory,
    checked: &CheckedBody,
    now: DateTime<Utc>,
    is_blacklisted: &dyn Fn(&str) -> bool,
) -> Result<AcceptedOrder, Rejection> {
    let (body, scenario) = (&checked.body, checked.scenario);
    let client = active_client(directory, ClientId(body.client_id))?;
    checked::check_references(client, body)?;
    let channel_id = channel_of(body.channel_id)?;
    channels::check(directory, client, body)?;
    let card = card_account(client, checked)?;
    let product = card.map_or(body.product_id, |card| card.product_id);
    let (product, _) = product_for(directory, client, ProductId(product))?;
    check_currency(checked, product)?;
    let target = checked.target_for(product)?;
    let amounts = amounts_of(directory, client, product, body.purchase_amount)?;
    if body.fee_amount.is_some_and(|sent| sent != amounts.fee_amount) {
        let problem = format!("must be {} for this product and amount", amounts.fee_amount);
        return Err(Rejection::code(codes::INVALID_FEE, "feeAmount", &problem));
    }
    let named = card.map(|card| card.funding_source.clone());
    let funding_source = funding_source(directory, client, checked, named)?;
    if is_blacklisted(checked.source.expose()) {
        let problem = "is blacklisted";
        return Err(Rejection::code(codes::SOURCE_BLACKLISTED, "sourceIdentifier", problem));
    }
    check_channel(product, channel_id)?;
    let start_by = later(now, client.start_within);
    let source = directory.connectors.get(&funding_source);
    let mo = source.and_then(|source| source.mo_of(product));
    let order = Order {
        id: PurchaseId::generate(),
        client: client.id,
        client_txn_ref: body.client_txn_ref.clone(),
        scenario,
        funding: checked.funding,
        funding_source,
        product: product.id,
        supplier: product.supplier.clone(),
        currency: checked.currency,
        purchase_amount: amounts.purchase_amount,
        fee_amount: amounts.fee_amount,
        client_reservation: body.reserve_funds_txn_ref.clone().filter(|r| !r.is_empty()),
        source: checked.source.clone(),
        target,
        account: body.account_identifier.clone().map(Into::into),
        channel_id,
        details: OrderDetails {
            agreed: Some(amounts.agreed),
            mo,
            ..details(directory, (client, product.id), body, scenario)?
        },
        start_by,
    };
    let first_task = first_task(directory, &order).ok_or_else(|| unavailable("productId"))?;
    let (reserve, first_task) = match validate_task(directory, &order, now) {
        Some(validate) => (ReserveState::Validating, validate),
        None if scenario == Scenario::WeReserve => (ReserveState::Pending, first_task),
        None => (ReserveState::NotNeeded, first_task),
    };
    let content = checked.content(client, Some(product));
    // Buyers who pay by card are not told apart.
    let refuse_similar = client.refuse_similar && checked.funding != FundingType::CardPayment;
    Ok(AcceptedOrder { order, content, reserve, first_task, refuse_similar })
}

/// A client whose requests are taken.
///
/// # Errors
/// [`Rejection`] for one that is not there, or not active.
pub fn active_client(directory: &Directory, client: ClientId) -> Result<&Client, Rejection> {
    let client = directory.clients.get(&client);
    client
        .filter(|client| client.active)
        .ok_or_else(|| Rejection::field("clientId", "is not an active client"))
}

/// What a client sells by card payment, where that is what is asked for.
fn card_account<'d>(
    client: &'d Client,
    checked: &CheckedBody,
) -> Result<Option<&'d CardAccount>, Rejection> {
    if checked.funding != FundingType::CardPayment {
        return Ok(None);
    }
    let named = &checked.body.source_identifier;
    let card = client.card.as_ref().filter(|card| card.account_id == *named);
    card.map(Some).ok_or_else(|| Rejection::field("account_id", "is no account of this API key"))
}

/// The amounts of a purchase under the present terms.
///
/// # Errors
/// [`Rejection`] for an amount that the product does not allow.
pub fn amounts_of(
    directory: &Directory,
    client: &Client,
    product: &Product,
    amount: i64,
) -> Result<Amounts, Rejection> {
    check_amount(product, amount)?;
    directory.amounts(client.id, product, amount).ok_or_else(|| unavailable("productId"))
}

/// Refuses what is no amount of a purchase at all.
///
/// # Errors
/// [`Rejection`] that names the field.
pub fn check_any_amount(amount: i64) -> Result<(), Rejection> {
    if (1..=PURCHASE_AMOUNT_MAX).contains(&amount) {
        return Ok(());
    }
    let problem = format!("must be 1 to {PURCHASE_AMOUNT_MAX} minor units");
    Err(Rejection::field("purchaseAmount", &problem))
}

/// Refuses an amount that the product does not allow.
///
/// # Errors
/// [`Rejection`] that names the field and the limit.
pub fn check_amount(product: &Product, amount: i64) -> Result<(), Rejection> {
    check_any_amount(amount)?;
    if amount > product.max_amount {
        let (problem, max) = ("is above the maximum of", product.max_amount);
        return Err(Rejection::amount(codes::ABOVE_MAX, "purchaseAmount", problem, max));
    }
    if amount < product.min_amount {
        let (problem, min) = ("is below the minimum of", product.min_amount);
        return Err(Rejection::amount(codes::BELOW_MIN, "purchaseAmount", problem, min));
    }
    Ok(())
}

/// Whether a connector may serve a client: the sandbox and the real world never meet.
#[must_use]
pub const fn may_serve(connector: &Connector, client: &Client) -> bool {
    connector.sandbox == client.sandbox
}

/// Whether a product is one that this client may ask for: what clients hand over themselves is sold by
/// whom it belongs to alone.
#[must_use]
pub fn may_ask_for(client: &Client, product: &Product, supplier: &Connector) -> bool {
    let own = client.card.as_ref().is_some_and(|card| card.product_id == product.id.0);
    supplier.supplier() != Some(SupplierAdapter::OwnGoods) || own
}

/// The product of a client's request, with its supplier.
///
/// # Errors
/// [`Rejection`] for one that is not there, not active, or not for this client.
pub fn product_for<'d>(
    directory: &'d Directory,
    client: &Client,
    product: ProductId,
) -> Result<(&'d Product, &'d Connector), Rejection> {
    let nothing = || Rejection::field("productId", "is not an active product");
    let product = directory.products.get(&product).filter(|product| product.active);
    let product = product.ok_or_else(nothing)?;
    let supplier = connector(directory, &product.supplier, Party::Supplier)
        .ok_or_else(|| unavailable("productId"))?;
    if !may_ask_for(client, product, supplier) {
        return Err(nothing());
    }
    if !may_serve(supplier, client) {
        return Err(Rejection::field("productId", wrong_side(client)));
    }
    Ok((product, supplier))
}

/// What is wrong with a connector of the other side.
const fn wrong_side(client: &Client) -> &'static str {
    if client.sandbox {
        "is not offered to a sandbox client"
    } else {
        "is offered to sandbox clients only"
    }
}

/// The first task that moves money or goods; `None` while its connector's lane is missing.
#[must_use]
pub fn first_task(directory: &Directory, order: &Order) -> Option<FollowUp> {
    let (kind, owner) = match order.scenario {
        Scenario::ClientReserved => (TaskKind::Dispense, &order.supplier),
        Scenario::WeReserve => (TaskKind::Reserve, &order.funding_source),
    };
    let lane = directory.lane_of(kind, owner)?;
    // Who sells on a device may have paid whenever we get to it: then it is asked about, not given up.
    let start_by = (order.funding != FundingType::CardSale).then_some(order.start_by);
    Some(FollowUp { kind, slot: 0, lane, start_by, deadline_at: start_by })
}

/// The question to the desk that goes first, where the desk's rules want it. It has to be answered
/// early enough to leave time for the purchase itself.
fn validate_task(directory: &Directory, order: &Order, now: DateTime<Utc>) -> Option<FollowUp> {
    let (fraud, _) = order.fraud_token()?;
    let desk = fraud.desk.as_deref()?;
    let rules = directory.connectors.get(desk)?.desk.as_ref()?;
    if !rules.validates(order.scenario) {
        return None;
    }
    let lane = directory.lane_of(TaskKind::Validate, desk)?;
    let until = Some(later(now, rules.validate_within).min(order.start_by));
    let kind = TaskKind::Validate;
    Some(FollowUp { kind, slot: 0, lane, start_by: until, deadline_at: until })
}

fn unavailable(field: &str) -> Rejection {
    Rejection::field(field, "is not available at the moment")
}

fn check_channel(product: &Product, channel: i32) -> Result<(), Rejection> {
    if product.channels.is_empty() || product.channels.contains(&channel) {
        return Ok(());
    }
    Err(Rejection::field("channelId", "is not a channel of this product"))
}

fn connector<'d>(directory: &'d Directory, name: &str, party: Party) -> Option<&'d Connector> {
    let serves = |connector: &&Connector| {
        connector.active
            && connector.party == party
            && !matches!(connector.adapter, Adapter::Unknown(_))
    };
    directory.connectors.get(name).filter(serves)
}

fn check_currency(checked: &CheckedBody, product: &Product) -> Result<(), Rejection> {
    if checked.currency == product.currency {
        return Ok(());
    }
    let problem = format!("must be {}, the product's currency", product.currency);
    Err(Rejection::field("currencyCode", &problem))
}

/// The connector that funds the purchase, named or the client's; empty when the client holds the
/// funds.
fn funding_source(
    directory: &Directory,
    client: &Client,
    checked: &CheckedBody,
    named: Option<String>,
) -> Result<String, Rejection> {
    let funding = checked.funding;
    if funding == FundingType::Client {
        return Ok(String::new());
    }
    let named = named
        .or_else(|| checked.named_source())
        .or_else(|| client.default_funding_source.clone())
        .ok_or_else(|| Rejection::field("fundingSourceId", "is missing and has no default"))?;
    match connector(directory, &named, Party::Bank) {
        Some(connector) if !may_serve(connector, client) => {
            Err(Rejection::field("fundingSourceId", wrong_side(client)))
        }
        Some(connector) if connector.funding() != funding => {
            let problem = format!("is a source of the type {}", connector.funding());
            Err(Rejection::field("fundingSourceId", &problem))
        }
        Some(connector) => Ok(connector.name.clone()),
        None => Err(Rejection::field("fundingSourceId", "is not an active funding source")),
    }
}

fn details(
    directory: &Directory,
    (client, product): (&Client, ProductId),
    body: &PurchaseBody,
    scenario: Scenario,
) -> Result<OrderDetails, Rejection> {
    Ok(OrderDetails {
        auth_code: body.auth_code.clone(),
        channel_name: body.channel_name.clone(),
        channel_session_id: body.channel_session_id.clone(),
        timestamp: body.timestamp.clone(),
        deliver: body.deliver.clone().unwrap_or_default(),
        notify: body.notify.clone().unwrap_or_default(),
        notify_email: body.notify_email.as_ref().map(|address| address.trim().to_owned()),
        fraud: fraud(directory, (client, product), body, scenario)?,
        agreed: None,
        mo: None,
    })
}

/// A token belongs to the desk of its time. A desk that is asked about tokens wants to know where
/// they come from.
fn fraud(
    directory: &Directory,
    (client, product): (&Client, ProductId),
    body: &PurchaseBody,
    scenario: Scenario,
) -> Result<Option<FraudDetails>, Rejection> {
    let Some(block) = body.fraud.clone() else { return Ok(None) };
    let mut fraud = FraudDetails::from(block);
    if fraud.token.as_ref().is_none_or(String::is_empty) {
        return Ok(Some(fraud));
    }
    let desk = directory.desk_of(client.id, product);
    let Some(desk) = desk else { return Ok(Some(fraud)) };
    fraud.desk = Some(desk.name.clone());
    let validates = desk.desk.as_ref().is_some_and(|rules| rules.validates(scenario));
    let needed = [("fraud.userIp", &fraud.user_ip), ("fraud.userAgent", &fraud.user_agent)];
    for (field, text) in needed.into_iter().filter(|_| validates) {
        if text.as_ref().is_none_or(String::is_empty) {
            return Err(Rejection::field(field, "is needed to validate fraud.token"));
        }
    }
    Ok(Some(fraud))
}
