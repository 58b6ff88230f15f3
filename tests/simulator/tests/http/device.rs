//! The device app walks the document's flow, and does it wrong.

use std::time::Duration;

use fleet_simulator::{
    AppFault, CardData, DeviceApp, EffectKind, Order, Refuser, Sale, SaleState, SimulatorSettings,
    Wrong, planted_card_number,
};

use crate::sale_fleet::{ACCESS, Fleet};
use crate::world::{World, until};

pub(crate) const SERIAL: &str = "SN-0001";

pub(crate) struct Shop {
    pub(crate) fleet: Fleet,
    pub(crate) world: World,
    pub(crate) app: DeviceApp,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        Self::with(&[]).await
    }

    /// Callbacks are answered so, then with 200.
    pub(crate) async fn with(answers: &[u16]) -> Self {
        let fleet = Fleet::start(answers).await;
        let world = World::with(SimulatorSettings::for_tests(&fleet.url)).await;
        let app = DeviceApp::new(&fleet.url, &world.running.url("billblend-sample")).unwrap();
        let app = app.polling(Duration::from_millis(20), 200).waiting(Duration::from_millis(500));
        Self { fleet, world, app }
    }

    pub(crate) async fn sell(&self, amount: i64) -> Sale {
        self.app.first_sale(&order(amount), &CardData::planted()).await.unwrap()
    }

    pub(crate) fn money(&self) -> (u64, u64) {
        (self.world.count(EffectKind::Reserve), self.world.count(EffectKind::Capture))
    }

    pub(crate) async fn is_mapped(&self, invoice: &str) {
        let sale = || self.world.running.world().sale(invoice);
        until(|| sale().is_some_and(|sale| sale.is_mapped)).await;
    }
}

pub(crate) fn order(amount: i64) -> Order {
    Order {
        access_token: ACCESS.to_owned(),
        serial: SERIAL.to_owned(),
        amount_centis: amount,
        currency: "USD".to_owned(),
    }
}

/// Who refused, with which status and cause.
pub(crate) fn refused(result: Result<Sale, AppFault>) -> (Refuser, u16, String) {
    let fault = result.unwrap_err();
    let refusal = fault.refusal().expect("it is refused");
    (refusal.by, refusal.status, refusal.cause.clone().unwrap_or_default())
}

#[tokio::test]
async fn a_first_sale_is_paid_told_and_its_card_mapped() {
    let shop = Shop::open().await;
    let sale = shop.sell(1042).await;
    assert_eq!(sale.state, Some(SaleState::Approved));
    assert_eq!(sale.status["transaction"]["amountCentis"], 1042);
    assert_eq!(sale.status["invoiceId"], *sale.invoice_id);
    assert!(sale.status["bankOrderId"].is_string());
    let told = shop.fleet.wait(1).await;
    assert_eq!((&*told[0]["status"], &*told[0]["amount"]), ("approved", "10.42"));
    assert_eq!(told[0]["orderid"], sale.order_id.unwrap());
    shop.is_mapped(&sale.invoice_id).await;
    let mapping = &shop.fleet.mappings()[0];
    assert_eq!(mapping["consumer"]["device"]["serialNumber"], SERIAL);
    assert_eq!(mapping["sourceCard"]["bin"], planted_card_number().get(..6).unwrap());
    assert_eq!(mapping["session"]["token"], *sale.token.unwrap());
    assert_eq!(shop.money(), (1, 1));
    let effects = shop.world.running.world().effects_of(&sale.invoice_id);
    assert!(effects.iter().all(|effect| effect.amount == 1042));
    assert_eq!(effects.len(), 2);
    assert_eq!(shop.world.rules(), Vec::<&str>::new());
}

