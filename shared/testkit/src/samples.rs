//! Purchases that tests take in.

use chrono::{DateTime, Utc};
use fleet_contracts::{AcceptedOrder, Content};
use fleet_domain::{
    ClientId, Currency, FollowUp, FundingType, LaneId, MoneyError, Order, OrderDetails, Private,
    ProductId, PurchaseId, ReserveState, Scenario, TaskKind, WayIn,
};
use fleet_store::NewPurchase;

/// The lane of reserve tasks.
pub const RESERVE_LANE: LaneId = LaneId(11);
/// The lane of dispense tasks.
pub const DISPENSE_LANE: LaneId = LaneId(12);
/// The lane of settle tasks.
pub const SETTLE_LANE: LaneId = LaneId(13);
/// The lane of deliver tasks.
pub const DELIVER_LANE: LaneId = LaneId(14);

/// The lane of notify tasks.
pub const NOTIFY_LANE: LaneId = LaneId(15);

/// An order of client 1001 over 34.50 ZAR, to be started before `start_by`.
///
/// # Errors
/// None: the currency exists.
pub fn new_purchase(
    reference: &str,
    scenario: Scenario,
    start_by: DateTime<Utc>,
) -> Result<NewPurchase, MoneyError> {
    let ours = scenario == Scenario::WeReserve;
    let order = Order {
        id: PurchaseId::generate(),
        client: ClientId(1001),
        client_txn_ref: reference.to_owned(),
        scenario,
        funding: if ours { FundingType::Bank } else { FundingType::Client },
        funding_source: if ours { "sample-bank".to_owned() } else { String::new() },
        product: ProductId(101),
        supplier: "supplier-lookup".to_owned(),
        currency: Currency::from_code("ZAR")?,
        purchase_amount: 3_400,
        fee_amount: 50,
        client_reservation: (!ours).then(|| format!("held-{reference}")),
        source: Private::new("27820000001"),
        target: Private::new("27820000002"),
        account: Some(Private::new("account-7")),
        channel_id: 3,
        details: OrderDetails::default(),
        start_by,
    };
    let (reserve, kind, lane) = if ours {
        (ReserveState::Pending, TaskKind::Reserve, RESERVE_LANE)
    } else {
        (ReserveState::NotNeeded, TaskKind::Dispense, DISPENSE_LANE)
    };
    let first_task =
        FollowUp { kind, slot: 0, lane, start_by: Some(start_by), deadline_at: Some(start_by) };
    let content = Content {
        rest: Private::new(format!("{scenario} 101 3400 ZAR")),
        target: Private::new("27820000002"),
        target_otherwise: None,
        named_source: None,
        default_source: None,
        fee: None,
    };
    let refuse_similar = false;
    let order = AcceptedOrder { order, content, reserve, first_task, refuse_similar };
    Ok(NewPurchase { order, way_in: WayIn::Http })
}
