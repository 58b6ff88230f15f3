//! From a body to an order: every rule that decides whether a purchase is taken in. One function
//! for both ways in.

use chrono::{DateTime, Utc};
use fleet_domain::{
    Amounts, Client, ClientId, Connector, Currency, Directory, FollowUp, FraudDetails, FundingType,
    Order, OrderDetails, Party, Private, Product, ProductId, PurchaseId, ReserveState, Scenario,
    SupplierAdapter, TaskKind, bare, later, looks_like_a_card_number,
};

use crate::timestamp::is_iso_8601;
use crate::{PurchaseBody, Rejection, channels, codes};

/// Minor units of a purchase at most (contracts, section 1: 12 digits).
pub const PURCHASE_AMOUNT_MAX: i64 = 999_999_999_999;

/// An order that may be stored, with its first task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedOrder {
    /// What is stored.
    pub order: Order,
    /// What "the same content" means, as text; stored as a keyed hash only.
    pub content: Private,
    /// The fee that the request named: part of the content too, but a purchase that names none is the
    /// same one whatever the fee has become since.
    pub sent_fee: Option<i64>,
    /// Where its funds begin.
    pub reserve: ReserveState,
    /// What is done first.
    pub first_task: FollowUp,
    /// Not to be stored while a similar purchase of the client is in flight.
    pub refuse_similar: bool,
}

/// Turns a body into an order.
///
/// `is_blacklisted` tells whether a source is blacklisted; `now` is the database's time.
///
/// # Errors
/// [`Rejection`] with the contract's code; it names the field and never repeats a value.
pub fn accept(
    directory: &Directory,
    body: &PurchaseBody,
    scenario: Scenario,
    now: DateTime<Utc>,
    is_blacklisted: &dyn Fn(&str) -> bool,
) -> Result<AcceptedOrder, Rejection> {
    check_texts(body)?;
    let client = client_of(directory, body)?;
    channels::check(client, body)?;
    let (product, _) = product_for(directory, client, ProductId(body.product_id))?;
    let currency = currency_of(body, product)?;
    let amounts = amounts_of(directory, client, product, body.purchase_amount)?;
    if body.fee_amount.is_some_and(|sent| sent != amounts.fee_amount) {
        let problem = format!("must be {} for this product and amount", amounts.fee_amount);
        return Err(Rejection::code(codes::INVALID_FEE, "feeAmount", &problem));
    }
    let source = identifier("sourceIdentifier", &body.source_identifier)?;
    let target = identifier("targetIdentifier", &body.target_identifier)?;
    let funding = body.funding_type(scenario)?;
    let funding_source = funding_source(directory, client, body, scenario)?;
    if is_blacklisted(&source) {
        let problem = "is blacklisted";
        return Err(Rejection::code(codes::SOURCE_BLACKLISTED, "sourceIdentifier", problem));
    }
    let start_by = later(now, client.start_within);
    let order = Order {
        id: PurchaseId::generate(),
        client: client.id,
        client_txn_ref: body.client_txn_ref.clone(),
        scenario,
        funding,
        funding_source,
        product: product.id,
        supplier: product.supplier.clone(),
        currency,
        purchase_amount: amounts.purchase_amount,
        fee_amount: amounts.fee_amount,
        client_reservation: body.reserve_funds_txn_ref.clone().filter(|r| !r.is_empty()),
        source: Private::new(source),
        target: Private::new(target),
        account: body.account_identifier.clone().map(Private::new),
        channel_id: channel_of(product, body)?,
        details: OrderDetails {
            agreed: Some(amounts.agreed),
            ..details(directory, client, body, scenario)?
        },
        start_by,
    };
    let first_task = first_task(directory, &order).ok_or_else(|| unavailable("productId"))?;
    let (reserve, first_task) = match validate_task(directory, &order, now) {
        Some(validate) => (ReserveState::Validating, validate),
        None if scenario == Scenario::WeReserve => (ReserveState::Pending, first_task),
        None => (ReserveState::NotNeeded, first_task),
    };
    let (content, sent_fee) = (content_of_order(&order), body.fee_amount);
    // Buyers who pay by card are not told apart.
    let refuse_similar = client.refuse_similar && body.paid_by != Some(FundingType::CardPayment);
    Ok(AcceptedOrder { order, content, sent_fee, reserve, first_task, refuse_similar })
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
        let problem = format!("is above the maximum of {}", product.max_amount);
        return Err(Rejection::code(codes::ABOVE_MAX, "purchaseAmount", &problem));
    }
    if amount < product.min_amount {
        let problem = format!("is below the minimum of {}", product.min_amount);
        return Err(Rejection::code(codes::BELOW_MIN, "purchaseAmount", &problem));
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

fn client_of<'d>(directory: &'d Directory, body: &PurchaseBody) -> Result<&'d Client, Rejection> {
    let client = directory.clients.get(&ClientId(body.client_id));
    client
        .filter(|client| client.active)
        .ok_or_else(|| Rejection::field("clientId", "is not an active client"))
}

