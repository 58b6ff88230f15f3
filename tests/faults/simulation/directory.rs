//! One client, its funding sources, suppliers of every kind, a fraud desk, and who sends messages.

use std::collections::BTreeMap;
use std::time::Duration;

use fleet_domain::{
    Adapter, Authentication, AuthenticationOf, Client, ClientId, Connector, Currency, DeskRules,
    Directory, FeeRule, FundingType, Inquiry, Lane, LaneId, MoAccount, MoOfProduct, MsisdnForm,
    NotifyChannel, NotifyRules, OnUnavailable, Party, PlanClass, Private, Product, ProductId,
    RetryPlan, TaskKind, ValidateWhen,
};
use fleet_testkit::samples::{DELIVER_LANE, DISPENSE_LANE, NOTIFY_LANE, RESERVE_LANE, SETTLE_LANE};

use super::asked::{APP, MO, OPERATOR, OWN, PAGE};
use super::knobs::Knobs;

/// The only client.
pub(super) const CLIENT: ClientId = ClientId(1001);
/// A call may take so long.
pub(super) const CALL: Duration = Duration::from_secs(2);
/// "Not found" is believed so long after the last possible send.
const SETTLE: Duration = Duration::from_secs(3);
/// A bank holds funds for so long.
const HOLD: Duration = Duration::from_secs(400);
/// A supplier that confirms is waited for so long.
const CALLBACK: Duration = Duration::from_secs(40);

/// Funding sources: what takes a hold, what takes the money and gives it back, what gives nothing back,
/// and what asks the buyer.
pub(super) const SOURCES: [(&str, &str, LaneId, FundingType); 6] = [
    ("bank", "bank", RESERVE_LANE, FundingType::Bank),
    ("wallet", "charge", LaneId(21), FundingType::Bank),
    ("purse", "charge-only", LaneId(31), FundingType::Bank),
    (OPERATOR, "mo-charge", LaneId(41), FundingType::MoCharge),
    (PAGE, "card-payment", LaneId(51), FundingType::CardPayment),
    (APP, "card-sale", LaneId(61), FundingType::CardSale),
];

/// Suppliers: what answers look-ups, confirms, does neither, or deduplicates.
pub(super) const SUPPLIERS: [(&str, Inquiry, LaneId); 4] = [
    ("lookup", Inquiry::LookUp, DISPENSE_LANE),
    ("callback", Inquiry::Callback, LaneId(22)),
    ("plain", Inquiry::None, LaneId(32)),
    ("repeat", Inquiry::Repeat, LaneId(42)),
];

/// Who sends messages.
pub(super) const TEXTER: &str = "texter";

/// The fraud desk.
pub(super) const DESK: &str = "desk";

fn connector(name: &str, party: Party, adapter: &str, inquiry: Inquiry) -> Connector {
    Connector {
        name: name.to_owned(),
        party,
        adapter: Adapter::of(party, adapter),
        base_url: format!("http://{name}"),
        plain_http: false,
        inquiry,
        settle_time: SETTLE,
        call_deadline: CALL,
        callback_wait: CALLBACK,
        hold: (adapter == "bank").then_some(HOLD),
        hold_margin: Duration::from_secs(60),
        authentication: match AuthenticationOf::adapter(&Adapter::of(party, adapter)) {
            AuthenticationOf::Row => Authentication::Signature(Private::new(format!("of {name}"))),
            AuthenticationOf::Document | AuthenticationOf::Nobody => Authentication::ByAdapter,
        },
        secret: None,
        codes: BTreeMap::new(),
        mo: (name == OPERATOR).then(operator),
        account: matches!(name, PAGE | APP).then(|| OWN.to_owned()),
        callers: None,
        desk: None,
        active: true,
        sandbox: false,
    }
}

/// Who we are at the operator.
fn operator() -> MoAccount {
    let [merchant, campaign, environment] = MO.map(str::to_owned);
    let (user, description) = ("fleet".to_owned(), "Purchase".to_owned());
    let (accepting, refusing) = (MoAccount::usual_accepting(), MoAccount::usual_refusing());
    MoAccount { campaign, merchant, environment, user, description, accepting, refusing }
}