#[tokio::test]
async fn a_card_that_is_mapped_sells_again_by_its_reference() {
    let shop = Shop::open().await;
    let first = shop.sell(1042).await;
    let card = shop.fleet.card().await;
    let second = shop.app.repeat_sale(&order(2042), &card, None).await.unwrap();
    assert_eq!(second.state, Some(SaleState::Approved));
    assert_ne!(second.invoice_id, first.invoice_id);
    let check = shop.fleet.checks()[1].clone();
    assert_eq!(check["sourceOfFunds"]["reference"]["clientCardId"], *card);
    assert!(check["sourceOfFunds"]["reference"].get("securityCode").is_none());
    shop.fleet.wait(2).await;
    assert_eq!(shop.fleet.mappings().len(), 1, "a card is mapped once");
    let record = shop.world.running.world().sale(&second.invoice_id).unwrap();
    assert!(record.is_repeat && !record.is_mapped);
    assert_eq!(shop.money(), (2, 2));
    assert_eq!(shop.world.rules(), Vec::<&str>::new());
}

#[tokio::test]
async fn a_silent_app_initiates_and_does_no_more() {
    let shop = Shop::open().await;
    let sale = shop.sell(9913).await;
    assert_eq!((sale.state, sale.polls), (None, 0));
    assert!(shop.world.running.world().calls().is_empty());
    assert!(shop.fleet.checks().is_empty());
}

#[tokio::test]
async fn what_is_wrong_in_a_sale_is_refused_by_the_gateway_itself() {
    let shop = Shop::open().await;
    let invalid = (Refuser::CardGateway, 400, "INVALID_REQUEST".to_owned());
    for wrong in [Wrong::Serial, Wrong::Nonce, Wrong::Signature, Wrong::AccessToken, Wrong::Amount]
    {
        let app = shop.app.clone().wrongly(wrong);
        let sold = app.first_sale(&order(1042), &CardData::planted()).await;
        assert_eq!(refused(sold), invalid, "{wrong:?}");
    }
    assert!(shop.fleet.checks().is_empty(), "the fleet is not asked");
    assert!(shop.world.running.world().effects().is_empty());
    assert_eq!(shop.world.rules(), Vec::<&str>::new());
}

#[tokio::test]
async fn a_gateway_that_verifies_nothing_leaves_it_to_the_check() {
    let shop = Shop::open().await;
    let filtered = (Refuser::CardGateway, 403, "FILTERED".to_owned());
    for wrong in [Wrong::Serial, Wrong::Nonce, Wrong::Signature, Wrong::AccessToken] {
        let app = shop.app.clone().wrongly(wrong);
        let sold = app.first_sale(&order(9918), &CardData::planted()).await;
        assert_eq!(refused(sold), filtered, "{wrong:?}");
    }
    assert_eq!(shop.fleet.checks().len(), 4);
    assert!(shop.world.running.world().effects().is_empty());
    assert_eq!(shop.sell(9918).await.state, Some(SaleState::Approved));
    assert_eq!(shop.world.rules(), Vec::<&str>::new());
}

#[tokio::test]
async fn a_nonce_that_was_used_is_refused_and_the_sale_goes_on() {
    let shop = Shop::open().await;
    let app = shop.app.clone().wrongly(Wrong::Replay);
    let sold = app.first_sale(&order(1042), &CardData::planted()).await;
    assert_eq!(refused(sold), (Refuser::CardGateway, 403, "FILTERED".to_owned()));
    assert_eq!(shop.fleet.checks().len(), 2);
    let told = shop.fleet.wait(1).await;
    assert_eq!(told[0]["status"], "approved");
    assert_eq!(shop.money(), (1, 1));
    assert_eq!(shop.world.rules(), Vec::<&str>::new());
}

#[tokio::test]
async fn nothing_shows_what_a_buyer_typed_in() {
    let shop = Shop::open().await;
    let (order, card) = (order(1042), CardData::planted());
    let sale = shop.sell(1042).await;
    let initiated = shop.app.initiate(&order).await.unwrap();
    let shown = format!("{order:?} {card:?} {sale:?} {initiated:?} {:?}", shop.app);
    let known = shop.world.get(&format!("control/purchases/{}", sale.invoice_id)).await;
    let known = known.text().await.unwrap();
    for secret in [&card.number, ACCESS, &card.last_name, &initiated.nonce, &sale.token.unwrap()] {
        assert!(!shown.contains(secret), "{shown}");
        assert!(!known.contains(secret), "{known}");
    }
    for told in shop.fleet.checks().iter().chain(&shop.fleet.mappings()) {
        assert!(!told.to_string().contains(&card.number));
    }
}