fn channel_of(product: &Product, body: &PurchaseBody) -> Result<i32, Rejection> {
    let channel = i32::try_from(body.channel_id)
        .ok()
        .filter(|channel| *channel > 0)
        .ok_or_else(|| Rejection::field("channelId", "is not a channel"))?;
    if !product.channels.is_empty() && !product.channels.contains(&channel) {
        return Err(Rejection::field("channelId", "is not a channel of this product"));
    }
    Ok(channel)
}

fn connector<'d>(directory: &'d Directory, name: &str, party: Party) -> Option<&'d Connector> {
    directory.connectors.get(name).filter(|c| c.active && c.party == party)
}

fn currency_of(body: &PurchaseBody, product: &Product) -> Result<Currency, Rejection> {
    let currency = Currency::from_code(&body.currency_code)
        .map_err(|error| Rejection::field("currencyCode", &error.to_string()))?;
    if currency != product.currency {
        let problem = format!("must be {}, the product's currency", product.currency);
        return Err(Rejection::field("currencyCode", &problem));
    }
    Ok(currency)
}

/// The connector that funds the purchase; empty when the client holds the funds.
fn funding_source(
    directory: &Directory,
    client: &Client,
    body: &PurchaseBody,
    scenario: Scenario,
) -> Result<String, Rejection> {
    let funding = body.funding_type(scenario)?;
    match (scenario, funding) {
        (Scenario::ClientReserved, FundingType::Client) => return Ok(String::new()),
        (Scenario::WeReserve, FundingType::MoCharge) => check_msisdn(body)?,
        (Scenario::WeReserve, FundingType::Bank | FundingType::CardPayment) => {}
        (Scenario::WeReserve, FundingType::CardSale) if body.paid_by.is_none() => {
            let problem = "needs an access token: POST /consumers/{id}/access-tokens";
            return Err(Rejection::field("fundingSource.type", problem));
        }
        (Scenario::WeReserve, FundingType::CardSale) => {}
        (Scenario::ClientReserved, _) | (Scenario::WeReserve, FundingType::Client) => {
            let problem = format!("does not fit the scenario {scenario}");
            return Err(Rejection::field("fundingSource.type", &problem));
        }
    }
    let named = body
        .funding_source
        .as_ref()
        .and_then(|source| source.name.clone())
        .or_else(|| body.funding_source_id.as_ref().map(crate::TextOrNumber::text))
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

/// An operator charges numbers only.
fn check_msisdn(body: &PurchaseBody) -> Result<(), Rejection> {
    let number = identifier("sourceIdentifier", &body.source_identifier)?;
    if (7..=15).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(Rejection::field("sourceIdentifier", "must be an MSISDN of 7 to 15 digits"))
}

/// An MSISDN, meter or account number: `+`, blanks and dashes go, then 1 to 32 letters or digits.
///
/// # Errors
/// [`Rejection`] that names the field.
pub fn identifier(field: &str, text: &str) -> Result<String, Rejection> {
    let kept = bare(text.trim_matches(' '));
    let allowed = kept.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if kept.is_empty() || text.len() > 32 || !allowed {
        return Err(Rejection::field(field, "must be 1 to 32 letters or digits"));
    }
    Ok(kept)
}

fn check_texts(body: &PurchaseBody) -> Result<(), Rejection> {
    if body.client_txn_ref.is_empty() {
        return Err(Rejection::field("clientTxnRef", "is empty"));
    }
    let fraud = body.fraud.as_ref();
    let texts = [
        ("clientTxnRef", Some(&body.client_txn_ref), 64),
        ("accountIdentifier", body.account_identifier.as_ref(), 64),
        ("authCode", body.auth_code.as_ref(), 64),
        ("channelName", body.channel_name.as_ref(), 64),
        ("channelSessionId", body.channel_session_id.as_ref(), 64),
        ("reserveFundsTxnRef", body.reserve_funds_txn_ref.as_ref(), 64),
        ("timestamp", body.timestamp.as_ref(), 64),
        ("fraud.token", fraud.and_then(|f| f.token.as_ref()), 512),
        ("fraud.userIp", fraud.and_then(|f| f.user_ip.as_ref()), 64),
        ("fraud.userAgent", fraud.and_then(|f| f.user_agent.as_ref()), 1024),
        ("fraud.validateTimestamp", fraud.and_then(|f| f.validate_timestamp.as_ref()), 64),
        ("fraud.pricePoint", fraud.and_then(|f| f.price_point.as_ref()), 64),
        ("fraud.billingFrequency", fraud.and_then(|f| f.billing_frequency.as_ref()), 64),
        ("fraud.shortcode", fraud.and_then(|f| f.shortcode.as_ref()), 64),
        ("fraud.externalUserId", fraud.and_then(|f| f.external_user_id.as_ref()), 128),
        ("fraud.externalProductId", fraud.and_then(|f| f.external_product_id.as_ref()), 128),
    ];
    for (field, text, max) in texts {
        let Some(text) = text else { continue };
        if text.chars().count() > max {
            return Err(Rejection::field(field, &format!("is longer than {max} characters")));
        }
        if text.chars().any(char::is_control) {
            return Err(Rejection::field(field, "has control characters"));
        }
        // References that reach other systems' logs must not smuggle a card number along.
        if field != "accountIdentifier" && looks_like_a_card_number(text) {
            return Err(Rejection::field(field, "looks like a card number, which is not allowed"));
        }
    }
    if let Some(timestamp) = &body.timestamp
        && !is_iso_8601(timestamp)
    {
        return Err(Rejection::field("timestamp", "is not an ISO 8601 date and time"));
    }
    for (field, list) in [("deliver", &body.deliver), ("notify", &body.notify)] {
        if list
            .as_ref()
            .is_some_and(|list| list.len() > 8 || list.iter().any(|n| n.chars().count() > 64))
        {
            return Err(Rejection::field(field, "has more than 8 names or one over 64 characters"));
        }
    }
    Ok(())
}

fn details(
    directory: &Directory,
    client: &Client,
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
        fraud: fraud(directory, client, body, scenario)?,
        agreed: None,
    })
}