fn client() -> Client {
    let channels = ["transact_result", "card_get"];
    let channels = channels.map(|name| (name.to_owned(), "http://listener/result".to_owned()));
    Client {
        id: CLIENT,
        name: "client".to_owned(),
        active: true,
        sandbox: false,
        api_key_hashes: Vec::new(),
        signature_secret: None,
        signature_required: false,
        oauth_secret_hashes: Vec::new(),
        token_required: false,
        tokens_valid_from: None,
        refuse_similar: false,
        references_are_numbers: false,
        broker_users: Vec::new(),
        answer_within: CALL,
        start_within: Duration::from_secs(600),
        default_funding_source: Some("bank".to_owned()),
        channels: BTreeMap::from(channels),
        ipn: None,
        card: None,
        notify: NotifyRules {
            connectors: BTreeMap::from([(NotifyChannel::Sms, TEXTER.to_owned())]),
            language: None,
        },
        desk: None,
    }
}

/// The directory of a history.
pub(super) fn directory(knobs: &Knobs, validates: bool, delays: &[u32]) -> Directory {
    let mut directory = Directory { version: 1, ..Directory::default() };
    directory.clients.insert(CLIENT, client());
    let mut lane = |id: LaneId, kind, owner: &str| {
        let owner = owner.to_owned();
        let lane = Lane { id, kind, owner, concurrency: knobs.permits, rate_per_second: 0 };
        directory.lanes.insert(id, lane);
    };
    for (name, _, id, _) in SOURCES {
        lane(id, TaskKind::Reserve, name);
        lane(LaneId(id.0.saturating_add(100)), TaskKind::Refund, name);
    }
    lane(SETTLE_LANE, TaskKind::Settle, "bank");
    for (name, _, id) in SUPPLIERS {
        lane(id, TaskKind::Dispense, name);
    }
    lane(DELIVER_LANE, TaskKind::Deliver, &CLIENT.to_string());
    lane(NOTIFY_LANE, TaskKind::Notify, TEXTER);
    lane(LaneId(17), TaskKind::Report, DESK);
    lane(LaneId(19), TaskKind::Validate, DESK);

    let sources =
        SOURCES.map(|(name, adapter, ..)| connector(name, Party::Bank, adapter, Inquiry::LookUp));
    let suppliers =
        SUPPLIERS.map(|(name, inquiry, _)| connector(name, Party::Supplier, "vend", inquiry));
    let mut desk = connector(DESK, Party::Desk, "fraudstop", Inquiry::Repeat);
    desk.desk = Some(DeskRules {
        msisdn: MsisdnForm::Omitted,
        msisdn_key: None,
        validate: if validates { ValidateWhen::Always } else { ValidateWhen::Never },
        on_unavailable: OnUnavailable::Refuse,
        validate_within: Duration::from_secs(120),
        later: Vec::new(),
    });
    let texter = connector(TEXTER, Party::Channel, "sms", Inquiry::Repeat);
    for one in sources.into_iter().chain(suppliers).chain([desk, texter]) {
        directory.connectors.insert(one.name.clone(), one);
    }
    directory.products.extend(product());
    directory.plans = plans(delays);
    directory
}

/// What the samples' purchases buy.
fn product() -> Option<(ProductId, Product)> {
    let id = ProductId(101);
    let product = Product {
        id,
        name: "Airtime".to_owned(),
        product_type: "airtime".to_owned(),
        product_type_id: 1,
        description: String::new(),
        short_description: String::new(),
        vendor_id: 1,
        vendor: "Vendor".to_owned(),
        channels: Vec::new(),
        supplier: "lookup".to_owned(),
        currency: Currency::from_code("ZAR").ok()?,
        min_amount: 1,
        max_amount: 100_000,
        fee: FeeRule { fixed: 50, basis_points: 0 },
        mo: MoOfProduct::default(),
        desk: None,
        active: true,
    };
    Some((id, product))
}

fn plans(delays: &[u32]) -> Vec<RetryPlan> {
    let mut plans = Vec::new();
    for kind in [
        TaskKind::Reserve,
        TaskKind::Dispense,
        TaskKind::Settle,
        TaskKind::Refund,
        TaskKind::Deliver,
        TaskKind::Notify,
        TaskKind::Report,
        TaskKind::Validate,
    ] {
        for class in [PlanClass::NotDone, PlanClass::Unknown, PlanClass::Pending] {
            let (owner, delays_seconds) = ("*".to_owned(), delays.to_vec());
            plans.push(RetryPlan { kind, owner, class, version: 1, delays_seconds });
        }
    }
    plans
}