/// A token belongs to the desk of its time. A desk that is asked about tokens wants to know where
/// they come from.
fn fraud(
    directory: &Directory,
    client: &Client,
    body: &PurchaseBody,
    scenario: Scenario,
) -> Result<Option<FraudDetails>, Rejection> {
    let Some(block) = body.fraud.clone() else { return Ok(None) };
    let mut fraud = FraudDetails::from(block);
    if fraud.token.as_ref().is_none_or(String::is_empty) {
        return Ok(Some(fraud));
    }
    let Some(desk) = directory.desk_of(client.id) else { return Ok(Some(fraud)) };
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

/// What a retry of this body is compared by, whatever the directory has become since its purchase
/// was accepted; `None` when it cannot be told.
#[must_use]
pub fn content_of(
    directory: &Directory,
    body: &PurchaseBody,
    scenario: Scenario,
) -> Option<Private> {
    let client = client_of(directory, body).ok()?;
    let currency = Currency::from_code(&body.currency_code).ok()?;
    let funding_source = funding_source(directory, client, body, scenario).ok()?;
    let source = identifier("sourceIdentifier", &body.source_identifier).ok()?;
    let target = identifier("targetIdentifier", &body.target_identifier).ok()?;
    let funding = body.funding_type(scenario).ok()?;
    Some(content(&[
        scenario.name(),
        &body.product_id.to_string(),
        &body.purchase_amount.to_string(),
        currency.code(),
        &source,
        &target,
        funding.name(),
        &funding_source,
        body.reserve_funds_txn_ref.as_deref().unwrap_or_default(),
    ]))
}

/// "The same content": product, amount, currency, source, target, funding source and the client's
/// reservation; never timestamps or session fields, which a retry renews. The fee is compared apart
/// ([`AcceptedOrder::sent_fee`]).
fn content_of_order(order: &Order) -> Private {
    content(&[
        order.scenario.name(),
        &order.product.to_string(),
        &order.purchase_amount.to_string(),
        order.currency.code(),
        order.source.expose(),
        order.target.expose(),
        order.funding.name(),
        &order.funding_source,
        order.client_reservation.as_deref().unwrap_or_default(),
    ])
}

fn content(parts: &[&str]) -> Private {
    Private::new(parts.iter().map(|part| format!("{}:{part}", part.len())).collect::<String>())
}
